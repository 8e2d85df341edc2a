#include "policy/quota/counter_store.hpp"

#include <bit>
#include <cstring>
#include <stdexcept>

namespace tollgate::policy::quota {

ReservationId::ReservationId(std::string_view text) {
    if (text.empty() || text.size() > sizeof words_) throw std::invalid_argument("a reservation id has 1 to 32 octets");
    std::memcpy(words_.data(), text.data(), text.size());
}

std::string_view ReservationId::view() const noexcept {
    const char* const text = reinterpret_cast<const char*>(words_.data());
    return {text, strnlen(text, sizeof words_)};
}

// Ids are ours, not the client's: spreading them is enough.
std::size_t ReservationId::hash() const noexcept {
    std::uint64_t hash = 0;
    for (const std::uint64_t word : words_) hash = (std::rotl(hash, 23) ^ word) * 0x9e37'79b9'7f4a'7c15U;
    return hash ^ (hash >> 32);
}

} // namespace tollgate::policy::quota
