// Private to policy/ledger: the schema, and how a statement is executed.
#pragma once

#include "policy/ledger/record.hpp"
#include "policy/sqlite.hpp"

#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::policy::ledger {

inline constexpr std::string_view kTableVersion = "2"; // what kSetTableVersion writes
inline constexpr sqlite::Sql kGetTableVersion = "PRAGMA user_version";
inline constexpr sqlite::Sql kSetTableVersion = "PRAGMA user_version=2";

// What the views are made of, also for our own statements: SQLite 3.40 takes JSON functions inside of a view as unsafe
// where the file is not trusted, and ours is not. SQL is a literal always (sqlite::Sql), so this is pasted.
#define TOLLGATE_RECORDS                                                                                               \
    "SELECT request_id, ts_start_us, "                                                                                 \
    "json_extract(record, '$[0]') AS ts_end_us, json_extract(record, '$[1]') AS org_id, "                              \
    "json_extract(record, '$[2]') AS team_id, json_extract(record, '$[3]') AS key_id, "                                \
    "json_extract(record, '$[4]') AS operation, json_extract(record, '$[5]') AS model, "                               \
    "json_extract(record, '$[6]') AS provider, json_extract(record, '$[7]') AS upstream_model, "                       \
    "json_extract(record, '$[8]') AS response_model, json_extract(record, '$[9]') AS outcome, "                        \
    "json_extract(record, '$[10]') AS error_type, json_extract(record, '$[11]') AS http_status, "                      \
    "json_extract(record, '$[12]') AS stream, json_extract(record, '$[13]') AS attempts, "                             \
    "json_extract(record, '$[14]') AS cache, json_extract(record, '$[15]') AS in_tokens, "                             \
    "json_extract(record, '$[16]') AS out_tokens, json_extract(record, '$[17]') AS cache_read_tokens, "                \
    "json_extract(record, '$[18]') AS cache_write_tokens, json_extract(record, '$[19]') AS reasoning_tokens, "         \
    "json_extract(record, '$[20]') AS audio_in_tokens, json_extract(record, '$[21]') AS audio_out_tokens, "            \
    "json_extract(record, '$[22]') AS images, json_extract(record, '$[23]') AS usage_source, "                         \
    "json_extract(record, '$[24]') AS cost_nano, json_extract(record, '$[25]') AS cost_in_nano, "                      \
    "json_extract(record, '$[26]') AS cost_out_nano, json_extract(record, '$[27]') AS cost_cache_nano, "               \
    "json_extract(record, '$[28]') AS cost_other_nano, json_extract(record, '$[29]') AS saved_nano, "                  \
    "json_extract(record, '$[30]') AS price_version, json_extract(record, '$[31]') AS price_source, "                  \
    "json_extract(record, '$[32]') AS ttft_us, json_extract(record, '$[33]') AS duration_us, "                         \
    "json_extract(record, '$[34]') AS overhead_us, json_extract(record, '$[35]') AS queue_us, "                        \
    "json_extract(record, '$[36]') AS reserved_tokens, json_extract(record, '$[37]') AS reserved_nano, "               \
    "json_extract(record, '$[38]') AS periods, json_extract(record, '$[39]') AS client_request_id, "                   \
    "json_extract(record, '$[40]') AS upstream_request_id, json_extract(record, '$[41]') AS trace_id, "                \
    "json_extract(record, '$[42]') AS client, json_extract(record, '$[43]') AS config_hash "                           \
    "FROM operation"
#define TOLLGATE_ATTEMPTS                                                                                              \
    "SELECT o.request_id, o.ts_start_us, a.key + 1 AS n, "                                                             \
    "json_extract(a.value, '$[0]') AS upstream, json_extract(a.value, '$[1]') AS start_us, "                           \
    "json_extract(a.value, '$[2]') AS ttft_us, json_extract(a.value, '$[3]') AS duration_us, "                         \
    "json_extract(a.value, '$[4]') AS status, json_extract(a.value, '$[5]') AS error_type, "                           \
    "json_extract(a.value, '$[6]') AS in_tokens, json_extract(a.value, '$[7]') AS out_tokens, "                        \
    "json_extract(a.value, '$[8]') AS cost_nano "                                                                      \
    "FROM operation AS o, json_each(o.record, '$[44]') AS a"

