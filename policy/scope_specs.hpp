// Limits and budgets as the operator wrote them → the scopes that admission knows. Pure. Everything that can be wrong
// with them beyond the configuration's own checks (a time zone nobody has) is found here, at load.
//
// All functions throw std::invalid_argument whose text begins with "file:line:column: ".
#pragma once

#include "config/config.hpp"
#include "policy/period/period.hpp"
#include "policy/quota/limits.hpp"

#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace tollgate::policy {

// A budget's calendar for admission. Immutable and thread-safe.
class CalendarRule final : public quota::PeriodRule {
  public:
    // `spec` must have no problem and is not `fixed`, which has no period outside of its dates.
    explicit CalendarRule(PeriodSpec spec);
    [[nodiscard]] quota::Period at(WallTime wall) const override;

  private:
    PeriodSpec spec_;
};

// What tells the budgets of one scope apart, and keeps what was spent over a reload: "month@Europe/Berlin",
// "month/15@UTC", "week/sunday@UTC", "rolling/7d", "lifetime". No two budgets that the configuration accepts in one
// scope share it. Amount, mode and shadow are not part of it: changing them keeps the usage.
[[nodiscard]] std::string window_of(const config::Budget& budget);

// The scope's own limits and budgets, possibly none. A team or org that is not written has none.
[[nodiscard]] quota::ScopeSpec key_scope(const config::Config& config, const config::Key& key);
[[nodiscard]] quota::ScopeSpec team_scope(const config::Config& config, const std::string& name);
[[nodiscard]] quota::ScopeSpec org_scope(const config::Config& config, const std::string& name);
// Of all orgs together.
[[nodiscard]] quota::ScopeSpec model_scope(const config::Config& config, const config::Model& model);

// What an owner may take of single models, by configured model name; models without a limit are left out.
using PairScopes = std::map<std::string, quota::ScopeSpec, std::less<>>;
[[nodiscard]] PairScopes key_pairs(const config::Config& config, const config::Key& key);
[[nodiscard]] PairScopes team_pairs(const config::Config& config, const std::string& name);
[[nodiscard]] PairScopes org_pairs(const config::Config& config, const std::string& name);

// Some model has limits of its own, which the orgs share: their counters cannot be under one mutex per org.
[[nodiscard]] bool crosses_orgs(const config::Config& config) noexcept;

// Builds every scope above once and drops it: what `config check` asks.
void check_scopes(const config::Config& config);

} // namespace tollgate::policy
