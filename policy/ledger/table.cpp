#include "policy/ledger/table.hpp"

#include "policy/ledger/roll_up.hpp"
#include "policy/ledger/segment.hpp"
#include "policy/ledger/table_sql.hpp"
#include "policy/store_files.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

constexpr std::size_t kMaxOpenDays = 3; // midnight needs two; late settles and a clock that went back a third

constexpr sqlite::Sql kInsertRecord = R"sql(
    INSERT OR IGNORE INTO usage_record (
        request_id, ts_start_us, ts_end_us, org_id, team_id, key_id, operation, model, provider, upstream_model,
        response_model, outcome, error_type, http_status, stream, attempts, cache, in_tokens, out_tokens,
        cache_read_tokens, cache_write_tokens, reasoning_tokens, audio_in_tokens, audio_out_tokens, images,
        usage_source, cost_nano, cost_in_nano, cost_out_nano, cost_cache_nano, cost_other_nano, saved_nano,
        price_version, price_source, ttft_us, duration_us, overhead_us, queue_us, reserved_tokens, reserved_nano,
        periods, client_request_id, upstream_request_id, trace_id, client, config_hash)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23,
        ?24, ?25, ?26, ?27, ?28, ?29, ?30, ?31, ?32, ?33, ?34, ?35, ?36, ?37, ?38, ?39, ?40, ?41, ?42, ?43, ?44, ?45,
        ?46))sql";
constexpr sqlite::Sql kInsertAttempt = R"sql(
    INSERT OR IGNORE INTO usage_attempt (request_id, n, upstream, start_us, ttft_us, duration_us, status, error_type,
        in_tokens, out_tokens, cost_nano)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11))sql";
constexpr sqlite::Sql kInsertAdjustment = R"sql(
    INSERT OR IGNORE INTO adjustment (id, ts_us, org_id, team_id, key_id, nano, reason, actor)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8))sql";
constexpr sqlite::Sql kContains = "SELECT 1 FROM usage_record WHERE request_id = ?1";

template <class T>
std::unexpected<std::string> about(const std::string& file, const std::expected<T, std::string>& failed) {
    return std::unexpected(fmt::format("the usage table {}: {}", file, failed.error()));
}

std::string joined(const Periods& periods) {
    std::string text;
    for (const std::string_view period : periods.view()) {
        if (!text.empty()) text += '\n'; // no period id has a line feed
        text += period;
    }
    return text;
}

sqlite::Result<void> create_schema(sqlite::Database& database) {
    sqlite::Transaction transaction(database);
    if (auto begun = transaction.begin(); !begun) return begun;
    for (const sqlite::Sql sql :
         {kMakeRecords, kMakeStartIndex, kMakeAttempts, kMakeHours, kMakeDays, kMakeAdjustments, kSetTableVersion}) {
        if (auto made = database.run(sql); !made) return made;
    }
    return transaction.commit();
}

} // namespace

sqlite::Result<std::string> first_value(sqlite::Database& database, sqlite::Sql sql) {
    sqlite::Result<sqlite::Statement> statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    const sqlite::Result<bool> row = statement->step();
    if (!row) return std::unexpected(row.error());
    return *row ? statement->text(0) : std::string();
}

namespace {

std::unexpected<std::string> strange_version(const std::string& file, const std::string& version) {
    return std::unexpected(fmt::format("the usage table {}: its schema version is {}, this program knows {}", file,
                                       version, kTableVersion));
}

} // namespace

std::expected<sqlite::Database, std::string> open_day(const std::string& file) {
    if (auto made = ensure_private_file(file); !made) return std::unexpected(made.error());
    sqlite::Result<sqlite::Database> database = sqlite::Database::open(file);
    if (!database) return about(file, database);
    const sqlite::Result<std::string> version = first_value(*database, kGetTableVersion);
    if (!version) return about(file, version);
    if (*version == "0") {
        if (auto made = create_schema(*database); !made) return about(file, made);
    } else if (*version != kTableVersion) {
        return strange_version(file, *version);
    }
    return database;
}

std::expected<std::optional<sqlite::Database>, std::string> open_day_reading(const std::string& file) {
    sqlite::Result<sqlite::Database> database = sqlite::Database::open_reading(file);
    if (!database) {
        if (::access(file.c_str(), F_OK) != 0 && errno == ENOENT) return std::nullopt;
        return about(file, database);
    }
    const sqlite::Result<std::string> version = first_value(*database, kGetTableVersion);
    if (!version) return about(file, version);
    if (*version == "0") return std::nullopt;
    if (*version != kTableVersion) return strange_version(file, *version);
    return std::move(*database);
}

