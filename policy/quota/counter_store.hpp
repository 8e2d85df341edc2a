// What can be done to the counters of one org, as values: the seam between decisions and where counters live.
#pragma once

#include "policy/quota/decision.hpp"
#include "policy/quota/limits.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::quota {

// Up to 32 octets of text, normally the request id.
class ReservationId {
  public:
    ReservationId() = default;
    explicit ReservationId(std::string_view text); // throws std::invalid_argument if empty or longer
    [[nodiscard]] std::size_t hash() const noexcept;
    [[nodiscard]] std::string_view view() const noexcept;
    friend bool operator==(const ReservationId&, const ReservationId&) = default;

  private:
    std::array<std::uint64_t, 4> words_{};
};

class Scope; // policy/quota/scope.hpp
using ScopeHandle = std::shared_ptr<Scope>;

struct AdmitCommand {
    ReservationId id{};
    std::span<const ScopeHandle> scopes{}; // all of one org; the order in which ties are reported
    Ask ask{};
    Moment now{};
    Duration lease = std::chrono::seconds(60); // without heartbeat it is reaped after this …
    TimePoint deadline = kNever;               // … and never later than this
};

struct Crossing { // of a share of a budget; reported once per period
    std::string kind, name, window, period;
    int percent = 0; // 50, 80, 90, 100
    Nano spent = 0;
    Nano limit = 0;
    Duration rolling{}; // length of a rolling window, which has no period to end; 0: the period ends
};

// Everything a denial's text needs, detached from the counters.
struct Denial {
    CounterState state{};
    std::string contact{};
    std::int64_t requested = 0;
    Duration wait{}; // Duration::max(): waiting does not help
};

struct AdmitReply {
    bool admitted = true;
    bool duplicate = false;                                          // the id is open already; nothing was taken again
    Estimate reserved{};                                             // the upper bound, after a cap
    std::optional<std::int64_t> output_cap{};                        // per choice: to be injected upstream
    std::array<std::optional<CounterState>, kDimensions> tightest{}; // after the decision; view_of() for headers
    std::optional<Denial> denial{};                                  // set iff !admitted: the worst violation
    std::size_t violations = 0;                                      // all of them, counted
    bool soft_exceeded = false;
    bool shadow_exceeded = false;
};

struct ExtendReply {
    bool extended = true;           // false: nothing was taken
    std::optional<Denial> denial{}; // set iff a limit that cuts streams has no room: the first one
};

enum class Settled : std::uint8_t {
    settled,   // was open
    corrected, // had been reaped: now charged with what was really used
    already,   // unknown or closed: nothing changed
};

struct SettleReply {
    Settled outcome = Settled::already;
    bool implausible = false; // negative or absurd usage: the reserve was charged instead. Worth an alarm
    std::vector<Crossing> crossings{};
};

struct ReapReply {
    std::vector<ReservationId> ids{}; // what was charged and closed
    std::vector<Crossing> crossings{};
};

// One budget that a reservation holds from: what the ledger's ADMIT record names.
struct BudgetLine {
    const LimitNames* names = nullptr;
    std::string period{};
    Nano held = 0;
};

// Where one org's counters live. Every call is one atomic step over all scopes and dimensions: concurrent calls behave
// as if one after the other, and a denial writes nothing. Thread-safe. Calls on ids that are not open do nothing and
// say so. The Redis store will be asked the same commands, asynchronously; decide() is what it shares.
class CounterStore {
  public:
    virtual ~CounterStore() = default;
    [[nodiscard]] virtual AdmitReply admit(const AdmitCommand& command) = 0;
    // The same decision without taking anything.
    [[nodiscard]] virtual AdmitReply peek(std::span<const ScopeHandle> scopes, const Ask& ask, Moment now) = 0;
    // Takes `extra` on top; false: does not fit, nothing was taken. Slots and requests are not part of it.
    [[nodiscard]] virtual bool top_up(const ReservationId& id, const Ask& extra, Moment now) = 0;
    // A stream has used so much: every limit holds at least that from now on, beyond its end too (debt). Unless one
    // that cuts streams has no room for it: then nothing is taken and the stream has to end. Not open: not extended.
    [[nodiscard]] virtual ExtendReply extend(const ReservationId& id, const Estimate& used, Moment now) = 0;
    // What was used, priced. Absent: unknown, the whole reserve is charged. May exceed the reserve: debt.
    virtual SettleReply settle(const ReservationId& id, const std::optional<Estimate>& actual, Moment now) = 0;
    // Nothing was dispatched: everything is given back, the request included.
    virtual bool release(const ReservationId& id, Moment now) = 0;
    // The owner is gone without a word: the whole reserve is charged, or what was seen if that is more. Needs no clock;
    // thresholds it passes are returned by the next reap().
    virtual void abandon(const ReservationId& id) = 0;
    // Renews the lease; `progress`, which only grows, is what a reaper will charge.
    virtual bool heartbeat(const ReservationId& id, const Estimate& progress, Moment now, Duration lease) = 0;
    // Charges and closes what nobody renewed.
    virtual ReapReply reap(Moment now) = 0;
    // Fills `out`; returns how many there are. 0 for an id that is not open.
    virtual std::size_t budgets(const ReservationId& id, std::span<BudgetLine> out) = 0;
};

} // namespace tollgate::policy::quota
