// What the key of a request is made of, and what was purged of it.
#pragma once

#include "cache/key.hpp"
#include "gateway/exchange/exchange.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace tollgate::exchange {

// Everything but the body. Owns what KeyParts only views; `endpoint` views into the route.
struct RequestKey {
    std::string scope, space, identity, headers;
    std::string_view endpoint;
    [[nodiscard]] cache::KeyParts parts() const noexcept;
};
struct KeySubject {
    config::CacheScope scope;
    const policy::Principal& principal;
    const api::Route& route;
    const upstream::Model& model;
    bool wildcard = false;
    std::string_view model_name, beta{}, query{}; // beta: OpenAI-Beta
};
[[nodiscard]] RequestKey request_key(const KeySubject& subject, std::string_view space);
[[nodiscard]] RequestKey request_key(const Exchange& ex, std::string_view space);

// Of every input of an embeddings request: what all of them share, and it. Empty: there is no canonical form.
[[nodiscard]] std::vector<cache::Key> item_keys(crypto::Hmac& mac, const RequestKey& request, std::string_view body,
                                                const api::EmbeddingInputs& inputs);

[[nodiscard]] bool is_purged(const Exchange& ex, const cache::Key& key, const cache::Entry& entry);

} // namespace tollgate::exchange
