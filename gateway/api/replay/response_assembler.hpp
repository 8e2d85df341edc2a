// A stream of /responses: its last event holds the whole answer, if it agrees with what went by. Private to the
// assembler.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api::replay {

class ResponseAssembler {
  public:
    explicit ResponseAssembler(std::size_t max_octets) : max_octets_(max_octets) {}

    // False: this stream cannot be kept.
    [[nodiscard]] bool feed(std::string_view data);
    [[nodiscard]] std::size_t held() const noexcept { return response_.size(); }
    [[nodiscard]] std::optional<std::string> finish();

  private:
    std::size_t max_octets_;
    std::size_t items_ = 0; // that were told to be done
    std::string response_;  // of response.completed
};

} // namespace tollgate::api::replay
