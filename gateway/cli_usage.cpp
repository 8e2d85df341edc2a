#include "gateway/cli_usage.hpp"

#include "config/values.hpp"
#include "gateway/cli_ledger.hpp"
#include "policy/price/money.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <memory>

namespace tollgate::cli {
namespace {

using policy::ledger::By;
using policy::ledger::Totals;

constexpr std::array<std::string_view, 3> kFormats{"table", "json", "csv"};

// One figure of a line; nothing: unknown.
using Figure = std::optional<std::int64_t>;

struct Figures {
    Figure requests, in_tokens, out_tokens, cost, saved, unmetered, estimated, unpriced;
};

Figures figures_of(const Totals& sum) {
    const bool metered = sum.requests > sum.unmetered;
    // Adjustments are known money, of no request.
    const bool priced = sum.requests > sum.unpriced || sum.requests == 0 || sum.cost_nano != 0;
    return {.requests = sum.requests,
            .in_tokens = metered ? Figure(sum.in_tokens) : std::nullopt,
            .out_tokens = metered ? Figure(sum.out_tokens) : std::nullopt,
            .cost = priced ? Figure(sum.cost_nano) : std::nullopt,
            .saved = sum.saved_nano,
            .unmetered = sum.unmetered,
            .estimated = sum.estimated,
            .unpriced = sum.unpriced};
}

struct Column {
    std::string_view name;  // in JSON and CSV
    std::string_view title; // in a table
    Figure Figures::* figure;
    bool usd;
};
constexpr std::array<Column, 8> kColumns{{
    {"requests", "REQUESTS", &Figures::requests, false},
    {"input_tokens", "INPUT", &Figures::in_tokens, false},
    {"output_tokens", "OUTPUT", &Figures::out_tokens, false},
    {"cost_usd", "COST USD", &Figures::cost, true},
    {"saved_usd", "SAVED USD", &Figures::saved, true},
    {"requests_without_usage", "NO USAGE", &Figures::unmetered, false},
    {"requests_estimated", "ESTIMATED", &Figures::estimated, false},
    {"requests_without_cost", "NO COST", &Figures::unpriced, false},
}};

std::optional<std::string> text_of(const Column& column, const Figures& figures) {
    const Figure& value = figures.*column.figure;
    if (!value) return std::nullopt;
    return column.usd ? policy::format_usd(*value) : fmt::format("{}", *value);
}

// RFC 8259 §7; also for a terminal, which must not obey what a client called a model.
std::string escaped(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto octet = static_cast<unsigned char>(text[i]);
        const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0U;
        if (text[i] == '"' || text[i] == '\\') {
            out += '\\';
            out += text[i];
        } else if (octet < 0x20 || octet == 0x7f) {
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", octet);
        } else if (octet == 0xc2 && next >= 0x80 && next < 0xa0) { // C1 controls
            fmt::format_to(std::back_inserter(out), "\\u{:04x}", next);
            ++i;
        } else {
            out += text[i];
        }
    }
    return out;
}

// RFC 4180 §2.
std::string csv_field(std::string_view text) {
    if (text.find_first_of("\",\r\n") == std::string_view::npos) return std::string(text);
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"') out += '"';
        out += c;
    }
    return out + '"';
}

std::string json(const std::vector<By>& by, const std::vector<Totals>& totals) {
    std::string out = "[";
    for (const Totals& sum : totals) {
        out += out.size() > 1 ? ",\n {" : "\n {";
        for (std::size_t i = 0; i < by.size(); ++i) {
            fmt::format_to(std::back_inserter(out), "\"{}\": \"{}\", ", to_string(by[i]), escaped(sum.names[i]));
        }
        const Figures figures = figures_of(sum);
        for (const Column& column : kColumns) {
            const auto value = text_of(column, figures);
            const std::string shown = !value ? "null" : column.usd ? '"' + *value + '"' : *value;
            fmt::format_to(std::back_inserter(out), "\"{}\": {}, ", column.name, shown);
        }
        const std::string nano = figures.cost ? fmt::format("{}", *figures.cost) : "null";
        fmt::format_to(std::back_inserter(out), "\"cost_nano_usd\": {}}}", nano);
    }
    return out + (totals.empty() ? "]\n" : "\n]\n");
}

