// Values from Redis, an untrusted peer: only what this process sealed for this key opens, and then unchanged. The
// layers below the seal are fuzzed through it, as a later version or a leaked key could reach them.
#include "cache/seal.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <xxhash.h>

namespace tollgate::fuzz {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{64} * 1024;

struct Keys {
    crypto::Digest seal{};
    cache::Key entry{};
};

Keys keys() {
    Keys out;
    out.seal.fill(0x5A);
    out.entry.fill(0xA5);
    return out;
}

bool same(const cache::Entry& a, const cache::Entry& b) {
    return a.content_type == b.content_type && a.body == b.body && a.created == b.created && a.expires == b.expires &&
           a.model == b.model && a.upstream == b.upstream;
}

cache::Entry entry_of(std::string_view input) {
    Take take(input);
    cache::Entry entry;
    entry.created = WallTime(WallTime::duration(take.octet() * 1'000'000'007LL));
    entry.expires = entry.created + WallTime::duration(take.octet() * 1'000'003LL);
    entry.content_type = take.octets(take.octet() % 64);
    entry.model = take.octets(take.octet() % 64);
    entry.upstream = take.octets(take.octet() % 64);
    const std::size_t times = take.octet() % 16 + 1U; // long enough for compression, now and then
    const std::string_view body = take.rest();
    for (std::size_t i = 0; i < times; ++i) entry.body += body;
    return entry;
}

void check_sealed(std::string_view input) {
    const auto [seal, key] = keys();
    const cache::Entry entry = entry_of(input);
    const std::string sealed = cache::seal_entry(seal, key, entry);
    const std::size_t limit = entry.bytes() + 64;
    const auto opened = cache::open_entry(seal, key, sealed, limit);
    require(opened && same(*opened, entry), "a sealed entry does not open as it was");
    require(!cache::open_entry(seal, key, sealed, cache::encode(entry).size() - 1), "an entry over the limit opens");
    const auto refused = [&](std::string_view value) {
        require(!cache::open_entry(seal, key, value, limit), "an altered value opens");
    };
    std::string altered = sealed;
    const std::size_t at = input.size() * 31 % sealed.size();
    const auto flip = static_cast<unsigned char>(input.empty() ? 1 : input.back() | 1);
    altered[at] = static_cast<char>(static_cast<unsigned char>(altered[at]) ^ flip);
    refused(altered);
    refused(std::string_view(sealed).substr(0, at));
    refused(sealed + "x");
    Keys other = keys();
    other.entry[at % 32] ^= flip;
    require(!cache::open_entry(seal, other.entry, sealed, limit), "another key's value opens");
    other.seal[at % 32] ^= flip;
    require(!cache::open_entry(other.seal, key, sealed, limit), "a value of another master secret opens");
}

// The input as what the seal protects: the form octet, then zstd or an encoded entry.
void check_content(std::string_view input) {
    const auto [seal, key] = keys();
    std::string aad(1, 1);
    aad.append(reinterpret_cast<const char*>(key.data()), key.size());
    const std::string value = "\x01" + crypto::seal(seal, input, aad);
    const auto opened = cache::open_entry(seal, key, value, kMaxBytes);
    if (opened) require(cache::encode(*opened).size() <= kMaxBytes, "an entry over the limit opens");
}

// The input as an encoded entry whose checksum is right.
void check_encoded(std::string_view input) {
    (void)cache::decode(input);
    std::string bytes(input);
    std::uint64_t sum = XXH3_64bits(input.data(), input.size());
    for (int i = 0; i < 8; ++i, sum >>= 8) bytes += static_cast<char>(sum & 0xFF);
    const auto entry = cache::decode(bytes);
    if (entry) require(cache::encode(*entry) == bytes, "an entry has two encodings");
}

} // namespace

void cache_value(std::string_view input) {
    const auto [seal, key] = keys();
    require(!cache::open_entry(seal, key, input, kMaxBytes), "a value nobody sealed opens");
    require(!cache::open_entry(seal, key, "\x01" + std::string(input), kMaxBytes), "a value nobody sealed opens");
    check_sealed(input);
    check_content(input);
    check_encoded(input);
}

} // namespace tollgate::fuzz
