// The rules of a request body, told its tokens one by one by whichever parser walks it. Pure, no parser inside.
#pragma once

#include "gateway/api/json_precheck.hpp"
#include "gateway/api/request_cost.hpp"

#include <array>
#include <vector>

namespace tollgate::api {

struct JsonScalar {
    enum class Kind : std::uint8_t { string, signed_integer, unsigned_integer, real, boolean, null };
    Kind kind = Kind::null;
    std::string_view text{}; // unescaped
    std::int64_t integer = 0;
    double real = 0; // of every number
    bool boolean = false;
};

// What a member of the root object means to the gateway.
enum class Member : std::uint8_t {
    other,
    model,
    stream,
    stream_options,
    store,
    background,
    limit,
    count,
    best_of,
    previous,
    conversation,
    prompt,
    web_search,
    temperature,
    seed,
    encoding,
    tools,
    messages,
    input,
    user,
    metadata,
    options,
    stop,
    opaque,
    priced,
    forbidden,
};

// Every call returns false once the body is refused; the walk then ends and error() says why. The views handed to
// key() must stay valid until the object is closed. Depth is bounded by precheck_json.
class RequestInspector {
  public:
    RequestInspector(Operation operation, RequestView& view, std::vector<std::string_view>& keys);

    bool open(bool object);
    bool key(std::string_view name);
    bool scalar(const JsonScalar& value);
    bool close();
    bool finish(); // after the root was closed

    [[nodiscard]] Error& error() noexcept { return *error_; }
    // Which root member `model` is, counted from 0; meaningful if the view has a model.
    [[nodiscard]] std::size_t model_member() const noexcept { return model_member_; }
    // Which one is the operation's own limit of the output with the value null, if one is.
    [[nodiscard]] std::optional<std::size_t> null_limit_member() const noexcept { return null_limit_member_; }

  private:
    struct Frame {
        bool object = false;
        std::size_t first_key = 0; // into keys_
    };

    bool refuse(std::string_view code, std::string message, std::string_view param = {});
    bool refuse_type(std::string_view wanted);
    bool begin_value();
    bool root_key(std::string_view name);
    [[nodiscard]] std::string_view resembled(std::string_view text) const;
    bool root_container(bool object);
    bool root_scalar(const JsonScalar& value);
    bool null_value();
    bool bounded_integer(const JsonScalar& value, std::int64_t low, std::int64_t high);
    bool count(const JsonScalar& value);
    bool model(const JsonScalar& value);
    bool nested_scalar(const JsonScalar& value);
    void hosted_tool();
    void item_scalar(const JsonScalar& value);
    void end_item();
    void note_reference(const JsonScalar& value);
    bool unique_keys();
    [[nodiscard]] bool may_hold_input() const noexcept;
    [[nodiscard]] bool may_cost() const noexcept;
    [[nodiscard]] std::string_view name() const noexcept { return keys_.empty() ? std::string_view{} : keys_.back(); }
    [[nodiscard]] std::string_view parent_name() const noexcept;
    [[nodiscard]] bool in_item() const noexcept;

    Operation operation_;
    RequestView& view_;
    CostReader cost_;
    std::vector<std::string_view>& keys_; // of all open objects, outermost first
    std::array<Frame, kMaxJsonDepth + 1> frames_{};
    std::size_t depth_ = 0;
    Member root_ = Member::other;
    std::string_view root_name_{};
    std::size_t root_member_ = 0;
    std::size_t elements_ = 0; // of the array that is the root member's value
    bool item_typed_ = false;  // the element of tools or input has a string `type`
    bool item_plain_ = false;  // … that runs at the client ("function", "custom")
    bool item_reference_ = false;
    bool item_role_ = false;
    std::size_t model_member_ = 0;
    std::optional<std::size_t> null_limit_member_{};
    bool has_model_ = false;
    std::optional<Error> error_;
};

} // namespace tollgate::api
