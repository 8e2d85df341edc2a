#include "gateway/admin_client.hpp"

#include "gateway/admin/guard.hpp"
#include "gateway/base/text.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <sys/socket.h>
#include <sys/time.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tollgate {
namespace {

constexpr timeval kPatience{.tv_sec = 10, .tv_usec = 0};
constexpr std::size_t kLargestReply = 16 << 20;

class Socket {
  public:
    explicit Socket(int family) : fd_(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
        ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &kPatience, sizeof kPatience);
    }
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    [[nodiscard]] int get() const noexcept { return fd_; }

  private:
    int fd_;
};

std::unexpected<AdminFailure> failed(std::string why) {
    return std::unexpected(AdminFailure{.why = std::move(why)});
}

std::unexpected<AdminFailure> failed(const std::string& where, std::string_view what, int error) {
    return failed(
        fmt::format("{} at {}: {}; does the gateway run?", what, where, std::generic_category().message(error)));
}

std::expected<std::string, AdminFailure> exchange(const config::Endpoint& listener, const std::string& where,
                                                  std::string_view request) {
    boost::system::error_code wrong;
    const auto address = boost::asio::ip::make_address(listener.host, wrong);
    if (wrong) return failed(fmt::format("{} is no address", listener.host));
    const boost::asio::ip::tcp::endpoint endpoint(address, listener.port);
    const Socket socket(endpoint.protocol().family());
    if (::connect(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0) {
        const int error = errno;
        auto failure = failed(where, "nobody listens", error);
        failure.error().nobody_listens = error == ECONNREFUSED;
        return failure;
    }
    while (!request.empty()) {
        const ssize_t sent = ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
        if (sent <= 0) return failed(where, "cannot ask", errno);
        request.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string reply;
    std::array<char, 16'384> piece{};
    while (reply.size() <= kLargestReply) {
        const ssize_t got = ::recv(socket.get(), piece.data(), piece.size(), 0);
        if (got < 0) return failed(where, "no answer", errno);
        if (got == 0) return reply;
        reply.append(piece.data(), static_cast<std::size_t>(got));
    }
    return failed("the answer is too large");
}

} // namespace

std::expected<AdminReply, AdminFailure> ask_admin(const config::Config& config, std::string_view method,
                                                  std::string_view path, std::string_view body) {
    if (!config.listen.admin) return failed("the configuration has no `listen.admin`, which commands talk to");
    const auto token = admin::load_token(config.store_path);
    if (!token) return failed(token.error());
    const config::Endpoint& listener = *config.listen.admin;
    const bool v6 = listener.host.find(':') != std::string::npos;
    const std::string where = fmt::format("{}{}{}:{}", v6 ? "[" : "", listener.host, v6 ? "]" : "", listener.port);
    std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n",
                                      method, path, where, trim(token->reveal()));
    if (!body.empty()) request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    request += "\r\n";
    request += body;
    auto reply = exchange(listener, where, request);
    if (!reply) return std::unexpected(std::move(reply.error()));
    constexpr std::string_view kStart = "HTTP/1.1 ";
    const std::size_t end = reply->find("\r\n\r\n");
    const auto status = reply->starts_with(kStart) ? parse_decimal(reply->substr(kStart.size(), 3)) : std::nullopt;
    if (!status || end == std::string::npos) return failed(fmt::format("what answers at {} is no gateway", where));
    return AdminReply{static_cast<int>(*status), reply->substr(end + 4)};
}

} // namespace tollgate
