// Admission of JSON bodies: both parsers judge alike, a third one agrees that it is JSON, and splicing the model
// changes the model and nothing else.
#include "gateway/api/model_name.hpp"
#include "gateway/api/objects.hpp"
#include "gateway/api/request_view.hpp"
#include "gateway/base/text.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <tuple>

namespace tollgate::fuzz {
namespace {

namespace json = boost::json;
using api::Operation;
using api::RequestReader;
using api::RequestView;

std::string padded(std::string_view text) {
    std::string body;
    body.reserve(text.size() + RequestReader::padding());
    body = text;
    return body;
}

// All but where the model is written.
auto meaning(const RequestView& view) {
    return std::tuple(view.stream, view.include_usage, view.store, view.store_present, view.has_previous_response,
                      view.has_hosted_tools, view.has_remote_content, view.temperature, view.has_seed,
                      view.has_max_tokens, view.wants_base64, view.cost);
}

auto place(const RequestView& view) {
    return std::tuple(view.model, view.model_token.offset, view.model_token.length, view.members);
}

Result<RequestView> read(RequestReader& reader, const std::string& body, Operation operation) {
    const auto dom = reader.read(body, operation, RequestReader::Parser::dom);
    const auto streamed = reader.read(body, operation, RequestReader::Parser::on_demand);
    require(dom.has_value() == streamed.has_value(), "one parser accepts what the other refuses");
    if (!dom) {
        require(dom.error().status == streamed.error().status, "the parsers refuse with different statuses");
        require(dom.error().status == 400 || dom.error().status == 404, "a refusal that is neither 400 nor 404");
        return dom;
    }
    require(meaning(*dom) == meaning(*streamed) && place(*dom) == place(*streamed),
            "the parsers read different things");
    return dom;
}

std::string unescaped(const json::value* value) {
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

void check_witness(const std::string& body, const RequestView& view) {
    json::error_code error;
    json::parse_options options;
    options.max_depth = 64;
    const json::value value = json::parse(body, error, {}, options);
    require(!error, "the third parser refuses: " + error.message());
    const json::object* root = value.if_object();
    require(root != nullptr && root->size() == view.members, "the third parser counts other members");
    require(unescaped(root->if_contains("model")) == view.model, "the third parser reads another model");
    const json::value* stream = root->if_contains("stream");
    require((stream != nullptr && stream->is_bool() && stream->get_bool()) == view.stream, "it reads another stream");
}

void check_rewriting(RequestReader& reader, const std::string& body, const RequestView& view, Operation operation) {
    std::string changed;
    if (view.model_token.present()) {
        std::string quoted;
        append_json_string(quoted, "an-upstream/model:2");
        const api::Pieces pieces = api::splice_model(body, view.model_token, quoted);
        require(pieces.before.size() + view.model_token.length + pieces.after.size() == body.size(), "octets are lost");
        changed = std::string(pieces.before) + std::string(pieces.model) + std::string(pieces.after);
    } else {
        if (view.members >= 1024) return; // one more is over the cap
        changed = api::insert_model(body, "an-upstream/model:2", view.members);
    }
    const auto reread = read(reader, padded(changed), operation);
    require(reread.has_value(), "with another model it is refused");
    require(reread->model == "an-upstream/model:2", "the model was not replaced");
    require(meaning(*reread) == meaning(view), "replacing the model changes other things");
}

// Whose objects and which models a body names is read by another parser: it must not be blind to what was accepted.
void check_references(RequestReader& reader, const std::string& body, const RequestView& view, Operation operation) {
    const std::string more = R"("fuzzed_file_id":"file-fuzzed")" + std::string(view.members == 0 ? "" : ",");
    std::string changed = body;
    changed.insert(changed.find('{') + 1, more);
    if (!read(reader, padded(changed), operation)) return; // one member too many, or there twice
    const std::vector<std::string> ids = api::referenced_ids(changed).value();
    require(std::ranges::find(ids, "file-fuzzed") != ids.end(), "an accepted body hides whose file it uses");
    if (body.contains("tools")) return;
    changed = body;
    changed.insert(changed.find('{') + 1,
                   R"("tools":[{"model":"of-a-tool"}])" + std::string(view.members == 0 ? "" : ","));
    if (!read(reader, padded(changed), operation)) return;
    const std::vector<std::string> models = api::tool_models(changed).value();
    require(models == std::vector<std::string>{"of-a-tool"}, "an accepted body hides which model its tool uses");
}

} // namespace

void json_request(std::string_view input) {
    static RequestReader reader;
    const std::string body = padded(input);
    for (const Operation operation : {Operation::chat, Operation::responses, Operation::embeddings}) {
        const auto view = read(reader, body, operation);
        if (!view) continue;
        require(view->model.empty() || api::is_clean_model(view->model), "a model name that is not clean");
        check_witness(body, *view);
        check_rewriting(reader, body, *view, operation);
        check_references(reader, body, *view, operation);
    }
}

} // namespace tollgate::fuzz
