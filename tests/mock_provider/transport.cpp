#include "tests/mock_provider/transport.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace tollgate::mock {

void SslCtxDeleter::operator()(ssl_ctx_st* context) const {
    SSL_CTX_free(context);
}

void SslDeleter::operator()(ssl_st* session) const {
    SSL_free(session);
}

SslCtx make_tls_context(const std::string& certificate_file, const std::string& key_file, std::string& error) {
    SslCtx context{SSL_CTX_new(TLS_server_method())};
    const bool loaded = context && SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) == 1 &&
                        SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) == 1;
    if (!loaded) {
        error = ERR_reason_error_string(ERR_get_error());
        return nullptr;
    }
    SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(context.get(), SSL_OP_IGNORE_UNEXPECTED_EOF);
    return context;
}

Transport::Transport(int fd, ssl_ctx_st* tls) : fd_(fd) {
    if (tls == nullptr) return;
    tls_.reset(SSL_new(tls));
    SSL_set_fd(tls_.get(), fd);
    SSL_set_accept_state(tls_.get());
}

Transport::~Transport() {
    if (tls_) SSL_shutdown(tls_.get());
    tls_.reset();
    close(fd_);
}

Io Transport::tls_result(int result, std::size_t& count) {
    if (result > 0) {
        count = static_cast<std::size_t>(result);
        return Io::kDone;
    }
    switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ: return Io::kWantRead;
    case SSL_ERROR_WANT_WRITE: return Io::kWantWrite;
    case SSL_ERROR_ZERO_RETURN: return Io::kEof;
    default: return Io::kError;
    }
}

Io Transport::read(std::span<char> into, std::size_t& count) {
    if (tls_) {
        ERR_clear_error();
        const auto size = static_cast<int>(std::min<std::size_t>(into.size(), INT_MAX));
        return tls_result(SSL_read(tls_.get(), into.data(), size), count);
    }
    const auto got = recv(fd_, into.data(), into.size(), 0);
    if (got == 0) return Io::kEof;
    if (got < 0) return errno == EAGAIN || errno == EINTR ? Io::kWantRead : Io::kError;
    count = static_cast<std::size_t>(got);
    return Io::kDone;
}

Io Transport::write(std::string_view from, std::size_t& count) {
    if (tls_) {
        ERR_clear_error();
        const auto size = static_cast<int>(std::min<std::size_t>(from.size(), INT_MAX));
        return tls_result(SSL_write(tls_.get(), from.data(), size), count);
    }
    const auto put = send(fd_, from.data(), from.size(), MSG_NOSIGNAL);
    if (put < 0) return errno == EAGAIN || errno == EINTR ? Io::kWantWrite : Io::kError;
    count = static_cast<std::size_t>(put);
    return Io::kDone;
}

bool Transport::has_buffered() const {
    return tls_ && SSL_pending(tls_.get()) > 0;
}

void Transport::reset_on_close() {
    const linger now{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

} // namespace tollgate::mock
