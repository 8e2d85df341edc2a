// Private to policy/ledger: carries records from the log to the table, and lets segments go that are not needed any
// more. One thread at a time.
#pragma once

#include "policy/ledger/segment_log.hpp"
#include "policy/ledger/table.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace tollgate::policy::ledger {

class TableWriter {
  public:
    // Starts at the log's first record. `settled`: ids that are open in the segments and closed in the table, which a
    // power cut can leave behind.
    TableWriter(SegmentLog& log, std::unique_ptr<Table> table, std::size_t batch,
                std::unordered_set<std::string> settled);

    // Reads up to `batch` operations and writes them in one transaction per day; true: there may be more. After an
    // error the same call tries again.
    [[nodiscard]] std::expected<bool, std::string> step();

    // Of all open operations; their admission decides what retention may take.
    [[nodiscard]] bool has_open(Day day) const;
    [[nodiscard]] Table& table() { return *table_; }

    [[nodiscard]] std::uint64_t rows() const { return rows_; }
    [[nodiscard]] std::uint64_t duplicates() const { return duplicates_; }
    [[nodiscard]] std::uint64_t orphans() const { return orphans_; }

  private:
    struct Open {
        std::string admit, progress; // frames
        const Segment* home = nullptr;
        std::int64_t progress_us = 0;
    };
    struct Done {
        std::string admit;  // frame; empty: nobody has it, or none was needed
        std::string settle; // frame, of a SERVED too
    };

    [[nodiscard]] std::expected<void, std::string> read();
    void take(std::string_view frame, bool in_table);
    void open(std::string_view id, std::string_view frame);
    void close(std::string_view id, std::string_view frame, bool in_table);
    void advance(std::string_view id, std::string_view frame);
    [[nodiscard]] std::expected<void, std::string> write();
    [[nodiscard]] std::expected<void, std::string> write_rows();
    [[nodiscard]] std::expected<void, std::string> let_go();
    [[nodiscard]] bool carry_from(const Segment* segment);

    SegmentLog& log_;
    std::unique_ptr<Table> table_;
    const std::size_t batch_;
    std::unordered_set<std::string> settled_;

    SegmentLog::Cursor cursor_;
    std::size_t skip_ = 0;                         // of the cursor's segment: consumed by an earlier process
    std::vector<std::shared_ptr<Segment>> behind_; // read to the end, in order
    std::unordered_map<std::string, Open> open_;
    std::map<const Segment*, std::size_t> homes_; // open operations per segment
    std::vector<Done> done_;                      // the batch
    std::vector<std::string> adjusts_;
    std::vector<Operation> owned_, orphans_of_batch_; // views into done_; kept for their memory
    std::uint64_t rows_ = 0, duplicates_ = 0, orphans_ = 0;
};

} // namespace tollgate::policy::ledger
