#include "policy/key_text.hpp"

#include "policy/directory.hpp"

#include <gtest/gtest.h>

#include <array>
#include <regex>
#include <set>
#include <string>

namespace tollgate::policy {
namespace {

constexpr std::string_view kBase62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

TEST(GeneratedKey, has_the_documented_form) {
    const GeneratedKey key = generate_key();
    EXPECT_TRUE(std::regex_match(key.secret, std::regex("tg_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}"))) << key.secret;
    EXPECT_EQ(key.id, "k_" + key.secret.substr(3, 8));
    EXPECT_TRUE(plausible_key(key.secret)) << key.secret;
    EXPECT_TRUE(hashable_key(key.secret)) << key.secret;
    EXPECT_EQ(shown_part(key.secret), key.secret.substr(0, 11));
}

// Computed with zlib: a later version must still accept keys that are in use.
TEST(GeneratedKey, checksum_is_the_zip_crc_of_everything_before_it) {
    EXPECT_TRUE(plausible_key("tg_00000000_000000000000000000000000000000000pJ2WP"));
    EXPECT_TRUE(plausible_key("tg_AbCdEf12_0123456789ABCDEFGHIJKLMNOPQRSTUV4FxWaL"));
}

TEST(GeneratedKey, thousand_keys_differ_and_use_every_character_evenly) {
    std::set<std::string> seen;
    std::array<int, 256> counts{};
    for (int i = 0; i < 1'000; ++i) {
        const GeneratedKey key = generate_key();
        EXPECT_TRUE(seen.insert(key.secret).second) << key.secret;
        for (const char c : key.secret.substr(12, 32)) ++counts[static_cast<unsigned char>(c)];
    }
    // 32,000 draws, 516 expected each; chi-square over 61 degrees of freedom stays below 150 but once in 10^9 runs.
    double chi_square = 0;
    for (const char c : kBase62) {
        const double off = counts[static_cast<unsigned char>(c)] - 32'000.0 / 62;
        chi_square += off * off / (32'000.0 / 62);
    }
    EXPECT_LT(chi_square, 150);
}

TEST(PlausibleKey, every_single_wrong_character_is_a_typo) {
    const std::string good = generate_key().secret;
    for (std::size_t i = 3; i < good.size(); ++i) {
        if (i == 11) continue; // without the second underscore it no longer looks like ours
        for (const char c : kBase62) {
            std::string bad = good;
            bad[i] = c;
            EXPECT_EQ(plausible_key(bad), bad == good) << bad << " from " << good;
        }
    }
}

TEST(PlausibleKey, swapped_neighbours_and_other_lengths_are_typos) {
    const std::string good = generate_key().secret;
    for (std::size_t i = 12; i + 1 < good.size(); ++i) {
        std::string bad = good;
        std::swap(bad[i], bad[i + 1]);
        EXPECT_EQ(plausible_key(bad), bad == good) << bad;
    }
    EXPECT_FALSE(plausible_key(good.substr(0, good.size() - 1)));
    EXPECT_FALSE(plausible_key(good.substr(0, 12)));
    EXPECT_FALSE(plausible_key(good + "x"));
}

TEST(PlausibleKey, text_of_another_form_is_left_to_the_lookup) {
    for (const std::string_view text : {"", "sk-abc", "tg_", "tg_short_x", "tg_12345678", "tg_1234-678_x",
                                        "tg_12345678x", "TG_12345678_x", "any opaque string"}) {
        EXPECT_TRUE(plausible_key(text)) << text;
        EXPECT_EQ(shown_part(text), "") << text;
    }
}

TEST(HashableKey, only_visible_ascii_up_to_256_octets) {
    EXPECT_TRUE(hashable_key("x"));
    EXPECT_TRUE(hashable_key(std::string(256, '~')));
    EXPECT_FALSE(hashable_key(""));
    EXPECT_FALSE(hashable_key(std::string(257, 'x')));
    for (int c = 0; c < 256; ++c) {
        const std::string text = {'a', static_cast<char>(c), 'b'};
        EXPECT_EQ(hashable_key(text), c > 0x20 && c < 0x7F) << "octet " << c;
    }
}

TEST(Sha256Hex, matches_the_published_digest) {
    EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

} // namespace
} // namespace tollgate::policy
