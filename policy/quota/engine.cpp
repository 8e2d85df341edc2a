#include "policy/quota/engine.hpp"

#include <algorithm>
#include <iterator>

namespace tollgate::policy::quota {

ScopeHandle Engine::define(const std::string& org, ScopeSpec spec, Moment now) {
    LocalStore* store = nullptr;
    {
        const std::scoped_lock lock(mutex_);
        std::unique_ptr<LocalStore>& place = stores_[org];
        if (!place) place = std::make_unique<LocalStore>();
        store = place.get();
    }
    return store->define(std::move(spec), now);
}

LocalStore* Engine::store(const std::string& org) {
    const std::scoped_lock lock(mutex_);
    const auto found = stores_.find(org);
    return found == stores_.end() ? nullptr : found->second.get();
}

Admission Engine::admit(const AdmitCommand& command, std::uint64_t price_version) {
    Admission admission;
    if (command.scopes.empty()) {
        admission.reply.reserved = command.ask.upper;
        return admission;
    }
    LocalStore& store = command.scopes.front()->store;
    admission.reply = store.admit(command);
    if (admission.reply.admitted && !admission.reply.duplicate)
        admission.reservation = Reservation(store, command.id, admission.reply.reserved, price_version);
    return admission;
}

AdmitReply Engine::peek(std::span<const ScopeHandle> scopes, const Ask& ask, Moment now) {
    if (scopes.empty()) return {};
    return scopes.front()->store.peek(scopes, ask, now);
}

ReapReply Engine::reap(Moment now) {
    std::vector<LocalStore*> stores;
    {
        const std::scoped_lock lock(mutex_);
        for (const auto& [org, store] : stores_) stores.push_back(store.get());
    }
    ReapReply all;
    for (LocalStore* const store : stores) {
        ReapReply one = store->reap(now);
        std::ranges::move(one.ids, std::back_inserter(all.ids));
        std::ranges::move(one.crossings, std::back_inserter(all.crossings));
    }
    return all;
}

} // namespace tollgate::policy::quota
