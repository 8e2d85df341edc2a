// Registers at 0 what the configuration makes possible: without that, increase() loses the first event of a series.
#include "metrics/vocabulary.hpp"

#include "gateway/base/log.hpp"
#include "metrics/families.hpp"
#include "metrics/user_agent.hpp"

#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::metrics {
namespace {

using Operation = Vocabulary::OperationRow;
constexpr std::array<std::string_view, 2> kTokenTypes{"input", "output"};

// Beyond these sizes a cross product is registered on first use, so that zeros take at most half of a family's cap.
constexpr std::size_t kEagerModels = 100;     // × 7 × 6 outcomes of operations charged by tokens: 4,200 series
constexpr std::size_t kEagerModelsOther = 20; // of operations charged otherwise
constexpr std::size_t kEagerTeamModels = 1'000;
constexpr std::size_t kEagerPairs = 500;
constexpr std::size_t kEagerRows = 5'000; // half of the cap of a family
constexpr std::size_t kEagerFailingPairs = (kEagerRows - 2 * kEagerPairs) / (2 * (kAttemptErrors.size() + 1));

void register_outcomes(Registry& registry, const Operation& operation, std::string_view model) {
    for (const bool stream : {false, true}) {
        if (stream && !operation.streams) continue;
        for (std::size_t i = 0; i < kOutcomeCount; ++i) {
            (void)registry.counter(Family::requests_total,
                                   {operation.name, model, to_label(stream), to_string(static_cast<Outcome>(i))});
        }
    }
}

void register_durations(Registry& registry, const Operation& operation, std::string_view model) {
    (void)registry.histogram(Family::request_duration_seconds, {operation.name, model, to_label(false)});
    if (!operation.streams) return;
    (void)registry.histogram(Family::request_duration_seconds, {operation.name, model, to_label(true)});
    (void)registry.histogram(Family::time_to_first_token_seconds, {operation.name, model});
    (void)registry.histogram(Family::time_per_output_token_seconds, {operation.name, model});
}

void register_failures(Registry& registry, const Operation& operation, std::string_view model) {
    for (const KnownFailure& failure : kKnownFailures) {
        (void)registry.counter(Family::errors_total,
                               {operation.name, model, to_string(failure.type), StatusText(failure.status).view()});
    }
}

// The likeliest first: "other", which is every unknown model and every operation without one, then model by model.
void register_errors(Registry& registry, const Vocabulary& vocabulary) {
    std::size_t left = kEagerRows / kKnownFailures.size();
    const auto register_if_room = [&](const Operation& operation, std::string_view model) {
        if (left == 0) return;
        --left;
        register_failures(registry, operation, model);
    };
    for (const Operation& operation : vocabulary.operations) register_if_room(operation, kOther);
    for (const bool tokens : {true, false}) {
        for (std::size_t i = kOtherModel + 1; i < vocabulary.models.size(); ++i) {
            for (const Operation& operation : vocabulary.operations) {
                if (operation.models && operation.tokens == tokens) register_if_room(operation, vocabulary.models[i]);
            }
        }
    }
}

void register_route(Registry& registry, std::string_view pattern, std::string_view method,
                    std::span<const int> statuses) {
    for (const int status : statuses)
        (void)registry.counter(Family::http_requests_total, {"api", pattern, method, StatusText(status).view()});
}

void register_routes(Registry& registry, const Vocabulary& vocabulary) {
    for (const Vocabulary::RouteRow& row : vocabulary.routes) {
        register_route(registry, row.pattern, row.method, kRouteStatuses);
        if (row.method == "GET") register_route(registry, row.pattern, "HEAD", kRouteStatuses);
    }
    for (const std::string_view method : {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"})
        register_route(registry, "unmatched", method, kUnmatchedStatuses);
    (void)registry.counter(Family::http_requests_total, {"api", "unmatched", "OPTIONS", "204"});
    for (const auto route : {"/metrics", "/livez", "/readyz"}) {
        (void)registry.counter(Family::http_requests_total, {"metrics", route, "GET", "200"});
    }
    for (const auto route : {"/livez", "/readyz"})
        (void)registry.counter(Family::http_requests_total, {"metrics", route, "GET", "503"});
}

void register_models(Registry& registry, const Vocabulary& vocabulary, const Operation& operation) {
    const std::size_t eager = operation.tokens ? kEagerModels : kEagerModelsOther;
    const std::size_t models = operation.models ? std::min(vocabulary.models.size(), eager) : 0;
    register_outcomes(registry, operation, kOther);
    register_durations(registry, operation, kOther);
    for (std::size_t i = kOtherModel + 1; i < models; ++i) {
        register_outcomes(registry, operation, vocabulary.models[i]);
        if (operation.tokens) register_durations(registry, operation, vocabulary.models[i]);
    }
}

void register_operations(Registry& registry, const Vocabulary& vocabulary) {
    for (const Operation& operation : vocabulary.operations) {
        (void)registry.gauge(Family::requests_in_flight, {operation.name});
        (void)registry.histogram(Family::request_body_bytes, {operation.name});
        (void)registry.histogram(Family::response_body_bytes, {operation.name});
        (void)registry.histogram(Family::stream_max_gap_seconds, {operation.name});
        for (const bool stream : {false, true})
            (void)registry.histogram(Family::gateway_overhead_seconds, {operation.name, to_label(stream)});
        for (std::size_t i = 0; i < kClientFamilyCount; ++i) {
            (void)registry.counter(Family::client_requests_total,
                                   {to_string(static_cast<ClientFamily>(i)), operation.name});
        }
        register_models(registry, vocabulary, operation);
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

void register_failed_attempts(Registry& registry, std::string_view model, std::string_view upstream) {
    for (const bool stream : {false, true}) {
        for (const ErrorType type : kAttemptErrors) {
            (void)registry.counter(Family::upstream_attempts_total,
                                   {upstream, model, to_label(stream), "error", to_string(type)});
        }
        (void)registry.counter(Family::upstream_attempts_total, {upstream, model, to_label(stream), "cancelled",
                                                                 to_string(ErrorType::caller_cancelled)});
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
    std::size_t failing = kEagerFailingPairs;
    const auto register_calls = [&](std::string_view model, std::string_view upstream) {
        register_pair(registry, model, upstream);
        if (failing == 0) return;
        --failing;
        register_failed_attempts(registry, model, upstream);
    };
    for (const std::string& upstream : vocabulary.upstreams) {
        register_upstream(registry, upstream);
        register_calls(kOther, upstream); // files, batches, …
    }
    for (std::size_t i = 0; i < std::min(vocabulary.pairs.size(), kEagerPairs); ++i) {
        const auto [model, upstream] = vocabulary.pairs[i];
        if (model >= vocabulary.models.size() || upstream >= vocabulary.upstreams.size()) continue;
        register_calls(vocabulary.models[model], vocabulary.upstreams[upstream]);
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
        for (const auto type : kTokenTypes)
            (void)registry.counter(Family::cache_served_tokens_total, {vocabulary.models[i], type});
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
    // By model they appear with their first request: as many series as all durations would be too many.
    (void)registry.histogram(Family::request_cost_usd, {"other"});
    for (const auto type : kTokenTypes) (void)registry.histogram(Family::request_tokens, {"chat", "other", type});
    for (const auto result : {"ok", "error", "timeout"})
        (void)registry.counter(Family::store_requests_total, {"redis", "command", result});
    (void)registry.histogram(Family::store_duration_seconds, {"redis", "get"});
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
