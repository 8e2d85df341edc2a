#include "metrics/request_handles.hpp"

#include "metrics/families.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

namespace tollgate::metrics {
namespace {

// Digits of an HTTP status without allocation.
template <class Resolve>
Counter cached(std::unordered_map<std::uint64_t, Counter>& cache, std::uint64_t key, Resolve resolve) {
    const auto [entry, fresh] = cache.try_emplace(key);
    if (fresh) entry->second = resolve();
    return entry->second;
}

std::uint64_t pack(std::uint64_t a, std::uint64_t b, std::uint64_t c, std::uint64_t d) {
    return a << 48 | b << 32 | c << 16 | d;
}

std::size_t error_index(std::optional<ErrorType> error) { // 0: unclassified
    return error ? static_cast<std::size_t>(*error) + 1 : 0;
}
std::string_view error_label(std::optional<ErrorType> error) {
    return error ? to_string(*error) : kUnclassified;
}

std::optional<std::size_t> find_name(const std::vector<std::string>& names, std::size_t index, std::string_view name) {
    if (index < names.size() && names[index] == name) return index;
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names.begin());
}

} // namespace

RequestHandles::RequestHandles(Registry& registry) : registry_(registry) {
    use(std::make_shared<Vocabulary>());
}

void RequestHandles::use(std::shared_ptr<const Vocabulary> vocabulary) {
    vocabulary_ = std::move(vocabulary);
    for (const auto& operation : operations_) {
        if (operation) operation->models.clear();
    }
    errors_.clear();
    retries_.clear();
    interruptions_.clear();
    refused_usage_.clear();
    unpriced_.clear();
    pairs_.clear();
    teams_.clear();
    keys_.assign(vocabulary_->keys.size(), ViewCounters{});
    key_teams_.clear();
    std::unordered_map<std::string_view, std::uint32_t> team_ids;
    for (const Vocabulary::KeyRow& key : vocabulary_->keys) {
        key_teams_.push_back(team_ids.try_emplace(key.team, static_cast<std::uint32_t>(team_ids.size())).first->second);
    }
}

std::uint32_t RequestHandles::model_index(const RequestRecord& record) const {
    if (record.model_index == kOtherModel && (record.model.empty() || record.model == kOther)) return kOtherModel;
    return static_cast<std::uint32_t>(
        find_name(vocabulary_->models, record.model_index, record.model).value_or(kOtherModel));
}

std::uint32_t RequestHandles::upstream_index(const AttemptRecord& attempt) const {
    const auto& names = vocabulary_->upstreams;
    return static_cast<std::uint32_t>(
        find_name(names, attempt.upstream_index, attempt.upstream).value_or(names.size()));
}

std::optional<std::size_t> RequestHandles::key_index(const RequestRecord& record) const {
    const auto& keys = vocabulary_->keys;
    if (record.key_index < keys.size() && keys[record.key_index].id == record.key_id) return record.key_index;
    const auto found = std::ranges::find(keys, record.key_id, &Vocabulary::KeyRow::id);
    if (found == keys.end()) return std::nullopt;
    return static_cast<std::size_t>(found - keys.begin());
}

std::string_view RequestHandles::model_name(std::uint32_t index) const {
    return index < vocabulary_->models.size() ? std::string_view(vocabulary_->models[index]) : kOther;
}

std::string_view RequestHandles::upstream_name(std::uint32_t index) const {
    return index < vocabulary_->upstreams.size() ? std::string_view(vocabulary_->upstreams[index]) : kOther;
}

Counter RequestHandles::http(const RequestRecord& record) {
    const auto status = static_cast<std::uint16_t>(record.status);
    const std::uint64_t key =
        pack(words_.id(record.listener), words_.id(record.route), words_.id(record.method), status);
    return cached(http_, key, [&] {
        return registry_.counter(Family::http_requests_total,
                                 {record.listener, record.route, record.method, StatusText(record.status).view()});
    });
}

OperationHandles& RequestHandles::operation(std::string_view name) {
    const std::size_t id = words_.id(name);
    if (id >= operations_.size()) operations_.resize(id + 1);
    if (operations_[id]) return *operations_[id];
    auto handles = std::make_unique<OperationHandles>();
    handles->in_flight = registry_.gauge(Family::requests_in_flight, {name});
    handles->max_gap = registry_.histogram(Family::stream_max_gap_seconds, {name});
    handles->request_body = registry_.histogram(Family::request_body_bytes, {name});
    handles->response_body = registry_.histogram(Family::response_body_bytes, {name});
    for (const bool stream : {false, true}) {
        handles->overhead[stream ? 1 : 0] =
            registry_.histogram(Family::gateway_overhead_seconds, {name, to_label(stream)});
    }
    for (std::size_t i = 0; i < kClientFamilyCount; ++i) {
        handles->clients[i] =
            registry_.counter(Family::client_requests_total, {to_string(static_cast<ClientFamily>(i)), name});
    }
    operations_[id] = std::move(handles);
    return *operations_[id];
}

