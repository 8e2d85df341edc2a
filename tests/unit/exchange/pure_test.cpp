// The parts of the exchange that decide without I/O.
#include "gateway/exchange/exchange.hpp"
#include "gateway/exchange/relay.hpp"
#include "gateway/exchange/upstream_request.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::exchange {
namespace {

// --- find_metrics

// A reload inserted "b": requests that began before it hold the older catalogue, where 1 was "c".
TEST(FindMetrics, providerOfAnOlderConfiguration_isFoundByName) {
    std::vector<WorkerState::ProviderMetrics> now(3);
    now[0].name = "a";
    now[1].name = "b";
    now[2].name = "c";
    upstream::Provider provider;
    provider.name = "c";
    provider.index = 1;
    EXPECT_EQ(WorkerState::find_metrics(now, provider), &now[2]);
    provider.index = 2;
    EXPECT_EQ(WorkerState::find_metrics(now, provider), &now[2]);
    provider.index = 9;
    EXPECT_EQ(WorkerState::find_metrics(now, provider), &now[2]);
    provider.name = "gone";
    provider.index = 0;
    EXPECT_EQ(WorkerState::find_metrics(now, provider), nullptr);
}

// --- repeats_credential
// -----------------------------------------------------------------------------------------------

TEST(RepeatsCredential, keyAnywhereInTheValue_isFound) {
    upstream::Provider provider;
    provider.credential_lines.emplace_back("Authorization: Bearer sk-first-key\r\nOpenAI-Organization: org-public\r\n");
    provider.credential_lines.emplace_back("Authorization: Bearer sk-second-key\r\n");
    for (const char* value : {"sk-first-key", "req-sk-second-key", "invalid key sk-first-key, sorry"})
        EXPECT_TRUE(repeats_credential(provider, value)) << value;
    for (const char* value : {"", "req_0123", "sk-first-ke", "org-public", "Bearer", "Authorization"})
        EXPECT_FALSE(repeats_credential(provider, value)) << value;
}

TEST(RepeatsCredential, shortWordInPlaceOfAKey_isNone) {
    upstream::Provider provider;
    EXPECT_FALSE(repeats_credential(provider, "none"));
    provider.credential_lines.emplace_back("Authorization: Bearer none\r\n");
    EXPECT_FALSE(repeats_credential(provider, "req-none-1"));
}

// --- HeldBytes
// --------------------------------------------------------------------------------------------------------

TEST(HeldBytes, growsUpToTheCapAndGivesBack) {
    std::atomic<std::uint64_t> total = 0;
    {
        HeldBytes one(total);
        EXPECT_TRUE(one.grow_to(60, 100));
        EXPECT_TRUE(one.grow_to(60, 100));
        EXPECT_TRUE(one.grow_to(10, 100)) << "smaller is no growth and gives nothing back";
        EXPECT_EQ(total, 60U);
        {
            HeldBytes two(total);
            EXPECT_FALSE(two.grow_to(41, 100));
            EXPECT_EQ(total, 60U) << "a refusal takes nothing";
            EXPECT_TRUE(two.grow_to(40, 100));
            EXPECT_EQ(total, 100U);
            EXPECT_FALSE(one.grow_to(61, 100));
            EXPECT_TRUE(one.grow_to(60, 100));
        }
        EXPECT_EQ(total, 60U);
        EXPECT_TRUE(one.grow_to(100, 100));
    }
    EXPECT_EQ(total, 0U);
}

TEST(HeldBytes, manyThreads_neverExceedTheCapAndLeaveNothing) {
    std::atomic<std::uint64_t> total = 0;
    std::atomic<std::uint64_t> admitted = 0;
    std::atomic<bool> exceeded = false;
    constexpr std::uint64_t kCap = 1000;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; ++i) {
                HeldBytes held(total);
                if (!held.grow_to(300, kCap)) continue;
                if (admitted.fetch_add(300) + 300 > kCap) exceeded = true;
                admitted.fetch_sub(300);
            }
        });
    }
    for (auto& thread : threads) thread.join();
    EXPECT_FALSE(exceeded);
    EXPECT_EQ(total, 0U);
}

// --- passable_type
// ----------------------------------------------------------------------------------------------------

TEST(PassableType, knownTypes_pass) {
    for (const std::string type :
         {"application/json", "text/event-stream", "application/octet-stream", "text/plain", "audio/mpeg", "audio/wav",
          "image/png", "video/mp4", "text/vtt", "application/x-subrip", "application/jsonl", "application/pdf"}) {
        EXPECT_EQ(passable_type(type), type);
        EXPECT_EQ(passable_type(" " + type + " ; charset=utf-8;x=\"sk-secret\""), type) << "no parameter passes";
    }
    EXPECT_EQ(passable_type("Application/JSON"), "application/json");
    EXPECT_EQ(passable_type("text/event-stream;charset=UTF-8"), "text/event-stream; charset=utf-8");
    EXPECT_EQ(passable_type("application/json; Charset=\"utf-8\""), "application/json; charset=utf-8");
    EXPECT_EQ(passable_type("application/json; charset=sk-secret"), "application/json");
    EXPECT_EQ(passable_type("audio/mpeg; charset=utf-8"), "audio/mpeg");
}

// Case 306: a captive portal's page is no answer; active content is not passed on under our name.
TEST(PassableType, otherTypes_doNotPass) {
    for (const std::string type :
         {"", "text/html", "text/html; charset=utf-8", "application/xhtml+xml", "application/xml", "text/javascript",
          "application/javascript", "image/svg+xml", "IMAGE/SVG+XML; charset=utf-8", "multipart/form-data",
          "application/jsonx", "json", "audio", "text/plainx", ";application/json", "audio/", "audio/a b",
          "application/pdfx"})
        EXPECT_EQ(passable_type(type), "") << type;
}

} // namespace
} // namespace tollgate::exchange
