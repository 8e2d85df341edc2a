// What a start asks of the ledger: sums of any scope and any period, exact, fast, and beside a writer.
#include "policy/ledger/spend.hpp"

#include "tests/unit/policy/ledger_fixture.hpp"

#include <array>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <random>
#include <sqlite3.h>
#include <string>
#include <thread>
#include <vector>

namespace tollgate::policy::ledger {
namespace {

constexpr std::array kOrgs{"default", "other"};
constexpr std::array kTeams{"search", "ads", "ops"};
constexpr std::array kKeys{"k_a", "k_b", "k_c", "k_d"};
constexpr std::array kModels{"small", "large"};

struct Entry {
    std::string id;
    std::size_t org, team, key, model;
    std::int64_t at_us, nano;
    bool adjustment = false;
};

// The files are small: a refusal ends when the next one is there.
template <class R>
void keep(Ledger& ledger, const R& record) {
    ASSERT_TRUE(eventually([&] { return ledger.append(record).has_value(); }));
}

void append(Ledger& ledger, const Entry& entry) {
    if (entry.adjustment) {
        Adjust adjust = an_adjust(entry.id, entry.nano, entry.at_us);
        adjust.org = kOrgs[entry.org];
        adjust.team = kTeams[entry.team];
        adjust.key = kKeys[entry.key];
        return keep(ledger, adjust);
    }
    Admit admit = an_admit(entry.id, entry.at_us);
    admit.org = kOrgs[entry.org];
    admit.team = kTeams[entry.team];
    admit.key = kKeys[entry.key];
    admit.model = kModels[entry.model];
    Settle settle = a_settle(entry.id, entry.at_us, entry.nano);
    settle.at_us = entry.at_us + 7 * 3600 * kSecond; // long after its hour, often after its day
    keep(ledger, admit);
    keep(ledger, settle);
}

std::vector<Entry> random_entries(std::mt19937_64& random) {
    std::vector<Entry> entries;
    for (int i = 0; i < 600; ++i) {
        const auto at_us =
            kNoon + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(4 * kDay)); // four days
        entries.push_back({.id = "req_" + std::to_string(i),
                           .org = random() % kOrgs.size(),
                           .team = random() % kTeams.size(),
                           .key = random() % kKeys.size(),
                           .model = random() % kModels.size(),
                           .at_us = i % 10 == 0 ? at_us / kMicrosPerHour * kMicrosPerHour : at_us,
                           .nano = static_cast<std::int64_t>(random() % 1'000'000'000),
                           .adjustment = i % 20 == 7});
        if (entries.back().adjustment && i % 40 == 7) entries.back().nano *= -1;
    }
    return entries;
}

// The sum by hand; nothing chosen: anything.
struct Choice {
    std::optional<std::size_t> org, team, key, model;

