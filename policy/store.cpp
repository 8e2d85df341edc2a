#include "policy/store.hpp"

#include "gateway/base/crypto.hpp"
#include "policy/sqlite.hpp"
#include "policy/store_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tollgate::policy {
namespace {

constexpr std::string_view kSchemaVersion = "1"; // what kSetVersion writes

constexpr sqlite::Sql kGetVersion = "PRAGMA user_version";
constexpr sqlite::Sql kSetVersion = "PRAGMA user_version=1";
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
constexpr sqlite::Sql kListKeys = "SELECT id, team, sha256 FROM keys ORDER BY rowid";
constexpr sqlite::Sql kAddKey = "INSERT INTO keys (id, team, sha256) VALUES (?1, ?2, ?3)";
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

bool is_hash(std::string_view text) {
    return text.size() == 64 &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// A statement that is left ready, and without the caller's memory, whatever happens in between.
class Execution {
  public:
    template <class... Texts>
    explicit Execution(sqlite::Statement& statement, const Texts&... texts) : statement_(statement) {
        int parameter = 0;
        (statement_.bind(++parameter, texts), ...);
    }
    ~Execution() { statement_.reset(); }
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;

    [[nodiscard]] sqlite::Result<bool> step() { return statement_.step(); }
    [[nodiscard]] std::string text(int column) const { return statement_.text(column); }

  private:
    sqlite::Statement& statement_;
};

// The first column of the first row as text.
sqlite::Result<std::string> first_value(sqlite::Database& database, sqlite::Sql sql) {
    sqlite::Result<sqlite::Statement> statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    const sqlite::Result<bool> row = statement->step();
    if (!row) return std::unexpected(row.error());
    return *row ? statement->text(0) : std::string();
}

sqlite::Result<void> create_schema(sqlite::Database& database) {
    sqlite::Transaction transaction(database);
    if (auto begun = transaction.begin(); !begun) return begun;
    for (const sqlite::Sql sql : {kMakeKeys, kMakeObjects, kSetVersion}) {
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
    if (*version == "0") return create_schema(database);
    if (*version == kSchemaVersion) return {};
    return std::unexpected(fmt::format("its schema version is {}, this program knows {}", *version, kSchemaVersion));
}

} // namespace

struct Store::Impl {
    Fd lock; // first: released after the database is closed
    Secret master;
    sqlite::Database database;
    sqlite::Statement list_keys, add_key, own, owner, forget;

    [[nodiscard]] sqlite::Result<void> prepare() {
        const std::pair<sqlite::Statement*, sqlite::Sql> all[] = {
            {&list_keys, kListKeys}, {&add_key, kAddKey}, {&own, kOwn}, {&owner, kOwner}, {&forget, kForget}};
        for (const auto& [statement, sql] : all) {
            sqlite::Result<sqlite::Statement> prepared = database.prepare(sql);
            if (!prepared) return std::unexpected(prepared.error());
            *statement = std::move(*prepared);
        }
        return {};
    }
};

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

Store::Result<std::vector<StoredKey>> Store::keys() {
    Execution query(impl_->list_keys);
    std::vector<StoredKey> keys;
    while (true) {
        const sqlite::Result<bool> row = query.step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return keys;
        keys.push_back({.id = query.text(0), .team = query.text(1), .sha256 = query.text(2)});
    }
}

Store::Result<void> Store::add_key(const StoredKey& key) {
    if (!is_hash(key.sha256))
        return std::unexpected(fmt::format("key \"{}\": not a SHA-256 in lower-case hex", key.id));
    Execution insert(impl_->add_key, key.id, key.team, key.sha256);
    if (const auto done = insert.step(); !done)
        return std::unexpected(fmt::format("key \"{}\": {}", key.id, done.error()));
    return {};
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
