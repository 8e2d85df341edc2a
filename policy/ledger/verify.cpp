#include "policy/ledger/verify.hpp"

#include "policy/ledger/day.hpp"
#include "policy/ledger/recover.hpp"
#include "policy/ledger/table.hpp"
#include "policy/ledger/table_sql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <system_error>
#include <unordered_set>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

constexpr sqlite::Sql kIntegrity = "PRAGMA integrity_check(1)";
constexpr sqlite::Sql kCountRecords = "SELECT count(*) FROM usage_record";
constexpr sqlite::Sql kCountAttempts = "SELECT count(*) FROM usage_attempt";
constexpr sqlite::Sql kCountAdjustments = "SELECT count(*) FROM adjustment";
constexpr sqlite::Sql kCost = "SELECT coalesce(sum(cost_nano), 0) FROM usage_hour";
constexpr sqlite::Sql kContains = "SELECT 1 FROM usage_record WHERE request_id = ?1";
constexpr sqlite::Sql kForeignRows = "SELECT count(*) FROM usage_record WHERE ts_start_us < ?1 OR ts_start_us >= ?2";
// The first hour whose roll-up is not the sum of its rows; nothing if there is none or the rows were dropped.
constexpr sqlite::Sql kUnequalHour = R"sql(
    WITH summed AS (
        SELECT ts_start_us / 3600000000 AS hour, count(*) AS requests, coalesce(sum(in_tokens), 0) AS in_tokens,
            coalesce(sum(out_tokens), 0) AS out_tokens, coalesce(sum(cost_nano), 0) AS cost_nano
        FROM usage_record GROUP BY 1),
    rolled AS (
        SELECT hour, sum(requests) AS requests, sum(in_tokens) AS in_tokens, sum(out_tokens) AS out_tokens,
            sum(cost_nano) AS cost_nano
        FROM usage_hour WHERE operation <> 'adjust' GROUP BY 1)
    SELECT coalesce(rolled.hour, summed.hour) FROM rolled FULL JOIN summed ON summed.hour = rolled.hour
    WHERE EXISTS (SELECT 1 FROM usage_record) AND (summed.requests, summed.in_tokens, summed.out_tokens,
        summed.cost_nano) IS NOT (rolled.requests, rolled.in_tokens, rolled.out_tokens, rolled.cost_nano)
    LIMIT 1)sql";

struct Promise {
    std::string request_id;
    Day day;
    std::string file;
    std::size_t offset = 0;
};

class Verifier {
  public:
    explicit Verifier(std::string directory) : directory_(std::move(directory)) {}

    std::expected<Verification, std::string> run() {
        if (auto done = segments(); !done) return std::unexpected(done.error());
        const auto days = list_days(directory_);
        if (!days) return std::unexpected(days.error());
        for (const Day day : *days) table(day);
        for (const Promise& promise : promises_) {
            if (kept_.contains(promise.request_id)) continue;
            if (!days_read_.contains(promise.day)) continue; // dropped by retention, or a fault of its own
            fault(promise.file, promise.offset,
                  fmt::format("{}: the record at offset {} is marked as written to the usage table, where request {} "
                              "is not",
                              promise.file, promise.offset, promise.request_id));
        }
        return std::move(result_);
    }

  private:
    void fault(std::string file, std::size_t offset, std::string text) {
        result_.faults.push_back({.file = std::move(file), .offset = offset, .text = std::move(text)});
    }

