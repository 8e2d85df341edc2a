#include "policy/limiter.hpp"

#include "tests/unit/policy/principals.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <mutex>
#include <stdexcept>
#include <string>

namespace tollgate::policy {
namespace {

using namespace std::chrono_literals;

int admitted_of(Limiter& limiter, const Principal& principal, int requests, TimePoint now) {
    int admitted = 0;
    for (int i = 0; i < requests; ++i) admitted += limiter.admit(principal, now).admitted ? 1 : 0;
    return admitted;
}

std::uint64_t remaining(const Principal& principal, std::size_t scope, TimePoint now = kStart) {
    return principal.scopes[scope].requests->tokens.remaining(now);
}

TEST(Limiter, scenario_1_burst_passes_and_one_more_after_a_second) {
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(60, 10)});
    EXPECT_EQ(admitted_of(limiter, principal, 100, kStart), 10);
    EXPECT_EQ(admitted_of(limiter, principal, 5, kStart + 999ms), 0);
    EXPECT_EQ(admitted_of(limiter, principal, 5, kStart + 1s), 1);
}

TEST(Limiter, scenario_3_a_denial_takes_from_no_scope) {
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(100), .team = rpm(50), .org = rpm(20)});
    EXPECT_EQ(admitted_of(limiter, principal, 30, kStart), 20);
    EXPECT_EQ(remaining(principal, 0), 80U);
    EXPECT_EQ(remaining(principal, 1), 30U);
    EXPECT_EQ(remaining(principal, 2), 0U);
}

