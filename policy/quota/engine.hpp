// All limits and budgets of this process: one store per org.
#pragma once

#include "policy/quota/local_store.hpp"
#include "policy/quota/reservation.hpp"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::quota {

struct Admission {
    AdmitReply reply;
    Reservation reservation; // empty if denied, a duplicate (the first one settles), or without scopes
};

// Thread-safe. Outlives every Reservation and ScopeHandle; orgs are never forgotten. A request takes its org's mutex
// only, twice; without scopes none.
class Engine {
  public:
    // Load time. Throws as LocalStore::define() does.
    [[nodiscard]] ScopeHandle define(const std::string& org, ScopeSpec spec, Moment now);
    // Null: no scope of that org was ever defined.
    [[nodiscard]] LocalStore* store(const std::string& org);

    // Throws std::invalid_argument for scopes of different orgs or an absurd estimate, with nothing taken.
    [[nodiscard]] static Admission admit(const AdmitCommand& command, std::uint64_t price_version = 0);
    // Would this be denied now? Takes nothing.
    [[nodiscard]] static AdmitReply peek(std::span<const ScopeHandle> scopes, const Ask& ask, Moment now);
    // All orgs; a few seconds apart is often enough.
    [[nodiscard]] ReapReply reap(Moment now);

  private:
    std::mutex mutex_;
    std::map<std::string, std::unique_ptr<LocalStore>> stores_;
};

} // namespace tollgate::policy::quota
