// Random steps against a model so plain that it is obviously right: lists of what is open and what was charged.
#include "policy/quota/debt_bucket.hpp"
#include "tests/unit/policy/quota_support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

namespace tollgate::policy::quota {
namespace {

using namespace std::chrono_literals;

struct ModelLimit {
    std::size_t scope;
    LimitSpec spec;
    Wide used = 0; // rates, kToken-ths
    TimePoint last = kSteady;
    std::uint32_t forgiven = 0;
};

struct ModelLine {
    std::size_t limit;
    std::int64_t amount;
    std::string period{};
    std::uint32_t forgiven = 0;
    bool capped = false;
};

struct ModelRecord {
    bool open = true;
    TimePoint expires{};
    std::optional<Estimate> progress{};
    std::vector<ModelLine> lines{};
};

class Model {
  public:
    std::vector<ModelLimit> limits;
    std::map<std::string, ModelRecord> records;                        // open and reaped
    std::map<std::pair<std::size_t, std::string>, Wide> final_charges; // of closed records, by limit and period
    std::deque<std::pair<std::string, TimePoint>> tombstones;

    static std::string period_of(const LimitSpec& spec, WallTime wall) {
        return spec.dimension == Dimension::money ? spec.period->at(wall).id : "";
    }
    Wide held(std::size_t limit, const std::string& period) const { return sum(limit, period, true); }
    Wide spent(std::size_t limit, const std::string& period) const {
        const auto found = final_charges.find({limit, period});
        return sum(limit, period, false) + (found == final_charges.end() ? 0 : found->second);
    }
    std::size_t open() const {
        return static_cast<std::size_t>(std::ranges::count_if(records, [](const auto& r) { return r.second.open; }));
    }
    Wide used(std::size_t i, TimePoint now) const {
        const ModelLimit& limit = limits[i];
        Wide used = limit.used;
        if (now > limit.last) used -= Wide{(now - limit.last).count()} * limit.spec.limit;
        return used < 0 ? 0 : used;
    }
    void move_bucket(std::size_t i, Wide by, TimePoint now) {
        const Wide to = used(i, now) + by * kToken;
        limits[i].used = to < 0 ? 0 : to;
        limits[i].last = std::max(limits[i].last, now);
    }

