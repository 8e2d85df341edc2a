#include "policy/period/zone.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <unicode/basictz.h>
#include <unicode/strenum.h>
#include <unicode/tztrans.h>
#include <vector>

namespace tollgate::policy {
namespace {

using std::chrono::local_seconds;
using std::chrono::seconds;
using std::chrono::sys_seconds;

constexpr double kMillis = 1'000.0;

UDate to_icu(sys_seconds instant) noexcept {
    return static_cast<double>(instant.time_since_epoch().count()) * kMillis;
}

sys_seconds from_icu(UDate instant) noexcept {
    return sys_seconds(seconds(static_cast<std::int64_t>(instant / kMillis)));
}

// ICU's own three-letter names: none of the IANA's, some with another meaning than people give them.
constexpr std::array<std::string_view, 26> kNotIana{"ACT", "AET", "AGT", "ART", "AST", "BET", "BST", "CAT", "CNT",
                                                    "CST", "CTT", "EAT", "ECT", "IET", "IST", "JST", "MIT", "NET",
                                                    "NST", "PLT", "PNT", "PRT", "PST", "SST", "VST", ""};

std::vector<std::string> all_names() {
    std::vector<std::string> out;
    UErrorCode status = U_ZERO_ERROR;
    const std::unique_ptr<icu::StringEnumeration> names(
        icu::TimeZone::createTimeZoneIDEnumeration(UCAL_ZONE_TYPE_ANY, nullptr, nullptr, status));
    while (U_SUCCESS(status) && names) {
        const char* const name = names->next(nullptr, status);
        if (name == nullptr) break;
        // SystemV/… are ICU's, Etc/Unknown stands for what it does not know.
        const std::string_view text = name;
        if (!text.starts_with("SystemV/") && text != "Etc/Unknown" && std::ranges::count(kNotIana, text) == 0)
            out.emplace_back(text);
    }
    return out;
}

std::string_view city_of(std::string_view name) noexcept {
    const std::size_t slash = name.rfind('/');
    return slash == std::string_view::npos ? name : name.substr(slash + 1);
}

// How far `text` is from `name`, letter case and "_" for a space aside; a city alone is nearly its zone.
std::size_t distance(std::string_view text, std::string_view name, std::size_t limit) {
    std::string a(text);
    std::string b(name);
    for (std::string* const side : {&a, &b})
        std::ranges::transform(*side, side->begin(), [](char c) { return c == ' ' ? '_' : ascii_lower(c); });
    if (a.find('/') == std::string::npos && city_of(b) == a) return 1;
    return edit_distance(a, b, limit);
}

std::string hint_for(std::string_view text, const std::vector<std::string>& names) {
    constexpr std::size_t kNear = 3;
    if (text.empty() || text.size() > 64) return "write an area and a city, as in Europe/Berlin";
    std::size_t least = kNear;
    const std::string* nearest = nullptr;
    for (const std::string& name : names) {
        const std::size_t d = distance(text, name, kNear);
        if (d >= least) continue;
        least = d;
        nearest = &name;
    }
    if (text.find_first_of("0123456789:") != std::string_view::npos)
        return "an offset has no daylight saving time; write an area and a city, as in Europe/Berlin";
    if (nearest != nullptr && text.size() > 3) return "did you mean `" + *nearest + "`?";
    return "write an area and a city, as in Europe/Berlin";
}

} // namespace

struct Zone::Impl {
    std::string name;
    std::unique_ptr<icu::BasicTimeZone> icu;

    // Every zone made from a name of the data is one with transitions.
    static std::shared_ptr<const Impl> make(std::string name) {
        std::unique_ptr<icu::TimeZone> made(icu::TimeZone::createTimeZone(icu::UnicodeString::fromUTF8(name)));
        auto* const basic = dynamic_cast<icu::BasicTimeZone*>(made.get());
        if (basic == nullptr) return nullptr;
        static_cast<void>(made.release());
        return std::make_shared<const Impl>(Impl{std::move(name), std::unique_ptr<icu::BasicTimeZone>(basic)});
    }
};

Zone::Zone() {
    static const std::shared_ptr<const Impl> utc = Impl::make("UTC");
    impl_ = utc;
}

std::expected<Zone, std::string> Zone::find(std::string_view name) {
    static std::mutex mutex;
    static const std::vector<std::string> names = all_names();
    static std::map<std::string, Zone, std::less<>> known;
    const std::lock_guard lock(mutex);
    if (const auto found = known.find(name); found != known.end()) return found->second;
    if (std::ranges::find(names, name) == names.end()) return std::unexpected(hint_for(name, names));
    auto impl = Impl::make(std::string(name));
    if (!impl) return std::unexpected("the time zone data cannot be read");
    return known.emplace(std::string(name), Zone(std::move(impl))).first->second;
}

std::string Zone::data_version() {
    UErrorCode status = U_ZERO_ERROR;
    const char* const version = icu::TimeZone::getTZDataVersion(status);
    return U_SUCCESS(status) && version != nullptr ? version : "unknown";
}

const std::string& Zone::name() const noexcept {
    return impl_->name;
}

seconds Zone::offset_at(sys_seconds instant) const {
    std::int32_t raw = 0;
    std::int32_t saving = 0;
    UErrorCode status = U_ZERO_ERROR;
    impl_->icu->getOffset(to_icu(instant), false, raw, saving, status);
    return seconds(U_SUCCESS(status) ? (raw + saving) / 1'000 : 0);
}

std::optional<sys_seconds> Zone::change_after(sys_seconds instant) const {
    icu::TimeZoneTransition change;
    if (!impl_->icu->getNextTransition(to_icu(instant), false, change)) return std::nullopt;
    return from_icu(change.getTime());
}

std::optional<sys_seconds> Zone::change_until(sys_seconds instant) const {
    icu::TimeZoneTransition change;
    if (!impl_->icu->getPreviousTransition(to_icu(instant), true, change)) return std::nullopt;
    return from_icu(change.getTime());
}

// Between two changes local time runs evenly, so the first stretch that reaches `local` before it ends holds the
// answer. No offset, and no jump over the date line, is as much as two days.
sys_seconds Zone::first_reaching(local_seconds local) const {
    sys_seconds begin = sys_seconds(local.time_since_epoch()) - std::chrono::days(2);
    for (;;) {
        const sys_seconds reached = sys_seconds(local.time_since_epoch()) - offset_at(begin);
        const std::optional<sys_seconds> end = change_after(begin);
        if (!end || reached < *end) return std::max(reached, begin);
        begin = *end;
    }
}

} // namespace tollgate::policy
