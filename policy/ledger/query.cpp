#include "policy/ledger/query.hpp"

#include "gateway/base/request_id.hpp"
#include "policy/ledger/table_sql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <ranges>

namespace tollgate::policy::ledger {
namespace {

constexpr std::array<std::string_view, kByCount> kByWords{"all",       "org", "team",    "key",   "model", "provider",
                                                          "operation", "day", "outcome", "cache", "hour"};

// SQL is a literal always (sqlite::Sql), so what three statements share is pasted before it is one.
// ?1 ?2 ?3 columns by their words; [?4, ?5) hours or microseconds; ?6 … ?9 what has to be equal, NULL: anything.
#define TOLLGATE_COLUMN(word)                                                                                          \
    "CASE " word " WHEN 'org' THEN org_id WHEN 'team' THEN team_id WHEN 'key' THEN key_id WHEN 'model' THEN model"     \
    " WHEN 'provider' THEN provider WHEN 'operation' THEN operation WHEN 'outcome' THEN outcome"                       \
    " WHEN 'cache' THEN cache WHEN 'hour' THEN hour ELSE '' END, "
#define TOLLGATE_COLUMNS "SELECT " TOLLGATE_COLUMN("?1") TOLLGATE_COLUMN("?2") TOLLGATE_COLUMN("?3")
#define TOLLGATE_ONLY                                                                                                  \
    " AND (?6 IS NULL OR org_id = ?6) AND (?7 IS NULL OR team_id = ?7) AND (?8 IS NULL OR key_id = ?8)"                \
    " AND (?9 IS NULL OR model = ?9) GROUP BY 1, 2, 3"

constexpr sqlite::Sql kHours = TOLLGATE_COLUMNS R"sql(
        sum(requests), sum(in_tokens), sum(out_tokens), sum(cost_nano), sum(unpriced), sum(estimated),
        sum(unmetered), sum(saved_nano), sum(ttft_us_sum), sum(duration_us_sum)
    FROM usage_hour WHERE hour >= ?4 AND hour < ?5)sql" TOLLGATE_ONLY;
constexpr sqlite::Sql kRows = TOLLGATE_COLUMNS R"sql(
        count(*), coalesce(sum(in_tokens), 0), coalesce(sum(out_tokens), 0), coalesce(sum(cost_nano), 0),
        sum(cost_nano IS NULL), sum(usage_source = 'estimated'), sum(in_tokens IS NULL AND out_tokens IS NULL),
        coalesce(sum(saved_nano), 0), coalesce(sum(ttft_us), 0), sum(duration_us)
    FROM (SELECT *, ts_start_us / 3600000000 AS hour FROM ()sql" TOLLGATE_RECORDS R"sql())
    WHERE ts_start_us >= ?4 AND ts_start_us < ?5)sql" TOLLGATE_ONLY;
constexpr sqlite::Sql kAdjustments = TOLLGATE_COLUMNS R"sql(
        0, 0, 0, sum(nano), 0, 0, 0, 0, 0, 0
    FROM (SELECT *, ts_us / 3600000000 AS hour, '' AS model, '' AS provider, 'adjust' AS operation,
            'adjust' AS outcome, 'none' AS cache FROM adjustment)
    WHERE ts_us >= ?4 AND ts_us < ?5)sql" TOLLGATE_ONLY;
#undef TOLLGATE_COLUMN
#undef TOLLGATE_COLUMNS
#undef TOLLGATE_ONLY
constexpr sqlite::Sql kRowsDropped = R"sql(
    SELECT EXISTS (SELECT 1 FROM usage_hour WHERE requests > 0) AND NOT EXISTS (SELECT 1 FROM operation))sql";

