#include "gateway/net/ticket_keys.hpp"

#include "gateway/base/crypto.hpp"

#include <openssl/crypto.h>

#include <algorithm>

namespace tollgate::net {
namespace {

template <class Held>
void forget(std::optional<Held>& held) noexcept {
    if (held) OPENSSL_cleanse(&held->key, sizeof held->key);
    held.reset();
}

} // namespace

TicketKeys::~TicketKeys() {
    forget(current_);
    forget(previous_);
}

// With the lock held. Afterwards there is a current key, and none older than twice its time of use.
void TicketKeys::rotate(TimePoint now) {
    if (current_ && now < current_->made + kInUse) return;
    const bool recent = current_ && now < current_->made + 2 * kInUse;
    forget(previous_);
    if (recent) previous_ = current_;
    forget(current_);
    Held& fresh = current_.emplace();
    fresh.made = now;
    crypto::random_bytes(fresh.key.name);
    crypto::random_bytes(fresh.key.cipher);
    crypto::random_bytes(fresh.key.mac);
}

TicketKeys::Key TicketKeys::current(TimePoint now) {
    const std::lock_guard lock(mutex_);
    rotate(now);
    return current_->key;
}

std::optional<TicketKeys::Found> TicketKeys::find(std::span<const std::uint8_t, kNameSize> name, TimePoint now) {
    const std::lock_guard lock(mutex_);
    rotate(now);
    const auto is_it = [&](const std::optional<Held>& held) {
        return held && std::ranges::equal(held->key.name, name);
    };
    if (is_it(current_)) return Found{current_->key, false};
    if (is_it(previous_) && now < previous_->made + 2 * kInUse) return Found{previous_->key, true};
    return std::nullopt;
}

} // namespace tollgate::net
