#include "gateway/admin/writes.hpp"

#include "config/values.hpp"
#include "gateway/admin/render.hpp"
#include "gateway/base/text.hpp"
#include "policy/compile.hpp"
#include "policy/key_text.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace tollgate::admin {
namespace {

constexpr auto kLongestGrace = std::chrono::hours(24 * 30);

Problem bad(std::string path, std::string message, std::string hint = {}) {
    Problem problem{.status = 400, .code = "invalid_body", .detail = message};
    problem.errors.push_back({std::move(path), std::move(message), std::move(hint)});
    return problem;
}

Problem not_found(std::string_view id) {
    return {.status = 404, .code = "not_found", .detail = fmt::format("there is no key \"{}\"", id)};
}

const policy::StoredKey* stored_key(const State& state, const std::string& id) {
    const auto found = std::ranges::find(state.keys, id, &policy::StoredKey::id);
    return found == state.keys.end() ? nullptr : &*found;
}

const config::Key* file_key(const State& state, const std::string& id) {
    const auto found = std::ranges::find(state.file.keys, id, &config::Key::id);
    return found == state.file.keys.end() ? nullptr : &*found;
}

// The id of the key that has this secret; empty: none.
std::string holder_of(const State& state, const std::string& sha256) {
    for (const config::Key& key : state.file.keys) {
        if ((key.sha256.empty() ? policy::sha256_hex(key.secret.reveal()) : key.sha256) == sha256) return key.id;
    }
    for (const policy::StoredKey& key : state.keys) {
        if (key.sha256 == sha256 || key.former_sha256 == sha256) return key.id;
    }
    return {};
}

// Takes a text member out of a body; absent: nothing.
std::expected<std::optional<std::string>, Problem> take_text(json::object& body, std::string_view name) {
    const json::value* const value = body.if_contains(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_string()) return std::unexpected(bad(fmt::format("/{}", name), fmt::format("`{}` is a text", name)));
    std::string text(value->get_string());
    body.erase(name);
    return text;
}

std::expected<std::optional<bool>, Problem> take_flag(json::object& body, std::string_view name) {
    const json::value* const value = body.if_contains(name);
    if (value == nullptr) return std::nullopt;
    if (!value->is_bool())
        return std::unexpected(bad(fmt::format("/{}", name), fmt::format("`{}` is true or false", name)));
    const bool flag = value->get_bool();
    body.erase(name);
    return flag;
}

class Writer {
  public:
    Writer(const Call& call, const State& state, const Given& given) : call_(call), state_(state), given_(given) {}

    std::expected<Write, Refusal> create();
    std::expected<Write, Refusal> edit();
    std::expected<Write, Refusal> rotate();
    std::expected<Write, Refusal> drop();
    std::expected<Write, Refusal> edit_scope();

  private:
    std::expected<Write, Refusal> edit_stored(policy::StoredKey key, json::object body);
    std::expected<Write, Refusal> disable_written(const config::Key& key, const json::object& body);
    std::expected<void, Problem> accept(policy::StoredKey& key, const json::object& settings) const;
    std::expected<Write, Refusal> finish(Write write, std::string action, std::string kind, std::string name,
                                         std::string_view secret);
    [[nodiscard]] policy::AuditEvent event(std::string action, std::string kind, std::string name) const;
    [[nodiscard]] Refusal denied(Problem problem, std::string action, std::string kind, std::string name) const;
    [[nodiscard]] Problem owned(const config::Key& key) const;
    [[nodiscard]] std::expected<json::object, Problem> body() const { return parse_body(call_.body); }

