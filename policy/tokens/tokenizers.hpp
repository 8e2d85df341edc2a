// The encodings of a directory, as deploy/fetch-tokenizers fills it.
#pragma once

#include "policy/tokens/encoding.hpp"

#include <array>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace tollgate::tokens {

// A cheap handle on immutable tables; without any it knows no model, and input is estimated by its octets (design §14).
class Tokenizers {
  public:
    Tokenizers() = default;
    // Reads cl100k_base.tiktoken and o200k_base.tiktoken: under 100 ms. The error names the file and what is wrong.
    [[nodiscard]] static std::expected<Tokenizers, std::string> load(const std::string& directory);

    // Null if it is not known how the model counts, or nothing was loaded. Lives as long as a copy of this.
    [[nodiscard]] const Encoding* for_model(std::string_view model) const noexcept;
    [[nodiscard]] const Encoding* of(EncodingKind kind) const noexcept;

  private:
    std::array<std::shared_ptr<const Encoding>, 2> encodings_;
};

} // namespace tollgate::tokens
