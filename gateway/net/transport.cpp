#include "gateway/net/transport.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/write.hpp>

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <string>

namespace tollgate::net {
namespace {

asio::redirect_error_t<UseTask> into(ErrorCode& error) {
    return asio::redirect_error_t<UseTask>(UseTask{}, error);
}

// A peer that does not read costs this much in the kernel, not the megabytes its send buffer may grow to (case 235).
// What is on its way does not count, so that a long path keeps its throughput.
constexpr int kMostUnsent = 64 * 1024;

void prepare(TcpSocket& socket) noexcept {
    ErrorCode ignored;
    socket.non_blocking(true, ignored);
    socket.set_option(asio::ip::tcp::no_delay(true), ignored);
    socket.set_option(asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>(kMostUnsent), ignored);
}

void reset_on_close(TcpSocket& socket) noexcept {
    ErrorCode ignored;
    socket.set_option(asio::socket_base::linger(true, 0), ignored);
}

void close_socket(TcpSocket& socket) noexcept {
    ErrorCode ignored;
    socket.close(ignored);
}

class Tcp final : public Transport {
  public:
    explicit Tcp(TcpSocket socket) : socket_(std::move(socket)) { prepare(socket_); }

    void start_read(asio::mutable_buffer into_buffer, std::shared_ptr<ReadSink> sink) override {
        socket_.async_read_some(into_buffer,
                                [sink = std::move(sink)](ErrorCode error, std::size_t n) { sink->on_read(error, n); });
    }

    bool start_wait(std::shared_ptr<ReadSink> sink) override {
        socket_.async_wait(TcpSocket::wait_read,
                           [sink = std::move(sink)](ErrorCode error) { sink->on_readable(error); });
        return true;
    }

    std::size_t try_read(asio::mutable_buffer into_buffer, ErrorCode& error) override {
        for (;;) {
            const ssize_t got = ::recv(socket_.native_handle(), into_buffer.data(), into_buffer.size(), 0);
            if (got > 0) return static_cast<std::size_t>(got);
            if (got < 0 && errno == EINTR) continue;
            error = got == 0 ? ErrorCode(asio::error::eof) : ErrorCode(errno, boost::system::system_category());
            return 0;
        }
    }

    // A plain sendmsg: Asio's own synchronous write would poll() on would_block.
    std::size_t try_write(std::span<const asio::const_buffer> pieces, ErrorCode& error) override {
        std::array<iovec, 8> vector{};
        std::size_t count = 0;
        for (const auto& piece : pieces) vector[count++] = iovec{const_cast<void*>(piece.data()), piece.size()};
        msghdr message{};
        message.msg_iov = vector.data();
        message.msg_iovlen = count;
        for (;;) {
            const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL);
            if (sent >= 0) return static_cast<std::size_t>(sent);
            if (errno == EINTR) continue;
            if (errno != EAGAIN && errno != EWOULDBLOCK) error = ErrorCode(errno, boost::system::system_category());
            return 0;
        }
    }

    Task<ErrorCode> write_rest(Gather& pieces) override {
        ErrorCode error;
        co_await socket_.async_wait(TcpSocket::wait_write, into(error));
        if (!error) pieces.advance(try_write(pieces.buffers(), error));
        co_return error;
    }

    void shutdown_send() noexcept override {
        ErrorCode ignored;
        socket_.shutdown(TcpSocket::shutdown_send, ignored);
    }
    void discard_unsent() noexcept override { reset_on_close(socket_); }
    void close() noexcept override { close_socket(socket_); }
    int native_handle() noexcept override { return socket_.native_handle(); }

  private:
    TcpSocket socket_;
};

class Tls final : public Transport, public Abortable {
  public:
    Tls(TcpSocket socket, std::shared_ptr<asio::ssl::context> context)
        : context_(std::move(context)), stream_(std::move(socket), *context_) {
        prepare(stream_.next_layer());
    }

    // Messages that move nothing but make us work: a peer that sends many is ended (case 248).
    void limit_useless_messages() {
        SSL_set_msg_callback(stream_.native_handle(), count_useless);
        SSL_set_msg_callback_arg(stream_.native_handle(), this);
    }

    using Stream = asio::ssl::stream<TcpSocket>;
    Stream& stream() { return stream_; }

    void start_read(asio::mutable_buffer into_buffer, std::shared_ptr<ReadSink> sink) override {
        stream_.async_read_some(into_buffer,
                                [sink = std::move(sink)](ErrorCode error, std::size_t n) { sink->on_read(error, n); });
    }

