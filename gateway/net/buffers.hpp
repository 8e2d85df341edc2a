// Memory for octets in flight: a pool of 16 KiB blocks per worker, and a short gather list for writes.
#pragma once

#include <boost/asio/buffer.hpp>

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace tollgate::net {

namespace asio = boost::asio;

inline constexpr std::size_t kBlockSize = 16 * 1024;
inline constexpr std::size_t kMaxChannelBuffer = 64 * 1024; // heads above a block grow up to this, never beyond

// Per worker, not thread-safe. Keeps at most kKeep free blocks.
class BlockPool {
  public:
    using Block = std::unique_ptr<char[]>;
    [[nodiscard]] Block get();
    void put(Block block);
    void trim() { free_.clear(); } // frees what is not in use

  private:
    static constexpr std::size_t kKeep = 256;
    std::vector<Block> free_;
};

// Up to eight pieces that leave in one writev. Views only: what they point to must outlive the write.
class Gather {
  public:
    void add(std::string_view piece) {
        if (!piece.empty()) pieces_[count_++] = asio::const_buffer(piece.data(), piece.size());
    }
    // Drops the first n octets, which have been written.
    void advance(std::size_t n);
    [[nodiscard]] bool empty() const noexcept { return first_ == count_; }
    [[nodiscard]] std::span<const asio::const_buffer> buffers() const noexcept {
        return {pieces_.data() + first_, count_ - first_};
    }
    [[nodiscard]] std::size_t size() const noexcept;

  private:
    std::array<asio::const_buffer, 8> pieces_;
    std::size_t first_ = 0;
    std::size_t count_ = 0;
};

} // namespace tollgate::net
