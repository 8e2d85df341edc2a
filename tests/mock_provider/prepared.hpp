#pragma once

#include "tests/mock_provider/reply.hpp"
#include "tests/mock_provider/text.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace tollgate::mock {

/// A whole answer as it goes on the wire, kept because the same request always gets it.
struct Prepared {
    std::string target;
    std::string body; // of the request
    std::string model;
    std::string octets;
    std::uint64_t events = 0; // of a stream
    Usage usage;
};

/// The last few answers of one worker. A load test sends the same bodies over and over: it finds them here without
/// JSON being parsed or made.
class PreparedAnswers {
  public:
    const Prepared* find(std::string_view target, std::string_view body) const {
        const auto& slot = slots_[slot_of(body)];
        return !slot.octets.empty() && slot.body == body && slot.target == target ? &slot : nullptr;
    }

    void put(Prepared prepared) {
        if (prepared.body.size() > kMaxBody || prepared.octets.size() > kMaxOctets) return;
        auto& slot = slots_[slot_of(prepared.body)];
        slot = std::move(prepared);
    }

  private:
    static constexpr std::size_t kMaxBody = 64 * 1024;
    static constexpr std::size_t kMaxOctets = 256 * 1024;

    static std::size_t slot_of(std::string_view body) { return std::hash<std::string_view>{}(body) % 64; }

    std::array<Prepared, 64> slots_;
};

} // namespace tollgate::mock
