#include "gateway/base/crypto.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::crypto {
namespace {

std::string unhex(std::string_view hex) {
    const auto octets = from_hex(hex);
    if (!octets) ADD_FAILURE() << hex;
    return octets.value_or("");
}

std::span<const std::uint8_t> octets(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Sha256, published_vectors) { // FIPS 180-4 examples
    EXPECT_EQ(to_hex(sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_EQ(to_hex(sha256(std::string(1'000'000, 'a'))),
              "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

struct HmacVector {
    std::string key;
    std::string data;
    std::string_view mac;
};

std::vector<HmacVector> rfc4231() {
    return {
        {std::string(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
        {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
        {std::string(20, '\xaa'), std::string(50, '\xdd'),
         "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
        {unhex("0102030405060708090a0b0c0d0e0f10111213141516171819"), std::string(50, '\xcd'),
         "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
        {std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
         "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
        {std::string(131, '\xaa'),
         "This is a test using a larger than block-size key and a larger than block-size data. The key needs to be "
         "hashed "
         "before being used by the HMAC algorithm.",
         "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
    };
}

TEST(Hmac, rfc4231_vectors_in_one_call) {
    for (const HmacVector& vector : rfc4231())
        EXPECT_EQ(to_hex(hmac_sha256(octets(vector.key), vector.data)), vector.mac);
}

TEST(Hmac, rfc4231_vectors_octet_by_octet_and_again_after_reset) {
    for (const HmacVector& vector : rfc4231()) {
        Hmac mac(octets(vector.key));
        for (int round = 0; round < 3; ++round) {
            if (round > 0) mac.reset();
            for (const char& c : vector.data) mac.update({&c, 1});
            EXPECT_EQ(to_hex(mac.finish()), vector.mac) << "round " << round;
        }
    }
}

TEST(Hmac, reset_forgets_what_was_not_finished) {
    const std::string key(32, 'k');
    Hmac mac(octets(key));
    mac.update("something else");
    mac.reset();
    mac.update("data");
    EXPECT_EQ(mac.finish(), hmac_sha256(octets(key), "data"));
}

TEST(Hmac, empty_key_and_empty_data_are_defined) {
    EXPECT_EQ(to_hex(hmac_sha256({}, "")), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

// RFC 5869 A.3: no salt, no info; the first 32 octets of its output.
TEST(Hkdf, rfc5869_case_without_salt) {
    EXPECT_EQ(to_hex(hkdf_sha256(std::string(22, '\x0b'), "")),
              "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

// RFC 5869 §2 spelled out with HMAC: extract under 32 zero octets, then one block of expansion.
TEST(Hkdf, labels_agree_with_the_definition_and_separate_keys) {
    const std::string master = "a master secret of some length";
    const std::string zeros(32, '\0');
    const Digest extracted = hmac_sha256(octets(zeros), master);
    std::set<Digest> seen;
    for (const std::string label : {"key-pepper/v1", "cache-mac/v1", "cache-aead/v1", ""}) {
        const Digest expected = hmac_sha256(extracted, label + '\x01');
        EXPECT_EQ(to_hex(hkdf_sha256(master, label)), to_hex(expected)) << label;
        EXPECT_TRUE(seen.insert(expected).second) << label;
    }
}

TEST(EqualConstantTime, compares_every_octet_and_the_length) {
    const Digest a = sha256("a");
    for (std::size_t i = 0; i < a.size(); ++i) {
        Digest b = a;
        b[i] ^= 1;
        EXPECT_FALSE(equal_constant_time(a, b)) << "octet " << i;
    }
    EXPECT_TRUE(equal_constant_time(a, Digest(a)));
    EXPECT_FALSE(equal_constant_time(a, std::span(a).first(31)));
    EXPECT_TRUE(equal_constant_time({}, {}));
}

TEST(RandomBytes, fill_everything_and_do_not_repeat) {
    std::set<std::string> seen;
    for (int i = 0; i < 100; ++i) {
        std::array<std::uint8_t, 32> bytes{};
        random_bytes(bytes);
        EXPECT_TRUE(seen.insert(to_hex(bytes)).second);
        EXPECT_GT(std::set<std::uint8_t>(bytes.begin(), bytes.end()).size(), 10U) << to_hex(bytes);
    }
}

TEST(Hex, round_trips_every_octet_in_both_cases) {
    std::string all;
    for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
    std::string hex = to_hex(octets(all));
    EXPECT_EQ(hex.substr(0, 6), "000102");
    EXPECT_EQ(from_hex(hex), all);
    std::ranges::transform(hex, hex.begin(), [](char c) { return c >= 'a' ? static_cast<char>(c - 32) : c; });
    EXPECT_EQ(from_hex(hex), all);
    EXPECT_EQ(from_hex(""), "");
}

TEST(Hex, odd_length_and_other_characters_are_refused) {
    for (const std::string_view bad : {"a", "abc", "0g", "g0", " 0", "0 ", "0x", "+1", "-1", "\xff\xff", "zz"}) {
        EXPECT_EQ(from_hex(bad), std::nullopt) << testing::PrintToString(bad);
    }
}

TEST(Seal, opens_to_what_was_sealed) {
    const Digest key = sha256("key");
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{16}, std::size_t{100'000}}) {
        for (const std::string_view aad : {"", "tenant|model"}) {
            const std::string plain(size, 'p');
            const std::string sealed = seal(key, plain, aad);
            EXPECT_EQ(sealed.size(), plain.size() + 28);
            EXPECT_EQ(open(key, sealed, aad), plain) << size << " octets, aad " << aad;
        }
    }
}

TEST(Seal, nonce_is_fresh_every_time) {
    const Digest key = sha256("key");
    std::set<std::string> nonces;
    for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(nonces.insert(seal(key, "same", "same").substr(0, 12)).second);
}

TEST(Seal, every_flipped_bit_is_noticed) {
    const Digest key = sha256("key");
    const std::string sealed = seal(key, "answer", "aad");
    for (std::size_t i = 0; i < sealed.size() * 8; ++i) {
        std::string bad = sealed;
        bad[i / 8] = static_cast<char>(bad[i / 8] ^ (1 << (i % 8)));
        EXPECT_EQ(open(key, bad, "aad"), std::nullopt) << "bit " << i;
    }
}

TEST(Seal, truncated_extended_or_foreign_values_do_not_open) {
    const Digest key = sha256("key");
    const std::string sealed = seal(key, "answer", "aad");
    for (std::size_t size = 0; size < sealed.size(); ++size) {
        EXPECT_EQ(open(key, sealed.substr(0, size), "aad"), std::nullopt) << size << " octets";
    }
    EXPECT_EQ(open(key, sealed + '\0', "aad"), std::nullopt);
    EXPECT_EQ(open(sha256("other"), sealed, "aad"), std::nullopt);
    EXPECT_EQ(open(key, sealed, "aae"), std::nullopt);
    EXPECT_EQ(open(key, sealed, ""), std::nullopt);
    EXPECT_EQ(open(key, seal(key, "answer", ""), "aad"), std::nullopt);
}

// McGrew and Viega, GCM test case 16 needs a 60-octet text and 20 octets of aad: the wire layout is ours to check.
TEST(Seal, opens_a_value_made_by_another_implementation) {
    Digest key{};
    const std::string raw = unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    std::ranges::copy(raw, key.begin());
    const std::string sealed = unhex("cafebabefacedbaddecaf888"
                                     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da"
                                     "7b08b1056828838c5f61e6393ba7a0abcc9f662"
                                     "76fc6ece0f4e1768cddf8853bb2d551b");
    const std::string aad = unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
    EXPECT_EQ(open(key, sealed, aad), unhex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c9595"
                                            "6809532fcf0e2449a6b525b16aedf5aa0de6"
                                            "57ba637b39"));
}

} // namespace
} // namespace tollgate::crypto
