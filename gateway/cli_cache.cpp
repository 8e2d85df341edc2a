#include "gateway/cli_cache.hpp"

#include "gateway/admin_client.hpp"
#include "gateway/base/text.hpp"
#include "gateway/cli_common.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace tollgate::cli {
namespace {

struct Options {
    std::string file = kDefaultFile;
    bool all = false;
    std::string model, team, tag, request, key, endpoint, space;
};

int ask(const Options& options, std::string_view method, std::string_view path, std::string_view body) {
    const auto config = load_config(options.file);
    if (!config) return 1;
    const auto reply = ask_admin(*config, method, path, body);
    if (!reply) return complain(1, reply.error().why);
    std::fputs(reply->body.c_str(), reply->status == 200 ? stdout : stderr);
    if (!reply->body.ends_with('\n')) std::fputs("\n", reply->status == 200 ? stdout : stderr);
    return reply->status == 200 ? 0 : 1;
}

void add_member(std::string& json, std::string_view name, const std::string& value) {
    if (value.empty()) return;
    if (json.size() > 1) json += ',';
    append_json_string(json, name);
    json += ':';
    append_json_string(json, value);
}

int purge(const Options& options) {
    std::string json = "{";
    if (options.all) json += R"("all":true)";
    add_member(json, "model", options.model);
    add_member(json, "team", options.team);
    add_member(json, "tag", options.tag);
    add_member(json, "key", options.key);
    add_member(json, "endpoint", options.endpoint);
    add_member(json, "namespace", options.space);
    if (!options.request.empty()) {
        std::ifstream in(options.request, std::ios::binary);
        if (!in) return complain(1, fmt::format("cannot read {}", options.request));
        if (json.size() > 1) json += ',';
        json += R"("request":)";
        json.append(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    json += '}';
    return ask(options, "POST", "/admin/v1/cache/purge", json);
}

} // namespace

void add_cache_commands(CLI::App& app, int& code) {
    auto* const group = app.add_subcommand("cache", "Look at and purge the response cache of a running gateway");
    group->require_subcommand(1);
    const auto options = std::make_shared<Options>();
    auto* const stats = group->add_subcommand("stats", "What its memory holds");
    stats->add_option("-c,--config", options->file, "Configuration file")->capture_default_str();
    stats->callback([&code, options] { code = ask(*options, "GET", "/admin/v1/cache", {}); });

    auto* const command = group->add_subcommand("purge", "Serve nothing any more that was asked before now");
    command->footer("Reaches all instances of a Redis within a second. Examples:\n"
                    "  tollgate cache purge --all\n  tollgate cache purge --model gpt-4o-mini\n"
                    "  tollgate cache purge --request body.json --key k_demo");
    command->add_option("-c,--config", options->file, "Configuration file")->capture_default_str();
    auto* const what = command->add_option_group("what", "Exactly one");
    what->add_flag("--all", options->all, "Everything");
    what->add_option("--model", options->model, "Answers of one model");
    what->add_option("--team", options->team, "Answers of one team");
    what->add_option("--tag", options->tag, "Answers whose request had the tag in x-tollgate-cache-tags");
    auto* const request = what->add_option("--request", options->request, "File with the body of one request");
    what->require_option(1);
    command->add_option("--key", options->key, "Id of a key in whose scope the request was made")->needs(request);
    command->add_option("--endpoint", options->endpoint, "Its path; /v1/chat/completions if not said")->needs(request);
    command->add_option("--namespace", options->space, "Its x-tollgate-cache-namespace")->needs(request);
    command->callback([&code, options] { code = purge(*options); });
}

} // namespace tollgate::cli
