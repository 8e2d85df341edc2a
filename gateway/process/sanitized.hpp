// Whether a sanitizer watches this build: it brings its own crash reports, and needs calls that a release forbids
// itself.
#pragma once

namespace tollgate::process {

#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

} // namespace tollgate::process
