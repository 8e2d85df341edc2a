#include "gateway/admin_usage.hpp"

#include "gateway/base/text.hpp"
#include "gateway/cli_usage.hpp"

#include <fmt/format.h>

#include <array>
#include <limits>

namespace tollgate {
namespace {

using admin::Problem;

Problem bad(std::string detail) {
    return {.status = 400, .code = "invalid_query", .detail = std::move(detail)};
}

std::optional<std::string> value_of(const admin::Query& query, std::string_view name) {
    const auto found = query.find(name);
    if (found == query.end()) return std::nullopt;
    return found->second;
}

} // namespace

std::expected<UsageQuestion, Problem> admin_usage_query(std::string_view text, WallTime now) {
    constexpr std::array<std::string_view, 7> kKnown{"by", "since", "until", "org", "team", "key", "model"};
    const auto query = admin::parse_query(text, kKnown);
    if (!query) return std::unexpected(query.error());
    UsageQuestion out;
    out.until_us = std::numeric_limits<std::int64_t>::max();
    const std::int64_t now_us = std::chrono::floor<std::chrono::microseconds>(now.time_since_epoch()).count();
    for (const auto& [name, end] : {std::pair{"since", &out.since_us}, std::pair{"until", &out.until_us}}) {
        const auto written = value_of(*query, name);
        if (!written) continue;
        const auto instant = cli::parse_instant(*written, now_us);
        if (!instant) return std::unexpected(bad(fmt::format("`{}`: {}", name, instant.error())));
        *end = *instant;
    }
    auto by = cli::parse_columns(value_of(*query, "by").value_or(""));
    if (!by) return std::unexpected(bad("`by`: " + by.error()));
    out.by = std::move(*by);
    out.org = value_of(*query, "org");
    out.team = value_of(*query, "team");
    out.key = value_of(*query, "key");
    out.model = value_of(*query, "model");
    return out;
}

std::expected<admin::Answer, Problem> admin_usage(const UsageQuestion& question, const std::string& ledger_path) {
    policy::ledger::UsageQuery query{
        .since_us = question.since_us, .until_us = question.until_us, .by = question.by, .only = {}};
    query.only = {.org = question.org, .team = question.team, .key = question.key, .model = question.model};
    const auto totals = policy::ledger::totals(ledger_path, query);
    if (!totals) return std::unexpected(Problem{.status = 500, .code = "internal", .detail = totals.error()});
    std::string rows = cli::render(cli::Format::json, question.by, *totals);
    while (rows.ends_with('\n')) rows.pop_back();
    return admin::Answer{200, R"({"object":"list","data":)" + rows + "}\n"};
}

std::expected<AuditPage, Problem> audit_page(std::string_view text) {
    constexpr std::array<std::string_view, 2> kKnown{"before", "limit"};
    const auto query = admin::parse_query(text, kKnown);
    if (!query) return std::unexpected(query.error());
    const auto most = admin::page_size(*query, 100, 1'000);
    if (!most) return std::unexpected(most.error());
    AuditPage page{.most = *most};
    if (const auto written = value_of(*query, "before")) {
        const auto number = parse_decimal(*written);
        if (!number || *number == 0 || *number > std::numeric_limits<std::int64_t>::max())
            return std::unexpected(bad("`before` is the number of an entry"));
        page.before = static_cast<std::int64_t>(*number);
    }
    return page;
}

std::string audit_body(std::vector<policy::AuditEntry> entries, const AuditPage& page) {
    const bool more = entries.size() > static_cast<std::size_t>(page.most);
    if (more) entries.pop_back();
    std::string out = fmt::format(R"({{"object":"list","has_more":{},)", more);
    if (more) out += fmt::format(R"("next_before":{},)", entries.back().number);
    out += R"("data":[)";
    for (const policy::AuditEntry& entry : entries) {
        if (&entry != &entries.front()) out += ',';
        out += entry.record.substr(0, entry.record.size() - 1); // the record is one object
        out += R"(,"hash":")" + entry.hash + "\"}";
    }
    return out + "]}\n";
}

} // namespace tollgate
