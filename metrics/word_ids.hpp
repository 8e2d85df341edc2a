// Private to metrics/: small integers for the words of closed sets, so that caches of handles have integer keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tollgate::metrics {

// Words are expected in static storage: the address finds the id and the text is only compared. A word elsewhere gives
// the same id more slowly. One thread.
class WordIds {
  public:
    static constexpr std::size_t kMaxWords = 1'024;

    WordIds();
    [[nodiscard]] std::uint16_t id(std::string_view word);
    // What the id stands for; "_other" for words past kMaxWords, which no closed set reaches.
    [[nodiscard]] const std::string& text(std::uint16_t id) const { return words_[id]; }

  private:
    [[nodiscard]] std::uint16_t find_by_text(std::string_view word);

    std::unordered_map<const char*, std::uint16_t> by_address_;
    std::unordered_map<std::string, std::uint16_t> by_text_;
    std::vector<std::string> words_;
};

} // namespace tollgate::metrics
