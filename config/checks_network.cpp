#include "config/checks.hpp"

#include "config/address.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <unistd.h>

namespace tollgate::config {
namespace {

struct Listener {
    std::string_view path;
    const Endpoint* endpoint;
};

std::vector<Listener> listeners(const Config& config) {
    std::vector<Listener> out{{"listen.api", &config.listen.api}};
    if (config.listen.metrics) out.push_back({"listen.metrics", &*config.listen.metrics});
    if (config.listen.admin) out.push_back({"listen.admin", &*config.listen.admin});
    return out;
}

std::string show(const Endpoint& endpoint) {
    const bool v6 = endpoint.host.find(':') != std::string::npos;
    return fmt::format("{}{}{}:{}", v6 ? "[" : "", endpoint.host, v6 ? "]" : "", endpoint.port);
}

// Would the second bind meet the first? A port of 0 never does; an unspecified address meets every other.
bool collide(const Endpoint& a, const Endpoint& b) {
    if (a.port != b.port || a.port == 0) return false;
    const std::optional<Address> left = parse_address(a.host);
    const std::optional<Address> right = parse_address(b.host);
    if (!left || !right) return false;
    return *left == *right || is_unspecified(*left) || is_unspecified(*right);
}

void check_listeners(const Value& root, const Config& config, Sink& sink) {
    const std::vector<Listener> all = listeners(config);
    for (std::size_t i = 0; i < all.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (!collide(*all[i].endpoint, *all[j].endpoint)) continue;
            sink.add(Code::address_taken, root.place_of(all[i].path),
                     fmt::format("`{}` is {}, the address of `{}`", all[i].path, show(*all[i].endpoint), all[j].path),
                     {"taken", "give each listener a port of its own"});
        }
    }
    if (!config.listen.admin) return;
    const std::optional<Address> admin = parse_address(config.listen.admin->host);
    if (admin && is_loopback(*admin)) return;
    sink.add(Code::admin_not_loopback, root.place_of("listen.admin"),
             fmt::format("`listen.admin` is {}, which other machines may reach", show(*config.listen.admin)),
             {"not loopback", "use 127.0.0.1 or [::1] (R8); for metrics from elsewhere, set `listen.metrics`"});
}

void check_file(const Value& section, std::string_view name, const std::string& path, Sink& sink) {
    if (path.empty() || ::access(path.c_str(), R_OK) == 0) return;
    const Value* const value = section.find(name);
    const std::string where = value != nullptr ? value->path : std::string(name);
    sink.add(Code::file_missing, section.place_of(name), fmt::format("`{}`: cannot read {}", where, quotable(path)),
             {"not readable", "the file must exist and be readable by the user Tollgate runs as"});
}

bool is_local_name(std::string_view host) noexcept {
    if (host.ends_with('.')) host.remove_suffix(1);
    constexpr std::string_view kLocal = ".localhost";
    if (iequals(host, "localhost")) return true;
    return host.size() > kLocal.size() && iequals(host.substr(host.size() - kLocal.size()), kLocal);
}

// Something that is called, and how its URL is named to the operator.
struct Called {
    const Provider& endpoint;
    const Value& section;
    std::string_view url; // key of the section
    std::string who;      // "provider `p`"

