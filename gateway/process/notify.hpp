// Tells the service manager how the process is (sd_notify(3)): one datagram per state to the socket it named.
#pragma once

#include "gateway/base/time.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::process {

// NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID as the environment has them; empty: not set.
struct ManagerEnvironment {
    std::string socket;
    std::string watchdog_usec;
    std::string watchdog_pid;
};
[[nodiscard]] ManagerEnvironment read_manager_environment();

// How often the manager wants to hear WATCHDOG=1 at the latest; nothing if it does not, or asked another process.
[[nodiscard]] std::optional<std::chrono::microseconds> watchdog_interval(const ManagerEnvironment& environment,
                                                                         long own_pid);

// Main thread only. Without a socket every call does nothing. A datagram that cannot be delivered is logged once and
// otherwise ignored: a manager that does not listen must not stop the service.
class Notifier {
  public:
    // `socket`: a path, or an abstract name that starts with '@'.
    explicit Notifier(std::string_view socket);
    ~Notifier();
    Notifier(const Notifier&) = delete;
    Notifier& operator=(const Notifier&) = delete;

    void ready(std::string_view status);
    void reloading(std::chrono::microseconds monotonic_now); // ready() ends it
    void stopping(std::string_view status);
    void alive();

  private:
    void send(std::string_view state);

    int socket_ = -1;
    bool complained_ = false;
};

// CLOCK_MONOTONIC, which the protocol asks for with RELOADING=1.
[[nodiscard]] std::chrono::microseconds monotonic_now();

} // namespace tollgate::process
