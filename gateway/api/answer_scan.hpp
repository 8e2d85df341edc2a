// What an answer used, found while it passes: nothing is held but the few members that tell. Pure.
#pragma once

#include "gateway/api/usage.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::api {

// Follows one JSON object of any size, in pieces of any size, and keeps its top-level `usage`, `duration`,
// `service_tier`, `id` and `model` wherever they stand, how many objects its `data` lists, and how much generated text
// went by. Memory: 16 KiB at most. What is not JSON makes it keep nothing of use, and harms nobody.
class AnswerScan {
  public:
    void feed(std::string_view piece);

    // The kept members as an object of the same shape, for AnswerReader. Of a value that was cut off: nothing.
    [[nodiscard]] std::string digest() const;
    // Of a string that was cut off: what came of it.
    [[nodiscard]] DeliveredText delivered() const noexcept;

  private:
    std::size_t inside_string(std::string_view piece);
    std::size_t outside_string(std::string_view piece);
    void structure(char c);
    void end_member();
    void start_value();
    void keep(std::string_view octets);

    DeliveredText delivered_;
    std::string name_; // begin of the last string, which may turn out to be a key
    std::string key_;  // of the value that is being read
    std::string usage_, duration_, tier_, id_, model_;
    std::string* kept_ = nullptr;   // where the octets of the current value go
    std::uint64_t objects_ = 0;     // in `data`
    std::uint64_t depth_ = 0;       // of open brackets
    std::uint64_t text_octets_ = 0; // of the last string, unescaped
    bool in_string_ = false;
    bool escaped_ = false;
    bool string_pending_ = false; // a string ended, and nothing said yet whether it was a key
    bool in_data_ = false;
};

} // namespace tollgate::api
