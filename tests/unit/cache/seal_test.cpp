#include "cache/seal.hpp"

#include <gtest/gtest.h>

#include <random>

namespace tollgate::cache {
namespace {

using namespace std::chrono_literals;

const crypto::Digest kSealKey = crypto::sha256("seal");
const Key kKey = crypto::sha256("key");
constexpr std::size_t kMax = 2 << 20;

Entry entry(std::string body) {
    Entry out;
    out.content_type = "application/json";
    out.body = std::move(body);
    out.created = WallTime(1'700'000'000'123'456'789ns);
    out.expires = out.created + 1h;
    out.model = "gpt-4o-mini";
    out.upstream = "openai";
    return out;
}

void expect_same(const EntryPtr& got, const Entry& wanted) {
    ASSERT_NE(got, nullptr);
    EXPECT_EQ(got->content_type, wanted.content_type);
    EXPECT_EQ(got->body, wanted.body);
    EXPECT_EQ(got->created, wanted.created);
    EXPECT_EQ(got->expires, wanted.expires);
    EXPECT_EQ(got->model, wanted.model);
    EXPECT_EQ(got->upstream, wanted.upstream);
}

std::string noise(std::size_t size) {
    std::mt19937 random(7);
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(random() & 0xFFU);
    return out;
}

template <class Open>
void expect_every_damage_is_noticed(const std::string& value, Open open) {
    ASSERT_NE(open(value), nullptr);
    for (std::size_t i = 0; i < value.size(); ++i) {
        EXPECT_EQ(open(value.substr(0, i)), nullptr) << "cut to " << i;
        for (const unsigned flip : {0x01U, 0x80U, 0xFFU}) {
            std::string damaged = value;
            damaged[i] = static_cast<char>(static_cast<unsigned char>(damaged[i]) ^ flip);
            EXPECT_EQ(open(damaged), nullptr) << "octet " << i << " xor " << flip;
        }
    }
    EXPECT_EQ(open(value + '\0'), nullptr);
    EXPECT_EQ(open(value + value), nullptr);
}

TEST(Entry, Decode_returns_what_was_encoded) {
    for (const std::string& body : {std::string(), std::string("{}"), noise(300'000)}) {
        expect_same(decode(encode(entry(body))), entry(body));
    }
    expect_same(decode(encode(Entry{})), Entry{});
}

TEST(Entry, Decode_notices_any_damage) {
    expect_every_damage_is_noticed(encode(entry("some body")), [](std::string_view bytes) { return decode(bytes); });
    EXPECT_EQ(decode(""), nullptr);
}

TEST(Seal, Opens_to_the_same_entry_below_and_above_the_compression_bound) {
    for (const std::string& body :
         {std::string(), std::string(900, 'a'), std::string(2'000, 'a'), std::string(1 << 20, 'a'), noise(5'000)}) {
        const std::string sealed = seal_entry(kSealKey, kKey, entry(body));
        expect_same(open_entry(kSealKey, kKey, sealed, kMax), entry(body));
    }
}

TEST(Seal, Compresses_what_can_be_compressed_and_grows_nothing_else) {
    EXPECT_LT(seal_entry(kSealKey, kKey, entry(std::string(100'000, 'a'))).size(), 1'000U);
    const std::size_t plain = encode(entry(noise(5'000))).size();
    EXPECT_EQ(seal_entry(kSealKey, kKey, entry(noise(5'000))).size(), plain + 1 + 12 + 1 + 16);
}

TEST(Seal, Shows_nothing_of_the_body) {
    const std::string sealed = seal_entry(kSealKey, kKey, entry("the quick brown fox"));
    EXPECT_EQ(sealed.find("quick"), std::string::npos);
    EXPECT_NE(sealed, seal_entry(kSealKey, kKey, entry("the quick brown fox"))) << "a nonce was used twice";
}

TEST(Seal, Any_damage_is_a_miss) {
    const auto open = [](std::string_view bytes) { return open_entry(kSealKey, kKey, bytes, kMax); };
    expect_every_damage_is_noticed(seal_entry(kSealKey, kKey, entry("short")), open);
    expect_every_damage_is_noticed(seal_entry(kSealKey, kKey, entry(std::string(5'000, 'x'))), open);
}

TEST(Seal, A_value_of_another_key_or_secret_is_a_miss) {
    const Key other_key = crypto::sha256("other key");
    const std::string mine = seal_entry(kSealKey, kKey, entry("mine"));
    const std::string theirs = seal_entry(kSealKey, other_key, entry("theirs"));
    EXPECT_EQ(open_entry(kSealKey, kKey, theirs, kMax), nullptr);
    EXPECT_EQ(open_entry(kSealKey, other_key, mine, kMax), nullptr);
    EXPECT_EQ(open_entry(crypto::sha256("other secret"), kKey, mine, kMax), nullptr);
    EXPECT_NE(open_entry(kSealKey, kKey, mine, kMax), nullptr);
}

TEST(Seal, Opening_is_bounded) {
    for (const std::string& body : {std::string(100'000, 'a'), noise(100'000)}) {
        const std::string sealed = seal_entry(kSealKey, kKey, entry(body));
        EXPECT_EQ(open_entry(kSealKey, kKey, sealed, 100'000), nullptr);
        EXPECT_NE(open_entry(kSealKey, kKey, sealed, 101'000), nullptr);
    }
}

TEST(Seal, Foreign_values_are_a_miss) {
    for (const std::string& value :
         {std::string(), std::string("\1"), std::string("hello"), std::string(1'000, '\1')}) {
        EXPECT_EQ(open_entry(kSealKey, kKey, value, kMax), nullptr);
    }
    // Sealed by us, but not an entry.
    const std::string aad = "\1" + std::string(kKey.begin(), kKey.end());
    for (const std::string& plain :
         {std::string(), std::string("\0junk", 5), std::string("\1junk"), std::string("\2")}) {
        EXPECT_EQ(open_entry(kSealKey, kKey, "\1" + crypto::seal(kSealKey, plain, aad), kMax), nullptr);
    }
}

} // namespace
} // namespace tollgate::cache