    [[nodiscard]] bool takes(const Entry& entry) const {
        const auto fits = [](const auto& wanted, std::size_t is) { return !wanted || *wanted == is; };
        if (model && entry.adjustment) return false;
        return fits(org, entry.org) && fits(team, entry.team) && fits(key, entry.key) && fits(model, entry.model);
    }
    [[nodiscard]] Only only() const {
        const auto name = [](const auto& names, const auto& index) {
            return index ? std::optional<std::string_view>(names[*index]) : std::nullopt;
        };
        return {.org = name(kOrgs, org),
                .team = name(kTeams, team),
                .key = name(kKeys, key),
                .model = name(kModels, model)};
    }
};

std::int64_t by_hand(const std::vector<Entry>& entries, const Choice& choice, std::int64_t begin, std::int64_t end) {
    std::int64_t sum = 0;
    for (const Entry& entry : entries) {
        if (entry.at_us >= begin && entry.at_us < end && choice.takes(entry)) sum += entry.nano;
    }
    return sum;
}

TEST(LedgerSpend, any_scope_and_any_period_is_exact_s36_s38) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    std::mt19937_64 random(20'261'002);
    const std::vector<Entry> entries = random_entries(random);
    for (const Entry& entry : entries) append(*ledger, entry);
    ASSERT_TRUE(ledger->flush().has_value());
    const std::array choices{Choice{},
                             Choice{.org = 1, .team = {}, .key = {}, .model = {}},
                             Choice{.org = {}, .team = 0, .key = {}, .model = {}},
                             Choice{.org = {}, .team = {}, .key = 2, .model = {}},
                             Choice{.org = {}, .team = {}, .key = {}, .model = 1},
                             Choice{.org = {}, .team = 2, .key = {}, .model = 0},
                             Choice{.org = {}, .team = {}, .key = 3, .model = 1},
                             Choice{.org = 0, .team = {}, .key = {}, .model = 1}};
    for (int i = 0; i < 60; ++i) {
        std::int64_t begin = entries[random() % entries.size()].at_us + static_cast<std::int64_t>(random() % 3) - 1;
        std::int64_t end = i % 7 == 0 ? INT64_MAX : entries[random() % entries.size()].at_us;
        if (i % 5 == 0) begin = begin / kMicrosPerHour * kMicrosPerHour;
        if (i % 11 == 0) begin = INT64_MIN;
        if (end < begin) std::swap(begin, end);
        for (const Choice& choice : choices) {
            const auto spent = spent_nano(place.path(), {.only = choice.only(), .begin_us = begin, .end_us = end});
            ASSERT_TRUE(spent.has_value()) << spent.error();
            ASSERT_EQ(*spent, by_hand(entries, choice, begin, end)) << begin << ' ' << end;
        }
    }
}

TEST(LedgerSpend, all_of_a_kind_at_once_are_the_same_sums) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    std::mt19937_64 random(7);
    const std::vector<Entry> entries = random_entries(random);
    for (const Entry& entry : entries) append(*ledger, entry);
    ASSERT_TRUE(ledger->flush().has_value());
    const std::int64_t begin = kNoon + 5'400 * kSecond + 1; // in an hour, as in a zone of half hours
    const std::int64_t end = begin + 2 * kDay;
    for (const By scope : {By::org, By::team, By::key, By::model}) {
        for (const bool with_model : {false, true}) {
            const auto all = spent_by(place.path(), scope, with_model, begin, end);
            ASSERT_TRUE(all.has_value()) << all.error();
            std::int64_t sum = 0;
            for (const Spent& spent : *all) {
                sum += spent.nano;
                if (with_model && spent.model.empty()) continue; // adjustments
                Only only;
                (scope == By::org    ? only.org
                 : scope == By::team ? only.team
                 : scope == By::key  ? only.key
                                     : only.model) = spent.name;
                if (with_model && scope != By::model) only.model = spent.model;
                EXPECT_EQ(*spent_nano(place.path(), {.only = only, .begin_us = begin, .end_us = end}), spent.nano);
            }
            EXPECT_EQ(sum, by_hand(entries, {}, begin, end)) << to_string(scope);
        }
    }
    EXPECT_FALSE(spent_by(place.path(), By::outcome, false, begin, end).has_value());
}

TEST(LedgerSpend, a_settle_behind_midnight_belongs_to_the_day_of_its_admission_s38) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    const std::int64_t midnight = start_of(day_of(kNoon)) + kDay;
    const std::int64_t admitted = midnight - 1'000'000;
    keep(*ledger, an_admit("req_1", admitted));
    Settle late = a_settle("req_1", admitted, 42);
    late.at_us = midnight + 3'600 * kSecond;
    keep(*ledger, late);
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(*spent_nano(place.path(), {.only = {}, .begin_us = midnight - kDay, .end_us = midnight}), 42);
    EXPECT_EQ(*spent_nano(place.path(), {.only = {}, .begin_us = midnight, .end_us = midnight + kDay}), 0);
}

TEST(LedgerSpend, dropped_rows_never_make_it_too_little) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    for (int minute = 0; minute < 120; minute += 10) {
        const std::string id = "req_" + std::to_string(minute);
        keep(*ledger, an_admit(id, kNoon + minute * 60 * kSecond));
        keep(*ledger, a_settle(id, kNoon + minute * 60 * kSecond, 1));
    }
    ASSERT_TRUE(ledger->flush().has_value());
    const SpendQuery asked{.only = {}, .begin_us = kNoon + 1'800 * kSecond, .end_us = kNoon + 5'400 * kSecond};
    EXPECT_EQ(*spent_nano(place.path(), asked), 6);
    ASSERT_TRUE(ledger->drop_records(day_of(kNoon), kNoon + 2 * kDay).has_value());
    EXPECT_EQ(*spent_nano(place.path(), asked), 12);
}

