// The proper end of a stream that the gateway cuts because a limit has run out (limits-cache §2.3, api-surface §4).
// Pure; Boost.JSON inside.
#pragma once

#include "gateway/api/route.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tollgate::api {

struct CutUsage {
    std::uint64_t input = 0, output = 0; // tokens that are charged
    bool told = false;                   // the client asked for a chunk with them; a response always tells them
};

// Watches the events that go to the client and remembers what their end has to repeat: under 1 MiB, and for the
// responses dialect the text that was delivered, up to another MiB.
class StreamCut {
  public:
    // `choices`: that the client asked for.
    StreamCut(Operation operation, std::uint64_t choices);
    ~StreamCut();
    StreamCut(const StreamCut&) = delete;
    StreamCut& operator=(const StreamCut&) = delete;

    // The data of one event, in the order in which they went.
    void observe(std::string_view data);

    // Whole events that end every open choice with `length`, or the response as `incomplete`, then the usage and
    // `[DONE]` where the dialect has them. `why` is said in a member of ours: "budget", or a limit's word.
    [[nodiscard]] std::string end(const CutUsage& usage, std::string_view why) const;

  private:
    struct Chunks;
    struct Response;
    std::unique_ptr<Chunks> chunks_;     // chat and legacy completions
    std::unique_ptr<Response> response_; // responses
};

} // namespace tollgate::api
