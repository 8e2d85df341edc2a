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

inline constexpr std::string_view kTableVersion = "1"; // what kSetTableVersion writes
inline constexpr sqlite::Sql kGetTableVersion = "PRAGMA user_version";
inline constexpr sqlite::Sql kSetTableVersion = "PRAGMA user_version=1";

// STRICT: a value of the wrong type is an error, not a surprise on the way out. WITHOUT ROWID: ids are ordered by time,
// so rows are appended and there is no second index.
inline constexpr sqlite::Sql kMakeRecords = R"sql(
    CREATE TABLE usage_record (
        request_id TEXT PRIMARY KEY NOT NULL CHECK (request_id <> ''),
        ts_start_us INTEGER NOT NULL, ts_end_us INTEGER NOT NULL,
        org_id TEXT NOT NULL, team_id TEXT NOT NULL, key_id TEXT NOT NULL,
        operation TEXT NOT NULL, model TEXT NOT NULL, provider TEXT NOT NULL,
        upstream_model TEXT NOT NULL, response_model TEXT NOT NULL,
        outcome TEXT NOT NULL, error_type TEXT NOT NULL, http_status INTEGER NOT NULL, stream INTEGER NOT NULL,
        attempts INTEGER NOT NULL, cache TEXT NOT NULL,
        in_tokens INTEGER, out_tokens INTEGER, cache_read_tokens INTEGER, cache_write_tokens INTEGER,
        reasoning_tokens INTEGER, audio_in_tokens INTEGER, audio_out_tokens INTEGER, images INTEGER,
        usage_source TEXT NOT NULL,
        cost_nano INTEGER, cost_in_nano INTEGER, cost_out_nano INTEGER, cost_cache_nano INTEGER,
        cost_other_nano INTEGER, saved_nano INTEGER, price_version TEXT NOT NULL, price_source TEXT NOT NULL,
        ttft_us INTEGER, duration_us INTEGER NOT NULL, overhead_us INTEGER, queue_us INTEGER,
        reserved_tokens INTEGER NOT NULL, reserved_nano INTEGER NOT NULL, periods TEXT NOT NULL,
        client_request_id TEXT NOT NULL, upstream_request_id TEXT NOT NULL, trace_id TEXT NOT NULL,
        client TEXT NOT NULL, config_hash TEXT NOT NULL
    ) STRICT, WITHOUT ROWID)sql";
inline constexpr sqlite::Sql kMakeStartIndex = "CREATE INDEX usage_record_start ON usage_record (ts_start_us)";
inline constexpr sqlite::Sql kMakeAttempts = R"sql(
    CREATE TABLE usage_attempt (
        request_id TEXT NOT NULL, n INTEGER NOT NULL, upstream TEXT NOT NULL, start_us INTEGER NOT NULL,
        ttft_us INTEGER, duration_us INTEGER NOT NULL, status INTEGER NOT NULL, error_type TEXT NOT NULL,
        in_tokens INTEGER, out_tokens INTEGER, cost_nano INTEGER,
        PRIMARY KEY (request_id, n)
    ) STRICT, WITHOUT ROWID)sql";
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
