#include "gateway/cli_ledger.hpp"

#include "config/load.hpp"
#include "policy/ledger/verify.hpp"
#include "policy/price/money.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <filesystem>
#include <system_error>

namespace tollgate::cli {
namespace {

std::string summary(const policy::ledger::Verification& found) {
    return fmt::format("segments: {} files, {} admissions, {} progress notes, {} settlements, {} from the cache, {} "
                       "adjustments; {} open, "
                       "{} not in the table yet\n"
                       "table: {} days, {} operations, {} attempts, {} adjustments, {} USD\n",
                       found.segments, found.admits, found.progresses, found.settles, found.served, found.adjusts,
                       found.open, found.pending, found.days, found.operations, found.attempts, found.adjustments,
                       policy::format_usd(found.cost_nano));
}

int verify(const LedgerOption& ledger) {
    const auto directory = ledger.directory();
    if (!directory) return complain(1, directory.error());
    const auto found = policy::ledger::verify(*directory);
    if (!found) return complain(1, found.error());
    std::string text = summary(*found);
    for (const policy::ledger::Fault& fault : found->faults) text += fmt::format("fault: {}\n", fault.text);
    text += found->faults.empty() ? "the ledger is whole\n" : fmt::format("{} faults\n", found->faults.size());
    std::fputs(text.c_str(), stdout);
    return found->faults.empty() ? 0 : 1;
}

} // namespace

LedgerOption::LedgerOption(CLI::App& command) {
    auto* const file = command.add_option("-c,--config", file_, "Configuration file")->capture_default_str();
    command.add_option("--path", path_, "Directory of the ledger, instead of a configuration file")->excludes(file);
}

std::expected<std::string, std::string> LedgerOption::directory() const {
    std::string path = path_;
    if (path.empty()) {
        const auto loaded = config::load_file(file_, config::process_environment());
        if (!loaded.config) {
            return std::unexpected(fmt::format("{} is not valid; `tollgate config check {}` says why, and --path DIR "
                                               "needs no configuration",
                                               file_, file_));
        }
        path = loaded.config->store_path + "/ledger";
    }
    std::error_code error;
    if (std::filesystem::is_directory(path, error)) return path;
    return std::unexpected(fmt::format("there is no ledger at {}; a gateway makes it at its first start", path));
}

void add_ledger_commands(CLI::App& app, int& code) {
    auto* const group = app.add_subcommand("ledger", "Look after the usage ledger");
    group->require_subcommand(1);
    auto* const command = group->add_subcommand(
        "verify", "Check every record and every sum; exit 1 and say where if something is damaged");
    command->footer("Changes nothing and may run beside a gateway.\n"
                    "Examples:\n  tollgate ledger verify -c tollgate.yaml\n"
                    "  tollgate ledger verify --path ./tollgate-data/ledger");
    const auto ledger = std::make_shared<LedgerOption>(*command);
    command->callback([&code, ledger] { code = verify(*ledger); });
}

} // namespace tollgate::cli
