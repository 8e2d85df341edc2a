// Registers at 0 what the configuration makes possible: without that, increase() loses the first event of a series.
#include "metrics/vocabulary.hpp"

#include "gateway/base/log.hpp"
#include "metrics/families.hpp"
#include "metrics/user_agent.hpp"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::metrics {
namespace {

struct EagerOperation {
    std::string_view name;
    bool streams;
};
constexpr std::array<std::string_view, 2> kTokenTypes{"input", "output"};
constexpr std::array kOperations{EagerOperation{"chat", true}, EagerOperation{"text_completion", true},
                                 EagerOperation{"responses", true}, EagerOperation{"embeddings", false}};

// Beyond these sizes a cross product is registered on first use. 100 models × 7 × 6 outcomes is 4,200 series.
constexpr std::size_t kEagerModels = 100;
constexpr std::size_t kEagerTeamModels = 1'000;
constexpr std::size_t kEagerPairs = 500;
constexpr std::size_t kEagerErrors = 5'000; // half of the cap of a family

void register_model(Registry& registry, const EagerOperation& operation, std::string_view model) {
    for (const bool stream : {false, true}) {
        if (stream && !operation.streams) continue;
        for (std::size_t i = 0; i < kOutcomeCount; ++i) {
            (void)registry.counter(Family::requests_total,
                                   {operation.name, model, to_label(stream), to_string(static_cast<Outcome>(i))});
        }
        (void)registry.histogram(Family::request_duration_seconds, {operation.name, model, to_label(stream)});
    }
    if (operation.streams) (void)registry.histogram(Family::time_to_first_token_seconds, {operation.name, model});
}

// "other" first: an unknown model is the likeliest refusal of all.
void register_errors(Registry& registry, const Vocabulary& vocabulary) {
    constexpr std::size_t per_model = kOperations.size() * kKnownFailures.size();
    const std::size_t models = std::min(vocabulary.models.size(), kEagerErrors / per_model);
    for (const EagerOperation& operation : kOperations) {
        for (std::size_t i = 0; i < models; ++i) {
            for (const KnownFailure& failure : kKnownFailures) {
                (void)registry.counter(
                    Family::errors_total,
                    {operation.name, vocabulary.models[i], to_string(failure.type), StatusText(failure.status).view()});
            }
        }
    }
}

void register_routes(Registry& registry, const Vocabulary& vocabulary) {
    for (const Vocabulary::RouteRow& row : vocabulary.routes) {
        for (const int status : kRouteStatuses) {
            (void)registry.counter(Family::http_requests_total,
                                   {"api", row.pattern, row.method, StatusText(status).view()});
        }
    }
    for (const auto method : {"GET", "POST", "other"}) {
        for (const auto status : {"400", "404", "408", "431"}) {
            (void)registry.counter(Family::http_requests_total, {"api", "unmatched", method, status});
        }
    }
    for (const auto route : {"/metrics", "/livez", "/readyz"}) {
        (void)registry.counter(Family::http_requests_total, {"metrics", route, "GET", "200"});
    }
    for (const auto route : {"/livez", "/readyz"})
        (void)registry.counter(Family::http_requests_total, {"metrics", route, "GET", "503"});
}

void register_operations(Registry& registry, const Vocabulary& vocabulary) {
    for (const EagerOperation& operation : kOperations) {
        (void)registry.gauge(Family::requests_in_flight, {operation.name});
        (void)registry.histogram(Family::request_body_bytes, {operation.name});
        (void)registry.histogram(Family::response_body_bytes, {operation.name});
        (void)registry.histogram(Family::gateway_overhead_seconds, {operation.name, to_label(false)});
        if (operation.streams) {
            (void)registry.histogram(Family::gateway_overhead_seconds, {operation.name, to_label(true)});
            (void)registry.histogram(Family::stream_max_gap_seconds, {operation.name});
        }
        for (std::size_t i = 0; i < kClientFamilyCount; ++i) {
            (void)registry.counter(Family::client_requests_total,
                                   {to_string(static_cast<ClientFamily>(i)), operation.name});
        }
        for (std::size_t i = 0; i < std::min(vocabulary.models.size(), kEagerModels); ++i) {
            register_model(registry, operation, vocabulary.models[i]);
        }
    }
    (void)registry.gauge(Family::streams_open, {});
    for (std::size_t i = 0; i < std::min(vocabulary.models.size(), kEagerModels); ++i)
        (void)registry.counter(Family::unpriced_requests_total, {vocabulary.models[i], kModelNotInTable});
}

void register_upstream(Registry& registry, std::string_view upstream) {
    for (const auto phase : {"dns", "tcp", "tls"}) {
        (void)registry.histogram(Family::upstream_connect_duration_seconds, {upstream, phase});
    }
    for (const auto state : {"active", "idle"}) (void)registry.gauge(Family::upstream_connections, {upstream, state});
    (void)registry.counter(Family::usage_rejected_total, {upstream});
    for (const ErrorType reason :
         {ErrorType::provider_rate_limited, ErrorType::provider_overloaded, ErrorType::provider_server_error,
          ErrorType::provider_timeout, ErrorType::provider_connection_failed}) {
        (void)registry.counter(Family::upstream_retries_total, {upstream, to_string(reason)});
    }
    using Interruption = std::pair<std::string_view, ErrorType>;
    for (const auto& [side, reason] : {Interruption{"client", ErrorType::caller_cancelled},
                                       Interruption{"upstream", ErrorType::provider_stream_broken},
                                       Interruption{"gateway", ErrorType::gateway_shutdown}}) {
        (void)registry.counter(Family::stream_interruptions_total, {upstream, side, to_string(reason)});
    }
}

void register_pair(Registry& registry, std::string_view model, std::string_view upstream) {
    for (const bool stream : {false, true}) {
        (void)registry.counter(Family::upstream_attempts_total, {upstream, model, to_label(stream), "success", ""});
    }
    (void)registry.histogram(Family::upstream_request_duration_seconds, {upstream, model});
    (void)registry.histogram(Family::upstream_time_to_first_token_seconds, {upstream, model});
    for (const auto type : kTokenTypes) (void)registry.counter(Family::tokens_total, {model, upstream, type});
    for (const auto detail : kTokenDetails)
        (void)registry.counter(Family::token_details_total, {model, upstream, detail});
    for (const auto component : kCostComponents)
        (void)registry.counter(Family::cost_usd_total, {model, upstream, component});
}

void register_upstreams(Registry& registry, const Vocabulary& vocabulary) {
    for (const std::string& upstream : vocabulary.upstreams) register_upstream(registry, upstream);
    for (std::size_t i = 0; i < std::min(vocabulary.pairs.size(), kEagerPairs); ++i) {
        const auto [model, upstream] = vocabulary.pairs[i];
        if (model >= vocabulary.models.size() || upstream >= vocabulary.upstreams.size()) continue;
        register_pair(registry, vocabulary.models[model], vocabulary.upstreams[upstream]);
    }
}

void register_teams(Registry& registry, const Vocabulary& vocabulary) {
    const bool all_models = vocabulary.teams.size() * vocabulary.models.size() <= kEagerTeamModels;
    for (const std::string& team : vocabulary.teams) {
        for (std::size_t i = 0; i < vocabulary.models.size() && (all_models || i == kOtherModel); ++i) {
            for (const auto outcome : kViewOutcomes) {
                (void)registry.counter(Family::team_requests_total, {team, vocabulary.models[i], outcome});
            }
            for (const auto type : kTokenTypes)
                (void)registry.counter(Family::team_tokens_total, {team, vocabulary.models[i], type});
            (void)registry.counter(Family::team_cost_usd_total, {team, vocabulary.models[i]});
        }
    }
}

void register_keys(Registry& registry, const Vocabulary& vocabulary) {
    std::set<std::vector<std::string>> rows; // past the cap, one row per team
    for (std::size_t i = 0; i < vocabulary.keys.size(); ++i) {
        const Vocabulary::KeyRow& key = vocabulary.keys[i];
        const bool own = i < kMaxKeySeries;
        const std::string_view id = key_label(vocabulary, i);
        if (!rows.insert({std::string(id), key.team, own ? key.alias : std::string(kOtherKey)}).second) continue;
        for (const auto outcome : kViewOutcomes) {
            (void)registry.counter(Family::key_requests_total, {id, key.team, outcome});
        }
        for (const auto type : kTokenTypes) (void)registry.counter(Family::key_tokens_total, {id, key.team, type});
        (void)registry.counter(Family::key_cost_usd_total, {id, key.team});
    }
    registry.set_info(Family::key_info, {rows.begin(), rows.end()});
    if (vocabulary.keys.size() > kMaxKeySeries) {
        const std::size_t folded = vocabulary.keys.size() - kMaxKeySeries;
        registry.note_overflow(Family::key_requests_total, folded * kViewOutcomes.size());
        registry.note_overflow(Family::key_tokens_total, folded * kTokenTypes.size());
        registry.note_overflow(Family::key_cost_usd_total, folded);
        registry.note_overflow(Family::key_info, folded);
    }
    for (const auto state : {"active", "disabled", "expired"}) (void)registry.gauge(Family::keys, {state});
}

void register_cache(Registry& registry, const Vocabulary& vocabulary) {
    for (std::size_t i = 0; i < std::min(vocabulary.models.size(), kEagerModels); ++i) {
        for (const auto source : {"cache_exact", "coalesced"})
            (void)registry.counter(Family::saved_usd_total, {source, vocabulary.models[i]});
    }
    for (const auto tier : {"memory", "redis"}) {
        for (const auto result : {"hit", "miss", "stale", "error"}) {
            (void)registry.counter(Family::cache_lookups_total, {tier, result});
        }
        for (const auto result : {"stored", "rejected", "error"}) {
            (void)registry.counter(Family::cache_stores_total, {tier, result});
        }
        (void)registry.histogram(Family::cache_lookup_duration_seconds, {tier});
    }
    (void)registry.counter(Family::cache_lookups_total, {"memory", "collapsed"});
    for (const auto reason : {"ttl", "size", "purge"}) {
        (void)registry.counter(Family::cache_evictions_total, {"memory", reason});
    }
    for (const Family family : {Family::cache_entries, Family::cache_size_bytes, Family::cache_capacity_bytes}) {
        (void)registry.gauge(family, {"memory"}); // what Redis holds is for its own exporter
    }
    for (const auto reason : {"disabled", "no_store", "sampled", "stream", "too_large", "stateful", "tools",
                              "remote_content", "request_error"}) {
        (void)registry.counter(Family::cache_bypass_total, {reason});
    }
}

void register_process(Registry& registry) {
    for (const auto source : {"upstream", "estimated", "none"}) {
        for (const bool stream : {false, true})
            (void)registry.counter(Family::usage_records_total, {source, to_label(stream)});
    }
    for (const auto scope : {"key", "team", "org", "model", "key|model", "team|model", "org|model"}) {
        for (const auto limit : {"rpm", "tpm", "input_tpm", "output_tpm", "concurrency", "budget"})
            (void)registry.counter(Family::limit_rejections_total, {scope, limit, "enforced"});
    }
    (void)registry.counter(Family::limit_rejections_total, {"address", "failed_keys", "enforced"});
    (void)registry.histogram(Family::limit_check_duration_seconds, {});
    (void)registry.histogram(Family::event_loop_lag_seconds, {});
    for (const auto result : {"success", "failure"}) (void)registry.counter(Family::config_reloads_total, {result});
    for (const auto state : {"active", "idle"}) (void)registry.gauge(Family::listener_connections, {"api", state});
    for (const auto result : {"ok", "refused", "refused_address"})
        (void)registry.counter(Family::listener_accepts_total, {"api", result});
    for (const auto state : {"none", "trim", "no_keep_alive", "shed"})
        (void)registry.gauge(Family::overload_state, {state});
    for (const auto result : {"ok", "error", "refused"})
        (void)registry.counter(Family::tls_handshakes_total, {"api", result});
    for (const auto op : {"get", "set"}) {
        for (const auto result : {"ok", "error", "timeout"}) {
            (void)registry.counter(Family::store_requests_total, {"redis", op, result});
        }
        (void)registry.histogram(Family::store_duration_seconds, {"redis", op});
    }
    for (std::size_t i = 0; i < log::kLevels; ++i)
        (void)registry.counter(Family::log_messages_total, {log::to_string(static_cast<log::Level>(i))});
    (void)registry.counter(Family::log_dropped_total, {"access"});
}

} // namespace

void register_vocabulary(Registry& registry, const Vocabulary& vocabulary) {
    register_operations(registry, vocabulary);
    register_errors(registry, vocabulary);
    register_routes(registry, vocabulary);
    register_upstreams(registry, vocabulary);
    register_teams(registry, vocabulary);
    register_keys(registry, vocabulary);
    register_cache(registry, vocabulary);
    register_process(registry);
}

} // namespace tollgate::metrics