const ModelHandles& RequestHandles::model(std::string_view name, std::uint32_t model, bool stream) {
    OperationHandles& of = operation(name);
    if (model >= of.models.size()) of.models.resize(std::max<std::size_t>(vocabulary_->models.size(), model + 1));
    ModelHandles& handles = of.models[model][stream ? 1 : 0];
    if (handles.outcomes[0].slot != 0) return handles;
    const std::string_view label = model_name(model);
    handles.duration = registry_.histogram(Family::request_duration_seconds, {name, label, to_label(stream)});
    if (stream) {
        handles.first_token = registry_.histogram(Family::time_to_first_token_seconds, {name, label});
        handles.per_token = registry_.histogram(Family::time_per_output_token_seconds, {name, label});
    }
    handles.input_tokens = registry_.histogram(Family::request_tokens, {name, label, "input"});
    handles.output_tokens = registry_.histogram(Family::request_tokens, {name, label, "output"});
    handles.cost = registry_.histogram(Family::request_cost_usd, {label});
    for (std::size_t i = 0; i < kOutcomeCount; ++i) {
        handles.outcomes[i] = registry_.counter(Family::requests_total,
                                                {name, label, to_label(stream), to_string(static_cast<Outcome>(i))});
    }
    return handles;
}

Counter RequestHandles::error(const RequestRecord& record, std::uint32_t model) {
    // Word ids stay below 1,024, so 10 bits; the error type takes 5 of the other 6.
    static_assert(WordIds::kMaxWords <= 1 << 10 && kErrorTypeCount + 1 <= 1 << 6);
    const std::uint64_t small = words_.id(record.operation) | std::uint64_t{error_index(record.error)} << 10;
    const std::uint64_t key = pack(model >> 16, model & 0xFFFF, small, static_cast<std::uint16_t>(record.status));
    return cached(errors_, key, [&] {
        return registry_.counter(Family::errors_total, {record.operation, model_name(model), error_label(record.error),
                                                        StatusText(record.status).view()});
    });
}

ViewCounters RequestHandles::resolve_key(std::string_view key, std::string_view team) {
    ViewCounters counters;
    for (std::size_t i = 0; i < counters.outcomes.size(); ++i)
        counters.outcomes[i] = registry_.counter(Family::key_requests_total, {key, team, kViewOutcomes[i]});
    counters.input_tokens = registry_.counter(Family::key_tokens_total, {key, team, "input"});
    counters.output_tokens = registry_.counter(Family::key_tokens_total, {key, team, "output"});
    counters.cost = registry_.counter(Family::key_cost_usd_total, {key, team});
    return counters;
}

ViewCounters RequestHandles::resolve_team(std::string_view team, std::uint32_t model) {
    const std::string_view label = model_name(model);
    ViewCounters counters;
    for (std::size_t i = 0; i < counters.outcomes.size(); ++i)
        counters.outcomes[i] = registry_.counter(Family::team_requests_total, {team, label, kViewOutcomes[i]});
    counters.input_tokens = registry_.counter(Family::team_tokens_total, {team, label, "input"});
    counters.output_tokens = registry_.counter(Family::team_tokens_total, {team, label, "output"});
    counters.cost = registry_.counter(Family::team_cost_usd_total, {team, label});
    return counters;
}

ViewCounters RequestHandles::key(const RequestRecord& record) {
    const std::optional<std::size_t> index = key_index(record);
    if (!index) return resolve_key(kOtherKey, record.team);
    ViewCounters& counters = keys_[*index];
    if (counters.outcomes[0].slot == 0)
        counters = resolve_key(key_label(*vocabulary_, *index), vocabulary_->keys[*index].team);
    return counters;
}

ViewCounters RequestHandles::team(const RequestRecord& record, std::uint32_t model) {
    const std::optional<std::size_t> index = key_index(record);
    if (!index) return resolve_team(record.team, model);
    const auto [entry, fresh] = teams_.try_emplace(std::uint64_t{key_teams_[*index]} << 32 | model);
    if (fresh) entry->second = resolve_team(vocabulary_->keys[*index].team, model);
    return entry->second;
}

