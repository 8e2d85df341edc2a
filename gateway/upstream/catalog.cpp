#include "gateway/upstream/catalog.hpp"

#include "gateway/base/crypto.hpp"
#include "gateway/base/text.hpp"
#include "gateway/net/tls.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>

namespace tollgate::upstream {
namespace {

// The credential and the pinned fields are written once at load; the request writer only copies the line.
std::vector<Secret> credential_lines(const config::Provider& from) {
    std::vector<Secret> lines;
    for (const Secret& key : from.api_keys) {
        std::string line = fmt::format("Authorization: Bearer {}\r\n", key.reveal());
        if (!from.organization.empty()) line += fmt::format("OpenAI-Organization: {}\r\n", from.organization);
        if (!from.project.empty()) line += fmt::format("OpenAI-Project: {}\r\n", from.project);
        lines.emplace_back(line);
        std::ranges::fill(line, '\0');
    }
    return lines;
}

// The endpoints no provider may be: a connection to one of them would come back here.
std::shared_ptr<const net::OwnListeners> own_listeners(const config::Listen& listen) {
    auto own = std::make_shared<net::OwnListeners>();
    const auto add = [&](const config::Endpoint& endpoint) {
        boost::system::error_code no_address;
        const auto address = boost::asio::ip::make_address(endpoint.host, no_address);
        if (!no_address) own->emplace_back(address, endpoint.port);
    };
    add(listen.api);
    if (listen.metrics) add(*listen.metrics);
    if (listen.admin) add(*listen.admin);
    return own;
}

// Connections made under one permission serve no other.
std::string permission_key(const config::Provider& from) {
    std::string key = from.is_private ? "private" : "public";
    for (const config::AddressRange& range : from.cidr)
        key += fmt::format(",{}/{}", fmt::join(range.first.bytes, "."), range.bits);
    return key;
}

std::expected<std::unique_ptr<Provider>, std::string> compile(const config::Provider& from, std::uint32_t index,
                                                              std::shared_ptr<const net::OwnListeners> own) {
    auto provider = std::make_unique<Provider>();
    provider->name = from.name;
    provider->index = index;
    provider->target = net::Target{from.host, from.port, {from.is_private, from.cidr, std::move(own)}, nullptr};
    std::string trust;
    if (from.https) {
        auto context = net::client_context(from.ca_file);
        if (!context) return std::unexpected(fmt::format("provider \"{}\": {}", from.name, context.error()));
        provider->target.tls = std::move(*context);
        // Not the file's name: after a reload the same name may hold other anchors.
        trust = crypto::to_hex(net::anchors_digest(provider->target.tls));
    }
    provider->pool_key = fmt::format("{}://{}:{}#{}#{}", from.https ? "https" : "http", from.host, from.port, trust,
                                     permission_key(from));
    provider->path_prefix = from.path_prefix;
    const bool default_port = from.port == (from.https ? 443 : 80);
    const std::string authority = from.host.find(':') == std::string::npos ? from.host : fmt::format("[{}]", from.host);
    provider->host_line =
        default_port ? fmt::format("Host: {}\r\n", authority) : fmt::format("Host: {}:{}\r\n", authority, from.port);
    provider->stream_usage = from.stream_usage;
    provider->credential_lines = credential_lines(from);
    return provider;
}

std::unique_ptr<Model> make_model(const config::Model& from, std::uint32_t index,
                                  const std::vector<std::unique_ptr<Provider>>& providers) {
    auto model = std::make_unique<Model>();
    model->name = from.name;
    model->index = index;
    model->timeouts = from.timeouts;
    model->cache = from.cache;
    model->size = {.max_output = from.max_output, .context = from.context};
    for (const config::Upstream& upstream : from.upstreams) {
        Candidate candidate;
        const auto provider =
            std::ranges::find_if(providers, [&](const auto& p) { return p->name == upstream.provider; });
        if (provider == providers.end()) continue; // refused by the loader
        candidate.provider = provider->get();
        candidate.model = upstream.model;
        append_json_string(candidate.quoted_model, upstream.model);
        candidate.weight = upstream.weight;
        candidate.order = upstream.order;
        candidate.via_chat = upstream.via == config::Via::chat;
        const auto place = std::ranges::upper_bound(model->candidates, candidate.order, {}, &Candidate::order);
        model->candidates.insert(place, std::move(candidate));
    }
    for (const Candidate& candidate : model->candidates)
        // The endpoint is part of it: another one under the same name may answer differently.
        model->identity += fmt::format("{}@{}:{}{}/{}{};", candidate.provider->name, candidate.provider->target.host,
                                       candidate.provider->target.port, candidate.provider->path_prefix,
                                       candidate.model, candidate.via_chat ? "+chat" : "");
    return model;
}

} // namespace

std::expected<std::unique_ptr<Provider>, std::string> make_provider(const config::Provider& from, std::uint32_t index,
                                                                    const config::Listen& listen) {
    return compile(from, index, own_listeners(listen));
}

std::expected<std::shared_ptr<const Catalog>, std::string> Catalog::build(const config::Config& config) {
    auto catalog = std::make_shared<Catalog>();
    const auto own = own_listeners(config.listen);
    for (const auto& [name, from] : config.providers) {
        auto provider = compile(from, static_cast<std::uint32_t>(catalog->providers_.size()), own);
        if (!provider) return std::unexpected(provider.error());
        for (const std::string& group : from.default_for) catalog->groups_.emplace(group, provider->get());
        catalog->providers_.push_back(std::move(*provider));
    }
    for (const auto& [name, from] : config.models) {
        auto model = make_model(from, static_cast<std::uint32_t>(catalog->models_.size() + 1), catalog->providers_);
        if (name.find('*') != std::string::npos) {
            const auto length = [](const Model* m) { return m->name.size(); };
            const auto place = std::ranges::upper_bound(catalog->patterns_, name.size(), std::greater(), length);
            catalog->patterns_.insert(place, model.get());
        } else {
            catalog->exact_.emplace(name, model.get());
            catalog->names_.push_back(name);
        }
        catalog->models_.push_back(std::move(model));
    }
    std::size_t index = 0;
    for (const auto& [name, from] : config.models) { // after all names: a name wins over an alias
        const Model* const model = catalog->models_[index++].get();
        for (const std::string& alias : from.aliases)
            if (catalog->exact_.emplace(alias, model).second) catalog->names_.push_back(alias);
    }
    std::ranges::sort(catalog->names_);
    return catalog;
}

std::optional<Resolved> Catalog::find(std::string_view name) const {
    if (const auto exact = exact_.find(name); exact != exact_.end()) return Resolved{exact->second, false};
    for (const Model* model : patterns_)
        if (wildcard_match(model->name, name)) return Resolved{model, true};
    return std::nullopt;
}

const Provider* Catalog::for_group(std::string_view group) const {
    if (const auto named = groups_.find(group); named != groups_.end()) return named->second;
    const auto any = groups_.find(std::string_view("*"));
    return any == groups_.end() ? nullptr : any->second;
}

} // namespace tollgate::upstream
