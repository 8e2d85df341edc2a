#include "gateway/cli_keys.hpp"

#include "gateway/admin_client.hpp"
#include "gateway/admin_local.hpp"
#include "gateway/base/text.hpp"
#include "gateway/cli_common.hpp"
#include "policy/audit.hpp"
#include "policy/store_files.hpp"

#include <CLI/CLI.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

namespace tollgate::cli {
namespace {

namespace json = boost::json;

struct Arguments {
    std::string file = kDefaultFile;
    std::string format = "table";
    std::string id, team, grace, settings = "{}";
    std::string alias, budget, expires;
    std::optional<std::uint64_t> rpm, tpm, concurrency;
    std::vector<std::string> models;
};

// What a terminal must not obey is escaped.
std::string shown(const json::object& of, std::string_view name) {
    const json::value* const value = of.if_contains(name);
    if (value == nullptr || !value->is_string()) return "-";
    std::string out;
    append_json_escaped(out, std::string_view(value->get_string()));
    return out.empty() ? "-" : out;
}

std::string table(const json::array& keys) {
    constexpr std::array<std::string_view, 6> kMembers{"id", "team", "status", "owner", "alias", "place"};
    std::vector<std::array<std::string, kMembers.size()>> lines{{"ID", "TEAM", "STATUS", "OWNER", "ALIAS", "PLACE"}};
    for (const json::value& key : keys) {
        auto& line = lines.emplace_back();
        for (std::size_t i = 0; i < kMembers.size(); ++i) line[i] = shown(key.as_object(), kMembers[i]);
    }
    std::array<std::size_t, kMembers.size()> widths{};
    for (const auto& line : lines) {
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    }
    std::string out;
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i) text += fmt::format("{:<{}}  ", line[i], widths[i]);
        text.erase(text.find_last_not_of(' ') + 1);
        out += text + '\n';
    }
    return out;
}

// The problem as one sentence and a line for each fault.
std::string problem_text(const json::object& problem) {
    std::string out = shown(problem, "detail");
    const json::value* const errors = problem.if_contains("errors");
    if (errors == nullptr || !errors->is_array()) return out;
    for (const json::value& fault : errors->get_array()) {
        if (!fault.is_object()) continue;
        out += fmt::format("\n  {}: {}", shown(fault.get_object(), "path"), shown(fault.get_object(), "message"));
        if (fault.get_object().contains("hint")) out += fmt::format(" ({})", shown(fault.get_object(), "hint"));
    }
    return out;
}

struct Request {
    std::string_view method;
    std::string path; // below /admin/v1: "/keys/k_1"
    std::string query, body;
};

// Asked of the running gateway; where none listens, of the store itself.
std::expected<AdminReply, std::string> reply_to(const config::Config& config, const Request& request) {
    const std::string path = "/admin/v1" + request.path;
    const bool has_listener = config.listen.admin.has_value();
    if (has_listener) {
        auto reply =
            ask_admin(config, request.method, request.query.empty() ? path : path + '?' + request.query, request.body);
        if (reply) return std::move(*reply);
        if (!reply.error().nobody_listens) return std::unexpected(std::move(reply.error().why));
    }
    auto reply = ask_store(config, request.method, path, request.query, request.body);
    if (reply || has_listener) return reply;
    return std::unexpected(reply.error() + ". A running gateway can be asked if its configuration has `listen.admin`");
}

std::expected<json::object, std::string> ask(const config::Config& config, const Request& request) {
    const auto answer = reply_to(config, request);
    if (!answer) return std::unexpected(answer.error());
    boost::system::error_code error;
    json::value value = json::parse(answer->body, error);
    if (error || !value.is_object()) return std::unexpected(fmt::format("an answer {} without JSON", answer->status));
    if (answer->status >= 400) return std::unexpected(problem_text(value.get_object()));
    return std::move(value.get_object());
}

bool is_format(const std::string& format) {
    return format == "table" || format == "json";
}

