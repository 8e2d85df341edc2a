#include "policy/ledger/spend.hpp"

#include "policy/ledger/table_sql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

// ?1 the first column by its word, ?2 whether there is a second; ?3 … ?6 what has to be equal, NULL: anything.
constexpr sqlite::Sql kDay = R"sql(
    SELECT CASE ?1 WHEN 'org' THEN org_id WHEN 'team' THEN team_id WHEN 'key' THEN key_id WHEN 'model' THEN model
        ELSE '' END, CASE ?2 WHEN 'model' THEN model ELSE '' END, sum(cost_nano)
    FROM usage_day WHERE (?3 IS NULL OR org_id = ?3) AND (?4 IS NULL OR team_id = ?4)
        AND (?5 IS NULL OR key_id = ?5) AND (?6 IS NULL OR model = ?6) GROUP BY 1, 2)sql";

using Sums = std::map<std::pair<std::string, std::string>, std::int64_t>;
using Outcome = std::expected<void, std::string>;

Outcome add(Sums& sums, std::string name, std::string model, std::int64_t nano) {
    std::int64_t& sum = sums[{std::move(name), std::move(model)}];
    if (!__builtin_add_overflow(sum, nano, &sum)) return {};
    return std::unexpected("what was spent does not fit into 64 bits");
}

std::string name_at(const Totals& sum, std::size_t column) {
    return column < sum.names.size() ? sum.names[column] : std::string();
}

Outcome add_part(const std::string& directory, const UsageQuery& part, Sums& sums) {
    const auto found = totals(directory, part);
    if (!found) return std::unexpected(found.error());
    for (const Totals& sum : *found) {
        if (auto added = add(sums, name_at(sum, 0), name_at(sum, 1), sum.cost_nano); !added) return added;
    }
    return {};
}

Outcome add_whole(const std::string& file, const UsageQuery& asked, Sums& sums) {
    auto database = open_day_reading(file);
    if (!database) return std::unexpected(database.error());
    if (!*database) return {};
    const auto failed = [&file](const std::string& why) {
        return std::unexpected(fmt::format("the usage table {}: {}", file, why));
    };
    auto statement = (*database)->prepare(kDay);
    if (!statement) return failed(statement.error());
    Execution query(*statement);
    for (std::size_t i = 0; i < 2; ++i) query.text(i < asked.by.size() ? to_string(asked.by[i]) : "all");
    query.text_if(asked.only.org).text_if(asked.only.team).text_if(asked.only.key).text_if(asked.only.model);
    while (true) {
        const auto row = query.step();
        if (!row) return failed(row.error());
        if (!*row) return {};
        auto added = add(sums, query.column(0), query.column(1), query.column_number(2).value_or(0));
        if (!added) return added;
    }
}

// Whole days from their own roll-up, the days at the ends from hours and rows.
std::expected<Sums, std::string> sums_of(const std::string& directory, const UsageQuery& asked) {
    const auto days = list_days(directory);
    if (!days) return std::unexpected(days.error());
    Sums sums;
    for (const Day day : *days) {
        UsageQuery part = asked;
        part.since_us = std::max(asked.since_us, start_of(day));
        part.until_us = std::min(asked.until_us, start_of(day + std::chrono::days(1)));
        if (part.since_us >= part.until_us) continue;
        const bool whole = day_of(part.since_us) < day_of(part.until_us) && part.since_us == start_of(day);
        const auto added = whole ? add_whole(day_file(directory, day), asked, sums) : add_part(directory, part, sums);
        if (!added) return std::unexpected(added.error());
    }
    return sums;
}

} // namespace

std::expected<std::int64_t, std::string> spent_nano(const std::string& directory, const SpendQuery& query) {
    const auto sums =
        sums_of(directory,
                {.since_us = query.begin_us, .until_us = query.end_us, .by = {}, .only = query.only, .cautious = true});
    if (!sums) return std::unexpected(sums.error());
    return sums->empty() ? 0 : sums->begin()->second;
}

std::expected<std::vector<Spent>, std::string> spent_by(const std::string& directory, By scope, bool with_model,
                                                        std::int64_t begin_us, std::int64_t end_us) {
    if (scope != By::org && scope != By::team && scope != By::key && scope != By::model) {
        return std::unexpected("spending is kept for orgs, teams, keys and models");
    }
    UsageQuery query{.since_us = begin_us, .until_us = end_us, .by = {scope}, .only = {}, .cautious = true};
    if (with_model) query.by.push_back(By::model);
    const auto sums = sums_of(directory, query);
    if (!sums) return std::unexpected(sums.error());
    std::vector<Spent> all;
    all.reserve(sums->size());
    for (const auto& [names, nano] : *sums) {
        if (nano != 0) all.push_back({.name = names.first, .model = names.second, .nano = nano});
    }
    return all;
}

} // namespace tollgate::policy::ledger
