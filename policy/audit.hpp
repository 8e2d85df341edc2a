// Who changed what: records of the audit log and the chain that shows when one was altered or removed (R22,
// observability §3.4). Pure, apart from verify_audit().
#pragma once

#include "gateway/base/crypto.hpp"
#include "gateway/base/secret.hpp"
#include "gateway/base/time.hpp"

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

// Never a secret, nor its hash.
struct AuditEvent {
    std::string actor;       // "admin_token", "cli"
    std::string address;     // where the request came from; empty: this machine, without a network
    std::string action;      // "key.create"
    std::string kind, name;  // of what was changed: "key", "k_7f3a9c"
    std::string outcome;     // "ok", "denied"
    std::string reason;      // of a denial
    std::string diff = "[]"; // JSON: [{"path":"/disabled","old":false,"new":true}]
    std::string config_hash;
};

struct AuditEntry {
    std::int64_t number = 0; // from 1, without a gap
    std::string record;      // JSON text, exactly what the hash was made of
    std::string hash;        // hexadecimal
};

// HMAC keys of the chain, from the master secret.
[[nodiscard]] crypto::Digest audit_key(const Secret& master);

[[nodiscard]] std::string audit_record(const AuditEvent& event, std::int64_t number, WallTime now);
// `before`: the hash of the entry before, empty for the first.
[[nodiscard]] std::string audit_hash(const crypto::Digest& key, std::int64_t number, std::string_view before,
                                     std::string_view record);
// Shows that entries at the end are missing: they cannot be cut off without the key.
[[nodiscard]] std::string audit_head(const crypto::Digest& key, std::int64_t number, std::string_view hash);

// What is wrong with the next entry of a chain, if anything is.
class AuditCheck {
  public:
    explicit AuditCheck(const crypto::Digest& key) : key_(key) {}
    void entry(const AuditEntry& entry);
    void head(std::int64_t number, std::string_view mac);

    [[nodiscard]] std::int64_t entries() const { return number_; }
    [[nodiscard]] const std::string& last_hash() const { return hash_; }
    [[nodiscard]] const std::vector<std::string>& problems() const { return problems_; }

  private:
    void note(std::string problem);

    const crypto::Digest key_;
    std::int64_t number_ = 0;
    std::string hash_;
    std::vector<std::string> problems_; // the first few
};

// The log of a store, which a gateway may be using. Error: it could not be read at all. Blocks on the disk.
[[nodiscard]] std::expected<AuditCheck, std::string> verify_audit(const std::string& store_path, const Secret& master);

} // namespace tollgate::policy
