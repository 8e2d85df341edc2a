// The counters of one org in this process.
#pragma once

#include "policy/quota/counter_store.hpp"
#include "policy/quota/records.hpp"
#include "policy/quota/scope.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::policy::quota {

// One limit's usage, for /v1/me, the admin API and metrics.
struct Reading {
    CounterState state{};
    Nano spent = 0; // money, in the current period
    std::string period{};
    std::uint64_t would_deny = 0;
};

struct Totals { // for invariants and metrics
    std::size_t open = 0;
    std::size_t reaped = 0; // tombstones: may still be settled late
};

// One mutex, held for integer arithmetic only (< 1 µs; reap() looks at a bounded number of records per hold). On a
// cache line of its own: workers of other orgs must not feel it.
class alignas(64) LocalStore final : public CounterStore {
  public:
    // Load time. The handle keeps the scope; a scope that nobody holds is forgotten once it is indistinguishable from a
    // new one, so usage survives reloads and a limit that comes back. Takes effect at once, for running requests too.
    // Throws as validate() does, with nothing changed.
    [[nodiscard]] ScopeHandle define(ScopeSpec spec, Moment now);
    // What the ledger knows was spent; see Counter::restore(). Thresholds it passes are returned: who persists alerts
    // knows which were sent. No such scope or budget: ignored.
    std::vector<Crossing> restore(const std::string& kind, const std::string& name, const std::string& window,
                                  const Period& period, Nano spent, Moment now);
    [[nodiscard]] std::vector<Reading> read(const Scope& scope, Moment now);
    [[nodiscard]] Nano spent(Scope& scope, std::string_view window, const std::string& period);
    [[nodiscard]] Totals totals();

    [[nodiscard]] AdmitReply admit(const AdmitCommand& command) override;
    [[nodiscard]] AdmitReply peek(std::span<const ScopeHandle> scopes, const Ask& ask, Moment now) override;
    [[nodiscard]] bool top_up(const ReservationId& id, const Ask& extra, Moment now) override;
    [[nodiscard]] ExtendReply extend(const ReservationId& id, const Estimate& used, Moment now) override;
    SettleReply settle(const ReservationId& id, const std::optional<Estimate>& actual, Moment now) override;
    bool release(const ReservationId& id, Moment now) override;
    void abandon(const ReservationId& id) override;
    bool heartbeat(const ReservationId& id, const Estimate& progress, Moment now, Duration lease) override;
    ReapReply reap(Moment now) override;
    std::size_t budgets(const ReservationId& id, std::span<BudgetLine> out) override;

  private:
    using Crossings = std::vector<Crossing>;

    void load(std::span<const ScopeHandle> scopes, Moment now);
    AdmitReply reply_for(std::span<const ScopeHandle> scopes, const Decision& decision) const;
    void load_lines(const Record& record, Moment now);             // the counters of an open reservation, as they stand
    [[nodiscard]] Decision decide_all(const Ask& ask, Moment now); // into verdicts_
    void take(const AdmitCommand& command);
    // Replaces what the line holds (open) or was charged (reaped) by `amount`.
    void charge(Line& line, bool open, std::int64_t amount, Moment now, Crossings& crossings);
    void charge_all(Record& record, const Estimate* actual, Moment now, Crossings& crossings);
    void close(Record& record);
    void bury(Record& record, Moment now, Crossings& crossings);
    void forget_tombstones(TimePoint now);
    void prune(Moment now);

    std::mutex registry_mutex_;                                         // load time only; taken before mutex_
    std::map<std::pair<std::string, std::string>, ScopeHandle> scopes_; // by kind and name
    std::size_t prune_at_ = 64; // entries at which idle ones are looked for again

    std::mutex mutex_; // everything below, and all counters
    Records records_;
    std::size_t open_ = 0;
    std::deque<std::pair<ReservationId, TimePoint>> tombstones_; // oldest first; some may be closed already
    Crossings abandoned_;                                        // returned by the next reap()
    std::vector<CounterState> states_;                           // of the decision at hand; kept for their memory
    std::vector<Verdict> verdicts_;
    std::vector<Counter*> counters_;
};

} // namespace tollgate::policy::quota
