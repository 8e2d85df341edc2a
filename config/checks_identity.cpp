#include "config/checks.hpp"

#include "gateway/base/crypto.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace tollgate::config {
namespace {

// R9: what manuals print and people leave in place.
constexpr std::array<std::string_view, 14> kPlaceholders = {
    "sk-1234", "sk-12345", "sk-123456", "changeme", "change-me", "change_me",    "admin",
    "default", "password", "secret",    "example",  "todo",      "your-api-key", "your-key-here",
};

std::string hash_of(std::string_view secret) {
    return crypto::to_hex(crypto::sha256(secret));
}

bool is_placeholder(std::string_view secret) {
    return std::ranges::any_of(kPlaceholders, [&](std::string_view word) { return iequals(word, secret); });
}

bool is_placeholder_hash(std::string_view hash) {
    return std::ranges::any_of(kPlaceholders, [&](std::string_view word) { return hash_of(word) == hash; });
}

template <class Map>
std::vector<std::string_view> names_of(const Map& map) {
    std::vector<std::string_view> out;
    for (const auto& [name, value] : map) out.push_back(name);
    return out;
}

template <class Map>
void check_reference(const Value& section, std::string_view name, const Map& map, Code code, Sink& sink) {
    const auto* const written = section.get<std::string>(name);
    if (written == nullptr || map.contains(*written)) return;
    const std::vector<std::string_view> known = names_of(map);
    sink.add(code, section.place_of(name), fmt::format("{} `{}` is not defined", name, quotable(*written)),
             {did_you_mean(*written, known), fmt::format("defined {}s: {}", name, join(known))});
}

// Could a request for any configured model pass this allow-list entry?
bool reaches_a_model(const std::string& entry, const Config& config) {
    return std::ranges::any_of(config.models, [&](const auto& item) {
        const Model& model = item.second;
        if (wildcard_match(entry, model.name) || wildcard_match(model.name, entry)) return true;
        if (std::ranges::any_of(model.aliases,
                                [&](const std::string& alias) { return wildcard_match(entry, alias); })) {
            return true;
        }
        // Two patterns may overlap without one matching the other; no warning then.
        return model.name.find('*') != std::string::npos && entry.find('*') != std::string::npos;
    });
}

void check_models_list(const Value& section, const Config& config, Sink& sink) {
    const Value* const list = section.find("models");
    if (list == nullptr || config.models.empty()) return;
    for (const Value& item : list->members) {
        const auto* const entry = std::get_if<std::string>(&item.data);
        if (entry == nullptr || !item.valid || reaches_a_model(*entry, config)) continue;
        const std::vector<std::string_view> known = names_of(config.models);
        sink.add(Code::model_matches_nothing, item.place,
                 fmt::format("no configured model matches `{}`", quotable(*entry)),
                 {did_you_mean(*entry, known), "configured models: " + join(known)});
    }
}

class KeyChecker {
  public:
    KeyChecker(const Config& config, Sink& sink) : config_(config), sink_(sink) {}

    void check(const Value& section, const Key& key);

  private:
    void check_id(const Value& section, const Key& key);
    void check_secret(const Value& section, const Key& key);
    void check_unique(const Value& section, const Key& key, const Place& place);

    const Config& config_;
    Sink& sink_;
    std::map<std::string, Mark> ids_;
    std::map<std::string, std::string> hashes_; // hash → path of the key that has it
};

void KeyChecker::check(const Value& section, const Key& key) {
    check_id(section, key);
    check_secret(section, key);
    check_reference(section, "team", config_.teams, Code::unknown_team, sink_);
    check_models_list(section, config_, sink_);
}

void KeyChecker::check_id(const Value& section, const Key& key) {
    if (key.id.empty()) return;
    const Place& place = section.place_of("id");
    const auto [at, fresh] = ids_.emplace(key.id, place.mark);
    if (fresh) return;
    sink_.add(Code::duplicate_key_id, place, fmt::format("the key id `{}` is used twice", quotable(key.id)),
              {fmt::format("first used at {}:{}", at->second.line, at->second.column), "ids name keys in logs"});
}

void KeyChecker::check_secret(const Value& section, const Key& key) {
    const Value* const secret = section.find("secret");
    const Value* const hash = section.find("sha256");
    if ((secret != nullptr) == (hash != nullptr)) {
        const std::string_view both =
            secret != nullptr ? "both `secret` and `sha256`" : "neither `secret` nor `sha256`";
        sink_.add(Code::secret_or_hash, hash != nullptr ? hash->place : section.place,
                  fmt::format("`{}` has {}", section.path, both), {{}, "write exactly one of them"});
        return;
    }
    const Place& place = secret != nullptr ? secret->place : hash->place;
    if (is_placeholder(key.secret.reveal()) || (!key.sha256.empty() && is_placeholder_hash(key.sha256))) {
        sink_.add(Code::placeholder_secret, place,
                  fmt::format("`{}` has a well-known placeholder as secret", section.path),
                  {"anyone would try this first", "make one with `openssl rand -hex 32` (R9)"});
        return;
    }
    if (!key.secret.empty() && !obeys(find_rule("credential"), key.secret.reveal())) {
        sink_.add(Code::bad_text, place, fmt::format("`{}` cannot be sent in a header", secret->path),
                  {{}, "want " + std::string(find_rule("credential").want)});
        return;
    }
    check_unique(section, key, place);
}

void KeyChecker::check_unique(const Value& section, const Key& key, const Place& place) {
    const std::string hash = key.secret.empty() ? key.sha256 : hash_of(key.secret.reveal());
    if (hash.empty()) return;
    const auto [at, fresh] = hashes_.emplace(hash, section.path);
    if (fresh) return;
    sink_.add(Code::duplicate_secret, place,
              fmt::format("`{}` and `{}` have the same secret", at->second, section.path),
              {{}, "every key needs a secret of its own"});
}

void check_master(const Value& root, const Config& config, Sink& sink) {
    constexpr std::size_t kShortest = 16;
    const std::string_view master = config.master_secret.reveal();
    if (master.empty()) return;
    const Place& place = root.place_of("secrets.master");
    if (is_placeholder(master)) {
        sink.add(Code::placeholder_secret, place, "`secrets.master` is a well-known placeholder",
                 {{}, "make one with `openssl rand -hex 32` (R9)"});
    } else if (master.size() < kShortest) {
        sink.add(Code::short_master, place, "`secrets.master` has fewer than 16 octets",
                 {{}, "make one with `openssl rand -hex 32`"});
    }
}

void check_webhook_secret(const Value& root, const Config& config, Sink& sink) {
    if (!config.alerts.webhook || !is_placeholder(config.alerts.webhook->secret.reveal())) return;
    sink.add(Code::placeholder_secret, root.place_of("alerts.webhook.secret"),
             "`alerts.webhook.secret` is a well-known placeholder", {{}, "make one with `openssl rand -hex 32` (R9)"});
}

} // namespace

void check_identity(const Value& root, const Config& config, Sink& sink) {
    check_master(root, config, sink);
    check_webhook_secret(root, config, sink);
    const auto members = [&](std::string_view name) -> std::span<const Value> {
        const Value* const value = root.find(name);
        return value != nullptr ? std::span<const Value>(value->members) : std::span<const Value>();
    };
    for (const Value& section : members("teams")) {
        check_reference(section, "org", config.orgs, Code::unknown_org, sink);
        check_models_list(section, config, sink);
    }
    KeyChecker checker(config, sink);
    const std::span<const Value> keys = members("keys");
    for (std::size_t i = 0; i < keys.size(); ++i) checker.check(keys[i], config.keys[i]);
}

} // namespace tollgate::config
