#include "policy/audit.hpp"

#include "gateway/base/text.hpp"
#include "policy/sqlite.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <utility>

namespace tollgate::policy {
namespace {

constexpr std::size_t kMostProblems = 20;
constexpr std::string_view kLabel = "audit-chain/v1";

constexpr sqlite::Sql kEntries = "SELECT number, record, hash FROM audit ORDER BY number";
constexpr sqlite::Sql kHead = "SELECT number, mac FROM audit_head";

std::string framed(std::string_view purpose, std::int64_t number, std::string_view first, std::string_view second) {
    return fmt::format("{}|{}|{}:{}|{}:{}", purpose, number, first.size(), first, second.size(), second);
}

void append_member(std::string& out, std::string_view name, std::string_view text) {
    out += fmt::format(",\"{}\":", name);
    append_json_string(out, text);
}

} // namespace

crypto::Digest audit_key(const Secret& master) {
    return crypto::hkdf_sha256(master.reveal(), kLabel);
}

std::string audit_record(const AuditEvent& event, std::int64_t number, WallTime now) {
    std::string out = fmt::format(R"({{"id":{},"ts":"{:%Y-%m-%dT%H:%M:%SZ}","actor":{{"type":)", number,
                                  std::chrono::floor<std::chrono::seconds>(now));
    append_json_string(out, event.actor);
    if (!event.address.empty()) append_member(out, "ip", event.address);
    out += '}';
    append_member(out, "action", event.action);
    out += R"(,"target":{"type":)";
    append_json_string(out, event.kind);
    append_member(out, "id", event.name);
    out += '}';
    append_member(out, "outcome", event.outcome);
    if (!event.reason.empty()) append_member(out, "reason", event.reason);
    out += R"(,"diff":)" + event.diff;
    append_member(out, "config_hash", event.config_hash);
    return out + '}';
}

std::string audit_hash(const crypto::Digest& key, std::int64_t number, std::string_view before,
                       std::string_view record) {
    return crypto::to_hex(crypto::hmac_sha256(key, framed("entry", number, before, record)));
}

std::string audit_head(const crypto::Digest& key, std::int64_t number, std::string_view hash) {
    return crypto::to_hex(crypto::hmac_sha256(key, framed("head", number, hash, {})));
}

void AuditCheck::note(std::string problem) {
    if (problems_.size() < kMostProblems) problems_.push_back(std::move(problem));
}

void AuditCheck::entry(const AuditEntry& entry) {
    if (entry.number != number_ + 1)
        note(fmt::format("entry {} follows entry {}: what was between them is missing", entry.number, number_));
    if (audit_hash(key_, entry.number, hash_, entry.record) != entry.hash)
        note(
            fmt::format("entry {} is not what was written, or does not belong behind the one before it", entry.number));
    number_ = entry.number;
    hash_ = entry.hash;
}

void AuditCheck::head(std::int64_t number, std::string_view mac) {
    if (number == number_ && mac == audit_head(key_, number, hash_)) return;
    note(fmt::format("the log ends with entry {}, its head is of entry {}: entries at the end were cut off, or the "
                     "head was altered",
                     number_, number));
}

std::expected<AuditCheck, std::string> verify_audit(const std::string& store_path, const Secret& master) {
    auto database = sqlite::Database::open_reading(store_path + "/tollgate.db");
    if (!database) return std::unexpected(database.error());
    sqlite::Transaction moment(*database); // entries and head of one time
    if (auto begun = moment.begin(); !begun) return std::unexpected(begun.error());
    auto entries = database->prepare(kEntries);
    auto head = entries ? database->prepare(kHead) : sqlite::Result<sqlite::Statement>(sqlite::Statement());
    if (!entries) return std::unexpected(entries.error());
    if (!head) return std::unexpected(head.error());
    AuditCheck check(audit_key(master));
    for (;;) {
        const auto row = entries->step();
        if (!row) return std::unexpected(row.error());
        if (!*row) break;
        check.entry({entries->integer(0).value_or(0), entries->text(1), entries->text(2)});
    }
    const auto row = head->step();
    if (!row) return std::unexpected(row.error());
    if (*row)
        check.head(head->integer(0).value_or(0), head->text(1));
    else if (check.entries() != 0)
        check.head(0, {});
    return check;
}

} // namespace tollgate::policy
