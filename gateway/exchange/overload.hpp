// When the gateway protects itself (reliability F63, F64): a ladder whose steps shed early and say so. Pure, but for
// the two functions that ask the kernel.
#pragma once

#include "gateway/base/time.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace tollgate::exchange {

enum class Pressure : std::uint8_t {
    none,
    trim,          // give back pooled memory
    no_keep_alive, // and end idle connections; answers carry Connection: close
    shed,          // and answer 503 before anything is done for a request
};

inline constexpr std::array kPressures{Pressure::none, Pressure::trim, Pressure::no_keep_alive, Pressure::shed};

// The word in logs and metrics; static storage.
[[nodiscard]] std::string_view to_string(Pressure pressure) noexcept;

// 85, 92 and 95 % of `limit` octets are the steps up; each is left 3 points below. A limit of 0 never presses.
[[nodiscard]] Pressure memory_pressure(std::uint64_t used, std::uint64_t limit, Pressure before) noexcept;
// From 90 % of the connections on, idle ones make room for new ones.
[[nodiscard]] Pressure connection_pressure(unsigned open, unsigned most) noexcept;

// How late an event loop runs. One late tick sheds for a second: what waited that long has mostly been given up.
class LoopLag {
  public:
    void observe(Duration lag, Duration most, TimePoint now) noexcept {
        if (lag >= most) until_ = now + std::chrono::seconds(1);
    }
    [[nodiscard]] Pressure pressure(TimePoint now) const noexcept {
        return now < until_ ? Pressure::shed : Pressure::none;
    }

  private:
    TimePoint until_{};
};

// Octets the control group allows this process, else those of the machine; 0 if nobody says. Reads files.
[[nodiscard]] std::uint64_t memory_available();
// Whether so much of what is in memory belongs to nobody that looking for it is worth the allocator's locks: what a
// crowd leaves between the blocks of those who stayed (T3). `resident` and `allocated` in octets.
[[nodiscard]] bool worth_trimming(std::uint64_t resident, std::uint64_t allocated) noexcept;

// Octets of this process in memory now; 0 if the kernel does not say. Reads one file.
[[nodiscard]] std::uint64_t memory_in_use();

} // namespace tollgate::exchange
