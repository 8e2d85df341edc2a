#include "gateway/exchange/cache_controls.hpp"

#include "config/values.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace tollgate::exchange {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kForever = std::numeric_limits<std::uint64_t>::max();

void lower(std::optional<std::uint64_t>& bound, std::optional<std::uint64_t> other) {
    if (other) bound = std::min(bound.value_or(kForever), *other);
}

bool says_yes(std::string_view value) {
    return iequals(value, "true") || iequals(value, "on") || value == "1";
}

bool says_no(std::string_view value) {
    return iequals(value, "false") || iequals(value, "off") || value == "0";
}

// "300" or "5m"; what is neither is ignored.
std::optional<std::uint64_t> seconds_of(std::string_view value) {
    if (const auto plain = parse_decimal(value)) return plain;
    const auto duration = config::parse_duration(value);
    if (!duration) return std::nullopt;
    return static_cast<std::uint64_t>(std::chrono::floor<seconds>(*duration).count());
}

// Length first, so that no two lists of names are one.
void add_space(CacheControl& control, std::string_view name) {
    if (name.empty()) return;
    control.space += std::to_string(name.size());
    control.space += ':';
    control.space += name;
}

constexpr std::size_t kMostTags = 16;
constexpr std::size_t kLongestTag = 64;

// Names that are too long, or one too many, are no tags: who sends them will notice by the first purge.
void add_tags(CacheControl& control, std::string_view list) {
    auto count = static_cast<std::size_t>(std::ranges::count(control.tags, '\n'));
    while (!list.empty()) {
        const std::size_t comma = list.find(',');
        const auto tag = trim(list.substr(0, comma));
        if (!tag.empty() && tag.size() <= kLongestTag && count < kMostTags) {
            control.tags += tag;
            control.tags += '\n';
            ++count;
        }
        if (comma == std::string_view::npos) break;
        list.remove_prefix(comma + 1);
    }
}

void own_word(CacheControl& control, std::string_view value) {
    if (iequals(value, "off")) control.no_store = true;
    if (iequals(value, "read")) control.keep_nothing = true;
    if (iequals(value, "write")) control.no_cache = true;
}

using Apply = void (*)(CacheControl&, std::string_view);

struct Known {
    std::string_view name;
    Apply apply;
};

constexpr Apply kTtl = [](CacheControl& c, std::string_view v) { lower(c.ttl, seconds_of(v)); };
constexpr Apply kSpace = [](CacheControl& c, std::string_view v) { add_space(c, v); };
constexpr Apply kRefresh = [](CacheControl& c, std::string_view v) { c.no_cache = c.no_cache || says_yes(v); };
constexpr Apply kOffIfNo = [](CacheControl& c, std::string_view v) { c.no_store = c.no_store || says_no(v); };
constexpr Apply kOffIfYes = [](CacheControl& c, std::string_view v) { c.no_store = c.no_store || says_yes(v); };
constexpr Apply kKeepNothing = [](CacheControl& c, std::string_view v) {
    c.keep_nothing = c.keep_nothing || says_yes(v);
};

// A key that a client names elsewhere would join different requests; here it only separates.
constexpr std::array kFields = {
    Known{"x-tollgate-cache", own_word},
    Known{"x-tollgate-cache-ttl", kTtl},
    Known{"x-tollgate-cache-namespace", kSpace},
    Known{"x-tollgate-cache-tags", add_tags},
    Known{"cf-aig-skip-cache", kOffIfYes},
    Known{"cf-aig-cache-ttl", kTtl},
    Known{"cf-aig-cache-key", kSpace},
    Known{"x-portkey-cache-force-refresh", kRefresh},
    Known{"x-portkey-cache-namespace", kSpace},
    Known{"helicone-cache-enabled", kOffIfNo},
    Known{"helicone-cache-seed", kSpace},
    Known{"x-openrouter-cache", kOffIfNo},
    Known{"x-openrouter-cache-ttl", kTtl},
    Known{"x-openrouter-cache-clear", kRefresh},
    Known{"x-bf-cache-key", kSpace},
    Known{"x-bf-cache-ttl", kTtl},
    Known{"x-bf-cache-no-store", kKeepNothing},
};

