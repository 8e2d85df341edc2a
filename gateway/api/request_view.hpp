// One strict pass over a JSON request body: what was checked is what is forwarded (design §7, reliability §3).
#pragma once

#include "gateway/api/request_cost.hpp"
#include "gateway/api/route.hpp"
#include "gateway/base/error.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::api {

// Place of a value's token in the body, so that it can be spliced without re-serialising the prompt.
struct Span {
    std::size_t offset = 0;
    std::size_t length = 0;
    [[nodiscard]] bool present() const noexcept { return length != 0; }
};

struct RequestView {
    std::string model; // decoded; empty if absent
    Span model_token;  // with its quotes
    bool stream = false;
    bool include_usage = false; // stream_options.include_usage
    bool store = false;
    bool store_present = false;
    bool has_previous_response = false; // previous_response_id, conversation, background: true, prompt
    bool has_hosted_tools = false;      // a tool whose type is neither "function" nor "custom"; web_search_options
    bool has_remote_content = false;    // file_id, or an image/file URL that is not data:
    std::optional<double> temperature;
    bool has_seed = false;
    bool has_max_tokens = false; // max_tokens, max_completion_tokens or max_output_tokens
    bool wants_base64 = false;   // embeddings: encoding_format "base64"
    std::size_t members = 0;     // of the top-level object
    RequestCost cost;
    Span null_limit; // the null of `"max_tokens":null`, where that is the operation's own limit of the output
};

// Owns simdjson's parser; one per worker, one body at a time. Not thread-safe.
class RequestReader {
  public:
    RequestReader();
    ~RequestReader();
    RequestReader(const RequestReader&) = delete;
    RequestReader& operator=(const RequestReader&) = delete;

    // `body` must have padding() spare octets of capacity after its end (std::string::reserve).
    // Errors are 400 caller_invalid_request with OpenAI's code: duplicate keys at any depth (after unescaping),
    // depth > 64, more than 100,000 values (1,000,000 on embeddings and completions), keys > 256 octets, invalid UTF-8,
    // trailing octets, not an object, `stream` not a boolean, `model` not a clean string, max tokens or n below 1 or
    // not integers. The root object must not repeat a policy key in another letter case (row 26). One exception to 400:
    // a model name with characters outside ASCII is 404 caller_model_unknown (row 51), said only of a body without
    // other faults.
    [[nodiscard]] Result<RequestView> read(const std::string& body, Operation operation);
    [[nodiscard]] static std::size_t padding() noexcept;

    // Which parser walks a body is decided by its size; tests name it to show that both agree. A DOM above 64 KiB is
    // not available and falls back to On-Demand.
    enum class Parser : std::uint8_t { dom, on_demand };
    [[nodiscard]] Result<RequestView> read(const std::string& body, Operation operation, Parser parser);

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

// The body with its model token replaced, as at most three pieces that reference `body` and `quoted_model`.
struct Pieces {
    std::string_view before, model, after;
};
[[nodiscard]] Pieces splice_model(std::string_view body, Span token, std::string_view quoted_model) noexcept;
// Body of an engine-path request (0.28): the model is added as the first member. `members` as in RequestView.
[[nodiscard]] std::string insert_model(std::string_view body, std::string_view model, std::size_t members);

// The member that limits the tokens of one answer at current servers; empty where there is none, so that a limit cannot
// be put in. Static storage.
[[nodiscard]] std::string_view output_limit_field(Operation operation) noexcept;
// The same for one route: other paths of an operation (edits, compact) know no such member.
[[nodiscard]] std::string_view output_limit_field(const Route& route) noexcept;
// The body with the limit `cap` as the first member, or in place of the null that stood there. The view, which must be
// of this very body, describes the result afterwards. `field`: the operation's own; a body that has one is no input.
[[nodiscard]] std::string insert_max_tokens(std::string_view body, RequestView& view, std::string_view field,
                                            std::uint64_t cap);

} // namespace tollgate::api
