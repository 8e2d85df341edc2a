// The other end of an exchange that nobody waits for.
#pragma once

#include "gateway/net/transport.hpp"

namespace tollgate::net {

// Takes every octet at once and never sends one; a read completes never, which nobody of such an exchange waits for.
[[nodiscard]] std::unique_ptr<Transport> make_nowhere();

} // namespace tollgate::net