TEST(LedgerSpend, a_sum_that_does_not_fit_is_an_error_not_a_credit) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    for (int day = 0; day < 2; ++day) {
        const std::string id = "req_" + std::to_string(day);
        keep(*ledger, an_admit(id, kNoon + day * kDay));
        keep(*ledger, a_settle(id, kNoon + day * kDay, INT64_MAX));
    }
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_EQ(*spent_nano(place.path(), {.only = {}, .begin_us = 0, .end_us = kNoon + 1}), INT64_MAX);
    const auto sum = spent_nano(place.path(), {.only = {}, .begin_us = 0, .end_us = INT64_MAX});
    ASSERT_FALSE(sum.has_value());
    EXPECT_NE(sum.error().find("64 bits"), std::string::npos) << sum.error();
}

TEST(LedgerSpend, several_columns_and_hours_with_what_has_to_be_equal) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    std::mt19937_64 random(11);
    const std::vector<Entry> entries = random_entries(random);
    for (const Entry& entry : entries) append(*ledger, entry);
    ASSERT_TRUE(ledger->flush().has_value());
    const auto all = totals(place.path(), {.since_us = kNoon + 1,
                                           .until_us = kNoon + 3 * kDay,
                                           .by = {By::hour, By::team, By::model},
                                           .only = {.org = "default", .team = {}, .key = "k_b", .model = {}}});
    ASSERT_TRUE(all.has_value()) << all.error();
    ASSERT_GT(all->size(), 30U);
    for (const Totals& sum : *all) {
        ASSERT_EQ(sum.names.size(), 3U);
        ASSERT_EQ(sum.names[0].size(), std::string_view("2026-10-02T12:00Z").size()) << sum.names[0];
        std::int64_t expected = 0;
        for (const Entry& entry : entries) {
            const Day day = day_of(entry.at_us);
            const auto hour = hour_of(entry.at_us - start_of(day));
            const std::string name = to_string(day) + (hour < 10 ? "T0" : "T") + std::to_string(hour) + ":00Z";
            const std::string_view model = entry.adjustment ? "" : kModels[entry.model];
            if (entry.at_us <= kNoon || entry.at_us >= kNoon + 3 * kDay || entry.org != 0 || entry.key != 1) continue;
            if (name == sum.names[0] && kTeams[entry.team] == sum.names[1] && model == sum.names[2]) {
                expected += entry.nano;
            }
        }
        EXPECT_EQ(sum.cost_nano, expected) << sum.names[0] << sum.names[1] << sum.names[2];
    }
    EXPECT_FALSE(totals(place.path(), {.by = {By::org, By::team, By::key, By::model}, .only = {}}).has_value());
}

TEST(LedgerSpend, verify_and_queries_beside_a_writer_see_no_damage_and_change_nothing) {
    const TemporaryDirectory place;
    const auto ledger = opened(place.path());
    std::atomic<bool> done = false;
    std::thread writer([&] {
        for (int i = 0; i < 20'000 && !testing::Test::HasFailure(); ++i) {
            const std::string id = "req_" + std::to_string(i);
            keep(*ledger, an_admit(id));
            keep(*ledger, a_settle(id, kNoon, 3));
        }
        done = true;
    });
    int rounds = 0;
    while (!done) {
        const auto checked = verify(place.path());
        if (!checked) {
            ADD_FAILURE() << checked.error();
            break;
        }
        for (const Fault& fault : checked->faults) ADD_FAILURE() << fault.text;
        const auto all = totals(place.path(), By::all, 0, INT64_MAX);
        if (!all) {
            ADD_FAILURE() << all.error();
            break;
        }
        if (!all->empty()) EXPECT_EQ(all->front().cost_nano, 3 * all->front().requests);
        ++rounds;
    }
    writer.join();
    ASSERT_TRUE(ledger->flush().has_value());
    EXPECT_GT(rounds, 1);
    EXPECT_EQ(requests_in(place.path()), 20'000);
    expect_sound(place.path());
}

TEST(LedgerSpend, a_file_without_a_schema_or_a_day_that_is_gone_is_no_day) {
    const TemporaryDirectory place;
    const std::string file = day_file(place.path(), day_of(kNoon));
    std::fclose(std::fopen(file.c_str(), "w"));
    EXPECT_EQ(requests_in(place.path()), 0);
    expect_sound(place.path());
    EXPECT_EQ(std::filesystem::file_size(file), 0U);
    EXPECT_FALSE(std::filesystem::exists(file + "-wal"));
}

void execute(const std::string& file, const std::string& sql) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &raw), SQLITE_OK);
    char* error = nullptr;
    ASSERT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(raw);
}