constexpr sqlite::Sql kFind = R"sql(
    SELECT ts_start_us, ts_end_us, org_id, team_id, key_id, operation, model, provider, upstream_model,
        response_model, outcome, error_type, http_status, stream, attempts, cache, in_tokens, out_tokens,
        cache_read_tokens, cache_write_tokens, reasoning_tokens, audio_in_tokens, audio_out_tokens, images,
        usage_source, cost_nano, cost_in_nano, cost_out_nano, cost_cache_nano, cost_other_nano, saved_nano,
        price_version, price_source, ttft_us, duration_us, overhead_us, queue_us, reserved_tokens, reserved_nano,
        periods, client_request_id, upstream_request_id, trace_id, client, config_hash
    FROM ()sql" TOLLGATE_RECORDS R"sql() WHERE request_id = ?1 AND ts_start_us >= ?2 AND ts_start_us < ?3 LIMIT 1)sql";
constexpr sqlite::Sql kFindAttempts = R"sql(
    SELECT upstream, start_us, ttft_us, duration_us, status, error_type, in_tokens, out_tokens, cost_nano
    FROM ()sql" TOLLGATE_ATTEMPTS R"sql() WHERE ts_start_us = ?1 AND request_id = ?2 ORDER BY n)sql";

using Sums = std::map<std::vector<std::string>, Totals>;

std::unexpected<std::string> about(const std::string& file, const std::string& why) {
    return std::unexpected(fmt::format("the usage table {}: {}", file, why));
}

std::string name_of(By by, Day day, const Execution& row, int column) {
    if (by == By::day) return to_string(day);
    if (by != By::hour) return row.column(column);
    const std::int64_t hour = row.column_number(column).value_or(0);
    return fmt::format("{}T{:02}:00Z", to_string(day), hour - start_of(day) / kMicrosPerHour);
}

bool add_row(const Execution& row, Totals& sum) {
    int column = static_cast<int>(kMostBy);
    for (std::int64_t* const value :
         {&sum.requests, &sum.in_tokens, &sum.out_tokens, &sum.cost_nano, &sum.unpriced, &sum.estimated, &sum.unmetered,
          &sum.saved_nano, &sum.ttft_us_sum, &sum.duration_us_sum}) {
        if (__builtin_add_overflow(*value, row.column_number(column++).value_or(0), value)) return false;
    }
    return true;
}

// Adds what one statement says about [from, to), in its own unit.
sqlite::Result<void> add(sqlite::Database& database, sqlite::Sql sql, const UsageQuery& asked, Day day,
                         std::int64_t from, std::int64_t to, Sums& sums) {
    if (from >= to) return {};
    auto statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    Execution query(*statement);
    for (std::size_t i = 0; i < kMostBy; ++i) query.text(i < asked.by.size() ? to_string(asked.by[i]) : "all");
    query.number(from).number(to);
    query.text_if(asked.only.org).text_if(asked.only.team).text_if(asked.only.key).text_if(asked.only.model);
    while (true) {
        const auto row = query.step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return {};
        std::vector<std::string> names;
        for (const By by : asked.by) names.push_back(name_of(by, day, query, static_cast<int>(names.size())));
        Totals& sum = sums[names];
        sum.names = std::move(names);
        if (!add_row(query, sum)) return std::unexpected<std::string>("a sum does not fit into 64 bits");
    }
}

// [since, until) lies within the day.
sqlite::Result<void> add_day(sqlite::Database& database, const UsageQuery& asked, Day day, std::int64_t since,
                             std::int64_t until, Sums& sums) {
    sqlite::Transaction moment(database); // one state of the file for all statements
    if (auto begun = moment.begin(); !begun) return begun;
    const auto dropped = first_value(database, kRowsDropped);
    if (!dropped) return std::unexpected(dropped.error());
    const bool rows = *dropped == "0";
    const bool wide = !rows && asked.cautious;
    const std::int64_t first = hour_of(wide ? since : since + kMicrosPerHour - 1); // whole hours
    const std::int64_t last = hour_of(rows ? until : until + kMicrosPerHour - 1);
    const bool whole = first < last;
    // Without a whole hour the first of the two ends is everything.
    const std::pair<std::int64_t, std::int64_t> ends[] = {{since, whole ? first * kMicrosPerHour : until},
                                                          {whole ? last * kMicrosPerHour : until, until}};
    if (auto done = add(database, kHours, asked, day, first, last, sums); !done) return done;
    for (const auto& [from, to] : ends) {
        if (!rows) break;
        for (const sqlite::Sql sql : {kRows, kAdjustments}) {
            if (auto done = add(database, sql, asked, day, from, to, sums); !done) return done;
        }
    }
    return moment.commit();
}

