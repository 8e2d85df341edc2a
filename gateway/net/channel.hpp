// One connection, buffered: a read is kept armed all the time, so octets, end of stream and errors are seen the moment
// they arrive, whoever is waiting for what. That one read serves request heads, bodies, pooled idle connections and
// the watch for a client that leaves while its answer is being made.
#pragma once

#include "gateway/base/deadlines.hpp"
#include "gateway/net/transport.hpp"

#include <memory>
#include <string_view>

namespace tollgate::net {

inline constexpr auto kWriteStall = std::chrono::seconds(30); // without progress (reliability §2.2)

// Told once when the peer is gone (end of stream or error) while it watches.
class PeerWatcher {
  public:
    virtual ~PeerWatcher() = default;
    virtual void on_peer_gone() = 0;
};

enum class Gone : std::uint8_t { no, ended, failed };

class Channel final : public ReadSink, public Deadline, public std::enable_shared_from_this<Channel> {
  public:
    Channel(std::unique_ptr<Transport> transport, BlockPool& pool, DeadlineList& deadlines);
    ~Channel() override;

    // Octets that arrived and were not consumed. Valid until the next co_await or arm().
    [[nodiscard]] std::string_view data() const noexcept { return {buffer_.get() + begin_, end_ - begin_}; }
    void consume(std::size_t n) noexcept;
    // `ended`: the peer sent FIN; `failed`: reset, aborted, or our deadline closed it. data() may still hold octets.
    [[nodiscard]] Gone gone() const noexcept { return gone_; }

    // Like more(), for waits that may be long: no buffer is held meanwhile, so that an idle connection costs little
    // (case 233).
    Task<bool> more_when_idle();

    // Starts the read unless one is outstanding, the peer is gone, or 64 KiB wait unconsumed (bounded read-ahead).
    void arm();
    // Waits for further octets or the end. Returns false if nothing more will come, or if the buffer is full.
    Task<bool> more();

    // Sends what the kernel takes at once; the rest waits. False on error or expired deadline: the connection is dead.
    // A deadline that is set when it starts is pushed to 30 s after each progress, never beyond cap_writes().
    Task<bool> write(Gather pieces);
    // The synchronous first half of write(): true when everything left.
    bool write_now(Gather& pieces);
    // Replaces the 30 s above for the writes that follow.
    void stall_after(Duration stall) noexcept { write_stall_ = stall; }
    [[nodiscard]] Duration write_stall() const noexcept { return write_stall_; }
    void cap_writes(TimePoint latest) noexcept { write_cap_ = latest; }
    [[nodiscard]] bool write_failed() const noexcept { return write_failed_; }

    // At most one watcher; null to stop. Called at once if the peer is gone already.
    void watch(PeerWatcher* watcher);
    // With half_close: serve, an end of stream is not "gone" for the watcher; failures still are.
    void tolerate_half_close(bool tolerate) noexcept { tolerate_half_close_ = tolerate; }

    // Like expire_at, but the connection stays open: more() returns false and the owner still may answer. One that runs
    // out while nobody waits ends the next wait.
    void expire_softly_at(TimePoint at, std::string_view clock) noexcept {
        soft_ = true;
        missed_ = false;
        expire_at(at, clock);
    }
    void expire_hard_at(TimePoint at, std::string_view clock) noexcept {
        soft_ = missed_ = false;
        expire_at(at, clock);
    }

    void shutdown_send() noexcept { transport_->shutdown_send(); }
    void close() noexcept;
    [[nodiscard]] bool closed() const noexcept { return closed_; }
    [[nodiscard]] bool reading() const noexcept { return reading_; }
    [[nodiscard]] TimePoint opened() const noexcept { return opened_; }
    [[nodiscard]] TimePoint now() const noexcept { return deadlines_.now(); }

    std::uint64_t bytes_read = 0;
    std::uint64_t bytes_written = 0;

  private:
    void on_read(ErrorCode error, std::size_t n) override;
    void on_readable(ErrorCode error) override;
    void arm_without_buffer();
    void give_back_buffer() noexcept;
    void on_expired() override;
    void on_terminate() override { close(); }
    void make_room();
    void notify_gone();

    std::unique_ptr<Transport> transport_;
    BlockPool& pool_;
    DeadlineList& deadlines_;
    std::unique_ptr<char[]> buffer_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    Wakeup wakeup_;
    PeerWatcher* watcher_ = nullptr;
    Gone gone_ = Gone::no;
    bool reading_ = false;
    bool closed_ = false;
    bool write_failed_ = false;
    bool writing_ = false; // write() waits for room
    bool tolerate_half_close_ = false;
    bool soft_ = false;
    const TimePoint opened_;
    TimePoint write_cap_ = kNever;
    Duration write_stall_ = kWriteStall;
    bool missed_ = false; // a soft deadline ran out while nobody waited
};
using ChannelPtr = std::shared_ptr<Channel>;

} // namespace tollgate::net
