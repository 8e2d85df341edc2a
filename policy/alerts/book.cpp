#include "policy/alerts/book.hpp"

#include "gateway/base/crypto.hpp"
#include "policy/alerts/retry.hpp"
#include "policy/sqlite.hpp"
#include "policy/store_files.hpp"

#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <utility>
#include <variant>

namespace tollgate::policy::alerts {
namespace {

using std::chrono::microseconds;

constexpr std::string_view kVersion = "1";
constexpr sqlite::Sql kGetVersion = "PRAGMA user_version";
constexpr sqlite::Sql kSetVersion = "PRAGMA user_version=1";

// `next_us` is NULL once nothing more is sent; `delivered_us` tells then whether anybody took it.
constexpr sqlite::Sql kMakeTable = R"sql(
    CREATE TABLE alert (
        n INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        kind TEXT NOT NULL, name TEXT NOT NULL, window TEXT NOT NULL, percent INTEGER NOT NULL, period TEXT NOT NULL,
        spent_nano INTEGER NOT NULL, limit_nano INTEGER NOT NULL,
        at_us INTEGER NOT NULL, delivered_us INTEGER, attempts INTEGER NOT NULL, next_us INTEGER,
        UNIQUE (kind, name, window, percent, period)
    ) STRICT)sql";
constexpr sqlite::Sql kMakeDueIndex = "CREATE INDEX alert_due ON alert (next_us) WHERE next_us IS NOT NULL";

constexpr sqlite::Sql kRecord = R"sql(
    INSERT OR IGNORE INTO alert (id, kind, name, window, percent, period, spent_nano, limit_nano, at_us, attempts,
        next_us)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?9
    WHERE ?10 = 0 OR NOT EXISTS (SELECT 1 FROM alert WHERE kind = ?2 AND name = ?3 AND window = ?4 AND percent = ?5
        AND at_us > ?9 - ?10))sql";
// What is due later than the longest pause was put off before the clock was set back.
constexpr sqlite::Sql kDue = R"sql(
    SELECT id, kind, name, window, percent, period, spent_nano, limit_nano, at_us, attempts FROM alert
    WHERE next_us IS NOT NULL AND (next_us <= ?1 OR next_us > ?1 + ?2) ORDER BY next_us, n LIMIT 1)sql";
constexpr sqlite::Sql kNext = "SELECT min(next_us) FROM alert WHERE next_us IS NOT NULL";
constexpr sqlite::Sql kDelivered = "UPDATE alert SET delivered_us = ?2, next_us = NULL WHERE id = ?1";
constexpr sqlite::Sql kFailed = "UPDATE alert SET attempts = attempts + 1, next_us = ?2 WHERE id = ?1";
constexpr sqlite::Sql kGivenUp = "UPDATE alert SET attempts = attempts + 1, next_us = NULL WHERE id = ?1";
constexpr sqlite::Sql kHasten = "UPDATE alert SET next_us = ?1 WHERE next_us IS NOT NULL AND next_us > ?1";
constexpr sqlite::Sql kClose = "UPDATE alert SET next_us = NULL WHERE next_us IS NOT NULL";
constexpr sqlite::Sql kPruneOld = "DELETE FROM alert WHERE at_us < ?1 AND period <> 'lifetime'";
constexpr sqlite::Sql kPruneMany = "DELETE FROM alert WHERE n <= (SELECT max(n) FROM alert) - ?1";

constexpr auto kKept = std::chrono::days(400);

std::int64_t micros(WallTime at) {
    return std::chrono::floor<microseconds>(at.time_since_epoch()).count();
}

WallTime wall(std::int64_t at) {
    return WallTime(microseconds(at));
}

std::string make_id() {
    std::array<std::uint8_t, 16> random{};
    crypto::random_bytes(random);
    return "alert_" + crypto::to_hex(random);
}

using Parameter = std::variant<std::int64_t, std::string_view>;

// Leaves the statement without the caller's memory and without its locks.
class Execution {
  public:
    Execution(sqlite::Statement& statement, std::initializer_list<Parameter> parameters) : statement_(statement) {
        int number = 0;
        for (const Parameter& parameter : parameters) {
            ++number;
            if (const auto* const integer = std::get_if<std::int64_t>(&parameter))
                statement.bind_integer(number, *integer);
            else
                statement.bind(number, std::get<std::string_view>(parameter));
        }
    }
    ~Execution() { statement_.reset(); }
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;
    [[nodiscard]] sqlite::Result<bool> step() { return statement_.step(); }

  private:
    sqlite::Statement& statement_;
};

sqlite::Result<void> prepare_schema(sqlite::Database& database) {
    std::string version;
    {
        auto statement = database.prepare(kGetVersion);
        if (!statement) return std::unexpected(statement.error());
        if (auto row = statement->step(); !row) return std::unexpected(row.error());
        version = statement->text(0);
    }
    if (version == kVersion) return {};
    if (version != "0")
        return std::unexpected(fmt::format("its schema version is {}, this program knows {}", version, kVersion));
    sqlite::Transaction transaction(database);
    if (auto begun = transaction.begin(); !begun) return begun;
    for (const sqlite::Sql sql : {kMakeTable, kMakeDueIndex, kSetVersion}) {
        if (auto made = database.run(sql); !made) return made;
    }
    return transaction.commit();
}

} // namespace

