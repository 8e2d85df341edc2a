// sd_notify(3): what the service manager hears, over paths and abstract names.
#include "gateway/process/notify.hpp"

#include "gateway/base/log.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

namespace tollgate::process {
namespace {

// The manager's end of NOTIFY_SOCKET.
class Manager {
  public:
    explicit Manager(const std::string& name) : name_(name), socket_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, name.data(), name.size());
        const bool abstract = name.starts_with('@');
        if (abstract) address.sun_path[0] = '\0';
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size() + (abstract ? 0 : 1));
        const timeval patience{.tv_sec = 10, .tv_usec = 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        EXPECT_EQ(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), length), 0) << std::strerror(errno);
    }
    ~Manager() {
        ::close(socket_);
        if (name_.starts_with('/')) ::unlink(name_.c_str());
    }
    Manager(const Manager&) = delete;
    Manager& operator=(const Manager&) = delete;

    std::string heard() const {
        std::array<char, 4096> text{};
        const ssize_t n = ::recv(socket_, text.data(), text.size(), 0);
        return n < 0 ? std::string("nothing") : std::string(text.data(), static_cast<std::size_t>(n));
    }

  private:
    std::string name_;
    int socket_;
};

std::string unique(std::string_view prefix) {
    return std::string(prefix) + "tollgate-notify-test-" + std::to_string(::getpid());
}

TEST(Notify, StatesArriveOverAPathAndAnAbstractName) {
    for (const std::string& name : {unique("/tmp/"), unique("@")}) {
        const Manager manager(name);
        Notifier notifier(name);
        notifier.ready("Serving\neverything");
        EXPECT_EQ(manager.heard(), "READY=1\nSTATUS=Serving everything") << name;
        notifier.reloading(std::chrono::microseconds(123));
        EXPECT_EQ(manager.heard(), "RELOADING=1\nMONOTONIC_USEC=123\nSTATUS=Reading the configuration");
        notifier.alive();
        EXPECT_EQ(manager.heard(), "WATCHDOG=1");
        notifier.stopping("Draining");
        EXPECT_EQ(manager.heard(), "STOPPING=1\nSTATUS=Draining");
    }
}

// An unusable name is worth one warning, a manager that was never asked for none.
TEST(Notify, UnusableSocketIsSaidOnceAndEverythingGoesOn) {
    const auto warnings = [](const std::string& name) {
        const auto before = log::count(log::Level::warning);
        Notifier notifier(name);
        notifier.ready("Serving");
        notifier.alive();
        return log::count(log::Level::warning) - before;
    };
    EXPECT_EQ(warnings(""), 0U);
    for (const auto& name : {std::string("relative/path"), std::string("vsock:2:1"), std::string("/nonexistent/socket"),
                             "/" + std::string(200, 'x')})
        EXPECT_EQ(warnings(name), 1U) << name;
}

TEST(Notify, ManagerThatLeavesIsSaidOnce) {
    const std::string name = unique("/tmp/left-");
    std::optional<Manager> manager(name);
    Notifier notifier(name);
    manager.reset();
    const auto before = log::count(log::Level::warning);
    for (int i = 0; i < 3; ++i) notifier.alive();
    EXPECT_EQ(log::count(log::Level::warning) - before, 1U);
}

TEST(Notify, EnvironmentIsRead) {
    ::setenv("NOTIFY_SOCKET", "/run/notify", 1);
    ::setenv("WATCHDOG_USEC", "5", 1);
    ::unsetenv("WATCHDOG_PID");
    const ManagerEnvironment environment = read_manager_environment();
    EXPECT_EQ(environment.socket, "/run/notify");
    EXPECT_EQ(environment.watchdog_usec, "5");
    EXPECT_EQ(environment.watchdog_pid, "");
    ::unsetenv("NOTIFY_SOCKET");
    ::unsetenv("WATCHDOG_USEC");
}

TEST(Notify, MonotonicTimeIsTheKernels) {
    const auto before = monotonic_now();
    EXPECT_GT(before.count(), 0);
    EXPECT_LE(before, monotonic_now());
}

} // namespace
} // namespace tollgate::process
