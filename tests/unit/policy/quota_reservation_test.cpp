#include "tests/unit/policy/quota_support.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

namespace tollgate::policy::quota {
namespace {

using namespace std::chrono_literals;

std::vector<ScopeSpec> everything() {
    return {scope("key", "k", {rpm(10'000), tpm(10'000'000), slots(10'000), budget(1'000 * kUsd)}),
            scope("org", "o", {slots(10'000), budget(10'000 * kUsd)})};
}

const Ask kAsk = ask_for({.input = 100, .output = 900, .nano = 1'000});

TEST(QuotaReservation, scenario_24_streams_that_end_anywhere_leave_no_slot) {
    Org org(everything());
    std::mt19937 random(24);
    std::vector<Admission> open;
    for (int i = 0; i < 1'000; ++i) open.push_back(org.admit(kAsk));
    EXPECT_EQ(org.reading(0, 2).state.used, 1'000);
    while (!open.empty()) {
        const std::size_t i = random() % open.size();
        if (random() % 2 == 0) open[i].reservation.settle(Estimate{.input = 100, .output = 7, .nano = 107}, at());
        std::swap(open[i], open.back());
        open.pop_back();
    }
    EXPECT_EQ(org.reading(0, 2).state.used, 0);
    EXPECT_EQ(org.reading(1, 0).state.used, 0);
    EXPECT_EQ(org.reading(0, 3).state.held, 0);
    EXPECT_EQ(org.store().totals().open, 0U);
}

TEST(QuotaReservation, scenario_25_released_before_it_was_used) {
    Org org(everything());
    {
        Admission admission = org.admit(kAsk);
        EXPECT_TRUE(admission.reservation.release(at()));
        EXPECT_FALSE(admission.reservation.release(at())) << "empty by now";
    }
    EXPECT_EQ(org.remaining(), 10'000);
    EXPECT_EQ(org.reading(0, 3).spent, 0);
}

TEST(QuotaReservation, scenario_26_what_nobody_renews_is_charged_at_progress_or_reserve) {
    Org org(everything());
    std::vector<Admission> open;
    for (int i = 0; i < 50; ++i) open.push_back(org.admit(kAsk));
    for (std::size_t i = 0; i < 20; ++i)
        EXPECT_TRUE(open[i].reservation.heartbeat({.input = 100, .output = 50, .nano = 150}, at(30s), 20s));
    EXPECT_TRUE(org.store().reap(at(49s)).ids.empty());
    EXPECT_EQ(org.store().reap(at(60s)).ids.size(), 50U);
    EXPECT_TRUE(org.store().reap(at(61s)).ids.empty());
    EXPECT_EQ(org.reading(0, 2).state.used, 0);
    EXPECT_EQ(org.reading(0, 3).state.held, 0);
    EXPECT_EQ(org.reading(0, 3).spent, 20 * 150 + 30 * 1'000);
    EXPECT_EQ(org.store().totals().reaped, 50U);
}

TEST(QuotaReservation, scenario_27_settled_once_however_often_it_is_said) {
    Org org(everything());
    Admission admission = org.admit_as("r", kAsk);
    const ReservationId id("r");
    EXPECT_EQ(admission.reservation.settle(money(5), at()).outcome, Settled::settled);
    EXPECT_EQ(admission.reservation.settle(money(5), at()).outcome, Settled::already);
    EXPECT_EQ(org.store().settle(id, money(5), at()).outcome, Settled::already);
    EXPECT_EQ(org.store().settle(id, money(5), at(1h)).outcome, Settled::already);
    EXPECT_FALSE(org.store().release(id, at()));
    EXPECT_EQ(org.reading(0, 3).spent, 5);
}

TEST(QuotaReservation, scenario_28_a_late_settlement_corrects_the_reaper) {
    Org org(everything());
    Admission less = org.admit(kAsk);
    Admission more = org.admit(kAsk);
    ASSERT_EQ(org.store().reap(at(1h)).ids.size(), 2U);
    EXPECT_EQ(org.reading(0, 3, at(1h)).spent, 2'000);
    EXPECT_EQ(less.reservation.settle(Estimate{.input = 100, .output = 1, .nano = 101}, at(1h)).outcome,
              Settled::corrected);
    EXPECT_EQ(more.reservation.settle(Estimate{.input = 100, .output = 5'000, .nano = 5'100}, at(1h)).outcome,
              Settled::corrected);
    EXPECT_EQ(org.reading(0, 3, at(1h)).spent, 101 + 5'100);
    EXPECT_EQ(org.reading(0, 2, at(1h)).state.used, 0);
    EXPECT_EQ(org.reading(0, 1, at(1h)).state.used, (5'100 - 1'000) * Wide{60'000'000'000}) << "the rest was refilled";
}

TEST(QuotaReservation, tombstones_end_after_a_day_and_are_bounded) {
    Org org(everything());
    Admission old = org.admit(kAsk);
    ASSERT_EQ(org.store().reap(at(1h)).ids.size(), 1U);
    (void)org.store().reap(at(25h - 1ns));
    EXPECT_EQ(org.store().totals().reaped, 1U);
    (void)org.store().reap(at(25h));
    EXPECT_EQ(org.store().totals().reaped, 0U);
    EXPECT_EQ(old.reservation.settle(money(1), at(25h)).outcome, Settled::already) << "its charge stands";
    std::vector<Admission> many;
    for (int i = 0; i < 5'000; ++i) many.push_back(org.admit(kAsk, at(26h)));
    EXPECT_EQ(org.store().reap(at(27h)).ids.size(), 5'000U);
    EXPECT_EQ(org.store().totals().reaped, 4'096U);
}

TEST(QuotaReservation, scenario_29_heartbeats_keep_a_stream_alive_until_its_deadline) {
    Org org(everything());
    Admission stream = Engine::admit({.id = ReservationId("stream"),
                                      .scopes = org.handles,
                                      .ask = kAsk,
                                      .now = at(),
                                      .lease = 60s,
                                      .deadline = kSteady + 30min});
    for (int beat = 1; beat < 90; ++beat) {
        const Moment now = at(20s * beat);
        ASSERT_TRUE(stream.reservation.heartbeat({.output = beat, .nano = beat}, now, 60s));
        ASSERT_TRUE(org.store().reap(now).ids.empty());
    }
    EXPECT_EQ(org.store().reap(at(30min)).ids.size(), 1U) << "no heartbeat reaches past the deadline";
    EXPECT_FALSE(stream.reservation.heartbeat({}, at(30min), 60s));
    EXPECT_EQ(org.reading(0, 3, at(30min)).spent, 89);
}

TEST(QuotaReservation, progress_never_shrinks_and_absurd_progress_only_renews) {
    Org org(everything());
    Admission stream = org.admit(kAsk);
    EXPECT_TRUE(stream.reservation.heartbeat({.nano = 70}, at(), 60s));
    EXPECT_TRUE(stream.reservation.heartbeat({.nano = 50}, at(), 60s));
    EXPECT_TRUE(stream.reservation.heartbeat({.nano = -1}, at(10s), 60s));
    EXPECT_TRUE(org.store().reap(at(69s)).ids.empty());
    EXPECT_EQ(org.store().reap(at(70s)).ids.size(), 1U);
    EXPECT_EQ(org.reading(0, 3, at(70s)).spent, 70);
}

TEST(QuotaReservation, scenario_30_an_exception_charges_the_reserve_and_frees_the_slot) {
    Org org(everything());
    for (int point = 0; point < 30; ++point) {
        const auto request = [&] {
            Admission admission = org.admit(kAsk);
            const Reservation moved = std::move(admission.reservation);
            if (point % 3 == 0) EXPECT_TRUE(org.store().heartbeat(moved.id(), {.nano = 2'500}, at(), 60s));
            throw std::runtime_error("somewhere");
        };
        EXPECT_THROW(request(), std::runtime_error);
    }
    EXPECT_EQ(org.store().totals().open, 0U);
    EXPECT_EQ(org.reading(0, 2).state.used, 0);
    EXPECT_EQ(org.reading(0, 3).state.held, 0);
    EXPECT_EQ(org.reading(0, 3).spent, 20 * 1'000 + 10 * 2'500) << "never less than was seen";
}

TEST(QuotaReservation, thresholds_passed_by_an_abandoned_one_are_told_by_the_reaper) {
    Org org({scope("key", "k", {budget(100)})});
    {
        const Admission lost = org.admit(ask_for(money(60)));
    }
    const ReapReply reply = org.engine.reap(at());
    ASSERT_EQ(reply.crossings.size(), 1U);
    EXPECT_EQ(reply.crossings[0].percent, 50);
    EXPECT_TRUE(org.engine.reap(at()).crossings.empty());
}

TEST(QuotaReservation, the_same_id_again_is_admitted_and_takes_nothing) {
    Org org(everything());
    Admission first = org.admit_as("r", kAsk);
    {
        const Admission again = org.admit_as("r", kAsk);
        EXPECT_TRUE(again.reply.admitted);
        EXPECT_TRUE(again.reply.duplicate);
        EXPECT_FALSE(static_cast<bool>(again.reservation)) << "the first one settles";
    }
    EXPECT_EQ(org.reading(0, 2).state.used, 1);
    EXPECT_EQ(org.reading(0, 3).state.held, 1'000);
    first.reservation.settle(money(3), at());
    EXPECT_EQ(org.reading(0, 3).spent, 3);
    EXPECT_FALSE(org.admit_as("r", kAsk).reply.duplicate) << "closed: a new one";
}

TEST(QuotaReservation, assigning_over_an_open_one_charges_it) {
    Org org(everything());
    Admission first = org.admit(kAsk);
    Admission second = org.admit(kAsk);
    first.reservation = std::move(second.reservation);
    EXPECT_EQ(org.reading(0, 3).spent, 1'000);
    EXPECT_EQ(org.store().totals().open, 1U);
    EXPECT_EQ(first.reservation.settle(money(1), at()).outcome, Settled::settled);
}

TEST(QuotaReservation, many_ids_are_found_again_in_any_order) {
    Org org({scope("key", "k", {slots(100'000)})});
    std::vector<Reservation> open;
    std::mt19937 random(5);
    for (int i = 0; i < 20'000; ++i) {
        open.push_back(org.admit(Ask{}).reservation);
        if (random() % 3 == 0) {
            std::swap(open[random() % open.size()], open.back());
            EXPECT_EQ(open.back().settle(Estimate{}, at()).outcome, Settled::settled);
            open.pop_back();
        }
    }
    EXPECT_EQ(org.reading().state.used, static_cast<Wide>(open.size()));
    for (Reservation& one : open) EXPECT_EQ(one.settle(Estimate{}, at()).outcome, Settled::settled);
    EXPECT_EQ(org.store().totals().open, 0U);
    EXPECT_THROW(ReservationId(""), std::invalid_argument);
    EXPECT_THROW(ReservationId(std::string(33, 'x')), std::invalid_argument);
    EXPECT_EQ(ReservationId(std::string(32, 'x')).view().size(), 32U);
}

// A scope that left the configuration is kept while anything would be lost with it.
TEST(QuotaReservation, scopes_are_forgotten_only_when_nothing_is_lost) {
    Engine engine;
    const auto touch_many = [&](Moment now) {
        for (int i = 0; i < 300; ++i) (void)engine.define("o", scope("key", "x" + std::to_string(i), {rpm(1)}), now);
    };
    Reservation open;
    {
        const std::vector<ScopeHandle> handles{engine.define("o", scope("key", "k", {rpm(10), budget(100)}), at())};
        open = Engine::admit({.id = ReservationId("r"), .scopes = handles, .ask = ask_for(money(7)), .now = at()})
                   .reservation;
    }
    touch_many(at(1h));
    EXPECT_EQ(open.settle(money(7), at(1h)).outcome, Settled::settled);
    touch_many(at(2h));
    const ScopeHandle back = engine.define("o", scope("key", "k", {rpm(10), budget(100)}), at(2h));
    EXPECT_EQ(engine.store("o")->read(*back, at(2h)).at(1).spent, 7);
}

} // namespace
} // namespace tollgate::policy::quota
