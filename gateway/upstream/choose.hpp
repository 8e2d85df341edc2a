// Which candidate is tried next. Pure: randomness is an argument.
#pragma once

#include "gateway/api/route.hpp"
#include "gateway/upstream/catalog.hpp"

#include <cstdint>
#include <vector>

namespace tollgate::upstream {

// Whether this request is turned into a chat request, and its answer back: legacy completions at a `via: chat` upstream
// are the only ones. A null candidate, of a route without a model, turns nothing.
[[nodiscard]] inline bool turns_to_chat(const api::Route& route, const Candidate* candidate) noexcept {
    return candidate != nullptr && candidate->via_chat && route.upstream == "/completions";
}

// A `via: chat` upstream is a chat model: beside legacy completions it serves chat as it is, and nothing else.
[[nodiscard]] inline bool can_serve(const api::Route& route, const Candidate& candidate) noexcept {
    return !candidate.via_chat || turns_to_chat(route, &candidate) || route.upstream == "/chat/completions";
}

// All candidates in the order they are to be tried: lower `order` first, within an order by weighted chance.
// `random` is called once per candidate.
template <class Random>
[[nodiscard]] std::vector<const Candidate*> try_order(const std::vector<Candidate>& candidates, Random&& random) {
    std::vector<const Candidate*> order;
    order.reserve(candidates.size());
    for (const Candidate& candidate : candidates) order.push_back(&candidate);
    for (std::size_t begin = 0; begin < order.size(); ++begin) {
        std::uint64_t total = 0;
        std::size_t end = begin;
        for (; end < order.size() && order[end]->order == order[begin]->order; ++end) total += order[end]->weight;
        if (end - begin < 2 || total == 0) continue;
        std::uint64_t ticket = random() % total;
        std::size_t pick = begin;
        while (ticket >= order[pick]->weight) ticket -= order[pick++]->weight;
        std::swap(order[begin], order[pick]);
    }
    return order;
}

} // namespace tollgate::upstream