// One key, and its secret if it is new, which goes to stdout alone.
int show_key(const Arguments& arguments, const json::object& key) {
    if (arguments.format == "json") {
        std::fputs((json::serialize(key) + "\n").c_str(), stdout);
        return 0;
    }
    std::fputs(table({key}).c_str(), key.contains("secret") ? stderr : stdout);
    if (!key.contains("secret")) return 0;
    std::fputs("The secret is shown this once:\n", stderr);
    std::fputs((std::string(key.at("secret").as_string()) + "\n").c_str(), stdout);
    return 0;
}

int ask_for_key(const Arguments& arguments, std::string_view method, const std::string& tail, std::string body) {
    if (!is_format(arguments.format)) return complain(2, "--output is table or json");
    const auto config = load_config(arguments.file);
    if (!config) return 1;
    const auto key = ask(*config, {.method = method,
                                   .path = "/keys" + (arguments.id.empty() ? "" : "/" + arguments.id) + tail,
                                   .query = {},
                                   .body = std::move(body)});
    if (!key) return complain(1, key.error());
    if (key->contains("deleted")) {
        std::fputs(fmt::format("key {} is deleted\n", arguments.id).c_str(), stderr);
        return 0;
    }
    return show_key(arguments, *key);
}

int list(const Arguments& arguments) {
    if (!is_format(arguments.format)) return complain(2, "--output is table or json");
    const auto config = load_config(arguments.file);
    if (!config) return 1;
    json::array all;
    std::string after;
    for (;;) {
        std::string query = "limit=1000" + (arguments.team.empty() ? "" : "&team=" + arguments.team);
        if (!after.empty()) query += "&after=" + after;
        auto page = ask(*config, {.method = "GET", .path = "/keys", .query = std::move(query), .body = {}});
        if (!page) return complain(1, page.error());
        for (json::value& key : page->at("data").as_array()) all.push_back(std::move(key));
        if (!page->at("has_more").as_bool()) break;
        after = page->at("next_cursor").as_string();
    }
    std::fputs((arguments.format == "json" ? json::serialize(all) + "\n" : table(all)).c_str(), stdout);
    return 0;
}

// "5/day": the amount stays text, so that it is exact.
bool set_budget(json::object& settings, const std::string& text) {
    const std::size_t slash = text.find('/');
    if (slash == std::string::npos) return false;
    settings["budget"] = json::object{{"usd", text.substr(0, slash)}, {"per", text.substr(slash + 1)}};
    return true;
}

int create(const Arguments& arguments) {
    boost::system::error_code error;
    json::value parsed = json::parse(arguments.settings, error);
    if (error || !parsed.is_object()) return complain(2, "--settings is a JSON object");
    json::object& settings = parsed.get_object();
    for (const auto& [name, value] : {std::pair{"id", &arguments.id}, std::pair{"team", &arguments.team},
                                      std::pair{"alias", &arguments.alias}, std::pair{"expires", &arguments.expires}}) {
        if (!value->empty()) settings[name] = *value;
    }
    for (const auto& [name, value] : {std::pair{"rpm", &arguments.rpm}, std::pair{"tpm", &arguments.tpm},
                                      std::pair{"concurrency", &arguments.concurrency}}) {
        if (!*value) continue;
        if (!settings["limits"].is_object()) settings["limits"] = json::object();
        settings["limits"].get_object()[name] = **value;
    }
    if (!arguments.models.empty()) settings["models"] = json::array(arguments.models.begin(), arguments.models.end());
    if (!arguments.budget.empty() && !set_budget(settings, arguments.budget))
        return complain(2, "--budget is dollars and a period, such as 5/day");
    Arguments rest = arguments;
    rest.id.clear();
    return ask_for_key(rest, "POST", "", json::serialize(settings));
}

CLI::App* add(CLI::App& group, const std::string& name, const std::string& what,
              const std::shared_ptr<Arguments>& arguments, bool with_id) {
    CLI::App* const command = group.add_subcommand(name, what);
    command->add_option("-c,--config", arguments->file, "Configuration file")->capture_default_str();
    command->add_option("-o,--output", arguments->format, "table or json")->capture_default_str();
    if (with_id) command->add_option("id", arguments->id, "Id of the key")->required();
    return command;
}

