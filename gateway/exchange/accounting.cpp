#include "gateway/exchange/accounting.hpp"

#include "gateway/base/log.hpp"
#include "gateway/exchange/ask.hpp"
#include "gateway/exchange/count_input.hpp"
#include "gateway/exchange/exchange.hpp"
#include "gateway/exchange/follow.hpp"
#include "policy/ledger/ledger.hpp"
#include "policy/quota/denial.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace tollgate::exchange {
namespace {

namespace quota = policy::quota;
namespace ledger = policy::ledger;

// Nobody but a crash of the whole process ends an exchange without settling it; the reaper is for defects.
constexpr Duration kLeaseSlack = std::chrono::minutes(5);

constexpr Duration kProgressPeriod = std::chrono::seconds(10);

// Metrics want words of a closed set in static storage.
std::string_view kind_word(std::string_view kind) {
    const auto found = std::ranges::find(quota::kScopeKinds, kind);
    return found == quota::kScopeKinds.end() ? std::string_view("other") : *found;
}

quota::Moment now() {
    return {Clock::now(), WallClock::now()};
}

std::int64_t micros(WallTime wall) {
    return std::chrono::duration_cast<std::chrono::microseconds>(wall.time_since_epoch()).count();
}

std::int64_t micros(Duration duration) {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

Result<void> judge(Exchange& ex, const quota::AdmitReply& reply, WallTime wall) {
    ex.account.limits = policy::told_limits(reply, wall);
    if (reply.admitted) return {};
    name_limit(ex, reply.denial->state);
    return fail(quota::denial_error(*reply.denial, ex.principal->contact, wall));
}

bool is_charged(const Exchange& ex) {
    return ex.model != nullptr && ex.route->charge != api::Charge::free;
}

// Before dispatch: what this record promises is charged even if nobody lives to settle it.
Result<void> open_in_ledger(Exchange& ex, const quota::AdmitReply& reply, WallTime wall) {
    std::array<quota::BudgetLine, ledger::kMaxPeriods> lines;
    const std::size_t count = std::min(ex.account.reservation.budgets(lines), lines.size());
    ledger::Admit record;
    record.request_id = ex.id.view();
    record.at_us = micros(wall);
    record.reserved_tokens = reply.reserved.input + reply.reserved.output;
    record.reserved_nano = reply.reserved.nano;
    record.org = ex.principal->org;
    record.team = ex.principal->team;
    record.key = ex.principal->key_id;
    record.operation = ex.record.operation;
    if (ex.account.price != nullptr) record.price_version = ex.account.price->version;
    record.model = ex.record.model;
    for (std::size_t i = 0; i < count; ++i) record.periods.ids[i] = lines[i].period;
    record.periods.count = count;
    if (auto ok = ex.worker.shared.ledger->append(record); !ok) {
        ex.account.reservation.release(now());
        return ok;
    }
    ex.account.admitted_us = record.at_us;
    return {};
}

// The maximum that makes the rest of a budget enough (design §9).
void put_in_cap(Exchange& ex, std::int64_t cap) {
    ex.body.memory = api::insert_max_tokens(ex.body.memory, ex.view, api::output_limit_field(*ex.route),
                                            static_cast<std::uint64_t>(cap));
    ex.account.capped = true;
    ex.cache.store = false; // an answer to a smaller question
}

// A model's own price, or that of the name behind a wildcard. Kept: what is charged at the end is what was asked for.
void find_price(Exchange& ex, WallTime wall) {
    const auto& models = ex.snapshot->config.models;
    const auto configured = models.find(ex.model->name);
    if (configured != models.end()) ex.account.prices = ex.snapshot->prices.find(configured->second);
    if (!ex.account.prices && ex.wildcard) ex.account.prices = ex.snapshot->prices.find(ex.model_name);
    if (ex.account.prices) ex.account.price = ex.account.prices->at(wall);
}

Result<quota::Ask> ask_of(Exchange& ex, const policy::ScopeList& scopes, WallTime wall) {
    find_price(ex, wall);
    const bool json = ex.route->body == api::BodyKind::json;
    const bool counted = scopes.traits().counts_tokens;
    return ask_for({.view = json ? &ex.view : nullptr,
                    .route = ex.route,
                    .body_octets = ex.body.size(),
                    .model = ex.model->size,
                    .price = ex.account.price,
                    .strict_money = scopes.traits().hard_money,
                    .model_name = ex.model_name,
                    .input_tokens = counted ? count_input(ex) : std::nullopt,
                    .learned = counted ? ex.worker.habits.of(ex.principal->key_id, ex.model->name) : api::Learned{}});
}

// Where money is strict nothing counts for less than what it may have been.
void note_reserve(Exchange& ex, const quota::Ask& ask, const quota::AdmitReply& reply) {
    Account& account = ex.account;
    if (!ask.unbounded_output) account.bound_output = static_cast<std::uint64_t>(reply.reserved.output);
    // What a single limit holds may be less: those that cut are asked from the first token on.
    if (!account.cuts_streams)
        account.covered_output = static_cast<std::uint64_t>(ask.expected.value_or(reply.reserved).output);
    account.reserve = account.strict_money ? reply.reserved : ask.expected.value_or(reply.reserved);
    if (ex.route->body != api::BodyKind::json) return;
    ex.metering.input_estimate = static_cast<std::uint64_t>(account.reserve.input);
    const std::uint64_t calls = api::request_size(ex.view, *ex.route, 0).hosted_calls.value_or(1);
    account.hosted_calls = account.strict_money ? calls : std::min<std::uint64_t>(calls, 1);
}

std::uint64_t known(const std::optional<std::uint64_t>& count) {
    return count.value_or(0);
}

policy::ServiceTier service_of(api::ServedTier tier) {
    switch (tier) {
    case api::ServedTier::unsaid:
    case api::ServedTier::list: return policy::ServiceTier::list;
    case api::ServedTier::flex: return policy::ServiceTier::flex;
    case api::ServedTier::batch: return policy::ServiceTier::batch;
    case api::ServedTier::priority: return policy::ServiceTier::priority;
    case api::ServedTier::fast: return policy::ServiceTier::fast;
    }
    return policy::ServiceTier::list;
}

policy::Consumption consumption(const Exchange& ex, const api::Usage& usage) {
    return {.input = known(usage.input),
            .cached_input = known(usage.cached),
            .cache_write = known(usage.cache_write),
            .audio_in = known(usage.audio_in),
            .image_in = known(usage.image_in),
            .output = known(usage.output),
            .reasoning = known(usage.reasoning),
            .audio_out = known(usage.audio_out),
            .images = known(usage.images),
            .audio_ms = known(usage.audio_ms),
            .tool_calls = usage.tool_calls.value_or(ex.account.hosted_calls),
            .service = service_of(usage.tier)};
}

ledger::Number number(const std::optional<std::uint64_t>& count) {
    return count ? ledger::Number(static_cast<std::int64_t>(*count)) : std::nullopt;
}

bool used_nothing(const Exchange& ex) {
    return !ex.metering.dispatched || ex.metering.declined;
}

bool is_billed(const Exchange& ex) {
    return !used_nothing(ex) && ex.route->billable;
}

// The parts of a cost as metrics tell them, from pico-USD.
metrics::CostComponents components_of(const policy::PerClass<policy::PicoUsd>& parts) {
    using metrics::CostComponent;
    using policy::PriceClass;
    const auto nano = [&](std::initializer_list<PriceClass> classes) {
        std::uint64_t sum = 0;
        for (const PriceClass c : classes) sum += static_cast<std::uint64_t>(parts[c]);
        return (sum + 500) / 1'000;
    };
    metrics::CostComponents out;
    out[CostComponent::input] =
        nano({PriceClass::input, PriceClass::audio_in, PriceClass::image_in, PriceClass::audio_second});
    out[CostComponent::output] = nano({PriceClass::output, PriceClass::reasoning, PriceClass::audio_out});
    out[CostComponent::cache_read] = nano({PriceClass::cached_input});
    out[CostComponent::cache_write] = nano({PriceClass::cache_write});
    out[CostComponent::other] = nano({PriceClass::image, PriceClass::request, PriceClass::tool_call});
    return out;
}

quota::Estimate actual_of(Exchange& ex) {
    quota::Estimate actual;
    if (is_billed(ex) && ex.metering.unknown) {
        actual = ex.account.reserve;
    } else if (!used_nothing(ex)) {
        const api::Usage& usage = ex.metering.settled;
        actual.input = static_cast<std::int64_t>(known(usage.input));
        actual.output = static_cast<std::int64_t>(known(usage.output));
        if (ex.account.price != nullptr) {
            const policy::Cost cost = policy::cost(consumption(ex, usage), *ex.account.price);
            actual.nano = cost.total;
            ex.record.cost_components = components_of(cost.components);
        }
    }
    if (ex.account.price != nullptr || used_nothing(ex)) ex.account.cost = actual.nano;
    return actual;
}

void describe_attempts(const Exchange& ex, ledger::Settle& record) {
    const metrics::RequestRecord& source = ex.record;
    record.attempt_count = static_cast<std::uint8_t>(source.attempt_count);
    record.attempts.count = std::min(source.attempt_count, ledger::kMaxAttempts);
    for (std::size_t i = 0; i < record.attempts.count; ++i) {
        const metrics::AttemptRecord& attempt = source.attempts[i];
        ledger::Attempt& out = record.attempts.each[i];
        out.upstream = attempt.upstream;
        const bool running = attempt.duration == Duration::zero(); // the last one, which ends after this
        if (attempt.error)
            out.error_type = to_string(*attempt.error);
        else if (running && source.error)
            out.error_type = to_string(*source.error);
        out.start_us = record.admitted_us + micros(attempt.started - ex.started);
        out.duration_us = micros(running ? Clock::now() - attempt.started : attempt.duration);
        out.status = static_cast<std::uint16_t>(attempt.status);
    }
    if (source.attempt_count > 0) record.provider = source.attempts[source.attempt_count - 1].upstream;
}

// Settling comes before the head of an answer that is sent at once; that one will have the provider's status, or the
// error's.
int status_of(const Exchange& ex) {
    const metrics::RequestRecord& source = ex.record;
    if (source.status != 0 || ex.client_gone) return source.status;
    if (source.error) return ex.error_status;
    return source.attempt_count == 0 ? 0 : source.attempts[source.attempt_count - 1].status;
}

ledger::Tokens tokens_of(const api::Usage& usage) {
    return {.in = number(usage.input),
            .out = number(usage.output),
            .cache_read = number(usage.cached),
            .cache_write = number(usage.cache_write),
            .reasoning = number(usage.reasoning),
            .audio_in = number(usage.audio_in),
            .audio_out = number(usage.audio_out),
            .images = number(usage.images)};
}

// What metrics count of it. A charge whose parts nobody knows is one part.
void describe_cost(Exchange& ex) {
    metrics::RequestRecord& record = ex.record;
    record.unpriced = is_billed(ex) && ex.account.price == nullptr;
    if (!ex.account.cost) return;
    record.cost = static_cast<std::uint64_t>(*ex.account.cost);
    if (ex.account.price != nullptr) record.price_version = ex.account.price->version;
    const bool parts_known = std::ranges::any_of(record.cost_components, [](std::uint64_t part) { return part != 0; });
    if (!parts_known) record.cost_components[metrics::CostComponent::other] = *record.cost;
}

void close_in_ledger(Exchange& ex, WallTime wall) {
    const api::Usage& usage = ex.metering.settled;
    const metrics::RequestRecord& source = ex.record;
    ledger::Settle record;
    record.request_id = ex.id.view();
    record.admitted_us = ex.account.admitted_us;
    record.at_us = micros(wall);
    record.outcome = to_string(ex.client_gone ? metrics::Outcome::client_cancelled : source.outcome);
    if (source.error) record.error_type = to_string(*source.error);
    record.cache = to_string(source.cache);
    record.config_hash = ex.snapshot->config.hash;
    if (ex.account.price != nullptr) record.price_source = ex.account.price->version;
    record.http_status = static_cast<std::uint16_t>(status_of(ex));
    record.stream = source.stream;
    record.tokens = tokens_of(usage);
    record.usage_source = !is_billed(ex)     ? ledger::UsageSource::none
                          : usage.estimated  ? ledger::UsageSource::estimated
                          : usage.reported() ? ledger::UsageSource::upstream
                                             : ledger::UsageSource::none;
    record.cost.total = ex.account.cost;
    if (source.first_token) record.ttft_us = micros(*source.first_token);
    record.duration_us = micros(Clock::now() - ex.started);
    record.upstream_request_id = ex.upstream_request_id;
    record.client_request_id = source.client_request_id;
    describe_attempts(ex, record);
    // Fails only when the process is ending; the operation then stays open and is charged at the next start.
    if (auto ok = ex.worker.shared.ledger->append(record); !ok)
        log::error("an operation could not be settled in the ledger", {{"request_id", ex.id.view()}});
    ex.account.admitted_us = 0;
}

} // namespace

void name_limit(Exchange& ex, const quota::CounterState& state) {
    ex.record.limit_scope = kind_word(state.names->kind);
    ex.record.limit_name = quota::to_string(state.dimension);
    ex.record.limit_value = state.limit;
}

quota::Estimate priced(const Exchange& ex, const api::Usage& usage) {
    quota::Estimate out{.input = static_cast<std::int64_t>(known(usage.input)),
                        .output = static_cast<std::int64_t>(known(usage.output))};
    if (ex.account.price != nullptr) out.nano = policy::cost(consumption(ex, usage), *ex.account.price).total;
    return out;
}

api::Usage used_so_far(const Exchange& ex, bool complete) {
    return api::settled_usage(ex.metering.report, ex.metering.delivered,
                              {.input_estimate = ex.metering.input_estimate,
                               .tokens_per_1000_octets = cautious_rate(ex.account.strict_money),
                               .complete = complete});
}

Result<void> peek(Exchange& ex) {
    const auto moment = now();
    return judge(ex, quota::Engine::peek(ex.principal->scopes, quota::Ask::request_only(), moment), moment.wall);
}

Result<void> admit(Exchange& ex, bool hit) {
    const auto moment = now();
    const bool charged = is_charged(ex) && !hit;
    const auto scopes = ex.snapshot->directory.scopes_for(*ex.principal, ex.model != nullptr ? ex.model->name : "");
    quota::AdmitCommand command{.id = quota::ReservationId(ex.id.view()), .scopes = scopes.view(), .now = moment};
    command.ask = quota::Ask::request_only();
    if (charged) {
        ex.account.strict_money = scopes.traits().hard_money;
        ex.account.counts_tokens = scopes.traits().counts_tokens;
        ex.account.cuts_streams = scopes.traits().cuts_streams;
        auto ask = ask_of(ex, scopes, moment.wall);
        if (!ask) return fail(ask.error());
        command.ask = *ask;
        command.lease = ex.model->timeouts.total + kLeaseSlack;
    }
    if (ex.background || ex.account.request_counted) command.ask.requests = 0;
    auto admission = quota::Engine::admit(command);
    const Duration took = Clock::now() - moment.steady;
    ex.record.policy = ex.record.policy.value_or(Duration::zero()) + took;
    ex.worker.metrics.shard().observe(ex.worker.limit_check, took);
    if (auto ok = judge(ex, admission.reply, moment.wall); !ok) return ok;
    ex.account.reservation = std::move(admission.reservation);
    ex.account.request_counted = true;
    if (charged) note_reserve(ex, command.ask, admission.reply);
    if (!charged) {
        ex.account.reservation.settle(quota::Estimate{}, moment);
        return {};
    }
    if (admission.reply.output_cap) put_in_cap(ex, *admission.reply.output_cap);
    return open_in_ledger(ex, admission.reply, moment.wall);
}

void settle(Exchange& ex) {
    if (!ex.account.reservation && ex.account.admitted_us == 0) return;
    const auto moment = now();
    const quota::Estimate actual = actual_of(ex);
    if (!ex.metering.dispatched) {
        ex.account.reservation.release(moment);
    } else {
        auto reply = ex.account.reservation.settle(actual, moment);
        if (reply.implausible && ex.account.cost) { // as the counters were
            ex.account.cost = ex.account.reserve.nano;
            ex.record.cost_components = {};
        }
        ex.worker.shared.alerts->tell(std::move(reply.crossings));
        learn(ex);
    }
    describe_cost(ex);
    if (ex.account.admitted_us != 0) close_in_ledger(ex, moment.wall);
}

std::int64_t list_price(const Exchange& ex, const api::Usage& usage) {
    if (ex.account.price == nullptr || !usage.reported()) return -1;
    return policy::cost(consumption(ex, usage), *ex.account.price).total;
}

void record_served(Exchange& ex, std::int64_t saved, std::string_view provider) {
    if (!is_charged(ex)) return;
    ex.account.cost = 0;
    if (saved > 0) ex.record.saved_nano = static_cast<std::uint64_t>(saved);
    const WallTime wall = WallClock::now();
    ledger::Served record;
    record.request_id = ex.id.view();
    record.duration_us = micros(Clock::now() - ex.started);
    record.started_us = micros(wall) - record.duration_us;
    record.org = ex.principal->org;
    record.team = ex.principal->team;
    record.key = ex.principal->key_id;
    record.operation = ex.record.operation;
    record.cache = to_string(ex.record.cache);
    record.provider = provider;
    record.config_hash = ex.snapshot->config.hash;
    record.model = ex.record.model;
    record.client_request_id = ex.record.client_request_id;
    record.http_status = 200;
    record.stream = ex.record.stream;
    if (saved >= 0) record.saved_nano = saved;
    // It cost nothing: a ledger without room is no reason to withhold it, and says itself that it has none.
    (void)ex.worker.shared.ledger->append(record);
}

void note_progress(Exchange& ex) {
    const TimePoint at = ex.client.now();
    if (ex.account.admitted_us == 0 || at < ex.account.next_progress) return;
    const bool first = ex.account.next_progress == TimePoint{};
    ex.account.next_progress = at + kProgressPeriod;
    if (first) return;
    const quota::Estimate used = priced(ex, used_so_far(ex));
    ledger::Progress record;
    record.request_id = ex.id.view();
    record.at_us = micros(WallClock::now());
    record.in_tokens = used.input;
    record.out_tokens = used.output;
    if (ex.account.price != nullptr) record.cost_nano = used.nano;
    // Losing one costs precision after a crash, nothing else.
    (void)ex.worker.shared.ledger->append(record);
}

} // namespace tollgate::exchange
