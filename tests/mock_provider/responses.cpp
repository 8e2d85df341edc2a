#include "tests/mock_provider/responses.hpp"

#include "tests/mock_provider/chat.hpp"
#include "tests/mock_provider/clock.hpp"
#include "tests/mock_provider/text.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <utility>

namespace tollgate::mock {
namespace {

namespace json = boost::json;

constexpr std::string_view kErrorEvent =
    "event: error\ndata: {\"type\":\"error\",\"code\":\"server_error\","
    "\"message\":\"The server had an error while processing your request.\",\"param\":null,\"sequence_number\":0}\n\n";

json::value number(std::uint64_t value) {
    return static_cast<std::int64_t>(value);
}

std::string item_id(const Generation& generation, std::uint64_t index) {
    return (generation.tools.empty() ? "msg_" : "fc_") + hex_of(hash_of("item", generation.text.seed + index));
}

json::object text_part(std::string_view text) {
    return {{"type", "output_text"}, {"annotations", json::array{}}, {"logprobs", json::array{}}, {"text", text}};
}

/// Output item number `index`: a message, or a function call; `whole` says whether its content is in it already.
json::object output_item(const Generation& generation, std::uint64_t index, bool whole) {
    const std::string_view status = whole ? "completed" : "in_progress";
    if (!generation.tools.empty()) {
        return {{"id", item_id(generation, index)},
                {"type", "function_call"},
                {"status", status},
                {"arguments", whole ? call_arguments(generation, index) : std::string{}},
                {"call_id", call_id(generation, index)},
                {"name", generation.tools[index]}};
    }
    json::array content;
    if (whole) {
        std::string text;
        append_words(text, generation.text.seed, 0, generation.text.size);
        content.push_back(text_part(text));
    }
    return {{"id", item_id(generation, index)},
            {"type", "message"},
            {"status", status},
            {"role", "assistant"},
            {"content", std::move(content)}};
}

std::uint64_t items_of(const Generation& generation) {
    return generation.tools.empty() ? 1 : generation.tools.size();
}

json::object usage_object(const Usage& usage) {
    return {{"input_tokens", usage.told(usage.prompt)},
            {"input_tokens_details", {{"cached_tokens", number(usage.cached)}}},
            {"output_tokens", usage.told(usage.completion)},
            {"output_tokens_details", {{"reasoning_tokens", number(usage.reasoning)}}},
            {"total_tokens", usage.told(usage.total())}};
}

/// The events of one response, numbered from 0. There is no [DONE].
class ResponseEvents final : public EventSource {
  public:
    ResponseEvents(Generation generation, const Behaviour& behaviour, json::object finished)
        : generation_(std::move(generation)), stamp_(behaviour.stamp), finished_(std::move(finished)) {
        started_ = finished_;
        started_["status"] = "in_progress";
        started_["output"] = json::array{};
        started_["usage"] = nullptr;
        started_["completed_at"] = nullptr;
        started_["incomplete_details"] = nullptr;
        if (!generation_.tools.empty()) plan_arguments();
    }

    Next next(std::string& out) override {
        switch (stage_) {
        case Stage::kCreated: return emit(out, "response.created", {{"response", started_}}, Stage::kInProgress);
        case Stage::kInProgress: return emit(out, "response.in_progress", {{"response", started_}}, Stage::kItemAdded);
        case Stage::kItemAdded:
            return emit(out, "response.output_item.added",
                        {{"output_index", number(item_)}, {"item", output_item(generation_, item_, false)}},
                        calls() ? Stage::kDelta : Stage::kPartAdded);
        case Stage::kPartAdded:
            return emit(out, "response.content_part.added", located({{"part", text_part("")}}),
                        generation_.text.pieces > 0 ? Stage::kDelta : Stage::kTextDone);
        case Stage::kDelta: return delta(out);
        case Stage::kTextDone:
            return calls() ? emit(out, "response.function_call_arguments.done",
                                  located({{"arguments", call_arguments(generation_, item_)}}), Stage::kItemDone)
                           : emit(out, "response.output_text.done",
                                  located({{"text", whole_text()}, {"logprobs", json::array{}}}), Stage::kPartDone);
        case Stage::kPartDone:
            return emit(out, "response.content_part.done", located({{"part", text_part(whole_text())}}),
                        Stage::kItemDone);
        case Stage::kItemDone: return item_done(out);
        case Stage::kCompleted:
            emit(out, generation_.text.cut && !calls() ? "response.incomplete" : "response.completed",
                 {{"response", finished_}}, Stage::kEnd);
            return Next::kTail;
        case Stage::kEnd: return Next::kEnd;
        }
        return Next::kEnd;
    }

  private:
    enum class Stage {
        kCreated,
        kInProgress,
        kItemAdded,
        kPartAdded,
        kDelta,
        kTextDone,
        kPartDone,
        kItemDone,
        kCompleted,
        kEnd
    };

    bool calls() const { return !generation_.tools.empty(); }

    void plan_arguments() { arguments_ = call_arguments(generation_, item_); }

    std::string whole_text() const {
        std::string text;
        append_words(text, generation_.text.seed, 0, generation_.text.size);
        return text;
    }

    json::object located(json::object members) const {
        members["item_id"] = item_id(generation_, item_);
        members["output_index"] = number(item_);
        if (!calls()) members["content_index"] = 0;
        return members;
    }

