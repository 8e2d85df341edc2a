#include "gateway/base/request_id.hpp"

#include "gateway/base/crypto.hpp"

#include <bit>

namespace tollgate {
namespace {

constexpr std::string_view kPrefix = "req_";
constexpr char kCrockford[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

} // namespace

RequestIds::RequestIds() {
    crypto::random_bytes({reinterpret_cast<std::uint8_t*>(state_), sizeof state_});
    state_[0] |= 1; // xoshiro's state must not be all zero
}

RequestId RequestIds::next(WallTime now) noexcept {
    const auto random = [this] { // xoshiro256++
        const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
        const std::uint64_t t = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= t;
        state_[3] = std::rotl(state_[3], 45);
        return result;
    };
    const auto ms = static_cast<std::uint64_t>(
        std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count());
    const std::uint64_t high = (ms << 16) | 0x7000 | (random() & 0x0FFF); // RFC 9562 §5.7: time, version 7
    const std::uint64_t low = (random() & 0x3FFFFFFFFFFFFFFFULL) | 0x8000000000000000ULL; // variant 10
    __extension__ using Wide = unsigned __int128;
    Wide value = (static_cast<Wide>(high) << 64) | low;
    RequestId id;
    for (std::size_t i = id.text_.size(); i-- > kPrefix.size();) {
        id.text_[i] = kCrockford[static_cast<std::size_t>(value & 31)];
        value >>= 5;
    }
    kPrefix.copy(id.text_.data(), kPrefix.size());
    return id;
}

std::optional<WallTime> made_at(std::string_view id) noexcept {
    if (id.size() != RequestId{}.view().size() || !id.starts_with(kPrefix)) return std::nullopt;
    id.remove_prefix(kPrefix.size());
    constexpr std::string_view kDigits(kCrockford, sizeof kCrockford - 1);
    std::uint64_t value = 0; // the upper 50 of 130 bits: two of none, 48 of the time
    for (const char c : id.substr(0, 10)) {
        const std::size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        value = value << 5U | digit;
    }
    return WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::milliseconds(value)));
}

} // namespace tollgate
