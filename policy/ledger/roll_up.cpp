#include "policy/ledger/roll_up.hpp"

#include "policy/ledger/day.hpp"
#include "policy/ledger/row.hpp"
#include "policy/ledger/table_sql.hpp"

#include <boost/container_hash/hash.hpp>

#include <functional>
#include <map>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

constexpr sqlite::Sql kAddHour = R"sql(
    INSERT INTO usage_hour (hour, org_id, team_id, key_id, model, provider, operation, outcome, cache,
        requests, in_tokens, out_tokens, cost_nano, unpriced, estimated, unmetered, saved_nano, ttft_us_sum,
        duration_us_sum)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
    ON CONFLICT DO UPDATE SET
        requests = requests + excluded.requests, in_tokens = in_tokens + excluded.in_tokens,
        out_tokens = out_tokens + excluded.out_tokens, cost_nano = cost_nano + excluded.cost_nano,
        unpriced = unpriced + excluded.unpriced, estimated = estimated + excluded.estimated,
        unmetered = unmetered + excluded.unmetered, saved_nano = saved_nano + excluded.saved_nano,
        ttft_us_sum = ttft_us_sum + excluded.ttft_us_sum,
        duration_us_sum = duration_us_sum + excluded.duration_us_sum)sql";
constexpr sqlite::Sql kAddDay = R"sql(
    INSERT INTO usage_day (org_id, team_id, key_id, model, cost_nano) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT DO UPDATE SET cost_nano = cost_nano + excluded.cost_nano)sql";

constexpr std::size_t kCost = 3; // of Sums

} // namespace

std::size_t RollUp::Hash::operator()(const HourKey& key) const noexcept {
    std::size_t hash = std::hash<std::int64_t>{}(std::get<0>(key));
    for (const Text name : std::get<1>(key)) boost::hash_combine(hash, std::hash<Text>{}(name));
    return hash;
}

sqlite::Result<void> RollUp::open(sqlite::Database& database) {
    for (const auto& [statement, sql] : {std::pair(&hour_, kAddHour), std::pair(&day_, kAddDay)}) {
        sqlite::Result<sqlite::Statement> prepared = database.prepare(sql);
        if (!prepared) return std::unexpected(prepared.error());
        *statement = std::move(*prepared);
    }
    return {};
}

bool RollUp::add(const HourKey& key, const Sums& sums) {
    Sums& all = hours_[key];
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (__builtin_add_overflow(all[i], sums[i], &all[i])) return false;
    }
    return true;
}

bool RollUp::add(const Operation& operation) {
    const Admit& a = operation.admit;
    const Settle& s = operation.settle;
    return add(
        {hour_of(a.at_us), {a.org, a.team, a.key, a.model, provider_of(operation), a.operation, s.outcome, s.cache}},
        {1, s.tokens.in.value_or(0), s.tokens.out.value_or(0), s.cost.total.value_or(0), s.cost.total ? 0 : 1,
         s.usage_source == UsageSource::estimated ? 1 : 0, s.tokens.in || s.tokens.out ? 0 : 1,
         s.saved_nano.value_or(0), s.ttft_us.value_or(0), s.duration_us});
}

bool RollUp::add(const Adjust& adjustment) {
    return add({hour_of(adjustment.at_us),
                {adjustment.org, adjustment.team, adjustment.key, "", "", kAdjustOperation, kAdjustOperation, "none"}},
               {0, 0, 0, adjustment.nano, 0, 0, 0, 0, 0, 0});
}

sqlite::Result<void> RollUp::write() {
    for (const auto& [key, sums] : hours_) {
        Execution add(hour_);
        add.number(std::get<0>(key));
        for (const Text name : std::get<1>(key)) add.text(name);
        for (const std::int64_t sum : sums) add.number(sum);
        if (auto done = add.step(); !done) return std::unexpected(done.error());
    }
    return write_days();
}

sqlite::Result<void> RollUp::write_days() {
    std::map<std::array<Text, 4>, std::int64_t> days; // org, team, key, model
    for (const auto& [key, sums] : hours_) {
        const std::array<Text, 8>& names = std::get<1>(key);
        std::int64_t& day = days[{names[0], names[1], names[2], names[3]}];
        if (__builtin_add_overflow(day, sums[kCost], &day)) {
            return std::unexpected<std::string>("a sum of the roll-up does not fit into 64 bits");
        }
    }
    for (const auto& [names, cost] : days) {
        Execution add(day_);
        for (const Text name : names) add.text(name);
        add.number(cost);
        if (auto done = add.step(); !done) return std::unexpected(done.error());
    }
    return {};
}

void RollUp::clear() {
    hours_.clear();
}

} // namespace tollgate::policy::ledger
