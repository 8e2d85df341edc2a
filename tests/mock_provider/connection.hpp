#pragma once

#include "tests/mock_provider/control.hpp"
#include "tests/mock_provider/playback.hpp"
#include "tests/mock_provider/prepared.hpp"
#include "tests/mock_provider/request.hpp"
#include "tests/mock_provider/router.hpp"
#include "tests/mock_provider/state.hpp"
#include "tests/mock_provider/transport.hpp"

#include <cstdint>

namespace tollgate::mock {

/// What the connections of one worker share.
struct Services {
    State& state;
    Router& router;
    PreparedAnswers& prepared;
};

/// One client: reads requests, plays answers. Never blocks; its worker calls it when something can be done.
class Connection {
  public:
    Connection(int fd, ssl_ctx_st* tls, Services services);
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;
    ~Connection();

    /// These return false when the connection is over.
    bool on_events(std::uint32_t events);
    bool on_timer();
    bool check_wait();

    int fd() const { return transport_.fd(); }
    /// epoll events that matter now.
    std::uint32_t interest() const;
    /// When on_timer should be called, in ns of CLOCK_MONOTONIC; 0: never.
    std::int64_t timer() const { return timer_; }
    bool waiting() const { return phase_ == Phase::kWaiting; }

  private:
    enum class Phase { kReading, kAnswering, kWaiting, kHanging };

    bool read();
    bool gone();
    bool process();
    bool reject();
    bool send_expectation();
    bool handle(const Request& request);
    bool handle_control_request(const Request& request);
    bool send_prepared(const Prepared& prepared);
    void start_answer(Answer answer, const Request& request);
    void keep_prepared(const Request& request, const Answer& answer);
    bool pump();
    bool flush();
    bool ended();

    Services services_;
    Transport transport_;
    RequestReader reader_;
    Playback playback_;
    Wait wait_;
    Phase phase_ = Phase::kReading;
    std::int64_t timer_ = 0;
    std::int64_t next_octet_ns_ = 0; // while an answer trickles
    std::uint64_t stream_ = 0;
    bool control_ = false;          // this connection carries test control
    bool counts_ = false;           // the answer being sent is a provider's
    bool blocked_ = false;          // the socket took no more
    bool read_wants_write_ = false; // TLS
};

} // namespace tollgate::mock
