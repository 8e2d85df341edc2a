#include "config/entry.hpp"

#include "config/bind.hpp"
#include "config/bind_limits.hpp"
#include "config/checks.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace tollgate::config {
namespace {

constexpr Row kRoot{"", Type::section, "", "", ""};

Environment nothing() {
    return [](const std::string&) -> std::optional<std::string> { return std::nullopt; };
}

void unmark(Limits& limits) {
    for (auto* const limit : {&limits.rpm, &limits.tpm, &limits.input_tpm, &limits.output_tpm, &limits.concurrency}) {
        if (*limit) (*limit)->mark = {};
    }
}

void unmark(std::vector<Budget>& budgets) {
    for (Budget& budget : budgets) budget.mark = budget.timezone_mark = {};
}

void unmark(ModelShares& shares) {
    for (auto& [model, share] : shares) {
        unmark(share.limits);
        unmark(share.budgets);
        share.mark = {};
    }
}

// A tree in which the entry stands where it would in a file, so that the checks of files find it.
Value tree_with(std::string_view collection, Value entry) {
    Value list;
    list.name = collection;
    list.members.push_back(std::move(entry));
    Value root;
    root.row = &kRoot;
    root.members.push_back(std::move(list));
    return root;
}

struct Kind {
    std::string_view collection, row, name;
};
constexpr std::array kKinds{Kind{"models", "models.*", "model"}, Kind{"orgs", "orgs.*", "org"},
                            Kind{"teams", "teams.*", "team"}};

} // namespace

Entry<Key> read_key(const Node& node, const Config* around) {
    Sink sink;
    Value value = validate_at(*find_row("keys[]"), "key", node, nothing(), sink);
    Key key = bind_key(value);
    if (around != nullptr) {
        Config config = *around;
        config.keys = {key};
        const Value root = tree_with("keys", std::move(value));
        check_identity(root, config, sink);
        check_limits(root, config, sink);
    }
    unmark(key.limits);
    unmark(key.budgets);
    unmark(key.per_model);
    key.mark = {};
    Entry<Key> out;
    if (!sink.failed()) out.value = std::move(key);
    out.diagnostics = sink.take();
    return out;
}

Entry<ScopeEntry> read_scope(const Node& node, ScopeKind kind, const Config& around) {
    const Kind& words = kKinds[static_cast<std::size_t>(kind)];
    Sink sink;
    Value value = validate_at(*find_row(words.row), std::string(words.name), node, nothing(), sink);
    ScopeEntry entry{bind_limits(value), bind_budgets(value), bind_shares(value)};
    // Checked as a team without a parent: a model's share of the row is the same.
    Config config = around;
    Team& team = config.teams["entry"];
    team.name = "entry";
    team.org.clear();
    team.limits = entry.limits;
    team.budgets = entry.budgets;
    team.per_model = entry.per_model;
    value.name = "entry";
    check_limits(tree_with("teams", std::move(value)), config, sink);
    unmark(entry.limits);
    unmark(entry.budgets);
    unmark(entry.per_model);
    Entry<ScopeEntry> out;
    // What a row requires beyond limits (a model's upstreams) is in the file already.
    std::vector<Diagnostic> found = sink.take();
    std::erase_if(found,
                  [](const Diagnostic& d) { return d.code == "E0103" && d.message.ends_with("no `upstreams`"); });
    const bool failed = std::ranges::any_of(found, [](const Diagnostic& d) { return d.severity == Severity::error; });
    if (!failed) out.value = std::move(entry);
    out.diagnostics = std::move(found);
    return out;
}

} // namespace tollgate::config
