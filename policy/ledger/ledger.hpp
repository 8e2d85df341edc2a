// The usage ledger: nothing is spent that it does not know, nothing that it knows is lost or counted twice.
//
//   append()  → a mapped segment: safe against SIGKILL on return, 0.2 µs
//   ≤ 10 ms   → fdatasync by the log's thread: safe against a power cut
//   ≤ 100 ms  → the usage table in SQLite by the ledger's thread: one transaction for at most 4,000 operations
// Two threads, because a commit or someone's lock on the table may last longer than the promise of the first.
#pragma once

#include "gateway/base/error.hpp"
#include "policy/ledger/day.hpp"
#include "policy/ledger/record.hpp"
#include "policy/ledger/recover.hpp"
#include "policy/ledger/segment_log.hpp"

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::policy::ledger {

struct Options {
    LogOptions log;
    std::size_t batch = 4'000;                       // operations in one transaction
    std::chrono::milliseconds batch_interval{100};   // the longest an operation waits for its transaction
    std::chrono::milliseconds retry_interval{1'000}; // after a failed transaction
};

struct Stats {
    LogStats log;
    std::uint64_t rows = 0;       // written to the table since the start
    std::uint64_t duplicates = 0; // that were there already
    std::uint64_t orphans = 0;    // settles whose ADMIT nobody has: rows without an owner, an alarm
    std::uint64_t failures = 0;   // transactions that failed and are tried again
    std::string table_fault;      // why the last one failed; empty: it did not
};

// Thread-safe. Directory: `lock` (the process id that has it), `segment-*.log`, `usage-YYYY-MM-DD.db` with its -wal and
// -shm.
class Ledger {
  public:
    // Reads what the last process left; blocks on the disk. Errors are text for the operator: another process has the
    // ledger, damage with file and offset (F46, F48), no room for two files. Tails that were cut are logged and in
    // cuts().
    [[nodiscard]] static std::expected<std::unique_ptr<Ledger>, std::string> open(const std::string& path,
                                                                                  Options options = {});
    ~Ledger(); // stop()
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;

    // Admitted by the last process and never settled. The caller charges each and appends its settle_unknown(); until
    // then they are open, and a further start reports them again. Not thread-safe against itself.
    [[nodiscard]] const std::vector<OpenOperation>& recovered() const;
    [[nodiscard]] const std::vector<Damage>& cuts() const;

    // Before dispatch. 503 `ledger_unavailable` if this record or the settle it will need has no place, durability is
    // not given, or the ledger is stopped: then nothing may be spent. 500 for an id that is none.
    [[nodiscard]] Result<void> append(const Admit& record);
    // For a long stream, from time to time; losing one loses nothing but precision after a crash.
    [[nodiscard]] Result<void> append(const Progress& record);
    // Before the octets that end the answer. Succeeds for every admitted operation until stop(); a second settle of the
    // same request, at any time, is ignored by the table.
    [[nodiscard]] Result<void> append(const Settle& record);
    [[nodiscard]] Result<void> append(const Adjust& record);
    // Before the octets that end the answer. 503 if there is no place: the answer costs nothing and may go out.
    [[nodiscard]] Result<void> append(const Served& record);

    // Everything appended before is durable and in the table when it returns; the error says what kept it from that.
    [[nodiscard]] std::expected<void, std::string> flush();
    // The same, then the threads end; appends fail from now on. Open operations stay open for the next start.
    void stop();

    // Retention; blocks. Refused for today, for days with an open operation, and for days not yet over.
    [[nodiscard]] std::expected<void, std::string> drop_records(Day day, std::int64_t now_us);
    [[nodiscard]] std::expected<void, std::string> drop_day(Day day, std::int64_t now_us);

    [[nodiscard]] Stats stats() const;
    [[nodiscard]] const std::string& path() const;

  private:
    struct Impl;
    explicit Ledger(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::policy::ledger
