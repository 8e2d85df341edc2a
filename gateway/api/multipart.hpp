// Finds the `model` field of a multipart/form-data body as it arrives (RFC 7578), bounded, in any segmentation. Pure.
#pragma once

#include "gateway/base/error.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api {

// boundary parameter of a multipart/form-data content type (1–70 octets of RFC 2046 bchars); nothing otherwise.
[[nodiscard]] std::optional<std::string> multipart_boundary(std::string_view content_type);

// Part heads ≤ 8 KiB, ≤ 1,000 parts, value of `model`/`stream`/`purpose` ≤ 256 octets; violations are 400.
// A second `model` part is 400 (as duplicate JSON keys are).
class MultipartScanner {
  public:
    explicit MultipartScanner(std::string boundary);
    ~MultipartScanner();

    [[nodiscard]] Result<void> feed(std::string_view bytes);
    [[nodiscard]] Result<void> finish(); // error unless the closing delimiter was seen
    [[nodiscard]] const std::optional<std::string>& model() const noexcept;
    // Offset and length of the model value in the body, for splicing an alias.
    [[nodiscard]] std::size_t model_offset() const noexcept;
    [[nodiscard]] std::size_t model_length() const noexcept;
    [[nodiscard]] bool stream() const noexcept; // stream=true

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::api
