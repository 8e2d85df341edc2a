// A stream that passes, put together as the answer that the same request would have got without `stream`. Sans-I/O.
#pragma once

#include "gateway/api/replay/dialect.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api::replay {

// Whatever cannot be merged faithfully (audio, a content that is no string, a member told twice in different words, a
// tool call without its id) makes the stream one that cannot be kept: finish() has nothing then. At most `max_octets`
// are held. A stream of chunks that was not asked for its usage is an answer without `usage`.
class StreamAssembler {
  public:
    StreamAssembler(Dialect dialect, std::size_t max_octets);
    ~StreamAssembler();
    StreamAssembler(const StreamAssembler&) = delete;
    StreamAssembler& operator=(const StreamAssembler&) = delete;

    // The data of the next event, `[DONE]` too.
    void feed(std::string_view data);
    // It is known that nothing will come of it, and nothing is held.
    [[nodiscard]] bool failed() const noexcept { return impl_ == nullptr; }
    // Octets held.
    [[nodiscard]] std::size_t held() const noexcept;
    // The whole completion as JSON, of at most max_octets. Nothing unless the stream has come to the end of its
    // dialect. May be called once.
    [[nodiscard]] std::optional<std::string> finish();

    struct Impl;

  private:
    const std::size_t max_octets_;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::api::replay
