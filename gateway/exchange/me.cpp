#include "gateway/exchange/me.hpp"

#include "gateway/base/text.hpp"
#include "policy/quota/denial.hpp"
#include "policy/quota/scope.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace tollgate::exchange {
namespace {

namespace quota = policy::quota;

void append_text(std::string& out, std::string_view name, std::string_view value) {
    out += fmt::format(",\"{}\":", name);
    append_json_string(out, value);
}

void append_money(std::string& out, std::string_view name, quota::Wide nano) {
    out += fmt::format(",\"{}\":\"", name);
    constexpr quota::Wide kMost = std::numeric_limits<quota::Nano>::max();
    quota::append_usd(out, static_cast<quota::Nano>(std::min(nano, kMost)));
    out += '"';
}

void append_limit(std::string& out, const quota::Reading& reading, WallTime wall) {
    const quota::CounterState& state = reading.state;
    const quota::LimitView view = quota::view_of(state, wall);
    out += R"({"scope":)";
    append_json_string(out, state.names->kind);
    append_text(out, "scope_name", state.names->name);
    append_text(out, "limit", quota::to_string(state.dimension));
    append_text(out, "window", state.names->window);
    if (state.dimension == quota::Dimension::money) {
        append_money(out, "limit_usd", state.limit);
        append_money(out, "spent_usd", state.used - state.held);
        append_money(out, "reserved_usd", state.held);
        append_money(out, "remaining_usd", std::max<quota::Wide>(0, state.full() - state.used));
        append_text(out, "period", reading.period);
        if (state.resets != WallTime::max())
            out += fmt::format(R"(,"resets_at":"{:%Y-%m-%dT%H:%M:%SZ}")",
                               std::chrono::ceil<std::chrono::seconds>(state.resets));
    } else {
        const auto used = static_cast<std::int64_t>((state.used + state.unit() - 1) / state.unit());
        out += fmt::format(R"(,"limit_value":{},"used":{},"remaining":{})", state.limit, used, view.remaining);
        if (quota::is_rate(state.dimension))
            out += fmt::format(R"(,"full_in_ms":{})", std::chrono::ceil<std::chrono::milliseconds>(view.reset).count());
    }
    if (state.shadow) out += fmt::format(R"(,"shadow":true,"would_deny":{})", reading.would_deny);
    out += '}';
}

} // namespace

std::string me_body(const Exchange& ex, quota::Moment now) {
    const policy::Principal& principal = *ex.principal;
    std::string out = R"({"object":"tollgate.me","key":)";
    append_json_string(out, principal.key_id);
    if (!principal.key_alias.empty()) append_text(out, "alias", principal.key_alias);
    append_text(out, "team", principal.team);
    append_text(out, "org", principal.org);
    if (!principal.contact.empty()) append_text(out, "contact", principal.contact);
    out += R"(,"limits":[)";
    bool first = true;
    for (const quota::ScopeHandle& scope : principal.scopes) {
        for (const quota::Reading& reading : scope->store.read(*scope, now)) {
            if (!first) out += ',';
            first = false;
            append_limit(out, reading, now.wall);
        }
    }
    out += "]}";
    return out;
}

} // namespace tollgate::exchange
