#include "tests/mock_provider/chat.hpp"

#include "tests/mock_provider/clock.hpp"
#include "tests/mock_provider/rich.hpp"
#include "tests/mock_provider/text.hpp"

#include <cstdio>
#include <utility>

namespace tollgate::mock {
namespace {

constexpr std::string_view kErrorEvent =
    "data: {\"error\":{\"message\":\"The server had an error while processing your request.\","
    "\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n";

void append_usage(std::string& out, const Usage& usage) {
    out.append(R"({"prompt_tokens":)").append(std::to_string(usage.told(usage.prompt)));
    out.append(R"(,"completion_tokens":)").append(std::to_string(usage.told(usage.completion)));
    out.append(R"(,"total_tokens":)").append(std::to_string(usage.told(usage.total())));
    out.append(R"(,"prompt_tokens_details":{"cached_tokens":)").append(std::to_string(usage.cached));
    out.append(R"(,"audio_tokens":0},"completion_tokens_details":{"reasoning_tokens":)");
    out.append(std::to_string(usage.reasoning));
    out.append(R"(,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}})");
}

/// The members that open every object of one answer.
std::string opening(std::string_view id, std::string_view object, std::string_view model) {
    std::string out = R"({"id":)";
    append_json_string(out, id);
    out.append(R"(,"object":")").append(object).append(R"(","created":)").append(std::to_string(kCreated));
    out.append(R"(,"model":)");
    append_json_string(out, model);
    return out;
}

std::string_view finish_reason(const Generation& generation) {
    if (generation.filtered) return "content_filter";
    if (!generation.tools.empty()) return generation.old_call ? "function_call" : "tool_calls";
    return generation.text.cut ? "length" : "stop";
}

void append_tool_call(std::string& out, const Generation& generation, std::uint64_t index) {
    out.append(R"({"id":")").append(call_id(generation, index));
    out.append(R"(","type":"function","function":{"name":)");
    append_json_string(out, generation.tools[index]);
    out.append(R"(,"arguments":)");
    append_json_string(out, call_arguments(generation, index));
    out.append("}}");
}

/// Of the configuration that answered; where every answer is another one, so is this.
std::string fingerprint(const Behaviour& behaviour, std::string_view id) {
    return behaviour.unique ? "fp_" + hex_of(hash_of(id)) : "fp_mock";
}

void append_message(std::string& out, const Generation& generation) {
    if (is_rich(generation)) return append_rich_message(out, generation);
    out.append(R"({"role":"assistant","content":)");
    if (generation.tools.empty()) {
        out.push_back('"');
        append_words(out, generation.text.seed, 0, generation.text.size);
        out.push_back('"');
    } else if (generation.old_call) {
        out.append(R"(null,"function_call":{"name":)");
        append_json_string(out, generation.tools.front());
        out.append(R"(,"arguments":)");
        append_json_string(out, call_arguments(generation, 0));
        out.push_back('}');
    } else {
        out.append(R"(null,"tool_calls":[)");
        for (std::uint64_t i = 0; i < generation.tools.size(); ++i) {
            if (i > 0) out.push_back(',');
            append_tool_call(out, generation, i);
        }
        out.push_back(']');
    }
    out.append(R"(,"refusal":null,"annotations":[]})");
}

std::string whole_answer(const Generation& generation, const Behaviour& behaviour, ChatKind kind, std::string_view id) {
    const bool chat = kind == ChatKind::kChat;
    auto out = opening(id, chat ? "chat.completion" : "text_completion", generation.model);
    out.append(R"(,"choices":[)");
    for (std::uint64_t i = 0; i < generation.choices; ++i) {
        if (i > 0) out.push_back(',');
        out.append(R"({"index":)").append(std::to_string(i));
        if (chat) {
            out.append(R"(,"message":)");
            append_message(out, generation);
        } else {
            out.append(R"(,"text":")");
            append_words(out, generation.text.seed, 0, generation.text.size);
            out.push_back('"');
        }
        out.append(R"(,"logprobs":)").append(chat && is_rich(generation) ? rich_logprobs(generation) : "null");
        out.append(R"(,"finish_reason":")").append(finish_reason(generation)).append("\"}");
    }
    out.push_back(']');
    if (!behaviour.nousage) {
        out.append(R"(,"usage":)");
        append_usage(out, generation.usage);
    }
    if (chat) out.append(R"(,"service_tier":"default")");
    out.append(R"(,"system_fingerprint":")").append(fingerprint(behaviour, id));
    return out.append("\"}\n");
}

/// Chat and legacy completion chunks: opening delta per choice, pieces, finish per choice, usage, [DONE].
class ChunkSource final : public EventSource {
  public:
    ChunkSource(Generation generation, const Behaviour& behaviour, ChatKind kind, std::string_view id)
        : generation_(std::move(generation)), kind_(kind), stamp_(behaviour.stamp), done_(!behaviour.nodone),
          with_usage_(generation_.include_usage && !behaviour.nousage) {
        opening_ = "data: " + opening(id, chat() ? "chat.completion.chunk" : "text_completion", generation_.model);
        if (chat()) opening_.append(R"(,"service_tier":"default")");
        opening_.append(R"(,"system_fingerprint":")").append(fingerprint(behaviour, id)).append(R"(","choices":[)");
        plan_tool_deltas();
        if (chat() && is_rich(generation_)) planned_ = rich_deltas(generation_);
        stage_ = chat() ? Stage::kOpen : pieces() > 0 ? Stage::kPieces : Stage::kFinish;
    }

