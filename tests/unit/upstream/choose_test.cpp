#include "gateway/upstream/choose.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::upstream {
namespace {

Candidate candidate(std::string name, unsigned weight, unsigned order = 1) {
    Candidate out;
    out.model = std::move(name);
    out.weight = weight;
    out.order = order;
    return out;
}

std::string names(const std::vector<const Candidate*>& order) {
    std::string out;
    for (const Candidate* each : order) out += each->model;
    return out;
}

TEST(TryOrder, noOrOneCandidate_needsNoChance) {
    const auto never = []() -> std::uint64_t {
        ADD_FAILURE() << "nothing to draw";
        return 0;
    };
    EXPECT_EQ(names(try_order({}, never)), "");
    EXPECT_EQ(names(try_order({candidate("a", 1)}, never)), "a");
    EXPECT_EQ(names(try_order({candidate("a", 1, 1), candidate("b", 1, 2), candidate("c", 1, 3)}, never)), "abc");
}

TEST(TryOrder, orderTiers_areNeverMixed) {
    std::mt19937_64 random(1);
    const std::vector<Candidate> all{candidate("a", 1, 1), candidate("b", 9, 1), candidate("c", 1, 2),
                                     candidate("d", 1000, 2), candidate("e", 1, 5)};
    for (int i = 0; i < 2000; ++i) {
        const std::string got = names(try_order(all, random));
        ASSERT_EQ(got.size(), 5U) << got;
        std::string first = got.substr(0, 2);
        std::string second = got.substr(2, 2);
        std::ranges::sort(first);
        std::ranges::sort(second);
        ASSERT_EQ(first + second + got.back(), "abcde") << got;
    }
}

// Weights 1 : 2 : 5. First places follow them, and so do the places behind a given first one.
TEST(TryOrder, weights_decideTheChance) {
    std::mt19937_64 random(2);
    const std::vector<Candidate> all{candidate("a", 1), candidate("b", 2), candidate("c", 5)};
    std::map<std::string, int> count;
    constexpr int kRounds = 80'000;
    for (int i = 0; i < kRounds; ++i) ++count[names(try_order(all, random))];
    const auto share = [&](const std::string& order) { return static_cast<double>(count[order]) / kRounds; };
    constexpr double kTolerance = 0.01;
    EXPECT_NEAR(share("abc"), 1.0 / 8 * 2 / 7, kTolerance);
    EXPECT_NEAR(share("acb"), 1.0 / 8 * 5 / 7, kTolerance);
    EXPECT_NEAR(share("bac"), 2.0 / 8 * 1 / 6, kTolerance);
    EXPECT_NEAR(share("bca"), 2.0 / 8 * 5 / 6, kTolerance);
    EXPECT_NEAR(share("cab"), 5.0 / 8 * 1 / 3, kTolerance);
    EXPECT_NEAR(share("cba"), 5.0 / 8 * 2 / 3, kTolerance);
}

TEST(TryOrder, weightZero_isTriedLastOnly) {
    std::mt19937_64 random(3);
    for (int i = 0; i < 500; ++i) ASSERT_EQ(names(try_order({candidate("z", 0), candidate("a", 1)}, random)), "az");
    EXPECT_EQ(names(try_order({candidate("y", 0), candidate("z", 0)}, random)), "yz");
}

TEST(ViaChat, overEveryInferenceRow_legacyCompletionsAreTurned_andChatPasses) {
    Candidate chat;
    chat.via_chat = true;
    const Candidate plain;
    std::set<std::string_view> turned;
    std::set<std::string_view> served;
    for (const api::Route& route : api::all_routes()) {
        EXPECT_FALSE(turns_to_chat(route, nullptr)) << route.pattern;
        EXPECT_FALSE(turns_to_chat(route, &plain)) << route.pattern;
        EXPECT_TRUE(can_serve(route, plain)) << route.pattern;
        if (route.model == api::ModelIn::nowhere || route.answer != api::Answer::proxied || !route.group.empty())
            continue;
        if (turns_to_chat(route, &chat)) turned.insert(route.pattern);
        if (can_serve(route, chat)) served.insert(route.pattern);
    }
    const std::set<std::string_view> legacy{"/v1/completions", "/v1/engines/{engine}/completions"};
    EXPECT_EQ(turned, legacy);
    std::set<std::string_view> known = legacy;
    known.insert({"/v1/chat/completions", "/v1/engines/{engine}/chat/completions"});
    EXPECT_EQ(served, known);
}

} // namespace
} // namespace tollgate::upstream
