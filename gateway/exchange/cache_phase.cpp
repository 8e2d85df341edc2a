#include "gateway/exchange/cache_phase.hpp"

#include "cache/purge_exchange.hpp"
#include "gateway/api/replay/fitness.hpp"
#include "gateway/api/replay/replay.hpp"
#include "gateway/base/text.hpp"
#include "gateway/exchange/cache_key.hpp"
#include "gateway/exchange/embedding_phase.hpp"
#include "gateway/exchange/flight_lead.hpp"
#include "gateway/exchange/receipt.hpp"
#include "gateway/exchange/reply.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::exchange {
namespace {

using std::chrono::seconds;

// Of an answer that is told as events; of an entry that came so and does not say what it used.
constexpr std::string_view kEventStream = "text/event-stream; charset=utf-8";

api::CacheRules rules_for(const Exchange& ex) {
    const config::Cache& global = ex.snapshot->config.cache;
    const config::CacheOverride& key = ex.principal->key_cache;
    const config::CacheOverride& team = ex.principal->team_cache;
    const config::CacheOverride& model = ex.model->cache;
    api::CacheRules rules;
    rules.enabled = key.enabled.value_or(team.enabled.value_or(model.enabled.value_or(global.enabled)));
    // A restriction at any level holds: no level may widen what another forbids.
    rules.sampled =
        global.sampled && key.sampled.value_or(true) && team.sampled.value_or(true) && model.sampled.value_or(true);
    return rules;
}

using Time = std::optional<std::chrono::milliseconds> config::CacheOverride::*;

std::chrono::milliseconds nearest(const Exchange& ex, Time time, std::chrono::milliseconds global) {
    const auto& key = ex.principal->key_cache.*time;
    const auto& team = ex.principal->team_cache.*time;
    const auto& model = ex.model->cache.*time;
    return key.value_or(team.value_or(model.value_or(global)));
}

std::chrono::milliseconds ttl_for(const Exchange& ex, const CacheControl& control) {
    const auto allowed = nearest(ex, &config::CacheOverride::ttl, ex.snapshot->config.cache.ttl);
    const bool shorter = control.ttl && *control.ttl < static_cast<std::uint64_t>(allowed.count() / 1000 + 1);
    return shorter ? std::min(allowed, std::chrono::milliseconds(*control.ttl * 1000)) : allowed;
}

StaleRules stale_rules_for(const Exchange& ex) {
    const config::Cache& global = ex.snapshot->config.cache;
    return {.while_revalidate =
                nearest(ex, &config::CacheOverride::stale_while_revalidate, global.stale_while_revalidate),
            .if_error = nearest(ex, &config::CacheOverride::stale_if_error, global.stale_if_error)};
}

void bypass(Exchange& ex, std::string_view reason) {
    ex.cache.bypass = reason;
    ex.record.cache = metrics::CacheResult::bypass;
    ex.record.cache_reason = reason;
    // With the cache off there is nothing to explain to a client.
    if (reason != "disabled") ex.cache_status = fmt::format("tollgate; fwd=bypass; detail={}", reason);
}

bool make_key(Exchange& ex, std::string_view space) {
    const RequestKey request = request_key(ex, space);
    const std::string context = cache::context_of(request.parts());
    if (const cache::Key* const seen = ex.worker.raw_keys.find(context, ex.body.memory)) {
        ex.cache.key = *seen;
        return true;
    }
    const auto canonical = cache::canonical_json(ex.body.memory, {}, ex.body.memory.capacity());
    if (!canonical) return false;
    ex.cache.key = cache::make_key(ex.worker.cache_mac, request.parts(), *canonical);
    ex.worker.raw_keys.remember(context, ex.body.memory, ex.cache.key);
    return true;
}

Task<cache::EntryPtr> ask_redis(Exchange& ex, WallTime now) {
    if (!co_await knows_purges(ex)) co_return nullptr;
    const TimePoint asked = Clock::now();
    auto found = co_await ex.worker.responses.get(ex.cache.key, now);
    if (ex.worker.redis) {
        const Duration took = Clock::now() - asked;
        ex.record.lookup = ex.record.lookup.value_or(Duration::zero()) + took;
        ex.worker.metrics.shard().observe(ex.worker.redis_lookup, took);
        ex.worker.metrics.shard().observe(ex.worker.redis_latency, took);
    }
    co_return std::move(found.entry);
}

void plan(Exchange& ex, const CacheControl& control) {
    ex.cache.ttl = ttl_for(ex, control);
    ex.cache.stale = stale_rules_for(ex).longest();
    ex.cache.purge_clock = ex.worker.shared.purges.clock();
    ex.cache.tags = control.tags;
    ex.cache.store = !control.keep_nothing && ex.cache.ttl > std::chrono::milliseconds(0);
    ex.record.cache = metrics::CacheResult::miss;
    ex.cache_status = control.no_cache ? "tollgate; fwd=request" : "tollgate; fwd=miss";
}

// Makes the answer out of an entry: in the form that is asked for, with an id and a time of its own. False if the entry
// cannot be told so.
bool tell(Exchange& ex, const cache::Entry& entry) {
    const auto dialect = api::replay::dialect_of(*ex.route);
    if (!dialect) return true;
    const bool without_usage = entry.content_type == kEventStream;
    const bool tells_usage = ex.view.include_usage || wants_receipt(ex);
    if (without_usage && (!ex.view.stream || tells_usage)) return false;
    std::string token(ex.id.view());
    token.erase(0, token.find('_') + 1);
    const api::replay::Identity identity{.token = token, .now = WallClock::to_time_t(WallClock::now())};
    auto told = ex.view.stream ? api::replay::as_events(*dialect, entry.body, identity, tells_usage)
                               : api::replay::as_json(*dialect, entry.body, identity);
    if (!told || !ex.held.grow_to(ex.body.memory.size() + told->size(), ex.snapshot->config.body.held)) return false;
    ex.cache.told = std::move(*told);
    return true;
}

// What an entry that is there means for this request; it is given back if it is to be served.
cache::EntryPtr use(Exchange& ex, cache::EntryPtr entry, const CacheControl& control, WallTime now) {
    const StaleRules rules = narrowed(stale_rules_for(ex), control);
    const Fit fit = judge(*entry, control, rules, now);
    if (serves_for_error(*entry, control, rules, now)) ex.cache.for_error = entry;
    const bool serves = fit == Fit::fresh || fit == Fit::stale || fit == Fit::renew;
    if (serves && !tell(ex, *entry)) {
        ex.cache.for_error.reset();
        return nullptr;
    }
    switch (fit) {
    case Fit::refused: ex.cache_status = "tollgate; fwd=request"; return nullptr;
    case Fit::expired: ex.cache_status = "tollgate; fwd=stale"; return nullptr;
    case Fit::fresh: ex.record.cache = metrics::CacheResult::hit; break;
    case Fit::stale:
    case Fit::renew:
        ex.record.cache = metrics::CacheResult::stale;
        ex.cache.detail = fit == Fit::renew ? "stale_while_revalidate" : "max_stale";
        ex.record.cache_reason = ex.cache.detail;
        ex.cache.renew = fit == Fit::renew && ex.cache.store && !control.only_if_cached;
    }
    ex.cache.for_error.reset();
    return entry;
}

Task<cache::EntryPtr> find(Exchange& ex, CacheControl control) {
    const WallTime now = WallClock::now();
    const TimePoint asked = Clock::now();
    cache::EntryPtr entry = ex.worker.responses.get_memory(ex.cache.key, now);
    ex.record.lookup = Clock::now() - asked;
    ex.worker.metrics.shard().observe(ex.worker.memory_lookup, *ex.record.lookup);
    if (entry && is_purged(ex, ex.cache.key, *entry)) {
        ex.worker.responses.drop_memory(ex.cache.key);
        entry.reset();
    }
    const bool fresh = entry && entry->expires > now;
    if (!fresh) entry = co_await ask_redis(ex, now);
    if (!entry || is_purged(ex, ex.cache.key, *entry)) co_return nullptr;
    co_return use(ex, std::move(entry), control, now);
}

bool is_fit(const Exchange& ex, const api::AnswerView& answer, std::string_view body) {
    if (!api::may_store(answer, ex.view)) return false;
    const auto dialect = api::replay::dialect_of(*ex.route);
    return !dialect || api::replay::unfit(*dialect, body, ex.view.has_max_tokens).empty();
}

void keep(Exchange& ex, const api::AnswerView& answer, std::string_view content_type, std::string body) {
    auto entry = std::make_shared<cache::Entry>();
    entry->content_type = content_type;
    entry->body = std::move(body);
    entry->created = WallClock::now();
    entry->expires = entry->created + ex.cache.ttl;
    entry->stale = ex.cache.stale;
    entry->cost_nano = list_price(ex, answer.usage);
    entry->input_tokens = answer.usage.input.value_or(0);
    entry->output_tokens = answer.usage.output.value_or(0);
    entry->model = ex.model->name;
    entry->upstream = ex.record.attempts[ex.record.attempt_count - 1].upstream;
    entry->tags = ex.cache.tags;
    entry->purge_clock = ex.cache.purge_clock;
    if (is_purged(ex, ex.cache.key, *entry)) return; // while it was being made (scenario 73)
    ex.worker.responses.put(ex.cache.key, std::move(entry), WallClock::now(), ex.cache.epoch);
    ex.cache.stored = true;
    ex.cache_status += "; stored";
}

// A failure of providers, or of the way to them.
bool is_providers(ErrorType type) {
    return to_string(type).starts_with("provider_") || type == ErrorType::gateway_no_upstream;
}

// A named question is the same one whenever it is asked, and its call waits for who asks again.
Result<void> hold_to_question(Exchange& ex) {
    constexpr Duration kComesBack = std::chrono::seconds(10);
    const auto name = ex.head.find("idempotency-key");
    if (!name || name->empty() || !ex.snapshot->config.flights.enabled) return {};
    const RequestKey request = request_key(ex, {});
    cache::KeyParts parts;
    parts.scope = request.scope;
    parts.endpoint = "idempotency-key";
    const cache::Key key = cache::make_key(ex.worker.cache_mac, parts, *name);
    if (!ex.worker.shared.idempotency.claim(key, ex.cache.key, Clock::now())) return fail(idempotency_key_reused());
    ex.cache.idempotent = true;
    ex.cache.idempotency_key = key;
    ex.cache.linger = std::max(ex.cache.linger, kComesBack);
    return {};
}

// The same question, asked while this one runs, gets the same answer, also where that one is not kept because it is a
// stream.
Result<void> plan_sharing(Exchange& ex, const CacheControl& control, std::string_view reason) {
    const config::Flights& flights = ex.snapshot->config.flights;
    if (control.no_cache || control.only_if_cached || control.keep_nothing || !flights.enabled) return {};
    ex.cache.share = ex.cache.store || (reason == "stream" && !control.no_store && make_key(ex, control.space));
    ex.cache.linger = std::max<Duration>(ex.cache.linger, flights.linger);
    return ex.cache.share && !ex.cache.store ? hold_to_question(ex) : Result<void>();
}

cache::EntryPtr if_fresh(Exchange& ex, cache::EntryPtr entry, WallTime now) {
    if (!entry || is_purged(ex, ex.cache.key, *entry) ||
        judge(*entry, read_cache_controls(ex.head.fields), StaleRules{}, now) != Fit::fresh || !tell(ex, *entry))
        return nullptr;
    ex.record.cache = metrics::CacheResult::hit;
    ex.cache.for_error.reset();
    return entry;
}

} // namespace