// 10 days of 100,000 operations of 1,000 keys and 3 models: a wide roll-up, a line for 4 operations.
void make_a_million(const std::string& path) {
    {
        const auto ledger = opened(path);
        keep(*ledger, an_admit("req_day"));
        keep(*ledger, a_settle("req_day", kNoon, 1'000));
        ASSERT_TRUE(ledger->flush().has_value());
    }
    const std::string first = day_file(path, day_of(kNoon));
    const std::string start = std::to_string(start_of(day_of(kNoon)));
    execute(first, R"sql(
        CREATE TEMP TABLE made AS
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
            SELECT )sql" +
                       start + R"sql( + i * 863999, printf('req_%06d', i), json_set(record, '$[2]', 't_' || (i % 50),
                '$[3]', 'k_' || (i % 1000), '$[5]', 'm_' || (i % 3)) FROM operation, n;
        DELETE FROM operation; DELETE FROM usage_hour; DELETE FROM usage_day;
        INSERT INTO operation SELECT * FROM made;
        INSERT INTO usage_hour SELECT ts_start_us / 3600000000, org_id, team_id, key_id, model, provider, operation,
            outcome, cache, count(*), sum(in_tokens), sum(out_tokens), sum(cost_nano), 0, 0, 0, sum(saved_nano),
            sum(ttft_us), sum(duration_us) FROM usage_record GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9;
        INSERT INTO usage_day SELECT org_id, team_id, key_id, model, sum(cost_nano) FROM usage_hour
            GROUP BY 1, 2, 3, 4)sql");
    for (int day = 1; day < 10; ++day) {
        const std::string file = day_file(path, day_of(kNoon) + std::chrono::days(day));
        std::filesystem::copy_file(first, file);
        execute(file, "UPDATE usage_hour SET hour = hour + 24 * " + std::to_string(day) +
                          "; UPDATE operation SET ts_start_us = ts_start_us + 86400000000 * " + std::to_string(day));
    }
}

template <class Question>
double milliseconds(Question question) {
    const auto start = std::chrono::steady_clock::now();
    question();
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

TEST(LedgerSpend, a_million_rows_are_ready_within_a_second) {
    const TemporaryDirectory place;
    make_a_million(place.path());
    std::unique_ptr<Ledger> ledger;
    const double start = milliseconds([&] { ledger = opened(place.path(), {}); });
    const std::int64_t from = start_of(day_of(kNoon)) + 1; // not on an hour: rows at one end
    const std::int64_t to = from + 10 * kDay;
    std::int64_t day = 0;
    const double one_day = milliseconds([&] {
        day = *spent_nano(
            place.path(),
            {.only = {.org = {}, .team = {}, .key = "k_7", .model = {}}, .begin_us = from + 9 * kDay, .end_us = to});
    });
    std::int64_t all_days = 0;
    const double all = milliseconds([&] {
        all_days = *spent_nano(
            place.path(), {.only = {.org = {}, .team = {}, .key = "k_7", .model = {}}, .begin_us = from, .end_us = to});
    });
    std::vector<Spent> each;
    const double at_once = milliseconds([&] { each = *spent_by(place.path(), By::key, true, from, to); });
    std::printf("10^6 rows, 1,000 keys: start %.1f ms, one key of a day %.1f ms, of ten days %.1f ms, all %zu pairs of "
                "key and model of ten days %.1f ms\n",
                start, one_day, all, each.size(), at_once);
    EXPECT_EQ(day, 100'000);
    EXPECT_EQ(all_days, 1'000'000);
    EXPECT_EQ(each.size(), 3'000U);
    std::int64_t sum = 0;
    for (const Spent& spent : each) sum += spent.nano;
    EXPECT_EQ(sum, 1'000'000'000 - 1'000); // all but the first operation
    EXPECT_LT(start + at_once, 10'000.0);  // ten times the promise
    expect_sound(place.path());
}

} // namespace
} // namespace tollgate::policy::ledger