// One day's file and its statements.
class Table::DayTable {
  public:
    static Result<std::unique_ptr<DayTable>> open(const std::string& file) {
        Result<sqlite::Database> database = open_day(file);
        if (!database) return std::unexpected(database.error());
        auto day = std::make_unique<DayTable>();
        day->file_ = file;
        day->database_ = std::move(*database);
        const std::pair<sqlite::Statement*, sqlite::Sql> all[] = {{&day->record_, kInsertRecord},
                                                                  {&day->attempt_, kInsertAttempt},
                                                                  {&day->adjustment_, kInsertAdjustment},
                                                                  {&day->contains_, kContains}};
        for (const auto& [statement, sql] : all) {
            sqlite::Result<sqlite::Statement> prepared = day->database_.prepare(sql);
            if (!prepared) return about(file, prepared);
            *statement = std::move(*prepared);
        }
        if (auto ready = day->roll_up_.open(day->database_); !ready) return about(file, ready);
        return day;
    }

    Result<Written> write(std::span<const Operation* const> operations, std::span<const Adjust* const> adjustments) {
        Written written;
        roll_up_.clear();
        sqlite::Transaction transaction(database_);
        if (auto begun = transaction.begin(); !begun) return about(file_, begun);
        for (const Operation* const operation : operations) {
            if (auto done = add(*operation, written); !done) return about(file_, done);
        }
        for (const Adjust* const adjustment : adjustments) {
            if (auto done = add(*adjustment, written); !done) return about(file_, done);
        }
        if (auto done = roll_up_.write(); !done) return about(file_, done);
        if (auto done = transaction.commit(); !done) return about(file_, done);
        return written;
    }

    Result<bool> contains(std::string_view request_id) {
        Execution query(contains_);
        auto row = query.text(request_id).step();
        if (!row) return about(file_, row);
        return row;
    }

    Result<void> drop_records() {
        for (const sqlite::Sql sql : {sqlite::Sql("DELETE FROM usage_record"), sqlite::Sql("DELETE FROM usage_attempt"),
                                      sqlite::Sql("VACUUM")}) {
            if (auto done = database_.run(sql); !done) return about(file_, done);
        }
        return {};
    }

  private:
    sqlite::Result<void> add(const Operation& operation, Written& written) {
        if (auto done = add_record(operation); !done) return done;
        if (database_.changed() == 0) {
            ++written.duplicates;
            return {};
        }
        ++written.rows;
        std::int64_t n = 0;
        for (const Attempt& attempt : operation.settle.attempts.view()) {
            Execution insert(attempt_);
            insert.text(operation.admit.request_id).number(++n).text(attempt.upstream).number(attempt.start_us);
            insert.number(attempt.ttft_us).number(attempt.duration_us).number(attempt.status).text(attempt.error_type);
            insert.number(attempt.in_tokens).number(attempt.out_tokens).number(attempt.cost_nano);
            if (auto done = insert.step(); !done) return std::unexpected(done.error());
        }
        if (!roll_up_.add(operation)) return too_much();
        return {};
    }

    static std::unexpected<std::string> too_much() {
        return std::unexpected<std::string>("a sum of the roll-up does not fit into 64 bits");
    }

    sqlite::Result<void> add_record(const Operation& operation) {
        const Admit& a = operation.admit;
        const Settle& s = operation.settle;
        const Tokens& t = s.tokens;
        const Cost& c = s.cost;
        const std::string periods = joined(a.periods);
        Execution insert(record_);
        insert.text(a.request_id).number(a.at_us).number(s.at_us).text(a.org).text(a.team).text(a.key);
        insert.text(a.operation).text(a.model).text(provider_of(operation)).text(s.upstream_model);
        insert.text(s.response_model).text(s.outcome).text(s.error_type).number(s.http_status).number(s.stream ? 1 : 0);
        insert.number(s.attempt_count).text(s.cache).number(t.in).number(t.out).number(t.cache_read);
        insert.number(t.cache_write).number(t.reasoning).number(t.audio_in).number(t.audio_out).number(t.images);
        insert.text(to_string(s.usage_source)).number(c.total).number(c.in).number(c.out).number(c.cache);
        insert.number(c.other).number(s.saved_nano).text(a.price_version).text(s.price_source).number(s.ttft_us);
        insert.number(s.duration_us).number(s.overhead_us).number(s.queue_us).number(a.reserved_tokens);
        insert.number(a.reserved_nano).text(periods).text(s.client_request_id).text(s.upstream_request_id);
        insert.text(s.trace_id).text(s.client).text(s.config_hash);
        if (auto done = insert.step(); !done) return std::unexpected(done.error());
        return {};
    }

