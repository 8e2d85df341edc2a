// What the key of a request is made of, and what was purged of it.
#pragma once

#include "cache/key.hpp"
#include "gateway/exchange/exchange.hpp"

#include <string>
#include <string_view>

namespace tollgate::exchange {

// Everything but the body. Owns what KeyParts only views; `endpoint` views into the route.
struct RequestKey {
    std::string scope, space, identity, headers;
    std::string_view endpoint;
    [[nodiscard]] cache::KeyParts parts() const noexcept;
};
[[nodiscard]] RequestKey request_key(const Exchange& ex, std::string_view space);

[[nodiscard]] bool is_purged(const Exchange& ex, const cache::Key& key, const cache::Entry& entry);

} // namespace tollgate::exchange
