// What providers answer: lists are filtered, ids collected, chat turned into completions; all of it from hostile text.
#include "gateway/api/answer_view.hpp"
#include "gateway/api/completions_via_chat.hpp"
#include "gateway/api/objects.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <boost/json.hpp>

namespace tollgate::fuzz {
namespace {

namespace json = boost::json;

std::optional<json::object> parsed(std::string_view text) {
    json::error_code error;
    json::parse_options options;
    options.max_depth = 128;
    json::value value = json::parse(text, error, {}, options);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

bool is_clean_id(std::string_view id) {
    return !id.empty() && id.size() <= 128 && std::ranges::all_of(id, [](char c) { return c > 0x20 && c < 0x7F; });
}

void check_list(std::string_view body) {
    const auto keep = [](std::string_view id) { return id.size() % 2 == 0; };
    const auto filtered = api::filter_list(body, keep);
    if (!filtered) return;
    require(parsed(*filtered).has_value(), "a filtered list is not JSON");
    const auto before = api::list_ids(body);
    const auto after = api::list_ids(*filtered);
    require(std::ranges::all_of(after, keep), "an element that was to go is still there");
    require(static_cast<std::size_t>(std::ranges::count_if(before, keep)) == after.size(), "an element is lost");
    const auto nothing = api::filter_list(body, [](std::string_view) { return false; });
    require(nothing && api::list_ids(*nothing).empty(), "a list nobody may see is not empty");
    // first_id, last_id and whatever else names an element must go with it.
    const auto root = parsed(*nothing);
    for (const std::string_view name : {"first_id", "last_id"}) {
        const json::value* id = root->if_contains(name);
        require(id == nullptr || !id->is_string(), "an id of a list nobody may see");
    }
}

void check_completion(std::string_view body) {
    const auto answer = api::chat_to_completions_answer(body, "public-model");
    if (!answer) return;
    const auto root = parsed(*answer);
    require(root.has_value(), "a translated answer is not JSON");
    require(root->at("object") == "text_completion" && root->at("model") == "public-model", "another object or model");
    require(root->at("choices").is_array(), "no choices");
}

void check_chat_request(std::string_view body) {
    const auto request = api::completions_to_chat_request(body, "upstream-model");
    if (!request) return;
    const auto root = parsed(*request);
    require(root.has_value(), "a translated request is not JSON");
    require(root->at("model") == "upstream-model" && root->at("messages").is_array(), "no chat request");
}

} // namespace

void json_answer(std::string_view input) {
    static api::AnswerReader reader;
    const auto chat = reader.read(input, api::Operation::chat);
    const auto response = reader.read(input, api::Operation::responses);
    require(chat.has_value() == response.has_value(), "valid JSON for one endpoint only");
    // simdjson is the stricter of the two; what it has accepted is an object to the other one too.
    if (chat && !parsed(input)) {
        json::error_code error;
        json::parse_options options;
        options.max_depth = 4096;
        (void)json::parse(input, error, {}, options);
        require(error == json::error::exponent_overflow || !error,
                "valid JSON for one parser only: " + error.message());
    }
    if (const auto id = api::created_id(input)) require(is_clean_id(*id), "an id that is not clean");
    if (const auto id = api::created_response_id(input)) require(is_clean_id(*id), "an id that is not clean");
    (void)api::referenced_ids(input);
    (void)api::tool_models(input);
    (void)api::made_file_ids(input);
    check_list(input);
    check_completion(input);
    check_chat_request(input);
}

} // namespace tollgate::fuzz
