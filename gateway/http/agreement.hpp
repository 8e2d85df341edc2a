// The second opinion: a head that passed our gate is written out canonically and read by Beast's parser; any
// difference in what the two understood is a refusal. Private to the codec.
#pragma once

#include "gateway/http/message.hpp"

#include <expected>

namespace tollgate::http {

[[nodiscard]] std::expected<void, BadMessage> agree_on_request(const RequestHead& head);
[[nodiscard]] std::expected<void, BadMessage> agree_on_response(const ResponseHead& head);

} // namespace tollgate::http
