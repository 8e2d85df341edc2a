#include "gateway/exchange/exchange.hpp"

#include "gateway/base/text.hpp"

#include <unistd.h>

namespace tollgate::exchange {

bool HeldBytes::grow_to(std::uint64_t bytes, std::uint64_t cap) {
    if (bytes <= mine_) return true;
    const std::uint64_t more = bytes - mine_;
    if (total_.fetch_add(more, std::memory_order_relaxed) + more > cap) {
        total_.fetch_sub(more, std::memory_order_relaxed);
        return false;
    }
    mine_ = bytes;
    return true;
}

HeldBody::~HeldBody() {
    if (file >= 0) ::close(file);
}

CacheControl parse_cache_control(std::string_view value) {
    CacheControl control;
    while (!value.empty()) {
        const std::size_t comma = value.find(',');
        const auto directive = trim(value.substr(0, comma));
        const std::size_t equals = directive.find('=');
        const auto name = trim(directive.substr(0, equals));
        auto argument = equals == std::string_view::npos ? std::string_view() : trim(directive.substr(equals + 1));
        if (argument.size() >= 2 && argument.front() == '"' && argument.back() == '"')
            argument = argument.substr(1, argument.size() - 2);
        if (iequals(name, "no-store"))
            control.no_store = true;
        else if (iequals(name, "no-cache"))
            control.no_cache = true;
        else if (iequals(name, "only-if-cached"))
            control.only_if_cached = true;
        else if (iequals(name, "max-age"))
            control.max_age = parse_decimal(argument);
        else if (iequals(name, "min-fresh"))
            control.min_fresh = parse_decimal(argument);
        if (comma == std::string_view::npos) break;
        value.remove_prefix(comma + 1);
    }
    return control;
}

Error holds_too_much() {
    return Error{
        .type = ErrorType::gateway_overloaded,
        .status = 503,
        .message = "The gateway holds as many octets of requests and answers as it may. Please try again in a moment.",
        .openai_type = "server_error",
        .retry = Retry::after,
        .retry_after_ms = 1000,
        .close = true};
}

Error shutdown_error() {
    return Error{.type = ErrorType::gateway_shutdown,
                 .status = 503,
                 .message = "The gateway stopped before the answer was complete. Please repeat the request.",
                 .openai_type = "server_error",
                 .retry = Retry::after,
                 .retry_after_ms = 1000,
                 .close = true};
}

} // namespace tollgate::exchange
