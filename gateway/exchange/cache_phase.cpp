#include "gateway/exchange/cache_phase.hpp"

#include "cache/key.hpp"
#include "gateway/base/text.hpp"
#include "gateway/exchange/reply.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::exchange {
namespace {

using std::chrono::seconds;

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

std::chrono::milliseconds ttl_for(const Exchange& ex) {
    const auto& key = ex.principal->key_cache.ttl;
    const auto& team = ex.principal->team_cache.ttl;
    const auto& model = ex.model->cache.ttl;
    return key.value_or(team.value_or(model.value_or(ex.snapshot->config.cache.ttl)));
}

std::string scope_of(const Exchange& ex) {
    switch (ex.snapshot->config.cache.scope) {
    case config::CacheScope::key: return "key:" + ex.principal->key_id;
    case config::CacheScope::team: return "team:" + ex.principal->team;
    case config::CacheScope::org: return "org:" + ex.principal->org;
    }
    return "key:" + ex.principal->key_id;
}

void bypass(Exchange& ex, std::string_view reason) {
    ex.cache.bypass = reason;
    ex.record.cache = metrics::CacheResult::bypass;
    ex.record.cache_reason = reason;
    // With the cache off there is nothing to explain to a client.
    if (reason != "disabled") ex.cache_status = fmt::format("tollgate; fwd=bypass; detail={}", reason);
}

// Several lines are one list (RFC 9110 §5.3).
CacheControl cache_control_of(const http::RequestHead& head) {
    std::string all;
    for (const http::Field& field : head.fields) {
        if (!iequals(field.name, "cache-control")) continue;
        if (!all.empty()) all += ',';
        all += field.value;
    }
    return parse_cache_control(all);
}

bool make_key(Exchange& ex) {
    const auto canonical = cache::canonical_json(ex.body.memory);
    if (!canonical) return false;
    const std::string scope = scope_of(ex);
    const std::string identity = fmt::format("{}#{}", ex.model->identity, ex.wildcard ? ex.model_name : std::string());
    std::string headers;
    if (const auto beta = ex.head.find("openai-beta")) headers = fmt::format("openai-beta={}\n", *beta);
    if (!ex.head.query.empty())
        headers += fmt::format("query={}\n", ex.head.query); // it is forwarded, so it may matter
    cache::KeyParts parts;
    parts.scope = scope;
    parts.generation = "0";
    parts.endpoint = ex.route->upstream;
    parts.identity = identity;
    parts.headers = headers;
    ex.worker.cache_mac.reset();
    ex.cache.key = cache::make_key(ex.worker.cache_mac, parts, *canonical);
    return true;
}

bool fits(const cache::Entry& entry, const CacheControl& control, WallTime now) {
    const auto age = std::chrono::floor<seconds>(now - entry.created);
    if (control.max_age && age > seconds(*control.max_age)) return false;
    return !control.min_fresh || entry.expires - now >= seconds(*control.min_fresh);
}

Task<cache::EntryPtr> ask_redis(Exchange& ex, WallTime now) {
    const TimePoint asked = Clock::now();
    auto found = co_await ex.worker.responses.get(ex.cache.key, now);
    if (ex.worker.redis) {
        ex.worker.metrics.shard().observe(ex.worker.redis_lookup, Clock::now() - asked);
        ex.worker.metrics.shard().observe(ex.worker.redis_latency, Clock::now() - asked);
    }
    co_return std::move(found.entry);
}

} // namespace

Task<Result<cache::EntryPtr>> look_up(Exchange& ex) {
    const CacheControl control = cache_control_of(ex.head);
    const std::string_view reason = api::bypass_reason(*ex.route, ex.view, rules_for(ex));
    if (!reason.empty() || control.no_store || !make_key(ex)) {
        bypass(ex, !reason.empty() ? reason : control.no_store ? "no_store" : "request_error");
    } else {
        ex.cache.store = true;
        ex.cache.ttl = ttl_for(ex);
        ex.record.cache = metrics::CacheResult::miss;
        ex.cache_status = control.no_cache ? "tollgate; fwd=request" : "tollgate; fwd=miss";
        if (!control.no_cache) {
            const WallTime now = WallClock::now();
            const TimePoint asked = Clock::now();
            cache::EntryPtr entry = ex.worker.responses.get_memory(ex.cache.key, now);
            ex.worker.metrics.shard().observe(ex.worker.memory_lookup, Clock::now() - asked);
            if (!entry) entry = co_await ask_redis(ex, now);
            if (entry && fits(*entry, control, now)) {
                ex.record.cache = metrics::CacheResult::hit;
                co_return entry;
            }
        }
    }
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
    const auto ttl = std::max(seconds(0), std::chrono::floor<seconds>(entry->expires - now));
    ex.cache_status = fmt::format("tollgate; hit; ttl={}; detail=exact", ttl.count());
    std::string extra = fmt::format("age: {}\r\n", age.count());
    http::append_field(extra, "x-tollgate-model", ex.model_name);
    co_await send_complete(ex, 200, entry->content_type, entry->body, extra);
}

void store_answer(Exchange& ex, std::string_view content_type, std::string_view body) {
    const auto answer = ex.worker.answer_reader.read(body, ex.route->operation);
    if (!answer) return note_answer(ex, {}, false, body);
    note_answer(ex, answer->usage, answer->has_error, body);
    if (!ex.cache.store || !api::may_store(*answer, ex.view)) return;
    auto entry = std::make_shared<cache::Entry>();
    entry->content_type = content_type;
    entry->body = body;
    entry->created = WallClock::now();
    entry->expires = entry->created + ex.cache.ttl;
    entry->model = ex.model->name;
    entry->upstream = ex.record.attempts[ex.record.attempt_count - 1].upstream;
    ex.worker.responses.put(ex.cache.key, std::move(entry), WallClock::now());
    ex.cache_status += "; stored";
}

} // namespace tollgate::exchange