    Next emit(std::string& out, std::string_view type, json::object members, Stage following) {
        json::object event{{"type", type}, {"sequence_number", sequence_++}};
        for (auto& member : members) event[member.key()] = std::move(member.value());
        out.append("event: ").append(type).append("\ndata: ").append(json::serialize(event)).append("\n\n");
        stage_ = following;
        return Next::kEvent;
    }

    Next delta(std::string& out) {
        constexpr std::uint64_t kArgumentPiece = 9;
        std::string piece;
        bool last = false;
        if (calls()) {
            piece = arguments_.substr(piece_ * kArgumentPiece, kArgumentPiece);
            last = (++piece_) * kArgumentPiece >= arguments_.size();
        } else if (stamp_) {
            piece = "t=" + std::to_string(now_ns());
            last = ++piece_ == generation_.text.pieces;
        } else {
            const auto begin = generation_.text.piece_begin(piece_++);
            append_words(piece, generation_.text.seed, begin, generation_.text.piece_begin(piece_) - begin);
            last = piece_ == generation_.text.pieces;
        }
        auto members = located({{"delta", piece}});
        if (!calls()) members["logprobs"] = json::array{};
        return emit(out, calls() ? "response.function_call_arguments.delta" : "response.output_text.delta",
                    std::move(members), last ? Stage::kTextDone : Stage::kDelta);
    }

    Next item_done(std::string& out) {
        const auto done = item_;
        const bool more = done + 1 < items_of(generation_);
        emit(out, "response.output_item.done",
             {{"output_index", number(done)}, {"item", output_item(generation_, done, true)}},
             more ? Stage::kItemAdded : Stage::kCompleted);
        if (!more) return Next::kTail;
        ++item_;
        piece_ = 0;
        plan_arguments();
        return Next::kEvent;
    }

    Generation generation_;
    bool stamp_;
    json::object finished_;
    json::object started_;
    std::string arguments_;
    Stage stage_ = Stage::kCreated;
    std::int64_t sequence_ = 0;
    std::uint64_t item_ = 0;
    std::uint64_t piece_ = 0;
};

} // namespace

json::object response_object(const Generation& generation, const Behaviour& behaviour, const json::object& request,
                             std::string_view id) {
    const bool incomplete = generation.text.cut && generation.tools.empty();
    json::array output;
    for (std::uint64_t i = 0; i < items_of(generation); ++i) output.push_back(output_item(generation, i, true));
    const auto echoed = [&](std::string_view name, json::value otherwise) {
        const auto* member = request.if_contains(name);
        return member != nullptr ? *member : std::move(otherwise);
    };
    json::object object{
        {"id", id},
        {"object", "response"},
        {"created_at", kCreated},
        {"status", incomplete ? "incomplete" : "completed"},
        {"background", false},
        {"completed_at", incomplete ? json::value{} : json::value(kCreated + 1)},
        {"error", nullptr},
        {"incomplete_details", incomplete ? json::value(json::object{{"reason", "max_output_tokens"}}) : json::value{}},
        {"instructions", echoed("instructions", nullptr)},
        {"max_output_tokens", echoed("max_output_tokens", nullptr)},
        {"model", generation.model},
        {"output", std::move(output)},
        {"parallel_tool_calls", true},
        {"previous_response_id", echoed("previous_response_id", nullptr)},
        {"reasoning", json::object{{"effort", nullptr}, {"summary", nullptr}}},
        {"service_tier", "default"},
        {"store", echoed("store", true)},
        {"temperature", echoed("temperature", 1)},
        {"text", json::object{{"format", json::object{{"type", "text"}}}}},
        {"tool_choice", echoed("tool_choice", "auto")},
        {"tools", echoed("tools", json::array{})},
        {"top_p", echoed("top_p", 1)},
        {"truncation", "disabled"},
        {"user", nullptr},
        {"metadata", echoed("metadata", json::object{})}};
    object["usage"] = behaviour.nousage ? json::value{} : json::value(usage_object(generation.usage));
    return object;
}

Reply responses_reply(const Generation& generation, const Behaviour& behaviour, json::object object) {
    Reply reply;
    reply.usage = generation.usage;
    if (generation.stream) {
        reply.content_type = "text/event-stream; charset=utf-8";
        reply.error_event = kErrorEvent;
        reply.events = std::make_unique<ResponseEvents>(generation, behaviour, std::move(object));
    } else {
        reply.body = json::serialize(object) + "\n";
    }
    return reply;
}

Reply decisions_reply(const json::object& request, const Behaviour& behaviour) {
    json::array answers;
    const auto* questions = request.if_contains("questions");
    if (questions != nullptr && questions->is_array()) {
        for (const auto& question : questions->get_array()) {
            if (!question.is_object()) continue;
            const auto& asked = question.get_object();
            answers.push_back(
                {{"type", string_in(asked, "type")}, {"name", string_in(asked, "name")}, {"value", true}});
        }
    }
    Reply reply;
    reply.usage = {.prompt = behaviour.prompt.value_or(7), .completion = behaviour.tokens.value_or(3)};
    json::object answer{
        {"object", "decision"}, {"model", string_in(request, "model")}, {"answers", std::move(answers)}};
    answer["usage"] = usage_object(reply.usage);
    reply.body = json::serialize(answer) + "\n";
    return reply;
}

} // namespace tollgate::mock
