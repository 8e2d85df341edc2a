#include "metrics/request_metrics.hpp"

#include "metrics/request_handles.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::metrics {

struct RequestMetrics::Impl {
    Impl(Registry& registry, Shard own_shard) : handles(registry), shard(std::move(own_shard)) {}

    void count_operation(const RequestRecord& record, std::uint32_t model);
    void count_principal(const RequestRecord& record, std::uint32_t model);
    void count_view(const RequestRecord& record, const ViewCounters& view);
    void count_usage(const RequestRecord& record, const PairHandles& pair);
    void count_attempts(const RequestRecord& record, std::uint32_t model);
    void count_interruption(const RequestRecord& record);

    RequestHandles handles;
    Shard shard;
};

namespace {

std::size_t attempts_of(const RequestRecord& record) {
    return std::min(record.attempt_count, kMaxAttempts);
}

// Whose end of the stream gave up; empty if the outcome is no interruption.
std::string_view interrupted_side(Outcome outcome) {
    switch (outcome) {
    case Outcome::client_cancelled: return "client";
    case Outcome::upstream_error: return "upstream";
    case Outcome::gateway_error: return "gateway";
    case Outcome::success:
    case Outcome::client_error:
    case Outcome::rejected: return {};
    }
    return {};
}

// Of the tokens after the first; of a stream that an own call has made and that came to its end.
std::optional<Duration> time_per_token(const RequestRecord& record) {
    const std::uint64_t tokens = record.output_tokens.value_or(0);
    if (!record.stream || !record.first_token || tokens < 2 || record.outcome != Outcome::success ||
        attempts_of(record) == 0)
        return std::nullopt;
    const Duration rest = std::max(record.total - *record.first_token, Duration::zero());
    return rest / static_cast<std::int64_t>(std::min<std::uint64_t>(tokens - 1, 1'000'000'000));
}

} // namespace

void RequestMetrics::Impl::count_operation(const RequestRecord& record, std::uint32_t model) {
    const OperationHandles& operation = handles.operation(record.operation);
    shard.add(operation.in_flight, -1);
    shard.observe(operation.request_body, record.bytes_in);
    shard.observe(operation.response_body, record.bytes_out);
    shard.observe(operation.overhead[record.stream ? 1 : 0],
                  std::max(record.total - record.upstream, Duration::zero()));
    shard.add(operation.clients[static_cast<std::size_t>(parse_user_agent(record.user_agent).family)]);
    if (record.max_gap) shard.observe(operation.max_gap, *record.max_gap);

    const ModelHandles& of_model = handles.model(record.operation, model, record.stream);
    shard.add(of_model.outcomes[static_cast<std::size_t>(record.outcome)]);
    shard.observe(of_model.duration, record.total);
    if (record.stream && record.first_token) shard.observe(of_model.first_token, *record.first_token);
    if (const auto each = time_per_token(record)) shard.observe(of_model.per_token, *each);
    if (attempts_of(record) != 0) {
        if (record.input_tokens) shard.observe(of_model.input_tokens, *record.input_tokens);
        if (record.output_tokens) shard.observe(of_model.output_tokens, *record.output_tokens);
        if (record.cost) shard.observe(of_model.cost, *record.cost);
    }
    if (record.outcome != Outcome::success) shard.add(handles.error(record, model));
}

void RequestMetrics::Impl::count_principal(const RequestRecord& record, std::uint32_t model) {
    if (record.key_id.empty()) return;
    count_view(record, handles.key(record));
    count_view(record, handles.team(record, model));
}

void RequestMetrics::Impl::count_view(const RequestRecord& record, const ViewCounters& view) {
    shard.add(view.outcomes[static_cast<std::size_t>(view_outcome(record.outcome))]);
    if (attempts_of(record) == 0) return; // a hit's tokens were billed once before
    shard.add(view.input_tokens, record.input_tokens.value_or(0));
    shard.add(view.output_tokens, record.output_tokens.value_or(0));
    shard.add(view.cost, record.cost.value_or(0));
}

void RequestMetrics::Impl::count_usage(const RequestRecord& record, const PairHandles& pair) {
    if (record.input_tokens) shard.add(pair.input_tokens, *record.input_tokens);
    if (record.output_tokens) shard.add(pair.output_tokens, *record.output_tokens);
    for (std::size_t i = 0; i < pair.details.size(); ++i) {
        if (record.token_details[i] != 0) shard.add(pair.details[i], record.token_details[i]);
    }
    for (std::size_t i = 0; i < pair.costs.size(); ++i) {
        if (record.cost_components[i] != 0) shard.add(pair.costs[i], record.cost_components[i]);
    }
}

void RequestMetrics::Impl::count_attempts(const RequestRecord& record, std::uint32_t model) {
    const std::size_t count = attempts_of(record);
    for (std::size_t i = 0; i < count; ++i) {
        const AttemptRecord& attempt = record.attempts[i];
        const std::uint32_t upstream = handles.upstream_index(attempt);
        shard.add(handles.attempt(attempt, upstream, model, record.stream));
        const bool last = i + 1 == count;
        if (!last) shard.add(handles.retry(attempt, upstream));
        const PairHandles& pair = handles.pair(upstream, model);
        shard.observe(pair.duration, attempt.duration);
        if (record.stream && attempt.first_token) shard.observe(pair.first_token, *attempt.first_token);
        if (last) count_usage(record, pair);
    }
    if (record.unpriced) shard.add(handles.unpriced(model));
}

// A stream that broke after its 2xx head: the status alone would call it a success.
void RequestMetrics::Impl::count_interruption(const RequestRecord& record) {
    const std::size_t count = attempts_of(record);
    const std::string_view side = interrupted_side(record.outcome);
    if (!record.stream || record.status / 100 != 2 || side.empty() || count == 0) return;
    std::string_view reason = record.error ? to_string(*record.error) : kUnclassified;
    if (record.outcome == Outcome::client_cancelled) reason = to_string(ErrorType::caller_cancelled);
    shard.add(handles.interruption(handles.upstream_index(record.attempts[count - 1]), side, reason));
}

RequestMetrics::RequestMetrics(Registry& registry, Shard shard)
    : impl_(std::make_unique<Impl>(registry, std::move(shard))) {}
RequestMetrics::~RequestMetrics() = default;

void RequestMetrics::use(std::shared_ptr<const Vocabulary> vocabulary) {
    impl_->handles.use(std::move(vocabulary));
}

void RequestMetrics::started(std::string_view operation) {
    if (!operation.empty()) impl_->shard.add(impl_->handles.operation(operation).in_flight, 1);
}

void RequestMetrics::record(const RequestRecord& record) {
    impl_->shard.add(impl_->handles.http(record));
    if (record.operation.empty()) return;
    const std::uint32_t model = impl_->handles.model_index(record);
    impl_->count_operation(record, model);
    impl_->count_principal(record, model);
    impl_->count_attempts(record, model);
    impl_->count_interruption(record);
    if (record.cache == CacheResult::bypass && !record.cache_reason.empty()) {
        impl_->shard.add(impl_->handles.bypass(record.cache_reason));
    }
    if (record.saved_nano != 0) {
        const bool own = record.cache == CacheResult::hit || record.cache == CacheResult::stale;
        impl_->shard.add(impl_->handles.saved(own ? "cache_exact" : "coalesced", model), record.saved_nano);
    }
    if (record.served_input != 0) impl_->shard.add(impl_->handles.served("input", model), record.served_input);
    if (record.served_output != 0) impl_->shard.add(impl_->handles.served("output", model), record.served_output);
    if (!record.limit_scope.empty()) impl_->shard.add(impl_->handles.limit(record.limit_scope, record.limit_name));
}

void RequestMetrics::record_attempts(const RequestRecord& record) {
    impl_->count_attempts(record, impl_->handles.model_index(record));
}

void RequestMetrics::used(const RequestRecord& record) {
    if (record.operation.empty()) return;
    if (!record.usage_source.empty()) impl_->shard.add(impl_->handles.usage(record.usage_source, record.stream));
    const std::size_t count = attempts_of(record);
    if (record.usage_refused && count != 0)
        impl_->shard.add(impl_->handles.refused_usage(impl_->handles.upstream_index(record.attempts[count - 1])));
}

Shard& RequestMetrics::shard() noexcept {
    return impl_->shard;
}

} // namespace tollgate::metrics
