// Providers and models as the proxy uses them: compiled once from the configuration, immutable, shared by all workers.
#pragma once

#include "config/config.hpp"
#include "gateway/api/estimate.hpp"
#include "gateway/net/dial.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace tollgate::upstream {

struct Provider {
    std::string name;
    std::uint32_t index = 0;
    net::Target target;
    std::string pool_key;                 // same key: connections may be shared (scheme, host, port, trust)
    std::string path_prefix;              // "/v1"
    std::string host_line;                // "Host: api.openai.com\r\n"
    std::vector<Secret> credential_lines; // "Authorization: Bearer …\r\n" with the pinned provider fields, one per key
    bool stream_usage = false;            // streams are asked for their usage
};

// One alone, for what is called like a provider and is none. `listen`: what must never be connected to. Error: a trust
// file that cannot be read, named.
[[nodiscard]] std::expected<std::unique_ptr<Provider>, std::string>
make_provider(const config::Provider& from, std::uint32_t index, const config::Listen& listen);

struct Candidate {
    const Provider* provider = nullptr;
    std::string model;        // name at the provider; empty: as the client wrote it
    std::string quoted_model; // the same as a JSON string
    unsigned weight = 1;
    unsigned order = 1;
    bool via_chat = false;
};

struct Model {
    std::string name;                  // as configured; the metric label
    std::uint32_t index = 0;           // 0 is "other"
    std::vector<Candidate> candidates; // by order, then as written
    config::Timeouts timeouts;
    config::CacheOverride cache;
    api::ModelSize size;
    std::string identity; // for the cache key: every (provider, model) that may answer
};

// What a client's model name means. `wildcard`: matched a pattern, the client's own name goes upstream.
struct Resolved {
    const Model* model = nullptr;
    bool wildcard = false;
};

class Catalog {
  public:
    // Error: a trust file that cannot be read, named.
    [[nodiscard]] static std::expected<std::shared_ptr<const Catalog>, std::string> build(const config::Config& config);

    // Exact name, then alias, then the longest matching pattern; nothing if unknown.
    [[nodiscard]] std::optional<Resolved> find(std::string_view name) const;
    // Names a client could use, patterns excluded, sorted.
    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }
    // Who serves the model-less routes of that group; null if nobody does.
    [[nodiscard]] const Provider* for_group(std::string_view group) const;
    [[nodiscard]] const std::vector<std::unique_ptr<Provider>>& providers() const noexcept { return providers_; }
    [[nodiscard]] const std::vector<std::unique_ptr<Model>>& models() const noexcept { return models_; }

  private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>()(text); }
    };
    std::vector<std::unique_ptr<Provider>> providers_;
    std::vector<std::unique_ptr<Model>> models_;
    std::unordered_map<std::string, const Model*, Hash, std::equal_to<>> exact_;
    std::vector<const Model*> patterns_; // longest first
    std::unordered_map<std::string, const Provider*, Hash, std::equal_to<>> groups_;
    std::vector<std::string> names_;
};

} // namespace tollgate::upstream
