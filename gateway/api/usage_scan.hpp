// Reads the usage of a parsed answer. Private to the readers of answers.
#pragma once

#include "gateway/api/route.hpp"
#include "gateway/api/usage.hpp"

namespace simdjson::dom {
class object;
}

namespace tollgate::api {

// From a whole answer of `operation`, or from one event's data (Operation::other will do): the usage object of every
// OpenAI endpoint (api-surface §5.1) at the root or in `response`, the images made, the length of the sound heard.
[[nodiscard]] Usage scan_usage(const simdjson::dom::object& root, Operation operation);

} // namespace tollgate::api