std::string csv(const std::vector<By>& by, const std::vector<Totals>& totals) {
    std::string out;
    for (const By column : by) out += fmt::format("{},", to_string(column));
    for (const Column& column : kColumns) out += fmt::format("{},", column.name);
    out += "cost_nano_usd\r\n";
    for (const Totals& sum : totals) {
        const Figures figures = figures_of(sum);
        for (const std::string& name : sum.names) out += csv_field(name) + ',';
        for (const Column& column : kColumns) out += text_of(column, figures).value_or("") + ',';
        out += (figures.cost ? fmt::format("{}", *figures.cost) : "") + "\r\n";
    }
    return out;
}

Totals sum_of(const std::vector<Totals>& totals) {
    Totals all;
    for (const Totals& sum : totals) {
        for (std::int64_t Totals::* const field :
             {&Totals::requests, &Totals::in_tokens, &Totals::out_tokens, &Totals::cost_nano, &Totals::unpriced,
              &Totals::estimated, &Totals::unmetered, &Totals::saved_nano}) {
            all.*field = policy::saturating_add(all.*field, sum.*field);
        }
    }
    return all;
}

using Line = std::vector<std::string>;

Line line_of(std::vector<std::string> names, const Totals& sum) {
    Line line = std::move(names);
    const Figures figures = figures_of(sum);
    for (const Column& column : kColumns) line.push_back(text_of(column, figures).value_or("unknown"));
    return line;
}

// Characters, not octets: names may be UTF-8.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::string table(const std::vector<By>& by, const std::vector<Totals>& totals) {
    Line head;
    for (const By column : by) {
        head.emplace_back(to_string(column));
        std::ranges::transform(head.back(), head.back().begin(),
                               [](char c) { return static_cast<char>(c - 'a' + 'A'); });
    }
    for (const Column& column : kColumns) head.emplace_back(column.title);
    std::vector<Line> lines{head};
    for (const Totals& sum : totals) {
        std::vector<std::string> names;
        for (const std::string& name : sum.names) names.push_back(name.empty() ? "-" : escaped(name));
        lines.push_back(line_of(std::move(names), sum));
    }
    if (!by.empty()) {
        std::vector<std::string> names(by.size());
        names.front() = "total";
        lines.push_back(line_of(std::move(names), sum_of(totals)));
    }
    std::vector<std::size_t> widths(head.size());
    for (const Line& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
    }
    std::string out;
    for (const Line& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) {
            const std::string space(widths[i] - width_of(line[i]), ' ');
            out += i < by.size() ? line[i] + space : space + line[i];
            out += i + 1 == line.size() ? "\n" : "  ";
        }
    }
    return out;
}

struct Arguments {
    explicit Arguments(CLI::App& command) : ledger(command) {}
    LedgerOption ledger;
    std::string by, since, until, format = "table";
    std::optional<std::string> org, team, key, model;
};

std::expected<policy::ledger::UsageQuery, std::string> query_of(const Arguments& arguments, std::int64_t now_us) {
    policy::ledger::UsageQuery query{.since_us = 0, .until_us = INT64_MAX, .by = {}, .only = {}};
    const std::pair<const std::string*, std::int64_t*> ends[] = {{&arguments.since, &query.since_us},
                                                                 {&arguments.until, &query.until_us}};
    for (const auto& [text, end] : ends) {
        if (text->empty()) continue;
        const auto instant = parse_instant(*text, now_us);
        if (!instant) return std::unexpected(instant.error());
        *end = *instant;
    }
    auto by = parse_columns(arguments.by);
    if (!by) return std::unexpected(by.error());
    query.by = std::move(*by);
    query.only = {.org = arguments.org, .team = arguments.team, .key = arguments.key, .model = arguments.model};
    return query;
}

int usage(const Arguments& arguments) {
    const auto now =
        std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::system_clock::now().time_since_epoch());
    const auto format = parse_format(arguments.format);
    if (!format) return complain(2, "--output is table, json or csv");
    const auto query = query_of(arguments, now.count());
    if (!query) return complain(2, query.error());
    const auto directory = arguments.ledger.directory();
    if (!directory) return complain(1, directory.error());
    const auto totals = policy::ledger::totals(*directory, *query);
    if (!totals) return complain(1, totals.error());
    std::fputs(render(*format, query->by, *totals).c_str(), stdout);
    return 0;
}

} // namespace

