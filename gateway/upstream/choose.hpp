// Which candidate is tried next. Pure: randomness is an argument.
#pragma once

#include "gateway/upstream/catalog.hpp"

#include <cstdint>
#include <vector>

namespace tollgate::upstream {

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
