#include "gateway/process/notify.hpp"

#include "gateway/base/log.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>

namespace tollgate::process {
namespace {

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

// A connected datagram socket, or -1 with errno.
int connect_to(std::string_view name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const bool abstract = name.starts_with('@');
    if ((!abstract && !name.starts_with('/')) || name.size() >= sizeof address.sun_path) {
        errno = EINVAL;
        return -1;
    }
    std::memcpy(address.sun_path, name.data(), name.size());
    if (abstract) address.sun_path[0] = '\0';
    // An abstract name ends with its length, a path with its zero.
    const std::size_t length = offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1);
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    // A manager whose queue is full may hold the main thread, its signals and metrics, for no longer than this.
    const timeval patience{.tv_sec = 1, .tv_usec = 0};
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), static_cast<socklen_t>(length)) == 0) return fd;
    const int error = errno;
    ::close(fd);
    errno = error;
    return -1;
}

// A status is one line of the datagram.
std::string one_line(std::string_view text) {
    std::string line(text);
    std::ranges::replace(line, '\n', ' ');
    return line;
}

void complain(std::string_view what, int error) {
    log::warning("the service manager cannot be told",
                 {{"what", what}, {"error", std::generic_category().message(error)}});
}

} // namespace

ManagerEnvironment read_manager_environment() {
    return {variable("NOTIFY_SOCKET"), variable("WATCHDOG_USEC"), variable("WATCHDOG_PID")};
}

std::optional<std::chrono::microseconds> watchdog_interval(const ManagerEnvironment& environment, long own_pid) {
    const auto usec = parse_decimal(environment.watchdog_usec);
    constexpr std::uint64_t kLongest = 86'400ULL * 1'000'000; // longer is as good as never
    if (!usec || *usec == 0 || *usec > kLongest) return std::nullopt;
    if (!environment.watchdog_pid.empty() && environment.watchdog_pid != std::to_string(own_pid)) return std::nullopt;
    return std::chrono::microseconds(*usec);
}

Notifier::Notifier(std::string_view socket) {
    if (socket.empty()) return;
    socket_ = connect_to(socket);
    if (socket_ < 0) complain("NOTIFY_SOCKET", errno);
}

Notifier::~Notifier() {
    if (socket_ >= 0) ::close(socket_);
}

void Notifier::ready(std::string_view status) {
    send("READY=1\nSTATUS=" + one_line(status));
}

void Notifier::reloading(std::chrono::microseconds monotonic_now) {
    send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reading the configuration", monotonic_now.count()));
}

void Notifier::stopping(std::string_view status) {
    send("STOPPING=1\nSTATUS=" + one_line(status));
}

void Notifier::alive() {
    send("WATCHDOG=1");
}

void Notifier::send(std::string_view state) {
    if (socket_ < 0) return;
    ssize_t sent = 0;
    do sent = ::send(socket_, state.data(), state.size(), MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0 || complained_) return;
    complained_ = true;
    complain(state.substr(0, state.find('\n')), errno);
}

std::chrono::microseconds monotonic_now() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::chrono::seconds(now.tv_sec) +
           std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::nanoseconds(now.tv_nsec));
}

} // namespace tollgate::process
