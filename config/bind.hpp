// Checked tree → Config. No decisions but defaults; relations between values are checked in checks.
#pragma once

#include "config/value.hpp"

namespace tollgate::config {

// Total: what is absent or invalid keeps its default. Every item of `keys` gives one Key, in order, so that
// Config::keys[i] and the i-th member of the tree are the same key. URLs that cannot be taken apart are reported.
[[nodiscard]] Config bind(const Value& root, Sink& sink);
// One item of `keys`.
[[nodiscard]] Key bind_key(const Value& section);

} // namespace tollgate::config
