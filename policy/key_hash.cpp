#include "policy/key_hash.hpp"

#include <openssl/evp.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace tollgate::policy {
namespace {

std::span<const std::uint8_t> octets(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string_view text(const crypto::Digest& digest) {
    return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

// As in gateway/base/crypto: not reachable from input.
void must(bool ok) {
    if (ok) return;
    std::fputs("tollgate: OpenSSL failed: SHA-256\n", stderr);
    std::abort();
}

} // namespace

void KeyHasher::Free::operator()(EVP_MD* digest) const {
    EVP_MD_free(digest);
}

void KeyHasher::Free::operator()(EVP_MD_CTX* context) const {
    EVP_MD_CTX_free(context);
}

KeyHasher::KeyHasher(std::string_view pepper)
    : sha256_(EVP_MD_fetch(nullptr, "SHA256", nullptr)), context_(EVP_MD_CTX_new()), hmac_(octets(pepper)) {
    must(sha256_ && context_);
}

crypto::Digest KeyHasher::of_secret(std::string_view secret) {
    crypto::Digest digest{};
    must(EVP_DigestInit_ex(context_.get(), sha256_.get(), nullptr) == 1 &&
         EVP_DigestUpdate(context_.get(), secret.data(), secret.size()) == 1 &&
         EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1);
    return of_sha256(digest);
}

crypto::Digest KeyHasher::of_sha256(const crypto::Digest& sha256) {
    hmac_.reset();
    hmac_.update(text(sha256));
    return hmac_.finish();
}

} // namespace tollgate::policy
