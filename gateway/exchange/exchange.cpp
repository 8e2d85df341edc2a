#include "gateway/exchange/exchange.hpp"

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