Error idempotency_key_reused() {
    return Error{.type = ErrorType::caller_invalid_request,
                 .status = 422,
                 .message = "The Idempotency-Key of this request was used for a different request within the last 24 "
                            "hours. Repeat that one unchanged, or choose another key.",
                 .openai_type = "invalid_request_error",
                 .code = "idempotency_key_reused",
                 .retry = Retry::never};
}

Task<bool> knows_purges(Exchange& ex) {
    cache::Purges& purges = ex.worker.shared.purges;
    // Without a connection there is nothing to be believed: the look-up that follows fails, and is counted.
    if (!ex.worker.redis || !ex.worker.redis->connected() || purges.caught_up()) co_return true;
    const bool known = co_await cache::exchange_purges(purges, *ex.worker.redis, ex.worker.responses.prefix());
    co_return known;
}

cache::EntryPtr look_again(Exchange& ex) {
    if (!ex.cache.store) return nullptr;
    const WallTime now = WallClock::now();
    return if_fresh(ex, ex.worker.responses.get_memory(ex.cache.key, now), now);
}

Task<cache::EntryPtr> look_again_in_redis(Exchange& ex) {
    const WallTime now = WallClock::now();
    auto entry = co_await ask_redis(ex, now);
    co_return if_fresh(ex, std::move(entry), now);
}

