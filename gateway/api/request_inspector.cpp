#include "gateway/api/request_inspector.hpp"

#include "gateway/api/model_name.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>

namespace tollgate::api {
namespace {

using Kind = JsonScalar::Kind;

constexpr std::size_t kMaxMessages = 4096;
constexpr std::size_t kMaxTools = 512;
constexpr std::size_t kMaxStops = 1024;
constexpr std::size_t kMaxMetadataPairs = 16;
constexpr std::size_t kMaxMetadataChars = 512;

struct Known {
    std::string_view name;
    Member member;
};

// Members with a meaning here. A key that equals one of them in another letter case is refused (row 26): decoders
// that fold case would read it as the real one, and later keys win there.
constexpr std::array kKnown{
    Known{"model", Member::model},
    Known{"stream", Member::stream},
    Known{"stream_options", Member::stream_options},
    Known{"store", Member::store},
    Known{"background", Member::background},
    Known{"max_tokens", Member::limit},
    Known{"max_completion_tokens", Member::limit},
    Known{"max_output_tokens", Member::limit},
    Known{"n", Member::count},
    Known{"num_images", Member::count},
    Known{"candidate_count", Member::count},
    Known{"best_of", Member::best_of},
    Known{"previous_response_id", Member::previous},
    Known{"conversation", Member::conversation},
    Known{"prompt", Member::prompt},
    Known{"web_search_options", Member::web_search},
    Known{"temperature", Member::temperature},
    Known{"seed", Member::seed},
    Known{"encoding_format", Member::encoding},
    Known{"tools", Member::tools},
    Known{"messages", Member::messages},
    Known{"input", Member::input},
    Known{"user", Member::user},
    Known{"metadata", Member::metadata},
    Known{"litellm_params", Member::options},
    Known{"extra_body", Member::options},
    Known{"stop", Member::stop},
    Known{"functions", Member::opaque},
    Known{"response_format", Member::opaque},
    Known{"text", Member::opaque},
    Known{"tool_choice", Member::opaque},
    Known{"service_tier", Member::priced},
    Known{"modalities", Member::priced},
    Known{"audio", Member::priced},
    Known{"prediction", Member::priced},
    Known{"max_tool_calls", Member::priced},
    Known{"partial_images", Member::priced},
    Known{"quality", Member::priced},
    Known{"size", Member::priced},
    Known{"thinking", Member::priced},
    Known{"reasoning", Member::priced},
};

// Quickly false for nearly every pair; folds_to() decides.
bool may_fold(std::string_view text, std::string_view lower) noexcept {
    if (text.size() < lower.size()) return false;
    const char first = text.front();
    return static_cast<unsigned char>(first) >= 0x80 || ascii_lower(first) == lower.front();
}

std::size_t characters(std::string_view utf8) noexcept {
    return static_cast<std::size_t>(
        std::ranges::count_if(utf8, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

bool is_data_url(std::string_view url) noexcept {
    return url.size() >= 5 && iequals(url.substr(0, 5), "data:");
}

// Objects that quote where an earlier answer came from: their ids and URLs are not fetched by anybody.
bool is_citation(std::string_view parent) noexcept {
    static constexpr std::array<std::string_view, 8> kNames{
        "annotations", "url_citation", "file_citation", "container_file_citation",
        "file_path",   "action",       "sources",       "results",
    };
    return std::ranges::find(kNames, parent) != kNames.end();
}

std::string quoted(std::string_view name) {
    return "`" + std::string(name.substr(0, 64)) + "`";
}

} // namespace

RequestInspector::RequestInspector(Operation operation, RequestView& view, std::vector<std::string_view>& keys)
    : operation_(operation), view_(view), cost_(operation, view.cost), keys_(keys) {
    keys_.clear();
}

bool RequestInspector::refuse(std::string_view code, std::string message, std::string_view param) {
    error_ = invalid_request(code, std::move(message), param);
    return false;
}

bool RequestInspector::refuse_type(std::string_view wanted) {
    return refuse("invalid_type", quoted(name()) + " must be " + std::string(wanted) + ".", name());
}

std::string_view RequestInspector::parent_name() const noexcept {
    for (std::size_t at = depth_; at > 0; --at) {
        if (frames_[at].object) return frames_[at].first_key == 0 ? "" : keys_[frames_[at].first_key - 1];
    }
    return {};
}

bool RequestInspector::in_item() const noexcept {
    return depth_ == 3 && !frames_[2].object && frames_[3].object && (root_ == Member::tools || root_ == Member::input);
}

bool RequestInspector::may_hold_input() const noexcept {
    return root_ == Member::other || root_ == Member::messages || root_ == Member::input || root_ == Member::prompt;
}

bool RequestInspector::may_cost() const noexcept {
    return may_hold_input() || root_ == Member::priced || root_ == Member::options;
}

bool RequestInspector::begin_value() {
    if (depth_ != 2 || frames_[2].object) return true;
    ++elements_;
    const auto over = [&](Member member, std::size_t cap) { return root_ == member && elements_ > cap; };
    if (over(Member::messages, kMaxMessages) || over(Member::tools, kMaxTools) || over(Member::stop, kMaxStops))
        return refuse("too_many_values", quoted(name()) + " has too many elements.", name());
    return true;
}

bool RequestInspector::open(bool object) {
    if (!begin_value()) return false;
    if (depth_ == 1 && !root_container(object)) return false;
    if (depth_ == 2 && !frames_[2].object) cost_.element();
    if (in_item() && name() == "tools" && root_ == Member::input) hosted_tool();
    frames_[++depth_] = {object, keys_.size()};
    if (depth_ == 2) elements_ = 0;
    if (in_item()) item_typed_ = item_plain_ = item_reference_ = item_role_ = false;
    return true;
}

bool RequestInspector::close() {
    const Frame frame = frames_[depth_];
    if (in_item()) end_item();
    if (frame.object && !unique_keys()) return false;
    if (depth_ == 1) view_.members = keys_.size();
    keys_.resize(frame.first_key);
    --depth_;
    return true;
}

// Sorting, not hashing: no choice of keys makes it slow (row 29), and an object has at most 1,024 of them.
bool RequestInspector::unique_keys() {
    const auto first = keys_.begin() + static_cast<std::ptrdiff_t>(frames_[depth_].first_key);
    if (keys_.end() - first < 2) return true;
    std::sort(first, keys_.end());
    const auto twice = std::adjacent_find(first, keys_.end());
    if (twice == keys_.end()) return true;
    return refuse("duplicate_key", "The key " + quoted(*twice) + " appears twice in one object.",
                  depth_ == 1 ? *twice : std::string_view{});
}

bool RequestInspector::key(std::string_view text) {
    if (text.size() > kMaxKeyOctets) return refuse("invalid_value", "A key of the JSON body is over 256 octets long.");
    if (text.find('\0') != std::string_view::npos)
        return refuse("invalid_value", "A key of the JSON body holds a NUL character.");
    if (depth_ == 1 && !root_key(text)) return false;
    if (const std::string_view meant = resembled(text); !meant.empty())
        return refuse("invalid_value", quoted(text) + " must be spelled " + quoted(meant) + ".", text);
    keys_.push_back(text);
    if (depth_ < 2) return true;
    if (may_hold_input()) cost_.key(text);
    if ((root_ == Member::options || root_ == Member::metadata) && is_forbidden_member(text))
        return refuse("forbidden_field", quoted(text) + " may not be set by a request.", text);
    if (depth_ == 2 && root_ == Member::metadata && keys_.size() - frames_[2].first_key > kMaxMetadataPairs)
        return refuse("invalid_value", "`metadata` has more than 16 pairs.", "metadata");
    return true;
}

// The nested key with a meaning here that `text` is a variant of in letter case (row 26), else nothing.
std::string_view RequestInspector::resembled(std::string_view text) const {
    const auto variant_of = [&](std::string_view name) { return text != name && folds_to(text, name); };
    if (depth_ == 2 && root_ == Member::stream_options && variant_of("include_usage")) return "include_usage";
    // Schemas of tools name what they like: only what stands in the tool itself is a key of the interface.
    const bool plain = root_ == Member::opaque || root_ == Member::metadata || (root_ == Member::tools && depth_ > 4);
    if (depth_ >= 2 && !plain) {
        const auto meant = resembled_price_key(root_name_, parent_name(), depth_ == 2, text);
        if (!meant.empty()) return meant;
    }
    if (!in_item()) return {};
    for (const std::string_view name : {"type", "role", "tools"})
        if (variant_of(name)) return name;
    return {};
}

bool RequestInspector::root_key(std::string_view text) {
    root_ = Member::other;
    root_name_ = text;
    root_member_ = keys_.size();
    cost_.root(text);
    for (const Known& known : kKnown) {
        if (!may_fold(text, known.name)) continue;
        if (known.name == text) {
            root_ = known.member;
            if (root_ == Member::model) model_member_ = root_member_;
            return true;
        }
        if (folds_to(text, known.name))
            return refuse("invalid_value", quoted(text) + " must be spelled " + quoted(known.name) + ".", text);
    }
    for (const std::string_view name : priced_members()) {
        if (may_fold(text, name) && text != name && folds_to(text, name))
            return refuse("invalid_value", quoted(text) + " must be spelled " + quoted(name) + ".", text);
    }
    if (is_forbidden_member(text))
        return refuse("forbidden_field", quoted(text) + " may not be set by a request.", text);
    return true;
}

bool RequestInspector::root_container(bool object) {
    if (may_cost()) cost_.root_container();
    switch (root_) {
    case Member::model:
    case Member::user: return refuse_type("a string");
    case Member::stream:
    case Member::store:
    case Member::background: return refuse_type("a boolean");
    case Member::limit:
    case Member::count:
    case Member::best_of: return refuse_type("an integer");
    case Member::stream_options: return object || refuse_type("an object");
    case Member::tools: return !object || refuse_type("an array");
    case Member::previous:
    case Member::conversation: view_.has_previous_response = true; return true;
    case Member::prompt: view_.has_previous_response |= operation_ == Operation::responses; return true;
    case Member::web_search:
        view_.has_hosted_tools = true;
        cost_.search_options();
        return true;
    default: return true;
    }
}

bool RequestInspector::scalar(const JsonScalar& value) {
    if (!begin_value()) return false;
    return depth_ == 1 ? root_scalar(value) : nested_scalar(value);
}

bool RequestInspector::root_scalar(const JsonScalar& value) {
    if (root_ == Member::model) return model(value);
    if (root_ == Member::store) view_.store_present = value.kind == Kind::boolean;
    if (value.kind == Kind::null) return null_value();
    if (may_cost()) cost_.root_scalar(value);
    const bool number = value.kind != Kind::string && value.kind != Kind::boolean;
    switch (root_) {
    case Member::stream: view_.stream = value.boolean; return value.kind == Kind::boolean || refuse_type("a boolean");
    case Member::store: view_.store = value.boolean; return value.kind == Kind::boolean || refuse_type("a boolean");
    case Member::background:
        view_.has_previous_response |= value.boolean;
        view_.cost.background |= value.boolean;
        return value.kind == Kind::boolean || refuse_type("a boolean");
    case Member::limit:
    case Member::count:
    case Member::best_of: return count(value);
    case Member::previous:
    case Member::conversation: view_.has_previous_response = true; return true;
    case Member::prompt: view_.has_previous_response |= operation_ == Operation::responses; return true;
    case Member::web_search:
        view_.has_hosted_tools = true;
        cost_.search_options();
        return true;
    case Member::temperature:
        if (number) view_.temperature = value.real;
        return true;
    case Member::seed: view_.has_seed = number; return true;
    case Member::encoding:
        view_.wants_base64 =
            operation_ == Operation::embeddings && value.kind == Kind::string && value.text == "base64";
        return true;
    case Member::user:
        if (value.kind != Kind::string) return refuse_type("a string");
        return characters(value.text) <= kMaxMetadataChars ||
               refuse("invalid_value", "`user` is longer than 512 characters.", "user");
    case Member::stream_options: return refuse_type("an object");
    case Member::tools: return refuse_type("an array");
    case Member::opaque: return true;
    default: note_reference(value); return true;
    }
}

// As if the member were not there, except that it stands in the way of another one of its name.
bool RequestInspector::null_value() {
    if (root_ == Member::limit && root_name_ == output_limit_field(operation_)) null_limit_member_ = root_member_;
    return true;
}

bool RequestInspector::count(const JsonScalar& value) {
    const std::int64_t low = root_ == Member::best_of ? 0 : 1;
    if (!bounded_integer(value, low, root_ == Member::limit ? INT64_MAX : 128)) return false;
    const auto number = static_cast<std::uint64_t>(value.integer);
    if (root_ == Member::limit) {
        view_.has_max_tokens = true;
        cost_.limit(root_name_, number);
    } else {
        std::uint64_t& held = root_ == Member::count ? view_.cost.n : view_.cost.best_of;
        held = std::max(held, number);
    }
    return true;
}

bool RequestInspector::bounded_integer(const JsonScalar& value, std::int64_t low, std::int64_t high) {
    const bool integer = value.kind == Kind::signed_integer || value.kind == Kind::unsigned_integer;
    if (!integer) return refuse_type("an integer");
    if (value.kind == Kind::signed_integer && value.integer >= low && value.integer <= high) return true;
    std::string range = "at least " + std::to_string(low);
    if (high != INT64_MAX) range += " and at most " + std::to_string(high);
    return refuse("invalid_value", quoted(name()) + " must be " + range + ".", name());
}

bool RequestInspector::model(const JsonScalar& value) {
    if (value.kind != Kind::string) return refuse_type("a string");
    view_.model = value.text.substr(0, kMaxModelOctets + 1);
    has_model_ = true;
    return true;
}

// At the end, so that an unknown name (404) is said only of a body without faults (400), whichever parser walked it.
bool RequestInspector::finish() {
    cost_.finish();
    if (has_model_) error_ = judge_model(view_.model);
    return !error_;
}

bool RequestInspector::nested_scalar(const JsonScalar& value) {
    if (root_ == Member::stream_options && depth_ == 2 && name() == "include_usage") {
        view_.include_usage = value.boolean;
        if (value.kind == Kind::boolean || value.kind == Kind::null) return true;
        return refuse("invalid_type", "`stream_options.include_usage` must be a boolean.",
                      "stream_options.include_usage");
    }
    if (root_ == Member::metadata) {
        const bool fits = value.kind != Kind::string || characters(value.text) <= kMaxMetadataChars;
        return fits || refuse("invalid_value", "A value of `metadata` is over 512 characters long.", "metadata");
    }
    if (root_ != Member::opaque) cost_.nested(parent_name(), name(), depth_, value);
    if (root_ == Member::tools && depth_ == 2) hosted_tool(); // not an object: nothing we can price
    if (in_item()) item_scalar(value);
    if (root_ != Member::tools && root_ != Member::opaque && root_ != Member::options) note_reference(value);
    return true;
}

void RequestInspector::hosted_tool() {
    view_.has_hosted_tools = true;
    cost_.hosted();
}

void RequestInspector::item_scalar(const JsonScalar& value) {
    if (name() == "role") item_role_ = true;
    if (name() != "type" || value.kind != Kind::string) return;
    item_typed_ = true;
    item_plain_ = value.text == "function" || value.text == "custom";
    item_reference_ = value.text == "item_reference";
    if (root_ == Member::tools) cost_.hosted_tool(value.text);
}

// Tools that run at the provider cost what no token count bounds; an input item that only names a stored one
// (its `type` may be left out) brings text that is not in this body.
void RequestInspector::end_item() {
    if (root_ == Member::tools && !item_plain_) hosted_tool();
    if (root_ != Member::input || operation_ != Operation::responses) return;
    if (item_reference_ || (!item_typed_ && !item_role_)) view_.has_previous_response = true;
}

void RequestInspector::note_reference(const JsonScalar& value) {
    if (value.kind != Kind::string) return;
    const std::string_view key = name();
    const bool id = key.ends_with("file_id") || key == "file_ids" || (key == "id" && parent_name() == "audio");
    const bool url = key == "url" || key.ends_with("_url") || key == "image";
    if (!id && !(url && !is_data_url(value.text))) return;
    if (key == "image" && value.text.find("://") == std::string_view::npos) return; // plain base64
    if (!is_citation(parent_name())) view_.has_remote_content = true;
}

} // namespace tollgate::api
