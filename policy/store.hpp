// The embedded store: keys made by the gateway and who owns which object at a provider. SQLite in one directory.
#pragma once

#include "gateway/base/secret.hpp"
#include "policy/audit.hpp"
#include "policy/stored_key.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

// Whose a stored object is (design §8).
struct Owner {
    std::string team;
    std::string provider; // configuration name of the provider that holds it
    std::string group;    // route group: "files", "batches", …

    bool operator==(const Owner&) const = default;
};

// What an administrator changes, in one step with the entry of the audit log that says so.
struct Change {
    std::optional<StoredKey> add_key{};     // its id and hash are new
    std::optional<StoredKey> edit_key{};    // all of it is replaced, except `created`
    std::string delete_key{};               // id; empty: none
    std::optional<Override> set_override{}; // settings "{}": there is none any more
};

// Every call blocks on the disk and belongs to ONE thread, the store's; master() alone may be called from any. What a
// call has written survives a power cut when it returns. A failed call changes nothing and its error is text for the
// operator's log, not for clients.
//
// Directory: `lock` (the process id that has it), `master.key`, `tollgate.db` with its -wal and -shm files. Nothing in
// it is ever deleted or repaired by us: a damaged file is an error that names it.
class Store {
  public:
    template <class T>
    using Result = std::expected<T, std::string>;

    // Creates what is missing. `master`: secrets.master; if it is empty, `master.key` is read or made. Fails if another
    // process has the store, others may read master.key, or the database is damaged or of a newer version.
    [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::string& path, const Secret& master = {});
    ~Store();
    Store(const Store&) = delete;
    Store& operator=(const Store&) = delete;

    [[nodiscard]] const Secret& master() const;

    // In the order they were added. Never the secrets.
    [[nodiscard]] Result<std::vector<StoredKey>> keys();
    // Fails if the id or the hash is there already, or if the hash is not 64 lower-case hexadecimal digits.
    [[nodiscard]] Result<void> add_key(const StoredKey& key);
    [[nodiscard]] Result<std::vector<Override>> overrides();

    // All of it or nothing. Fails as add_key() does, and if the key to edit or delete is not there. Keys with objects
    // at providers may be deleted: the objects are their team's.
    [[nodiscard]] Result<void> apply(const Change& change, const AuditEvent& event, WallTime now);
    // At most `most` entries, the latest first; `before`: only those with a smaller number, 0: from the end.
    [[nodiscard]] Result<std::vector<AuditEntry>> audit(std::int64_t before, std::int64_t most);

    // Fails if the object belongs to another team or provider already: a provider that repeats an id must not hand one
    // team's object to another. Repeating the same claim is fine.
    [[nodiscard]] Result<void> own(std::string_view object_id, std::string_view group, std::string_view team,
                                   std::string_view provider);
    [[nodiscard]] Result<std::optional<Owner>> owner(std::string_view object_id);
    // Forgetting what nobody owns is fine.
    [[nodiscard]] Result<void> forget(std::string_view object_id);
    // Those of `ids` that belong to `team`, seen at one moment.
    [[nodiscard]] Result<std::set<std::string, std::less<>>> owned_of(std::span<const std::string> ids,
                                                                      std::string_view team);

  private:
    struct Impl;
    explicit Store(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::policy
