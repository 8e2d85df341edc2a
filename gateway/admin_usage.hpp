// Questions of the admin API to the usage ledger and the audit log: query → bounds, rows → JSON.
#pragma once

#include "gateway/admin/decide.hpp"
#include "policy/ledger/query.hpp"

#include <expected>
#include <optional>
#include <string>
#include <vector>

namespace tollgate {

// The same as `tollgate usage` has: by, since, until, org, team, key, model.
struct UsageQuestion {
    std::int64_t since_us = 0;
    std::int64_t until_us = 0;
    std::vector<policy::ledger::By> by;
    std::optional<std::string> org, team, key, model;
};
[[nodiscard]] std::expected<UsageQuestion, admin::Problem> admin_usage_query(std::string_view query, WallTime now);
// Blocks on the disk.
[[nodiscard]] std::expected<admin::Answer, admin::Problem> admin_usage(const UsageQuestion& question,
                                                                       const std::string& ledger_path);

struct AuditPage {
    std::int64_t before = 0; // 0: from the end
    std::int64_t most = 0;
};
[[nodiscard]] std::expected<AuditPage, admin::Problem> audit_page(std::string_view query);
// `entries`: one more than the page has, if there are more.
[[nodiscard]] std::string audit_body(std::vector<policy::AuditEntry> entries, const AuditPage& page);

} // namespace tollgate