TEST(Limiter, scenario_12_the_longest_wait_of_the_denying_scopes_is_reported) {
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(60, 1), .team = rpm(2, 1), .org = rpm(600)});
    ASSERT_TRUE(limiter.admit(principal, kStart).admitted);
    const Admission denied = limiter.admit(principal, kStart);
    ASSERT_TRUE(denied.denial.has_value());
    EXPECT_EQ(denied.denial->retry_after_ms, 30'000U);
    EXPECT_NE(denied.denial->message.find("team \"search\""), std::string::npos) << denied.denial->message;
    ASSERT_TRUE(denied.tightest.has_value());
    EXPECT_EQ(denied.tightest->scope_kind, "team");
    EXPECT_FALSE(limiter.admit(principal, kStart + 29'999ms).admitted);
    EXPECT_TRUE(limiter.admit(principal, kStart + 30s).admitted);
}

TEST(Limiter, scenario_14_a_reload_keeps_what_was_used) {
    Limiter limiter;
    const Principal before = limited(limiter, {.key = rpm(100)});
    EXPECT_EQ(admitted_of(limiter, before, 50, kStart), 50);
    const Principal raised = limited(limiter, {.key = rpm(200)});
    EXPECT_EQ(raised.scopes[0].requests, before.scopes[0].requests);
    EXPECT_EQ(remaining(raised, 0), 150U);
    const Principal lowered = limited(limiter, {.key = rpm(10)});
    EXPECT_EQ(remaining(lowered, 0), 0U);
}

TEST(Limiter, denial_says_whose_limit_the_numbers_the_end_and_whom_to_ask) {
    Limiter limiter;
    Principal principal = limited(limiter, {.key = rpm(50)});
    principal.contact = "#llm-platform";
    EXPECT_EQ(admitted_of(limiter, principal, 50, kStart), 50);
    const Admission denied = limiter.admit(principal, kStart);
    ASSERT_TRUE(denied.denial.has_value());
    const Error& error = *denied.denial;
    EXPECT_EQ(error.message,
              "Rate limit reached for key \"k_demo\" (requests per minute): limit 50, used 50, requested 1. "
              "Please try again in 1.2s. Contact: #llm-platform.");
    EXPECT_EQ(error.type, ErrorType::policy_rate_limited);
    EXPECT_EQ(error.status, 429);
    EXPECT_EQ(error.openai_type, "requests");
    EXPECT_EQ(error.code, "rate_limit_exceeded");
    EXPECT_EQ(error.retry, Retry::after);
    EXPECT_EQ(error.retry_after_ms, 1'200U);
    EXPECT_EQ(error.details, R"("scope":"key","scope_name":"k_demo","limit":"rpm","limit_value":50,"remaining":0,)"
                             R"("retry_after_ms":1200,"contact":"#llm-platform")");
}

TEST(Limiter, denial_names_a_burst_that_differs_and_leaves_out_a_missing_contact) {
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(60, 1)});
    ASSERT_TRUE(limiter.admit(principal, kStart).admitted);
    const Admission denied = limiter.admit(principal, kStart + 1us);
    ASSERT_TRUE(denied.denial.has_value());
    EXPECT_EQ(denied.denial->message,
              "Rate limit reached for key \"k_demo\" (requests per minute): limit 60 (burst 1), used "
              "1, requested 1. Please try again in 1s.");
    EXPECT_EQ(denied.denial->retry_after_ms, 1'000U) << "999.999 ms are rounded up";
    EXPECT_EQ(denied.denial->details.find("contact"), std::string::npos) << denied.denial->details;
}

TEST(Limiter, scope_names_are_escaped_in_the_details) {
    Limiter limiter;
    const std::string name = "a\"b\\c\n";
    Principal principal = principal_of(name);
    principal.scopes[0].requests = limiter.bucket("default", "key", name, rpm(1), kStart);
    ASSERT_TRUE(limiter.admit(principal, kStart).admitted);
    const Admission denied = limiter.admit(principal, kStart);
    ASSERT_TRUE(denied.denial.has_value());
    EXPECT_NE(denied.denial->details.find(R"("scope_name":"a\"b\\c\n")"), std::string::npos) << denied.denial->details;
}

TEST(Limiter, tightest_is_the_smallest_share_that_remains) {
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(100), .team = rpm(10), .org = rpm(1'000)});
    const Admission admission = limiter.admit(principal, kStart);
    ASSERT_TRUE(admission.tightest.has_value());
    EXPECT_EQ(admission.tightest->scope_kind, "team");
    EXPECT_EQ(admission.tightest->scope_name, "search");
    EXPECT_EQ(admission.tightest->limit, 10U);
    EXPECT_EQ(admission.tightest->remaining, 9U);
    EXPECT_EQ(admission.tightest->reset, 6s);
    EXPECT_EQ(admission.tightest->next, 6s);
    EXPECT_FALSE(admission.denial.has_value());
}

TEST(Limiter, equal_shares_name_the_narrowest_scope) {
    Limiter limiter;
    const Principal all = limited(limiter, {.key = rpm(10), .team = rpm(10), .org = rpm(10)});
    EXPECT_EQ(limiter.admit(all, kStart).tightest->scope_kind, "key");
    Limiter other;
    const Principal wide = limited(other, {.team = rpm(20), .org = rpm(20)});
    EXPECT_EQ(other.admit(wide, kStart).tightest->scope_kind, "team");
    // Denied everywhere at once with the same wait: the narrowest again.
    Limiter third;
    const Principal empty = limited(third, {.key = rpm(1), .team = rpm(1), .org = rpm(1)});
    ASSERT_TRUE(third.admit(empty, kStart).admitted);
    EXPECT_EQ(third.admit(empty, kStart).tightest->scope_kind, "key");
}

TEST(Limiter, peek_decides_alike_and_takes_nothing) {
    Limiter limiter;
    const Principal principal = limited(limiter, {.key = rpm(2)});
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(limiter.peek(principal, kStart).admitted);
    EXPECT_EQ(limiter.peek(principal, kStart).tightest->remaining, 2U);
    EXPECT_EQ(admitted_of(limiter, principal, 3, kStart), 2);
    const Admission peeked = limiter.peek(principal, kStart);
    const Admission admitted = limiter.admit(principal, kStart);
    ASSERT_TRUE(peeked.denial && admitted.denial);
    EXPECT_EQ(peeked.denial->message, admitted.denial->message);
}

TEST(Limiter, unlimited_principal_is_admitted_without_numbers) {
    Limiter limiter;
    const Admission admission = limiter.admit(principal_of("k_free"), kStart);
    EXPECT_TRUE(admission.admitted);
    EXPECT_FALSE(admission.tightest.has_value());
    EXPECT_FALSE(admission.denial.has_value());
}

// Locking a std::mutex this thread holds already would hang or abort, so returning proves that no lock was taken.
TEST(Limiter, unlimited_principal_takes_no_lock) {
    Limiter limiter;
    const Principal limited_one = limited(limiter, {.key = rpm(1)});
    const std::scoped_lock held(limited_one.scopes[0].requests->org->mutex);
    EXPECT_TRUE(limiter.admit(principal_of("k_free"), kStart).admitted);
    EXPECT_TRUE(limiter.peek(principal_of("k_free"), kStart).admitted);
}

TEST(Limiter, orgs_have_their_own_mutex_and_scopes_of_one_org_share_it) {
    Limiter limiter;
    const auto key = limiter.bucket("a", "key", "k", rpm(1), kStart);
    const auto team = limiter.bucket("a", "team", "t", rpm(1), kStart);
    const auto other = limiter.bucket("b", "key", "k", rpm(1), kStart);
    EXPECT_EQ(key->org, team->org);
    EXPECT_NE(key->org, other->org);
    EXPECT_NE(key, other);
}

TEST(Limiter, teams_share_their_bucket_across_keys) {
    Limiter limiter;
    Principal first = limited(limiter, {.team = rpm(10)});
    const Principal second = limited(limiter, {.team = rpm(10)});
    EXPECT_EQ(admitted_of(limiter, first, 6, kStart) + admitted_of(limiter, second, 6, kStart), 10);
}

TEST(Limiter, a_removed_limit_is_forgotten_with_its_last_principal) {
    Limiter limiter;
    auto bucket = limiter.bucket("default", "key", "k_demo", rpm(5), kStart);
    bucket->tokens.take(kStart);
    std::weak_ptr<Bucket> watch = bucket;
    bucket.reset();
    EXPECT_TRUE(watch.expired());
    EXPECT_EQ(limiter.bucket("default", "key", "k_demo", rpm(5), kStart)->tokens.remaining(kStart), 5U);
}

TEST(Limiter, thousands_of_dead_buckets_are_pruned_and_live_ones_kept) {
    Limiter limiter;
    const auto live = limiter.bucket("default", "key", "live", rpm(5), kStart);
    live->tokens.take(kStart);
    for (int i = 0; i < 5'000; ++i) {
        ASSERT_NE(limiter.bucket("org" + std::to_string(i), "key", "dead", rpm(5), kStart), nullptr);
    }
    EXPECT_EQ(limiter.bucket("default", "key", "live", rpm(5), kStart), live);
}

TEST(Limiter, bucket_without_a_usable_limit_is_refused) {
    Limiter limiter;
    EXPECT_THROW((void)limiter.bucket("o", "key", "k", {}, kStart), std::invalid_argument);
    EXPECT_THROW((void)limiter.bucket("o", "key", "k", rpm(0), kStart), std::invalid_argument);
    EXPECT_THROW((void)limiter.bucket("o", "key", "k", rpm(5, 0), kStart), std::invalid_argument);
}

} // namespace
} // namespace tollgate::policy
