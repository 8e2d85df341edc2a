#include "gateway/base/request_id.hpp"
#include "policy/ledger/query.hpp"
#include "policy/ledger/table.hpp"
#include "policy/ledger/verify.hpp"

#include "tests/unit/policy/ledger_records.hpp"
#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sqlite3.h>
#include <string>
#include <vector>

namespace tollgate::policy::ledger {
namespace {

constexpr std::int64_t kDay = 86'400 * kSecond;

std::unique_ptr<Table> opened(const std::string& path) {
    auto table = Table::open(path);
    if (!table) throw std::runtime_error(table.error());
    return std::move(*table);
}

Written written(Table& table, const std::vector<Operation>& operations, const std::vector<Adjust>& adjustments = {}) {
    const auto done = table.write(operations, adjustments);
    if (!done) throw std::runtime_error(done.error());
    return *done;
}

Operation an_operation(std::string_view id, std::int64_t at_us = kNoon, std::int64_t nano = 2'310'000) {
    return {.admit = an_admit(id, at_us), .settle = a_settle(id, at_us, nano)};
}

std::vector<Totals> totalled(const std::string& path, By by, std::int64_t since = 0, std::int64_t until = INT64_MAX) {
    auto found = totals(path, by, since, until);
    if (!found) throw std::runtime_error(found.error());
    return std::move(*found);
}

void execute(const std::string& file, const std::string& sql) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &raw), SQLITE_OK);
    char* error = nullptr;
    ASSERT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(raw);
}

TEST(LedgerDay, names_and_bounds) {
    const Day day = day_of(kNoon);
    EXPECT_EQ(to_string(day), "2026-10-02");
    EXPECT_EQ(parse_day("2026-10-02"), day);
    EXPECT_EQ(day_of(start_of(day)), day);
    EXPECT_EQ(day_of(start_of(day) - 1), day - std::chrono::days(1));
    EXPECT_EQ(day_of(-1), parse_day("1969-12-31"));
    EXPECT_EQ(hour_of(-1), -1);
    EXPECT_EQ(hour_of(kMicrosPerHour), 1);
    for (const char* const wrong : {"", "2026-1-02", "2026-13-01", "2026-02-30", "-026-01-01", "2026-10-0x"}) {
        EXPECT_EQ(parse_day(wrong), std::nullopt) << wrong;
    }
}

TEST(LedgerTable, an_operation_comes_back_as_it_was_written) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    const Operation operation = an_operation("req_1");
    EXPECT_EQ(written(*table, {operation}).rows, 1U);
    const auto found = find_operation(place.path(), "req_1");
    ASSERT_TRUE(found.has_value()) << found.error();
    ASSERT_TRUE(found->has_value());
    Admit admit = operation.admit;
    admit.provider = "azure"; // the one that answered
    EXPECT_EQ(frame_of((*found)->operation.admit), frame_of(admit));
    EXPECT_EQ(frame_of((*found)->operation.settle), frame_of(operation.settle));
    EXPECT_FALSE(find_operation(place.path(), "req_2")->has_value());
    EXPECT_EQ(*table->contains("req_1", kNoon), true);
    EXPECT_EQ(*table->contains("req_1", kNoon + kDay), false);
}

TEST(LedgerTable, texts_come_back_whatever_they_hold) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    std::string all;
    for (int c = 1; c < 256; ++c) all += static_cast<char>(c == 0x80 ? ' ' : c);
    const std::string quotes(kMaxName, '"');
    Operation operation = an_operation("req_1");
    operation.settle.upstream_model = all;
    operation.settle.response_model = quotes;
    operation.settle.client_request_id = R"(\"],[{"\u0000)";
    operation.settle.attempts.each[0].upstream = quotes;
    operation.settle.attempts.each[1].upstream = "\xC3\xA9\t\n";
    operation.settle.tokens.in = INT64_MIN;
    operation.settle.cost.total = INT64_MAX;
    Operation bare = an_operation("req_2");
    bare.settle.attempts.count = 0;
    bare.admit.periods.count = 0;
    bare.settle.cost.total = 0; // or their sum would not fit
    written(*table, {operation, bare});
    for (const Operation& one : {operation, bare}) {
        const auto found = find_operation(place.path(), one.admit.request_id);
        ASSERT_TRUE(found.has_value() && found->has_value());
        EXPECT_EQ(frame_of((*found)->operation.settle), frame_of(one.settle));
        EXPECT_EQ((*found)->operation.admit.periods.count, one.admit.periods.count);
    }
}

