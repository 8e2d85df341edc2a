#include "gateway/exchange/receipt.hpp"

#include "gateway/base/text.hpp"
#include "gateway/exchange/accounting.hpp"
#include "gateway/exchange/exchange.hpp"
#include "policy/quota/denial.hpp"

namespace tollgate::exchange {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

std::string receipt(const Exchange& ex, bool complete) {
    std::string out = R"("tollgate":{)";
    std::optional<policy::quota::Nano> cost = ex.account.cost;
    if (!ex.metering.ended && ex.account.price != nullptr) cost = priced(ex, used_so_far(ex, complete)).nano;
    if (cost) {
        out += R"("cost_usd":")";
        policy::quota::append_usd(out, *cost);
        out += R"(",)";
    }
    out += complete ? R"("complete":true)" : R"("complete":false)";
    const auto text = [&](std::string_view name, std::string_view value) {
        out += name;
        append_json_string(out, value);
    };
    text(R"(,"cache":)", to_string(ex.record.cache));
    if (ex.record.attempt_count > 0) text(R"(,"upstream":)", ex.record.attempts[ex.record.attempt_count - 1].upstream);
    text(R"(,"request_id":)", ex.id.view());
    return out + '}';
}

} // namespace

bool wants_receipt(const Exchange& ex) noexcept {
    return ex.head.find("x-tollgate-receipt").value_or("") == "1";
}

// Unescaped quotes cannot come from a text inside.
std::optional<std::size_t> place_in_usage(std::string_view events) noexcept {
    constexpr std::string_view kMember = R"("usage")";
    for (std::size_t at = events.find(kMember); at != std::string_view::npos; at = events.find(kMember, at)) {
        at += kMember.size();
        const std::size_t colon = events.find_first_not_of(kBlank, at);
        if (colon == std::string_view::npos || events[colon] != ':') continue;
        const std::size_t value = events.find_first_not_of(kBlank, colon + 1);
        if (value != std::string_view::npos && events[value] == '{') return value + 1;
    }
    return std::nullopt;
}

std::string with_receipt(const Exchange& ex, std::string_view events, bool complete) {
    std::string out(events);
    const auto place = place_in_usage(events);
    if (!place) return out;
    std::string member = receipt(ex, complete);
    const std::size_t next = events.find_first_not_of(kBlank, *place);
    if (next != std::string_view::npos && events[next] != '}') member += ',';
    return out.insert(*place, member);
}

} // namespace tollgate::exchange
