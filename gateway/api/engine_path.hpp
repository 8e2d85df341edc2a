// The model in the path of a 0.28 client's request, whatever it looks like. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api {

// For a path that would be an `/engines/…` form if its model were clean: the model, percent-decoded where that is
// possible, else as received. It is to be judged as the model of a body (judge_model).
[[nodiscard]] std::optional<std::string> engine_in(std::string_view path);

} // namespace tollgate::api
