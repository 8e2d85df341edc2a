#include "gateway/base/crypto.hpp"

#include "gateway/base/deleter.hpp"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace tollgate::crypto {
namespace {

constexpr std::size_t kNonceSize = 12;
constexpr std::size_t kTagSize = 16;

void must(bool ok, const char* what) {
    if (ok) return;
    std::fprintf(stderr, "tollgate: OpenSSL failed: %s\n", what);
    std::abort();
}

using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Deleter<EVP_CIPHER_CTX_free>>;
using MacContext = std::unique_ptr<EVP_MAC_CTX, Deleter<EVP_MAC_CTX_free>>;
using Mac = std::unique_ptr<EVP_MAC, Deleter<EVP_MAC_free>>;
using Kdf = std::unique_ptr<EVP_KDF, Deleter<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Deleter<EVP_KDF_CTX_free>>;

const unsigned char* bytes_of(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}
unsigned char* bytes_of(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

} // namespace

Digest sha256(std::string_view data) {
    Digest out{};
    unsigned int length = 0;
    must(EVP_Digest(data.data(), data.size(), out.data(), &length, EVP_sha256(), nullptr) == 1, "SHA-256");
    return out;
}

Digest hmac_sha256(std::span<const std::uint8_t> key, std::string_view data) {
    Hmac mac(key);
    mac.update(data);
    return mac.finish();
}

Digest hkdf_sha256(std::string_view master, std::string_view label) {
    const Kdf kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    must(kdf != nullptr, "HKDF");
    const KdfContext context(EVP_KDF_CTX_new(kdf.get()));
    std::string secret(master);
    std::string info(label);
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret.data(), secret.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info.data(), info.size()),
        OSSL_PARAM_construct_end(),
    };
    Digest out{};
    must(EVP_KDF_derive(context.get(), out.data(), out.size(), params) == 1, "HKDF derive");
    OPENSSL_cleanse(secret.data(), secret.size());
    return out;
}

bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void random_bytes(std::span<std::uint8_t> out) {
    must(RAND_bytes(out.data(), static_cast<int>(out.size())) == 1, "RAND_bytes");
}

std::string to_hex(std::span<const std::uint8_t> bytes) {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const std::uint8_t byte : bytes) {
        out.push_back(kDigits[byte >> 4]);
        out.push_back(kDigits[byte & 15]);
    }
    return out;
}

std::optional<std::string> from_hex(std::string_view hex) {
    const auto value = [](char c) -> int {
        if (c >= '0' && c <= '9') return c - '0';
        if (c >= 'a' && c <= 'f') return c - 'a' + 10;
        if (c >= 'A' && c <= 'F') return c - 'A' + 10;
        return -1;
    };
    if (hex.size() % 2 != 0) return std::nullopt;
    std::string out;
    out.reserve(hex.size() / 2);
    for (std::size_t i = 0; i < hex.size(); i += 2) {
        const int high = value(hex[i]);
        const int low = value(hex[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(static_cast<char>(high * 16 + low));
    }
    return out;
}

struct Hmac::Impl {
    Mac mac;
    MacContext context; // holds the key schedule, and cleanses it
};

Hmac::Hmac(std::span<const std::uint8_t> key) : impl_(std::make_unique<Impl>()) {
    impl_->mac.reset(EVP_MAC_fetch(nullptr, "HMAC", nullptr));
    must(impl_->mac != nullptr, "HMAC");
    impl_->context.reset(EVP_MAC_CTX_new(impl_->mac.get()));
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    // A null pointer would mean "keep the last key", also for an empty key.
    static constexpr std::uint8_t kNothing = 0;
    const std::uint8_t* const octets = key.empty() ? &kNothing : key.data();
    must(EVP_MAC_init(impl_->context.get(), octets, key.size(), params) == 1, "HMAC init");
}

Hmac::~Hmac() = default;

void Hmac::reset() {
    // A null key reuses the key schedule of the last init, which is what makes the context worth keeping.
    must(EVP_MAC_init(impl_->context.get(), nullptr, 0, nullptr) == 1, "HMAC reset");
}

void Hmac::update(std::string_view data) {
    must(EVP_MAC_update(impl_->context.get(), bytes_of(data), data.size()) == 1, "HMAC update");
}

Digest Hmac::finish() {
    Digest out{};
    std::size_t length = 0;
    must(EVP_MAC_final(impl_->context.get(), out.data(), &length, out.size()) == 1, "HMAC final");
    return out;
}

std::string seal(const Digest& key, std::string_view plain, std::string_view aad) {
    must(plain.size() <= INT_MAX && aad.size() <= INT_MAX, "GCM size");
    std::string out(kNonceSize + plain.size() + kTagSize, '\0');
    unsigned char* const nonce = bytes_of(out);
    random_bytes({nonce, kNonceSize});
    const CipherContext context(EVP_CIPHER_CTX_new());
    int length = 0;
    must(EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce) == 1, "GCM init");
    must(EVP_EncryptUpdate(context.get(), nullptr, &length, bytes_of(aad), static_cast<int>(aad.size())) == 1,
         "GCM aad");
    unsigned char* const body = nonce + kNonceSize;
    must(EVP_EncryptUpdate(context.get(), body, &length, bytes_of(plain), static_cast<int>(plain.size())) == 1, "GCM");
    must(EVP_EncryptFinal_ex(context.get(), body + plain.size(), &length) == 1, "GCM final");
    unsigned char* const tag = body + plain.size();
    must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagSize, tag) == 1, "GCM tag");
    return out;
}

std::optional<std::string> open(const Digest& key, std::string_view sealed, std::string_view aad) {
    if (sealed.size() < kNonceSize + kTagSize) return std::nullopt;
    const std::size_t size = sealed.size() - kNonceSize - kTagSize;
    if (size > INT_MAX || aad.size() > INT_MAX) return std::nullopt;
    const unsigned char* const nonce = bytes_of(sealed);
    const unsigned char* const body = nonce + kNonceSize;
    std::array<unsigned char, kTagSize> tag{};
    std::copy_n(body + size, kTagSize, tag.begin());
    const CipherContext context(EVP_CIPHER_CTX_new());
    std::string out(size, '\0');
    int length = 0;
    must(EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), nonce) == 1, "GCM init");
    must(EVP_DecryptUpdate(context.get(), nullptr, &length, bytes_of(aad), static_cast<int>(aad.size())) == 1,
         "GCM aad");
    must(EVP_DecryptUpdate(context.get(), bytes_of(out), &length, body, static_cast<int>(size)) == 1, "GCM");
    must(EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data()) == 1, "GCM tag");
    if (EVP_DecryptFinal_ex(context.get(), bytes_of(out) + size, &length) != 1) return std::nullopt;
    return out;
}

} // namespace tollgate::crypto