// Most fields of a request are none of these, and this is asked of every one.
bool may_be_known(std::string_view name) noexcept {
    if (name.size() < 13) return false;
    const char first = ascii_lower(name.front());
    return first == 'x' || first == 'c' || first == 'h';
}

// Refuses an age that the request does not want, whatever the entry's own time is.
bool too_old(const cache::Entry& entry, const CacheControl& control, WallTime now) {
    std::optional<std::uint64_t> bound = control.max_age;
    lower(bound, control.ttl);
    const auto age = std::chrono::floor<seconds>(now - entry.created).count();
    return bound && age > 0 && static_cast<std::uint64_t>(age) > *bound;
}

// Seconds of a request never overflow the clock's unit.
milliseconds at_most(milliseconds bound, std::optional<std::uint64_t> wish) {
    if (!wish || *wish > static_cast<std::uint64_t>(bound.count() / 1000)) return bound;
    return milliseconds(static_cast<std::int64_t>(*wish) * 1000);
}

} // namespace

CacheControl parse_cache_control(std::string_view value) {
    CacheControl control;
    while (!value.empty()) {
        const std::size_t comma = value.find(',');
        const auto directive = trim(value.substr(0, comma));
        const std::size_t equals = directive.find('=');
        const auto name = trim(directive.substr(0, equals));
        auto argument = equals == std::string_view::npos ? std::string_view() : trim(directive.substr(equals + 1));
        if (argument.size() >= 2 && argument.front() == '"' && argument.back() == '"')
            argument = argument.substr(1, argument.size() - 2);
        if (iequals(name, "no-store"))
            control.no_store = true;
        else if (iequals(name, "no-cache"))
            control.no_cache = true;
        else if (iequals(name, "only-if-cached"))
            control.only_if_cached = true;
        else if (iequals(name, "max-age"))
            control.max_age = parse_decimal(argument);
        else if (iequals(name, "min-fresh"))
            control.min_fresh = parse_decimal(argument);
        else if (iequals(name, "max-stale"))
            control.max_stale = equals == std::string_view::npos ? kForever : parse_decimal(argument);
        else if (iequals(name, "stale-while-revalidate"))
            control.stale_while_revalidate = parse_decimal(argument);
        else if (iequals(name, "stale-if-error"))
            control.stale_if_error = parse_decimal(argument);
        if (comma == std::string_view::npos) break;
        value.remove_prefix(comma + 1);
    }
    return control;
}

CacheControl read_cache_controls(std::span<const http::Field> fields) {
    std::string standard; // several lines are one list (RFC 9110 §5.3)
    for (const http::Field& field : fields) {
        if (!may_be_known(field.name) || !iequals(field.name, "cache-control")) continue;
        if (!standard.empty()) standard += ',';
        standard += field.value;
    }
    CacheControl control = parse_cache_control(standard);
    for (const http::Field& field : fields) {
        if (!may_be_known(field.name)) continue;
        for (const Known& known : kFields) {
            if (iequals(known.name, field.name)) known.apply(control, trim(field.value));
        }
    }
    return control;
}

StaleRules narrowed(StaleRules rules, const CacheControl& control) noexcept {
    return {.while_revalidate = at_most(rules.while_revalidate, control.stale_while_revalidate),
            .if_error = at_most(rules.if_error, control.stale_if_error)};
}

Fit judge(const cache::Entry& entry, const CacheControl& control, StaleRules rules, WallTime now) {
    const bool old = too_old(entry, control, now);
    if (now < entry.expires) {
        const auto fresh_for = std::chrono::floor<seconds>(entry.expires - now).count();
        const bool soon = control.min_fresh && static_cast<std::uint64_t>(fresh_for) < *control.min_fresh;
        return old || soon ? Fit::refused : Fit::fresh;
    }
    if (old || control.min_fresh) return Fit::expired;
    const auto over = now - entry.expires;
    if (over <= rules.while_revalidate) return Fit::renew;
    const bool accepted = control.max_stale && over <= at_most(entry.stale, control.max_stale);
    return accepted ? Fit::stale : Fit::expired;
}

bool serves_for_error(const cache::Entry& entry, const CacheControl& control, StaleRules rules, WallTime now) {
    if (too_old(entry, control, now)) return false;
    return now < entry.expires + rules.if_error;
}

} // namespace tollgate::exchange
