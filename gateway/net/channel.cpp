#include "gateway/net/channel.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/error.hpp>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tollgate::net {

Channel::Channel(std::unique_ptr<Transport> transport, BlockPool& pool, DeadlineList& deadlines)
    : Deadline(deadlines), transport_(std::move(transport)), pool_(pool), deadlines_(deadlines),
      opened_(deadlines.now()) {}

Channel::~Channel() {
    transport_->close();
    give_back_buffer();
}

void Channel::give_back_buffer() noexcept {
    if (capacity_ == kBlockSize) pool_.put(std::move(buffer_));
    buffer_.reset();
    capacity_ = begin_ = end_ = 0;
}

void Channel::consume(std::size_t n) noexcept {
    begin_ += n;
    if (begin_ == end_ && !reading_) begin_ = end_ = 0;
}

void Channel::make_room() {
    if (!buffer_) {
        buffer_ = pool_.get();
        capacity_ = kBlockSize;
    }
    if (begin_ == end_) begin_ = end_ = 0;
    if (end_ < capacity_) return;
    if (begin_ > 0) {
        std::memmove(buffer_.get(), buffer_.get() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        return;
    }
    if (capacity_ >= kMaxChannelBuffer) return;
    const std::size_t grown = std::min(capacity_ * 2, kMaxChannelBuffer);
    auto larger = std::make_unique_for_overwrite<char[]>(grown);
    std::memcpy(larger.get(), buffer_.get(), end_);
    if (capacity_ == kBlockSize) pool_.put(std::move(buffer_));
    buffer_ = std::move(larger);
    capacity_ = grown;
}

void Channel::arm() {
    if (reading_ || closed_ || gone_ != Gone::no) return;
    make_room();
    if (end_ == capacity_) return;
    reading_ = true;
    transport_->start_read(asio::mutable_buffer(buffer_.get() + end_, capacity_ - end_), shared_from_this());
}

void Channel::arm_without_buffer() {
    if (begin_ != end_) return arm();
    if (reading_ || closed_ || gone_ != Gone::no) return;
    if (!transport_->start_wait(shared_from_this())) return arm();
    reading_ = true;
    give_back_buffer();
}

void Channel::on_readable(ErrorCode error) {
    if (error || closed_) return on_read(error ? error : ErrorCode(asio::error::operation_aborted), 0);
    make_room();
    const std::size_t n = transport_->try_read(asio::mutable_buffer(buffer_.get() + end_, capacity_ - end_), error);
    if (error != asio::error::would_block) return on_read(error, n);
    reading_ = false; // readiness was spurious
    arm_without_buffer();
}

Task<bool> Channel::more_when_idle() {
    arm_without_buffer();
    const bool got = co_await more();
    co_return got;
}

Task<bool> Channel::more() {
    if (gone_ != Gone::no || closed_ || std::exchange(missed_, false)) co_return false;
    const std::size_t before = end_ - begin_;
    arm();
    if (!reading_) co_return false;
    co_await wakeup_.wait();
    co_return end_ - begin_ > before;
}

void Channel::on_read(ErrorCode error, std::size_t n) {
    reading_ = false;
    end_ += n;
    bytes_read += n;
    if (begin_ == end_) begin_ = end_ = 0;
    if (error) gone_ = error == asio::error::eof && !closed_ ? Gone::ended : Gone::failed;
    if (wakeup_.waiting()) {
        const auto keep = shared_from_this();
        wakeup_.notify();
        return;
    }
    if (gone_ != Gone::no) {
        notify_gone();
    } else if (watcher_ != nullptr) {
        arm_without_buffer(); // keep watching behind pipelined octets, as far as the buffer reaches
    }
}

void Channel::notify_gone() {
    if (watcher_ == nullptr || (gone_ == Gone::ended && tolerate_half_close_)) return;
    PeerWatcher* const watcher = watcher_;
    watcher_ = nullptr;
    const auto keep = shared_from_this();
    watcher->on_peer_gone();
}

void Channel::watch(PeerWatcher* watcher) {
    watcher_ = watcher;
    if (watcher_ == nullptr) return;
    if (gone_ == Gone::no) {
        arm_without_buffer();
    } else {
        notify_gone();
    }
}

bool Channel::write_now(Gather& pieces) {
    if (closed_) {
        write_failed_ = true;
        return false;
    }
    ErrorCode error;
    const std::size_t n = transport_->try_write(pieces.buffers(), error);
    bytes_written += n;
    pieces.advance(n);
    if (error) write_failed_ = true;
    return !error && pieces.empty();
}

Task<bool> Channel::write(Gather pieces) {
    if (write_now(pieces)) co_return true;
    if (write_failed_) co_return false;
    const auto keep = shared_from_this();
    while (!pieces.empty()) {
        const std::size_t before = pieces.size();
        writing_ = true;
        const ErrorCode error = co_await transport_->write_rest(pieces);
        writing_ = false;
        const std::size_t sent = before - pieces.size();
        bytes_written += sent;
        if (error || closed_) {
            write_failed_ = true;
            co_return false;
        }
        // The clock of a write is one of stalling: it starts again with every octet that went, up to the cap.
        if (sent > 0 && expires() != kNever) expire_at(std::min(now() + write_stall_, write_cap_), clock());
    }
    co_return true;
}

void Channel::on_expired() {
    if (!soft_) {
        const auto keep = shared_from_this();
        // The kernel would keep for minutes what a peer with a closed window does not take (case 236).
        if (writing_) transport_->discard_unsent();
        close();
        if (!reading_) notify_gone(); // otherwise the read's completion tells it
        return;
    }
    missed_ = !wakeup_.waiting();
    if (missed_) return;
    const auto keep = shared_from_this();
    wakeup_.notify();
}

void Channel::close() noexcept {
    if (closed_) return;
    closed_ = true;
    if (!reading_ && gone_ == Gone::no) gone_ = Gone::failed;
    expire_never();
    transport_->close();
}

} // namespace tollgate::net
