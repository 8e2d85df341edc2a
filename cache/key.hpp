// The canonical cache key (design §10; limits-cache §3.1): equal meaning, equal key; any other difference, another key.
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/crypto.hpp"

#include <expected>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::cache {

struct KeyParts {
    std::string_view scope;    // tenant scope first: "team:search"
    std::string_view space;    // a part of that scope, named by the request; empty: all of it
    std::string_view endpoint; // operation path: "/chat/completions"
    std::string_view identity; // resolved model identity: "openai/gpt-4o-mini"
    std::string_view headers;  // canonical semantic headers: "openai-beta=a,b\n"
};

// RFC 8785 style: members sorted by UTF-16 code unit, minimal escapes, numbers by value (1 = 1.0 = 1e0), integers
// beyond 2^53 verbatim. Top-level members on the deny-list (stream, stream_options, user, metadata, store,
// safety_identifier, prompt_cache_key, prompt_cache_options, prompt_cache_retention, service_tier, model) are left
// out; every other member, known or not, is in. The body is already validated JSON without duplicate keys.
// `also` are left out too. `readable`: octets from body.data() on that may be read, such as a string's capacity; a body
// with less than 64 of them behind it is copied. Error: a reason why it cannot be canonicalised.
[[nodiscard]] std::expected<std::string, std::string>
canonical_json(std::string_view body, std::span<const std::string_view> also = {}, std::size_t readable = 0);

// The parts as one text, unambiguous; with the body's own octets it names a request (RawKeys).
[[nodiscard]] std::string context_of(const KeyParts& parts);

// HMAC over the length-prefixed tuple. `mac` is the worker's context keyed with HKDF(master, "cache-mac/v1").
[[nodiscard]] Key make_key(crypto::Hmac& mac, const KeyParts& parts, std::string_view canonical_body);

} // namespace tollgate::cache
