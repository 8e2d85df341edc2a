#include "config/diagnostics.hpp"

#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace tollgate::config {
namespace {

constexpr std::array kCodes = {
    CodeInfo{Code::file_unreadable, "E0001", "The file cannot be opened or read."},
    CodeInfo{Code::file_too_large, "E0002", "The file is larger than 16 MiB."},
    CodeInfo{Code::not_utf8, "E0003", "The file is not UTF-8."},
    CodeInfo{Code::control_character, "E0004", "The file holds a control character that YAML does not allow."},
    CodeInfo{Code::syntax, "E0005", "The text is not YAML."},
    CodeInfo{Code::too_deep, "E0006", "Values are nested deeper than 32 levels."},
    CodeInfo{Code::too_many_nodes, "E0007", "More than 200,000 values, aliases counted as often as they are used."},
    CodeInfo{Code::second_document, "E0008", "The file holds more than one YAML document."},
    CodeInfo{Code::recursive_alias, "E0009", "An alias stands inside the value it names."},
    CodeInfo{Code::tag, "E0010", "YAML tags other than !!str are not accepted."},
    CodeInfo{Code::key_not_text, "E0011", "A key is a list, a map or nothing."},
    CodeInfo{Code::bad_merge, "E0012", "`<<` wants a map or a list of maps."},
    CodeInfo{Code::not_a_map, "E0013", "The file is empty or is not a map of keys."},
    CodeInfo{Code::wrong_type, "E0101", "The value has the wrong type."},
    CodeInfo{Code::no_value, "E0102", "The key has no value."},
    CodeInfo{Code::missing_key, "E0103", "A required key is missing."},
    CodeInfo{Code::bad_integer, "E0104", "Not a whole number (`k` = 1,000 and `M` = 1,000,000 may follow)."},
    CodeInfo{Code::bad_duration, "E0105", "Not a duration such as 30ms, 5s, 10m, 1h or 7d."},
    CodeInfo{Code::bad_size, "E0106", "Not a size such as 1KiB, 256MiB, 1GiB or plain octets."},
    CodeInfo{Code::out_of_range, "E0107", "The value is outside its range."},
    CodeInfo{Code::bad_choice, "E0108", "The value is not one of the allowed words."},
    CodeInfo{Code::bad_endpoint, "E0109", "Not a literal address and port such as 127.0.0.1:8080 or [::1]:8080."},
    CodeInfo{Code::bad_text, "E0110", "The text holds characters that are not allowed here, or has the wrong length."},
    CodeInfo{Code::bad_date, "E0111", "Not a UTC date or date-time such as 2027-01-31 or 2027-01-31T12:00:00Z."},
    CodeInfo{Code::duplicate_key, "E0112", "The same key is written twice in one map."},
    CodeInfo{Code::unknown_key, "E0113", "The key is not known here."},
    CodeInfo{Code::not_enforced, "E0114", "The setting is not enforced by this version, so it is refused."},
    CodeInfo{Code::repeated_item, "E0116", "A list names the same thing twice."},
    CodeInfo{Code::empty_collection, "E0117", "The list or map must not be empty."},
    CodeInfo{Code::bad_reference, "E0118", "`${` does not start ${env:NAME} or ${file:PATH}."},
    CodeInfo{Code::unset_variable, "E0119", "The environment variable is not set."},
    CodeInfo{Code::unreadable_reference, "E0120", "The file of a ${file:PATH} cannot be read."},
    CodeInfo{Code::empty_secret, "E0121", "A secret is empty."},
    CodeInfo{Code::placeholder_secret, "E0122", "A client key's secret is a well-known placeholder."},
    CodeInfo{Code::bad_money, "E0123", "Not an amount of US dollars such as 2000, 0.15 or \"0.15\"."},
    CodeInfo{Code::bad_name, "E0201", "A name holds characters that are not allowed, or has the wrong length."},
    CodeInfo{Code::duplicate_key_id, "E0205", "Two client keys have the same id."},
    CodeInfo{Code::duplicate_secret, "E0206", "Two client keys have the same secret."},
    CodeInfo{Code::unknown_provider, "E0207", "The provider is not defined."},
    CodeInfo{Code::unknown_team, "E0208", "The team is not defined."},
    CodeInfo{Code::unknown_org, "E0209", "The organization is not defined."},
    CodeInfo{Code::secret_or_hash, "E0210", "A client key has exactly one of secret and sha256."},
    CodeInfo{Code::alias_taken, "E0211", "An alias is the name or alias of another model."},
    CodeInfo{Code::bad_webhook_url, "E0212",
             "Not the URL of a webhook: http or https, a host, a path, perhaps a query; no user or fragment."},
    CodeInfo{Code::default_for_taken, "E0213", "Two providers are the default for the same routes."},
    CodeInfo{Code::bad_base_url, "E0214", "Not a base URL: http or https, a host, and a path without query or user."},
    CodeInfo{Code::http_not_private, "E0215", "Plain http to a provider or webhook without `private: true`."},
    CodeInfo{Code::address_not_private, "E0216", "A private or loopback address without `private: true`."},
    CodeInfo{Code::metadata_address, "E0217", "The address of a cloud metadata service is never an upstream."},
    CodeInfo{Code::admin_not_loopback, "E0218", "The admin listener binds to an address other than loopback."},
    CodeInfo{Code::address_taken, "E0219", "Two listeners share an address."},
    CodeInfo{Code::redis_without_master, "E0220", "Redis needs secrets.master, the same on every instance."},
    CodeInfo{Code::redis_without_keys, "E0221", "Redis is configured and no client key is."},
    CodeInfo{Code::bad_redis_url, "E0222", "Not redis://[user:password@]host[:port][/database]."},
    CodeInfo{Code::file_missing, "E0223", "A named file does not exist or cannot be read."},
    CodeInfo{Code::wildcard_misplaced, "E0224", "`*` stands where it has no meaning."},
    CodeInfo{Code::own_listener, "E0225", "The address of a provider or webhook is one of Tollgate's own listeners."},
    CodeInfo{Code::bad_range, "E0226", "Not an IP address or a range of them such as 10.1.0.0/16."},
    CodeInfo{Code::cidr_not_private, "E0227", "`cidr` without `private: true`."},
    CodeInfo{Code::address_outside_cidr, "E0228", "The address of a provider or webhook is outside its own `cidr`."},
    CodeInfo{Code::burst_twice, "E0229", "The burst of `rpm` is written in two places."},
    CodeInfo{Code::budget_period, "E0230", "A key of a budget and its `per` do not fit each other."},
    CodeInfo{Code::budget_twice, "E0231", "Two budgets of one scope have the same period."},
    CodeInfo{Code::unknown_model, "E0232", "The model is not configured."},
    CodeInfo{Code::price_twice, "E0233", "Two prices of a model begin on the same day, or two tiers at the same size."},
    CodeInfo{Code::no_price, "E0234", "A price or a tier says no price."},
    CodeInfo{Code::limit_above_parent, "W0301", "A limit is larger than the one above it and can never be reached."},
    CodeInfo{Code::model_matches_nothing, "W0302", "An allow-list names a model that is not configured."},
    CodeInfo{Code::burst_without_rate, "W0304", "`burst` has no effect without `rpm`."},
    CodeInfo{Code::never_fits, "W0305", "A limit is larger than the space it draws from."},
    CodeInfo{Code::short_master, "W0307", "secrets.master has fewer than 16 octets."},
};

const CodeInfo& info(Code code) noexcept {
    return *std::ranges::find(kCodes, code, &CodeInfo::code);
}

constexpr bool is_alnum(char c) noexcept {
    const char lower = ascii_lower(c);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z');
}

// One run of key characters: long, and mixing digits with letters the way random text does.
bool random_run(std::string_view run) noexcept {
    constexpr std::size_t kShortest = 20;
    if (run.size() < kShortest) return false;
    const auto digits = std::ranges::count_if(run, [](char c) { return c >= '0' && c <= '9'; });
    return digits >= 3 && static_cast<std::size_t>(digits) < run.size();
}

} // namespace