TEST(LedgerTable, an_operation_is_found_by_the_time_in_its_id_and_without) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    RequestIds ids;
    const auto id_at = [&ids](std::int64_t wall_us) {
        return ids.next(WallTime(std::chrono::duration_cast<WallTime::duration>(std::chrono::microseconds(wall_us))));
    };
    const RequestId usual = id_at(kNoon);
    const RequestId slow = id_at(kNoon - 2 * kDay); // its body took two days
    written(*table, {an_operation(usual.view(), kNoon + kSecond), an_operation(slow.view(), kNoon)});
    for (const RequestId& id : {usual, slow}) {
        const auto found = find_operation(place.path(), id.view());
        ASSERT_TRUE(found.has_value() && found->has_value());
        EXPECT_EQ((*found)->operation.admit.request_id, id.view());
    }
    EXPECT_FALSE(find_operation(place.path(), id_at(kNoon).view())->has_value());
}

TEST(LedgerTable, null_is_not_zero) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    Operation unknown = an_operation("req_1");
    unknown.settle.tokens = {};
    unknown.settle.cost = {};
    unknown.settle.usage_source = UsageSource::none;
    Operation free = an_operation("req_2", kNoon, 0);
    free.settle.tokens.in = free.settle.tokens.out = 0;
    Operation guessed = an_operation("req_3");
    guessed.settle.usage_source = UsageSource::estimated;
    written(*table, {unknown, free, guessed});
    EXPECT_EQ((*find_operation(place.path(), "req_1"))->operation.settle.cost.total, std::nullopt);
    EXPECT_EQ((*find_operation(place.path(), "req_1"))->operation.settle.tokens.in, std::nullopt);
    EXPECT_EQ((*find_operation(place.path(), "req_2"))->operation.settle.cost.total, 0);
    for (const auto& [since, until] : {std::pair(kNoon - 1, kNoon + 1), std::pair(kNoon, kNoon + kMicrosPerHour)}) {
        const auto all = totalled(place.path(), By::all, since, until);
        ASSERT_EQ(all.size(), 1U);
        EXPECT_EQ(all[0].requests, 3);
        EXPECT_EQ(all[0].unpriced, 1);
        EXPECT_EQ(all[0].unmetered, 1);
        EXPECT_EQ(all[0].estimated, 1);
        EXPECT_EQ(all[0].cost_nano, 2'310'000);
    }
}

TEST(LedgerTable, the_same_id_counts_once) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    for (int i = 0; i < 3; ++i) {
        const Written done = written(*table, {an_operation("req_1"), an_operation("req_1", kNoon, 7)},
                                     {an_adjust("adj_1", -1'000), an_adjust("adj_1", -1'000)});
        EXPECT_EQ(done.rows, i == 0 ? 2U : 0U);
        EXPECT_EQ(done.duplicates, i == 0 ? 2U : 4U);
    }
    const auto all = totalled(place.path(), By::all);
    ASSERT_EQ(all.size(), 1U);
    EXPECT_EQ(all[0].requests, 1);
    EXPECT_EQ(all[0].cost_nano, 2'310'000 - 1'000);
    const auto checked = verify(place.path());
    ASSERT_TRUE(checked.has_value());
    EXPECT_EQ(checked->attempts, 2);
    EXPECT_EQ(checked->adjustments, 1);
    EXPECT_TRUE(checked->faults.empty()) << checked->faults[0].text;
}

TEST(LedgerTable, an_operation_belongs_to_the_day_of_its_admission_s38) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    const std::int64_t midnight = start_of(day_of(kNoon) + std::chrono::days(1));
    const Operation late = an_operation("req_late", midnight - 2 * kSecond);
    Operation crossing = late;
    crossing.settle.at_us = midnight + 5 * kSecond;
    written(*table, {crossing, an_operation("req_next", midnight)});
    const auto days = totalled(place.path(), By::day);
    ASSERT_EQ(days.size(), 2U);
    EXPECT_EQ(days[0].names.front(), "2026-10-02");
    EXPECT_EQ(days[1].names.front(), "2026-10-03");
    EXPECT_EQ(days[0].requests, 1);
    EXPECT_TRUE(std::filesystem::exists(place.path() + "/usage-2026-10-02.db"));
    EXPECT_TRUE(verify(place.path())->faults.empty());
}

