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
constexpr sqlite::Sql kCountRecords = "SELECT count(*) FROM operation";
constexpr sqlite::Sql kCountAttempts = R"sql(
    SELECT coalesce(sum(json_array_length(record, '$[44]')), 0) FROM operation)sql";
constexpr sqlite::Sql kCountAdjustments = "SELECT count(*) FROM adjustment";
constexpr sqlite::Sql kCost = "SELECT coalesce(sum(cost_nano), 0) FROM usage_hour";
constexpr sqlite::Sql kContains = "SELECT 1 FROM operation WHERE ts_start_us = ?1 AND request_id = ?2";
constexpr sqlite::Sql kForeignRows = "SELECT count(*) FROM operation WHERE ts_start_us < ?1 OR ts_start_us >= ?2";
constexpr sqlite::Sql kUnreadable = "SELECT count(*) FROM operation WHERE NOT json_valid(record)";
// A line that is in the roll-up or in the sum of the rows and not in both; nothing if there is none. Where retention
// dropped the rows, only adjustments can be compared.
constexpr sqlite::Sql kUnequal = R"sql(
    WITH summed AS (
        SELECT ts_start_us / 3600000000, org_id, team_id, key_id, model, provider, operation, outcome, cache, count(*),
            coalesce(sum(in_tokens), 0), coalesce(sum(out_tokens), 0), coalesce(sum(cost_nano), 0),
            sum(cost_nano IS NULL), sum(usage_source = 'estimated'), sum(in_tokens IS NULL AND out_tokens IS NULL),
            coalesce(sum(saved_nano), 0), coalesce(sum(ttft_us), 0), sum(duration_us)
        FROM ()sql" TOLLGATE_RECORDS R"sql() GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
        UNION ALL
        SELECT ts_us / 3600000000, org_id, team_id, key_id, '', '', 'adjust', 'adjust', 'none', 0, 0, 0, sum(nano),
            0, 0, 0, 0, 0, 0
        FROM adjustment GROUP BY 1, 2, 3, 4),
    rolled AS (SELECT * FROM usage_hour WHERE operation = 'adjust' OR EXISTS (SELECT 1 FROM operation))
    SELECT hour, org_id, team_id, key_id, model, provider, operation, outcome, cache FROM (
        SELECT * FROM (SELECT * FROM rolled EXCEPT SELECT * FROM summed)
        UNION ALL
        SELECT * FROM (SELECT * FROM summed EXCEPT SELECT * FROM rolled))
    LIMIT 1)sql";

// Whose day is not the sum of its hours; nothing if there is none.
constexpr sqlite::Sql kUnequalDay = R"sql(
    WITH summed AS (SELECT org_id, team_id, key_id, model, sum(cost_nano) FROM usage_hour GROUP BY 1, 2, 3, 4)
    SELECT 'org `' || org_id || '`, team `' || team_id || '`, key `' || key_id || '`, model `' || model || '`' FROM (
        SELECT * FROM (SELECT * FROM usage_day EXCEPT SELECT * FROM summed)
        UNION ALL
        SELECT * FROM (SELECT * FROM summed EXCEPT SELECT * FROM usage_day))
    LIMIT 1)sql";

struct Promise {
    std::string request_id;
    std::int64_t admitted_us = 0;
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
            if (!days_read_.contains(day_of(promise.admitted_us)))
                continue; // dropped by retention, or a fault of its own
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
            const auto segment = Segment::open_reading(file);
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
            promise(settle->request_id, settle->admitted_us, segment, offset, consumed);
        } else if (const auto* const served = std::get_if<Served>(&record)) {
            ++result_.served;
            promise(served->request_id, served->started_us, segment, offset, consumed);
        }
    }

    // What is consumed has its row.
    void promise(std::string_view id, std::int64_t started_us, const Segment& segment, std::size_t offset,
                 bool consumed) {
        if (!consumed) {
            ++result_.pending;
            return;
        }
        promises_.push_back(
            {.request_id = std::string(id), .admitted_us = started_us, .file = segment.file(), .offset = offset});
    }

    void table(Day day) {
        const std::string file = day_file(directory_, day);
        const auto wrong = [&](std::string_view why) {
            fault(file, 0, fmt::format("the usage table {}: {}", file, why));
        };
        auto opened = open_day_reading(file);
        if (!opened) return fault(file, 0, opened.error());
        if (!*opened) return; // dropped meanwhile, or without a schema yet
        sqlite::Database& database = **opened;
        ++result_.days;
        const auto health = first_value(database, kIntegrity);
        if (!health || *health != "ok") return wrong(health ? *health : health.error());
        sqlite::Transaction moment(database);
        if (auto begun = moment.begin(); !begun) return wrong(begun.error());
        if (const auto unreadable = number(database, kUnreadable); unreadable > 0) {
            return wrong(fmt::format("{} rows cannot be read", unreadable));
        }
        result_.operations += number(database, kCountRecords);
        result_.attempts += number(database, kCountAttempts);
        result_.adjustments += number(database, kCountAdjustments);
        result_.cost_nano += number(database, kCost);
        if (auto checked = sums(database, wrong); !checked) return wrong(checked.error());
        if (auto checked = rows(database, day); !checked) return wrong(checked.error());
        static_cast<void>(moment.commit());
    }

    template <class Wrong>
    static sqlite::Result<void> sums(sqlite::Database& database, const Wrong& wrong) {
        auto statement = database.prepare(kUnequal);
        if (!statement) return std::unexpected(statement.error());
        Execution query(*statement);
        const auto row = query.step();
        if (!row) return std::unexpected(row.error());
        const auto unequal_day = first_value(database, kUnequalDay);
        if (!unequal_day) return std::unexpected(unequal_day.error());
        if (!unequal_day->empty()) {
            wrong(fmt::format("the roll-up of the day is not the sum of its hours: {}", *unequal_day));
        }
        if (!*row) return {};
        const std::int64_t hour = query.column_number(0).value_or(0);
        const Day day = day_of(hour * kMicrosPerHour);
        wrong(fmt::format("the roll-up of hour {}T{:02} (UTC) is not the sum of its rows: org `{}`, team `{}`, key "
                          "`{}`, model `{}`, provider `{}`, operation `{}`, outcome `{}`, cache `{}`",
                          to_string(day), hour - start_of(day) / kMicrosPerHour, query.column(1), query.column(2),
                          query.column(3), query.column(4), query.column(5), query.column(6), query.column(7),
                          query.column(8)));
        return {};
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
            if (day_of(promise.admitted_us) != day) continue;
            Execution query(*contains);
            const auto row = query.number(promise.admitted_us).text(promise.request_id).step();
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