    struct Fit {
        bool fits = true;
        bool capped = false;
        std::int64_t amount = 0;
    };
    Fit fit(std::size_t i, const Ask& ask, Moment now, const std::string& period, const ModelRecord* own) const {
        const LimitSpec& spec = limits[i].spec;
        const Estimate& estimate =
            spec.mode == Mode::balanced || spec.mode == Mode::soft ? ask.expected.value_or(ask.upper) : ask.upper;
        const bool lenient = spec.shadow || spec.mode == Mode::soft;
        if (spec.dimension == Dimension::money) {
            const Wide left = spec.limit - held(i, period) - spent(i, period);
            if (estimate.nano == 0 || estimate.nano <= left) return {.amount = estimate.nano};
            if (spec.mode == Mode::last_call) {
                const bool mine = own != nullptr && takes_rest(*own, i);
                const bool taken = std::ranges::any_of(
                    records, [&](const auto& entry) { return entry.second.open && takes_rest(entry.second, i); });
                if (mine || (left > 0 && !taken))
                    return {.capped = true, .amount = static_cast<std::int64_t>(left > 0 ? left : 0)};
            }
            return {.fits = lenient, .amount = estimate.nano};
        }
        if (spec.dimension == Dimension::concurrency)
            return {.fits = lenient || held(i, "") + ask.slots <= spec.limit || ask.slots == 0, .amount = ask.slots};
        const std::int64_t amount =
            spec.dimension == Dimension::requests ? ask.requests : amount_of(estimate, spec.dimension);
        const Wide full = spec.burst.value_or(spec.limit) * kToken;
        return {.fits = lenient || amount == 0 || used(i, now.steady) + amount * kToken <= full, .amount = amount};
    }
    bool admit(const std::string& id, const Ask& ask, Moment now, Duration lease) {
        ModelRecord record{.expires = now.steady + lease};
        for (std::size_t i = 0; i < limits.size(); ++i) {
            const std::string period = period_of(limits[i].spec, now.wall);
            const Fit result = fit(i, ask, now, period, nullptr);
            if (!result.fits) return false;
            record.lines.push_back({.limit = i,
                                    .amount = result.amount,
                                    .period = period,
                                    .forgiven = limits[i].forgiven,
                                    .capped = result.capped});
        }
        for (const ModelLine& line : record.lines) {
            if (is_rate(limits[line.limit].spec.dimension)) move_bucket(line.limit, line.amount, now.steady);
        }
        if (records.contains(id)) finish(id);
        records[id] = record;
        return true;
    }
    bool top_up(const std::string& id, Ask ask, Moment now) {
        const auto found = records.find(id);
        if (found == records.end() || !found->second.open) return false;
        ask.requests = 0;
        ask.slots = 0;
        std::vector<Fit> fits;
        for (const ModelLine& line : found->second.lines) {
            fits.push_back(fit(line.limit, ask, now, line.period, &found->second));
            if (!fits.back().fits) return false;
        }
        for (std::size_t i = 0; i < fits.size(); ++i) {
            ModelLine& line = found->second.lines[i];
            line.amount += fits[i].amount;
            line.capped = line.capped || fits[i].capped;
            if (is_rate(limits[line.limit].spec.dimension)) move_bucket(line.limit, fits[i].amount, now.steady);
        }
        return true;
    }
    void charge(ModelRecord& record, const Estimate* actual, bool everything_back, Moment now) {
        for (ModelLine& line : record.lines) {
            const Dimension dimension = limits[line.limit].spec.dimension;
            std::int64_t amount = line.amount;
            if (everything_back) amount = 0;
            if (actual != nullptr && dimension != Dimension::requests && dimension != Dimension::concurrency)
                amount = amount_of(*actual, dimension);
            const std::int64_t more = amount - line.amount;
            if (is_rate(dimension) && (more > 0 || line.forgiven == limits[line.limit].forgiven))
                move_bucket(line.limit, more, now.steady);
            line.amount = amount;
        }
        record.open = false;
    }
    void finish(const std::string& id) {
        for (const ModelLine& line : records[id].lines) final_charges[{line.limit, line.period}] += line.amount;
        records.erase(id);
    }
    std::vector<std::string> reap(Moment now) {
        std::vector<std::string> reaped;
        for (auto& [id, record] : records) {
            if (!record.open || now.steady < record.expires) continue;
            charge(record, record.progress ? &*record.progress : nullptr, false, now);
            record.expires = now.steady + 24h;
            tombstones.emplace_back(id, record.expires);
            reaped.push_back(id);
        }
        while (!tombstones.empty() && (now.steady >= tombstones.front().second || tombstones.size() > 4'096)) {
            const auto [id, expires] = tombstones.front();
            tombstones.pop_front();
            const auto found = records.find(id);
            if (found != records.end() && !found->second.open && found->second.expires == expires) finish(id);
        }
        return reaped;
    }
    void edit(std::size_t i, std::int64_t limit, std::optional<std::int64_t> burst, Mode mode, bool shadow,
              Moment now) {
        ModelLimit& target = limits[i];
        if (is_rate(target.spec.dimension)) {
            const Wide before = target.spec.burst.value_or(target.spec.limit) * kToken;
            const Wide after = burst.value_or(limit) * kToken;
            if (limit != target.spec.limit || before != after) {
                const Wide now_used = used(i, now.steady);
                const Wide debt = now_used > before ? now_used - before : 0;
                target.used = std::min(now_used, after + debt);
                target.last = std::max(target.last, now.steady);
                if (target.used < now_used) ++target.forgiven;
            }
        }
        target.spec.limit = limit;
        target.spec.burst = burst;
        target.spec.mode = mode;
        target.spec.shadow = shadow;
    }

  private:
    static bool takes_rest(const ModelRecord& record, std::size_t limit) {
        return std::ranges::any_of(record.lines, [&](const ModelLine& l) { return l.limit == limit && l.capped; });
    }
    Wide sum(std::size_t limit, const std::string& period, bool open) const {
        Wide total = 0;
        for (const auto& [id, record] : records) {
            if (record.open != open) continue;
            for (const ModelLine& line : record.lines) {
                if (line.limit == limit && line.period == period) total += line.amount;
            }
        }
        return total;
    }
};

class Fuzz {
  public:
    explicit Fuzz(std::uint64_t seed) : random_(seed), org_(specs()) {
        const std::vector<ScopeSpec> all = specs();
        for (std::size_t s = 0; s < all.size(); ++s) {
            for (const LimitSpec& spec : all[s].limits) model_.limits.push_back({.scope = s, .spec = spec});
        }
    }

