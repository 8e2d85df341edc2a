#include "gateway/open_ledger.hpp"

#include "gateway/base/log.hpp"
#include "policy/ledger/spend.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iterator>
#include <set>
#include <string_view>

namespace tollgate {
namespace {

namespace ledger = policy::ledger;
namespace quota = policy::quota;

std::int64_t micros(WallTime wall) {
    return std::chrono::floor<std::chrono::microseconds>(wall.time_since_epoch()).count();
}

ledger::SpendQuery query_of(const policy::BudgetPlace& place, const quota::Period& period) {
    ledger::SpendQuery query;
    const std::string_view kind = std::string_view(place.kind).substr(0, place.kind.find('|'));
    if (kind == "org") query.only.org = place.owner;
    if (kind == "team") query.only.team = place.owner;
    if (kind == "key") query.only.key = place.owner;
    if (!place.model.empty()) query.only.model = place.model;
    query.begin_us = micros(period.begin);
    query.end_us = period.end == WallTime::max() ? std::numeric_limits<std::int64_t>::max() : micros(period.end);
    return query;
}

std::array<std::string_view, 4> name_of(const policy::BudgetPlace& place) {
    return {place.store, place.kind, place.name, place.window};
}

// The period that holds `now`; of a rolling window also the parts before it that still count.
std::vector<quota::Period> counted_periods(const quota::PeriodRule& rule, WallTime now) {
    std::vector<quota::Period> periods{rule.at(now)};
    while (periods.back().rolling()) {
        quota::Period before = rule.at(periods.back().begin - WallTime::duration(1));
        if (before.counted_until <= now) break;
        periods.push_back(std::move(before));
    }
    return periods;
}

} // namespace

std::expected<std::unique_ptr<ledger::Ledger>, std::string> open_ledger(const std::string& store_path) {
    auto opened = ledger::Ledger::open(store_path + "/ledger");
    if (!opened) return opened;
    ledger::Ledger& book = **opened;
    for (const ledger::Damage& cut : book.cuts()) log::warning("the ledger's torn end was cut", {{"what", cut.text}});
    for (const ledger::OpenOperation& operation : book.recovered()) {
        if (auto ok = book.append(ledger::settle_unknown(operation, micros(WallClock::now()))); !ok)
            return std::unexpected(ok.error().message);
    }
    if (!book.recovered().empty()) {
        log::warning("requests that the last process did not finish were charged",
                     {{"requests", std::to_string(book.recovered().size())}});
    }
    if (auto ok = book.flush(); !ok) return std::unexpected(ok.error());
    return opened;
}

std::expected<void, std::string> restore_budgets(const policy::Directory& directory, const policy::Directory* known,
                                                 quota::Engine& engine, const std::string& ledger_path,
                                                 quota::Moment now, std::vector<quota::Crossing>& crossings) {
    std::set<std::array<std::string_view, 4>> counted;
    if (known != nullptr) {
        for (const policy::BudgetPlace& place : known->budgets()) counted.insert(name_of(place));
    }
    for (const policy::BudgetPlace& place : directory.budgets()) {
        if (counted.contains(name_of(place))) continue;
        for (const quota::Period& period : counted_periods(*place.period, now.wall)) {
            const auto spent = ledger::spent_nano(ledger_path, query_of(place, period));
            if (!spent)
                return std::unexpected(
                    fmt::format("what {} \"{}\" has spent cannot be read: {}", place.kind, place.name, spent.error()));
            std::ranges::move(
                engine.store(place.store)->restore(place.kind, place.name, place.window, period, *spent, now),
                std::back_inserter(crossings));
        }
    }
    return {};
}

} // namespace tollgate
