#include "policy/limiter.hpp"

#include "gateway/base/text.hpp"
#include "policy/headers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <stdexcept>

namespace tollgate::policy {
namespace {

constexpr std::size_t kScopes = std::tuple_size_v<decltype(Principal::scopes)>;

// What one decision saw: copies of the buckets, so that all the numbers are worked out after the lock is released.
struct Decision {
    std::array<std::optional<TokenBucket>, kScopes> tokens;
    bool admitted = true;
};

std::mutex* org_mutex(const Principal& principal) {
    for (const Scope& scope : principal.scopes) {
        if (scope.requests) return &scope.requests->org->mutex;
    }
    return nullptr;
}

Decision decide(const Principal& principal, TimePoint now, bool take) {
    Decision decision;
    std::mutex* const mutex = org_mutex(principal);
    if (mutex == nullptr) return decision;
    const std::scoped_lock lock(*mutex);
    decision.admitted = std::ranges::all_of(principal.scopes, [&](const Scope& scope) {
        return !scope.requests || scope.requests->tokens.would_admit(now);
    });
    for (std::size_t i = 0; i < kScopes; ++i) {
        if (!principal.scopes[i].requests) continue;
        TokenBucket& tokens = principal.scopes[i].requests->tokens;
        if (take && decision.admitted) tokens.take(now);
        decision.tokens[i] = tokens;
    }
    return decision;
}

LimitView view_of(const Scope& scope, const TokenBucket& tokens, TimePoint now) {
    return {.scope_kind = scope.kind,
            .scope_name = scope.name,
            .limit = tokens.rate(),
            .remaining = tokens.remaining(now),
            .reset = tokens.until_full(now),
            .next = tokens.until_more(now)};
}

// remaining/limit compared without division.
bool tighter(const LimitView& a, const LimitView& b) {
    __extension__ using Wide = unsigned __int128;
    return Wide{a.remaining} * b.limit < Wide{b.remaining} * a.limit;
}

std::optional<LimitView> tightest(const Principal& principal, const Decision& decision, TimePoint now) {
    std::optional<LimitView> best;
    for (std::size_t i = 0; i < kScopes; ++i) {
        if (!decision.tokens[i]) continue;
        const LimitView view = view_of(principal.scopes[i], *decision.tokens[i], now);
        if (!best || tighter(view, *best)) best = view;
    }
    return best;
}

// The scope with the longest wait: any shorter one would send the client back only to be refused by the next scope.
std::size_t denying_scope(const Decision& decision, TimePoint now) {
    std::size_t worst = 0;
    Duration longest{};
    for (std::size_t i = 0; i < kScopes; ++i) {
        const Duration wait = decision.tokens[i] ? decision.tokens[i]->until_next(now) : Duration::zero();
        if (wait <= longest) continue;
        longest = wait;
        worst = i;
    }
    return worst;
}

std::string denial_message(const Scope& scope, const std::string& contact, const TokenBucket& tokens, Duration wait) {
    std::string text = fmt::format("Rate limit reached for {} \"{}\" (requests per minute): limit {}", scope.kind,
                                   scope.name, tokens.rate());
    if (tokens.capacity() != tokens.rate()) text += fmt::format(" (burst {})", tokens.capacity());
    text += fmt::format(", used {}, requested 1. Please try again in ", tokens.capacity());
    append_go_duration(text, wait);
    text += '.';
    if (!contact.empty()) text += fmt::format(" Contact: {}.", contact);
    return text;
}

std::string denial_details(const Scope& scope, const std::string& contact, const TokenBucket& tokens,
                           std::uint64_t retry_after_ms) {
    std::string text = R"("scope":)";
    append_json_string(text, scope.kind);
    text += R"(,"scope_name":)";
    append_json_string(text, scope.name);
    text += fmt::format(R"(,"limit":"rpm","limit_value":{},"remaining":0,"retry_after_ms":{})", tokens.rate(),
                        retry_after_ms);
    if (!contact.empty()) {
        text += R"(,"contact":)";
        append_json_string(text, contact);
    }
    return text;
}

Error denial_error(const Principal& principal, const Scope& scope, const TokenBucket& tokens, TimePoint now) {
    const Duration wait = tokens.until_next(now);
    const auto wait_ms = static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
    const std::string& contact = scope.contact.empty() ? principal.contact : scope.contact;
    Error error;
    error.type = ErrorType::policy_rate_limited;
    error.status = 429;
    error.message = denial_message(scope, contact, tokens, wait);
    error.openai_type = "requests";
    error.code = "rate_limit_exceeded";
    error.retry = Retry::after;
    error.retry_after_ms = wait_ms;
    error.details = denial_details(scope, contact, tokens, wait_ms);
    return error;
}

Admission admission_of(const Principal& principal, const Decision& decision, TimePoint now) {
    Admission admission;
    admission.admitted = decision.admitted;
    if (decision.admitted) {
        admission.tightest = tightest(principal, decision, now);
        return admission;
    }
    const std::size_t i = denying_scope(decision, now);
    admission.tightest = view_of(principal.scopes[i], *decision.tokens[i], now);
    admission.denial = denial_error(principal, principal.scopes[i], *decision.tokens[i], now);
    return admission;
}

// The registered object if it still lives.
template <class Map>
auto find_live(const Map& map, const typename Map::key_type& key) {
    const auto found = map.find(key);
    return found == map.end() ? nullptr : found->second.lock();
}

} // namespace

std::shared_ptr<Bucket> Limiter::bucket(const std::string& org, const std::string& kind, const std::string& name,
                                        const config::Limits& limits, TimePoint now) {
    if (!limits.rpm) throw std::invalid_argument(fmt::format("{} \"{}\" has no requests-per-minute limit", kind, name));
    const std::uint64_t rate = *limits.rpm;
    const std::uint64_t capacity = limits.burst.value_or(rate);
    const std::scoped_lock registry(registry_mutex_);
    ScopeKey key(org, kind, name);
    if (const std::shared_ptr<Bucket> known = find_live(buckets_, key)) {
        const std::scoped_lock lock(known->org->mutex);
        known->tokens.reconfigure(rate, capacity, now);
        return known;
    }
    prune();
    std::shared_ptr<OrgMutex> mutex = find_live(orgs_, org);
    if (!mutex) {
        mutex = std::make_shared<OrgMutex>();
        orgs_[org] = mutex;
    }
    auto made = std::make_shared<Bucket>(std::move(mutex), TokenBucket(rate, capacity, now));
    buckets_[std::move(key)] = made;
    return made;
}

// Doubling keeps a load of n keys at O(n log n).
void Limiter::prune() {
    if (buckets_.size() < prune_at_) return;
    const auto dead = [](const auto& entry) { return entry.second.expired(); };
    std::erase_if(buckets_, dead);
    std::erase_if(orgs_, dead);
    prune_at_ = std::max<std::size_t>(64, 2 * buckets_.size());
}

Admission Limiter::admit(const Principal& principal, TimePoint now) {
    return admission_of(principal, decide(principal, now, true), now);
}

Admission Limiter::peek(const Principal& principal, TimePoint now) const {
    return admission_of(principal, decide(principal, now, false), now);
}

} // namespace tollgate::policy
