// Shared by the metrics tests.
#pragma once

#include "metrics/registry.hpp"
#include "metrics/request_metrics.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::metrics::test {

// Lines of the exposition that start with one of the prefixes (after "# HELP " or "# TYPE "), in their order.
[[nodiscard]] std::string lines_of(const std::string& exposition, const std::vector<std::string_view>& prefixes);

// The value of exactly this series (`name{label="…"}`), as text; "absent" if there is none.
[[nodiscard]] std::string value_of(const std::string& exposition, std::string_view series);

// Three models, two upstreams, three keys of two teams.
[[nodiscard]] std::vector<Vocabulary::OperationRow> some_operations(); // one of each kind at least
[[nodiscard]] std::shared_ptr<Vocabulary> small_vocabulary();

// A registry in which every family of the table has at least one series.
void fill_every_family(Registry& registry);

struct CommandResult {
    int status = -1; // exit code; -1: it did not run
    std::string output;
};
// Runs a shell command with `input` on its standard input; output holds both of its outputs.
[[nodiscard]] CommandResult run(const std::string& command, const std::string& input);

[[nodiscard]] std::string read_file(const std::string& path);

// A directory that is removed with its contents.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    [[nodiscard]] std::string path(std::string_view name) const { return root_ + "/" + std::string(name); }

  private:
    std::string root_;
};

} // namespace tollgate::metrics::test
