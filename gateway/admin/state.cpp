#include "gateway/admin/state.hpp"

#include "config/entry.hpp"
#include "policy/compile.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tollgate::admin {
namespace {

std::expected<json::object, std::string> parse_settings(const std::string& text) {
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    if (error || !value.is_object()) return std::unexpected("its settings in the store are not a JSON object");
    return std::move(value.get_object());
}

config::Key* find_key(config::Config& config, const std::string& id) {
    const auto found = std::ranges::find(config.keys, id, &config::Key::id);
    return found == config.keys.end() ? nullptr : &*found;
}

// "disabled" is all that the store may say of a key of the file.
std::expected<void, std::string> lay_over(config::Config& config, const policy::Override& change) {
    const auto settings = parse_settings(change.settings);
    const auto fail = [&](const std::string& why) {
        return std::unexpected(fmt::format("{} \"{}\" (changed in the store): {}", change.kind, change.name, why));
    };
    if (!settings) return fail(settings.error());
    if (change.kind == "key") {
        config::Key* const key = find_key(config, change.name);
        const json::value* const disabled = settings->if_contains("disabled");
        if (key != nullptr && disabled != nullptr && disabled->is_bool()) key->disabled |= disabled->get_bool();
        return {};
    }
    auto scope = find_scope(config, change.kind, change.name);
    if (!scope) return {};
    const auto done = lay_over(*scope, *settings, config);
    if (!done) return fail(done.error().detail);
    return {};
}

void put(std::vector<policy::Override>& all, const policy::Override& change) {
    std::erase_if(all, [&](const policy::Override& o) { return o.kind == change.kind && o.name == change.name; });
    if (change.settings != "{}") all.push_back(change);
}

} // namespace

std::expected<void, std::string> fill_entries(std::vector<policy::StoredKey>& keys) {
    for (policy::StoredKey& key : keys) {
        if (key.settings == "{}") continue;
        const auto settings = parse_settings(key.settings);
        if (!settings) return std::unexpected(fmt::format("key \"{}\" (the store): {}", key.id, settings.error()));
        auto entry = read_key_settings(*settings, key, nullptr);
        if (!entry) return std::unexpected(fmt::format("key \"{}\" (the store): {}", key.id, entry.error().detail));
        key.entry = std::move(*entry);
    }
    return {};
}

std::expected<config::Key, Problem> read_key_settings(const json::object& settings, const policy::StoredKey& key,
                                                      const config::Config* around) {
    json::object whole = settings;
    whole["id"] = key.id;
    whole["team"] = key.team;
    whole["sha256"] = key.sha256;
    const Tree tree = tree_of(whole);
    auto entry = config::read_key(*tree.document.root, around);
    if (!entry.value) return std::unexpected(refused(entry.diagnostics, tree));
    return std::move(*entry.value);
}

std::expected<Effective, std::string> effective(const State& state) {
    Effective out{state.file, state.keys};
    for (const policy::Override& change : state.overrides) {
        if (auto done = lay_over(out.config, change); !done) return std::unexpected(done.error());
    }
    return out;
}

State after(State state, const policy::Change& change) {
    if (change.add_key) state.keys.push_back(*change.add_key);
    if (change.edit_key) {
        const auto place = std::ranges::find(state.keys, change.edit_key->id, &policy::StoredKey::id);
        if (place != state.keys.end()) *place = *change.edit_key;
    }
    std::erase_if(state.keys, [&](const policy::StoredKey& key) { return key.id == change.delete_key; });
    if (change.set_override) put(state.overrides, *change.set_override);
    return state;
}

std::string problem_of(const Effective& effective) {
    try {
        for (const policy::CompiledKey& key : policy::compile_keys(effective.config, effective.keys)) {
            for (const policy::CompiledScope& scope : key.scopes) policy::quota::validate(scope.spec);
        }
        for (const policy::CompiledScope& scope : policy::compile_models(effective.config))
            policy::quota::validate(scope.spec);
    } catch (const std::invalid_argument& error) {
        return error.what();
    }
    return {};
}

} // namespace tollgate::admin
