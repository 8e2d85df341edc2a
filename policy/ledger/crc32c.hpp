// CRC-32C (Castagnoli; RFC 3720 §12.1, appendix B.4): the check of a ledger record.
//
// Debian 12 keeps no library for it that this project links: zlib's crc32 is another polynomial, Abseil 20220623 has no
// CRC, OpenSSL none at all. The processor has it as an instruction, Boost.CRC computes it everywhere else.
#pragma once

#include <cstdint>
#include <string_view>

namespace tollgate::policy::ledger {

// Pure; any thread.
[[nodiscard]] std::uint32_t crc32c(std::string_view octets) noexcept;

// The same from Boost.CRC's table, about ten times slower: for processors without the instruction, and for tests.
[[nodiscard]] std::uint32_t crc32c_portable(std::string_view octets) noexcept;

} // namespace tollgate::policy::ledger
