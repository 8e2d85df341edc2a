#include "policy/store.hpp"

#include "policy/store_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace tollgate::policy {
namespace {

constexpr std::string_view kSchemaVersion = "2"; // what kSetVersion writes

constexpr sqlite::Sql kGetVersion = "PRAGMA user_version";
constexpr sqlite::Sql kSetVersion = "PRAGMA user_version=2";
constexpr sqlite::Sql kCheck = "PRAGMA quick_check(1)";
// STRICT: a value of the wrong type is an error, not a surprise on the way out.
constexpr sqlite::Sql kMakeKeys = R"sql(
    CREATE TABLE keys (
        id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
        team TEXT NOT NULL,
        sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),
        created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ'))
    ) STRICT)sql";
constexpr sqlite::Sql kMakeObjects = R"sql(
    CREATE TABLE objects (
        id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''),
        team TEXT NOT NULL,
        provider TEXT NOT NULL,
        route_group TEXT NOT NULL,
        created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ'))
    ) STRICT, WITHOUT ROWID)sql";
// Version 2: keys with settings of their own, overrides, the audit log.
constexpr sqlite::Sql kKeySettings = "ALTER TABLE keys ADD COLUMN settings TEXT NOT NULL DEFAULT '{}'";
constexpr sqlite::Sql kKeyDisabled = "ALTER TABLE keys ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0";
constexpr sqlite::Sql kKeyUpdated = "ALTER TABLE keys ADD COLUMN updated TEXT NOT NULL DEFAULT ''";
constexpr sqlite::Sql kKeyFormer = "ALTER TABLE keys ADD COLUMN former_sha256 TEXT NOT NULL DEFAULT ''";
constexpr sqlite::Sql kKeyFormerUntil = "ALTER TABLE keys ADD COLUMN former_until INTEGER NOT NULL DEFAULT 0";
constexpr sqlite::Sql kMakeOverrides = R"sql(
    CREATE TABLE overrides (
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        settings TEXT NOT NULL,
        updated TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ')),
        PRIMARY KEY (kind, name)
    ) STRICT, WITHOUT ROWID)sql";
constexpr sqlite::Sql kMakeAudit =
    "CREATE TABLE audit (number INTEGER PRIMARY KEY NOT NULL, record TEXT NOT NULL, hash TEXT NOT NULL) STRICT";
constexpr sqlite::Sql kMakeAuditHead = R"sql(
    CREATE TABLE audit_head (
        one INTEGER PRIMARY KEY NOT NULL CHECK (one = 1),
        number INTEGER NOT NULL,
        mac TEXT NOT NULL
    ) STRICT)sql";

constexpr sqlite::Sql kListKeys = "SELECT id, team, sha256, settings, disabled, created, updated, former_sha256, "
                                  "former_until FROM keys ORDER BY rowid";
constexpr sqlite::Sql kAddKey = "INSERT INTO keys (id, team, sha256, settings, disabled, former_sha256, former_until, "
                                "created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
                                "coalesce(nullif(?8, ''), strftime('%Y-%m-%dT%H:%M:%SZ')))";
constexpr sqlite::Sql kEditKey = "UPDATE keys SET team = ?2, sha256 = ?3, settings = ?4, disabled = ?5, "
                                 "former_sha256 = ?6, former_until = ?7, updated = ?8 WHERE id = ?1";
constexpr sqlite::Sql kDeleteKey = "DELETE FROM keys WHERE id = ?1";
constexpr sqlite::Sql kListOverrides = "SELECT kind, name, settings FROM overrides ORDER BY kind, name";
constexpr sqlite::Sql kSetOverride = "INSERT INTO overrides (kind, name, settings) VALUES (?1, ?2, ?3) "
                                     "ON CONFLICT (kind, name) DO UPDATE SET settings = excluded.settings, "
                                     "updated = strftime('%Y-%m-%dT%H:%M:%SZ')";
constexpr sqlite::Sql kDropOverride = "DELETE FROM overrides WHERE kind = ?1 AND name = ?2";
constexpr sqlite::Sql kLastEntry = "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1";
constexpr sqlite::Sql kAddEntry = "INSERT INTO audit (number, record, hash) VALUES (?1, ?2, ?3)";
constexpr sqlite::Sql kSetHead = "INSERT INTO audit_head (one, number, mac) VALUES (1, ?1, ?2) "
                                 "ON CONFLICT (one) DO UPDATE SET number = excluded.number, mac = excluded.mac";
constexpr sqlite::Sql kListEntries =
    "SELECT number, record, hash FROM audit WHERE number < ?1 ORDER BY number DESC LIMIT ?2";
constexpr sqlite::Sql kOwn = "INSERT INTO objects (id, team, provider, route_group) VALUES (?1, ?2, ?3, ?4) "
                             "ON CONFLICT (id) DO NOTHING";
constexpr sqlite::Sql kOwner = "SELECT team, provider, route_group FROM objects WHERE id = ?1";
constexpr sqlite::Sql kForget = "DELETE FROM objects WHERE id = ?1";

std::unexpected<std::string> damaged(const std::string& file, const std::string& why) {
    return std::unexpected(
        fmt::format("the database {} cannot be used: {}. Nothing in it was changed or deleted; restore it "
                    "from a backup, or move it away to start with an empty one",
                    file, why));
}

// The first column of the first row as text.
sqlite::Result<std::string> first_value(sqlite::Database& database, sqlite::Sql sql) {
    sqlite::Result<sqlite::Statement> statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    const sqlite::Result<bool> row = statement->step();
    if (!row) return std::unexpected(row.error());
    return *row ? statement->text(0) : std::string();
}