    std::expected<void, std::string> segments() {
        std::error_code error;
        std::vector<std::string> files;
        for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
            const std::string name = entry.path().filename().string();
            if (name.starts_with("segment-") && name.ends_with(".log")) files.push_back(entry.path().string());
        }
        if (error) return std::unexpected(fmt::format("cannot list {}: {}", directory_, error.message()));
        std::ranges::sort(files);
        std::unordered_set<std::string> open;
        for (const std::string& file : files) {
            const auto segment = Segment::open(file);
            if (segment) {
                ++result_.segments;
                records(**segment, open);
            } else if (std::filesystem::exists(file)) { // or it was released meanwhile
                fault(file, 0, segment.error());
            }
        }
        result_.open = open.size();
        return {};
    }

    void records(const Segment& segment, std::unordered_set<std::string>& open) {
        const std::size_t consumed = segment.consumed(); // first: it never runs ahead of the table
        const Examination found = examine(segment, [&](std::string_view frame, std::size_t offset) {
            const std::optional<Record> record = decode(frame);
            if (!record) {
                fault(segment.file(), offset,
                      fmt::format("{}: the record at offset {} checks and makes no sense", segment.file(), offset));
                return;
            }
            count(*record, segment, offset, offset < consumed, open);
        });
        if (found.lost == 0) return;
        fault(segment.file(), found.end,
              fmt::format("{}: no valid record at offset {}, {} octets up to its used end", segment.file(), found.end,
                          found.lost));
    }

    void count(const Record& record, const Segment& segment, std::size_t offset, bool consumed,
               std::unordered_set<std::string>& open) {
        if (std::holds_alternative<Adjust>(record)) {
            ++result_.adjusts;
        } else if (std::holds_alternative<Progress>(record)) {
            ++result_.progresses;
        } else if (std::holds_alternative<Admit>(record)) {
            ++result_.admits;
            open.emplace(id_of(record));
        } else if (const auto* const settle = std::get_if<Settle>(&record)) {
            ++result_.settles;
            open.erase(std::string(settle->request_id));
            if (!consumed) {
                ++result_.pending;
                return;
            }
            promises_.push_back({.request_id = std::string(settle->request_id),
                                 .day = day_of(settle->admitted_us),
                                 .file = segment.file(),
                                 .offset = offset});
        }
    }

    void table(Day day) {
        const std::string file = day_file(directory_, day);
        const auto wrong = [&](std::string_view why) {
            fault(file, 0, fmt::format("the usage table {}: {}", file, why));
        };
        auto database = open_day(file);
        if (!database) return fault(file, 0, database.error());
        ++result_.days;
        const auto health = first_value(*database, kIntegrity);
        if (!health || *health != "ok") return wrong(health ? *health : health.error());
        sqlite::Transaction moment(*database);
        if (auto begun = moment.begin(); !begun) return wrong(begun.error());
        result_.operations += number(*database, kCountRecords);
        result_.attempts += number(*database, kCountAttempts);
        result_.adjustments += number(*database, kCountAdjustments);
        result_.cost_nano += number(*database, kCost);
        const auto unequal = first_value(*database, kUnequalHour);
        if (!unequal) return wrong(unequal.error());
        if (!unequal->empty()) wrong(fmt::format("the roll-up of hour {} is not the sum of its rows", *unequal));
        if (auto checked = rows(*database, day); !checked) return wrong(checked.error());
        static_cast<void>(moment.commit());
    }

    // Rows of another day, and which of the promised ones are here.
    sqlite::Result<void> rows(sqlite::Database& database, Day day) {
        auto foreign = database.prepare(kForeignRows);
        if (!foreign) return std::unexpected(foreign.error());
        {
            Execution query(*foreign);
            query.number(start_of(day)).number(start_of(day + std::chrono::days(1)));
            const auto row = query.step();
            if (!row) return std::unexpected(row.error());
            if (const Number count = query.column_number(0); count.value_or(0) > 0) {
                return std::unexpected(fmt::format("{} rows belong to another day", *count));
            }
        }
        auto contains = database.prepare(kContains);
        if (!contains) return std::unexpected(contains.error());
        for (const Promise& promise : promises_) {
            if (promise.day != day) continue;
            Execution query(*contains);
            const auto row = query.text(promise.request_id).step();
            if (!row) return std::unexpected(row.error());
            if (*row) kept_.insert(promise.request_id);
        }
        days_read_.insert(day);
        return {};
    }

    static std::int64_t number(sqlite::Database& database, sqlite::Sql sql) {
        auto statement = database.prepare(sql);
        if (!statement) return 0;
        Execution query(*statement);
        const auto row = query.step();
        return row && *row ? query.column_number(0).value_or(0) : 0;
    }

    std::string directory_;
    Verification result_;
    std::vector<Promise> promises_;
    std::unordered_set<std::string> kept_;
    std::set<Day> days_read_;
};

} // namespace

std::expected<Verification, std::string> verify(const std::string& directory) {
    return Verifier(directory).run();
}

} // namespace tollgate::policy::ledger