Task<Result<cache::EntryPtr>> look_up(Exchange& ex) {
    const CacheControl control = read_cache_controls(ex.head.fields);
    const std::string_view reason = api::bypass_reason(*ex.route, ex.view, rules_for(ex));
    if (!reason.empty() || control.no_store || !make_key(ex, control.space)) {
        bypass(ex, !reason.empty() ? reason : control.no_store ? "no_store" : "request_error");
    } else {
        plan(ex, control);
        if (auto ok = hold_to_question(ex); !ok) co_return fail(ok.error());
        if (ex.route->operation == api::Operation::embeddings) {
            auto items = co_await look_up_items(ex, control);
            if (!items || *items) co_return items;
            if (ex.items) {
                if (auto ok = plan_sharing(ex, control, reason); !ok) co_return fail(ok.error());
                co_return items;
            }
        }
        if (!control.no_cache) {
            auto entry = co_await find(ex, control);
            if (entry) co_return entry;
            ex.cache.purge_clock = ex.worker.shared.purges.clock(); // more may have been learnt meanwhile
        }
    }
    if (auto ok = plan_sharing(ex, control, reason); !ok) co_return fail(ok.error());
    if (control.only_if_cached) {
        co_return fail(Error{.type = ErrorType::caller_invalid_request,
                             .status = 504,
                             .message = "The request said only-if-cached and the cache holds no fitting answer.",
                             .openai_type = "invalid_request_error",
                             .code = "not_in_cache",
                             .retry = Retry::never});
    }
    co_return cache::EntryPtr();
}

