// HTTP/1.1 messages as values. Views point into the head text, which the message's owner keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::http {

struct Field {
    std::string_view name;
    std::string_view value; // OWS trimmed
};

enum class Framing : std::uint8_t { none, length, chunked, until_close };

// Defaults of reliability §2.2.
struct HeadLimits {
    std::size_t start_line = 8 * 1024;
    std::size_t line = 8 * 1024;
    std::size_t total = 32 * 1024;
    std::size_t fields = 100;
};
inline constexpr HeadLimits kRequestLimits{};
inline constexpr HeadLimits kResponseLimits{8 * 1024, 32 * 1024, 60 * 1024, 200};

struct RequestHead {
    std::string_view method;
    std::string_view target; // as received, origin-form (absolute-form is reduced to it)
    std::string_view path;   // target without the query
    std::string_view query;  // without '?'; may hold secrets: never log it
    int minor = 1;           // HTTP/1.minor
    std::vector<Field> fields;
    Framing framing = Framing::none;
    std::uint64_t content_length = 0;
    bool keep_alive = true;
    bool expect_continue = false;

    // First field of that name; nothing if absent. Case-insensitive.
    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

struct ResponseHead {
    int status = 0;
    int minor = 1;
    std::vector<Field> fields;
    Framing framing = Framing::none;
    std::uint64_t content_length = 0;
    bool keep_alive = true;

    [[nodiscard]] std::optional<std::string_view> find(std::string_view name) const noexcept;
};

// Why octets were refused. `reason` is static text for the error body; status is what the client gets.
struct BadMessage {
    int status = 400;
    std::string_view reason;
};

} // namespace tollgate::http
