#include "gateway/alerts/message.hpp"

#include "gateway/base/crypto.hpp"
#include "gateway/base/text.hpp"
#include "gateway/http/codec.hpp"
#include "policy/quota/denial.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <chrono>

namespace tollgate::alerts {
namespace {

std::int64_t unix_seconds(WallTime at) {
    return std::chrono::floor<std::chrono::seconds>(at.time_since_epoch()).count();
}

std::string usd(policy::quota::Nano nano) {
    std::string out;
    policy::quota::append_usd(out, nano);
    return out;
}

void append_member(std::string& out, std::string_view name, std::string_view value) {
    out += out.ends_with('{') ? "\"" : ",\"";
    out += name;
    out += "\":";
    append_json_string(out, value);
}

// For people: what a chat shows.
std::string sentence(const policy::quota::Crossing& crossing) {
    std::string spent, limit;
    policy::quota::append_dollars(spent, crossing.spent);
    policy::quota::append_dollars(limit, crossing.limit);
    return fmt::format("The budget of {} {} has passed {} %: {} of {} spent ({}).", crossing.kind, crossing.name,
                       crossing.percent, spent, limit, crossing.period);
}

} // namespace

std::string body_of(const policy::alerts::Alert& alert) {
    const policy::quota::Crossing& crossing = alert.crossing;
    std::string out = "{";
    append_member(out, "type", "budget_threshold");
    append_member(out, "id", alert.id);
    append_member(out, "at", fmt::format("{:%Y-%m-%dT%H:%M:%S}Z", fmt::gmtime(WallClock::to_time_t(alert.at))));
    std::string scope = "{";
    append_member(scope, "kind", crossing.kind);
    append_member(scope, "name", crossing.name);
    out += ",\"scope\":" + scope + "}";
    append_member(out, "window", crossing.window);
    append_member(out, "period", crossing.period);
    out += fmt::format(",\"percent\":{}", crossing.percent);
    append_member(out, "spent_usd", usd(crossing.spent));
    append_member(out, "limit_usd", usd(crossing.limit));
    append_member(out, "text", sentence(crossing));
    out += '}';
    return out;
}

std::string signature_of(std::string_view body, const Secret& secret, WallTime now) {
    const std::string_view octets = secret.reveal();
    const auto* const key = reinterpret_cast<const std::uint8_t*>(octets.data());
    const std::int64_t at = unix_seconds(now);
    const auto digest = crypto::hmac_sha256({key, octets.size()}, fmt::format("{}.{}", at, body));
    return fmt::format("t={},v1={}", at, crypto::to_hex(digest));
}

std::string head_of(std::string_view target, std::string_view host_line, std::string_view body, const Secret& secret,
                    WallTime now) {
    std::string head = fmt::format("POST {} HTTP/1.1\r\n{}", target, host_line);
    http::append_field(head, "User-Agent", "tollgate/" TOLLGATE_VERSION);
    http::append_field(head, "Content-Type", "application/json");
    http::append_field(head, "Content-Length", body.size());
    http::append_field(head, "Connection", "close");
    if (!secret.empty()) http::append_field(head, "x-tollgate-signature", signature_of(body, secret, now));
    head += "\r\n";
    return head;
}

} // namespace tollgate::alerts
