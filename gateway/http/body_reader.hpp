// The body of one message, decoded piece by piece as it arrives; requests and answers alike.
#pragma once

#include "gateway/http/codec.hpp"
#include "gateway/net/channel.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tollgate::http {

// Not movable while a piece is in use. One buffer is in flight: nothing is read ahead of the caller beyond the
// channel's own bounded buffer.
class BodyReader {
  public:
    BodyReader(net::Channel& channel, Framing framing, std::uint64_t length)
        : channel_(channel), framing_(framing), remaining_(length),
          complete_(framing == Framing::none || (framing == Framing::length && length == 0)) {}

    // All octets that can be had without waiting; empty if there are none now. Valid until the next call.
    [[nodiscard]] std::string_view next_now();
    // Waits for at least one octet. Empty: complete(), or the message broke off (failed()).
    Task<std::string_view> next();

    [[nodiscard]] bool complete() const noexcept { return complete_; }
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    // Set when the octets themselves were wrong, as opposed to missing.
    [[nodiscard]] const std::optional<BadMessage>& malformed() const noexcept { return malformed_; }
    // For Framing::length: octets still to come.
    [[nodiscard]] std::uint64_t remaining() const noexcept { return remaining_; }

  private:
    std::string_view decode_chunks();
    void release();

    net::Channel& channel_;
    Framing framing_;
    std::uint64_t remaining_;
    std::size_t held_ = 0; // octets of the channel's buffer behind the piece that was handed out
    ChunkDecoder decoder_;
    std::string joined_;
    bool complete_;
    bool failed_ = false;
    std::optional<BadMessage> malformed_;
};

} // namespace tollgate::http
