#include "gateway/base/text.hpp"
#include "policy/directory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace tollgate::policy {
namespace {

constexpr std::size_t kSuggestions = 5;
constexpr std::size_t kCompared = 128; // octets of a client's model name that are compared or shown

// What these start is billed outside the request path and names its models where nobody checks them.
constexpr std::array<std::string_view, 2> kUnmetered{"batches", "fine_tuning"};

bool listed(const std::vector<std::string>& allowed, std::string_view model) {
    return allowed.empty() ||
           std::ranges::any_of(allowed, [&](const std::string& pattern) { return wildcard_match(pattern, model); });
}

// An empty list allows everything, and so does one with a lone `*`.
bool restricts(const std::vector<std::string>& allowed) {
    return !allowed.empty() && std::ranges::find(allowed, "*") == allowed.end();
}

bool permitted(const Principal& principal, std::string_view model) {
    return listed(principal.key_models, model) && listed(principal.team_models, model);
}

std::vector<std::string> nearest_models(const Principal& principal, std::string_view model,
                                        const std::vector<std::string>& known) {
    std::vector<std::string> visible = visible_models(principal, known);
    std::vector<std::pair<std::size_t, std::size_t>> ranked; // distance, then the configuration's order
    for (std::size_t i = 0; i < visible.size(); ++i) {
        ranked.emplace_back(edit_distance(model, visible[i], kCompared + visible[i].size()), i);
    }
    std::ranges::sort(ranked);
    if (ranked.size() > kSuggestions) ranked.resize(kSuggestions);
    std::vector<std::string> names;
    for (const auto& [distance, position] : ranked) names.push_back(std::move(visible[position]));
    return names;
}

std::string with_contact(std::string message, const Principal& principal) {
    if (!principal.contact.empty()) message += fmt::format(" Contact: {}.", principal.contact);
    return message;
}

std::string scope_details(std::string_view kind, std::string_view name, const Principal& principal) {
    std::string text = R"("scope":)";
    append_json_string(text, kind);
    text += R"(,"scope_name":)";
    append_json_string(text, name);
    if (!principal.contact.empty()) {
        text += R"(,"contact":)";
        append_json_string(text, principal.contact);
    }
    return text;
}

Error forbidden(ErrorType type, std::string message, std::string details) {
    Error error;
    error.type = type;
    error.status = 403;
    error.message = std::move(message);
    error.openai_type = "invalid_request_error";
    error.retry = Retry::never;
    error.details = std::move(details);
    return error;
}

Error route_denied(const Principal& principal, std::string_view group, std::string_view reason) {
    std::string details = scope_details("key", principal.key_id, principal);
    details += R"(,"route_group":)";
    append_json_string(details, group);
    return forbidden(
        ErrorType::policy_access_denied,
        with_contact(fmt::format("Key \"{}\" may not use {}: {}", principal.key_id, group, reason), principal),
        std::move(details));
}

Error model_blocked(const Principal& principal, std::string_view model, const std::vector<std::string>& known) {
    model = model.substr(0, kCompared);
    const bool by_team = listed(principal.key_models, model);
    const std::string_view kind = by_team ? "team" : "key";
    const std::vector<std::string> names = nearest_models(principal, model, known);
    std::string details = scope_details(kind, by_team ? principal.team : principal.key_id, principal);
    details += R"(,"allowed_models":[)";
    for (const std::string& name : names) {
        if (&name != &names.front()) details += ',';
        append_json_string(details, name);
    }
    details += ']';
    const std::string allowed = names.empty() ? std::string("It may use none of the configured models.")
                                              : fmt::format("Models it may use: {}.", fmt::join(names, ", "));
    Error error = forbidden(
        ErrorType::policy_model_blocked,
        with_contact(fmt::format("Key \"{}\" may not use model \"{}\": the {}'s allow-list does not have it. {}",
                                 principal.key_id, model, kind, allowed),
                     principal),
        std::move(details));
    error.code = "model_not_found";
    error.param = "model";
    return error;
}

} // namespace

Result<void> may(const Principal& principal, std::string_view route_group, std::string_view model,
                 const std::vector<std::string>& known) {
    if (!route_group.empty()) {
        const bool granted = std::ranges::any_of(
            principal.routes, [&](const std::string& route) { return route == "*" || route == route_group; });
        if (!granted) return fail(route_denied(principal, route_group, "its `routes` do not list it."));
        const bool restricted = restricts(principal.key_models) || restricts(principal.team_models);
        if (restricted && std::ranges::find(kUnmetered, route_group) != kUnmetered.end()) {
            return fail(
                route_denied(principal, route_group, "it has a model list, which could not be enforced there."));
        }
    }
    if (!model.empty() && !permitted(principal, model)) return fail(model_blocked(principal, model, known));
    return {};
}

std::vector<std::string> visible_models(const Principal& principal, const std::vector<std::string>& known) {
    std::vector<std::string> visible;
    for (const std::string& name : known) {
        if (name.find('*') == std::string::npos && permitted(principal, name)) visible.push_back(name);
    }
    return visible;
}

} // namespace tollgate::policy
