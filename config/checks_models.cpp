#include "config/checks.hpp"

#include <fmt/format.h>

namespace tollgate::config {
namespace {

std::vector<std::string_view> names_of(const std::map<std::string, Provider>& providers) {
    std::vector<std::string_view> out;
    for (const auto& [name, provider] : providers) out.push_back(name);
    return out;
}

void check_upstream(const Value& section, const Config& config, Sink& sink) {
    const auto* const provider = section.get<std::string>("provider");
    // Without any provider that is the mistake to report.
    if (provider == nullptr || config.providers.empty() || config.providers.contains(*provider)) return;
    const std::vector<std::string_view> known = names_of(config.providers);
    sink.add(Code::unknown_provider, section.place_of("provider"),
             fmt::format("provider `{}` is not defined", quotable(*provider)),
             {did_you_mean(*provider, known), "defined providers: " + join(known)});
}

// Every name a client may send belongs to one model. Names win over aliases, wherever they are written.
void check_aliases(const Value& models, const Config& config, Sink& sink) {
    std::map<std::string, std::string> taken; // alias → path of the model that has it
    for (const Value& section : models.members) {
        const Value* const aliases = section.find("aliases");
        if (aliases == nullptr) continue;
        for (const Value& item : aliases->members) {
            const auto* const alias = std::get_if<std::string>(&item.data);
            if (alias == nullptr || !item.valid) continue;
            if (config.models.contains(*alias)) {
                sink.add(Code::alias_taken, item.place,
                         fmt::format("the alias `{}` is the name of a model", quotable(*alias)),
                         {{}, "remove the alias or rename the model"});
                continue;
            }
            const auto [at, fresh] = taken.emplace(*alias, section.path);
            if (fresh || at->second == section.path) continue;
            sink.add(Code::alias_taken, item.place,
                     fmt::format("the alias `{}` belongs to `{}` already", quotable(*alias), at->second),
                     {{}, "an alias stands for one model"});
        }
    }
}

void check_wildcard(const Value& section, Sink& sink) {
    const Value* const aliases = section.find("aliases");
    if (section.name.find('*') == std::string::npos || aliases == nullptr || aliases->members.empty()) return;
    sink.add(Code::wildcard_misplaced, aliases->place,
             fmt::format("`{}` is a wildcard and cannot have aliases", section.path),
             {{}, "name the model, or write a second wildcard"});
}

} // namespace

void check_models(const Value& root, const Config& config, Sink& sink) {
    const Value* const models = root.find("models");
    if (models == nullptr) return;
    check_aliases(*models, config, sink);
    for (const Value& section : models->members) {
        check_wildcard(section, sink);
        const Value* const upstreams = section.find("upstreams");
        if (upstreams == nullptr) continue;
        for (const Value& upstream : upstreams->members) check_upstream(upstream, config, sink);
    }
}

void check_sizes(const Value& root, const Config& config, Sink& sink) {
    const auto larger = [&](std::string_view part, std::uint64_t size, std::string_view whole, std::uint64_t space) {
        if (size <= space) return;
        const bool written = root.find(part) != nullptr;
        sink.add(Code::never_fits, root.place_of(written ? part : whole),
                 fmt::format("`{}` ({}) is larger than `{}` ({})", part, size, whole, space),
                 {{}, fmt::format("what is larger than `{}` will always be refused", whole)});
    };
    larger("body.json", config.body.json, "body.held", config.body.held);
    larger("cache.max_entry", config.cache.max_entry, "cache.memory", config.cache.memory);
}

} // namespace tollgate::config
