// OpenSSL behind value types. Every function is a pure transformation of its arguments except random_bytes.
// Failures of the library itself (out of memory, no provider) abort: they are not reachable from input.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::crypto {

using Digest = std::array<std::uint8_t, 32>; // SHA-256 sized

[[nodiscard]] Digest sha256(std::string_view data);
[[nodiscard]] Digest hmac_sha256(std::span<const std::uint8_t> key, std::string_view data);

// HKDF-SHA256 (RFC 5869) with an empty salt: one key per purpose from the master secret (R22).
[[nodiscard]] Digest hkdf_sha256(std::string_view master, std::string_view label);

[[nodiscard]] bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept;

void random_bytes(std::span<std::uint8_t> out); // getrandom through OpenSSL

[[nodiscard]] std::string to_hex(std::span<const std::uint8_t> bytes);
// Nothing for odd length or a non-hex digit.
[[nodiscard]] std::optional<std::string> from_hex(std::string_view hex);

// Incremental HMAC with a key schedule that is set up once. Not thread-safe: one per worker.
class Hmac {
  public:
    explicit Hmac(std::span<const std::uint8_t> key);
    ~Hmac();
    Hmac(const Hmac&) = delete;
    Hmac& operator=(const Hmac&) = delete;

    void reset();
    void update(std::string_view data);
    [[nodiscard]] Digest finish(); // call reset() before the next update

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// AES-256-GCM: nonce(12) || ciphertext || tag(16). `aad` is authenticated, not stored.
[[nodiscard]] std::string seal(const Digest& key, std::string_view plain, std::string_view aad);
// Nothing if the value is truncated, altered, or sealed under another key or aad.
[[nodiscard]] std::optional<std::string> open(const Digest& key, std::string_view sealed, std::string_view aad);

} // namespace tollgate::crypto
