// Unknown, disabled and expired keys cost the same (R1): as many keyed hashes and allocations, whatever comes out. A
// program of its own, because it puts itself before OpenSSL and the allocator.
#include "policy/directory.hpp"

#include <gtest/gtest.h>

#include <dlfcn.h>
#include <openssl/evp.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <new>
#include <string>
#include <string_view>

namespace {

struct Work {
    int hashes = 0;
    int allocations = 0;
    std::size_t octets = 0;
    bool operator==(const Work&) const = default;
};

thread_local Work work;

} // namespace

extern "C" int EVP_MAC_final(EVP_MAC_CTX* context, unsigned char* out, std::size_t* length, std::size_t size) {
    using Function = int (*)(EVP_MAC_CTX*, unsigned char*, std::size_t*, std::size_t);
    static const auto kNext = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, "EVP_MAC_final"));
    ++work.hashes;
    return kNext(context, out, length, size);
}

void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    ++work.allocations;
    work.octets += size;
    return std::malloc(size);
}

void* operator new(std::size_t size) {
    void* const made = operator new(size, std::nothrow);
    if (made == nullptr) throw std::bad_alloc();
    return made;
}

void operator delete(void* memory) noexcept {
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::sys_seconds kNow{1'800'000'000s};
constexpr std::array<std::uint8_t, 32> kPepper{1, 2, 3};

config::Key key_of(const std::string& id, const std::string& secret) {
    config::Key key;
    key.id = id;
    key.secret = Secret(secret);
    return key;
}

TEST(EqualWork, every_refused_key_costs_one_hash_and_the_same_allocations) {
    config::Config config;
    config.file = "gw.yaml";
    config.keys = {key_of("k_on", "opaque-enabled!"), key_of("k_off", "opaque-disabled"),
                   key_of("k_old", "opaque-expired!")};
    config.keys[1].disabled = true;
    config.keys[2].expires = kNow;
    quota::Engine engine;
    const Directory directory(config, {}, engine, kPepper, {TimePoint(1'000s), WallTime(1'000'000s)});
    const auto work_of = [&](std::string_view presented, bool valid) {
        work = {};
        const bool passed = directory.authenticate(presented, kNow).has_value();
        const Work done = work;
        EXPECT_EQ(passed, valid) << presented;
        return done;
    };
    work_of("opaque-unknown!", false); // makes this thread's contexts
    const Work unknown = work_of("opaque-unknown!", false);
    EXPECT_EQ(unknown.hashes, 1);
    EXPECT_GT(unknown.allocations, 0) << "the counter counts";
    EXPECT_EQ(work_of("opaque-disabled", false), unknown);
    EXPECT_EQ(work_of("opaque-expired!", false), unknown);
    EXPECT_EQ(work_of("opaque-enabled!", true).hashes, 1);
}

TEST(EqualWork, what_cannot_be_a_key_is_not_hashed) {
    config::Config config;
    config.file = "gw.yaml";
    config.keys = {key_of("k_on", "opaque-enabled!")};
    quota::Engine engine;
    const Directory directory(config, {}, engine, kPepper, {TimePoint(1'000s), WallTime(1'000'000s)});
    for (const std::string& presented : {std::string(), std::string(257, 'x'), std::string("opaque\x01")}) {
        work = {};
        EXPECT_FALSE(directory.authenticate(presented, kNow).has_value());
        EXPECT_EQ(work.hashes, 0) << presented;
    }
}

} // namespace
} // namespace tollgate::policy
