#include "tests/unit/metrics/support.hpp"

#include "metrics/families.hpp"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <stdexcept>

#include <sys/wait.h>

namespace tollgate::metrics::test {
namespace {

void fill_family(Registry& registry, const FamilyRow& row) {
    const std::string_view v = "x\"\\\n\xC3\xA9"; // everything the serializer has to escape
    const auto with_labels = [&](auto use) {
        switch (row.label_count()) {
        case 0: return use(std::initializer_list<std::string_view>{});
        case 1: return use({v});
        case 2: return use({v, v});
        case 3: return use({v, v, v});
        case 4: return use({v, v, v, v});
        default: return use({v, v, v, v, v});
        }
    };
    with_labels([&](std::initializer_list<std::string_view> labels) {
        switch (row.type) {
        case FamilyType::counter: (void)registry.counter(row.family, labels); return;
        case FamilyType::gauge: (void)registry.gauge(row.family, labels); return;
        case FamilyType::histogram: (void)registry.histogram(row.family, labels); return;
        }
    });
}

bool made_by_the_scrape(std::string_view name) {
    return name.starts_with("process_") || name.starts_with("tollgate_metrics_") ||
           name.starts_with("tollgate_scrape_");
}

} // namespace

std::string lines_of(const std::string& exposition, const std::vector<std::string_view>& prefixes) {
    std::istringstream in(exposition);
    std::string out;
    for (std::string line; std::getline(in, line);) {
        const std::string_view name = std::string_view(line).substr(line.starts_with("# ") ? 7 : 0);
        for (const std::string_view prefix : prefixes) {
            if (name.starts_with(prefix)) {
                out += line + "\n";
                break;
            }
        }
    }
    return out;
}

std::string value_of(const std::string& exposition, std::string_view series) {
    const std::string wanted = "\n" + std::string(series) + " ";
    const std::string text = "\n" + exposition;
    const std::size_t at = text.find(wanted);
    if (at == std::string::npos) return "absent";
    const std::size_t from = at + wanted.size();
    return text.substr(from, text.find('\n', from) - from);
}

std::vector<Vocabulary::OperationRow> some_operations() {
    const auto tokens = [](std::string_view name, bool streams) {
        return Vocabulary::OperationRow{.name = name, .streams = streams, .models = true, .tokens = true};
    };
    return {tokens("chat", true),
            tokens("text_completion", true),
            tokens("responses", true),
            tokens("embeddings", false),
            {.name = "image", .streams = true, .models = true},
            {.name = "files"}};
}

std::shared_ptr<Vocabulary> small_vocabulary() {
    auto vocabulary = std::make_shared<Vocabulary>();
    vocabulary->models = {"other", "gpt-fast", "gpt-slow"};
    vocabulary->upstreams = {"azure-eu", "openai-eu"};
    vocabulary->keys = {{"k_one", "search", "one"}, {"k_two", "search", "two"}, {"k_three", "ads", "three"}};
    vocabulary->teams = {"search", "ads"};
    vocabulary->pairs = {{1, 0}, {1, 1}, {2, 1}};
    vocabulary->routes = {{"/v1/chat/completions", "POST"}, {"/v1/files/{id}", "DELETE"}, {"/v1/files/{id}", "GET"}};
    vocabulary->operations = some_operations();
    return vocabulary;
}

void fill_every_family(Registry& registry) {
    register_vocabulary(registry, *small_vocabulary());
    for (const FamilyRow& row : all_families()) {
        if (!made_by_the_scrape(row.name)) fill_family(registry, row);
    }
}

CommandResult run(const std::string& command, const std::string& input) {
    const TemporaryDirectory directory;
    const std::string in = directory.path("input");
    std::ofstream(in) << input;
    FILE* pipe = ::popen(("( " + command + " ) < " + in + " 2>&1").c_str(), "r");
    if (pipe == nullptr) return {};
    CommandResult result;
    std::array<char, 4096> piece;
    while (const std::size_t size = std::fread(piece.data(), 1, piece.size(), pipe)) {
        result.output.append(piece.data(), size);
    }
    const int status = ::pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return result;
}

std::string read_file(const std::string& path) {
    const std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

TemporaryDirectory::TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "tollgate-metrics-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp: " + name);
    root_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
}

} // namespace tollgate::metrics::test
