// Keys, overrides and the audit log.
#include "policy/store_impl.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace tollgate::policy {
namespace {

bool is_hash(std::string_view text) {
    return text.size() == 64 &&
           std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::unexpected<std::string> no_hash(const StoredKey& key) {
    return std::unexpected(fmt::format("key \"{}\": not a SHA-256 in lower-case hex", key.id));
}

} // namespace

Store::Result<void> Store::Impl::insert(const StoredKey& key) {
    if (!is_hash(key.sha256)) return no_hash(key);
    Execution query(add_key, key.id, key.team, key.sha256, key.settings, std::int64_t{key.disabled}, key.former_sha256,
                    key.former_until, key.created);
    if (const auto done = query.step(); !done)
        return std::unexpected(fmt::format("key \"{}\": {}", key.id, done.error()));
    return {};
}

Store::Result<void> Store::Impl::edit(const StoredKey& key) {
    if (!is_hash(key.sha256)) return no_hash(key);
    Execution query(edit_key, key.id, key.team, key.sha256, key.settings, std::int64_t{key.disabled}, key.former_sha256,
                    key.former_until, key.updated);
    if (const auto done = query.step(); !done)
        return std::unexpected(fmt::format("key \"{}\": {}", key.id, done.error()));
    if (database.changed() != 1) return std::unexpected(fmt::format("there is no key \"{}\" in the store", key.id));
    return {};
}

Store::Result<void> Store::Impl::remove(const std::string& id) {
    Execution query(delete_key, id);
    if (const auto done = query.step(); !done) return std::unexpected(done.error());
    if (database.changed() != 1) return std::unexpected(fmt::format("there is no key \"{}\" in the store", id));
    return {};
}

Store::Result<void> Store::Impl::put(const Override& change) {
    if (change.settings == "{}") {
        Execution query(drop_override, change.kind, change.name);
        if (const auto done = query.step(); !done) return std::unexpected(done.error());
        return {};
    }
    Execution query(set_override, change.kind, change.name, change.settings);
    if (const auto done = query.step(); !done) return std::unexpected(done.error());
    return {};
}

Store::Result<void> Store::Impl::record(const AuditEvent& event, WallTime now) {
    std::int64_t number = 1;
    std::string before;
    {
        Execution query(last_entry);
        const auto row = query.step();
        if (!row) return std::unexpected(row.error());
        if (*row) {
            number = query.integer(0) + 1;
            before = query.text(1);
        }
    }
    const std::string text = audit_record(event, number, now);
    const std::string hash = audit_hash(chain, number, before, text);
    {
        Execution query(add_entry, number, text, hash);
        if (const auto done = query.step(); !done) return std::unexpected(done.error());
    }
    const std::string mac = audit_head(chain, number, hash);
    Execution query(set_head, number, mac);
    if (const auto done = query.step(); !done) return std::unexpected(done.error());
    return {};
}

Store::Result<std::vector<StoredKey>> Store::keys() {
    Execution query(impl_->list_keys);
    std::vector<StoredKey> keys;
    while (true) {
        const sqlite::Result<bool> row = query.step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return keys;
        keys.push_back({.id = query.text(0),
                        .team = query.text(1),
                        .sha256 = query.text(2),
                        .settings = query.text(3),
                        .disabled = query.integer(4) != 0,
                        .created = query.text(5),
                        .updated = query.text(6),
                        .former_sha256 = query.text(7),
                        .former_until = query.integer(8)});
    }
}

Store::Result<void> Store::add_key(const StoredKey& key) {
    return impl_->insert(key);
}

Store::Result<std::vector<Override>> Store::overrides() {
    Execution query(impl_->list_overrides);
    std::vector<Override> all;
    while (true) {
        const sqlite::Result<bool> row = query.step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return all;
        all.push_back({.kind = query.text(0), .name = query.text(1), .settings = query.text(2)});
    }
}

Store::Result<void> Store::apply(const Change& change, const AuditEvent& event, WallTime now) {
    sqlite::Transaction transaction(impl_->database);
    if (auto begun = transaction.begin(); !begun) return begun;
    if (change.add_key) {
        if (auto done = impl_->insert(*change.add_key); !done) return done;
    }
    if (change.edit_key) {
        if (auto done = impl_->edit(*change.edit_key); !done) return done;
    }
    if (!change.delete_key.empty()) {
        if (auto done = impl_->remove(change.delete_key); !done) return done;
    }
    if (change.set_override) {
        if (auto done = impl_->put(*change.set_override); !done) return done;
    }
    if (auto done = impl_->record(event, now); !done) return done;
    return transaction.commit();
}

Store::Result<std::vector<AuditEntry>> Store::audit(std::int64_t before, std::int64_t most) {
    const std::int64_t end = before > 0 ? before : std::numeric_limits<std::int64_t>::max();
    Execution query(impl_->list_entries, end, most);
    std::vector<AuditEntry> entries;
    while (true) {
        const sqlite::Result<bool> row = query.step();
        if (!row) return std::unexpected(row.error());
        if (!*row) return entries;
        entries.push_back({query.integer(0), query.text(1), query.text(2)});
    }
}

} // namespace tollgate::policy