std::optional<Format> parse_format(std::string_view word) noexcept {
    const auto at = std::ranges::find(kFormats, word);
    if (at == kFormats.end()) return std::nullopt;
    return static_cast<Format>(at - kFormats.begin());
}

std::expected<std::int64_t, std::string> parse_instant(std::string_view text, std::int64_t now_us) {
    using std::chrono::microseconds;
    if (const auto ago = config::parse_duration(text)) {
        std::int64_t instant = 0;
        std::int64_t span = 0;
        if (__builtin_mul_overflow(ago->count(), std::int64_t{1'000}, &span)) return 0;
        if (__builtin_sub_overflow(now_us, span, &instant)) return 0;
        return std::max<std::int64_t>(0, instant);
    }
    std::string_view date = text;
    std::int64_t second = 0;
    if (text.size() == std::string_view("2026-10-05T13:00:00Z").size() && text[10] == 'T' && text.ends_with('Z')) {
        date = text.substr(0, 10);
        int hours = 0, minutes = 0, seconds = 0;
        const auto digits = [text](std::size_t at, int& value, int most) {
            const char high = text[at], low = text[at + 1];
            if (high < '0' || high > '9' || low < '0' || low > '9') return false;
            value = (high - '0') * 10 + (low - '0');
            return value <= most;
        };
        if (text[13] != ':' || text[16] != ':' || !digits(11, hours, 23) || !digits(14, minutes, 59) ||
            !digits(17, seconds, 59)) {
            date = {};
        }
        second = hours * 3'600 + minutes * 60 + seconds;
    }
    if (const auto day = policy::ledger::parse_day(date)) return policy::ledger::start_of(*day) + second * 1'000'000;
    return std::unexpected(fmt::format("`{}` is no instant: a duration before now (90m, 36h, 7d), a date (2026-10-05, "
                                       "UTC) or 2026-10-05T13:00:00Z",
                                       escaped(text)));
}

std::expected<std::vector<By>, std::string> parse_columns(std::string_view text) {
    std::vector<By> columns;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(','), text.size());
        const std::string_view word = text.substr(0, end);
        const auto by = policy::ledger::parse_by(word);
        if (!by || *by == By::all) {
            return std::unexpected(fmt::format("--by takes org, team, key, model, provider, operation, outcome, cache, "
                                               "day and hour, separated by commas, not `{}`",
                                               escaped(word)));
        }
        if (std::ranges::find(columns, *by) != columns.end()) {
            return std::unexpected(fmt::format("--by has `{}` twice", word));
        }
        columns.push_back(*by);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    if (columns.size() > policy::ledger::kMostBy) {
        return std::unexpected(fmt::format("--by takes at most {} words", policy::ledger::kMostBy));
    }
    return columns;
}

std::string render(Format format, const std::vector<By>& by, const std::vector<Totals>& totals) {
    if (format == Format::json) return json(by, totals);
    return format == Format::csv ? csv(by, totals) : table(by, totals);
}

void add_usage_command(CLI::App& app, int& code) {
    auto* const command = app.add_subcommand("usage", "Requests, tokens and cost, from the usage ledger");
    command->footer("Reads beside a running gateway; what ended less than 100 ms ago may be missing.\n"
                    "Examples:\n  tollgate usage -c tollgate.yaml --by team,model --since 7d\n"
                    "  tollgate usage -c tollgate.yaml --by day --key k_demo -o csv");
    const auto arguments = std::make_shared<Arguments>(*command);
    command->add_option("--by", arguments->by,
                        "Up to three of org, team, key, model, provider, operation, outcome, cache, day, hour");
    command->add_option("--since", arguments->since, "From here on: 7d, 2026-10-05 or 2026-10-05T13:00:00Z (UTC)");
    command->add_option("--until", arguments->until, "Up to before here, in the same words");
    command->add_option("--org", arguments->org, "Only this org");
    command->add_option("--team", arguments->team, "Only this team");
    command->add_option("--key", arguments->key, "Only this key");
    command->add_option("--model", arguments->model, "Only this model");
    command->add_option("-o,--output", arguments->format, "table, json or csv")->capture_default_str();
    command->callback([&code, arguments] { code = usage(*arguments); });
}

} // namespace tollgate::cli
