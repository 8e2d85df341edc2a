#include "gateway/api/replay/merge.hpp"
#include "gateway/api/replay/pieces.hpp"
#include "gateway/api/replay/telling.hpp"

#include <algorithm>
#include <array>

namespace tollgate::api::replay {
namespace {

constexpr std::array<std::string_view, 5> kOnEveryChunk{"id", "created", "model", "service_tier", "system_fingerprint"};

bool is_on_every_chunk(std::string_view name) {
    return std::ranges::find(kOnEveryChunk, name) != kOnEveryChunk.end();
}

// What stands around a call in the first delta and in the later ones; in front it ends with a comma, or is empty.
struct Frame {
    std::string first, later;
    std::string_view behind;
};

// The events of one answer. The functions return false where a part has no known form as a delta.
class ChunkTeller {
  public:
    ChunkTeller(Dialect dialect, const Members& answer, const Identity& identity, bool include_usage);

    [[nodiscard]] bool tell(const Members& answer);
    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    void begin_chunk();
    void end_chunk(bool usage_follows);
    // A chunk of the current choice; `part` is the whole member that says something new, `"delta":{…}` or `"text":"…"`.
    void chunk(std::string_view part, std::string_view logprobs = {}, const Members* last = nullptr);
    void delta(std::string_view inside, std::string_view logprobs = {}) { chunk(delta_of(inside), logprobs); }
    [[nodiscard]] static std::string delta_of(std::string_view inside);

    [[nodiscard]] bool tell_choice(const Members& choice);
    [[nodiscard]] bool tell_message(const Members& choice);
    [[nodiscard]] bool tell_legacy(const Members& choice);
    [[nodiscard]] bool tell_text(std::string_view name, const Value& text, std::string_view list, const Value& entries);
    [[nodiscard]] bool tell_calls(const Value& calls);
    [[nodiscard]] bool tell_called(const Frame& frame, std::string_view kind, const Value& part,
                                   std::string_view growing);
    void tell_rest(const Members& message);

    const Dialect dialect_;
    const bool include_usage_;
    std::string head_;  // members of every chunk
    std::string first_; // of the first one only
    std::string out_;
    std::string_view index_;     // of the current choice
    bool logprobs_told_ = false; // the choice has the member
};

ChunkTeller::ChunkTeller(Dialect dialect, const Members& answer, const Identity& identity, bool include_usage)
    : dialect_(dialect), include_usage_(include_usage) {
    ObjectWriter head(head_);
    const Value id = find(answer, "id");
    head.text("id", new_id(id.is_string() ? id.inner() : std::string_view(), id_prefix(dialect), identity.token));
    head.text("object", dialect == Dialect::chat ? "chat.completion.chunk" : "text_completion");
    head.value("created", std::to_string(identity.now));
    for (const Member& member : answer) {
        if (member.name == "id" || member.name == "created" || member.value.is_null()) continue;
        if (is_on_every_chunk(member.name)) head.value(member.name, member.value.text);
    }
    for (const Member& member : answer) {
        const bool elsewhere = member.name == "object" || member.name == "choices" || member.name == "usage";
        if (elsewhere || member.value.is_null() || is_on_every_chunk(member.name)) continue;
        first_.append(",\"").append(member.name).append("\":").append(member.value.text);
    }
}

void ChunkTeller::begin_chunk() {
    out_ += "data: ";
    out_ += head_;
    out_ += first_;
    first_.clear();
    out_ += ",\"choices\":[";
}

void ChunkTeller::end_chunk(bool usage_follows) {
    out_ += ']';
    if (!usage_follows) out_ += include_usage_ ? ",\"usage\":null}\n\n" : "}\n\n";
}

std::string ChunkTeller::delta_of(std::string_view inside) {
    return std::string("\"delta\":{").append(inside).append("}");
}

void ChunkTeller::chunk(std::string_view part, std::string_view logprobs, const Members* last) {
    begin_chunk();
    out_.append("{\"index\":").append(index_).append(",").append(part);
    if (logprobs_told_) out_.append(",\"logprobs\":").append(logprobs.empty() ? "null" : logprobs);
    out_.append(",\"finish_reason\":").append(last != nullptr ? find(*last, "finish_reason").text : "null");
    if (last != nullptr) {
        for (const auto& [name, value] : *last) {
            const bool told = name == "index" || name == "finish_reason" || name == "logprobs" || name == "message" ||
                              name == "text" || value.is_null();
            if (!told) out_.append(",\"").append(name).append("\":").append(value.text);
        }
    }
    out_ += '}';
    end_chunk(false);
}

bool ChunkTeller::tell(const Members& answer) {
    const Value choices = find(answer, "choices"), usage = find(answer, "usage");
    if (!choices.is_array() || (include_usage_ && !usage.is_object())) return false;
    Elements elements(choices);
    while (const auto element = elements.next()) {
        const auto choice = members_of(*element);
        if (!choice || !tell_choice(*choice)) return false;
    }
    if (include_usage_) {
        begin_chunk();
        end_chunk(true);
        out_.append(",\"usage\":").append(usage.text).append("}\n\n");
    }
    out_ += "data: [DONE]\n\n";
    return true;
}

bool ChunkTeller::tell_choice(const Members& choice) {
    const Value index = find(choice, "index");
    if (index.kind != Kind::number || !find(choice, "finish_reason").is_string()) return false;
    index_ = index.text;
    logprobs_told_ = !find(choice, "logprobs").text.empty();
    if (!(dialect_ == Dialect::chat ? tell_message(choice) : tell_legacy(choice))) return false;
    chunk(dialect_ == Dialect::chat ? delta_of({}) : "\"text\":\"\"", {}, &choice);
    return true;
}

// The members of `logprobs` that are arrays, or null.
struct Logprobs {
    Value content, refusal;
    bool known = true;

