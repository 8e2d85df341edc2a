// The usage table: what the ledger is for people. One SQLite file per UTC day of admission, so that retention is a file
// less, a day's rows and its roll-ups (hourly; daily for money) change in one transaction (SQLite's transactions over
// several files in WAL mode are not atomic), and a year of history costs a start nothing.
//
// The schema, as its views show it, is that of observability §3.3 without what this product does not know yet (project,
// tags, end user, content). An operation is known by the instant of its admission and its id. Money is nano-USD, times
// are microseconds of wall time, NULL is unknown.
#pragma once

#include "policy/ledger/day.hpp"
#include "policy/ledger/record.hpp"

#include <cstdint>
#include <expected>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::ledger {

// Both halves of one operation; views into memory of the caller. `admit.at_us` and `settle.admitted_us` are equal.
struct Operation {
    Admit admit;
    Settle settle;
};

struct Written {
    std::size_t rows = 0;       // operations and adjustments that are new
    std::size_t duplicates = 0; // ids that were there already: the first one counts
};

// The only writer; every call blocks on the disk and belongs to one thread. What a call has written survives a power
// cut when it returns. A failed call may have written some of the days, completely; calling it again is harmless.
class Table {
  public:
    template <class T>
    using Result = std::expected<T, std::string>;

    // `directory` exists. The latest file is opened: damage or a schema of a newer program is an error that names it.
    [[nodiscard]] static Result<std::unique_ptr<Table>> open(std::string directory);
    ~Table();
    Table(const Table&) = delete;
    Table& operator=(const Table&) = delete;

    [[nodiscard]] Result<Written> write(std::span<const Operation> operations, std::span<const Adjust> adjustments);
    [[nodiscard]] Result<bool> contains(std::string_view request_id, std::int64_t admitted_us);

    // Retention. The first keeps the day's roll-ups. Neither may be called for a day that can still get rows.
    [[nodiscard]] Result<void> drop_records(Day day);
    [[nodiscard]] Result<void> drop_day(Day day);

  private:
    class DayTable;
    explicit Table(std::string directory);
    [[nodiscard]] Result<DayTable*> day_table(Day day);

    const std::string directory_;
    std::map<Day, std::unique_ptr<DayTable>> open_;
};

} // namespace tollgate::policy::ledger
