#include "gateway/base/deadlines.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace tollgate {
namespace {

using namespace std::chrono_literals;

const TimePoint kStart = TimePoint{} + 1h;
constexpr std::string_view kClock = "head";

class Counted final : public Deadline {
  public:
    explicit Counted(DeadlineList& list) : Deadline(list) {}
    int fired = 0;
    std::function<void()> then = [] {};

  private:
    void on_expired() override {
        ++fired;
        then();
    }
};

TEST(DeadlineList, what_an_earlier_one_moved_does_not_fire) {
    DeadlineList list;
    Counted first(list);
    Counted second(list);
    first.expire_at(kStart, kClock);
    second.expire_at(kStart, kClock);
    first.then = [&] { second.expire_at(kStart + 1s, kClock); };
    list.tick(kStart);
    EXPECT_EQ(first.fired, 1);
    EXPECT_EQ(second.fired, 0);
    list.tick(kStart + 1s);
    EXPECT_EQ(second.fired, 1);
}

TEST(DeadlineList, clock_is_expired_up_to_a_time) {
    DeadlineList list;
    Counted early(list);
    Counted late(list);
    Counted other(list);
    early.expire_at(kStart + 1s, kClock);
    late.expire_at(kStart + 2s, kClock);
    other.expire_at(kStart + 1s, "body");
    list.expire_clock(kClock, kStart + 1s);
    EXPECT_EQ(early.fired, 1);
    EXPECT_EQ(late.fired + other.fired, 0);
    list.expire_clock(kClock);
    EXPECT_EQ(late.fired, 1);
    EXPECT_EQ(early.fired + other.fired, 1) << "what has fired waits for nothing";
}

} // namespace
} // namespace tollgate
