#include "policy/ledger/table.hpp"

#include "policy/ledger/roll_up.hpp"
#include "policy/ledger/row.hpp"
#include "policy/ledger/segment.hpp"
#include "policy/ledger/table_sql.hpp"
#include "policy/store_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

constexpr std::size_t kMaxOpenDays = 3; // midnight needs two; late settles and a clock that went back a third

constexpr sqlite::Sql kInsertOperation =
    "INSERT OR IGNORE INTO operation (ts_start_us, request_id, record) VALUES (?1, ?2, ?3)";
constexpr sqlite::Sql kInsertAdjustment = R"sql(
    INSERT OR IGNORE INTO adjustment (id, ts_us, org_id, team_id, key_id, nano, reason, actor)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8))sql";
constexpr sqlite::Sql kContains = "SELECT 1 FROM operation WHERE ts_start_us = ?1 AND request_id = ?2";

template <class T>
std::unexpected<std::string> about(const std::string& file, const std::expected<T, std::string>& failed) {
    return std::unexpected(fmt::format("the usage table {}: {}", file, failed.error()));
}

sqlite::Result<void> create_schema(sqlite::Database& database) {
    sqlite::Transaction transaction(database);
    if (auto begun = transaction.begin(); !begun) return begun;
    for (const sqlite::Sql sql :
         {kMakeOperations, kMakeRecords, kMakeAttempts, kMakeHours, kMakeDays, kMakeAdjustments, kSetTableVersion}) {
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
        const std::pair<sqlite::Statement*, sqlite::Sql> all[] = {
            {&day->operation_, kInsertOperation}, {&day->adjustment_, kInsertAdjustment}, {&day->contains_, kContains}};
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

    Result<bool> contains(std::int64_t admitted_us, std::string_view request_id) {
        Execution query(contains_);
        auto row = query.number(admitted_us).text(request_id).step();
        if (!row) return about(file_, row);
        return row;
    }

    Result<void> drop_records() {
        for (const sqlite::Sql sql : {sqlite::Sql("DELETE FROM operation"), sqlite::Sql("VACUUM")}) {
            if (auto done = database_.run(sql); !done) return about(file_, done);
        }
        return {};
    }

  private:
    sqlite::Result<void> add(const Operation& operation, Written& written) {
        {
            Execution insert(operation_);
            insert.number(operation.admit.at_us).text(operation.admit.request_id).text(write_row(operation, row_));
            if (auto done = insert.step(); !done) return std::unexpected(done.error());
        }
        if (database_.changed() == 0) {
            ++written.duplicates;
            return {};
        }
        ++written.rows;
        if (!roll_up_.add(operation)) return too_much();
        return {};
    }

    static std::unexpected<std::string> too_much() {
        return std::unexpected<std::string>("a sum of the roll-up does not fit into 64 bits");
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
    sqlite::Statement operation_, adjustment_, contains_;
    RowBuffer row_;
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
    for (auto& [day, rows] : days) {
        // In the order of the key a row is appended to a page that is at hand.
        // Of two with one id the earlier one is first: it counts.
        std::ranges::sort(rows.operations, {},
                          [](const Operation* o) { return std::tuple(o->admit.at_us, o->admit.request_id, o); });
        const Result<DayTable*> table = day_table(day);
        if (!table) return std::unexpected(table.error());
        const Result<Written> written = (*table)->write(rows.operations, rows.adjustments);
        if (!written) return written;
        all.rows += written->rows;
        all.duplicates += written->duplicates;
    }
    return all;
}

auto Table::contains(std::string_view request_id, std::int64_t admitted_us) -> Result<bool> {
    const Day day = day_of(admitted_us);
    if (!open_.contains(day) && ::access(day_file(directory_, day).c_str(), F_OK) != 0) return false;
    const Result<DayTable*> table = day_table(day);
    if (!table) return std::unexpected(table.error());
    return (*table)->contains(admitted_us, request_id);
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
