// The ledger of a process that is killed, and of one that has much behind it.
#include "policy/ledger/ledger.hpp"

#include "policy/ledger/query.hpp"
#include "policy/ledger/verify.hpp"
#include "tests/unit/policy/ledger_records.hpp"
#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <random>
#include <set>
#include <sqlite3.h>
#include <string>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

namespace tollgate::policy::ledger {
namespace {

using namespace std::chrono_literals;

Options small() {
    Options options;
    options.log.segment_size = 256U << 10U;
    options.log.sync_interval = 1ms;
    options.batch_interval = 3ms;
    return options;
}

// One line per acknowledged record: "A req_1\n" after an admit, "S req_1\n" after a settle.
void tell(int pipe, char what, const std::string& id) {
    const std::string line = std::string(1, what) + ' ' + id + '\n';
    if (::write(pipe, line.data(), line.size()) < 0) ::_exit(3);
}

// The child: settles what it finds, then works until it is killed. Never returns.
[[noreturn]] void work(const std::string& path, int pipe, int life) {
    auto ledger = Ledger::open(path, small());
    if (!ledger) {
        tell(pipe, 'E', ledger.error());
        ::_exit(2);
    }
    for (const OpenOperation& operation : (*ledger)->recovered()) {
        if ((*ledger)->append(settle_unknown(operation, kNoon))) {
            tell(pipe, 'U', std::string(operation.admit.record().request_id));
        }
    }
    tell(pipe, 'R', "ready");
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0;; ++i) {
                const std::string id = std::to_string(life) + '_' + std::to_string(t) + '_' + std::to_string(i);
                if (!(*ledger)->append(an_admit(id))) continue;
                tell(pipe, 'A', id);
                static_cast<void>((*ledger)->append(a_progress(id, kNoon + 1, 10)));
                if (i % 7 == 0) continue; // stays open
                if ((*ledger)->append(a_settle(id, kNoon, 1'000 + i))) tell(pipe, 'S', id);
            }
        });
    }
    while (true) ::pause();
}

struct Told {
    std::set<std::string> admitted, settled, unknown;
    std::string error;
    bool ready = false;
};

// Reads the child's lines until `enough` of them came or it ended, kills it after `delay`, reads the rest.
void watch(pid_t child, int pipe, std::chrono::microseconds delay, Told& told) {
    std::string text;
    char buffer[65'536];
    bool killed = false;
    const auto take = [&](const std::string& line) {
        if (line.size() < 3) return;
        const std::string id = line.substr(2);
        if (line[0] == 'A') told.admitted.insert(id);
        if (line[0] == 'S') told.settled.insert(id);
        if (line[0] == 'U') told.unknown.insert(id);
        if (line[0] == 'E') told.error = id;
        if (line[0] == 'R') told.ready = true;
    };
    while (true) {
        const ssize_t got = ::read(pipe, buffer, sizeof buffer);
        if (got <= 0) break;
        text.append(buffer, static_cast<std::size_t>(got));
        std::size_t from = 0;
        for (std::size_t end = 0; (end = text.find('\n', from)) != std::string::npos; from = end + 1) {
            take(text.substr(from, end - from));
        }
        text.erase(0, from);
        if (told.ready && !killed) {
            std::this_thread::sleep_for(delay);
            ::kill(child, SIGKILL);
            killed = true;
        }
    }
    int status = 0;
    ::waitpid(child, &status, 0);
}

TEST(LedgerCrash, sigkill_twenty_times_loses_and_doubles_nothing_f77_s26) {
    const TemporaryDirectory place;
    std::mt19937_64 random(20);
    Told all;
    for (int life = 0; life < 20; ++life) {
        int ends[2];
        ASSERT_EQ(::pipe(ends), 0);
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::close(ends[0]);
            work(place.path(), ends[1], life);
        }
        ::close(ends[1]);
        watch(child, ends[0], std::chrono::microseconds(random() % 60'000), all);
        ::close(ends[0]);
        ASSERT_EQ(all.error, "") << "life " << life;
        ASSERT_TRUE(all.ready) << "life " << life;
        all.ready = false;
    }
    const auto start = std::chrono::steady_clock::now();
    auto ledger = Ledger::open(place.path(), small());
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(ledger.has_value()) << ledger.error();
    std::set<std::string> open;
    for (const OpenOperation& operation : (*ledger)->recovered()) {
        open.emplace(operation.admit.record().request_id);
        ASSERT_TRUE((*ledger)->append(settle_unknown(operation, kNoon)).has_value());
    }
    ASSERT_TRUE((*ledger)->flush().has_value());
    EXPECT_EQ((*ledger)->stats().orphans, 0U);
    EXPECT_EQ((*ledger)->stats().log.open, 0U);
    (*ledger)->stop();

    // Every acknowledged admit has exactly one row (the id is the table's key), and it is the acknowledged settle's.
    std::size_t successes = 0;
    for (const std::string& id : all.admitted) {
        const auto found = find_operation(place.path(), id);
        ASSERT_TRUE(found.has_value()) << found.error();
        ASSERT_TRUE(found->has_value()) << id << " is lost";
        const Settle& settle = (*found)->operation.settle;
        const std::int64_t number = std::stoll(id.substr(id.rfind('_') + 1));
        if (all.settled.contains(id)) {
            EXPECT_EQ(settle.outcome, "success") << id;
            EXPECT_EQ(settle.cost.total, 1'000 + number) << id;
            ++successes;
        } else if (settle.outcome == "unknown") { // or the kill came between the append and its line
            EXPECT_TRUE(settle.cost.total == 6'000 || settle.cost.total == 9'000'000) << id;
        }
        EXPECT_EQ((*found)->operation.admit.key, "k_demo");
    }
    EXPECT_EQ(successes, all.settled.size());
    const auto checked = verify(place.path());
    ASSERT_TRUE(checked.has_value());
    for (const Fault& fault : checked->faults) ADD_FAILURE() << fault.text;
    // At most one admit per thread and life was appended and killed before its line.
    EXPECT_LE(checked->operations, static_cast<std::int64_t>(all.admitted.size()) + 40);
    std::printf("20 kills: %zu admits and %zu settles acknowledged, %lld rows, %zu ends unknown at the last start, "
                "which took %.1f ms\n",
                all.admitted.size(), all.settled.size(), static_cast<long long>(checked->operations), open.size(),
                took.count());
}

void execute(const std::string& file, const std::string& sql) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &raw), SQLITE_OK);
    char* error = nullptr;
    ASSERT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, &error), SQLITE_OK) << error;
    sqlite3_close(raw);
}