// A row is one text, because a statement with a parameter for each of its 46 columns costs five times as much as all
// the rest of the ledger. The views make columns of it again, for everybody with the sqlite3 shell; the positions are
// those that write_row() writes. What has an instant and an id is written in their order, so rows are appended.
// STRICT: a value of the wrong type is an error, not a surprise on the way out.
inline constexpr sqlite::Sql kMakeOperations = R"sql(
    CREATE TABLE operation (
        ts_start_us INTEGER NOT NULL, request_id TEXT NOT NULL CHECK (request_id <> ''), record TEXT NOT NULL,
        PRIMARY KEY (ts_start_us, request_id)
    ) STRICT, WITHOUT ROWID)sql";
inline constexpr sqlite::Sql kMakeRecords = "CREATE VIEW usage_record AS " TOLLGATE_RECORDS;
inline constexpr sqlite::Sql kMakeAttempts = "CREATE VIEW usage_attempt AS " TOLLGATE_ATTEMPTS;
inline constexpr sqlite::Sql kMakeHours = R"sql(
    CREATE TABLE usage_hour (
        hour INTEGER NOT NULL, org_id TEXT NOT NULL, team_id TEXT NOT NULL, key_id TEXT NOT NULL, model TEXT NOT NULL,
        provider TEXT NOT NULL, operation TEXT NOT NULL, outcome TEXT NOT NULL, cache TEXT NOT NULL,
        requests INTEGER NOT NULL, in_tokens INTEGER NOT NULL, out_tokens INTEGER NOT NULL, cost_nano INTEGER NOT NULL,
        unpriced INTEGER NOT NULL, estimated INTEGER NOT NULL, unmetered INTEGER NOT NULL, saved_nano INTEGER NOT NULL,
        ttft_us_sum INTEGER NOT NULL, duration_us_sum INTEGER NOT NULL,
        PRIMARY KEY (hour, org_id, team_id, key_id, model, provider, operation, outcome, cache)
    ) STRICT, WITHOUT ROWID)sql";
// What budgets are restored from: a month is thirty short tables.
inline constexpr sqlite::Sql kMakeDays = R"sql(
    CREATE TABLE usage_day (
        org_id TEXT NOT NULL, team_id TEXT NOT NULL, key_id TEXT NOT NULL, model TEXT NOT NULL,
        cost_nano INTEGER NOT NULL,
        PRIMARY KEY (org_id, team_id, key_id, model)
    ) STRICT, WITHOUT ROWID)sql";
inline constexpr sqlite::Sql kMakeAdjustments = R"sql(
    CREATE TABLE adjustment (
        id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''), ts_us INTEGER NOT NULL,
        org_id TEXT NOT NULL, team_id TEXT NOT NULL, key_id TEXT NOT NULL,
        nano INTEGER NOT NULL, reason TEXT NOT NULL, actor TEXT NOT NULL
    ) STRICT, WITHOUT ROWID)sql";

// The operation word of an adjustment's part in the roll-up: a request count of zero and the money.
inline constexpr std::string_view kAdjustOperation = "adjust";

// A statement that is left ready, and without the caller's memory, whatever happens in between.
class Execution {
  public:
    explicit Execution(sqlite::Statement& statement) : statement_(statement) {}
    ~Execution() { statement_.reset(); }
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;

    // Parameters in order; text must live until the step. A number without a value stays NULL.
    Execution& text(std::string_view value) {
        statement_.bind(++parameter_, value);
        return *this;
    }
    Execution& text_if(const std::optional<std::string_view>& value) {
        if (value) return text(*value);
        ++parameter_;
        return *this;
    }
    Execution& number(std::int64_t value) {
        statement_.bind_integer(++parameter_, value);
        return *this;
    }
    Execution& number(const Number& value) {
        if (value) return number(*value);
        ++parameter_;
        return *this;
    }

    [[nodiscard]] sqlite::Result<bool> step() { return statement_.step(); }
    [[nodiscard]] std::string column(int index) const { return statement_.text(index); }
    // Nothing for NULL.
    [[nodiscard]] Number column_number(int index) const { return statement_.integer(index); }

  private:
    sqlite::Statement& statement_;
    int parameter_ = 0;
};

// The first column of the first row; empty if there is none.
[[nodiscard]] sqlite::Result<std::string> first_value(sqlite::Database& database, sqlite::Sql sql);

// Opens a day's file, making it and its schema if it is missing. The error names the file.
[[nodiscard]] std::expected<sqlite::Database, std::string> open_day(const std::string& file);

// The same file for a reader beside the writer, whatever process that is in; nothing is made or changed. Nothing if the
// day is gone (retention) or has no schema yet.
[[nodiscard]] std::expected<std::optional<sqlite::Database>, std::string> open_day_reading(const std::string& file);

} // namespace tollgate::policy::ledger
