#include "gateway/api/json_balance.hpp"

#include <algorithm>

namespace tollgate::api {

void JsonBalance::feed(std::string_view piece) noexcept {
    for (const char c : piece) {
        if (in_string_) {
            if (escaped_)
                escaped_ = false;
            else if (c == '\\')
                escaped_ = true;
            else if (c == '"')
                in_string_ = false;
        } else if (c == '"') {
            in_string_ = true;
        } else if (c == '{' || c == '[') {
            opened_ = true;
            ++depth_;
        } else if (c == '}' || c == ']') {
            depth_ = std::max<std::size_t>(depth_, 1) - 1;
        }
    }
}

} // namespace tollgate::api
