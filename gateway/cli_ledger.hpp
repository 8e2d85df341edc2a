// `tollgate ledger verify`, and where a command finds the ledger.
#pragma once

#include "gateway/cli_common.hpp"

#include <expected>
#include <memory>
#include <string>

namespace CLI {
class App;
}

namespace tollgate::cli {

// `-c FILE`, whose store.path has the ledger, or `--path DIR`, the ledger itself, for which no configuration is read.
class LedgerOption {
  public:
    explicit LedgerOption(CLI::App& command);
    // The directory, which exists. Problems of the configuration go to stderr; the error says the rest.
    [[nodiscard]] std::expected<std::string, std::string> directory() const;

  private:
    std::string file_ = kDefaultFile;
    std::string path_;
};

// Commands with their options; a callback sets `code`: 0 all is well, 1 damage or no ledger. `code` outlives the app.
void add_ledger_commands(CLI::App& app, int& code);

} // namespace tollgate::cli
