// Config texts: a config or errors, never both; every report prints, points into the text and shows no secret.
#include "config/load.hpp"
#include "config/url.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>

namespace tollgate::fuzz {
namespace {

constexpr std::string_view kSecret = "sk-live-0123456789abcdefghij";

config::Environment environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        if (name == "SECRET") return std::string(kSecret);
        if (name == "RPM") return "600";
        if (name == "EMPTY") return "";
        return std::nullopt;
    };
}

bool is_report_octet(char c) {
    const auto octet = static_cast<unsigned char>(c);
    return octet >= 0x20 ? octet != 0x7F : c == '\n';
}

void check_report(const config::Loaded& loaded, std::string_view text) {
    const std::string report = config::render(loaded, text, "tollgate.yaml");
    require(std::ranges::all_of(report, is_report_octet), "a report holds control characters");
    if (!text.contains(kSecret)) require(!report.contains(kSecret), "a report shows a secret");
    // No limit on how many problems, but each is a few lines.
    require(report.size() <= 2'048 * (loaded.diagnostics.size() + 1), "a report without bounds");
}

} // namespace

void config_text(std::string_view input) {
    // Files named by a config are the machine's, not the fuzzer's.
    if (input.contains("${file:")) return;
    const config::Loaded loaded = config::load_text(input, "tollgate.yaml", environment());
    const bool failed = std::ranges::any_of(
        loaded.diagnostics, [](const config::Diagnostic& d) { return d.severity == config::Severity::error; });
    require(loaded.config.has_value() != failed, "a config and errors, or neither");
    const auto lines = std::ranges::count_if(input, [](char c) { return c == '\n' || c == '\r'; }) + 1;
    for (const config::Diagnostic& d : loaded.diagnostics) {
        require(d.code.size() == 5 && !d.message.empty(), "a diagnostic that says nothing");
        require(d.mark.line <= lines, "a diagnostic points behind the text");
    }
    check_report(loaded, input);
    const config::Loaded again = config::load_text(input, "tollgate.yaml", environment());
    require(again.config.has_value() == loaded.config.has_value() &&
                again.diagnostics.size() == loaded.diagnostics.size(),
            "the same text loads differently");
    if (const auto url = config::parse_base_url(input)) {
        require(!url->host.empty() && url->port != 0, "a URL without host or port");
        require(std::ranges::all_of(url->path, [](char c) { return c > 0x20 && c < 0x7F; }),
                "a path that splits lines");
    }
    if (const auto url = config::parse_redis_url(input)) require(!url->host.empty(), "a Redis URL without host");
}

} // namespace tollgate::fuzz
