#include "gateway/cli.hpp"

#include "config/schema.hpp"
#include "gateway/app.hpp"
#include "gateway/cli_cache.hpp"
#include "gateway/cli_common.hpp"
#include "gateway/cli_keys.hpp"
#include "gateway/cli_ledger.hpp"
#include "gateway/cli_usage.hpp"
#include "gateway/process/health.hpp"
#include "policy/price/book.hpp"
#include "policy/scope_specs.hpp"

#include <CLI/CLI.hpp>

#include <chrono>
#include <cstdio>
#include <stdexcept>

namespace tollgate {
namespace {

int run(const std::string& file) {
    auto config = cli::load_config(file);
    return config ? run_gateway(std::move(*config)) : 1;
}

// What a start would refuse beyond the configuration's own checks; empty: nothing.
std::string problem_of(const config::Config& config) {
    try {
        policy::check_scopes(config);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    const auto book = policy::PriceBook::build(config);
    return book ? std::string() : book.error();
}

int check(const std::string& file) {
    const auto config = cli::load_config(file);
    if (!config) return 1;
    if (const std::string problem = problem_of(*config); !problem.empty()) {
        std::fprintf(stderr, "error: %s\n", problem.c_str());
        return 1;
    }
    const auto plural = [](std::size_t count) { return count == 1 ? "" : "s"; };
    const std::size_t providers = config->providers.size(), models = config->models.size(), keys = config->keys.size();
    std::printf("%s is valid: %zu provider%s, %zu model%s, %zu key%s\n", file.c_str(), providers, plural(providers),
                models, plural(models), keys, plural(keys));
    return 0;
}

int health(const std::string& url) {
    constexpr auto kPatience = std::chrono::seconds(3);
    const auto healthy = process::is_healthy(url, kPatience);
    if (!healthy) std::fprintf(stderr, "tollgate health: %s\n", healthy.error().c_str());
    return healthy && *healthy ? 0 : 1;
}

int print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    return 0;
}

} // namespace

int run_command_line(int argc, char** argv) {
    CLI::App app("Tollgate: one front door for an organization's AI model traffic.");
    app.footer("Examples:\n  tollgate run -c tollgate.yaml\n  tollgate config check tollgate.yaml");
    app.require_subcommand(1);
    std::string file = cli::kDefaultFile;
    int code = 0;

    auto* const run_command = app.add_subcommand("run", "Serve until SIGTERM");
    run_command->add_option("-c,--config", file, "Configuration file")->capture_default_str();
    run_command->callback([&] { code = run(file); });

    auto* const config_command = app.add_subcommand("config", "Look at configuration files");
    config_command->require_subcommand(1);
    auto* const check_command =
        config_command->add_subcommand("check", "Report every problem of a file; exit 1 if there is one");
    check_command->add_option("file", file, "Configuration file")->capture_default_str();
    check_command->callback([&] { code = check(file); });
    config_command->add_subcommand("schema", "Print the JSON Schema of the file")->callback([&] {
        code = print(config::json_schema());
    });
    config_command->add_subcommand("reference", "Print the reference page of all keys")->callback([&] {
        code = print(config::reference_markdown());
    });
    std::string page = "http://127.0.0.1:9091/readyz";
    auto* const health_command = app.add_subcommand("health", "Ask a running gateway; exit 0 if it says 200");
    health_command->add_option("--url", page, "Health page")->capture_default_str();
    health_command->callback([&] { code = health(page); });
    cli::add_usage_command(app, code);
    cli::add_ledger_commands(app, code);
    cli::add_cache_commands(app, code);
    cli::add_keys_commands(app, code);
    cli::add_audit_commands(app, code);
    app.add_subcommand("version", "Print the version")->callback([&] {
        code = print("tollgate " TOLLGATE_VERSION "\n");
    });

    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& wrong) {
        return app.exit(wrong) == 0 ? 0 : 2;
    }
    return code;
}

} // namespace tollgate
