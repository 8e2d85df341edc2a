#include "bad_configs.hpp"

#include "fixture.hpp"

#include <vector>

namespace tollgate::config::test {
namespace {

// Appended to the base, so it starts on line 6.
std::string with(std::string_view more) {
    return std::string(kBase) + std::string(more);
}

// A file with one provider; `{...}` is its value and stands at 3:6.
std::string provider(std::string_view value) {
    return "version: 1\nproviders:\n  p: " + std::string(value) +
           "\nmodels:\n  m: { upstreams: [ { provider: p } ] }\n";
}

// The value stands at 5:6.
std::string model(std::string_view value) {
    return "version: 1\nproviders:\n  p: { base_url: \"https://api.example.com\", api_keys: [ \"none\" ] }\nmodels:\n  "
           "m: " +
           std::string(value) + "\n";
}

std::string url(std::string_view base_url, std::string_view more = "") {
    return provider("{ base_url: \"" + std::string(base_url) + "\", api_keys: [ \"none\" ]" + std::string(more) + " }");
}

std::string nested(int depth) {
    return with("x: " + std::string(static_cast<std::size_t>(depth), '[') +
                std::string(static_cast<std::size_t>(depth), ']') + "\n");
}

const std::string kHash(64, 'a');
// SHA-256 of "changeme".
const std::string kPlaceholderHash = "057ba03d6c44104863dc7361fe4578965d1887360f90a0895882e58a6248fc86";

std::vector<BadConfig> yaml_cases() {
    return {
        {"empty_file", "", "E0013", 1, 1, "version: 1"},
        {"only_comments", "# nothing\n", "E0013", 1, 1, "empty"},
        {"list_at_top", "- a\n", "E0013", 1, 1, "not a map"},
        {"text_at_top", "hello\n", "E0013", 1, 1, "not a map"},
        {"not_utf8", "version: 1\nx: \xFF\n", "E0003", 2, 4, "0xFF"},
        {"surrogate", "x: \xED\xA0\x80\n", "E0003", 1, 4, "UTF-8"},
        {"end_of_transmission", "version: 1\nstore: \x04\n", "E0004", 2, 8, "0x04"},
        {"unclosed_bracket", "version: 1\nlisten: { api: \"127.0.0.1:1\"\n", "E0005", 3, 1,
         "a `{` before this place is not closed by `}`"},
        {"unclosed_list", "version: 1\nproviders: [ a\n", "E0005", 3, 1,
         "a `[` before this place is not closed by `]`"},
        {"tab_indent", "version: 1\nlisten:\n\tapi: \"127.0.0.1:1\"\n", "E0005", 3, 5, "line 3 is indented with a tab"},
        {"undefined_alias", with("cache: *nowhere\n"), "E0005", 6, 8, "anchor"},
        {"too_deep", nested(40), "E0006", 6, 35, "32 levels"},
        {"two_documents", with("---\nversion: 1\n"), "E0008", 7, 1, "second YAML document"},
        {"recursive_alias", with("x: &a [ *a ]\n"), "E0009", 6, 9, "inside the value"},
        {"tag", with("cache: { ttl: !!binary aGk= }\n"), "E0010", 6, 15, "binary"},
        {"list_as_key", with("? [ a ]\n: b\n"), "E0011", 6, 3, "must be text"},
        {"merge_of_text", with("cache: { <<: yes }\n"), "E0012", 6, 14, "`<<`"},
        {"duplicate_top_key", with("cache: {}\ndrain: {}\ncache: {}\n"), "E0112", 8, 1, "first written at 6:1"},
        {"duplicate_deep_key", with("cache: { ttl: 1h, ttl: 2h }\n"), "E0112", 6, 19, "`ttl` is written twice"},
        {"duplicate_name", with("teams:\n  a: {}\n  a: {}\n"), "E0112", 8, 3, "first written at 7:3"},
        {"duplicate_quoted_key", with("teams: { a: {}, \"a\": {} }\n"), "E0112", 6, 17, "written twice"},
    };
}

std::vector<BadConfig> shape_cases() {
    return {
        {"section_is_text", with("cache: yes\n"), "E0101", 6, 8, "got text, want a map"},
        {"list_is_text", with("keys: abc\n"), "E0101", 6, 7, "put it in brackets"},
        {"map_is_list", with("teams: [ a ]\n"), "E0101", 6, 8, "got a list, want a map of names"},
        {"scalar_is_list", with("cache: { ttl: [ 1h ] }\n"), "E0101", 6, 15, "got a list, want a duration"},
        {"quoted_integer", with("listen: { workers: \"4\" }\n"), "E0101", 6, 20, "remove the quotes"},
        {"quoted_boolean", with("cache: { enabled: \"true\" }\n"), "E0101", 6, 19, "got quoted text"},
        {"yes_as_boolean", with("cache: { enabled: yes }\n"), "E0101", 6, 19, "yes, no, on and off"},
        {"number_as_text", with("access_log: { path: 1 }\n"), "E0101", 6, 21, "put it in quotes"},
        {"null_value", with("cache:\n  ttl:\n  enabled: true\n"), "E0102", 7, 3, "has no value"},
        {"version_missing", std::string(kBase).substr(11), "E0103", 1, 1, "the file has no `version`"},
        {"providers_missing", "version: 1\nmodels: { m: { upstreams: [ { provider: p } ] } }\n", "E0103", 1, 1,
         "`providers`"},
        {"base_url_missing", provider("{ api_keys: [ \"x\" ] }"), "E0103", 3, 3, "no `base_url`"},
        {"key_id_missing", with("keys:\n  - { secret: abc-def }\n"), "E0103", 7, 5, "`keys[0]` has no `id`"},
        {"tls_key_missing", with("listen: { tls: { cert: /dev/null } }\n"), "E0103", 6, 11, "no `key`"},
        {"word_as_integer", with("listen: { max_connections: many }\n"), "E0104", 6, 28, "digits"},
        {"trusted_name", with("listen: { trusted_proxies: [ balancer ] }\n"), "E0110", 6, 30, "address range"},
        {"trusted_range_with_host_bits", with("listen: { trusted_proxies: [ 10.0.0.1/8 ] }\n"), "E0226", 6, 30,
         "bits beyond"},
        {"trusted_range_too_narrow", with("listen: { trusted_proxies: [ 10.0.0.0/33 ] }\n"), "E0226", 6, 30, "0 to 32"},
        {"head_above_the_buffer", with("listen: { limits: { head: 64KiB } }\n"), "E0107", 6, 27, "60KiB"},
        {"kilo_in_capitals", with("orgs: { default: { limits: { rpm: 5K } } }\n"), "E0104", 6, 35, "`k` (1,000)"},
        {"negative_integer", with("orgs: { default: { limits: { rpm: -1 } } }\n"), "E0104", 6, 35, "`-1`"},
        {"bare_duration", with("cache: { ttl: 30 }\n"), "E0105", 6, 15, "add a unit"},
        {"fraction_of_hour", with("cache: { ttl: 1.5h }\n"), "E0105", 6, 15, "ms, s, m, h, d"},
        {"size_in_mb", with("cache: { memory: 256MB }\n"), "E0106", 6, 18, "KiB, MiB or GiB"},
        {"version_2", "version: 2\n" + std::string(kBase).substr(11), "E0107", 1, 10,
         "want 1 |  | version: Version of this format."},
        {"no_workers", with("listen: { workers: 0 }\n"), "E0107", 6, 20, "`auto` or a whole number from 1 to 256"},
        {"rate_of_zero", with("orgs: { default: { limits: { rpm: 0 } } }\n"), "E0107", 6, 35, "from 1"},
        {"ttl_too_long", with("cache: { ttl: 400d }\n"), "E0107", 6, 15, "365d"},
        {"overflow", with("cache: { memory: 99999999999999999999GiB }\n"), "E0106", 6, 18, "too large"},
        {"scope_misspelt", with("cache: { scope: tema }\n"), "E0108", 6, 17, "did you mean `team`?"},
        {"kind_unknown", url("https://a.example", ", kind: anthropic"), "E0108", 3, 67, "want openai |  | kind: "},
        {"via_unknown", model("{ upstreams: [ { provider: p, via: completions } ] }"), "E0108", 5, 41, "want chat"},
        {"default_for_unknown", url("https://a.example", ", default_for: [ file ]"), "E0108", 3, 76,
         "did you mean `files`?"},
        {"routes_unknown", with("keys:\n  - { id: k, secret: abc-def, routes: [ chats ] }\n"), "E0108", 7, 41,
         "one of files"},
        {"format_misspelt", with("access_log: { format: jsno }\n"), "E0108", 6, 23, "did you mean `json`?"},
        {"port_alone", with("listen: { api: \":8080\" }\n"), "E0109", 6, 16, "0.0.0.0 for every interface"},
        {"name_as_address", with("listen: { api: \"localhost:8080\" }\n"), "E0109", 6, 16, "names are not looked up"},
        {"port_too_large", with("listen: { api: \"127.0.0.1:65536\" }\n"), "E0109", 6, 16, "0 to 65535"},
        {"v6_without_brackets", with("listen: { api: \"::1:8080\" }\n"), "E0109", 6, 16, "stands in brackets"},
        {"port_missing", with("listen: { api: \"127.0.0.1\" }\n"), "E0109", 6, 16, "port is missing"},
        {"prefix_with_braces",
         with("redis: { url: \"redis://h\", prefix: \"{t}\" }\nsecrets: { master: \"${env:MASTER}\" }\n"
              "keys: [ { id: k, secret: abc-def } ]\n"),
         "E0110", 6, 36, "1 to 64 letters"},
        {"hash_too_short", with("keys:\n  - { id: k, sha256: abcd }\n"), "E0110", 7, 22, "64 hexadecimal digits"},
        {"team_with_space", with("keys:\n  - { id: \"a b\", secret: abc-def }\n"), "E0110", 7, 11, "`a b`"},
        {"secret_with_space", with("keys:\n  - { id: k, secret: \"${env:SPACED}\" }\n"), "E0110", 7, 22,
         "without a space"},
        {"no_such_day", with("keys:\n  - { id: k, secret: abc-def, expires: 2027-02-30 }\n"), "E0111", 7, 40,
         "no such day"},
        {"local_time", with("keys:\n  - { id: k, secret: abc-def, expires: 2027-01-01T10:00:00 }\n"), "E0111", 7, 40,
         "Z"},
        {"unknown_top_key", with("cahce: {}\n"), "E0113", 6, 1, "did you mean `cache`?"},
        {"unknown_key_far", with("zebra: {}\n"), "E0113", 6, 1, "allowed keys: version, listen"},
        {"key_in_wrong_place", with("keys:\n  - { id: k, secret: abc-def, rpm: 5 }\n"), "E0113", 7, 31,
         "it belongs in `keys[].limits.rpm`"},
        {"merged_unknown_key", with("cache: { <<: { tll: 1h } }\n"), "E0113", 6, 16, "did you mean `ttl`?"},
        {"item_twice", url("https://a.example", ", default_for: [ files, files ]"), "E0116", 3, 83, "`files` twice"},
        {"no_provider", "version: 1\nproviders: {}\nmodels: { m: { upstreams: [ { provider: p } ] } }\n", "E0117", 2, 1,
         "`providers` must not be empty"},
        {"no_upstream", model("{ upstreams: [] }"), "E0117", 5, 8, "must not be empty"},
        {"no_api_key", provider("{ base_url: \"https://a.example\", api_keys: [] }"), "E0117", 3, 39, "api_keys"},
        {"redis_use_empty",
         with("redis: { url: \"redis://h\", use: [] }\nsecrets: { master: \"${env:MASTER}\" }\n"
              "keys: [ { id: k, secret: abc-def } ]\n"),
         "E0117", 6, 28, "`redis.use`"},
        {"strange_reference", with("store: { path: \"${vault:x}\" }\n"), "E0118", 6, 16, "${env:NAME} or ${file:PATH}"},
        {"open_reference", with("store: { path: \"${vault\" }\n"), "E0118", 6, 16, "literal"},
        {"open_reference_to_a_variable", with("secrets: { master: \"a${env:MASTER\" }\n"), "E0118", 6, 20,
         "not closed"},
        {"bad_variable_name", with("store: { path: \"${env:A-B}\" }\n"), "E0118", 6, 16, "letters, digits"},
        {"unset_variable", with("store: { path: \"/x/${env:NOPE}\" }\n"), "E0119", 6, 16, "NOPE is not set"},
        {"missing_secret_file", with("secrets: { master: \"${file:/nope/master}\" }\n"), "E0120", 6, 20,
         "/nope/master"},
        {"directory_as_file", with("secrets: { master: \"${file:/}\" }\n"), "E0120", 6, 20, "cannot be read"},
        {"empty_secret", with("keys:\n  - { id: k, secret: \"\" }\n"), "E0121", 7, 22, "is empty"},
        {"empty_variable_as_secret", with("secrets: { master: \"${env:EMPTY}\" }\n"), "E0121", 6, 20, "is empty"},
    };
}

std::vector<BadConfig> later_cases() {
    const std::string fleet = "\nsecrets: { master: \"${env:MASTER}\" }\nkeys: [ { id: k, secret: abc-def } ]\n";
    return {
        {"redis_use_limits", with("redis: { url: \"redis://h\", use: [ cache, limits ] }" + fleet), "E0114", 6, 42,
         "limits"},
        {"fallbacks", model("{ upstreams: [ { provider: p } ], fallbacks: [ x ] }"), "E0114", 5, 40, "fallback models"},
        {"upstream_cidr", model("{ upstreams: [ { provider: p, cidr: [] } ] }"), "E0114", 5, 36, "address lists"},
        {"on_disconnect", url("https://a.example", ", on_disconnect: drain"), "E0114", 3, 61, "client left"},
        {"cache_buckets", with("cache: { buckets: 4 }\n"), "E0114", 6, 10, "cache buckets"},
        {"log_format", with("access_log: { format: apache }\n"), "E0114", 6, 23, "not enforced by this version"},
    };
}

std::vector<BadConfig> limit_cases() {
    const auto key = [](std::string_view more) {
        return with("keys:\n  - { id: k, secret: abc-def, " + std::string(more) + " }\n"); // `more` stands at 7:31
    };
    const auto priced = [](std::string_view price) {
        return model("{ upstreams: [ { provider: p } ], price: " + std::string(price) + " }"); // 5:40, value 5:47
    };
    return {
        {"limit_without_value", with("orgs:\n  default:\n    limits:\n      tpm:\n"), "E0102", 9, 7, "whole number"},
        {"limit_is_text", key("limits: { tpm: [ 5 ] }"), "E0101", 7, 46, "or a map"},
        {"limit_map_empty", key("limits: { tpm: {} }"), "E0103", 7, 41, "no `limit`"},
        {"limit_too_large", key("limits: { tpm: 2000M }"), "E0107", 7, 46, "`keys[0].limits.tpm` is `2000M`"},
        {"limit_key_misspelt", key("limits: { tpm: { limit: 5, brust: 6 } }"), "E0113", 7, 58, "`burst`"},
        {"limits_key_misspelt", key("limits: { input_tmp: 5 }"), "E0113", 7, 41, "did you mean `input_tpm`?"},
        {"last_call_of_a_rate", key("limits: { rpm: { limit: 5, mode: last_call } }"), "E0108", 7, 64,
         "strict, balanced, soft"},
        {"burst_of_concurrency", key("limits: { concurrency: { limit: 5, burst: 6 } }"), "E0113", 7, 66, "burst"},
        {"burst_twice", key("limits: { rpm: { limit: 5, burst: 6 }, burst: 6 }"), "E0229", 7, 77, "are the same"},
        {"raise_without_end", key("limits: { rpm: { limit: 5, raise: { by: 6 } } }"), "E0103", 7, 58, "no `until`"},
        {"budget_is_a_number", key("budget: 5"), "E0101", 7, 39, "want a map or a list of maps"},
        {"budget_empty_list", key("budget: []"), "E0117", 7, 31, "`keys[0].budget`"},
        {"budget_without_period", key("budget: { usd: 5 }"), "E0103", 7, 31, "no `per`"},
        {"budget_in_euro", key("budget: { eur: 5, usd: 5, per: day }"), "E0113", 7, 41, "allowed keys: usd"},
        {"budget_negative", key("budget: { usd: -5, per: day }"), "E0123", 7, 46, "`-5`"},
        {"budget_too_fine", key("budget: { usd: \"0.0000000001\", per: day }"), "E0123", 7, 46, "nine decimal"},
        {"budget_with_exponent", key("budget: { usd: 1e3, per: day }"), "E0123", 7, 46, "`1e3`"},
        {"budget_is_true", key("budget: { usd: true, per: day }"), "E0101", 7, 46, "got true or false"},
        {"budget_too_large", key("budget: { usd: 1000000001, per: day }"), "E0107", 7, 46, "1000000000"},
        {"period_misspelt", key("budget: { usd: 5, per: mouth }"), "E0108", 7, 54, "did you mean `month`?"},
        {"zone_with_space", key("budget: { usd: 5, per: day, timezone: \"Europe / Berlin\" }"), "E0110", 7, 69, "IANA"},
        {"anchor_of_a_day", key("budget: { usd: 5, per: day, anchor_day: 5 }"), "E0230", 7, 71, "`per: month`"},
        {"anchor_too_late", key("budget: { usd: 5, per: month, anchor_day: 32 }"), "E0107", 7, 73, "1 to 31"},
        {"week_start_of_a_month", key("budget: { usd: 5, per: month, week_start: monday }"), "E0230", 7, 73,
         "`per: week`"},
        {"window_of_a_day", key("budget: { usd: 5, per: day, window: 7d }"), "E0230", 7, 67, "`per: rolling`"},
        {"rolling_without_window", key("budget: { usd: 5, per: rolling }"), "E0230", 7, 54, "window: 7d"},
        {"zone_of_a_lifetime", key("budget: { usd: 5, per: lifetime, timezone: UTC }"), "E0230", 7, 74, "calendar"},
        {"budget_twice", key("budget: [ { usd: 5, per: day }, { usd: 6, per: day } ]"), "E0231", 7, 63,
         "first at 7:41"},
        {"share_of_unknown_model", key("per_model: { mm: { limits: { rpm: 5 } } }"), "E0232", 7, 44,
         "configured models: m"},
        {"share_of_alias",
         model("{ aliases: [ small ], upstreams: [ { provider: p } ] }\n"
               "teams: { t: { per_model: { small: { budget: { usd: 1, per: day } } } } }"),
         "E0232", 6, 28, "an alias of `m`"},
        {"share_with_share", key("per_model: { m: { per_model: {} } }"), "E0113", 7, 49,
         "allowed keys: limits, budget"},
        {"price_unknown_class", priced("{ inptu: 1 }"), "E0113", 5, 49, "did you mean `input`?"},
        {"price_of_nothing", priced("{ from: 2026-12-01 }"), "E0234", 5, 40, "the price 0"},
        {"price_too_fine", priced("{ input: 0.0000001 }"), "E0123", 5, 56, "six decimal places"},
        {"price_twice", priced("[ { input: 1 }, { input: 2 } ]"), "E0233", 5, 63, "same day"},
        {"tier_twice", priced("{ input: 1, tiers: [ { above: 5, input: 2 }, { above: 5, input: 3 } ] }"), "E0233", 5,
         101, "another tier"},
        {"tier_without_start", priced("{ input: 1, tiers: [ { input: 2 } ] }"), "E0103", 5, 68, "no `above`"},
        {"tier_of_nothing", priced("{ input: 1, tiers: [ { above: 5 } ] }"), "E0234", 5, 68, "says no price"},
        {"price_list_missing", with("prices: { import: [ /nope/prices.json ] }\n"), "E0223", 6, 21,
         "`prices.import[0]`: cannot read /nope/prices.json"},
        {"output_above_context", model("{ upstreams: [ { provider: p } ], max_output: 9, context: 8 }"), "W0305", 5, 52,
         "part of the context"},
        {"tokens_above_team",
         with("teams: { t: { limits: { tpm: 10 } } }\n"
              "keys: [ { id: k, team: t, secret: abc-def, limits: { tpm: { limit: 11 } } } ]\n"),
         "W0301", 7, 54, "`keys[0].limits.tpm` is 11, above the 10 of team `t`"},
    };
}

std::vector<BadConfig> relation_cases() {
    const std::string keys = "keys:\n  - { id: a, secret: abc-def }\n";
    return {
        {"bad_provider_name",
         "version: 1\nproviders:\n  \"p q\": { base_url: \"https://a.example\", api_keys: [ \"x\" ] }\n"
         "  r: { base_url: \"https://b.example\", api_keys: [ \"x\" ] }\n"
         "models: { m: { upstreams: [ { provider: r } ] } }\n",
         "E0201", 3, 3, "1 to 64 letters"},
        {"bad_model_name", with("  \"a b\": { upstreams: [ { provider: p } ] }\n"), "E0201", 6, 3, "`a b` is no name"},
        {"duplicate_key_id", with(keys + "  - { id: a, secret: abc-deg }\n"), "E0205", 8, 11, "first used at 7:11"},
        {"duplicate_secret", with(keys + "  - { id: b, secret: abc-def }\n"), "E0206", 8, 22,
         "`keys[0]` and `keys[1]`"},
        {"duplicate_hash",
         with("keys:\n  - { id: a, sha256: " + kHash + " }\n  - { id: b, sha256: " + std::string(64, 'A') + " }\n"),
         "E0206", 8, 22, "the same secret"},
        {"unknown_provider", model("{ upstreams: [ { provider: q2 } ] }"), "E0207", 5, 33, "defined providers: p"},
        {"unknown_team", with("teams: { search: {} }\nkeys: [ { id: k, secret: abc-def, team: serach } ]\n"), "E0208",
         7, 41, "did you mean `search`?"},
        {"unknown_org", with("teams: { search: { org: nowhere } }\n"), "E0209", 6, 25, "defined orgs: default"},
        {"secret_and_hash", with("keys:\n  - { id: k, secret: abc-def, sha256: " + kHash + " }\n"), "E0210", 7, 39,
         "both"},
        {"no_secret", with("keys:\n  - { id: k }\n"), "E0210", 7, 5, "neither"},
        {"alias_is_model", with("  n: { aliases: [ m ], upstreams: [ { provider: p } ] }\n"), "E0211", 6, 19,
         "the name of a model"},
        {"alias_twice",
         model("{ aliases: [ s ], upstreams: [ { provider: p } ] }\n"
               "  n: { aliases: [ s ], upstreams: [ { provider: p } ] }"),
         "E0211", 6, 19, "belongs to `models.m`"},
        {"alias_of_wildcard", with("  \"f:*\": { aliases: [ s ], upstreams: [ { provider: p } ] }\n"), "E0224", 6, 12,
         "wildcard"},
        {"alias_with_star", model("{ aliases: [ \"s*\" ], upstreams: [ { provider: p } ] }"), "E0110", 5, 19, "`s*`"},
        {"default_for_taken",
         "version: 1\nproviders:\n"
         "  p: { base_url: \"https://a.example\", api_keys: [ \"x\" ], default_for: [ \"*\" ] }\n"
         "  q: { base_url: \"https://b.example\", api_keys: [ \"x\" ], default_for: [ batches ] }\n"
         "models: { m: { upstreams: [ { provider: p } ] } }\n",
         "E0213", 4, 58, "both the default for `batches`"},
        {"placeholder_secret", with("keys:\n  - { id: k, secret: sk-1234 }\n"), "E0122", 7, 22, "placeholder"},
        {"placeholder_capitals", with("keys:\n  - { id: k, secret: ChangeMe }\n"), "E0122", 7, 22, "openssl rand"},
        {"placeholder_hash", with("keys:\n  - { id: k, sha256: " + kPlaceholderHash + " }\n"), "E0122", 7, 22,
         "placeholder"},
        {"placeholder_master", with("secrets: { master: admin }\n"), "E0122", 6, 20, "placeholder"},
    };
}

std::vector<BadConfig> network_cases() {
    const std::string fleet = "\nsecrets: { master: \"${env:MASTER}\" }\nkeys: [ { id: k, secret: abc-def } ]\n";
    return {
        {"url_without_scheme", url("api.example.com/v1"), "E0214", 3, 18, "https://"},
        {"url_with_query", url("https://a.example/v1?x=1"), "E0214", 3, 18, "query"},
        {"url_with_fragment", url("https://a.example/#x"), "E0214", 3, 18, "fragment"},
        {"url_with_user", url("https://u:pw@a.example/"), "E0214", 3, 18, "user or password"},
        {"url_with_dots", url("https://a.example/a/../b"), "E0214", 3, 18, "dot segment"},
        {"url_in_hex", url("https://0x7f000001/"), "E0214", 3, 18, "four decimal numbers"},
        {"url_short_address", url("https://127.1/"), "E0214", 3, 18, "four decimal numbers"},
        {"http", url("http://a.example/v1"), "E0215", 3, 18, "private: true"},
        {"loopback", url("https://127.0.0.1/v1"), "E0216", 3, 18, "private: true"},
        {"private_range", url("http://10.1.2.3/v1"), "E0216", 3, 18, "private or loopback"},
        {"mapped_loopback", url("https://[::ffff:127.0.0.1]/v1"), "E0216", 3, 18, "private or loopback"},
        {"localhost", url("http://localhost:1/v1"), "E0216", 3, 18, "loopback"},
        {"metadata", url("http://169.254.169.254/v1", ", private: true"), "E0217", 3, 18, "never an upstream"},
        {"metadata_v6", url("http://[fd00:ec2::254]/v1", ", private: true"), "E0217", 3, 18, "metadata"},
        {"metadata_name", url("http://Metadata.google.internal./v1", ", private: true"), "E0217", 3, 18, "metadata"},
        {"admin_public", with("listen: { admin: \"0.0.0.0:9090\" }\n"), "E0218", 6, 18, "loopback"},
        {"admin_on_lan", with("listen: { admin: \"192.168.1.1:9090\" }\n"), "E0218", 6, 18, "R8"},
        {"same_address", with("listen: { api: \"127.0.0.1:1\", metrics: \"127.0.0.1:1\" }\n"), "E0219", 6, 40,
         "the address of `listen.api`"},
        {"covered_address", with("listen: { api: \"0.0.0.0:9090\", admin: \"[::1]:9090\" }\n"), "E0219", 6, 39,
         "taken"},
        {"default_address_taken", with("listen: { metrics: \"127.0.0.1:8080\" }\n"), "E0219", 6, 20, "listen.api"},
        {"own_listener", url("http://127.0.0.1:8080/v1", ", private: true"), "E0225", 3, 18, "Tollgate itself"},
        {"cidr_text", url("http://10.1.2.3/v1", ", private: true, cidr: [ \"10.1/16\" ]"), "E0226", 3, 85,
         "written out"},
        {"cidr_host_bits", url("http://10.1.2.3/v1", ", private: true, cidr: [ \"10.1.2.3/16\" ]"), "E0226", 3, 85,
         "bits beyond"},
        {"cidr_name", url("http://10.1.2.3/v1", ", private: true, cidr: [ \"ten/16\" ]"), "E0110", 3, 85,
         "address range"},
        {"cidr_empty", url("http://10.1.2.3/v1", ", private: true, cidr: []"), "E0117", 3, 77, "cidr"},
        {"cidr_not_private", url("https://a.example", ", cidr: [ \"10.1.0.0/16\" ]"), "E0227", 3, 61, "private: true"},
        {"outside_cidr", url("http://10.2.2.3/v1", ", private: true, cidr: [ \"10.1.0.0/16\" ]"), "E0228", 3, 18,
         "outside its `cidr`"},
        {"webhook_without_url", with("alerts: { webhook: { secret: abc-def } }\n"), "E0103", 6, 11, "no `url`"},
        {"webhook_with_user", with("alerts: { webhook: { url: \"https://u@h.example/\" } }\n"), "E0212", 6, 27,
         "user or password"},
        {"webhook_with_fragment", with("alerts: { webhook: { url: \"https://h.example/?a#b\" } }\n"), "E0212", 6, 27,
         "fragment"},
        {"webhook_over_http", with("alerts: { webhook: { url: \"http://h.example/\" } }\n"), "E0215", 6, 27,
         "`alerts.webhook` is called over plain http"},
        {"webhook_on_loopback", with("alerts: { webhook: { url: \"https://127.0.0.1/\" } }\n"), "E0216", 6, 27,
         "private: true"},
        {"webhook_at_metadata", with("alerts: { webhook: { url: \"http://169.254.169.254/\", private: true } }\n"),
         "E0217", 6, 27, "metadata"},
        {"webhook_is_own_listener", with("alerts: { webhook: { url: \"http://127.0.0.1:8080/\", private: true } }\n"),
         "E0225", 6, 27, "`alerts.webhook` is Tollgate itself"},
        {"webhook_cidr_not_private",
         with("alerts: { webhook: { url: \"https://h.example/\", cidr: [ \"10.1.0.0/16\" ] } }\n"), "E0227", 6, 49,
         "private: true"},
        {"webhook_placeholder", with("alerts: { webhook: { url: \"https://h.example/\", secret: changeme } }\n"),
         "E0122", 6, 57, "placeholder"},
        {"webhook_timeout", with("alerts: { webhook: { url: \"https://h.example/\", timeout: 0s } }\n"), "E0107", 6, 58,
         "100ms"},
        {"webhook_ca_missing", with("alerts: { webhook: { url: \"https://h.example/\", ca_file: /nope/ca.pem } }\n"),
         "E0223", 6, 58, "/nope/ca.pem"},
        {"redis_without_master", with("redis: { url: \"redis://h\" }\nkeys: [ { id: k, secret: abc-def } ]\n"), "E0220",
         6, 1, "secrets.master"},
        {"redis_without_keys", with("redis: { url: \"redis://h\" }\nsecrets: { master: \"${env:MASTER}\" }\n"), "E0221",
         6, 1, "no client key"},
        {"redis_url", with("redis: { url: \"http://h\" }" + fleet), "E0222", 6, 15, "redis://"},
        {"redis_tls", with("redis: { url: \"rediss://h\" }" + fleet), "E0222", 6, 15, "not enforced by this version"},
        {"redis_port", with("redis: { url: \"redis://h:0\" }" + fleet), "E0222", 6, 15, "port"},
        {"tls_file_missing", with("listen: { tls: { cert: /nope/c.pem, key: /dev/null } }\n"), "E0223", 6, 24,
         "/nope/c.pem"},
        {"client_ca_missing", with("listen: { tls: { cert: /dev/null, key: /dev/null, client_ca: /nope/ca.pem } }\n"),
         "E0223", 6, 62, "/nope/ca.pem"},
        {"ca_file_missing", url("https://a.example", ", ca_file: /nope/ca.pem"), "E0223", 3, 70, "/nope/ca.pem"},
        {"provider_key_with_space", provider("{ base_url: \"https://a.example\", api_keys: [ \"${env:SPACED}\" ] }"),
         "E0110", 3, 51, "header"},
    };
}

std::vector<BadConfig> warning_cases() {
    return {
        {"key_above_team",
         with("teams: { t: { limits: { rpm: 10 } } }\n"
              "keys: [ { id: k, team: t, secret: abc-def, limits: { rpm: 11 } } ]\n"),
         "W0301", 7, 59, "above the 10 of team `t`"},
        {"team_above_org", with("orgs: { default: { limits: { rpm: 10 } } }\nteams: { t: { limits: { rpm: 11 } } }\n"),
         "W0301", 7, 30, "org `default`"},
        {"allowed_model_unknown", with("teams: { t: { models: [ mm ] } }\n"), "W0302", 6, 25, "configured models: m"},
        {"burst_alone", with("teams: { t: { limits: { burst: 5 } } }\n"), "W0304", 6, 32, "no effect"},
        {"entry_above_memory", with("cache: { memory: 1MiB, max_entry: 2MiB }\n"), "W0305", 6, 35, "cache.memory"},
        {"body_above_held", with("body: { held: 1MiB }\n"), "W0305", 6, 15, "body.json"},
        {"short_master", with("secrets: { master: abc }\n"), "W0307", 6, 20, "fewer than 16"},
    };
}

std::vector<BadConfig> all_cases() {
    std::vector<BadConfig> out;
    for (auto part : {yaml_cases(), shape_cases(), later_cases(), limit_cases(), relation_cases(), network_cases(),
                      warning_cases()}) {
        for (BadConfig& bad : part) out.push_back(std::move(bad));
    }
    return out;
}

} // namespace

std::span<const BadConfig> bad_configs() {
    static const std::vector<BadConfig> cases = all_cases();
    return cases;
}

} // namespace tollgate::config::test
