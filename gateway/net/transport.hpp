// Octets in and out, TCP or TLS: the only seam between the proxy and the stream types, whose templates stay in
// transport.cpp. All members on the thread of the io_context.
#pragma once

#include "gateway/base/task.hpp"
#include "gateway/net/buffers.hpp"

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <memory>

namespace boost::asio::ssl {
class context;
}

namespace tollgate::net {

using TcpSocket = asio::basic_stream_socket<asio::ip::tcp, Executor>;
using ErrorCode = boost::system::error_code;

// Receives the completion of a read. Held by the operation, so it lives until the completion ran.
class ReadSink {
  public:
    virtual ~ReadSink() = default;
    virtual void on_read(ErrorCode error, std::size_t n) = 0;
    // Completion of a wait: octets or the end can be had by try_read().
    virtual void on_readable(ErrorCode error) = 0;
};

class Transport {
  public:
    virtual ~Transport() = default;

    // One read may be outstanding; it completes with at least one octet or an error, never inside this call.
    virtual void start_read(asio::mutable_buffer into, std::shared_ptr<ReadSink> sink) = 0;

    // Waits for octets without a buffer to put them in, in place of a read. False, and nothing happens, where the
    // transport cannot: TLS has to read in order to know.
    virtual bool start_wait(std::shared_ptr<ReadSink> /*sink*/) { return false; }
    // What can be had now. 0 with would_block: nothing yet; with eof: the peer has ended.
    virtual std::size_t try_read(asio::mutable_buffer /*into*/, ErrorCode& error) {
        error = asio::error::operation_not_supported;
        return 0;
    }

    // Writes what the kernel takes now and returns its size; would_block is not an error (0 octets).
    virtual std::size_t try_write(std::span<const asio::const_buffer> pieces, ErrorCode& error) = 0;
    // Waits until something of what is left can go, and drops what went from `pieces`; call until they are empty. One
    // write at a time; a read may be outstanding.
    virtual Task<ErrorCode> write_rest(Gather& pieces) = 0;

    virtual void shutdown_send() noexcept = 0;
    // Makes close() drop what the kernel has not sent and reset the connection (RFC 9293 §3.10.5).
    virtual void discard_unsent() noexcept = 0;
    // Ends every outstanding operation with operation_aborted. Idempotent.
    virtual void close() noexcept = 0;
    [[nodiscard]] virtual int native_handle() noexcept = 0;
};

[[nodiscard]] std::unique_ptr<Transport> make_tcp(TcpSocket socket);

// Handshakes; the caller keeps the deadline by closing `socket_guard` (the pointer is valid until the task ends).
struct TlsHandshake {
    std::unique_ptr<Transport> transport; // null on failure
    ErrorCode error;
};
class Abortable {
  public:
    virtual ~Abortable() = default;
    virtual void abort() noexcept = 0;
};
// Waits for the first octet, or the end, without taking it: what a handshake costs is spent on nobody who is silent.
// `slot` as below.
Task<ErrorCode> await_octets(TcpSocket& socket, Abortable** slot);
// `slot` points at what to abort while the handshake runs and is null afterwards.
Task<TlsHandshake> tls_accept(TcpSocket socket, std::shared_ptr<asio::ssl::context> context, Abortable** slot);
Task<TlsHandshake> tls_connect(TcpSocket socket, std::shared_ptr<asio::ssl::context> context, std::string host,
                               Abortable** slot);

} // namespace tollgate::net
