// What a webhook is sent: the body's octets, its signature, the request's head.
#include "gateway/alerts/message.hpp"

#include <gtest/gtest.h>

#include <chrono>

namespace tollgate::alerts {
namespace {

const WallTime kAt = std::chrono::sys_days(std::chrono::year(2026) / 11 / 30) + std::chrono::milliseconds(83'045'678);

policy::alerts::Alert alert() {
    return {.id = "alert_0123",
            .crossing = {.kind = "team",
                         .name = "se\"arch",
                         .window = "month@UTC",
                         .period = "month@1:UTC:2026-11",
                         .percent = 80,
                         .spent = 1'600'000'000'001,
                         .limit = 2'000'000'000'000},
            .at = kAt};
}

TEST(AlertMessage, body_saysAllOfIt_withExactAmounts) {
    EXPECT_EQ(body_of(alert()),
              R"({"type":"budget_threshold","id":"alert_0123","at":"2026-11-30T23:04:05Z",)"
              R"("scope":{"kind":"team","name":"se\"arch"},"window":"month@UTC","period":"month@1:UTC:2026-11",)"
              R"("percent":80,"spent_usd":"1600.000000001","limit_usd":"2000.00",)"
              R"("text":"The budget of team se\"arch has passed 80 %: $1,600.000000001 of $2,000.00 spent )"
              R"((month@1:UTC:2026-11)."})");
}

// printf '1796079845.{}' | openssl dgst -sha256 -hmac key
TEST(AlertMessage, signature_isOverTimeAndBody) {
    EXPECT_EQ(signature_of("{}", Secret("key"), kAt),
              "t=1796079845,v1=c92234b8cac6dfc539f6477ffe01826d87c98b56e5e7fe348a7a3eca4510e954");
}

TEST(AlertMessage, head_isBuiltFromNothing_andSignedOnlyWithASecret) {
    const std::string bare = head_of("/hook?a=b", "Host: h\r\n", "{}", Secret(), kAt);
    EXPECT_EQ(bare, "POST /hook?a=b HTTP/1.1\r\nHost: h\r\nUser-Agent: tollgate/" TOLLGATE_VERSION
                    "\r\nContent-Type: application/json\r\nContent-Length: 2\r\nConnection: close\r\n\r\n");
    const std::string with = head_of("/hook?a=b", "Host: h\r\n", "{}", Secret("key"), kAt);
    EXPECT_EQ(with, bare.substr(0, bare.size() - 2) +
                        "x-tollgate-signature: " + signature_of("{}", Secret("key"), kAt) + "\r\n\r\n");
}

} // namespace
} // namespace tollgate::alerts
