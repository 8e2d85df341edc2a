// What the gateway needs to know of a complete JSON answer: is it whole, may it be cached, what did it use. Pure.
#pragma once

#include "gateway/api/request_view.hpp"
#include "gateway/api/route.hpp"
#include "gateway/api/usage.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api {

// How choices ended, as a set; a response's status counts as one. For the log.
enum class FinishReason : std::uint8_t { stop, length, tool_calls, function_call, content_filter, other };
inline constexpr std::array<std::string_view, 6> kFinishReasons{"stop",          "length",         "tool_calls",
                                                                "function_call", "content_filter", "other"};
using FinishReasons = std::uint8_t; // bit of each

struct AnswerView {
    bool has_error = false;        // a truthy top-level `error`
    bool content_filtered = false; // any finish_reason content_filter, or an unknown one
    bool cut_by_length = false;    // any finish_reason length, or a response that is incomplete
    bool complete = true;          // every choice finished; a response's status is completed
    std::string_view id, model;    // as the provider says; until the next read()
    FinishReasons finished = 0;
    bool no_choices = false; // `choices` is there and empty: a chunk that only tells the usage, say
    Usage usage;
};

// Owns its parser; one per worker.
class AnswerReader {
  public:
    AnswerReader();
    ~AnswerReader();
    AnswerReader(const AnswerReader&) = delete;
    AnswerReader& operator=(const AnswerReader&) = delete;

    // Nothing if the body is not one valid JSON object. The body is copied if it lacks the parser's padding.
    [[nodiscard]] std::optional<AnswerView> read(std::string_view body, Operation operation);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// design §10: complete, no error, no content_filter, `length` only if the request set a maximum itself.
[[nodiscard]] bool may_store(const AnswerView& answer, const RequestView& request) noexcept;

// Why a request is not looked up, as the closed label of tollgate_cache_bypass_total; empty if it is eligible.
struct CacheRules {
    bool enabled = false;
    bool sampled = true;
};
[[nodiscard]] std::string_view bypass_reason(const Route& route, const RequestView& request,
                                             const CacheRules& rules) noexcept;

} // namespace tollgate::api
