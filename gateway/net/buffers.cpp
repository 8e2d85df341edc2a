#include "gateway/net/buffers.hpp"

#include <algorithm>

namespace tollgate::net {

BlockPool::Block BlockPool::get() {
    if (free_.empty()) return std::make_unique_for_overwrite<char[]>(kBlockSize);
    Block block = std::move(free_.back());
    free_.pop_back();
    return block;
}

void BlockPool::put(Block block) {
    if (block && free_.size() < kKeep) free_.push_back(std::move(block));
}

void Gather::advance(std::size_t n) {
    while (n > 0 && first_ < count_) {
        asio::const_buffer& piece = pieces_[first_];
        const std::size_t step = std::min(n, piece.size());
        piece += step;
        n -= step;
        if (piece.size() == 0) ++first_;
    }
}

std::size_t Gather::size() const noexcept {
    std::size_t total = 0;
    for (const auto& piece : buffers()) total += piece.size();
    return total;
}

} // namespace tollgate::net
