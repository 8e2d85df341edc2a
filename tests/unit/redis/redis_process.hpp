// A real redis-server on a free port of loopback, ended by its process id.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace tollgate::test {

class RedisProcess {
  public:
    [[nodiscard]] static bool available(); // redis-server is on PATH

    explicit RedisProcess(std::vector<std::string> arguments = {});
    ~RedisProcess();
    RedisProcess(const RedisProcess&) = delete;
    RedisProcess& operator=(const RedisProcess&) = delete;

    [[nodiscard]] std::uint16_t port() const noexcept { return port_; }
    void start(); // on the same port as before
    void stop();
    void signal(int number) const;

  private:
    std::vector<std::string> arguments_;
    std::uint16_t port_ = 0;
    pid_t pid_ = -1;
};

} // namespace tollgate::test
