#include "tests/support/fake_transport.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/post.hpp>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace tollgate::test {

class FakeTransport final : public net::Transport {
  public:
    explicit FakeTransport(std::shared_ptr<FakePeer> peer) : peer_(std::move(peer)) {}
    ~FakeTransport() override { close(); }

    void start_read(asio::mutable_buffer into, std::shared_ptr<net::ReadSink> sink) override {
        EXPECT_FALSE(peer_->read_pending) << "two reads at once";
        EXPECT_GT(into.size(), 0U) << "a read of nothing";
        ++peer_->reads_started;
        peer_->read_pending = true;
        peer_->into_ = into;
        peer_->sink_ = std::move(sink);
        if (peer_->closed)
            peer_->complete(asio::error::bad_descriptor, 0);
        else
            peer_->deliver();
    }

    std::size_t try_write(std::span<const asio::const_buffer> pieces, net::ErrorCode& error) override {
        return peer_->take(pieces, error);
    }

    Task<net::ErrorCode> write_rest(net::Gather& pieces) override {
        net::ErrorCode error;
        while (!pieces.empty()) {
            const std::size_t n = peer_->take(pieces.buffers(), error);
            pieces.advance(n);
            if (error) break;
            if (n == 0) co_await peer_->writable_.wait();
        }
        co_return error;
    }

    void shutdown_send() noexcept override { peer_->send_shut = true; }
    void discard_unsent() noexcept override { peer_->discarded = true; }
    void close() noexcept override { peer_->close(); }
    int native_handle() noexcept override { return -1; }

  private:
    std::shared_ptr<FakePeer> peer_;
};

void FakePeer::send(std::string_view octets) {
    segments_.emplace_back(octets);
    deliver();
}

void FakePeer::end() {
    fail(asio::error::eof);
}

void FakePeer::fail(net::ErrorCode error) {
    end_ = error;
    deliver();
}

void FakePeer::accept(std::size_t octets) {
    room_ = octets;
    if (octets > 0) writable_.notify();
}

void FakePeer::fail_writes(net::ErrorCode error) {
    write_error_ = error;
    writable_.notify();
}

void FakePeer::deliver() {
    if (!sink_) return;
    if (segments_.empty()) {
        if (end_) complete(*end_, 0);
        return;
    }
    std::string& segment = segments_.front();
    const std::size_t n = std::min(segment.size(), into_.size());
    std::memcpy(into_.data(), segment.data(), n);
    segment.erase(0, n);
    if (segment.empty()) segments_.pop_front();
    complete({}, n);
}

// Never inside start_read(), as the contract of Transport says.
void FakePeer::complete(net::ErrorCode error, std::size_t n) {
    asio::post(io_, [this, error, n, sink = std::exchange(sink_, nullptr)] {
        read_pending = false;
        sink->on_read(error, n);
    });
}

void FakePeer::close() {
    if (closed) return;
    closed = true;
    write_error_ = asio::error::operation_aborted;
    if (sink_) complete(asio::error::operation_aborted, 0);
    if (writable_.waiting()) asio::post(io_, [this] { writable_.notify(); });
}

std::size_t FakePeer::take(std::span<const asio::const_buffer> pieces, net::ErrorCode& error) {
    if (write_error_) {
        error = *write_error_;
        return 0;
    }
    std::size_t total = 0;
    for (const auto& piece : pieces) {
        const std::size_t n = std::min(piece.size(), room_);
        received.append(static_cast<const char*>(piece.data()), n);
        room_ -= n;
        total += n;
    }
    return total;
}

std::unique_ptr<net::Transport> make_fake_transport(std::shared_ptr<FakePeer> peer) {
    return std::make_unique<FakeTransport>(std::move(peer));
}

} // namespace tollgate::test