PairHandles& RequestHandles::pair(std::uint32_t upstream, std::uint32_t model) {
    const auto [entry, fresh] = pairs_.try_emplace(std::uint64_t{upstream} << 32 | model);
    PairHandles& handles = entry->second;
    if (!fresh) return handles;
    const std::string_view of_model = model_name(model);
    const std::string_view name = upstream_name(upstream);
    handles.duration = registry_.histogram(Family::upstream_request_duration_seconds, {name, of_model});
    handles.first_token = registry_.histogram(Family::upstream_time_to_first_token_seconds, {name, of_model});
    handles.input_tokens = registry_.counter(Family::tokens_total, {of_model, name, "input"});
    handles.output_tokens = registry_.counter(Family::tokens_total, {of_model, name, "output"});
    for (std::size_t i = 0; i < kTokenDetails.size(); ++i)
        handles.details[i] = registry_.counter(Family::token_details_total, {of_model, name, kTokenDetails[i]});
    for (std::size_t i = 0; i < kCostComponents.size(); ++i)
        handles.costs[i] = registry_.counter(Family::cost_usd_total, {of_model, name, kCostComponents[i]});
    return handles;
}

Counter RequestHandles::attempt(const AttemptRecord& attempt, std::uint32_t upstream, std::uint32_t model,
                                bool stream) {
    const bool success = !attempt.cancelled && !attempt.error;
    std::size_t result = attempt.cancelled ? 1 : 2 + error_index(attempt.error);
    if (success) result = 0;
    Counter& counter = pair(upstream, model).attempts[stream ? 1 : 0][result];
    if (counter.slot != 0) return counter;
    std::string_view word = success ? "success" : "error";
    std::string_view error = success ? std::string_view() : error_label(attempt.error);
    if (attempt.cancelled) {
        word = "cancelled";
        error = to_string(ErrorType::caller_cancelled);
    }
    counter = registry_.counter(Family::upstream_attempts_total,
                                {upstream_name(upstream), model_name(model), to_label(stream), word, error});
    return counter;
}

Counter RequestHandles::retry(const AttemptRecord& failed, std::uint32_t upstream) {
    return cached(retries_, pack(0, 0, upstream, error_index(failed.error)), [&] {
        return registry_.counter(Family::upstream_retries_total, {upstream_name(upstream), error_label(failed.error)});
    });
}

Counter RequestHandles::interruption(std::uint32_t upstream, std::string_view side, std::string_view reason) {
    return cached(interruptions_, pack(0, upstream, words_.id(side), words_.id(reason)), [&] {
        return registry_.counter(Family::stream_interruptions_total, {upstream_name(upstream), side, reason});
    });
}

Counter RequestHandles::bypass(std::string_view reason) {
    return cached(bypass_, words_.id(reason), [&] { return registry_.counter(Family::cache_bypass_total, {reason}); });
}

Counter RequestHandles::saved(std::string_view source, std::uint32_t model) {
    return cached(saved_, pack(0, model, words_.id(source), 0),
                  [&] { return registry_.counter(Family::saved_usd_total, {source, model_name(model)}); });
}

Counter RequestHandles::served(std::string_view type, std::uint32_t model) {
    return cached(served_, pack(0, model, words_.id(type), 0),
                  [&] { return registry_.counter(Family::cache_served_tokens_total, {model_name(model), type}); });
}

Counter RequestHandles::usage(std::string_view source, bool stream) {
    return cached(usage_, pack(words_.id(source), stream ? 1 : 0, 0, 0),
                  [&] { return registry_.counter(Family::usage_records_total, {source, to_label(stream)}); });
}

Counter RequestHandles::refused_usage(std::uint32_t upstream) {
    return cached(refused_usage_, upstream,
                  [&] { return registry_.counter(Family::usage_rejected_total, {upstream_name(upstream)}); });
}

Counter RequestHandles::unpriced(std::uint32_t model) {
    return cached(unpriced_, model, [&] {
        return registry_.counter(Family::unpriced_requests_total, {model_name(model), kModelNotInTable});
    });
}

Counter RequestHandles::limit(std::string_view scope, std::string_view name) {
    return cached(limits_, pack(words_.id(scope), words_.id(name), 0, 0),
                  [&] { return registry_.counter(Family::limit_rejections_total, {scope, name, "enforced"}); });
}

} // namespace tollgate::metrics
