// What the store's files share.
#pragma once

#include "policy/sqlite.hpp"
#include "policy/store.hpp"
#include "policy/store_files.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::policy {

// A statement that is left ready, and without the caller's memory, whatever happens in between.
class Execution {
  public:
    template <class... Values>
    explicit Execution(sqlite::Statement& statement, const Values&... values) : statement_(statement) {
        int parameter = 0;
        (bind(++parameter, values), ...);
    }
    ~Execution() { statement_.reset(); }
    Execution(const Execution&) = delete;
    Execution& operator=(const Execution&) = delete;

    [[nodiscard]] sqlite::Result<bool> step() { return statement_.step(); }
    [[nodiscard]] std::string text(int column) const { return statement_.text(column); }
    [[nodiscard]] std::int64_t integer(int column) const { return statement_.integer(column).value_or(0); }

  private:
    void bind(int parameter, std::string_view text) { statement_.bind(parameter, text); }
    void bind(int parameter, std::int64_t value) { statement_.bind_integer(parameter, value); }

    sqlite::Statement& statement_;
};

struct Store::Impl {
    Fd lock; // first: released after the database is closed
    Secret master;
    crypto::Digest chain{}; // HMAC key of the audit log
    sqlite::Database database;
    sqlite::Statement list_keys, add_key, edit_key, delete_key, own, owner, forget;
    sqlite::Statement list_overrides, set_override, drop_override, last_entry, add_entry, set_head, list_entries;

    [[nodiscard]] sqlite::Result<void> prepare();
    // The steps of a change; the caller has a transaction open.
    [[nodiscard]] Result<void> insert(const StoredKey& key);
    [[nodiscard]] Result<void> edit(const StoredKey& key);
    [[nodiscard]] Result<void> remove(const std::string& id);
    [[nodiscard]] Result<void> put(const Override& change);
    [[nodiscard]] Result<void> record(const AuditEvent& event, WallTime now);
};

} // namespace tollgate::policy