TEST(LedgerTable, totals_by_every_word) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    std::vector<Operation> operations;
    std::vector<std::string> ids;
    for (int i = 0; i < 12; ++i) ids.push_back("req_" + std::to_string(i));
    for (int i = 0; i < 12; ++i) {
        Operation operation = an_operation(ids[static_cast<std::size_t>(i)], kNoon + i * kMicrosPerHour, 100);
        operation.admit.team = i % 2 == 0 ? "search" : "ads";
        operation.admit.key = i % 3 == 0 ? "k_a" : "k_b";
        operation.admit.model = i % 4 == 0 ? "large" : "small";
        operation.admit.operation = i % 6 == 0 ? "embeddings" : "chat";
        operation.settle.provider = i == 0 ? "local" : "openai";
        operation.settle.outcome = i == 1 ? "client_cancelled" : "success";
        operations.push_back(operation);
    }
    written(*table, operations);
    const auto counts = [&](By by) {
        std::vector<std::pair<std::string, std::int64_t>> all;
        for (const Totals& sum : totalled(place.path(), by)) all.emplace_back(sum.names.front(), sum.requests);
        return all;
    };
    using Counts = std::vector<std::pair<std::string, std::int64_t>>;
    EXPECT_EQ(counts(By::all), (Counts{{"", 12}}));
    EXPECT_EQ(counts(By::org), (Counts{{"default", 12}}));
    EXPECT_EQ(counts(By::team), (Counts{{"ads", 6}, {"search", 6}}));
    EXPECT_EQ(counts(By::key), (Counts{{"k_a", 4}, {"k_b", 8}}));
    EXPECT_EQ(counts(By::model), (Counts{{"large", 3}, {"small", 9}}));
    EXPECT_EQ(counts(By::operation), (Counts{{"chat", 10}, {"embeddings", 2}}));
    EXPECT_EQ(counts(By::provider), (Counts{{"local", 1}, {"openai", 11}}));
    EXPECT_EQ(counts(By::outcome), (Counts{{"client_cancelled", 1}, {"success", 11}}));
    EXPECT_EQ(counts(By::cache), (Counts{{"none", 12}}));
    EXPECT_EQ(counts(By::day), (Counts{{"2026-10-02", 12}}));
    EXPECT_EQ(parse_by("team"), By::team);
    EXPECT_EQ(parse_by("colour"), std::nullopt);
    for (std::size_t i = 0; i < kByCount; ++i) EXPECT_EQ(parse_by(to_string(static_cast<By>(i))), static_cast<By>(i));
}

