#include "policy/ledger/crc32c.hpp"

#include <boost/crc.hpp>

#include <cstring>

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace tollgate::policy::ledger {
namespace {

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) std::uint32_t crc32c_sse42(std::string_view octets) noexcept {
    const char* at = octets.data();
    std::size_t left = octets.size();
    std::uint64_t crc = 0xFFFFFFFFU;
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, at, sizeof word);
        crc = _mm_crc32_u64(crc, word);
    }
    auto narrow = static_cast<std::uint32_t>(crc);
    for (; left > 0; ++at, --left) narrow = _mm_crc32_u8(narrow, static_cast<unsigned char>(*at));
    return ~narrow;
}

const bool has_instruction = __builtin_cpu_supports("sse4.2") != 0;
#endif

} // namespace

std::uint32_t crc32c_portable(std::string_view octets) noexcept {
    boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
    crc.process_bytes(octets.data(), octets.size());
    return crc.checksum();
}

std::uint32_t crc32c(std::string_view octets) noexcept {
#if defined(__x86_64__)
    if (has_instruction) return crc32c_sse42(octets);
#endif
    return crc32c_portable(octets);
}

} // namespace tollgate::policy::ledger
