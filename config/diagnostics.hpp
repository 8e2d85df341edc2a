// The stable codes of config diagnostics and the place they are collected in.
#pragma once

#include "config/load.hpp"

#include <span>

namespace tollgate::config {

// E00xx: the file as YAML. E01xx: one value. E02xx: values against each other. W03xx: warnings.
enum class Code : std::uint8_t {
    file_unreadable,
    file_too_large,
    not_utf8,
    control_character,
    syntax,
    too_deep,
    too_many_nodes,
    second_document,
    recursive_alias,
    tag,
    key_not_text,
    bad_merge,
    not_a_map,
    wrong_type,
    no_value,
    missing_key,
    bad_integer,
    bad_duration,
    bad_size,
    out_of_range,
    bad_choice,
    bad_endpoint,
    bad_text,
    bad_date,
    bad_money,
    duplicate_key,
    unknown_key,
    not_enforced,
    repeated_item,
    empty_collection,
    bad_reference,
    unset_variable,
    unreadable_reference,
    empty_secret,
    placeholder_secret,
    bad_name,
    duplicate_key_id,
    duplicate_secret,
    unknown_provider,
    unknown_team,
    unknown_org,
    secret_or_hash,
    alias_taken,
    default_for_taken,
    bad_base_url,
    http_not_private,
    address_not_private,
    metadata_address,
    admin_not_loopback,
    address_taken,
    redis_without_master,
    redis_without_keys,
    bad_redis_url,
    file_missing,
    wildcard_misplaced,
    own_listener,
    bad_webhook_url,
    bad_range,
    cidr_not_private,
    address_outside_cidr,
    burst_twice,
    budget_period,
    budget_twice,
    unknown_model,
    price_twice,
    no_price,
    limit_above_parent,
    model_matches_nothing,
    burst_without_rate,
    never_fits,
    short_master,
};

struct CodeInfo {
    Code code;
    std::string_view text;    // "E0113"
    std::string_view meaning; // one sentence for the reference page
};
[[nodiscard]] std::span<const CodeInfo> all_codes() noexcept;

// A stretch of one source line; `length` counts octets.
struct Place {
    Mark mark;
    std::size_t length = 1;
};

// What is said beside the underline and below it.
struct Advice {
    std::string label;
    std::string help;
};

// Collects diagnostics in any order; take() sorts them by place. A repetition of one (an alias used twice) is kept
// once.
class Sink {
  public:
    void add(Code code, const Place& place, std::string message, Advice advice = {});
    [[nodiscard]] bool failed() const noexcept { return failed_; }
    [[nodiscard]] std::vector<Diagnostic> take();

  private:
    std::vector<Diagnostic> diagnostics_;
    bool failed_ = false;
};

// The candidate nearest to `text`, or empty if none is near enough to be meant.
[[nodiscard]] std::string_view nearest(std::string_view text, std::span<const std::string_view> candidates);

// "did you mean `x`?", or empty.
[[nodiscard]] std::string did_you_mean(std::string_view text, std::span<const std::string_view> candidates);

// "a, b, c".
[[nodiscard]] std::string join(std::span<const std::string_view> words);

// What the operator wrote, safe for a terminal and a log: clipped, control characters replaced, and `…` in place of
// anything that looks like a credential.
[[nodiscard]] std::string quotable(std::string_view written);

// Long runs of mixed letters and digits and the well-known prefixes of API keys.
[[nodiscard]] bool looks_like_credential(std::string_view text) noexcept;

} // namespace tollgate::config