int verify(const std::string& file) {
    const auto config = load_config(file);
    if (!config) return 1;
    const auto master = config->master_secret.empty() ? policy::load_secret(config->store_path + "/master.key")
                                                      : std::expected<Secret, std::string>(config->master_secret);
    if (!master) return complain(1, master.error());
    const auto check = policy::verify_audit(config->store_path, *master);
    if (!check) return complain(1, "the audit log cannot be read: " + check.error());
    for (const std::string& problem : check->problems()) std::fputs((problem + "\n").c_str(), stdout);
    if (!check->problems().empty()) return complain(1, "the audit log was tampered with");
    std::fputs(fmt::format("{} entries, none altered or missing; the last hash is {}\n", check->entries(),
                           check->entries() == 0 ? "none" : check->last_hash())
                   .c_str(),
               stdout);
    return 0;
}

} // namespace

void add_keys_commands(CLI::App& app, int& code) {
    auto* const group = app.add_subcommand("keys", "Make and change keys, also of a running gateway");
    group->require_subcommand(1);
    group->footer("Examples:\n  tollgate keys create -c tollgate.yaml --team search --rpm 60 --budget 5/day\n"
                  "  tollgate keys list -o json\n  tollgate keys rotate k_7f3a9c12 --grace 24h");
    const auto arguments = std::make_shared<Arguments>();
    auto* const listing = add(*group, "list", "List the keys of file and store", arguments, false);
    listing->add_option("--team", arguments->team, "Only this team's");
    listing->callback([&code, arguments] { code = list(*arguments); });
    auto* const making = add(*group, "create", "Make a key; its secret goes to stdout, once", arguments, false);
    making->add_option("--id", arguments->id, "Public id; default: made");
    making->add_option("--team", arguments->team, "Team it belongs to");
    making->add_option("--alias", arguments->alias, "Free text for people");
    making->add_option("--rpm", arguments->rpm, "Requests a minute");
    making->add_option("--tpm", arguments->tpm, "Tokens a minute");
    making->add_option("--concurrency", arguments->concurrency, "Requests at once");
    making->add_option("--budget", arguments->budget, "Dollars and period, such as 5/day");
    making->add_option("--model", arguments->models, "A model it may use; repeatable");
    making->add_option("--expires", arguments->expires, "Date from which it is refused");
    making->add_option("--settings", arguments->settings, "Anything else, as JSON");
    making->callback([&code, arguments] { code = create(*arguments); });
    add(*group, "show", "Show one key", arguments, true)->callback([&code, arguments] {
        code = ask_for_key(*arguments, "GET", "", {});
    });
    add(*group, "disable", "Refuse a key, also one of the file", arguments, true)->callback([&code, arguments] {
        code = ask_for_key(*arguments, "PATCH", "", R"({"disabled":true})");
    });
    add(*group, "enable", "Take a disabled key again", arguments, true)->callback([&code, arguments] {
        code = ask_for_key(*arguments, "PATCH", "", R"({"disabled":false})");
    });
    auto* const rotation = add(*group, "rotate", "Give a key a new secret; it goes to stdout, once", arguments, true);
    rotation->add_option("--grace", arguments->grace, "How long the old secret still works, such as 24h");
    rotation->callback([&code, arguments] {
        json::object body;
        if (!arguments->grace.empty()) body["grace"] = arguments->grace;
        code = ask_for_key(*arguments, "POST", "/rotate", json::serialize(body));
    });
    add(*group, "delete", "Remove a key of the store", arguments, true)->callback([&code, arguments] {
        code = ask_for_key(*arguments, "DELETE", "", {});
    });
}

void add_audit_commands(CLI::App& app, int& code) {
    auto* const group = app.add_subcommand("audit", "Look at the audit log");
    group->require_subcommand(1);
    auto* const command = group->add_subcommand(
        "verify", "Check that no entry was altered, added or removed; exit 1 and say where if one was");
    command->footer(
        "Changes nothing and may run beside a gateway.\nExample:\n  tollgate audit verify -c tollgate.yaml");
    const auto file = std::make_shared<std::string>(kDefaultFile);
    command->add_option("-c,--config", *file, "Configuration file")->capture_default_str();
    command->callback([&code, file] { code = verify(*file); });
}

} // namespace tollgate::cli
