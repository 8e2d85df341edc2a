#include "policy/sqlite.hpp"

#include <sqlite3.h>

#include <utility>

namespace tollgate::policy::sqlite {
namespace {

constexpr int kBusyMilliseconds = 1'000; // someone may be looking at the file with the sqlite3 shell

std::unexpected<std::string> last_error(sqlite3* connection) {
    return std::unexpected<std::string>(sqlite3_errmsg(connection));
}

} // namespace

void Statement::Free::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

void Statement::reset() {
    sqlite3_reset(statement_.get());
    sqlite3_clear_bindings(statement_.get());
}

void Statement::bind(int parameter, std::string_view text) {
    // The one failure left is a wrong parameter number; the column constraints refuse the NULL it leaves.
    sqlite3_bind_text64(statement_.get(), parameter, text.empty() ? "" : text.data(), text.size(), nullptr,
                        SQLITE_UTF8);
}

void Statement::bind_integer(int parameter, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), parameter, value); // as above
}

Result<bool> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    auto error = last_error(sqlite3_db_handle(statement_.get()));
    sqlite3_reset(statement_.get()); // or the statement would keep its locks
    return error;
}

std::string Statement::text(int column) const {
    const unsigned char* const data = sqlite3_column_text(statement_.get(), column);
    const int size = sqlite3_column_bytes(statement_.get(), column);
    return data == nullptr ? std::string()
                           : std::string(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
}

std::optional<std::int64_t> Statement::integer(int column) const {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
    return sqlite3_column_int64(statement_.get(), column);
}

void Database::Close::operator()(sqlite3* connection) const {
    sqlite3_close_v2(connection); // waits for statements that are destroyed later
}

Result<Database> Database::connect(const std::string& file, int flags) {
    sqlite3* raw = nullptr;
    const int code = sqlite3_open_v2(file.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW, nullptr);
    Database database;
    database.connection_.reset(raw);
    if (code != SQLITE_OK)
        return std::unexpected<std::string>(raw != nullptr ? sqlite3_errmsg(raw) : sqlite3_errstr(code));
    sqlite3_busy_timeout(raw, kBusyMilliseconds);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(raw, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    return database;
}

Result<Database> Database::open(const std::string& file) {
    Result<Database> database = connect(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (!database) return database;
    if (auto wal = database->run("PRAGMA journal_mode=WAL"); !wal) return std::unexpected(wal.error());
    if (auto full = database->run("PRAGMA synchronous=FULL"); !full) return std::unexpected(full.error());
    return database;
}

Result<Database> Database::open_reading(const std::string& file) {
    return connect(file, SQLITE_OPEN_READONLY);
}

Result<Statement> Database::prepare(Sql sql) {
    sqlite3_stmt* raw = nullptr;
    const std::string_view text = sql.text();
    const int code = sqlite3_prepare_v3(connection_.get(), text.data(), static_cast<int>(text.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    if (code != SQLITE_OK) return last_error(connection_.get());
    Statement statement;
    statement.statement_.reset(raw);
    return statement;
}

Result<void> Database::run(Sql sql) {
    Result<Statement> statement = prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    while (true) {
        const Result<bool> row = statement->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
    }
}

std::int64_t Database::changed() const {
    return sqlite3_changes64(connection_.get());
}

Result<void> Transaction::begin() {
    Result<void> begun = database_.run("BEGIN");
    open_ = begun.has_value();
    return begun;
}

Result<void> Transaction::commit() {
    Result<void> committed = database_.run("COMMIT");
    if (committed) open_ = false;
    return committed;
}

Transaction::~Transaction() {
    if (open_) static_cast<void>(database_.run("ROLLBACK"));
}

} // namespace tollgate::policy::sqlite
