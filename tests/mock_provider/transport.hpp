#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

struct ssl_ctx_st;
struct ssl_st;

namespace tollgate::mock {

struct SslCtxDeleter {
    void operator()(ssl_ctx_st* context) const;
};
struct SslDeleter {
    void operator()(ssl_st* session) const;
};
using SslCtx = std::unique_ptr<ssl_ctx_st, SslCtxDeleter>;

/// Server context, or null with the reason in `error`.
SslCtx make_tls_context(const std::string& certificate_file, const std::string& key_file, std::string& error);

enum class Io { kDone, kWantRead, kWantWrite, kEof, kError };

/// A non-blocking socket, with TLS or without. Owns the descriptor.
class Transport {
  public:
    Transport(int fd, ssl_ctx_st* tls);
    Transport(const Transport&) = delete;
    Transport& operator=(const Transport&) = delete;
    ~Transport();

    int fd() const { return fd_; }
    /// `count` says how many octets moved when the result is kDone.
    Io read(std::span<char> into, std::size_t& count);
    Io write(std::string_view from, std::size_t& count);
    /// Decrypted octets that wait inside TLS, where epoll doesn't see them.
    bool has_buffered() const;
    /// The peer gets RST instead of FIN when this object ends.
    void reset_on_close();

  private:
    Io tls_result(int result, std::size_t& count);

    int fd_;
    std::unique_ptr<ssl_st, SslDeleter> tls_;
};

} // namespace tollgate::mock
