// One JSON line per request (observability §3.2). Workers format into their own buffer; one writer thread writes.
// A full sink loses lines, counts them, and never blocks a worker.
#pragma once

#include "metrics/record.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace tollgate::metrics {

// The line, with its newline. Pure; nothing in it comes from bodies, header values other than User-Agent, or queries.
void append_access_line(std::string& out, const RequestRecord& record, std::string_view instance);

class LogSink {
  public:
    // path: "stdout", "stderr", "off" or a file (opened append, 0640). Throws std::runtime_error if it cannot be
    // opened.
    explicit LogSink(const std::string& path);
    ~LogSink(); // writes what is queued, then joins
    LogSink(const LogSink&) = delete;
    LogSink& operator=(const LogSink&) = delete;

    // A worker's lines of one loop turn, taken over whole; dropped and counted beyond 8 MiB queued. Any thread.
    void submit(std::string lines, std::uint32_t line_count);
    void close();  // writes what is queued; what is submitted later is lost. No other thread may use it meanwhile
    void reopen(); // SIGUSR1, after rotation
    [[nodiscard]] std::uint64_t dropped() const noexcept;
    [[nodiscard]] bool enabled() const noexcept;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::metrics
