// Each threshold of a budget is told once per period, over restarts and concurrent settlements (scenario 42).
#include "policy/alerts/book.hpp"
#include "policy/alerts/retry.hpp"
#include "quota_support.hpp"
#include "temporary_directory.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <mutex>
#include <set>
#include <string>
#include <sys/stat.h>
#include <thread>
#include <vector>

namespace tollgate::policy::alerts {
namespace {

using namespace std::chrono_literals;

constexpr WallTime kNoon{std::chrono::seconds(1'796'040'000)};

quota::Crossing crossing(int percent = 80, std::string period = "month@1:UTC:2026-11") {
    return {.kind = "team",
            .name = "search",
            .window = "month@UTC",
            .period = std::move(period),
            .percent = percent,
            .spent = 800,
            .limit = 1'000};
}

class AlertBook : public testing::Test {
  protected:
    AlertBook() { reopen(); }
    void reopen() {
        book_.reset();
        auto opened = Book::open(file_);
        ASSERT_TRUE(opened.has_value()) << opened.error();
        book_ = std::move(*opened);
    }
    bool told(const quota::Crossing& what, WallTime at = kNoon) {
        auto recorded = book_->record(what, at);
        EXPECT_TRUE(recorded.has_value()) << recorded.error();
        return recorded && recorded->has_value();
    }
    std::optional<Alert> due(WallTime now = kNoon) {
        auto found = book_->due(now);
        EXPECT_TRUE(found.has_value()) << found.error();
        return found ? *found : std::nullopt;
    }
    std::optional<WallTime> next_due(WallTime now = kNoon) {
        auto found = book_->next_due(now);
        EXPECT_TRUE(found.has_value()) << found.error();
        return found ? *found : std::nullopt;
    }

    TemporaryDirectory directory_;
    const std::string file_ = directory_.path() + "/alerts.db";
    std::unique_ptr<Book> book_;
};

TEST_F(AlertBook, threshold_isToldOncePerPeriod_scenario42) {
    EXPECT_TRUE(told(crossing()));
    EXPECT_FALSE(told(crossing()));
    EXPECT_TRUE(told(crossing(90)));
    EXPECT_TRUE(told(crossing(80, "month@1:UTC:2026-12"), kNoon + 24h));
    EXPECT_FALSE(told(crossing(80, "month@1:UTC:2026-12"), kNoon + 48h));
}

TEST_F(AlertBook, threshold_isNotToldAgainAfterARestart_scenario42) {
    EXPECT_TRUE(told(crossing()));
    reopen();
    EXPECT_FALSE(told(crossing()));
}

TEST_F(AlertBook, scopes_windowsAndNamesAreToldApart) {
    EXPECT_TRUE(told(crossing()));
    auto other = crossing();
    other.name = "sales";
    EXPECT_TRUE(told(other));
    other.kind = "org";
    EXPECT_TRUE(told(other));
    other.window = "day@UTC";
    EXPECT_TRUE(told(other));
}

TEST_F(AlertBook, rollingWindow_isToldAgainAfterItsLength) {
    auto part = crossing(80, "rolling@604800/24:1");
    part.rolling = 7 * 24h;
    EXPECT_TRUE(told(part));
    part.period = "rolling@604800/24:9"; // what a restart finds in another part
    EXPECT_FALSE(told(part, kNoon + 6 * 24h));
    EXPECT_TRUE(told(part, kNoon + 7 * 24h));
}

TEST_F(AlertBook, file_isReadableByItsOwnerAlone) {
    struct stat info{};
    ASSERT_EQ(::stat(file_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST_F(AlertBook, damagedFile_isAnErrorThatNamesIt) {
    book_.reset();
    std::ofstream(file_, std::ios::trunc) << std::string(4096, 'x');
    const auto opened = Book::open(file_);
    ASSERT_FALSE(opened.has_value());
    EXPECT_NE(opened.error().find(file_), std::string::npos) << opened.error();
}

TEST_F(AlertBook, alert_isDueUntilItIsDelivered_overRestarts) {
    EXPECT_FALSE(due().has_value());
    EXPECT_FALSE(next_due().has_value());
    ASSERT_TRUE(told(crossing()));
    reopen();
    const auto alert = due();
    ASSERT_TRUE(alert.has_value());
    EXPECT_EQ(alert->id.size(), 6U + 32U);
    EXPECT_EQ(alert->crossing.kind, "team");
    EXPECT_EQ(alert->crossing.name, "search");
    EXPECT_EQ(alert->crossing.window, "month@UTC");
    EXPECT_EQ(alert->crossing.period, "month@1:UTC:2026-11");
    EXPECT_EQ(alert->crossing.percent, 80);
    EXPECT_EQ(alert->crossing.spent, 800);
    EXPECT_EQ(alert->crossing.limit, 1'000);
    EXPECT_EQ(alert->at, kNoon);
    ASSERT_TRUE(book_->delivered(*alert, kNoon + 1s).has_value());
    EXPECT_FALSE(due(kNoon + 24h).has_value());
    EXPECT_FALSE(told(crossing()));
}

TEST_F(AlertBook, failedAlert_waitsAndKeepsItsId) {
    ASSERT_TRUE(told(crossing()));
    const auto first = due();
    ASSERT_TRUE(first && book_->failed(*first, kNoon + 4s));
    EXPECT_FALSE(due(kNoon + 3s).has_value());
    EXPECT_EQ(next_due(kNoon), kNoon + 4s);
    reopen();
    const auto again = due(kNoon + 4s);
    ASSERT_TRUE(again.has_value());
    EXPECT_EQ(again->id, first->id);
    EXPECT_EQ(again->attempts, 1U);
}

TEST_F(AlertBook, hasten_makesAllThatWaitDue) {
    ASSERT_TRUE(told(crossing(50)) && told(crossing(80)));
    for (int i = 0; i < 2; ++i) {
        const auto alert = due();
        ASSERT_TRUE(alert && book_->failed(*alert, kNoon + 30min));
    }
    ASSERT_FALSE(due(kNoon + 1s).has_value());
    ASSERT_TRUE(book_->hasten(kNoon + 1s).has_value());
    EXPECT_EQ(due(kNoon + 1s)->crossing.percent, 50); // in the order they came
}

TEST_F(AlertBook, givenUpOrUnwanted_isNeverDueAgainAndNotToldAgain) {
    ASSERT_TRUE(told(crossing(50)));
    ASSERT_TRUE(book_->failed(*due(), std::nullopt).has_value());
    EXPECT_FALSE(due(kNoon + 48h).has_value());
    ASSERT_TRUE(told(crossing(80)));
    ASSERT_TRUE(book_->close().has_value());
    ASSERT_TRUE(book_->hasten(kNoon).has_value());
    EXPECT_FALSE(due(kNoon + 48h).has_value());
    EXPECT_FALSE(told(crossing(50)) || told(crossing(80)));
}

TEST_F(AlertBook, clockSetBack_doesNotHoldAnAlert) {
    ASSERT_TRUE(told(crossing()));
    ASSERT_TRUE(book_->failed(*due(), kNoon + 1h).has_value());
    const WallTime earlier = kNoon - 5h;
    EXPECT_TRUE(due(earlier).has_value());
    EXPECT_EQ(next_due(earlier), earlier + kLongestPause);
}

TEST_F(AlertBook, prune_forgetsOldPeriods_butNoLifetime) {
    ASSERT_TRUE(told(crossing()) && told(crossing(80, "lifetime")));
    ASSERT_TRUE(book_->prune(kNoon + 399 * 24h).has_value());
    EXPECT_FALSE(told(crossing()));
    ASSERT_TRUE(book_->prune(kNoon + 401 * 24h).has_value());
    EXPECT_TRUE(told(crossing()));
    EXPECT_FALSE(told(crossing(80, "lifetime")));
}

TEST_F(AlertBook, concurrentSettlementsAcrossAThreshold_giveOneAlert_perPeriod_scenario42) {
    quota::Org org({quota::scope("team", "search", {quota::budget(1'000)})});
    std::mutex mutex;
    const auto spend = [&](int n, quota::Moment now) {
        const std::string id = std::to_string(n) + "@" + std::to_string(now.wall.time_since_epoch().count());
        auto admission = org.admit_as(id.substr(0, 32), quota::ask_for(quota::money(8)), now);
        const auto reply = admission.reservation.settle(quota::money(8), now);
        const std::scoped_lock lock(mutex);
        for (const auto& one : reply.crossings) (void)told(one, now.wall);
    };
    for (const auto now : {quota::at(), quota::at(24h)}) {
        std::vector<std::thread> threads;
        for (int i = 0; i < 100; ++i) threads.emplace_back(spend, i, now);
        for (auto& thread : threads) thread.join();
    }
    std::multiset<int> percents;
    while (const auto alert = due(quota::at(48h).wall)) {
        percents.insert(alert->crossing.percent);
        ASSERT_TRUE(book_->delivered(*alert, kNoon).has_value());
    }
    EXPECT_EQ(percents, (std::multiset<int>{50, 50, 80, 80})); // 800 of 1,000 on each of two days
}

TEST(AlertRetry, pausesDoubleFromASecondToAnHour) {
    const auto pause = [](unsigned failed) { return *next_attempt(failed, kNoon, kNoon + 2h) - (kNoon + 2h); };
    EXPECT_EQ(pause(1), 1s);
    EXPECT_EQ(pause(2), 2s);
    EXPECT_EQ(pause(11), 1024s);
    EXPECT_EQ(pause(12), 2048s);
    EXPECT_EQ(pause(13), 1h);
    EXPECT_EQ(pause(1'000'000), 1h);
}

TEST(AlertRetry, lastAttemptIsAfterADay_andThenItIsGivenUp) {
    EXPECT_EQ(next_attempt(20, kNoon, kNoon + 23h + 30min), kNoon + 24h);
    EXPECT_EQ(next_attempt(21, kNoon, kNoon + 24h), std::nullopt);
    EXPECT_EQ(next_attempt(1, kNoon, kNoon + 72h), std::nullopt);
}

TEST(AlertRetry, wholeOutageOfADay_takesAboutThirtyFiveAttempts) {
    WallTime now = kNoon;
    unsigned attempts = 0;
    for (std::optional<WallTime> next = now; next; next = next_attempt(attempts, kNoon, now)) {
        now = *next;
        ++attempts;
    }
    EXPECT_EQ(now, kNoon + 24h);
    EXPECT_EQ(attempts, 36U);
}

} // namespace
} // namespace tollgate::policy::alerts
