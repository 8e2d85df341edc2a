// Scopes, clocks and calendars for the admission engine's tests.
#pragma once

#include "policy/quota/engine.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy::quota {

inline constexpr TimePoint kSteady{std::chrono::seconds(1'000'000)};
inline const WallTime kWall = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23) + std::chrono::hours(12);
inline constexpr Nano kUsd = 1'000'000'000;

// Both clocks `after` the start.
inline Moment at(Duration after = {}) {
    return {.steady = kSteady + after, .wall = kWall + after};
}

// Days of UTC; id "2026-11-23" as a day number.
class UtcDays final : public PeriodRule {
  public:
    [[nodiscard]] Period at(WallTime wall) const override {
        const auto day = std::chrono::floor<std::chrono::days>(wall);
        return {.id = "day-" + std::to_string(day.time_since_epoch().count()),
                .begin = day,
                .end = day + std::chrono::days(1)};
    }
};

// The last `slots` hours, in slots of one hour.
class RollingHours final : public PeriodRule {
  public:
    explicit RollingHours(int slots) : slots_(slots) {}
    [[nodiscard]] Period at(WallTime wall) const override {
        const auto hour = std::chrono::floor<std::chrono::hours>(wall);
        const auto end = hour + std::chrono::hours(1);
        return {.id = "hour-" + std::to_string(hour.time_since_epoch().count()),
                .begin = hour,
                .end = end,
                .counted_until = end + std::chrono::hours(slots_)};
    }

  private:
    int slots_;
};

inline LimitSpec rpm(std::int64_t limit, std::optional<std::int64_t> burst = std::nullopt) {
    return {.dimension = Dimension::requests, .limit = limit, .burst = burst};
}
inline LimitSpec tpm(std::int64_t limit, Mode mode = Mode::strict) {
    return {.dimension = Dimension::tokens, .limit = limit, .mode = mode};
}
inline LimitSpec slots(std::int64_t limit) {
    return {.dimension = Dimension::concurrency, .window = "", .limit = limit};
}
inline LimitSpec budget(Nano limit, Mode mode = Mode::strict, std::string window = "day",
                        std::shared_ptr<const PeriodRule> rule = std::make_shared<UtcDays>()) {
    return {.dimension = Dimension::money,
            .window = std::move(window),
            .limit = limit,
            .mode = mode,
            .period = std::move(rule)};
}
inline ScopeSpec scope(std::string kind, std::string name, std::vector<LimitSpec> limits) {
    return {.kind = std::move(kind), .name = std::move(name), .limits = std::move(limits)};
}

inline Estimate tokens(std::int64_t count) {
    return {.input = count};
}
inline Estimate money(Nano nano) {
    return {.nano = nano};
}
inline Ask ask_for(Estimate upper, std::optional<Estimate> expected = std::nullopt) {
    return {.upper = upper, .expected = expected};
}

// One org with the scopes of one principal.
class Org {
  public:
    explicit Org(std::vector<ScopeSpec> specs, Moment now = at()) {
        for (ScopeSpec& spec : specs) handles.push_back(engine.define("default", std::move(spec), now));
    }

    Admission admit(const Ask& ask, Moment now = at()) { return admit_as("r" + std::to_string(++last_), ask, now); }
    Admission admit_as(const std::string& id, const Ask& ask, Moment now = at()) {
        return Engine::admit({.id = ReservationId(id), .scopes = handles, .ask = ask, .now = now});
    }
    // Admitted and settled with `actual` at once.
    bool request(const Ask& ask, const Estimate& actual, Moment now = at()) {
        Admission admission = admit(ask, now);
        admission.reservation.settle(actual, now);
        return admission.reply.admitted;
    }
    void redefine(std::size_t i, ScopeSpec spec, Moment now = at()) {
        handles[i] = engine.define("default", std::move(spec), now);
    }
    LocalStore& store() { return handles.front()->store; }
    std::vector<Reading> readings(std::size_t scope_index = 0, Moment now = at()) {
        return store().read(*handles[scope_index], now);
    }
    Reading reading(std::size_t scope_index = 0, std::size_t limit = 0, Moment now = at()) {
        return readings(scope_index, now).at(limit);
    }
    std::int64_t remaining(std::size_t scope_index = 0, std::size_t limit = 0, Moment now = at()) {
        return view_of(reading(scope_index, limit, now).state, now.wall).remaining;
    }

    Engine engine;
    std::vector<ScopeHandle> handles;

  private:
    int last_ = 0;
};

} // namespace tollgate::policy::quota