// From nothing or from an older version.
sqlite::Result<void> upgrade(sqlite::Database& database, std::string_view version) {
    constexpr std::array kFirst{kMakeKeys, kMakeObjects};
    constexpr std::array kSecond{kKeySettings,    kKeyDisabled,   kKeyUpdated, kKeyFormer,
                                 kKeyFormerUntil, kMakeOverrides, kMakeAudit,  kMakeAuditHead};
    std::vector<sqlite::Sql> steps;
    if (version == "0") steps.assign(kFirst.begin(), kFirst.end());
    steps.insert(steps.end(), kSecond.begin(), kSecond.end());
    steps.push_back(kSetVersion);
    sqlite::Transaction transaction(database);
    if (auto begun = transaction.begin(); !begun) return begun;
    for (const sqlite::Sql sql : steps) {
        if (auto made = database.run(sql); !made) return made;
    }
    return transaction.commit();
}

sqlite::Result<void> check_schema(sqlite::Database& database) {
    const sqlite::Result<std::string> health = first_value(database, kCheck);
    if (!health) return std::unexpected(health.error());
    if (*health != "ok") return std::unexpected(*health);
    const sqlite::Result<std::string> version = first_value(database, kGetVersion);
    if (!version) return std::unexpected(version.error());
    if (*version == "0" || *version == "1") return upgrade(database, *version);
    if (*version == kSchemaVersion) return {};
    return std::unexpected(fmt::format("its schema version is {}, this program knows {}", *version, kSchemaVersion));
}

} // namespace

sqlite::Result<void> Store::Impl::prepare() {
    const std::pair<sqlite::Statement*, sqlite::Sql> all[] = {{&list_keys, kListKeys},
                                                              {&add_key, kAddKey},
                                                              {&edit_key, kEditKey},
                                                              {&delete_key, kDeleteKey},
                                                              {&own, kOwn},
                                                              {&owner, kOwner},
                                                              {&forget, kForget},
                                                              {&list_overrides, kListOverrides},
                                                              {&set_override, kSetOverride},
                                                              {&drop_override, kDropOverride},
                                                              {&last_entry, kLastEntry},
                                                              {&add_entry, kAddEntry},
                                                              {&set_head, kSetHead},
                                                              {&list_entries, kListEntries}};
    for (const auto& [statement, sql] : all) {
        sqlite::Result<sqlite::Statement> prepared = database.prepare(sql);
        if (!prepared) return std::unexpected(prepared.error());
        *statement = std::move(*prepared);
    }
    return {};
}

Store::Store(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Store::~Store() = default;

Store::Result<std::unique_ptr<Store>> Store::open(const std::string& path, const Secret& master) {
    auto impl = std::make_unique<Impl>();
    if (auto made = ensure_directory(path); !made) return std::unexpected(made.error());
    Result<Fd> lock = lock_directory(path);
    if (!lock) return std::unexpected(lock.error());
    impl->lock = std::move(*lock);
    Result<Secret> secret = master.empty() ? load_master_key(path) : Result<Secret>(master);
    if (!secret) return std::unexpected(secret.error());
    impl->master = std::move(*secret);
    impl->chain = audit_key(impl->master);
    const std::string file = path + "/tollgate.db";
    if (auto made = ensure_private_file(file); !made) return std::unexpected(made.error());
    sqlite::Result<sqlite::Database> database = sqlite::Database::open(file);
    if (!database) return damaged(file, database.error());
    impl->database = std::move(*database);
    if (auto checked = check_schema(impl->database); !checked) return damaged(file, checked.error());
    if (auto prepared = impl->prepare(); !prepared) return damaged(file, prepared.error());
    return std::unique_ptr<Store>(new Store(std::move(impl)));
}

const Secret& Store::master() const {
    return impl_->master;
}

Store::Result<void> Store::own(std::string_view object_id, std::string_view group, std::string_view team,
                               std::string_view provider) {
    {
        Execution insert(impl_->own, object_id, team, provider, group);
        if (const auto done = insert.step(); !done) return std::unexpected(done.error());
        if (impl_->database.changed() == 1) return {};
    }
    const Result<std::optional<Owner>> holder = owner(object_id);
    if (!holder) return std::unexpected(holder.error());
    if (*holder && (*holder)->team == team && (*holder)->provider == provider) return {};
    return std::unexpected(fmt::format("object \"{}\" of provider \"{}\" is owned already, by another team or provider",
                                       object_id, provider));
}

Store::Result<std::optional<Owner>> Store::owner(std::string_view object_id) {
    Execution query(impl_->owner, object_id);
    const sqlite::Result<bool> row = query.step();
    if (!row) return std::unexpected(row.error());
    if (!*row) return std::nullopt;
    return Owner{.team = query.text(0), .provider = query.text(1), .group = query.text(2)};
}

Store::Result<void> Store::forget(std::string_view object_id) {
    Execution remove(impl_->forget, object_id);
    if (const auto done = remove.step(); !done) return std::unexpected(done.error());
    return {};
}

Store::Result<std::set<std::string, std::less<>>> Store::owned_of(std::span<const std::string> ids,
                                                                  std::string_view team) {
    sqlite::Transaction moment(impl_->database);
    if (auto begun = moment.begin(); !begun) return std::unexpected(begun.error());
    std::set<std::string, std::less<>> owned;
    for (const std::string& id : ids) {
        const Result<std::optional<Owner>> holder = owner(id);
        if (!holder) return std::unexpected(holder.error());
        if (*holder && (*holder)->team == team) owned.insert(id);
    }
    if (auto ended = moment.commit(); !ended) return std::unexpected(ended.error());
    return owned;
}

} // namespace tollgate::policy