    // The TLS engine has no useful synchronous form on a non-blocking socket: everything goes through write_rest.
    std::size_t try_write(std::span<const asio::const_buffer>, ErrorCode&) override { return 0; }

    // Asio writes one record per buffer; gathering first keeps head and body in one record.
    Task<ErrorCode> write_rest(Gather& pieces) override {
        constexpr std::size_t kMostAtOnce = 64 * 1024; // progress is looked at between records
        ErrorCode error;
        const auto first = pieces.buffers().front();
        std::size_t n = 0;
        if (first.size() < kBlockSize && pieces.buffers().size() > 1) {
            record_.clear();
            for (const auto& piece : pieces.buffers()) {
                const std::size_t take = std::min(kBlockSize - record_.size(), piece.size());
                record_.append(static_cast<const char*>(piece.data()), take);
            }
            n = co_await asio::async_write(stream_, asio::buffer(record_), into(error));
        } else {
            const asio::const_buffer part(first.data(), std::min(first.size(), kMostAtOnce));
            n = co_await asio::async_write(stream_, part, into(error));
        }
        pieces.advance(n);
        co_return error;
    }

    void shutdown_send() noexcept override {
        // With complete framing the peer needs no close_notify; half-closing TCP lets it read what was sent.
        ErrorCode ignored;
        stream_.next_layer().shutdown(TcpSocket::shutdown_send, ignored);
    }
    void discard_unsent() noexcept override { reset_on_close(stream_.next_layer()); }
    void close() noexcept override { close_socket(stream_.next_layer()); }
    void abort() noexcept override { close(); }
    int native_handle() noexcept override { return stream_.next_layer().native_handle(); }

  private:
    static void count_useless(int written, int, int type, const void* data, std::size_t size, SSL*, void* self) {
        const auto* const octets = static_cast<const unsigned char*>(data);
        const bool key_update =
            written == 0 && type == SSL3_RT_HANDSHAKE && size > 0 && octets[0] == SSL3_MT_KEY_UPDATE;
        const bool renegotiation =
            written != 0 && type == SSL3_RT_ALERT && size > 1 && octets[1] == SSL_AD_NO_RENEGOTIATION;
        if (!key_update && !renegotiation) return;
        auto* const tls = static_cast<Tls*>(self);
        if (++tls->useless_ > kMaxUseless) tls->close(); // the engine finds the socket closed and ends with an error
    }

    static constexpr unsigned kMaxUseless = 32;
    std::shared_ptr<asio::ssl::context> context_;
    Stream stream_;
    std::string record_;
    unsigned useless_ = 0;
};

Task<TlsHandshake> handshake(std::unique_ptr<Tls> tls, asio::ssl::stream_base::handshake_type side, Abortable** slot) {
    TlsHandshake result;
    tls->limit_useless_messages();
    *slot = tls.get();
    co_await tls->stream().async_handshake(side, into(result.error));
    *slot = nullptr;
    if (!result.error) result.transport = std::move(tls);
    co_return result;
}

} // namespace

std::unique_ptr<Transport> make_tcp(TcpSocket socket) {
    return std::make_unique<Tcp>(std::move(socket));
}

Task<ErrorCode> await_octets(TcpSocket& socket, Abortable** slot) {
    struct Close final : Abortable {
        explicit Close(TcpSocket& of) : socket(of) {}
        void abort() noexcept override { close_socket(socket); }
        TcpSocket& socket;
    } close(socket);
    ErrorCode error;
    *slot = &close;
    co_await socket.async_wait(TcpSocket::wait_read, into(error));
    *slot = nullptr;
    co_return error;
}

Task<TlsHandshake> tls_accept(TcpSocket socket, std::shared_ptr<asio::ssl::context> context, Abortable** slot) {
    auto tls = std::make_unique<Tls>(std::move(socket), std::move(context));
    auto result = co_await handshake(std::move(tls), asio::ssl::stream_base::server, slot);
    co_return result;
}

Task<TlsHandshake> tls_connect(TcpSocket socket, std::shared_ptr<asio::ssl::context> context, std::string host,
                               Abortable** slot) {
    auto tls = std::make_unique<Tls>(std::move(socket), std::move(context));
    ErrorCode not_an_address;
    asio::ip::make_address(host, not_an_address);
    if (not_an_address) SSL_set_tlsext_host_name(tls->stream().native_handle(), host.c_str()); // RFC 6066: names only
    tls->stream().set_verify_callback(asio::ssl::host_name_verification(host));
    auto result = co_await handshake(std::move(tls), asio::ssl::stream_base::client, slot);
    co_return result;
}

} // namespace tollgate::net
