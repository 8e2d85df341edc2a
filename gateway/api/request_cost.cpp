#include "gateway/api/request_cost.hpp"

#include "gateway/api/model_name.hpp"
#include "gateway/api/request_inspector.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>
#include <array>

namespace tollgate::api {
namespace {

using Kind = JsonScalar::Kind;

template <std::size_t N>
std::string_view one_of(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
    const auto found = std::ranges::find(names, name);
    return found == names.end() ? std::string_view{} : *found;
}

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, std::string_view name) noexcept {
    return std::ranges::find(names, name) != names.end();
}

// What other servers than OpenAI read as the output's limit, whatever max_tokens says.
constexpr std::array<std::string_view, 4> kForeignMaxima{"n_predict", "max_new_tokens", "num_predict",
                                                         "max_tokens_to_sample"};
// Anything in them costs what no price of ours knows: searches, sandboxes, servers called by the provider, further runs
// of the model, animation, members merged into the request behind us.
constexpr std::array<std::string_view, 13> kUnpriced{
    "plugins",           "search_parameters", "enable_search", "web_search",         "mcp_servers",
    "connectors",        "container",         "complexity",    "context_management", "frame_count",
    "frame_duration_ms", "extra_body",        "litellm_params"};
// At the list price or below it.
constexpr std::array<std::string_view, 7> kUsualTiers{"auto",          "default", "flex", "standard",
                                                      "standard_only", "scale",   "batch"};
constexpr std::array<std::string_view, 4> kUsualQualities{"standard", "auto", "low", "medium"};
constexpr std::array<std::string_view, 3> kUsualModes{"auto", "default", "standard"};
constexpr std::array<std::string_view, 5> kRootMedia{"image", "images", "mask", "image_data", "video"};
constexpr std::array<std::string_view, 3> kTiers{"service_tier", "speed", "inference_geo"};
// The rest of what is asked for by name below.
constexpr std::array<std::string_view, 18> kOtherMembers{
    "messages",       "input",          "prompt",   "system", "tools",       "metadata",
    "modalities",     "prediction",     "thinking", "audio",  "reasoning",   "thinking_budget",
    "max_tool_calls", "partial_images", "suffix",   "size",   "instruction", "quality"};

template <std::size_t... N>
consteval auto joined(const std::array<std::string_view, N>&... lists) {
    std::array<std::string_view, (N + ...)> out{};
    auto at = out.begin();
    ((at = std::ranges::copy(lists, at).out), ...);
    return out;
}
constexpr std::array<std::string_view, 1> kCacheControl{"cache_control"};
constexpr auto kPriced = joined(kForeignMaxima, kUnpriced, kRootMedia, kTiers, kOtherMembers, kCacheControl);

// Parts and items of a conversation that are text: octets bound their tokens. Every other type may be anything.
constexpr std::array<std::string_view, 22> kTextTypes{"text",
                                                      "input_text",
                                                      "output_text",
                                                      "refusal",
                                                      "message",
                                                      "function",
                                                      "custom",
                                                      "function_call",
                                                      "tool_use",
                                                      "function_call_output",
                                                      "custom_tool_call",
                                                      "custom_tool_call_output",
                                                      "tool_result",
                                                      "reasoning",
                                                      "reasoning_text",
                                                      "summary_text",
                                                      "thinking",
                                                      "redacted_thinking",
                                                      "item_reference",
                                                      "ephemeral",
                                                      "url_citation",
                                                      "file_citation"};
constexpr std::array<std::string_view, 3> kImageTypes{"image_url", "input_image", "image"};
constexpr std::array<std::string_view, 3> kSoundTypes{"input_audio", "audio_url", "audio"};
constexpr std::array<std::string_view, 5> kFileTypes{"video_url", "file_data", "file_url", "file_id", "file"};

constexpr std::uint64_t kUsualPixels = std::uint64_t{1024} * 1024;

std::uint64_t sum(std::uint64_t a, std::uint64_t b) noexcept {
    std::uint64_t out = 0;
    return __builtin_add_overflow(a, b, &out) ? UINT64_MAX : out;
}

// UINT64_MAX for what is no count.
std::uint64_t count_of(const JsonScalar& value) noexcept {
    const bool count = value.kind == Kind::signed_integer && value.integer >= 0;
    return count ? static_cast<std::uint64_t>(value.integer) : UINT64_MAX;
}

bool is_data_url(std::string_view text) noexcept {
    return text.size() >= 5 && ascii_lower(text.front()) == 'd' && iequals(text.substr(0, 5), "data:");
}

bool is_usual_size(std::string_view size) noexcept {
    if (size == "auto") return true;
    const std::size_t cross = size.find('x');
    if (cross == std::string_view::npos) return false;
    const auto width = parse_decimal(size.substr(0, cross));
    const auto height = parse_decimal(size.substr(cross + 1));
    return width && height && *width <= kUsualPixels && *height <= kUsualPixels && *width * *height <= kUsualPixels;
}

bool is_variant(std::string_view text, std::string_view name) noexcept {
    return text != name && folds_to(text, name);
}

} // namespace

