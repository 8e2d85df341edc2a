// The encodings that are known.
#pragma once

#include <cstdint>

namespace tollgate::tokens {

enum class EncodingKind : std::uint8_t {
    cl100k_base,
    o200k_base, // o200k_harmony differs in its special tokens only, which text never becomes
};

} // namespace tollgate::tokens
