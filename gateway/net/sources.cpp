#include "gateway/net/sources.hpp"

#include <algorithm>

namespace tollgate::net {

Source source_of(const config::Address& address) noexcept {
    Source out = address.bytes;
    constexpr Source kMapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    if (!std::equal(out.begin(), out.begin() + 12, kMapped.begin())) std::fill(out.begin() + 8, out.end(), 0);
    return out;
}

Sources::Lease::~Lease() {
    if (owner_ == nullptr) return;
    const std::lock_guard lock(owner_->mutex_);
    const auto found = owner_->open_.find(source_);
    if (found != owner_->open_.end() && --found->second == 0) owner_->open_.erase(found);
}

std::optional<Sources::Lease> Sources::enter(const Source& source, unsigned most) {
    const std::lock_guard lock(mutex_);
    unsigned& held = open_[source];
    if (held >= most) {
        if (held == 0) open_.erase(source);
        return std::nullopt;
    }
    ++held;
    return Lease(this, source);
}

std::size_t Sources::size() const {
    const std::lock_guard lock(mutex_);
    return open_.size();
}

} // namespace tollgate::net
