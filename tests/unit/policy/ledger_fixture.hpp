// A ledger with small files and short intervals, and what its tests ask of it.
#pragma once

#include "policy/ledger/ledger.hpp"
#include "policy/ledger/query.hpp"
#include "policy/ledger/verify.hpp"
#include "tests/unit/policy/ledger_records.hpp"
#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

namespace tollgate::policy::ledger {

using namespace std::chrono_literals;

inline constexpr std::int64_t kDay = 86'400 * kSecond;

inline Options small() {
    Options options;
    options.log.segment_size = 64U << 10U;
    options.log.sync_interval = 1ms;
    options.log.retry_interval = 20ms;
    options.batch_interval = 2ms;
    options.retry_interval = 20ms;
    return options;
}

inline std::unique_ptr<Ledger> opened(const std::string& path, Options options = small()) {
    auto ledger = Ledger::open(path, std::move(options));
    if (!ledger) throw std::runtime_error(ledger.error());
    return std::move(*ledger);
}

template <class Condition>
bool eventually(Condition condition) {
    for (int i = 0; i < 10'000; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(1ms);
    }
    return false;
}

inline std::size_t segments_in(const std::string& path) {
    std::size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
        if (entry.path().extension() == ".log") ++count;
    }
    return count;
}

inline std::int64_t requests_in(const std::string& path) {
    const auto all = totals(path, By::all, 0, INT64_MAX);
    if (!all) throw std::runtime_error(all.error());
    return all->empty() ? 0 : all->front().requests;
}

inline void expect_sound(const std::string& path) {
    const auto checked = verify(path);
    ASSERT_TRUE(checked.has_value()) << checked.error();
    for (const Fault& fault : checked->faults) ADD_FAILURE() << fault.text;
}

// The oldest of the ledger's segments.
inline std::string first_segment(const std::string& path) {
    std::string first;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
        if (entry.path().extension() == ".log" && (first.empty() || entry.path().string() < first)) {
            first = entry.path().string();
        }
    }
    return first;
}

} // namespace tollgate::policy::ledger
