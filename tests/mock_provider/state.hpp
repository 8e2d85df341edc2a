#pragma once

#include "tests/mock_provider/request.hpp"

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::mock {

/// What tests ask about. Thread-safe; one per process.
class State {
  public:
    explicit State(std::size_t record_max) : record_max_(record_max) {}

    /// Counted once the whole request has arrived.
    void on_request(const Request& request, std::string_view path, std::string_view model, std::int64_t received_ns);
    void on_completed(std::uint64_t prompt_tokens, std::uint64_t completion_tokens);
    void on_aborted();
    void on_bad_request();
    void on_connection_opened();
    void on_connection_closed();
    /// Takes a connection out of the counts: it carries test control, not provider traffic.
    void on_control_connection();

    /// Returns the number under which the events of this stream are reported.
    std::uint64_t begin_stream(std::string_view model);
    void on_events(std::uint64_t stream, std::uint64_t count, std::int64_t sent_ns);
    void end_stream(std::uint64_t stream);

    void reset();
    std::string stats_json() const;
    /// The newest `last` recorded requests, oldest first.
    std::string requests_json(std::size_t last) const;
    std::string last_stream_json() const;

    /// Counters that /__mock/wait can wait for.
    std::uint64_t requests() const { return requests_; }
    std::uint64_t aborted() const { return aborted_; }
    std::uint64_t completed() const { return completed_; }
    std::uint64_t connections_open() const;

    /// Workers whose eventfd is written when a counter changes while somebody waits.
    void add_wake_fd(int fd) { wake_fds_.push_back(fd); }
    void add_waiter() { ++waiters_; }
    void remove_waiter() { --waiters_; }

  private:
    struct Record {
        std::string head;
        std::string body;
        std::string method;
        std::string path;
        std::int64_t received_ns = 0;
    };
    using Counts = std::map<std::string, std::uint64_t, std::less<>>;

    static void count(Counts& counts, std::string_view name);
    void record(const Request& request, std::int64_t received_ns);
    void changed();

    std::size_t record_max_;
    std::vector<int> wake_fds_; // fixed before the workers start
    std::atomic<int> waiters_{0};

    std::atomic<std::uint64_t> requests_{0};
    std::atomic<std::uint64_t> completed_{0};
    std::atomic<std::uint64_t> aborted_{0};
    std::atomic<std::uint64_t> bad_requests_{0};
    std::atomic<std::int64_t> last_abort_ns_{0};
    std::atomic<std::int64_t> connections_opened_{0};
    std::atomic<std::int64_t> connections_closed_{0};
    std::atomic<std::int64_t> opened_before_reset_{0};
    std::atomic<std::uint64_t> prompt_tokens_{0};
    std::atomic<std::uint64_t> completion_tokens_{0};

    mutable std::mutex mutex_; // guards everything below
    Counts by_path_;
    Counts by_model_;
    std::deque<Record> records_;
    std::size_t recorded_octets_ = 0;
    std::uint64_t streams_ = 0;
    std::string stream_model_;
    std::vector<std::int64_t> stream_times_;
    bool stream_ended_ = false;
};

} // namespace tollgate::mock