    const Call& call_;
    const State& state_;
    const Given& given_;
};

policy::AuditEvent Writer::event(std::string action, std::string kind, std::string name) const {
    return {.actor = call_.actor,
            .address = call_.address,
            .action = std::move(action),
            .kind = std::move(kind),
            .name = std::move(name),
            .outcome = "ok",
            .reason = {},
            .config_hash = state_.file.hash};
}

Refusal Writer::denied(Problem problem, std::string action, std::string kind, std::string name) const {
    Refusal refusal{std::move(problem), event(std::move(action), std::move(kind), std::move(name))};
    refusal.event->outcome = "denied";
    refusal.event->reason = refusal.problem.detail;
    return refusal;
}

Problem Writer::owned(const config::Key& key) const {
    const std::string place = policy::origin_of(state_.file, key);
    return {.status = 409,
            .code = "owned_by_file",
            .detail = fmt::format("key \"{}\" is written in {}: change it there and reload. Here it can be disabled, "
                                  "and enabled again",
                                  key.id, place),
            .errors = {},
            .place = place};
}

// The settings are read by the rules of the file, and kept if they follow them.
std::expected<void, Problem> Writer::accept(policy::StoredKey& key, const json::object& settings) const {
    for (const std::string_view name : {"id", "secret", "sha256"}) {
        if (settings.contains(name))
            return std::unexpected(
                bad(fmt::format("/{}", name), fmt::format("`{}` cannot be set here", name),
                    name == "secret" ? "the gateway makes secrets itself; bring one of yours as sha256" : ""));
    }
    auto entry = read_key_settings(settings, key, &state_.file);
    if (!entry) return std::unexpected(std::move(entry.error()));
    key.entry = std::move(*entry);
    key.settings = json::serialize(settings);
    return {};
}

std::expected<Write, Refusal> Writer::finish(Write write, std::string action, std::string kind, std::string name,
                                             std::string_view secret) {
    write.next = after(state_, write.change);
    const auto next = effective(write.next);
    if (!next) return std::unexpected(Refusal{{.status = 400, .code = "invalid_body", .detail = next.error()}});
    if (const std::string problem = problem_of(*next); !problem.empty())
        return std::unexpected(Refusal{{.status = 400, .code = "invalid_body", .detail = problem}});
    const bool is_key = kind == "key";
    const auto view = [&](const State& state) {
        return is_key ? view_key(state, name, given_.now) : view_scope(state, kind, name);
    };
    const auto before = view(state_);
    auto now = view(write.next);
    write.event = event(std::move(action), kind, name);
    write.event.diff = diff(before ? *before : json::object(), now ? *now : json::object());
    json::object out = now ? std::move(*now) : json::object{{"object", kind}, {"id", name}, {"deleted", true}};
    if (!secret.empty()) out["secret"] = secret;
    write.answer.body = json::serialize(out) + "\n";
    return write;
}

std::expected<Write, Refusal> Writer::create() {
    auto settings = body();
    if (!settings) return std::unexpected(Refusal{std::move(settings.error())});
    const auto id = take_text(*settings, "id");
    const auto team = take_text(*settings, "team");
    const auto hash = take_text(*settings, "sha256");
    const auto disabled = take_flag(*settings, "disabled");
    if (!id) return std::unexpected(Refusal{id.error()});
    if (!team) return std::unexpected(Refusal{team.error()});
    if (!hash) return std::unexpected(Refusal{hash.error()});
    if (!disabled) return std::unexpected(Refusal{disabled.error()});
    policy::StoredKey key;
    key.id = id->value_or(given_.fresh.id);
    key.team = team->value_or("default");
    key.sha256 = hash->value_or(policy::sha256_hex(given_.fresh.secret));
    std::ranges::transform(key.sha256, key.sha256.begin(), ascii_lower);
    key.disabled = disabled->value_or(false);
    key.created = render(given_.now);
    if (auto ok = accept(key, *settings); !ok) return std::unexpected(Refusal{std::move(ok.error())});
    const config::Key* const written = file_key(state_, key.id);
    if (written != nullptr) return std::unexpected(denied(owned(*written), "key.create", "key", key.id));
    if (stored_key(state_, key.id) != nullptr)
        return std::unexpected(
            Refusal{{.status = 409, .code = "exists", .detail = fmt::format("there is a key \"{}\" already", key.id)}});
    if (const std::string holder = holder_of(state_, key.sha256); !holder.empty())
        return std::unexpected(Refusal{
            {.status = 409, .code = "exists", .detail = fmt::format("key \"{}\" has that secret already", holder)}});
    Write write;
    write.answer.status = 201;
    write.change.add_key = key;
    return finish(std::move(write), "key.create", "key", key.id, *hash ? std::string_view() : given_.fresh.secret);
}

std::expected<Write, Refusal> Writer::edit_stored(policy::StoredKey key, json::object patch) {
    const auto team = take_text(patch, "team");
    const auto disabled = take_flag(patch, "disabled");
    if (!team) return std::unexpected(Refusal{team.error()});
    if (!disabled) return std::unexpected(Refusal{disabled.error()});
    const bool toggled = *disabled && patch.empty() && !*team;
    const std::string action = !toggled ? "key.update" : **disabled ? "key.disable" : "key.enable";
    key.updated = render(given_.now);
    key.team = team->value_or(key.team);
    key.disabled = disabled->value_or(key.disabled);
    json::object settings = settings_of(key.settings);
    merge(settings, patch);
    if (auto ok = accept(key, settings); !ok) return std::unexpected(Refusal{std::move(ok.error())});
    Write write;
    write.change.edit_key = key;
    return finish(std::move(write), action, "key", key.id, {});
}

std::expected<Write, Refusal> Writer::disable_written(const config::Key& key, const json::object& patch) {
    const json::value* const disabled = patch.if_contains("disabled");
    const bool alone = disabled != nullptr && patch.size() == 1 && disabled->is_bool();
    const bool enables = alone && !disabled->get_bool();
    if (!alone || (enables && key.disabled)) return std::unexpected(denied(owned(key), "key.update", "key", key.id));
    Write write;
    write.change.set_override = policy::Override{"key", key.id, enables ? "{}" : R"({"disabled":true})"};
    return finish(std::move(write), enables ? "key.enable" : "key.disable", "key", key.id, {});
}

std::expected<Write, Refusal> Writer::edit() {
    auto patch = body();
    if (!patch) return std::unexpected(Refusal{std::move(patch.error())});
    if (patch->empty()) return std::unexpected(Refusal{bad("", "the body changes nothing")});
    const std::string& id = call_.route.name;
    if (const policy::StoredKey* const key = stored_key(state_, id)) return edit_stored(*key, std::move(*patch));
    if (const config::Key* const key = file_key(state_, id)) return disable_written(*key, *patch);
    return std::unexpected(Refusal{not_found(id)});
}

std::expected<Write, Refusal> Writer::rotate() {
    auto wanted = call_.body.empty() ? std::expected<json::object, Problem>(json::object()) : body();
    if (!wanted) return std::unexpected(Refusal{std::move(wanted.error())});
    const auto grace = take_text(*wanted, "grace");
    if (!grace) return std::unexpected(Refusal{grace.error()});
    if (!wanted->empty()) return std::unexpected(Refusal{bad("", "only `grace` can be said of a rotation")});
    std::chrono::milliseconds length{0};
    if (*grace) {
        const auto parsed = config::parse_duration(**grace);
        if (!parsed || *parsed > kLongestGrace)
            return std::unexpected(Refusal{bad("/grace", "`grace` is a duration of at most 30d, such as `24h`")});
        length = *parsed;
    }
    const std::string& id = call_.route.name;
    const policy::StoredKey* const found = stored_key(state_, id);
    if (found == nullptr) {
        const config::Key* const written = file_key(state_, id);
        if (written == nullptr) return std::unexpected(Refusal{not_found(id)});
        return std::unexpected(denied(owned(*written), "key.rotate", "key", id));
    }
    policy::StoredKey key = *found;
    key.updated = render(given_.now);
    key.former_sha256 = length.count() > 0 ? key.sha256 : std::string();
    const auto until = given_.now + std::chrono::ceil<std::chrono::seconds>(length);
    key.former_until = length.count() > 0 ? until.time_since_epoch().count() : 0;
    key.sha256 = policy::sha256_hex(given_.fresh.secret);
    Write write;
    write.change.edit_key = key;
    auto done = finish(std::move(write), "key.rotate", "key", id, given_.fresh.secret);
    // The view shows no secret, so that of it nothing differs.
    if (done && done->event.diff == "[]") done->event.diff = R"([{"path":"/secret","new":"changed"}])";
    return done;
}

std::expected<Write, Refusal> Writer::drop() {
    if (!call_.body.empty()) return std::unexpected(Refusal{bad("", "a deletion has no body")});
    const std::string& id = call_.route.name;
    if (const config::Key* const written = file_key(state_, id))
        return std::unexpected(denied(owned(*written), "key.delete", "key", id));
    if (stored_key(state_, id) == nullptr) return std::unexpected(Refusal{not_found(id)});
    Write write;
    write.change.delete_key = id;
    return finish(std::move(write), "key.delete", "key", id, {});
}

std::expected<Write, Refusal> Writer::edit_scope() {
    auto patch = body();
    if (!patch) return std::unexpected(Refusal{std::move(patch.error())});
    if (patch->empty()) return std::unexpected(Refusal{bad("", "the body changes nothing")});
    const std::string& kind = call_.route.kind;
    const std::string& name = call_.route.name;
    if (const auto view = view_scope(state_, kind, name); !view) return std::unexpected(Refusal{view.error()});
    policy::Override change{kind, name};
    for (const policy::Override& known : state_.overrides) {
        if (known.kind == kind && known.name == name) change.settings = known.settings;
    }
    json::object settings = settings_of(change.settings);
    merge(settings, *patch);
    if (const json::value* const limits = settings.if_contains("limits");
        limits != nullptr && limits->is_object() && limits->get_object().empty())
        settings.erase("limits");
    config::Config trial = state_.file;
    auto scope = find_scope(trial, kind, name);
    if (auto ok = lay_over(*scope, settings, state_.file); !ok) {
        if (ok.error().status == 409)
            return std::unexpected(denied(std::move(ok.error()), kind + ".update", kind, name));
        return std::unexpected(Refusal{std::move(ok.error())});
    }
    change.settings = json::serialize(settings);
    Write write;
    write.change.set_override = std::move(change);
    return finish(std::move(write), kind + ".update", kind, name, {});
}

} // namespace

json::object settings_of(const std::string& text) {
    boost::system::error_code error;
    json::value value = json::parse(text, error);
    return !error && value.is_object() ? std::move(value.get_object()) : json::object();
}

std::expected<Write, Refusal> write(const Call& call, const State& state, const Given& given) {
    Writer writer(call, state, given);
    switch (call.route.row->action) {
    case Action::create_key: return writer.create();
    case Action::edit_key: return writer.edit();
    case Action::rotate_key: return writer.rotate();
    case Action::delete_key: return writer.drop();
    case Action::edit_scope: return writer.edit_scope();
    default: return std::unexpected(Refusal{{.status = 404, .code = "not_found", .detail = "there is no such write"}});
    }
}

} // namespace tollgate::admin
