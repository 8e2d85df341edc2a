// One upstream call up to its answer's head: lease or open a connection, send, read the head. The body is the caller's.
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/http/body_reader.hpp"
#include "gateway/http/codec.hpp"
#include "gateway/net/dial.hpp"
#include "gateway/upstream/catalog.hpp"
#include "gateway/upstream/pool.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::upstream {

// What an attempt needs of its worker.
struct Surroundings {
    asio::io_context& io;
    net::BlockPool& blocks;
    DeadlineList& deadlines;
    net::Resolver& resolver;
    Pool& pool;
};

// Octets to send behind the head: pieces in memory that leave with it, then ranges of a file or further memory.
struct Payload {
    struct Segment {
        std::string_view text; // used if file < 0
        int file = -1;
        std::uint64_t offset = 0;
        std::uint64_t size = 0;
    };
    net::Gather pieces;
    std::vector<Segment> segments;
    [[nodiscard]] std::uint64_t size() const noexcept;
};

struct Limits {
    config::Timeouts timeouts;
    TimePoint total_deadline = kNever;
    bool may_reuse = true; // false: always a fresh connection (what must not be sent twice)
};

class Attempt {
  public:
    Attempt(Surroundings surroundings, const Provider& provider) : around_(surroundings), provider_(provider) {}
    ~Attempt();
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;

    // `head` must outlive the call. True: head() is valid and the body can be read.
    Task<bool> run(std::string_view head, const Payload& payload, bool to_head, const Limits& limits);

    // Any moment, same thread: the client left. Everything that waits ends at once.
    void abort() noexcept;

    [[nodiscard]] const http::ResponseHead& head() const noexcept { return head_; }
    [[nodiscard]] http::BodyReader& body() noexcept { return *body_; }
    [[nodiscard]] net::Channel& channel() noexcept { return *channel_; }
    // After a failure: what the client is told, and the facts a retry is decided by.
    [[nodiscard]] const Error& error() const noexcept { return error_; }
    [[nodiscard]] bool reused() const noexcept { return reused_; }
    [[nodiscard]] bool sent_anything() const noexcept { return sent_; }
    [[nodiscard]] bool answered_anything() const noexcept { return answered_; }
    [[nodiscard]] bool aborted() const noexcept { return aborted_; }
    [[nodiscard]] bool channel_expired() const noexcept { return channel_ && channel_->expired(); }
    [[nodiscard]] const std::optional<net::DialTimes>& dial_times() const noexcept { return dial_times_; }
    // The error for a body that broke off: names the clock if one ran out.
    [[nodiscard]] Error broken_body_error() const;

    // The exchange is over. A connection whose answer was complete goes back to the pool. One whose answer lacks only
    // its framing's end (`end_expected`: the stream itself said that it ended) is given 2 s for it, off the request's
    // path. Any other is closed.
    void finish(bool end_expected);

  private:
    Task<bool> open(const Limits& limits);
    Task<net::DialFailure> connect(TimePoint deadline);
    bool unreachable(net::DialFailure failure, const Limits& limits);
    Task<bool> send(std::string_view head, const Payload& payload);
    Task<bool> send_segment(const Payload::Segment& segment);
    Task<bool> write(net::Gather pieces);
    Task<bool> read_head(bool to_head);
    bool fail(ErrorType type, int status, std::string message);
    bool fail_connection(std::string_view doing);

    Surroundings around_;
    const Provider& provider_;
    net::ChannelPtr channel_;
    net::Dial* dial_ = nullptr;
    std::string head_text_;
    http::ResponseHead head_;
    std::optional<http::BodyReader> body_;
    std::optional<net::DialTimes> dial_times_;
    Error error_;
    bool reused_ = false;
    bool sent_ = false;
    bool answered_ = false;
    bool aborted_ = false;
};

} // namespace tollgate::upstream
