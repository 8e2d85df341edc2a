// Beast's parser fed with the octets as they came, as an independent reader of what our gate has accepted. Unlike
// gateway/http/agreement.cpp, which writes our own reading out canonically first.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate::fuzz {

struct Witnessed {
    std::string error; // Beast's, empty if it took everything it was fed
    bool head = false, done = false;
    std::string method, target;
    int version = 0, status = 0;
    std::vector<std::pair<std::string, std::string>> fields; // of the head
    bool chunked = false, keep_alive = false;
    std::optional<std::uint64_t> length;
    std::string body;
    std::size_t consumed = 0;
};

[[nodiscard]] Witnessed witness_request(std::string_view octets);
[[nodiscard]] Witnessed witness_response(std::string_view octets);

} // namespace tollgate::fuzz