TEST(LedgerCrash, a_start_with_a_million_rows) {
    const TemporaryDirectory place;
    constexpr int kDays = 10;
    {
        auto ledger = Ledger::open(place.path(), small());
        ASSERT_TRUE(ledger.has_value()) << ledger.error();
        ASSERT_TRUE((*ledger)->append(an_admit("req_day")).has_value());
        ASSERT_TRUE((*ledger)->append(a_settle("req_day")).has_value());
        ASSERT_TRUE((*ledger)->flush().has_value());
    }
    const std::string first = day_file(place.path(), day_of(kNoon));
    execute(first, R"sql(
        CREATE TEMP TABLE made AS
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999)
            SELECT ts_start_us, request_id || '_' || printf('%06d', n.i), record FROM operation, n;
        INSERT INTO operation SELECT * FROM made;
        UPDATE usage_hour SET requests = requests * 100000, cost_nano = cost_nano * 100000;
        UPDATE usage_day SET cost_nano = cost_nano * 100000)sql");
    for (int day = 1; day < kDays; ++day) {
        const std::string file = day_file(place.path(), day_of(kNoon) + std::chrono::days(day));
        std::filesystem::copy_file(first, file);
        execute(file, "UPDATE usage_hour SET hour = hour + 24 * " + std::to_string(day));
    }
    { // and open operations with a full segment behind them
        auto ledger = Ledger::open(place.path(), {});
        ASSERT_TRUE(ledger.has_value());
        for (int i = 0; i < 100'000; ++i) {
            const std::string id = "req_open_" + std::to_string(i);
            const std::int64_t at = kNoon + (i % kDays) * 86'400 * kSecond;
            while (!(*ledger)->append(an_admit(id, at))) std::this_thread::sleep_for(1ms);
            if (i % 1'000 != 0) ASSERT_TRUE((*ledger)->append(a_settle(id, at)).has_value());
        }
    }
    const auto start = std::chrono::steady_clock::now();
    auto ledger = Ledger::open(place.path(), {});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(ledger.has_value()) << ledger.error();
    EXPECT_EQ((*ledger)->recovered().size(), 100U);
    const auto asked = std::chrono::steady_clock::now();
    const auto all = totals(place.path(), By::team, 0, INT64_MAX);
    const std::chrono::duration<double, std::milli> answered = std::chrono::steady_clock::now() - asked;
    ASSERT_TRUE(all.has_value()) << all.error();
    EXPECT_GE(all->front().requests, 1'000'000);
    std::printf("start with %lld rows and 100 open operations: %.1f ms; totals by team: %.1f ms\n",
                static_cast<long long>(all->front().requests), took.count(), answered.count());
    EXPECT_LT(took.count(), 10'000.0); // ten times the promise
}

} // namespace
} // namespace tollgate::policy::ledger