Task<void> send_hit(Exchange& ex, cache::EntryPtr entry) {
    const WallTime now = WallClock::now();
    const auto age = std::max(seconds(0), std::chrono::floor<seconds>(now - entry->created));
    if (!ex.cache.for_error) { // below zero: stale for so long (RFC 9211 §2.5)
        const auto ttl = std::chrono::floor<seconds>(entry->expires - now);
        ex.cache_status = fmt::format("tollgate; hit; ttl={}; detail={}", ttl.count(), ex.cache.detail);
    }
    if (!ex.metering.ended) record_served(ex, entry->cost_nano, entry->upstream); // a call that failed has its own row
    ex.record.served_input = entry->input_tokens;
    ex.record.served_output = entry->output_tokens;
    std::string extra = fmt::format("age: {}\r\n", age.count());
    http::append_field(extra, "x-tollgate-model", ex.model_name);
    const bool stream = ex.view.stream && !ex.cache.told.empty();
    if (stream && wants_receipt(ex)) ex.cache.told = with_receipt(ex, ex.cache.told, true);
    if (stream) extra += "x-accel-buffering: no\r\n";
    const std::string_view type = stream ? kEventStream : std::string_view(entry->content_type);
    const std::string_view body = ex.cache.told.empty() ? entry->body : ex.cache.told;
    co_await send_complete(ex, 200, type, body, extra);
}

Task<bool> answer_for_error(Exchange& ex, Error error) {
    if (!ex.cache.for_error || ex.answer_started || ex.client_gone || !is_providers(error.type)) co_return false;
    if (!tell(ex, *ex.cache.for_error)) co_return false;
    ex.cache_status = fmt::format("tollgate; fwd=stale; fwd-status={}; detail=stale_if_error", error.status);
    ex.record.cache = metrics::CacheResult::stale;
    ex.record.cache_reason = "stale_if_error";
    ex.record.outcome = metrics::Outcome::success;
    ex.record.error.reset();
    ex.record.error_message = {};
    ex.error_status = 0;
    co_await send_hit(ex, ex.cache.for_error);
    co_return true;
}

void store_answer(Exchange& ex, std::string_view content_type, std::string_view body) {
    const auto answer = ex.worker.answer_reader.read(body, ex.route->operation);
    if (!answer) return note_answer(ex, {}, false, body);
    ex.metering.named.note(*answer);
    note_answer(ex, answer->usage, answer->has_error, body);
    if (!ex.cache.store) return;
    if (!is_fit(ex, *answer, body)) {
        if (ex.lead != nullptr) ex.lead->part();
        return;
    }
    keep(ex, *answer, content_type, std::string(body));
}

void store_stream(Exchange& ex, std::string completion) {
    const auto answer = ex.worker.answer_reader.read(completion, ex.route->operation);
    ex.cache.unfit = !answer || !is_fit(ex, *answer, completion);
    if (ex.cache.unfit || !ex.cache.store) return;
    // Without its usage it is no answer to who asked for JSON, or for the usage.
    const bool tells_usage = answer->usage.reported() || answer->usage.refused;
    keep(ex, *answer, tells_usage ? "application/json" : kEventStream, std::move(completion));
}

} // namespace tollgate::exchange