    [[nodiscard]] const Place& place() const { return section.place_of(url); }
};

void check_cidr(const Called& called, const std::optional<Address>& address, Sink& sink) {
    const std::vector<AddressRange>& cidr = called.endpoint.cidr;
    const auto holds = [&](const AddressRange& range) { return contains(range, *address); };
    if (!address || cidr.empty() || std::ranges::any_of(cidr, holds)) return;
    sink.add(Code::address_outside_cidr, called.place(),
             fmt::format("the address of {} is outside its `cidr`", called.who),
             {"would never be connected to", "add its range to `cidr`"});
}

// R16, as far as the text decides it; names are checked again at every connect.
void check_upstream_address(const Called& called, Sink& sink) {
    const Provider& endpoint = called.endpoint;
    const std::optional<Address> address = parse_address(endpoint.host);
    if (is_metadata_name(endpoint.host) || (address && reach_of(*address) == Reach::forbidden)) {
        sink.add(Code::metadata_address, called.place(),
                 fmt::format("{} points at a cloud metadata service", called.who),
                 {"never an upstream", "metadata services hand out credentials, so no setting permits them (R16)"});
        return;
    }
    if (endpoint.is_private) return check_cidr(called, address, sink);
    if (!endpoint.cidr.empty()) {
        sink.add(Code::cidr_not_private, called.section.place_of("cidr"),
                 fmt::format("{} has a `cidr` and is not private", called.who),
                 {"narrows nothing", "add `private: true`, or remove it"});
    }
    if ((address && reach_of(*address) != Reach::open) || is_local_name(endpoint.host)) {
        sink.add(Code::address_not_private, called.place(),
                 fmt::format("{} has a private or loopback address", called.who),
                 {"not a public address", "add `private: true` beside it if that is meant"});
    } else if (!endpoint.https) {
        sink.add(Code::http_not_private, called.place(), fmt::format("{} is called over plain http", called.who),
                 {"what is sent would travel in the clear",
                  "use https, or add `private: true` for an endpoint in your own network"});
    }
}

void check_loop(const Called& called, const Config& config, Sink& sink) {
    const std::optional<Address> address = parse_address(called.endpoint.host);
    const bool local = is_local_name(called.endpoint.host);
    if (!address && !local) return;
    for (const Listener& listener : listeners(config)) {
        if (listener.endpoint->port != called.endpoint.port) continue;
        const std::optional<Address> own = parse_address(listener.endpoint->host);
        if (!own) continue;
        const bool loopback = local || is_loopback(*address) || is_unspecified(*address);
        const bool meets = loopback ? is_loopback(*own) || is_unspecified(*own) : *own == *address;
        if (!meets) continue;
        sink.add(Code::own_listener, called.place(),
                 fmt::format("{} is Tollgate itself, `{}`", called.who, listener.path),
                 {"a loop", "use the endpoint's own address and port"});
        return;
    }
}

void check_called(const Called& called, const Config& config, Sink& sink) {
    check_file(called.section, "ca_file", called.endpoint.ca_file, sink);
    if (called.endpoint.host.empty()) return; // a URL that could not be taken apart
    check_upstream_address(called, sink);
    check_loop(called, config, sink);
}

void check_header_secrets(const Value& section, Sink& sink) {
    const Rule& rule = find_rule("account");
    const Value* const keys = section.find("api_keys");
    if (keys == nullptr) return;
    for (const Value& item : keys->members) {
        const auto* const secret = std::get_if<Secret>(&item.data);
        if (secret == nullptr || obeys(rule, secret->reveal())) continue;
        sink.add(Code::bad_text, item.place, fmt::format("`{}` cannot be sent in a header", item.path),
                 {{}, "want " + std::string(rule.want)});
    }
}

void check_default_for(const Value& root, const Config& config, Sink& sink) {
    constexpr std::array<std::string_view, 6> kGroups = {"files",       "uploads",       "batches",
                                                         "fine_tuning", "vector_stores", "stored"};
    for (const std::string_view group : kGroups) {
        const Provider* first = nullptr;
        for (const Value& section : root.find("providers")->members) {
            const Provider& provider = config.providers.at(section.name);
            const auto covers = [&](const std::string& word) { return word == group || word == "*"; };
            if (std::ranges::none_of(provider.default_for, covers)) continue;
            if (first == nullptr) {
                first = &provider;
                continue;
            }
            sink.add(Code::default_for_taken, section.place_of("default_for"),
                     fmt::format("providers `{}` and `{}` are both the default for `{}`", quotable(first->name),
                                 quotable(provider.name), group),
                     {{}, "each route group has one default provider"});
        }
    }
}

void check_redis(const Value& root, const Config& config, Sink& sink) {
    if (!config.redis) return;
    const Place& place = root.place_of("redis");
    if (root.find("secrets.master") == nullptr) {
        sink.add(Code::redis_without_master, place, "`redis` needs `secrets.master`",
                 {"the instances must share one master secret",
                  "secrets: { master: \"${file:/run/secrets/tollgate-master}\" }"});
    }
    if (config.keys.empty()) {
        sink.add(Code::redis_without_keys, place, "`redis` is configured and there is no client key",
                 {"a fleet cannot invent one", "add one under `keys`"});
    }
}

} // namespace

void check_network(const Value& root, const Config& config, Sink& sink) {
    check_listeners(root, config, sink);
    if (config.listen.tls) {
        check_file(root, "listen.tls.cert", config.listen.tls->cert, sink);
        check_file(root, "listen.tls.key", config.listen.tls->key, sink);
        check_file(root, "listen.tls.client_ca", config.listen.tls->client_ca, sink);
    }
    check_redis(root, config, sink);
    if (const Value* const files = root.find("prices.import")) {
        for (const Value& item : files->members) {
            const auto* const path = std::get_if<std::string>(&item.data);
            if (path != nullptr) check_file(item, {}, *path, sink);
        }
    }
    if (const Value* const webhook = root.find("alerts.webhook"))
        check_called({config.alerts.webhook->endpoint, *webhook, "url", "`alerts.webhook`"}, config, sink);
    const Value* const providers = root.find("providers");
    if (providers == nullptr) return;
    for (const Value& section : providers->members) {
        const Provider& provider = config.providers.at(section.name);
        check_header_secrets(section, sink);
        check_called({provider, section, "base_url", fmt::format("provider `{}`", quotable(provider.name))}, config,
                     sink);
    }
    check_default_for(root, config, sink);
}

} // namespace tollgate::config
