#include "gateway/api/answer_view.hpp"

#include "gateway/api/usage_scan.hpp"

#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace tollgate::api {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kKeepParserBelow = 1 << 20;

FinishReasons bit_of(std::string_view reason) {
    const auto found = std::ranges::find(kFinishReasons, reason);
    const auto index = found == kFinishReasons.end() ? kFinishReasons.size() - 1
                                                     : static_cast<std::size_t>(found - kFinishReasons.begin());
    return static_cast<FinishReasons>(1U << index);
}

// At the root, or in the response that an event carries.
std::string_view text_at(const dom::object& root, const char* name) {
    std::string_view out;
    if (root[name].get(out) != simdjson::SUCCESS && root["response"][name].get(out) != simdjson::SUCCESS) return {};
    return out;
}

void note_finish(const dom::object& choice, AnswerView& view) {
    std::string_view reason;
    if (choice["finish_reason"].get(reason) != simdjson::SUCCESS) {
        view.complete = false;
        return;
    }
    view.finished |= bit_of(reason);
    if (reason == "content_filter") {
        view.content_filtered = true;
    } else if (reason == "length") {
        view.cut_by_length = true;
    } else if (reason != "stop" && reason != "tool_calls" && reason != "function_call") {
        view.content_filtered = true;
    }
}

void note_choices(const dom::element& root, AnswerView& view) {
    dom::array choices;
    if (root["choices"].get(choices) != simdjson::SUCCESS || choices.size() == 0) {
        view.complete = false;
        return;
    }
    for (const dom::element entry : choices) {
        dom::object choice;
        if (entry.get(choice) == simdjson::SUCCESS)
            note_finish(choice, view);
        else
            view.complete = false;
    }
}

void note_status(const dom::element& root, AnswerView& view) {
    std::string_view status;
    if (root["status"].get(status) != simdjson::SUCCESS) {
        view.complete = false;
    } else if (status == "incomplete") {
        std::string_view reason;
        const bool said = root["incomplete_details"]["reason"].get(reason) == simdjson::SUCCESS;
        const bool length = said && reason == "max_output_tokens";
        (length ? view.cut_by_length : view.content_filtered) = true;
        view.finished |= bit_of(length ? "length" : "content_filter");
    } else if (status == "completed") {
        view.finished |= bit_of("stop");
    } else {
        view.complete = false;
    }
}

} // namespace

struct AnswerReader::Impl {
    dom::parser parser;
};

AnswerReader::AnswerReader() : impl_(std::make_unique<Impl>()) {}
AnswerReader::~AnswerReader() = default;

std::optional<AnswerView> AnswerReader::read(std::string_view body, Operation operation) {
    if (body.empty()) return std::nullopt; // the parser copies, and may not be given a null pointer
    dom::element root;
    const auto error = impl_->parser.parse(body.data(), body.size(), true).get(root);
    dom::object object;
    if (error != simdjson::SUCCESS || root.get(object) != simdjson::SUCCESS) return std::nullopt;
    AnswerView view;
    dom::element failure;
    view.has_error = object["error"].get(failure) == simdjson::SUCCESS && !failure.is_null();
    dom::array choices;
    view.no_choices = object["choices"].get(choices) == simdjson::SUCCESS && choices.size() == 0;
    if (operation == Operation::chat || operation == Operation::text_completion) note_choices(root, view);
    if (operation == Operation::responses) note_status(root, view);
    // Answers of these are only whole with their list.
    const char* const list = operation == Operation::embeddings   ? "data"
                             : operation == Operation::moderation ? "results"
                                                                  : nullptr;
    dom::array whole;
    if (list != nullptr && object[list].get(whole) != simdjson::SUCCESS) view.complete = false;
    view.usage = scan_usage(object, operation);
    view.id = text_at(object, "id");
    view.model = text_at(object, "model");
    if (body.size() > kKeepParserBelow) { // the parser never gives memory back
        view.id = view.model = {};
        impl_ = std::make_unique<Impl>();
    }
    return view;
}

bool may_store(const AnswerView& answer, const RequestView& request) noexcept {
    return answer.complete && !answer.has_error && !answer.content_filtered &&
           (!answer.cut_by_length || request.has_max_tokens);
}

std::string_view bypass_reason(const Route& route, const RequestView& request, const CacheRules& rules) noexcept {
    if (!rules.enabled || !route.cacheable) return "disabled";
    if (request.has_previous_response || request.store) return "stateful";
    if (route.operation == Operation::responses && !request.store_present)
        return "stateful"; // store defaults to true there
    if (request.has_hosted_tools) return "tools";
    if (request.has_remote_content) return "remote_content";
    const bool deterministic = route.operation == Operation::embeddings || route.operation == Operation::moderation ||
                               request.has_seed || request.temperature == 0.0;
    if (!rules.sampled && !deterministic) return "sampled";
    const bool told_both_ways =
        route.may_stream && (route.operation == Operation::chat || route.operation == Operation::text_completion ||
                             route.operation == Operation::responses);
    return request.stream && !told_both_ways ? "stream" : ""; // the last: it may still be shared while it runs
}

} // namespace tollgate::api
