#include "gateway/exchange/cache_controls.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace tollgate::exchange {
namespace {

using namespace std::chrono_literals;

// --- parse_cache_control
// ----------------------------------------------------------------------------------------------

TEST(ParseCacheControl, directives_areReadInAnyShape) {
    const CacheControl none = parse_cache_control("");
    EXPECT_FALSE(none.no_store || none.no_cache || none.only_if_cached || none.max_age || none.min_fresh);

    const CacheControl all = parse_cache_control("No-Store,no-cache , only-if-cached,MAX-AGE=60, min-fresh = \"7\"");
    EXPECT_TRUE(all.no_store && all.no_cache && all.only_if_cached);
    EXPECT_EQ(all.max_age, 60U);
    EXPECT_EQ(all.min_fresh, 7U);
}

TEST(ParseCacheControl, maxAgeZero_isNotAbsent) {
    EXPECT_EQ(parse_cache_control("max-age=0").max_age, 0U);
}

TEST(ParseCacheControl, whatItDoesNotKnow_changesNothing) {
    for (const std::string value : {"no-storex", "xno-store", "no store", "max-age", "max-age=", "max-age=-1",
                                    "max-age=1.5", "max-age=1s", "max-stale=x", ",,,", "=", "public"}) {
        const CacheControl got = parse_cache_control(value);
        EXPECT_FALSE(got.no_store || got.no_cache || got.only_if_cached || got.max_age || got.min_fresh) << value;
    }
}

TEST(ParseCacheControl, emptyElements_areSkipped) {
    const CacheControl got = parse_cache_control(",no-store,, max-age=5,");
    EXPECT_TRUE(got.no_store);
    EXPECT_EQ(got.max_age, 5U);
}

TEST(ParseCacheControl, staleDirectives_haveSecondsAndMaxStaleMayHaveNone) {
    const CacheControl got = parse_cache_control("max-stale=5, stale-while-revalidate=6, stale-if-error=7");
    EXPECT_EQ(got.max_stale, 5U);
    EXPECT_EQ(got.stale_while_revalidate, 6U);
    EXPECT_EQ(got.stale_if_error, 7U);
    EXPECT_EQ(parse_cache_control("max-stale").max_stale, std::numeric_limits<std::uint64_t>::max());
}

// --- read_cache_controls
// ---------------------------------------------------------------------------------------------

CacheControl read(const std::vector<http::Field>& fields) {
    return read_cache_controls(fields);
}

TEST(ReadCacheControls, severalLines_areOneList) {
    const CacheControl got = read({{"Cache-Control", "no-cache"}, {"accept", "*/*"}, {"cache-control", "max-age=3"}});
    EXPECT_TRUE(got.no_cache);
    EXPECT_EQ(got.max_age, 3U);
}

TEST(ReadCacheControls, ownField_switchesHalves) {
    EXPECT_TRUE(read({{"x-tollgate-cache", "OFF"}}).no_store);
    const CacheControl reads = read({{"X-Tollgate-Cache", "read"}});
    EXPECT_TRUE(reads.keep_nothing && !reads.no_cache && !reads.no_store);
    const CacheControl writes = read({{"x-tollgate-cache", "write"}});
    EXPECT_TRUE(writes.no_cache && !writes.keep_nothing && !writes.no_store);
    const CacheControl nonsense = read({{"x-tollgate-cache", "everything"}});
    EXPECT_FALSE(nonsense.no_cache || nonsense.keep_nothing || nonsense.no_store);
}

TEST(ReadCacheControls, otherGatewaysFields_meanTheSame) {
    for (const http::Field off :
         {http::Field{"cf-aig-skip-cache", "true"}, http::Field{"Helicone-Cache-Enabled", "false"},
          http::Field{"x-openrouter-cache", "false"}})
        EXPECT_TRUE(read({off}).no_store) << off.name;
    for (const http::Field on :
         {http::Field{"cf-aig-skip-cache", "false"}, http::Field{"helicone-cache-enabled", "true"},
          http::Field{"x-openrouter-cache", "true"}})
        EXPECT_FALSE(read({on}).no_store) << on.name;
    for (const std::string_view renewing : {"x-portkey-cache-force-refresh", "x-openrouter-cache-clear"})
        EXPECT_TRUE(read({{renewing, "True"}}).no_cache) << renewing;
    for (const std::string_view time :
         {"x-tollgate-cache-ttl", "cf-aig-cache-ttl", "x-openrouter-cache-ttl", "x-bf-cache-ttl"})
        EXPECT_EQ(read({{time, "90"}}).ttl, 90U) << time;
    EXPECT_EQ(read({{"x-bf-cache-ttl", "2m"}}).ttl, 120U);
    EXPECT_FALSE(read({{"x-bf-cache-ttl", "soon"}}).ttl);
    for (const std::string_view space : {"x-tollgate-cache-namespace", "x-portkey-cache-namespace", "cf-aig-cache-key",
                                         "helicone-cache-seed", "x-bf-cache-key"})
        EXPECT_EQ(read({{space, "mine"}}).space, "4:mine") << space;
    EXPECT_TRUE(read({{"x-bf-cache-no-store", "true"}}).keep_nothing);
}

TEST(ReadCacheControls, theShortestTimeCounts_andSpacesAddUp) {
    EXPECT_EQ(read({{"x-tollgate-cache-ttl", "60"}, {"cf-aig-cache-ttl", "30"}, {"x-bf-cache-ttl", "90"}}).ttl, 30U);
    const std::string one = read({{"x-tollgate-cache-namespace", "a"}, {"helicone-cache-seed", "b2"}}).space;
    const std::string other = read({{"x-tollgate-cache-namespace", "a2:b2"}}).space;
    EXPECT_EQ(one, "1:a2:b2");
    EXPECT_NE(one, other);
}

// --- judge
// -----------------------------------------------------------------------------------------------------------

cache::Entry made_at(WallTime created, std::chrono::seconds ttl, std::chrono::seconds stale) {
    cache::Entry entry;
    entry.created = created;
    entry.expires = created + ttl;
    entry.stale = stale;
    return entry;
}

const WallTime kMade = WallTime(std::chrono::seconds(1'700'000'000));

Fit at(std::chrono::milliseconds age, std::string_view control, StaleRules rules = {.while_revalidate = 10s}) {
    const CacheControl parsed = parse_cache_control(control);
    return judge(made_at(kMade, 60s, 30s), parsed, narrowed(rules, parsed), kMade + age);
}

TEST(Judge, agesBoundAHit) { // scenario 70
    EXPECT_EQ(at(59s, ""), Fit::fresh);
    EXPECT_EQ(at(5s, "max-age=5"), Fit::fresh);
    EXPECT_EQ(at(6s, "max-age=5"), Fit::refused);
    EXPECT_EQ(at(50s, "min-fresh=10"), Fit::fresh);
    EXPECT_EQ(at(51s, "min-fresh=10"), Fit::refused);
    CacheControl short_lived;
    short_lived.ttl = 20;
    EXPECT_EQ(judge(made_at(kMade, 60s, 0s), short_lived, {}, kMade + 21s), Fit::refused);
}

TEST(Judge, staleIsServedWithinItsWindows) { // scenario 71
    EXPECT_EQ(at(60s, ""), Fit::renew);
    EXPECT_EQ(at(70s, ""), Fit::renew);
    EXPECT_EQ(at(70001ms, ""), Fit::expired);
    EXPECT_EQ(at(63s, "stale-while-revalidate=3"), Fit::renew);
    EXPECT_EQ(at(64s, "stale-while-revalidate=3"), Fit::expired);
    EXPECT_EQ(at(71s, "stale-while-revalidate=9999"), Fit::expired) << "a request cannot widen the window";
    EXPECT_EQ(at(85s, "max-stale=25"), Fit::stale);
    EXPECT_EQ(at(86s, "max-stale=25"), Fit::expired);
    EXPECT_EQ(at(90s, "max-stale"), Fit::stale);
    EXPECT_EQ(at(91s, "max-stale"), Fit::expired);
    EXPECT_EQ(at(61s, "min-fresh=1"), Fit::expired);
    EXPECT_EQ(at(61s, "max-age=60"), Fit::expired);
    EXPECT_EQ(at(61s, "", {}), Fit::expired);
}

TEST(ServesForError, withinItsWindowOnly) {
    const auto serves = [](std::chrono::seconds age, std::string_view control) {
        const CacheControl parsed = parse_cache_control(control);
        return serves_for_error(made_at(kMade, 60s, 30s), parsed, narrowed({.if_error = 30s}, parsed), kMade + age);
    };
    EXPECT_TRUE(serves(89s, ""));
    EXPECT_FALSE(serves(90s, ""));
    EXPECT_FALSE(serves(66s, "stale-if-error=5"));
    EXPECT_FALSE(serves(66s, "max-age=65"));
}

TEST(Judge, hugeNumbersDoNotOverflow) {
    EXPECT_EQ(at(61s, "stale-while-revalidate=18446744073709551615, max-stale=18446744073709551615"), Fit::renew);
    EXPECT_EQ(at(10s, "max-age=18446744073709551615"), Fit::fresh);
    EXPECT_EQ(at(10s, "min-fresh=18446744073709551615"), Fit::refused);
}

} // namespace
} // namespace tollgate::exchange