std::span<const std::string_view> priced_members() noexcept {
    return kPriced;
}

std::string_view resembled_price_key(std::string_view root, std::string_view parent, bool direct,
                                     std::string_view text) noexcept {
    if (direct && root == "thinking" && is_variant(text, "budget_tokens")) return "budget_tokens";
    if (direct && root == "reasoning") {
        for (const std::string_view name : {"max_tokens", "mode"})
            if (is_variant(text, name)) return name;
    }
    if (parent == "cache_control" && is_variant(text, "ttl")) return "ttl";
    return is_variant(text, "cache_control") ? std::string_view("cache_control") : std::string_view();
}

CostReader::Part CostReader::part_of(std::string_view name) const noexcept {
    switch (operation_) {
    case Operation::text_completion:
        if (name == "prompt" || name == "input") return Part::prompt;
        break;
    case Operation::embeddings:
    case Operation::moderation:
        if (name == "input") return Part::prompt;
        break;
    default: break;
    }
    if (name == "messages" || name == "input" || name == "prompt" || name == "system") return Part::conversation;
    if (name == "tools" || name == "metadata") return Part::plain;
    if (name == "modalities") return Part::modalities;
    if (name == "prediction") return Part::prediction;
    if (name == "thinking") return Part::thinking;
    if (name == "reasoning") return Part::reasoning;
    return is_one_of(kRootMedia, name) ? Part::media : Part::other;
}

void CostReader::root(std::string_view name) {
    root_ = name;
    part_ = part_of(name);
    conversation_ = part_ == Part::conversation || part_ == Part::prompt;
}

void CostReader::unpriced(std::string_view member) {
    if (cost_.unpriced.empty()) cost_.unpriced = member;
}

void CostReader::limit(std::string_view name, std::uint64_t value) {
    if (name == "max_tokens")
        cost_.max_tokens = value;
    else if (name == "max_completion_tokens")
        cost_.max_completion_tokens = value;
    else
        cost_.max_output_tokens = value;
}

void CostReader::root_container() {
    unpriced(one_of(kUnpriced, root_));
    if (root_ == "audio" && operation_ == Operation::chat) cost_.speaks = true;
    if (root_ == "service_tier" || root_ == "speed") unpriced(one_of(kTiers, root_));
    if (is_one_of(kForeignMaxima, root_)) cost_.foreign_max = UINT64_MAX;
    if (root_ == "thinking_budget") cost_.thinking = UINT64_MAX;
    if (part_ != Part::media) return;
    // Elsewhere than in an input it tells how an image is to be made.
    if (operation_ == Operation::responses && root_ == "image") unpriced("image");
    media("image");
}

void CostReader::root_scalar(const JsonScalar& value) {
    const bool text = value.kind == Kind::string;
    const bool off = value.kind == Kind::boolean && !value.boolean;
    const auto unpriced_unless = [&](bool usual) {
        if (!usual) unpriced(one_of(kTiers, root_));
    };
    if (part_ == Part::prompt) return prompt_value(value);
    if (!off) unpriced(one_of(kUnpriced, root_));
    if (is_one_of(kForeignMaxima, root_)) cost_.foreign_max = std::max(cost_.foreign_max.value_or(0), count_of(value));
    if (part_ == Part::media && text) {
        media("image");
        payload(value.text.size());
    }
    if (root_ == "service_tier") unpriced_unless(text && is_one_of(kUsualTiers, value.text));
    if (root_ == "speed" && text) unpriced_unless(value.text == "standard");
    if (root_ == "inference_geo") unpriced_unless(text && value.text == "global");
    if (part_ == Part::modalities && text) modality(value.text);
    if (root_ == "thinking_budget") cost_.thinking = sum(cost_.thinking, count_of(value));
    if (root_ == "max_tool_calls") cost_.max_tool_calls = count_of(value);
    if (root_ == "partial_images") cost_.partial_images = count_of(value);
    if (part_ == Part::prediction && text) cost_.prediction_octets = value.text.size();
    if (root_ == "suffix" || root_ == "instruction") text_ = true;
    if (operation_ == Operation::image) note_image_option(root_, value);
}