struct Book::Impl {
    std::string file;
    sqlite::Database database;
    sqlite::Statement record, due, next, delivered, failed, given_up, hasten, close, prune_old, prune_many;

    [[nodiscard]] std::unexpected<std::string> about(const std::string& error) const {
        return std::unexpected(fmt::format("the alerts {}: {}", file, error));
    }

    sqlite::Result<void> prepare() {
        if (auto ready = prepare_schema(database); !ready) return ready;
        const std::pair<sqlite::Statement*, sqlite::Sql> all[] = {{&record, kRecord},      {&due, kDue},
                                                                  {&next, kNext},          {&delivered, kDelivered},
                                                                  {&failed, kFailed},      {&given_up, kGivenUp},
                                                                  {&hasten, kHasten},      {&close, kClose},
                                                                  {&prune_old, kPruneOld}, {&prune_many, kPruneMany}};
        for (const auto& [statement, sql] : all) {
            auto prepared = database.prepare(sql);
            if (!prepared) return std::unexpected(prepared.error());
            *statement = std::move(*prepared);
        }
        return {};
    }

    Result<void> run(sqlite::Statement& statement, std::initializer_list<Parameter> parameters) {
        Execution execution(statement, parameters);
        if (auto done = execution.step(); !done) return about(done.error());
        return {};
    }
};

Book::Book(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Book::~Book() = default;

Book::Result<std::unique_ptr<Book>> Book::open(const std::string& file) {
    if (auto made = ensure_private_file(file); !made) return std::unexpected(made.error());
    auto impl = std::make_unique<Impl>();
    impl->file = file;
    auto database = sqlite::Database::open(file);
    if (!database) return impl->about(database.error());
    impl->database = std::move(*database);
    if (auto ready = impl->prepare(); !ready) return impl->about(ready.error());
    return std::unique_ptr<Book>(new Book(std::move(impl)));
}

Book::Result<std::optional<Alert>> Book::record(const quota::Crossing& crossing, WallTime at) {
    Alert alert{.id = make_id(), .crossing = crossing, .at = wall(micros(at))};
    const std::int64_t rolling = std::chrono::floor<microseconds>(crossing.rolling).count();
    auto done = impl_->run(impl_->record,
                           {alert.id, crossing.kind, crossing.name, crossing.window, std::int64_t{crossing.percent},
                            crossing.period, crossing.spent, crossing.limit, micros(at), rolling});
    if (!done) return std::unexpected(done.error());
    if (impl_->database.changed() == 0) return std::nullopt;
    return alert;
}

Book::Result<std::optional<Alert>> Book::due(WallTime now) {
    sqlite::Statement& row = impl_->due;
    Execution execution(row, {micros(now), microseconds(kLongestPause).count()});
    const auto found = execution.step();
    if (!found) return impl_->about(found.error());
    if (!*found) return std::nullopt;
    Alert alert{.id = row.text(0),
                .crossing = {.kind = row.text(1),
                             .name = row.text(2),
                             .window = row.text(3),
                             .period = row.text(5),
                             .percent = static_cast<int>(row.integer(4).value_or(0)),
                             .spent = row.integer(6).value_or(0),
                             .limit = row.integer(7).value_or(0)},
                .at = wall(row.integer(8).value_or(0)),
                .attempts = static_cast<unsigned>(row.integer(9).value_or(0))};
    return alert;
}

Book::Result<std::optional<WallTime>> Book::next_due(WallTime now) {
    Execution execution(impl_->next, {});
    const auto found = execution.step();
    if (!found) return impl_->about(found.error());
    const auto next = impl_->next.integer(0);
    if (!next) return std::nullopt;
    return std::min<WallTime>(wall(*next), now + kLongestPause);
}

Book::Result<void> Book::delivered(const Alert& alert, WallTime now) {
    return impl_->run(impl_->delivered, {alert.id, micros(now)});
}

Book::Result<void> Book::failed(const Alert& alert, std::optional<WallTime> next) {
    if (!next) return impl_->run(impl_->given_up, {alert.id});
    return impl_->run(impl_->failed, {alert.id, micros(*next)});
}

Book::Result<void> Book::hasten(WallTime now) {
    return impl_->run(impl_->hasten, {micros(now)});
}

Book::Result<void> Book::close() {
    return impl_->run(impl_->close, {});
}

Book::Result<void> Book::prune(WallTime now) {
    if (auto done = impl_->run(impl_->prune_old, {micros(now - kKept)}); !done) return done;
    return impl_->run(impl_->prune_many, {kMostAlerts});
}

} // namespace tollgate::policy::alerts