// Reads the columns of kFind in order.
class Columns {
  public:
    Columns(const Execution& row, std::forward_list<std::string>& texts) : row_(row), texts_(texts) {}
    Columns& text(std::string_view& value) {
        value = texts_.emplace_front(row_.column(next_++));
        return *this;
    }
    template <class T>
    Columns& number(T& value) {
        value = static_cast<T>(row_.column_number(next_++).value_or(0));
        return *this;
    }
    Columns& number(Number& value) {
        value = row_.column_number(next_++);
        return *this;
    }

  private:
    const Execution& row_;
    std::forward_list<std::string>& texts_;
    int next_ = 0;
};

UsageSource source_of(std::string_view word) {
    for (const UsageSource source : {UsageSource::upstream, UsageSource::estimated}) {
        if (to_string(source) == word) return source;
    }
    return UsageSource::none;
}

void split(std::string_view joined, Periods& periods) {
    while (!joined.empty() && periods.count < kMaxPeriods) {
        const std::size_t end = std::min(joined.find('\n'), joined.size());
        periods.ids[periods.count++] = joined.substr(0, end);
        joined.remove_prefix(std::min(end + 1, joined.size()));
    }
}

void read_record(const Execution& row, StoredOperation& found) {
    Admit& a = found.operation.admit;
    Settle& s = found.operation.settle;
    Tokens& t = s.tokens;
    Cost& c = s.cost;
    std::string_view source;
    std::string_view periods;
    Columns columns(row, found.texts);
    columns.number(a.at_us).number(s.at_us).text(a.org).text(a.team).text(a.key).text(a.operation).text(a.model);
    columns.text(s.provider).text(s.upstream_model).text(s.response_model).text(s.outcome).text(s.error_type);
    columns.number(s.http_status).number(s.stream).number(s.attempt_count).text(s.cache).number(t.in).number(t.out);
    columns.number(t.cache_read).number(t.cache_write).number(t.reasoning).number(t.audio_in).number(t.audio_out);
    columns.number(t.images).text(source).number(c.total).number(c.in).number(c.out).number(c.cache).number(c.other);
    columns.number(s.saved_nano).text(a.price_version).text(s.price_source).number(s.ttft_us).number(s.duration_us);
    columns.number(s.overhead_us).number(s.queue_us).number(a.reserved_tokens).number(a.reserved_nano).text(periods);
    columns.text(s.client_request_id).text(s.upstream_request_id).text(s.trace_id).text(s.client).text(s.config_hash);
    a.provider = s.provider;
    s.admitted_us = a.at_us;
    s.usage_source = source_of(source);
    split(periods, a.periods);
}

// [from, to) of wall time.
struct Span {
    std::int64_t from_us = INT64_MIN;
    std::int64_t to_us = INT64_MAX;
};

