// Who may speak to the admin API: the bearer of the token, and no web page (R8, R9, case 264).
#pragma once

#include "config/config.hpp"
#include "gateway/admin/problem.hpp"
#include "gateway/base/secret.hpp"
#include "gateway/base/time.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::admin {

// `<store>/admin-token`: made at the first start (0600), never replaced; refused if others may read it.
[[nodiscard]] std::expected<Secret, std::string> load_or_make_token(const std::string& store_path);
// Only reads it.
[[nodiscard]] std::expected<Secret, std::string> load_token(const std::string& store_path);

// What of a request's head decides.
struct Head {
    std::string_view method;
    std::optional<std::string_view> host, origin, authorization, content_type;
    bool has_body = false;
};

// Nothing is wrong with where it comes from: 421 for a Host that is not this listener's (DNS rebinding), 403 for a
// request that a web page sends, 415 for a body that is not application/json.
[[nodiscard]] std::optional<Problem> check_head(const Head& head, const config::Endpoint& listener);

// Compares in constant time and slows nobody down who has the token: failures alone are counted.
class TokenGuard {
  public:
    explicit TokenGuard(Secret token) : token_(std::move(token)) {}
    // 401, or 429 after too many failures within a minute.
    [[nodiscard]] std::optional<Problem> check(const std::optional<std::string_view>& authorization, TimePoint now);

  private:
    Secret token_;
    unsigned failures_ = 0;
    TimePoint since_{};
};

} // namespace tollgate::admin
