#include "gateway/base/request_id.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace tollgate {
namespace {

using namespace std::chrono_literals;

constexpr std::string_view kCrockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
constexpr WallTime kNow{1'800'000'000'123ms};

// The two halves of the UUID that the 26 characters spell.
std::pair<std::uint64_t, std::uint64_t> uuid_of(std::string_view id) {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    for (const char c : id.substr(4)) {
        high = (high << 5) | (low >> 59);
        low = (low << 5) | kCrockford.find(c);
    }
    return {high, low};
}

TEST(RequestId, is_a_version_7_uuid_in_crockford_base32) {
    RequestIds ids;
    for (int i = 0; i < 1'000; ++i) {
        const RequestId id = ids.next(kNow);
        const std::string_view text = id.view();
        ASSERT_EQ(text.size(), 30U);
        ASSERT_TRUE(text.starts_with("req_")) << text;
        ASSERT_EQ(text.substr(4).find_first_not_of(kCrockford), std::string_view::npos) << text;
        ASSERT_LE(text[4], '7') << "26 characters hold 130 bits, the first two are 0: " << text;
        const auto [high, low] = uuid_of(text);
        ASSERT_EQ(high >> 16, 1'800'000'000'123U) << text;
        ASSERT_EQ(high >> 12 & 15, 7U) << text;
        ASSERT_EQ(low >> 62, 2U) << text;
    }
}

TEST(RequestId, later_milliseconds_sort_later) {
    RequestIds ids;
    std::string last;
    for (int i = 0; i < 1'000; ++i) {
        const std::string id(ids.next(kNow + std::chrono::milliseconds(i)).view());
        ASSERT_LT(last, id);
        last = id;
    }
}

TEST(RequestId, says_when_it_was_made) {
    RequestIds ids;
    const WallTime now =
        std::chrono::sys_days(std::chrono::year(2026) / 11 / 30) + std::chrono::milliseconds(12'345'678);
    const RequestId id = ids.next(now + std::chrono::microseconds(999));
    EXPECT_EQ(made_at(id.view()), now);
    for (const std::string_view other : {"", "req_", "req_1"}) EXPECT_EQ(made_at(other), std::nullopt) << other;
    EXPECT_EQ(made_at("req_01UB2ABCDEFGHJKMNPQRSTVWXY"), std::nullopt) << "U is no digit";
    EXPECT_EQ(made_at("rex_01JB2ABCDEFGHJKMNPQRSTVWXY"), std::nullopt);
}

TEST(RequestId, two_workers_never_repeat_each_other) {
    RequestIds first;
    RequestIds second;
    std::set<std::string> seen;
    for (int i = 0; i < 20'000; ++i) {
        EXPECT_TRUE(seen.emplace(first.next(kNow).view()).second);
        EXPECT_TRUE(seen.emplace(second.next(kNow).view()).second);
    }
}

} // namespace
} // namespace tollgate
