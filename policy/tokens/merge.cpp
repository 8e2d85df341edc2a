#include "policy/tokens/merge.hpp"

#include <algorithm>
#include <functional>
#include <string>

namespace tollgate::tokens {
namespace {

constexpr std::size_t kShort = 64; // octets up to which a scan of all pairs is faster than the heap

constexpr std::uint64_t entry_of(Rank rank, std::uint32_t at) noexcept {
    return (static_cast<std::uint64_t>(rank) << 32U) | at;
}

} // namespace

void Merger::split_short(std::string_view text, Begins& begins) {
    const auto pair_at = [&](std::size_t i) {
        if (i + 2 >= parts_.size()) return kNoRank;
        return table_.rank_of(text.substr(parts_[i].begin, parts_[i + 2].begin - parts_[i].begin));
    };
    parts_.clear();
    for (std::uint32_t i = 0; i <= text.size(); ++i) parts_.push_back({i, kNoRank});
    for (std::size_t i = 0; i < parts_.size(); ++i) parts_[i].pair = pair_at(i);
    for (;;) {
        const auto best = std::ranges::min_element(parts_, {}, &Part::pair); // the first of several
        if (best->pair == kNoRank) break;
        const auto i = static_cast<std::size_t>(best - parts_.begin());
        parts_.erase(best + 1);
        parts_[i].pair = pair_at(i);
        if (i > 0) parts_[i - 1].pair = pair_at(i - 1);
    }
    begins.clear();
    for (const Part& part : parts_) begins.push_back(part.begin);
}

void Merger::find_pair(std::string_view text, std::uint32_t at) {
    Node& node = nodes_[at];
    node.pair = node.next < text.size() ? table_.rank_of(text.substr(at, nodes_[node.next].next - at)) : kNoRank;
    if (node.pair != kNoRank) heap_.push_back(entry_of(node.pair, at));
}

void Merger::split_long(std::string_view text, Begins& begins) {
    const auto size = static_cast<std::uint32_t>(text.size());
    nodes_.clear();
    heap_.clear();
    for (std::uint32_t i = 0; i < size; ++i) nodes_.push_back({i + 1, i - 1, kNoRank});
    for (std::uint32_t i = 0; i < size; ++i) find_pair(text, i);
    std::ranges::make_heap(heap_, std::greater());
    const auto renew = [&](std::uint32_t at) {
        const std::size_t before = heap_.size();
        find_pair(text, at);
        if (heap_.size() > before) std::ranges::push_heap(heap_, std::greater());
    };
    while (!heap_.empty()) {
        const std::uint64_t least = heap_.front();
        std::ranges::pop_heap(heap_, std::greater());
        heap_.pop_back();
        const auto at = static_cast<std::uint32_t>(least);
        Node& node = nodes_[at];
        if (entry_of(node.pair, at) != least) continue;
        Node& joined = nodes_[node.next];
        joined.pair = kNoRank;
        node.next = joined.next;
        if (node.next < size) nodes_[node.next].previous = at;
        renew(at);
        if (at > 0) renew(node.previous);
    }
    begins.clear();
    for (std::uint32_t i = 0; i < size; i = nodes_[i].next) begins.push_back(i);
    begins.push_back(size);
}

void Merger::split(std::string_view text, Begins& begins) {
    if (text.size() <= kShort) {
        split_short(text, begins);
    } else {
        split_long(text, begins);
    }
}

// Whether merging leaves the boundary between two tokens alone.
bool Merger::stay_apart(std::string_view left, std::string_view right) {
    const std::string joined = std::string(left).append(right);
    split(joined, joint_);
    return joint_.size() == 3 && joint_[1] == left.size();
}

void Merger::append(std::string_view text, std::size_t tokens, std::vector<Rank>* out) const {
    if (out == nullptr) return;
    for (std::size_t i = 0; i < tokens; ++i) {
        out->push_back(table_.rank_of(text.substr(begins_[i], begins_[i + 1] - begins_[i])));
    }
}

// A sequence of tokens is what merging makes of their octets if, and only if, it is so for each two neighbours: the
// first merge across a boundary would also be the first across it with nothing else around, since all merges before it
// stayed within the tokens. So windows are merged alone, the last tokens of each, which the cut may have spoilt, belong
// to the next one, and where the two neighbours at the seam do not stay apart, it moves back. It moves no further than
// half a window, which keeps the time linear; a text that needs more would be a token off there.
std::size_t Merger::merge_windows(std::string_view piece, std::vector<Rank>* out) {
    std::vector<std::size_t> kept; // where the tokens of the window before begin
    std::size_t count = 0, begin = 0, least = 0, back = 1;
    for (;;) {
        const std::string_view window = piece.substr(begin, window_);
        split(window, begins_);
        if (!kept.empty() && kept.size() >= least + back &&
            !stay_apart(piece.substr(kept.back(), begin - kept.back()), window.substr(0, begins_[1]))) {
            begin = kept[kept.size() - back];
            kept.resize(kept.size() - back);
            count -= back;
            if (out != nullptr) out->resize(out->size() - back);
            back *= 2;
            continue;
        }
        const bool last = begin + window.size() == piece.size();
        const std::size_t tokens = begins_.size() - 1;
        const std::size_t keep = last ? tokens : tokens > 2 * margin_ ? tokens - margin_ : (tokens + 1) / 2;
        append(window, keep, out);
        count += keep;
        if (last) return count;
        kept.clear();
        for (std::size_t i = 0; i < keep; ++i) kept.push_back(begin + begins_[i]);
        begin += begins_[keep];
        least = (keep + 1) / 2;
        back = 1;
    }
}

std::size_t Merger::merge(std::string_view piece, std::vector<Rank>* out) {
    if (piece.empty()) return 0;
    if (piece.size() > window_) return merge_windows(piece, out);
    split(piece, begins_);
    append(piece, begins_.size() - 1, out);
    return begins_.size() - 1;
}

} // namespace tollgate::tokens