std::span<const CodeInfo> all_codes() noexcept {
    return kCodes;
}

void Sink::add(Code code, const Place& place, std::string message, Advice advice) {
    const CodeInfo& row = info(code);
    const Severity severity = row.text.starts_with('W') ? Severity::warning : Severity::error;
    if (severity == Severity::error) failed_ = true;
    diagnostics_.push_back({severity, std::string(row.text), std::move(message), place.mark, place.length,
                            std::move(advice.label), std::move(advice.help)});
}

std::vector<Diagnostic> Sink::take() {
    const auto order = [](const Diagnostic& d) { return std::tie(d.mark.line, d.mark.column, d.code, d.message); };
    std::ranges::sort(diagnostics_, {}, order);
    const auto repeated = std::ranges::unique(diagnostics_, {}, order);
    diagnostics_.erase(repeated.begin(), repeated.end());
    return std::exchange(diagnostics_, {});
}

std::string_view nearest(std::string_view text, std::span<const std::string_view> candidates) {
    // Two letters swapped are a distance of two, and the commonest slip.
    std::size_t limit = text.size() < 4 ? 1 : std::max<std::size_t>(2, text.size() / 3);
    std::string_view best;
    for (const std::string_view candidate : candidates) {
        const std::size_t distance = edit_distance(text, candidate, limit);
        if (distance > limit || distance * 2 > candidate.size()) continue;
        best = candidate;
        if (distance == 0) break;
        limit = distance - 1;
    }
    return best;
}

std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates) {
    const std::string_view best = nearest(text, candidates);
    if (best.empty()) return {};
    return "did you mean `" + std::string(best) + "`?";
}

std::string join(std::span<const std::string_view> words) {
    std::string out;
    for (const std::string_view word : words) {
        if (!out.empty()) out += ", ";
        out += word;
    }
    return out;
}

bool looks_like_credential(std::string_view text) noexcept {
    constexpr std::array<std::string_view, 6> kPrefixes = {"sk-", "tg_", "ghp_", "xoxb-", "AKIA", "Bearer "};
    constexpr std::size_t kShortest = 12;
    if (text.size() >= kShortest) {
        for (const std::string_view prefix : kPrefixes) {
            const std::size_t at = text.find(prefix);
            if (at != std::string_view::npos && (at == 0 || !is_alnum(text[at - 1]))) return true;
        }
    }
    std::size_t start = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const bool inside = i < text.size() && (is_alnum(text[i]) || text[i] == '+');
        if (inside) continue;
        if (random_run(text.substr(start, i - start))) return true;
        start = i + 1;
    }
    return false;
}

std::string quotable(std::string_view written) {
    constexpr std::size_t kLongest = 60;
    if (looks_like_credential(written)) return "…";
    std::string out;
    for (const char c : written.substr(0, kLongest)) {
        const auto u = static_cast<unsigned char>(c);
        out += u < 0x20 || u == 0x7F || c == '`' ? '?' : c;
    }
    if (written.size() <= kLongest) return out;
    // A cut inside a UTF-8 sequence would leave half a character on the terminal.
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0x80U) != 0) out.pop_back();
    return out + "…";
}

} // namespace tollgate::config
