#include "gateway/admin_client.hpp"

#include "gateway/base/text.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <fstream>
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

std::unexpected<std::string> failed(const std::string& where, std::string_view what) {
    return std::unexpected(
        fmt::format("{} at {}: {}; does the gateway run?", what, where, std::generic_category().message(errno)));
}

std::expected<std::string, std::string> exchange(const config::Endpoint& listener, const std::string& where,
                                                 std::string_view request) {
    boost::system::error_code wrong;
    const auto address = boost::asio::ip::make_address(listener.host, wrong);
    if (wrong) return std::unexpected(fmt::format("{} is no address", listener.host));
    const boost::asio::ip::tcp::endpoint endpoint(address, listener.port);
    const Socket socket(endpoint.protocol().family());
    if (::connect(socket.get(), endpoint.data(), static_cast<socklen_t>(endpoint.size())) != 0)
        return failed(where, "nobody listens");
    while (!request.empty()) {
        const ssize_t sent = ::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL);
        if (sent <= 0) return failed(where, "cannot ask");
        request.remove_prefix(static_cast<std::size_t>(sent));
    }
    std::string reply;
    std::array<char, 16'384> piece{};
    while (reply.size() <= kLargestReply) {
        const ssize_t got = ::recv(socket.get(), piece.data(), piece.size(), 0);
        if (got < 0) return failed(where, "no answer");
        if (got == 0) return reply;
        reply.append(piece.data(), static_cast<std::size_t>(got));
    }
    return std::unexpected("the answer is too large");
}

} // namespace

std::expected<AdminReply, std::string> ask_admin(const config::Config& config, std::string_view method,
                                                 std::string_view path, std::string_view body) {
    if (!config.listen.admin) return std::unexpected("the configuration has no `listen.admin`, which commands talk to");
    const std::string file = config.store_path + "/admin-token";
    std::ifstream in(file, std::ios::binary);
    std::string token;
    if (!std::getline(in, token) || trim(token).empty())
        return std::unexpected(
            fmt::format("cannot read {}; a gateway makes it at its first start, for its own user", file));
    const config::Endpoint& listener = *config.listen.admin;
    const bool v6 = listener.host.find(':') != std::string::npos;
    const std::string where = fmt::format("{}{}{}:{}", v6 ? "[" : "", listener.host, v6 ? "]" : "", listener.port);
    std::string request = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n",
                                      method, path, where, trim(token));
    if (!body.empty()) request += fmt::format("Content-Type: application/json\r\nContent-Length: {}\r\n", body.size());
    request += "\r\n";
    request += body;
    auto reply = exchange(listener, where, request);
    if (!reply) return std::unexpected(reply.error());
    constexpr std::string_view kStart = "HTTP/1.1 ";
    const std::size_t end = reply->find("\r\n\r\n");
    const auto status = reply->starts_with(kStart) ? parse_decimal(reply->substr(kStart.size(), 3)) : std::nullopt;
    if (!status || end == std::string::npos)
        return std::unexpected(fmt::format("what answers at {} is no gateway", where));
    return AdminReply{static_cast<int>(*status), reply->substr(end + 4)};
}

} // namespace tollgate
