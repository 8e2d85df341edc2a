// What the config tests share: an environment of their own and the smallest config that loads.
#pragma once

#include "config/load.hpp"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace tollgate::config::test {

inline const std::map<std::string, std::string> kVariables = {
    {"OPENAI_API_KEY", "sk-live-0123456789abcdef"},
    {"TOLLGATE_DEMO_KEY", "demo-key-0123456789"},
    {"MASTER", "master-secret-of-the-tests"},
    {"EMPTY", ""},
    {"RPM", "600"},
    {"SPACED", "has a space"},
};

inline Environment environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        const auto found = kVariables.find(name);
        if (found == kVariables.end()) return std::nullopt;
        return found->second;
    };
}

// Five lines, so that what a test appends starts on line 6.
inline constexpr std::string_view kBase = R"(version: 1
providers:
  p: { base_url: "https://api.example.com/v1", api_keys: [ "none" ] }
models:
  m: { upstreams: [ { provider: p } ] }
)";

inline Loaded load(std::string_view text) {
    return load_text(text, "tollgate.yaml", environment());
}

inline Loaded load_with(std::string_view more) {
    return load(std::string(kBase) + std::string(more));
}

inline std::string source_file(const std::string& path) {
    std::ifstream file(std::string(TOLLGATE_SOURCE_DIR) + "/" + path, std::ios::binary);
    std::ostringstream out;
    out << file.rdbuf();
    return out.str();
}

// A file with this content for as long as the object lives.
class TemporaryFile {
  public:
    explicit TemporaryFile(std::string_view text) : name_(testing::TempDir() + "tollgate-config-XXXXXX") {
        const int descriptor = ::mkstemp(name_.data());
        EXPECT_GE(descriptor, 0) << name_;
        EXPECT_EQ(::write(descriptor, text.data(), text.size()), static_cast<ssize_t>(text.size())) << name_;
        ::close(descriptor);
    }
    ~TemporaryFile() { ::unlink(name_.c_str()); }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;
    [[nodiscard]] const std::string& name() const { return name_; }

  private:
    std::string name_;
};

// For failure messages.
inline std::string listing(const Loaded& loaded) {
    std::ostringstream out;
    for (const Diagnostic& d : loaded.diagnostics) {
        out << d.code << ' ' << d.mark.line << ':' << d.mark.column << '+' << d.length << ' ' << d.message << " | "
            << d.label << " | " << d.help << '\n';
    }
    return out.str();
}

} // namespace tollgate::config::test
