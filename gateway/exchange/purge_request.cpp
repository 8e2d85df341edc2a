#include "gateway/exchange/purge_request.hpp"

#include "gateway/base/log.hpp"
#include "gateway/base/text.hpp"
#include "gateway/exchange/cache_key.hpp"

#include <simdjson.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

namespace tollgate::exchange {
namespace {

namespace dom = simdjson::dom;

std::unexpected<Error> wrong(std::string message, int status = 400) {
    return fail(Error{.type = ErrorType::caller_invalid_request,
                      .status = status,
                      .message = std::move(message),
                      .openai_type = "invalid_request_error",
                      .retry = Retry::never});
}

struct Exact {
    std::string body, key, endpoint = "/v1/chat/completions", space;
};

// One of the words that say what is purged; the others qualify an exact request.
constexpr std::array<std::string_view, 5> kWhat{"all", "model", "team", "tag", "request"};
constexpr std::array<std::string_view, 3> kExact{"key", "endpoint", "namespace"};

std::optional<std::string> text_of(const dom::element& value) {
    std::string_view text;
    if (value.get(text) != simdjson::SUCCESS || text.empty()) return std::nullopt;
    return std::string(text);
}

// The names of a request's entry in the scope of that key.
Result<std::vector<std::string>> exact_names(const Snapshot& snapshot, const crypto::Digest& cache_mac, Exact exact) {
    const auto& principals = snapshot.directory.principals();
    const auto principal = std::ranges::find(principals, exact.key, &policy::Principal::key_id);
    if (principal == principals.end()) return wrong(fmt::format("There is no key `{}`.", exact.key), 404);
    const auto route = api::find_route(api::Method::post, exact.endpoint).match;
    if (!route || !route->route->cacheable)
        return wrong(fmt::format("`{}` is no endpoint whose answers are cached.", exact.endpoint), 404);
    api::RequestReader reader;
    exact.body.reserve(exact.body.size() + api::RequestReader::padding());
    const auto view = reader.read(exact.body, route->route->operation);
    if (!view) return fail(view.error());
    const auto model = snapshot.catalog->find(view->model);
    if (!model) return wrong(fmt::format("There is no model `{}`.", view->model), 404);
    const KeySubject subject{.scope = snapshot.config.cache.scope,
                             .principal = *principal,
                             .route = *route->route,
                             .model = *model->model,
                             .wildcard = model->wildcard,
                             .model_name = view->model};
    RequestKey request = request_key(subject, exact.space);
    const auto canonical = cache::canonical_json(exact.body);
    if (!canonical) return wrong("The request has no canonical form: " + canonical.error());
    crypto::Hmac mac(cache_mac);
    std::vector<std::string> names{"key/" + crypto::to_hex(cache::make_key(mac, request.parts(), *canonical))};
    if (route->route->operation != api::Operation::embeddings) return names;
    if (const auto inputs = api::embedding_inputs(exact.body)) {
        for (const cache::Key& key : item_keys(mac, request, exact.body, *inputs))
            names.push_back("key/" + crypto::to_hex(key));
    }
    return names;
}

// Only what there is: a purge of a name that is misspelt would look as if it had worked.
Result<std::vector<std::string>> named(const Snapshot& snapshot, std::string_view what, const std::string& name) {
    const config::Config& config = snapshot.config;
    if (what == "team" && !config.teams.contains(name) &&
        std::ranges::find(snapshot.directory.principals(), name, &policy::Principal::team) ==
            snapshot.directory.principals().end())
        return wrong(fmt::format("There is no team `{}`.", name), 404);
    if (what == "model" && !snapshot.catalog->find(name))
        return wrong(fmt::format("There is no model `{}`.", name), 404);
    std::string shown = name;
    if (what == "model" && !config.models.contains(name)) { // an alias; a name that fits a pattern stands for itself
        const auto found = snapshot.catalog->find(name);
        if (found && !found->wildcard) shown = found->model->name;
    }
    return std::vector<std::string>{fmt::format("{}/{}", what, shown)};
}

} // namespace

Result<std::vector<std::string>> purge_names(const Snapshot& snapshot, const crypto::Digest& cache_mac,
                                             std::string_view json) {
    dom::parser parser;
    dom::object root;
    if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS)
        return wrong("The body is no JSON object.");
    std::string_view what;
    std::string name;
    Exact exact;
    for (const auto& [member, value] : root) {
        const bool is_what = std::ranges::find(kWhat, member) != kWhat.end();
        if (is_what && !what.empty()) return wrong("A purge is about one thing: all, model, team, tag or request.");
        if (!is_what && std::ranges::find(kExact, member) == kExact.end())
            return wrong(fmt::format("`{}` is not known here: all, model, team, tag, or request with key.", member));
        if (is_what) what = *std::ranges::find(kWhat, member);
        if (member == "request") {
            dom::object request;
            if (value.get(request) != simdjson::SUCCESS) return wrong("`request` has to be the body of the request.");
            exact.body = simdjson::minify(value);
        } else if (member == "all") {
            bool yes = false;
            if (value.get(yes) != simdjson::SUCCESS || !yes) return wrong("`all` can only be true.");
        } else {
            auto text = text_of(value);
            if (!text) return wrong(fmt::format("`{}` has to be a text that is not empty.", member));
            if (is_what) name = *text;
            if (member == "key") exact.key = *text;
            if (member == "endpoint") exact.endpoint = *text;
            if (member == "namespace") exact.space = fmt::format("{}:{}", text->size(), *text);
        }
    }
    if (what.empty()) return wrong("Say what is to be purged: all, model, team, tag, or request with key.");
    if (what == "all") return std::vector<std::string>{std::string(cache::kPurgeAll)};
    if (what == "request") return exact_names(snapshot, cache_mac, std::move(exact));
    return named(snapshot, what, name);
}

Result<Purged> purge_cache(Shared& shared, const Snapshot& snapshot, std::string_view json) {
    const auto names = purge_names(snapshot, shared.keys.cache_mac, json);
    if (!names) return fail(names.error());
    std::uint64_t stamp = 0;
    std::string out = R"({"purged":[)";
    for (const std::string& name : *names) {
        stamp = shared.purges.purge(name, WallClock::now());
        if (out.back() != '[') out += ',';
        append_json_string(out, name);
    }
    // What nobody will ask for any more need not wait for its eviction.
    if (names->front() == cache::kPurgeAll) shared.cache.clear();
    log::info("the cache was purged", {{"what", names->front()}});
    return Purged{names->front(), out + fmt::format(R"(],"stamp":{}}})", stamp)};
}

std::string cache_stats(const Shared& shared) {
    const cache::MemoryStats stats = shared.cache.stats();
    return fmt::format(
        R"({{"entries":{},"bytes":{},"capacity":{},"evicted":{{"size":{},"ttl":{},"purge":{}}},"purges":{}}})",
        stats.entries, stats.bytes, stats.capacity, stats.evicted_size, stats.evicted_ttl, stats.evicted_purge,
        shared.purges.count());
}

} // namespace tollgate::exchange
