#include "gateway/process/health.hpp"

#include <array>
#include <cerrno>
#include <memory>
#include <netdb.h>
#include <optional>
#include <string_view>
#include <sys/socket.h>
#include <sys/time.h>
#include <system_error>
#include <unistd.h>

namespace tollgate::process {
namespace {

struct Target {
    std::string host, port, path;
};

std::optional<Target> parse(std::string_view url) {
    constexpr std::string_view kScheme = "http://";
    if (!url.starts_with(kScheme) || url.find_first_of("\r\n ") != std::string_view::npos) return std::nullopt;
    url.remove_prefix(kScheme.size());
    const std::size_t slash = url.find('/');
    std::string_view authority = url.substr(0, slash);
    const std::size_t colon = authority.rfind(':');
    if (colon == std::string_view::npos || colon + 1 == authority.size()) return std::nullopt;
    Target target{std::string(authority.substr(0, colon)), std::string(authority.substr(colon + 1)),
                  slash == std::string_view::npos ? "/" : std::string(url.substr(slash))};
    if (target.host.starts_with('[') && target.host.ends_with(']'))
        target.host = target.host.substr(1, target.host.size() - 2);
    if (target.host.empty()) return std::nullopt;
    return target;
}

struct Addresses {
    void operator()(addrinfo* list) const noexcept { ::freeaddrinfo(list); }
};

class Socket {
  public:
    explicit Socket(int fd) : fd_(fd) {}
    ~Socket() {
        if (fd_ >= 0) ::close(fd_);
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    [[nodiscard]] int get() const noexcept { return fd_; }

  private:
    int fd_;
};

std::unexpected<std::string> failed(std::string_view what) {
    return std::unexpected(std::string(what) + ": " + std::generic_category().message(errno));
}

std::expected<bool, std::string> ask(const Target& target, const addrinfo& address, std::chrono::seconds patience) {
    const Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const timeval limit{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (::connect(socket.get(), address.ai_addr, address.ai_addrlen) != 0) return failed("cannot connect");
    const std::string request = "GET " + target.path + " HTTP/1.1\r\nhost: tollgate\r\nconnection: close\r\n\r\n";
    if (::send(socket.get(), request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
        return failed("cannot ask");
    std::array<char, 256> answer{};
    constexpr std::string_view kGood = "HTTP/1.1 200 ";
    std::size_t size = 0;
    while (size < kGood.size()) {
        const ssize_t got = ::recv(socket.get(), answer.data() + size, answer.size() - size, 0);
        if (got < 0) return failed("no answer");
        if (got == 0) return std::unexpected(std::string("no answer: the connection was closed"));
        size += static_cast<std::size_t>(got);
    }
    return std::string_view(answer.data(), size).starts_with(kGood);
}

} // namespace

std::expected<bool, std::string> is_healthy(const std::string& url, std::chrono::seconds patience) {
    const auto target = parse(url);
    if (!target) return std::unexpected(url + " is not of the form http://HOST:PORT/PATH");
    addrinfo wanted{};
    wanted.ai_socktype = SOCK_STREAM;
    addrinfo* list = nullptr;
    if (const int error = ::getaddrinfo(target->host.c_str(), target->port.c_str(), &wanted, &list); error != 0)
        return std::unexpected(target->host + ": " + ::gai_strerror(error));
    const std::unique_ptr<addrinfo, Addresses> owned(list);
    return ask(*target, *list, patience);
}

} // namespace tollgate::process
