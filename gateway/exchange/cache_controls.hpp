// What a request says about caching, and what that means for one entry. Pure; time is an argument.
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/time.hpp"
#include "gateway/http/message.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::exchange {

// RFC 9111 §5.2.1 and RFC 5861, as far as they are honoured, our own fields, and those of other gateways, which mean
// the same. Nothing here can widen what the configuration allows. Numbers are seconds.
struct CacheControl {
    bool no_store = false, no_cache = false, only_if_cached = false;
    bool keep_nothing = false; // what is there is served, what comes is not kept
    std::optional<std::uint64_t> max_age, min_fresh;
    std::optional<std::uint64_t> max_stale; // the largest number if the directive had no argument
    std::optional<std::uint64_t> stale_while_revalidate, stale_if_error;
    std::optional<std::uint64_t> ttl; // neither served nor kept for longer
    std::string tags;                 // to purge the answer by, one a line
    std::string space;                // a part of the caller's own scope; empty: all of it
};

// The value of Cache-Control alone.
[[nodiscard]] CacheControl parse_cache_control(std::string_view value);
// All fields of a head. Of two that contradict each other the stricter counts.
[[nodiscard]] CacheControl read_cache_controls(std::span<const http::Field> fields);

// How long after its TTL an answer may still be served.
struct StaleRules {
    std::chrono::milliseconds while_revalidate{}, if_error{};
    [[nodiscard]] std::chrono::milliseconds longest() const noexcept { return std::max(while_revalidate, if_error); }
};
// The request's own wishes, as far as the rules go.
[[nodiscard]] StaleRules narrowed(StaleRules rules, const CacheControl& control) noexcept;

enum class Fit : std::uint8_t {
    fresh,
    stale,   // the client takes it as it is
    renew,   // served while one call in the background renews it
    refused, // good, but not for this request
    expired,
};
// `rules` are narrowed already.
[[nodiscard]] Fit judge(const cache::Entry& entry, const CacheControl& control, StaleRules rules, WallTime now);
// Whether it may be served because no provider answers.
[[nodiscard]] bool serves_for_error(const cache::Entry& entry, const CacheControl& control, StaleRules rules,
                                    WallTime now);

} // namespace tollgate::exchange
