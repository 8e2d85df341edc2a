#include "gateway/cli_common.hpp"

#include "config/load.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <utility>

namespace tollgate::cli {

std::optional<config::Config> load_config(const std::string& file) {
    auto loaded = config::load_file(file, config::process_environment());
    if (!loaded.diagnostics.empty()) {
        std::ifstream in(file, std::ios::binary);
        const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
        std::fputs(config::render(loaded, text, file).c_str(), stderr);
    }
    return std::move(loaded.config);
}

int complain(int code, const std::string& why) {
    std::fputs(fmt::format("tollgate: {}\n", why).c_str(), stderr);
    return code;
}

} // namespace tollgate::cli
