// The two encodings, loaded once for all tests of this program.
#pragma once

#include "policy/tokens/tokenizers.hpp"

#include <stdexcept>

namespace tollgate::tokens {

// Throws if the rank files are not there: deploy/fetch-tokenizers fetches them.
inline const Tokenizers& tokenizers() {
    static const Tokenizers loaded = [] {
        auto read = Tokenizers::load(TOLLGATE_TOKENIZERS_DIR);
        if (!read) throw std::runtime_error(read.error() + " (run deploy/fetch-tokenizers)");
        return *read;
    }();
    return loaded;
}

inline const Encoding& cl100k() {
    return *tokenizers().of(EncodingKind::cl100k_base);
}

inline const Encoding& o200k() {
    return *tokenizers().of(EncodingKind::o200k_base);
}

} // namespace tollgate::tokens