    explicit Logprobs(const Value& value) {
        if (value.is_null()) return;
        const auto members = members_of(value);
        known = members.has_value();
        if (!members) return;
        for (const Member& member : *members) {
            if (member.name == "content")
                content = member.value;
            else if (member.name == "refusal")
                refusal = member.value;
            else
                known = known && member.value.is_null();
            known = known && (member.value.is_null() || member.value.is_array());
        }
    }
    // Nothing yet, but in the right form.
    [[nodiscard]] std::string begun() const {
        return std::string("{\"content\":") + (content.is_array() ? "[]" : "null") +
               ",\"refusal\":" + (refusal.is_array() ? "[]" : "null") + "}";
    }
};

bool ChunkTeller::tell_message(const Members& choice) {
    const auto message = members_of(find(choice, "message"));
    const Value lists = find(choice, "logprobs");
    const Logprobs logprobs(lists);
    if (!message || !logprobs.known || !find(*message, "audio").is_null()) return false;
    const Value content = find(*message, "content"), refusal = find(*message, "refusal");
    const Value role = find(*message, "role");
    std::string opener = "\"role\":" + std::string(role.is_string() ? role.text : R"("assistant")");
    opener += content.is_null() ? ",\"content\":null" : ",\"content\":\"\"";
    if (!refusal.text.empty()) opener += ",\"refusal\":null";
    delta(opener, lists.is_null() ? std::string() : logprobs.begun());
    const bool told = tell_text("reasoning_content", find(*message, "reasoning_content"), {}, {}) &&
                      tell_text("reasoning", find(*message, "reasoning"), {}, {}) &&
                      tell_text("content", content, "content", logprobs.content) &&
                      tell_text("refusal", refusal, "refusal", logprobs.refusal) &&
                      tell_calls(find(*message, "tool_calls"));
    if (!told) return false;
    const Value call = find(*message, "function_call");
    if (!call.is_null() && !tell_called({}, "function_call", call, "arguments")) return false;
    tell_rest(*message);
    return true;
}

bool ChunkTeller::tell_text(std::string_view name, const Value& text, std::string_view list, const Value& entries) {
    if (!text.is_null() && !text.is_string()) return false;
    const std::string_view escaped = text.is_string() ? text.inner() : std::string_view();
    const auto elements = elements_of(entries);
    for (const Piece& piece : cut(escaped, tokens_of(elements))) {
        std::string logprobs;
        if (!elements.empty()) {
            logprobs = list == "content" ? "{\"content\":" : "{\"content\":null,\"refusal\":";
            append_array(logprobs, elements, piece.first_entry, piece.entries);
            logprobs += list == "content" ? ",\"refusal\":null}" : "}";
        }
        std::string inside;
        if (text.is_string()) inside.append("\"").append(name).append("\":\"").append(piece.text).append("\"");
        delta(inside, logprobs);
    }
    return true;
}

bool ChunkTeller::tell_calls(const Value& calls) {
    if (calls.is_null()) return true;
    if (!calls.is_array()) return false;
    Elements elements(calls);
    for (std::size_t i = 0; const auto element = elements.next(); ++i) {
        const auto call = members_of(*element);
        if (!call || !find(*call, "id").is_string()) return false;
        Frame frame{.first = {}, .later = "\"tool_calls\":[{\"index\":" + std::to_string(i) + ',', .behind = "}]"};
        frame.first = frame.later;
        for (const auto& [name, value] : *call) {
            if (name == "index" || name == "function" || name == "custom" || value.is_null()) continue;
            frame.first.append("\"").append(name).append("\":").append(value.text).append(",");
        }
        const Value function = find(*call, "function"), custom = find(*call, "custom");
        if (function.is_null() == custom.is_null()) return false;
        const bool is_function = !function.is_null();
        if (!(is_function ? tell_called(frame, "function", function, "arguments")
                          : tell_called(frame, "custom", custom, "input")))
            return false;
    }
    return true;
}

bool ChunkTeller::tell_called(const Frame& frame, std::string_view kind, const Value& part, std::string_view growing) {
    const auto members = members_of(part);
    const Value text = members ? find(*members, growing) : Value{};
    if (!members || !text.is_string() || !find(*members, "name").is_string()) return false;
    const auto tell = [&](std::string front, std::string_view inside) {
        delta(front.append("\"").append(kind).append("\":{").append(inside).append("}").append(frame.behind));
    };
    std::string opener;
    for (const auto& [name, value] : *members) {
        if (name == growing || value.is_null()) continue;
        opener.append("\"").append(name).append("\":").append(value.text).append(",");
    }
    const std::string grows = "\"" + std::string(growing) + "\":\"";
    tell(frame.first, opener + grows + '"');
    for (const Piece& piece : cut(text.inner())) tell(frame.later, grows + std::string(piece.text) + '"');
    return true;
}

void ChunkTeller::tell_rest(const Members& message) {
    static constexpr std::array<std::string_view, 8> kTold{
        "role", "content", "refusal", "reasoning_content", "reasoning", "tool_calls", "function_call", "audio"};
    std::string inside;
    for (const auto& [name, value] : message) {
        if (value.is_null() || std::ranges::find(kTold, name) != kTold.end()) continue;
        if (!inside.empty()) inside += ',';
        inside.append("\"").append(name).append("\":").append(value.text);
    }
    if (!inside.empty()) delta(inside);
}

bool ChunkTeller::tell_legacy(const Members& choice) {
    const Value text = find(choice, "text"), logprobs = find(choice, "logprobs");
    if (!text.is_string()) return false;
    Members lists;
    if (!logprobs.is_null()) {
        auto members = members_of(logprobs);
        if (!members) return false;
        lists = std::move(*members);
    }
    std::vector<std::vector<std::string_view>> columns;
    std::vector<std::string_view> tokens;
    for (const Member& list : lists) {
        if (!list.value.is_null() && !list.value.is_array()) return false;
        columns.push_back(elements_of(list.value));
        if (list.name == "tokens") tokens = columns.back();
    }
    for (std::size_t i = 0; i < lists.size(); ++i)
        if (lists[i].value.is_array() && columns[i].size() != tokens.size()) return false;
    for (std::string_view& token : tokens)
        token = token.starts_with('"') ? token.substr(1, token.size() - 2) : std::string_view();
    std::vector<Piece> pieces = cut(text.inner(), tokens);
    if (pieces.empty()) pieces.emplace_back();
    for (const Piece& piece : pieces) {
        std::string told;
        if (!logprobs.is_null()) {
            ObjectWriter object(told);
            for (std::size_t i = 0; i < lists.size(); ++i) {
                if (lists[i].value.is_null())
                    object.value(lists[i].name, "null");
                else
                    append_array(object.open(lists[i].name), columns[i], piece.first_entry, piece.entries);
            }
            object.close();
        }
        chunk(std::string("\"text\":\"").append(piece.text).append("\""), told);
    }
    return true;
}

} // namespace

std::optional<std::string> chunk_events(Dialect dialect, std::string_view answer, const Identity& identity,
                                        bool include_usage) {
    const auto whole = read_value(answer);
    const auto members = whole ? members_of(*whole) : std::nullopt;
    if (!members) return std::nullopt;
    ChunkTeller teller(dialect, *members, identity, include_usage);
    if (!teller.tell(*members)) return std::nullopt;
    return teller.take();
}

} // namespace tollgate::api::replay
