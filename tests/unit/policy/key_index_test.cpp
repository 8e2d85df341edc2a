#include "policy/key_index.hpp"

#include "policy/key_hash.hpp"

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

namespace tollgate::policy {
namespace {

crypto::Digest digest_of(std::uint32_t i) {
    return crypto::sha256(std::to_string(i));
}

TEST(KeyIndex, finds_every_key_and_no_other) {
    constexpr std::uint32_t kKeys = 10'000;
    KeyIndex index(kKeys);
    for (std::uint32_t i = 0; i < kKeys; ++i) ASSERT_EQ(index.insert(digest_of(i), i), std::nullopt);
    for (std::uint32_t i = 0; i < kKeys; ++i) ASSERT_EQ(index.find(digest_of(i)), i);
    for (std::uint32_t i = kKeys; i < 2 * kKeys; ++i) ASSERT_EQ(index.find(digest_of(i)), std::nullopt) << i;
}

TEST(KeyIndex, empty_index_finds_nothing) {
    EXPECT_EQ(KeyIndex().find(digest_of(1)), std::nullopt);
    EXPECT_EQ(KeyIndex().find(crypto::Digest{}), std::nullopt);
}

TEST(KeyIndex, second_insert_reports_the_first) {
    KeyIndex index(2);
    EXPECT_EQ(index.insert(digest_of(7), 3), std::nullopt);
    EXPECT_EQ(index.insert(digest_of(7), 4), 3U);
    EXPECT_EQ(index.find(digest_of(7)), 3U);
}

// The same leading octets, and so the same slot: only the full comparison tells them apart.
TEST(KeyIndex, colliding_digests_are_compared_in_full) {
    KeyIndex index(8);
    crypto::Digest digest{};
    for (std::uint32_t i = 0; i < 8; ++i) {
        digest[31] = static_cast<std::uint8_t>(i);
        ASSERT_EQ(index.insert(digest, i), std::nullopt);
    }
    for (std::uint32_t i = 0; i < 8; ++i) {
        digest[31] = static_cast<std::uint8_t>(i);
        EXPECT_EQ(index.find(digest), i);
    }
    digest[31] = 8;
    EXPECT_EQ(index.find(digest), std::nullopt);
}

TEST(KeyIndex, more_keys_than_expected_are_refused) {
    KeyIndex index(8);
    for (std::uint32_t i = 0; i < 8; ++i) ASSERT_EQ(index.insert(digest_of(i), i), std::nullopt);
    EXPECT_THROW(index.insert(digest_of(8), 8), std::length_error);
    EXPECT_EQ(index.insert(digest_of(3), 9), 3U);
}

TEST(KeyHasher, is_hmac_of_sha256_and_can_be_used_again) {
    const std::string pepper(32, 'p');
    KeyHasher hasher(pepper);
    const crypto::Digest inner = crypto::sha256("tg_secret");
    const std::span<const std::uint8_t> key(reinterpret_cast<const std::uint8_t*>(pepper.data()), pepper.size());
    const crypto::Digest expected =
        crypto::hmac_sha256(key, {reinterpret_cast<const char*>(inner.data()), inner.size()});
    for (int i = 0; i < 3; ++i) {
        EXPECT_EQ(hasher.of_secret("tg_secret"), expected);
        EXPECT_EQ(hasher.of_sha256(inner), expected);
        EXPECT_NE(hasher.of_secret("tg_Secret"), expected);
    }
    EXPECT_NE(KeyHasher(std::string(32, 'q')).of_secret("tg_secret"), expected);
}

} // namespace
} // namespace tollgate::policy