// Every interval against a sum by hand: roll-up in the middle, rows at the ends.
TEST(LedgerTable, since_and_until_are_exact_to_the_microsecond) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    std::vector<Operation> operations;
    std::vector<std::string> ids;
    std::vector<std::int64_t> times;
    for (std::int64_t i = 0; i < 200; ++i) {
        ids.push_back("req_" + std::to_string(i));
        times.push_back(kNoon + (i * 977 - 40'000) * kSecond); // over three days
    }
    times[10] = kNoon; // on an hour
    for (std::size_t i = 0; i < ids.size(); ++i) {
        operations.push_back(an_operation(ids[i], times[i], std::int64_t{1} << (i % 40)));
    }
    const std::vector<Adjust> adjustments{an_adjust("adj_1", 7, kNoon + 10), an_adjust("adj_2", -3, kNoon + kDay)};
    written(*table, operations, adjustments);
    std::vector<std::int64_t> bounds{
        0, kNoon, kNoon + 10, kNoon + 11, kNoon + kMicrosPerHour - 1, kNoon + 100 * kSecond};
    for (std::size_t i = 0; i < times.size(); i += 23) bounds.push_back(times[i]);
    for (std::size_t i = 5; i < times.size(); i += 31) bounds.push_back(times[i] + 1);
    for (const std::int64_t since : bounds) {
        for (const std::int64_t until : bounds) {
            std::int64_t requests = 0;
            std::int64_t cost = 0;
            for (std::size_t i = 0; i < times.size(); ++i) {
                if (times[i] < since || times[i] >= until) continue;
                ++requests;
                cost += std::int64_t{1} << (i % 40);
            }
            for (const Adjust& a : adjustments) cost += a.at_us >= since && a.at_us < until ? a.nano : 0;
            const auto all = totalled(place.path(), By::all, since, until);
            const Totals sum = all.empty() ? Totals() : all[0];
            ASSERT_EQ(sum.requests, requests) << since << ' ' << until;
            ASSERT_EQ(sum.cost_nano, cost) << since << ' ' << until;
        }
    }
}

TEST(LedgerTable, sums_stay_exact_above_nine_million_dollars_s36) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    constexpr std::int64_t kNano = 7'654'321;
    // The sum of 10^6 settles, in a tenth of the rows: ten of them are one of ten times the price.
    std::vector<std::string> ids;
    for (int i = 0; i < 10'000; ++i) ids.push_back("req_" + std::to_string(i));
    std::vector<Operation> operations;
    for (const std::string& id : ids) operations.push_back(an_operation(id, kNoon, kNano * 100));
    for (std::size_t at = 0; at < operations.size(); at += 1'000) {
        ASSERT_TRUE(table->write(std::span(operations).subspan(at, 1'000), {}).has_value());
    }
    EXPECT_EQ(totalled(place.path(), By::all)[0].cost_nano, kNano * 1'000'000);
    written(*table, {an_operation("req_dear", kNoon, 9'200'000'000'000'000)}); // $9.2 M
    EXPECT_EQ(totalled(place.path(), By::team)[0].cost_nano, kNano * 1'000'000 + 9'200'000'000'000'000);
    EXPECT_EQ(verify(place.path())->cost_nano, kNano * 1'000'000 + 9'200'000'000'000'000);
}

TEST(LedgerTable, retention_drops_rows_or_the_whole_day) {
    const TemporaryDirectory place;
    const auto table = opened(place.path());
    for (int day = 0; day < 5; ++day) {
        const std::string id = "req_" + std::to_string(day);
        written(*table, {an_operation(id, kNoon + day * kDay)}); // more days than stay open
    }
    const Day first = day_of(kNoon);
    ASSERT_TRUE(table->drop_records(first).has_value());
    EXPECT_EQ(totalled(place.path(), By::day).size(), 5U) << "the roll-up stays";
    EXPECT_EQ(totalled(place.path(), By::all, kNoon - 1, kNoon + 5)[0].requests, 1) << "by whole hours";
    EXPECT_FALSE(find_operation(place.path(), "req_0")->has_value());
    EXPECT_TRUE(verify(place.path())->faults.empty());
    ASSERT_TRUE(table->drop_day(first).has_value());
    ASSERT_TRUE(table->drop_day(first + std::chrono::days(4)).has_value());
    EXPECT_EQ(totalled(place.path(), By::day).size(), 3U);
    EXPECT_EQ(list_days(place.path())->size(), 3U);
    EXPECT_TRUE(table->drop_day(first).has_value()) << "again";
}

TEST(LedgerTable, damage_and_newer_schemas_are_errors_that_name_the_file_f46) {
    const TemporaryDirectory place;
    const std::string file = place.path() + "/usage-2026-10-02.db";
    {
        written(*opened(place.path()), {an_operation("req_1")});
    }
    execute(file, "PRAGMA user_version=9");
    auto table = Table::open(place.path());
    ASSERT_FALSE(table.has_value());
    EXPECT_NE(table.error().find(file), std::string::npos) << table.error();
    EXPECT_NE(table.error().find("schema version is 9"), std::string::npos) << table.error();
    std::ofstream(file, std::ios::trunc) << std::string(8'192, 'g');
    table = Table::open(place.path());
    ASSERT_FALSE(table.has_value());
    EXPECT_NE(table.error().find("not a database"), std::string::npos) << table.error();
    const auto checked = verify(place.path());
    ASSERT_TRUE(checked.has_value());
    ASSERT_EQ(checked->faults.size(), 1U);
    EXPECT_EQ(checked->faults[0].file, file);
}

TEST(LedgerTable, verify_sees_a_roll_up_that_is_not_the_sum_of_its_rows) {
    const TemporaryDirectory place;
    const std::string file = place.path() + "/usage-2026-10-02.db";
    {
        written(*opened(place.path()), {an_operation("req_1"), an_operation("req_2")});
    }
    EXPECT_TRUE(verify(place.path())->faults.empty());
    execute(file, "UPDATE usage_hour SET cost_nano = cost_nano + 1");
    ASSERT_EQ(verify(place.path())->faults.size(), 2U) << "nor is the day the sum of its hours";
    EXPECT_NE(verify(place.path())->faults[1].text.find("not the sum of its rows"), std::string::npos);
    execute(file, "UPDATE usage_day SET cost_nano = cost_nano + 1");
    EXPECT_EQ(verify(place.path())->faults.size(), 1U);
    execute(file, "UPDATE usage_hour SET cost_nano = cost_nano - 1; UPDATE usage_day SET cost_nano = cost_nano - 1");
    execute(file, "UPDATE usage_hour SET team_id = 'ads'; UPDATE usage_day SET team_id = 'ads'"); // the sums are right
    ASSERT_EQ(verify(place.path())->faults.size(), 1U);
    execute(file, "UPDATE usage_hour SET team_id = 'search'; UPDATE usage_day SET team_id = 'search'");
    EXPECT_TRUE(verify(place.path())->faults.empty());
    execute(file, "UPDATE operation SET ts_start_us = ts_start_us + 86400000000");
    EXPECT_FALSE(verify(place.path())->faults.empty());
}

} // namespace
} // namespace tollgate::policy::ledger
