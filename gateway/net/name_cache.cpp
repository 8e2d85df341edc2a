#include "gateway/net/name_cache.hpp"

#include <algorithm>
#include <utility>

namespace tollgate::net {
namespace {

const AddressesPtr& nothing() {
    static const AddressesPtr kNothing = std::make_shared<const Addresses>();
    return kNothing;
}

} // namespace

NameCache::Found NameCache::find(const std::string& host, TimePoint now) const {
    const auto found = names_.find(host);
    if (found == names_.end()) return {nothing(), Need::look_up};
    const Known& known = found->second;
    const bool usable = !known.addresses->empty() && now < known.succeeded + kLastGood;
    const AddressesPtr& addresses = usable ? known.addresses : nothing();
    if (now < known.not_before) return {addresses, Need::nothing};
    const bool at_once = usable && now < known.succeeded + kWhileRefreshing;
    return {addresses, at_once ? Need::refresh : Need::look_up};
}

AddressesPtr NameCache::learn(const std::string& host, Addresses answer, TimePoint now) {
    if (!names_.contains(host)) make_room();
    Known& known = names_.try_emplace(host, Known{nothing(), now, now}).first->second;
    if (answer.empty()) {
        known.not_before = now + kFailure;
        return now < known.succeeded + kLastGood ? known.addresses : nothing();
    }
    if (answer.size() > kMaxAddresses) answer.resize(kMaxAddresses);
    known = Known{std::make_shared<const Addresses>(std::move(answer)), now, now + kFresh};
    return known.addresses;
}

// Names come from the configuration, so this is reached by nobody who means well; the stalest goes.
void NameCache::make_room() {
    if (names_.size() < kMaxNames) return;
    names_.erase(std::ranges::min_element(names_, {}, [](const auto& entry) { return entry.second.not_before; }));
}

} // namespace tollgate::net