    void run(int steps) {
        for (int i = 0; i < steps; ++i) {
            move_clocks();
            step();
            compare();
            if (testing::Test::HasFailure()) FAIL() << "at step " << i;
        }
    }
    std::map<std::string, int> counts;

  private:
    static std::vector<ScopeSpec> specs() {
        LimitSpec shadow = rpm(30);
        shadow.shadow = true;
        return {scope("key", "k",
                      {rpm(120, 40),
                       tpm(20'000, Mode::balanced),
                       slots(12),
                       budget(40'000),
                       {.dimension = Dimension::input_tokens, .limit = 15'000}}),
                scope("team", "t",
                      {budget(300'000, Mode::balanced),
                       budget(90'000'000, Mode::last_call, "lifetime", std::make_shared<Lifetime>()),
                       {.dimension = Dimension::output_tokens, .limit = 9'000, .burst = 12'000}}),
                scope("org", "o", {shadow, budget(60'000, Mode::soft), slots(14)})};
    }

    std::int64_t pick(std::int64_t from, std::int64_t to) {
        return from + static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(to - from + 1));
    }
    Estimate amounts() {
        return {.input = pick(0, 1'500), .output = pick(0, 1'000), .nano = pick(0, 3) == 0 ? 0 : pick(1, 2'000)};
    }
    Ask ask() {
        Ask ask{.requests = pick(0, 9) == 0 ? 0 : 1, .slots = pick(0, 5) == 0 ? 0 : 1, .upper = amounts()};
        if (pick(0, 1) == 0) {
            ask.expected =
                Estimate{.input = ask.upper.input / 2, .output = ask.upper.output / 3, .nano = ask.upper.nano / 2};
        }
        return ask;
    }
    // Steady time only grows, but what a thread read may be old; wall time jumps over days in both directions.
    void move_clocks() {
        steady_ += std::chrono::milliseconds(pick(0, 3) == 0 ? pick(0, 4'000) : pick(0, 60));
        if (pick(0, 300) == 0) wall_ = kWall + std::chrono::hours(pick(0, 4 * 24 - 1));
        wall_ += std::chrono::milliseconds(pick(0, 50));
        now_ = {.steady = steady_ - std::chrono::milliseconds(pick(0, 4) == 0 ? pick(0, 30) : 0), .wall = wall_};
    }
    std::string some_id() {
        if (model_.records.empty() || pick(0, 30) == 0) return "unknown";
        auto found = model_.records.lower_bound("r" + std::to_string(pick(0, next_)));
        return found == model_.records.end() ? model_.records.begin()->first : found->first;
    }
    std::string open_id() {
        std::vector<std::string> open;
        for (const auto& [id, record] : model_.records) {
            if (record.open) open.push_back(id);
        }
        return open.empty() ? some_id()
                            : open[static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(open.size()) - 1))];
    }
    std::string any_id() { return pick(0, 3) == 0 ? some_id() : open_id(); }

    void step() {
        const std::int64_t kind = pick(0, 99);
        if (kind < 36) return admit("r" + std::to_string(next_++));
        if (kind < 40) return admit(any_id() == "unknown" ? "r" + std::to_string(next_++) : any_id());
        if (kind < 66) return settle(any_id());
        if (kind < 72) return release(any_id());
        if (kind < 82) return top_up(any_id());
        if (kind < 90) return heartbeat(any_id());
        if (kind < 93) return abandon(any_id());
        if (kind < 96) return reap();
        if (kind < 98) return edit();
        return peek();
    }
    void admit(const std::string& id) {
        const Ask wanted = ask();
        const Duration lease = std::chrono::seconds(pick(1, 30));
        const auto known = model_.records.find(id);
        const bool duplicate = known != model_.records.end() && known->second.open;
        const AdmitReply reply = org_.store().admit(
            {.id = ReservationId(id), .scopes = org_.handles, .ask = wanted, .now = now_, .lease = lease});
        const bool expected = duplicate || model_.admit(id, wanted, now_, lease);
        ASSERT_EQ(reply.admitted, expected);
        ASSERT_EQ(reply.duplicate, duplicate);
        ASSERT_EQ(reply.denial.has_value(), !expected);
        ++counts[duplicate ? "duplicate" : expected ? "admitted" : "denied"];
    }
    void settle(const std::string& id) {
        const Estimate actual = amounts();
        const bool known = pick(0, 9) != 0;
        const auto found = model_.records.find(id);
        const Settled expected = found == model_.records.end() ? Settled::already
                                 : found->second.open          ? Settled::settled
                                                               : Settled::corrected;
        const SettleReply reply =
            org_.store().settle(ReservationId(id), known ? std::optional(actual) : std::nullopt, now_);
        ASSERT_EQ(reply.outcome, expected);
        remember(reply.crossings);
        if (found != model_.records.end()) {
            model_.charge(found->second, known ? &actual : nullptr, false, now_);
            model_.finish(id);
        }
        ++counts[expected == Settled::already ? "settled again" : expected == Settled::settled ? "settled" : "late"];
        // Said twice: nothing more happens.
        ASSERT_EQ(org_.store().settle(ReservationId(id), actual, now_).outcome, Settled::already);
    }
    void release(const std::string& id) {
        const auto found = model_.records.find(id);
        ASSERT_EQ(org_.store().release(ReservationId(id), now_), found != model_.records.end());
        if (found == model_.records.end()) return;
        model_.charge(found->second, nullptr, true, now_);
        model_.finish(id);
        ++counts["released"];
    }
    void top_up(const std::string& id) {
        Ask extra = ask();
        const bool done = org_.store().top_up(ReservationId(id), extra, now_);
        ASSERT_EQ(done, model_.top_up(id, extra, now_));
        ++counts[done ? "topped up" : "top-up denied"];
    }
    void heartbeat(const std::string& id) {
        const Estimate seen = amounts();
        const Duration lease = std::chrono::seconds(pick(1, 30));
        const auto found = model_.records.find(id);
        const bool open = found != model_.records.end() && found->second.open;
        ASSERT_EQ(org_.store().heartbeat(ReservationId(id), seen, now_, lease), open);
        if (!open) return;
        ModelRecord& record = found->second;
        record.expires = std::max(record.expires, now_.steady + lease);
        const Estimate before = record.progress.value_or(Estimate{});
        record.progress = Estimate{std::max(before.input, seen.input), std::max(before.output, seen.output),
                                   std::max(before.nano, seen.nano)};
    }
    void abandon(const std::string& id) {
        org_.store().abandon(ReservationId(id));
        const auto found = model_.records.find(id);
        if (found == model_.records.end() || !found->second.open) return;
        for (ModelLine& line : found->second.lines) {
            const Dimension dimension = model_.limits[line.limit].spec.dimension;
            const std::int64_t seen = found->second.progress ? amount_of(*found->second.progress, dimension) : 0;
            if (seen <= line.amount) continue;
            if (is_rate(dimension)) model_.move_bucket(line.limit, seen - line.amount, kSteady); // without a clock
            line.amount = seen;
        }
        model_.finish(id);
        ++counts["abandoned"];
    }
    void reap() {
        now_.steady = steady_;
        ReapReply reply = org_.store().reap(now_);
        remember(reply.crossings);
        std::set<std::string> ids;
        for (const ReservationId& id : reply.ids) ids.emplace(id.view());
        const std::vector<std::string> expected = model_.reap(now_);
        ASSERT_EQ(ids, std::set<std::string>(expected.begin(), expected.end()));
        counts["reaped"] += static_cast<int>(expected.size());
    }
    void edit() {
        const auto i = static_cast<std::size_t>(pick(0, static_cast<std::int64_t>(model_.limits.size()) - 1));
        const LimitSpec before = model_.limits[i].spec;
        LimitSpec after = before;
        after.limit = std::max<std::int64_t>(1, before.limit * pick(50, 200) / 100);
        if (pick(0, 2) == 0) after.limit = base_[i] == 0 ? (base_[i] = before.limit) : base_[i];
        if (base_[i] == 0) base_[i] = before.limit;
        if (before.dimension == Dimension::money && pick(0, 2) == 0) after.mode = static_cast<Mode>(pick(0, 3));
        if (pick(0, 5) == 0) after.shadow = !after.shadow;
        const std::size_t s = model_.limits[i].scope;
        ScopeSpec spec = specs()[s];
        model_.edit(i, after.limit, after.burst, after.mode, after.shadow, now_);
        spec.limits.clear();
        for (const ModelLimit& limit : model_.limits) {
            if (limit.scope == s) spec.limits.push_back(limit.spec);
        }
        org_.redefine(s, spec, now_);
        ++counts["edited"];
    }
    void peek() {
        const Ask wanted = ask();
        Model copy = model_;
        ASSERT_EQ(Engine::peek(org_.handles, wanted, now_).admitted, copy.admit("peek", wanted, now_, 1s));
    }
    void remember(const std::vector<Crossing>& crossings) {
        for (const Crossing& crossing : crossings) {
            EXPECT_TRUE(told_.emplace(crossing.name, crossing.window, crossing.period, crossing.percent).second)
                << crossing.name << crossing.period << crossing.percent;
            EXPECT_GE(Wide{crossing.spent} * 100, Wide{crossing.limit} * crossing.percent);
            ++counts["crossed"];
        }
    }

    // held = Σ open, spent = Σ settled and reaped, in flight = |open|, buckets to the unit.
    void compare() {
        const Totals totals = org_.store().totals();
        ASSERT_EQ(totals.open, model_.open());
        ASSERT_EQ(totals.reaped, model_.records.size() - model_.open());
        std::size_t i = 0;
        for (std::size_t s = 0; s < org_.handles.size(); ++s) {
            for (const Reading& reading : org_.readings(s, now_)) {
                compare_one(i++, reading);
                ASSERT_FALSE(testing::Test::HasFailure());
            }
        }
        ASSERT_EQ(i, model_.limits.size());
    }
    void compare_one(std::size_t i, const Reading& reading) {
        const LimitSpec& spec = model_.limits[i].spec;
        ASSERT_EQ(reading.state.dimension, spec.dimension);
        const std::string period = Model::period_of(spec, now_.wall);
        if (spec.dimension == Dimension::money) {
            ASSERT_EQ(reading.period, period);
            ASSERT_TRUE(reading.state.held == model_.held(i, period)) << reading.state.held;
            ASSERT_TRUE(reading.spent == model_.spent(i, period)) << reading.spent;
            ASSERT_TRUE(reading.state.used == Wide{reading.spent} + reading.state.held);
            const std::string other = Model::period_of(spec, kWall + 24h * pick(0, 3));
            const std::size_t s = model_.limits[i].scope;
            ASSERT_TRUE(org_.store().spent(*org_.handles[s], spec.window, other) == model_.spent(i, other));
        } else if (spec.dimension == Dimension::concurrency) {
            ASSERT_TRUE(reading.state.used == model_.held(i, ""));
        } else {
            ASSERT_TRUE(reading.state.used == model_.used(i, now_.steady)) << i;
        }
    }

    std::mt19937_64 random_;
    Org org_;
    Model model_;
    TimePoint steady_ = kSteady + 1s;
    WallTime wall_ = kWall;
    Moment now_ = at();
    std::int64_t next_ = 0;
    std::array<std::int64_t, 16> base_{};
    std::set<std::tuple<std::string, std::string, std::string, int>> told_;
};

TEST(QuotaModel, random_steps_agree_with_the_model_after_every_one) {
    std::map<std::string, int> counts;
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        Fuzz fuzz(seed);
        fuzz.run(6'000);
        ASSERT_FALSE(HasFailure()) << "seed " << seed;
        for (const auto& [what, count] : fuzz.counts) counts[what] += count;
    }
    // The steps reach what they are meant to reach.
    for (const char* const what : {"admitted", "denied", "duplicate", "settled", "settled again", "late", "released",
                                   "topped up", "top-up denied", "abandoned", "reaped", "edited", "crossed"}) {
        EXPECT_GT(counts[what], 100) << what;
        std::printf("%s %d\n", what, counts[what]);
    }
}

} // namespace
} // namespace tollgate::policy::quota
