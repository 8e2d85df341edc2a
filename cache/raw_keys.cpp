#include "cache/raw_keys.hpp"

#include "gateway/base/crypto.hpp"

#define XXH_INLINE_ALL // the stream's state is 576 octets, which then stay on the stack
#include <xxhash.h>

#include <utility>

namespace tollgate::cache {
namespace {

constexpr std::size_t kBeside = 256; // octets of a table node, its string's header and its place in the order

std::size_t cost(std::string_view context, std::string_view body) {
    return context.size() + body.size() + kBeside;
}

} // namespace

RawKeys::RawKeys(std::size_t capacity) : capacity_(capacity) {
    crypto::random_bytes(secret_);
}

RawKeys::Digest RawKeys::digest(std::string_view context, std::string_view body) const {
    XXH3_state_t state;
    XXH3_128bits_reset_withSecret(&state, secret_.data(), secret_.size());
    const std::uint64_t length = context.size();
    XXH3_128bits_update(&state, &length, sizeof length);
    XXH3_128bits_update(&state, context.data(), context.size());
    XXH3_128bits_update(&state, body.data(), body.size());
    const XXH128_hash_t hash = XXH3_128bits_digest(&state);
    return {hash.low64, hash.high64};
}

const Key* RawKeys::find(std::string_view context, std::string_view body) const {
    if (context.size() + body.size() > kLongest) return nullptr;
    const auto found = seen_.find(digest(context, body));
    if (found == seen_.end()) return nullptr;
    const std::string_view known = found->second.request;
    const bool same =
        known.size() == context.size() + body.size() && known.starts_with(context) && known.ends_with(body);
    return same ? &found->second.key : nullptr;
}

void RawKeys::remember(std::string_view context, std::string_view body, const Key& key) {
    const std::size_t size = cost(context, body);
    if (context.size() + body.size() > kLongest || size > capacity_) return;
    while (octets_ + size > capacity_) {
        const auto oldest = seen_.find(order_.front());
        octets_ -= oldest->second.request.size() + kBeside;
        seen_.erase(oldest);
        order_.pop_front();
    }
    std::string request;
    request.reserve(context.size() + body.size());
    request += context;
    request += body;
    const Digest hash = digest(context, body);
    if (!seen_.try_emplace(hash, Seen{std::move(request), key}).second) return;
    order_.push_back(hash);
    octets_ += size;
}

} // namespace tollgate::cache
