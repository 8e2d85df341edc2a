#include "policy/quota/local_store.hpp"

#include <algorithm>
#include <iterator>
#include <limits>
#include <stdexcept>

namespace tollgate::policy::quota {
namespace {

constexpr Duration kTombstoneAge = std::chrono::hours(24);
constexpr std::size_t kMaxTombstones = 4'096;
constexpr std::size_t kReapBatch = 16; // records looked at per hold of the mutex

TimePoint lease_end(TimePoint now, Duration lease, TimePoint deadline) {
    return lease >= deadline - now ? deadline : now + lease;
}

} // namespace

// The counters of all scopes, in order, and their states before the decision. Several passes: at many keys most of the
// time goes into fetching the key's counters, and each pass starts the next one's fetches all at once.
void LocalStore::load(std::span<const ScopeHandle> scopes, Moment now) {
    counters_.clear();
    states_.clear();
    for (const ScopeHandle& scope : scopes) __builtin_prefetch(scope.get());
    for (const ScopeHandle& scope : scopes) {
        if (&scope->store != this) throw std::invalid_argument("a scope of another org");
        for (Counter* const counter : scope->active) {
            counter->prefetch();
            counters_.push_back(counter);
        }
    }
    for (Counter* const counter : counters_) {
        counter->touch(now);
        __builtin_prefetch(counter->current);
    }
    for (const Counter* const counter : counters_) states_.push_back(counter->state(now));
}

Decision LocalStore::decide_all(const Ask& ask, Moment now) {
    verdicts_.resize(states_.size());
    return decide(states_, ask, now.wall, verdicts_);
}

AdmitReply LocalStore::reply_for(std::span<const ScopeHandle> scopes, const Decision& decision) const {
    AdmitReply reply{.admitted = decision.admitted,
                     .reserved = decision.upper,
                     .output_cap = decision.output_cap,
                     .violations = decision.violations,
                     .soft_exceeded = decision.soft_exceeded > 0,
                     .shadow_exceeded = decision.shadow_exceeded > 0};
    for (const CounterState& state : states_) {
        if (state.shadow) continue; // what is not enforced is not announced
        std::optional<CounterState>& tightest = reply.tightest[static_cast<std::size_t>(state.dimension)];
        if (!tightest || tighter(state, *tightest)) tightest = state;
    }
    if (decision.admitted) return reply;
    const CounterState& state = states_[decision.worst];
    const Verdict& verdict = verdicts_[decision.worst];
    reply.tightest[static_cast<std::size_t>(state.dimension)] = state;
    reply.denial = Denial{.state = state, .requested = verdict.amount, .wait = verdict.wait};
    for (const ScopeHandle& scope : scopes) {
        if (scope->kind == state.names->kind && scope->name == state.names->name)
            reply.denial->contact = scope->contact;
    }
    return reply;
}

void LocalStore::take(const AdmitCommand& command) {
    Record& record = records_.insert(command.id);
    try {
        record.lines.reserve(states_.size());
    } catch (...) {
        records_.erase(record);
        throw;
    }
    record.state = Record::State::open;
    record.deadline = command.deadline;
    record.expires = lease_end(command.now.steady, command.lease, command.deadline);
    record.admitted = command.now;
    ++open_;
    for (std::size_t i = 0; i < states_.size(); ++i) {
        Counter& counter = *counters_[i];
        const Verdict& verdict = verdicts_[i];
        Line line{.counter = &counter, .held = verdict.amount};
        ++counter.pins;
        states_[i].used += line.held * states_[i].unit(); // from here on: after the decision
        if (states_[i].shadow && verdict.exceeds) ++counter.would_deny;
        if (is_rate(states_[i].dimension)) {
            counter.bucket.charge(line.held, command.now.steady);
            line.forgiven = counter.bucket.forgiven();
        } else if (states_[i].dimension == Dimension::concurrency) {
            counter.open += line.held;
        } else {
            line.slot = counter.current;
            line.slot->held += line.held;
            ++line.slot->pins;
            if (verdict.capped) counter.last_call = &record;
        }
        record.lines.push_back(line);
    }
}

AdmitReply LocalStore::admit(const AdmitCommand& command) {
    const std::scoped_lock lock(mutex_);
    Record* const known = records_.find(command.id);
    if (known != nullptr && known->state == Record::State::open) return {.duplicate = true};
    load(command.scopes, command.now);
    const Decision decision = decide_all(command.ask, command.now);
    if (decision.admitted) {
        if (known != nullptr) close(*known); // reaped under this id: its charge stands
        take(command);
    }
    return reply_for(command.scopes, decision);
}

AdmitReply LocalStore::peek(std::span<const ScopeHandle> scopes, const Ask& ask, Moment now) {
    const std::scoped_lock lock(mutex_);
    load(scopes, now);
    return reply_for(scopes, decide_all(ask, now));
}

// A line stays in the period and in the mode of its limit at the time of the call: what is configured since then
// counts.
void LocalStore::load_lines(const Record& record, Moment now) {
    states_.clear();
    for (const Line& line : record.lines) {
        line.counter->touch(now);
        states_.push_back(line.counter->state(now));
        CounterState& state = states_.back();
        state.last_call_own = line.counter->last_call == &record;
        if (line.slot == nullptr || line.slot == line.counter->current || line.slot->period.rolling()) continue;
        state.used = Wide{line.slot->spent} + line.slot->held; // the period of admission has ended
        state.held = line.slot->held;
    }
}

bool LocalStore::top_up(const ReservationId& id, const Ask& extra, Moment now) {
    Ask ask = extra;
    ask.requests = 0;
    ask.slots = 0;
    const std::scoped_lock lock(mutex_);
    Record* const record = records_.find(id);
    if (record == nullptr || record->state != Record::State::open) return false;
    load_lines(*record, now);
    const Decision decision = decide_all(ask, now);
    if (!decision.admitted) return false;
    for (std::size_t i = 0; i < states_.size(); ++i) {
        Line& line = record->lines[i];
        const Verdict& verdict = verdicts_[i];
        line.held += verdict.amount;
        if (is_rate(states_[i].dimension)) line.counter->bucket.charge(verdict.amount, now.steady);
        if (line.slot != nullptr) line.slot->held += verdict.amount;
        if (verdict.capped && line.slot != nullptr) line.counter->last_call = record;
    }
    return true;
}

ExtendReply LocalStore::extend(const ReservationId& id, const Estimate& used, Moment now) {
    if (!plausible(used)) return {.extended = false};
    const std::scoped_lock lock(mutex_);
    Record* const record = records_.find(id);
    if (record == nullptr || record->state != Record::State::open) return {.extended = false};
    load_lines(*record, now);
    const auto missing = [&](std::size_t i) { return amount_of(used, states_[i].dimension) - record->lines[i].held; };
    for (std::size_t i = 0; i < states_.size(); ++i) {
        if (cuts(states_[i], missing(i)))
            return {.extended = false, .denial = Denial{.state = states_[i], .requested = missing(i)}};
    }
    for (std::size_t i = 0; i < states_.size(); ++i) {
        const std::int64_t more = missing(i); // of requests and slots a reservation holds all there is
        if (more <= 0) continue;
        Line& line = record->lines[i];
        line.held += more;
        if (line.slot != nullptr)
            line.slot->held += more;
        else
            line.counter->bucket.charge(more, now.steady);
    }
    return {};
}

bool LocalStore::heartbeat(const ReservationId& id, const Estimate& progress, Moment now, Duration lease) {
    const std::scoped_lock lock(mutex_);
    Record* const record = records_.find(id);
    if (record == nullptr || record->state != Record::State::open) return false;
    record->expires = std::max(record->expires, lease_end(now.steady, lease, record->deadline));
    if (!plausible(progress)) return true;
    const Estimate before = record->progress.value_or(Estimate{});
    record->progress = Estimate{.input = std::max(before.input, progress.input),
                                .output = std::max(before.output, progress.output),
                                .nano = std::max(before.nano, progress.nano)};
    return true;
}

void LocalStore::charge(Line& line, bool open, std::int64_t amount, Moment now, Crossings& crossings) {
    Counter& counter = *line.counter;
    const Dimension dimension = counter.dimension();
    if (dimension == Dimension::concurrency) {
        if (open) counter.open -= line.held;
    } else if (dimension == Dimension::money) {
        if (open) line.slot->held -= line.held;
        const bool more = amount > (open ? 0 : line.held);
        const Wide spent = Wide{line.slot->spent} + amount - (open ? 0 : line.held);
        line.slot->spent = static_cast<Nano>(std::min<Wide>(spent, std::numeric_limits<Nano>::max()));
        if (more) counter.cross(*line.slot, now, crossings);
    } else {
        const std::int64_t difference = amount - line.held;
        // Refunding what an edit has forgiven since would pay it back twice.
        if (difference > 0 || line.forgiven == counter.bucket.forgiven()) counter.bucket.charge(difference, now.steady);
    }
    line.held = amount;
}

// `actual` null: what is held.
void LocalStore::charge_all(Record& record, const Estimate* actual, Moment now, Crossings& crossings) {
    const bool open = record.state == Record::State::open;
    for (Line& line : record.lines) {
        const Dimension dimension = line.counter->dimension();
        const bool counted = dimension != Dimension::requests && dimension != Dimension::concurrency;
        charge(line, open, actual != nullptr && counted ? amount_of(*actual, dimension) : line.held, now, crossings);
        if (line.counter->last_call == &record) line.counter->last_call = nullptr;
    }
    if (open) --open_;
}

void LocalStore::close(Record& record) {
    for (const Line& line : record.lines) {
        --line.counter->pins;
        if (line.slot != nullptr) --line.slot->pins;
    }
    records_.erase(record);
}

void LocalStore::abandon(const ReservationId& id) {
    const std::scoped_lock lock(mutex_);
    Record* const record = records_.find(id);
    if (record == nullptr || record->state != Record::State::open) return;
    const Moment now = record->admitted; // a destructor has no clock; no refill depends on it
    for (Line& line : record->lines) {
        // Never below what was observed.
        const std::int64_t seen = record->progress ? amount_of(*record->progress, line.counter->dimension()) : 0;
        charge(line, true, std::max(line.held, seen), now, abandoned_);
        if (line.counter->last_call == record) line.counter->last_call = nullptr;
    }
    --open_;
    close(*record);
}

void LocalStore::bury(Record& record, Moment now, Crossings& crossings) {
    charge_all(record, record.progress ? &*record.progress : nullptr, now, crossings);
    record.state = Record::State::reaped;
    record.expires = now.steady + kTombstoneAge;
    tombstones_.emplace_back(record.id, record.expires);
}

void LocalStore::forget_tombstones(TimePoint now) {
    while (!tombstones_.empty()) {
        const auto& [id, expires] = tombstones_.front();
        if (now < expires && tombstones_.size() <= kMaxTombstones) return;
        Record* const record = records_.find(id);
        // The id may have been settled late, or used and reaped again.
        if (record != nullptr && record->state == Record::State::reaped && record->expires == expires) close(*record);
        tombstones_.pop_front();
    }
}

ReapReply LocalStore::reap(Moment now) {
    ReapReply reply;
    for (std::size_t from = 0;; from += kReapBatch) {
        const std::scoped_lock lock(mutex_);
        const std::size_t end = std::min(from + kReapBatch, records_.size());
        for (std::size_t i = from; i < end; ++i) {
            Record& record = records_.at(i);
            if (record.state != Record::State::open || now.steady < record.expires) continue;
            reply.ids.push_back(record.id);
            bury(record, now, reply.crossings);
        }
        if (end < records_.size()) continue;
        forget_tombstones(now.steady);
        std::ranges::move(abandoned_, std::back_inserter(reply.crossings));
        abandoned_.clear();
        return reply;
    }
}

SettleReply LocalStore::settle(const ReservationId& id, const std::optional<Estimate>& actual, Moment now) {
    SettleReply reply;
    const std::scoped_lock lock(mutex_);
    Record* const record = records_.find(id);
    if (record == nullptr) return reply;
    reply.outcome = record->state == Record::State::open ? Settled::settled : Settled::corrected;
    reply.implausible = actual && !plausible(*actual);
    charge_all(*record, actual && !reply.implausible ? &*actual : nullptr, now, reply.crossings);
    close(*record);
    return reply;
}

bool LocalStore::release(const ReservationId& id, Moment now) {
    const std::scoped_lock lock(mutex_);
    Record* const record = records_.find(id);
    if (record == nullptr) return false;
    const bool open = record->state == Record::State::open;
    Crossings none;
    for (Line& line : record->lines) {
        charge(line, open, 0, now, none);
        if (line.counter->last_call == record) line.counter->last_call = nullptr;
    }
    if (open) --open_;
    close(*record);
    return true;
}

std::size_t LocalStore::budgets(const ReservationId& id, std::span<BudgetLine> out) {
    const std::scoped_lock lock(mutex_);
    const Record* const record = records_.find(id);
    if (record == nullptr || record->state != Record::State::open) return 0;
    std::size_t count = 0;
    for (const Line& line : record->lines) {
        if (line.slot == nullptr) continue;
        if (count < out.size()) {
            out[count] = {.names = &line.counter->names(), .period = line.slot->period.id, .held = line.held};
        }
        ++count;
    }
    return count;
}

} // namespace tollgate::policy::quota
