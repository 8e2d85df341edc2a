#include "config/load.hpp"

#include "config/bind.hpp"
#include "config/checks.hpp"
#include "config/expand.hpp"
#include "gateway/base/crypto.hpp"

#include <cstdlib>
#include <fmt/format.h>

namespace tollgate::config {
namespace {

constexpr std::size_t kHashDigits = 12;

std::optional<Config> build(std::string_view text, const Environment& environment, Sink& sink) {
    const std::optional<Document> document = read(text, sink);
    if (!document) return std::nullopt;
    if (document->root == nullptr || document->root->kind != Node::Kind::map) {
        const Place place = document->root != nullptr ? document->root->place : Place{{1, 1}, 1};
        sink.add(Code::not_a_map, place, "the file is empty or is not a map of keys",
                 {{}, "start with `version: 1`, then `providers:` and `models:`"});
        return std::nullopt;
    }
    const Value root = validate(*document->root, environment, sink);
    Config config = bind(root, sink);
    check_network(root, config, sink);
    check_models(root, config, sink);
    check_identity(root, config, sink);
    check_limits(root, config, sink);
    check_sizes(root, config, sink);
    return config;
}

} // namespace

Environment process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        const char* const value = std::getenv(name.c_str());
        if (value == nullptr) return std::nullopt;
        return value;
    };
}

Loaded load_text(std::string_view text, const std::string& file, const Environment& environment) {
    Sink sink;
    std::optional<Config> config = build(text, environment, sink);
    Loaded out;
    if (config && !sink.failed()) {
        config->file = file;
        config->hash = crypto::to_hex(crypto::sha256(text)).substr(0, kHashDigits);
        out.config = std::move(config);
    }
    out.diagnostics = sink.take();
    return out;
}

Loaded load_file(const std::string& file, const Environment& environment) {
    const FileText read_text = read_file(file, kLargestFile);
    if (read_text.status == FileStatus::ok) return load_text(read_text.text, file, environment);
    Sink sink;
    if (read_text.status == FileStatus::too_large) {
        sink.add(Code::file_too_large, {{}, 1}, fmt::format("{} has more than 16 MiB", file));
    } else {
        sink.add(Code::file_unreadable, {{}, 1}, fmt::format("cannot read {}: {}", file, read_text.reason),
                 {{}, "name the config with -c FILE"});
    }
    return {std::nullopt, sink.take()};
}

} // namespace tollgate::config
