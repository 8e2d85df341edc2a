#include "gateway/api/replay/json_text.hpp"
#include "gateway/api/replay/pieces.hpp"
#include "gateway/api/replay/replay.hpp"
#include "gateway/api/replay/telling.hpp"

namespace tollgate::api::replay {
namespace {

// What the member says in an answer of this identity; empty if it is the same as in any other.
std::string renewed(Dialect dialect, const Member& member, const Identity& identity) {
    const auto& [name, value] = member;
    if (name == "id" && value.is_string()) return '"' + new_id(value.inner(), id_prefix(dialect), identity.token) + '"';
    const bool time = dialect == Dialect::response ? name == "created_at" || name == "completed_at" : name == "created";
    return time && value.kind == Kind::number ? std::to_string(identity.now) : std::string();
}

} // namespace

std::string_view id_prefix(Dialect dialect) noexcept {
    switch (dialect) {
    case Dialect::chat: return "chatcmpl-";
    case Dialect::completion: return "cmpl-";
    case Dialect::response: return "resp_";
    }
    return {};
}

std::optional<std::string> as_json(Dialect dialect, std::string_view answer, const Identity& identity) {
    const auto object = unread_object(answer);
    if (!object) return std::nullopt;
    std::string out;
    out.reserve(answer.size() + 2 * identity.token.size());
    const char* done = answer.data();
    const auto pass_until = [&](const char* place) {
        out.append(done, static_cast<std::size_t>(place - done));
        done = place;
    };
    // They stand in front as a rule: the rest need not be walked.
    std::size_t wanted = dialect == Dialect::response ? 3 : 2;
    MemberWalk walk(*object);
    while (wanted != 0) {
        const auto member = walk.next();
        if (!member) break;
        const std::string text = renewed(dialect, *member, identity);
        if (text.empty()) continue;
        pass_until(member->value.text.data());
        out += text;
        done += member->value.text.size();
        --wanted;
    }
    if (wanted != 0 && !walk.at_end()) return std::nullopt;
    pass_until(answer.data() + answer.size());
    return out;
}

} // namespace tollgate::api::replay