    sqlite::Result<void> add(const Adjust& adjustment, Written& written) {
        {
            Execution insert(adjustment_);
            insert.text(adjustment.id).number(adjustment.at_us).text(adjustment.org).text(adjustment.team);
            insert.text(adjustment.key).number(adjustment.nano).text(adjustment.reason).text(adjustment.actor);
            if (auto done = insert.step(); !done) return std::unexpected(done.error());
        }
        if (database_.changed() == 0) {
            ++written.duplicates;
            return {};
        }
        ++written.rows;
        if (!roll_up_.add(adjustment)) return too_much();
        return {};
    }

    std::string file_;
    sqlite::Database database_;
    sqlite::Statement record_, attempt_, adjustment_, contains_;
    RollUp roll_up_;
};

Table::Table(std::string directory) : directory_(std::move(directory)) {}

Table::~Table() = default;

auto Table::open(std::string directory) -> Result<std::unique_ptr<Table>> {
    const auto days = list_days(directory);
    if (!days) return std::unexpected(days.error());
    std::unique_ptr<Table> table(new Table(std::move(directory)));
    if (!days->empty()) {
        if (const auto latest = table->day_table(days->back()); !latest) return std::unexpected(latest.error());
    }
    return table;
}

auto Table::day_table(Day day) -> Result<DayTable*> {
    if (const auto found = open_.find(day); found != open_.end()) return found->second.get();
    Result<std::unique_ptr<DayTable>> opened = DayTable::open(day_file(directory_, day));
    if (!opened) return std::unexpected(opened.error());
    if (open_.size() >= kMaxOpenDays) open_.erase(open_.begin()); // closing folds its WAL into the file
    return open_.emplace(day, std::move(*opened)).first->second.get();
}

auto Table::write(std::span<const Operation> operations, std::span<const Adjust> adjustments) -> Result<Written> {
    struct Rows {
        std::vector<const Operation*> operations;
        std::vector<const Adjust*> adjustments;
    };
    std::map<Day, Rows> days;
    for (const Operation& operation : operations) days[day_of(operation.admit.at_us)].operations.push_back(&operation);
    for (const Adjust& adjustment : adjustments) days[day_of(adjustment.at_us)].adjustments.push_back(&adjustment);
    Written all;
    for (const auto& [day, rows] : days) {
        const Result<DayTable*> table = day_table(day);
        if (!table) return std::unexpected(table.error());
        const Result<Written> written = (*table)->write(rows.operations, rows.adjustments);
        if (!written) return written;
        all.rows += written->rows;
        all.duplicates += written->duplicates;
    }
    return all;
}

auto Table::contains(std::string_view request_id, Day day) -> Result<bool> {
    if (!open_.contains(day) && ::access(day_file(directory_, day).c_str(), F_OK) != 0) return false;
    const Result<DayTable*> table = day_table(day);
    if (!table) return std::unexpected(table.error());
    return (*table)->contains(request_id);
}

auto Table::drop_records(Day day) -> Result<void> {
    if (::access(day_file(directory_, day).c_str(), F_OK) != 0) return {};
    const Result<DayTable*> table = day_table(day);
    if (!table) return std::unexpected(table.error());
    return (*table)->drop_records();
}

auto Table::drop_day(Day day) -> Result<void> {
    open_.erase(day);
    const std::string file = day_file(directory_, day);
    // The database last: without it, its -wal is no database that a start would open.
    for (const char* const suffix : {"-wal", "-shm", ""}) {
        if (::unlink((file + suffix).c_str()) == 0 || errno == ENOENT) continue;
        return std::unexpected(
            fmt::format("cannot remove {}{}: {}", file, suffix, std::generic_category().message(errno)));
    }
    return sync_directory(directory_);
}

} // namespace tollgate::policy::ledger