    Next next(std::string& out) override {
        switch (stage_) {
        case Stage::kOpen:
            append_chunk(out, generation_.tools.empty() ? R"({"role":"assistant","content":"","refusal":null})"
                                                        : R"({"role":"assistant","content":null,"refusal":null})");
            advance_choice(pieces() > 0 ? Stage::kPieces : Stage::kFinish);
            return Next::kEvent;
        case Stage::kPieces:
            append_chunk(out, piece(), {}, planned_.empty() ? "null" : std::string_view(planned_[piece_].logprobs));
            if (++choice_ == generation_.choices) {
                choice_ = 0;
                if (++piece_ == pieces()) stage_ = Stage::kFinish;
            }
            return Next::kEvent;
        case Stage::kFinish:
            append_chunk(out, chat() ? "{}" : R"("")", finish_reason(generation_));
            advance_choice(with_usage_ ? Stage::kUsage : Stage::kDone);
            return stage_ == Stage::kFinish ? Next::kEvent : Next::kTail;
        case Stage::kUsage:
            out.append(opening_).append(R"(],"usage":)");
            append_usage(out, generation_.usage);
            out.append("}\n\n");
            stage_ = Stage::kDone;
            return Next::kTail;
        case Stage::kDone:
            stage_ = Stage::kEnd;
            if (!done_) return Next::kEnd;
            out.append("data: [DONE]\n\n");
            return Next::kTail;
        case Stage::kEnd: return Next::kEnd;
        }
        return Next::kEnd;
    }

  private:
    enum class Stage { kOpen, kPieces, kFinish, kUsage, kDone, kEnd };

    bool chat() const { return kind_ == ChatKind::kChat; }
    std::uint64_t pieces() const { return planned_.empty() ? generation_.text.pieces : planned_.size(); }

    void advance_choice(Stage following) {
        if (++choice_ < generation_.choices) return;
        choice_ = 0;
        stage_ = following;
    }

    void plan_old_call() {
        std::string start = R"({"function_call":{"name":)";
        append_json_string(start, generation_.tools.front());
        planned_.push_back({start.append(R"(,"arguments":""}})"), "null"});
        const auto arguments = call_arguments(generation_, 0);
        constexpr std::size_t kPiece = 9;
        for (std::size_t at = 0; at < arguments.size(); at += kPiece) {
            std::string delta = R"({"function_call":{"arguments":)";
            append_json_string(delta, std::string_view{arguments}.substr(at, kPiece));
            planned_.push_back({delta.append("}}"), "null"});
        }
    }

    void plan_tool_deltas() {
        if (generation_.old_call) return plan_old_call();
        for (std::uint64_t i = 0; i < generation_.tools.size(); ++i) {
            auto start = R"({"tool_calls":[{"index":)" + std::to_string(i);
            const auto piece_start = start + R"(,"function":{"arguments":)";
            start.append(R"(,"id":")")
                .append(call_id(generation_, i))
                .append(R"(","type":"function","function":{"name":)");
            append_json_string(start, generation_.tools[i]);
            planned_.push_back({start.append(R"(,"arguments":""}}]})"), "null"});
            const auto arguments = call_arguments(generation_, i);
            constexpr std::size_t kPiece = 9; // short enough that every call needs several
            for (std::size_t at = 0; at < arguments.size(); at += kPiece) {
                auto delta = piece_start;
                append_json_string(delta, std::string_view{arguments}.substr(at, kPiece));
                planned_.push_back({delta.append("}}]}"), "null"});
            }
        }
    }

    const std::string& piece() {
        if (!planned_.empty()) return planned_[piece_].payload;
        scratch_.assign(chat() ? R"({"content":")" : R"(")");
        const auto begin = generation_.text.piece_begin(piece_);
        if (stamp_)
            scratch_.append("t=").append(std::to_string(now_ns()));
        else
            append_words(scratch_, generation_.text.seed, begin, generation_.text.piece_begin(piece_ + 1) - begin);
        return scratch_.append(chat() ? R"("})" : R"(")");
    }

    void append_chunk(std::string& out, std::string_view payload, std::string_view finished = {},
                      std::string_view logprobs = "null") const {
        out.append(opening_).append(R"({"index":)").append(std::to_string(choice_));
        out.append(chat() ? R"(,"delta":)" : R"(,"text":)")
            .append(payload)
            .append(R"(,"logprobs":)")
            .append(logprobs)
            .append(R"(,"finish_reason":)");
        if (finished.empty())
            out.append("null");
        else
            out.append("\"").append(finished).append("\"");
        out.append(with_usage_ ? R"(}],"usage":null})" : "}]}").append("\n\n");
    }

    Generation generation_;
    ChatKind kind_;
    bool stamp_;
    bool done_;
    bool with_usage_;
    std::string opening_;
    std::vector<Delta> planned_; // if the answer is more than words
    std::string scratch_;
    Stage stage_ = Stage::kOpen;
    std::uint64_t choice_ = 0;
    std::uint64_t piece_ = 0;
};

} // namespace

Reply chat_reply(const Generation& generation, const Behaviour& behaviour, ChatKind kind, std::string_view id) {
    Reply reply;
    reply.usage = generation.usage;
    if (generation.stream) {
        reply.content_type = "text/event-stream; charset=utf-8";
        reply.error_event = kErrorEvent;
        reply.events = std::make_unique<ChunkSource>(generation, behaviour, kind, id);
    } else {
        reply.body = whole_answer(generation, behaviour, kind, id);
    }
    return reply;
}

} // namespace tollgate::mock
