// RESP2 codec, sans-I/O: commands are encoded by us, replies read by hiredis' reader behind a scanner that refuses
// absurd lengths before hiredis would allocate for them (design §14).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::redis {

// Appends `*N\r\n$len\r\n…` for one command.
void append_command(std::string& out, std::initializer_list<std::string_view> arguments);
void append_command(std::string& out, std::span<const std::string> arguments);

struct Reply {
    enum class Kind : std::uint8_t { nil, string, status, error, integer, array };
    Kind kind = Kind::nil;
    std::string text; // string, status, error
    std::int64_t integer = 0;
    std::vector<Reply> elements; // array
};

// Feed octets in any segmentation; take replies in order. After an error the connection must be dropped.
class ReplyReader {
  public:
    ReplyReader();
    ~ReplyReader();
    ReplyReader(const ReplyReader&) = delete;
    ReplyReader& operator=(const ReplyReader&) = delete;

    // Error text if the octets are not RESP2 or exceed `*N` 1,024, `$N` 16 MiB, depth 7, 16 KiB of a line, or 64 MiB
    // or 65,536 values of one reply.
    [[nodiscard]] std::expected<void, std::string> feed(std::string_view bytes);
    // Nothing: more octets are needed. Error text: protocol error.
    [[nodiscard]] std::expected<std::optional<Reply>, std::string> next();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::redis
