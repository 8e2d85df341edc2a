// HMAC-SHA256(pepper, SHA-256(secret)): what keys are compared by (design §8, R4).
#pragma once

#include "gateway/base/crypto.hpp"

#include <openssl/types.h>

#include <memory>
#include <string_view>

namespace tollgate::policy {

// Keeps its OpenSSL contexts. Not thread-safe: one per thread.
class KeyHasher {
  public:
    explicit KeyHasher(std::string_view pepper); // at most 64 octets

    [[nodiscard]] crypto::Digest of_secret(std::string_view secret);
    [[nodiscard]] crypto::Digest of_sha256(const crypto::Digest& sha256);

  private:
    struct Free {
        void operator()(EVP_MD* digest) const;
        void operator()(EVP_MD_CTX* context) const;
    };
    std::unique_ptr<EVP_MD, Free> sha256_;
    std::unique_ptr<EVP_MD_CTX, Free> context_;
    crypto::Hmac hmac_;
};

} // namespace tollgate::policy