sqlite::Result<bool> find_in(sqlite::Database& database, std::string_view request_id, Span span,
                             StoredOperation& found) {
    auto record = database.prepare(kFind);
    if (!record) return std::unexpected(record.error());
    Execution query(*record);
    auto row = query.text(request_id).number(span.from_us).number(span.to_us).step();
    if (!row || !*row) return row;
    const std::string_view id = found.texts.emplace_front(request_id);
    found.operation.admit.request_id = found.operation.settle.request_id = id;
    read_record(query, found);
    auto attempts = database.prepare(kFindAttempts);
    if (!attempts) return std::unexpected(attempts.error());
    Execution each(*attempts);
    each.number(found.operation.admit.at_us).text(request_id);
    Attempts& all = found.operation.settle.attempts;
    while (all.count < kMaxAttempts) {
        const auto next = each.step();
        if (!next) return next;
        if (!*next) break;
        Attempt& attempt = all.each[all.count++];
        Columns columns(each, found.texts);
        columns.text(attempt.upstream).number(attempt.start_us).number(attempt.ttft_us).number(attempt.duration_us);
        columns.number(attempt.status).text(attempt.error_type).number(attempt.in_tokens);
        columns.number(attempt.out_tokens).number(attempt.cost_nano);
    }
    return true;
}

} // namespace

std::string_view to_string(By by) noexcept {
    return kByWords[static_cast<std::size_t>(by)];
}

std::optional<By> parse_by(std::string_view word) noexcept {
    const auto at = std::ranges::find(kByWords, word);
    if (at == kByWords.end()) return std::nullopt;
    return static_cast<By>(at - kByWords.begin());
}

std::expected<std::vector<Totals>, std::string> totals(const std::string& directory, const UsageQuery& query) {
    if (query.by.size() > kMostBy) {
        return std::unexpected(
            fmt::format("usage can be asked by {} things at once, not {}", kMostBy, query.by.size()));
    }
    const auto days = list_days(directory);
    if (!days) return std::unexpected(days.error());
    Sums sums;
    for (const Day day : *days) {
        const std::int64_t since = std::max(query.since_us, start_of(day));
        const std::int64_t until = std::min(query.until_us, start_of(day + std::chrono::days(1)));
        if (since >= until) continue;
        const std::string file = day_file(directory, day);
        auto database = open_day_reading(file);
        if (!database) return std::unexpected(database.error());
        if (!*database) continue;
        if (auto added = add_day(**database, query, day, since, until, sums); !added) return about(file, added.error());
    }
    std::vector<Totals> all;
    all.reserve(sums.size());
    for (auto& sum : sums) all.push_back(std::move(sum.second));
    return all;
}

std::expected<std::vector<Totals>, std::string> totals(const std::string& directory, By by, std::int64_t since_us,
                                                       std::int64_t until_us) {
    return totals(directory, {.since_us = since_us, .until_us = until_us, .by = {by}, .only = {}});
}

namespace {

// Among the rows of a span; of all days that it touches.
std::expected<std::optional<StoredOperation>, std::string> find_within(const std::string& directory,
                                                                       std::string_view request_id, Span span) {
    const auto days = list_days(directory);
    if (!days) return std::unexpected(days.error());
    for (const Day day : std::views::reverse(*days)) {
        if (start_of(day + std::chrono::days(1)) <= span.from_us || start_of(day) >= span.to_us) continue;
        const std::string file = day_file(directory, day);
        auto database = open_day_reading(file);
        if (!database) return std::unexpected(database.error());
        if (!*database) continue;
        StoredOperation found;
        const auto there = find_in(**database, request_id, span, found);
        if (!there) return about(file, there.error());
        if (*there) return found;
    }
    return std::nullopt;
}

} // namespace

std::expected<std::optional<StoredOperation>, std::string> find_operation(const std::string& directory,
                                                                          std::string_view request_id) {
    // Rows lie in the order of their admission, which follows the making of the id within the time a body may take.
    constexpr std::int64_t kSlack = kMicrosPerHour;
    if (const auto made = made_at(request_id)) {
        const std::int64_t made_us = std::chrono::floor<std::chrono::microseconds>(made->time_since_epoch()).count();
        auto near = find_within(directory, request_id, {.from_us = made_us - kSlack / 60, .to_us = made_us + kSlack});
        if (!near || *near) return near;
    }
    return find_within(directory, request_id, {});
}

} // namespace tollgate::policy::ledger
