// Records with every field set, for the ledger's tests.
#pragma once

#include "policy/ledger/record.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::policy::ledger {

inline constexpr std::int64_t kSecond = 1'000'000;
inline constexpr std::int64_t kNoon = 1'790'942'400 * kSecond; // 2026-10-02T12:00:00Z

inline Admit an_admit(std::string_view id, std::int64_t at_us = kNoon) {
    Admit admit;
    admit.request_id = id;
    admit.at_us = at_us;
    admit.reserved_tokens = 4'096;
    admit.reserved_nano = 9'000'000;
    admit.org = "default";
    admit.team = "search";
    admit.key = "k_demo";
    admit.provider = "openai";
    admit.operation = "chat";
    admit.price_version = "2026-10-01";
    admit.model = "gpt-4o-mini";
    admit.periods.ids = {"key:k_demo:UTC:day:2026-10-02", "team:search:Europe/Berlin:month:2026-10"};
    admit.periods.count = 2;
    return admit;
}

inline Settle a_settle(std::string_view id, std::int64_t admitted_us = kNoon, std::int64_t nano = 2'310'000) {
    Settle settle;
    settle.request_id = id;
    settle.admitted_us = admitted_us;
    settle.at_us = admitted_us + 1'840'000;
    settle.outcome = "success";
    settle.cache = "none";
    settle.client = "openai-python";
    settle.config_hash = "9f3c1a";
    settle.price_source = "table";
    settle.provider = "azure";
    settle.http_status = 200;
    settle.stream = true;
    settle.usage_source = UsageSource::upstream;
    settle.tokens.in = 812;
    settle.tokens.out = 164;
    settle.tokens.cache_read = 512;
    settle.tokens.reasoning = 0;
    settle.cost.total = nano;
    settle.cost.in = nano / 2;
    settle.cost.out = nano - nano / 2;
    settle.saved_nano = 0;
    settle.ttft_us = 402'000;
    settle.queue_us = 0;
    settle.duration_us = 1'840'000;
    settle.upstream_model = "gpt-4o-mini-2024-07-18";
    settle.response_model = "gpt-4o-mini-2024-07-18";
    settle.upstream_request_id = "req_9";
    settle.client_request_id = "abc-42";
    settle.trace_id = "4bf92f3577b34da6a3ce929d0e0e4736";
    settle.attempt_count = 2;
    settle.attempts.count = 2;
    settle.attempts.each[0].upstream = "openai";
    settle.attempts.each[0].error_type = "provider_rate_limited";
    settle.attempts.each[0].start_us = admitted_us;
    settle.attempts.each[0].duration_us = 210'000;
    settle.attempts.each[0].status = 429;
    settle.attempts.each[1].upstream = "azure";
    settle.attempts.each[1].start_us = admitted_us + 220'000;
    settle.attempts.each[1].duration_us = 1'611'000;
    settle.attempts.each[1].ttft_us = 180'000;
    settle.attempts.each[1].status = 200;
    settle.attempts.each[1].in_tokens = 812;
    settle.attempts.each[1].out_tokens = 164;
    settle.attempts.each[1].cost_nano = nano;
    return settle;
}

inline Progress a_progress(std::string_view id, std::int64_t at_us, std::int64_t out_tokens) {
    return {
        .request_id = id, .at_us = at_us, .in_tokens = 800, .out_tokens = out_tokens, .cost_nano = out_tokens * 600};
}

inline Served a_served(std::string_view id, std::int64_t saved, std::int64_t started_us = kNoon) {
    Served served;
    served.request_id = id;
    served.started_us = started_us;
    served.duration_us = 120;
    served.org = "default";
    served.team = "red";
    served.key = "k_red1";
    served.operation = "chat";
    served.cache = "hit";
    served.provider = "openai";
    served.model = "gpt-4o-mini";
    served.http_status = 200;
    served.saved_nano = saved;
    return served;
}

inline Adjust an_adjust(std::string_view id, std::int64_t nano, std::int64_t at_us = kNoon) {
    return {.id = id,
            .at_us = at_us,
            .org = "default",
            .team = "search",
            .key = "k_demo",
            .nano = nano,
            .reason = "provider invoice",
            .actor = "ops"};
}

template <class R>
std::string frame_of(const R& record) {
    FrameBuffer buffer;
    return std::string(encode(record, buffer));
}

inline std::uint64_t hash_of(std::string_view id) {
    return std::hash<std::string_view>{}(id);
}

} // namespace tollgate::policy::ledger