void CostReader::modality(std::string_view name) {
    if (name == "audio")
        cost_.speaks = true;
    else if (name != "text")
        unpriced("modalities");
}

void CostReader::note_image_option(std::string_view name, const JsonScalar& value) {
    const bool text = value.kind == Kind::string;
    if (name == "quality" && !(text && is_one_of(kUsualQualities, value.text))) cost_.image_option = "quality";
    if (name == "size" && !(text && is_usual_size(value.text))) cost_.image_option = "size";
}

void CostReader::prompt_value(const JsonScalar& value) {
    const bool number = value.kind != Kind::string && value.kind != Kind::boolean && value.kind != Kind::null;
    if (number) {
        ++numbers_;
        return;
    }
    text_ = true;
    if (operation_ != Operation::embeddings || value.kind != Kind::string || !is_data_url(value.text)) return;
    media("image");
    payload(value.text.size());
}

void CostReader::element() {
    if (part_ == Part::prompt) ++elements_;
}

void CostReader::media(std::string_view kind) {
    if (!is_one_of(kSoundTypes, kind)) cost_.sees = true;
    if (!is_one_of(kImageTypes, kind)) cost_.hears = true;
}

void CostReader::payload(std::size_t octets) {
    cost_.inline_media = true;
    ++cost_.media_parts;
    cost_.media_octets += octets;
}

void CostReader::part_type(std::string_view type) {
    if (is_one_of(kTextTypes, type)) return;
    media(type);
    // The known ones show by their payload whether it is here or elsewhere.
    const bool known = is_one_of(kImageTypes, type) || is_one_of(kSoundTypes, type) || is_one_of(kFileTypes, type) ||
                       type == "input_file";
    if (!known) cost_.inline_media = true;
}

// Parts without a `type` are understood by some servers.
void CostReader::key(std::string_view name) {
    constexpr std::string_view kFirst = "iavf"; // of all of them; nearly every key is told apart by it
    if (name.empty() || kFirst.find(ascii_lower(name.front())) == std::string_view::npos) return;
    const auto hold = [&](const auto& types) {
        for (const std::string_view type : types) {
            if (name.size() != type.size() || !iequals(name, type)) continue;
            media(type);
            if (name != type)
                cost_.inline_media = true; // what a provider that minds no case finds there is not measured
        }
    };
    hold(kImageTypes);
    hold(kSoundTypes);
    hold(kFileTypes);
}

void CostReader::nested(std::string_view parent, std::string_view name, std::size_t depth, const JsonScalar& value) {
    const bool text = value.kind == Kind::string;
    const bool direct = depth == 2 && value.kind != Kind::null;
    switch (part_) {
    case Part::prompt:
        if (depth == 2 && text) ++elements_;
        prompt_value(value);
        break;
    case Part::modalities:
        if (text) modality(value.text);
        return;
    case Part::prediction:
        if (text) cost_.prediction_octets += value.text.size();
        return;
    case Part::thinking:
        if (direct && name == "budget_tokens") cost_.thinking = sum(cost_.thinking, count_of(value));
        return;
    case Part::reasoning:
        if (direct && name == "max_tokens") cost_.thinking = sum(cost_.thinking, count_of(value));
        if (direct && name == "mode" && !(text && is_one_of(kUsualModes, value.text))) unpriced("reasoning");
        return;
    default: break;
    }
    if (!text) return;
    if (name == "ttl" && parent == "cache_control" && value.text != "5m") unpriced("cache_control");
    if (part_ != Part::plain) content(parent, name, value.text);
}

void CostReader::content(std::string_view parent, std::string_view name, std::string_view text) {
    if (name == "text" || name == "role") return;
    if (name == "type") {
        if (conversation_) part_type(text);
        return;
    }
    if (part_ == Part::media || name == "file_data" || name == "b64_json" || is_data_url(text) ||
        (name == "data" && (parent == "input_audio" || parent == "source")) ||
        (name == "image" && text.find("://") == std::string_view::npos)) {
        payload(text.size());
    } else if (name.ends_with("_url") || name == "file_id" || (name == "url" && parent.ends_with("_url"))) {
        ++cost_.media_parts;
    }
}

void CostReader::hosted_tool(std::string_view type) {
    // It runs another model, whose images are priced by that one.
    if (type == "image_generation") unpriced("tools");
}

void CostReader::finish() {
    cost_.prompts = std::max<std::uint64_t>(elements_, 1);
    if (numbers_ > 0 && !text_) cost_.prompt_numbers = numbers_;
    cost_.only_search = search_ && !hosted_;
}

} // namespace tollgate::api
