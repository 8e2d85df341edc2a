// Values leave the process only sealed: Redis is an untrusted peer (R20).
#pragma once

#include "cache/entry.hpp"
#include "gateway/base/crypto.hpp"

#include <string>
#include <string_view>

namespace tollgate::cache {

// zstd above 1 KiB, then AES-256-GCM with the cache key as associated data.
[[nodiscard]] std::string seal_entry(const crypto::Digest& seal_key, const Key& key, const Entry& entry);
// Null for anything truncated, altered, swapped from another key, or foreign. Decompression is bounded by max_bytes.
[[nodiscard]] EntryPtr open_entry(const crypto::Digest& seal_key, const Key& key, std::string_view value,
                                  std::size_t max_bytes);

} // namespace tollgate::cache
