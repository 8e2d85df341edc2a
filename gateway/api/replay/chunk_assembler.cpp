#include "gateway/api/replay/chunk_assembler.hpp"

#include <algorithm>

namespace tollgate::api::replay {
namespace {

constexpr std::size_t kMaxChoices = 128; // n of the API's definition
constexpr std::size_t kMaxCalls = 1024;  // of one choice

bool is_empty_text(const Value& value) noexcept {
    return value.is_string() && value.inner().empty();
}

// A piece of a call: names and ids come once, one text grows.
bool take_called(Fields& fields, Text& text, std::string_view growing, const Value& part, Budget& budget) {
    if (part.is_null()) return true;
    const auto members = members_of(part);
    return members && std::ranges::all_of(*members, [&](const Member& member) {
               if (member.name == growing) return text.take(member.value, budget);
               return is_empty_text(member.value) || fields.take(member.name, member.value, budget);
           });
}

bool take_call(ToolCall& call, const Members& members, Budget& budget) {
    return std::ranges::all_of(members, [&](const Member& member) {
        if (member.name == "index" || is_empty_text(member.value)) return true;
        if (member.name == "function")
            return take_called(call.function, call.arguments, "arguments", member.value, budget);
        if (member.name == "custom") return take_called(call.custom, call.input, "input", member.value, budget);
        return call.fields.take(member.name, member.value, budget);
    });
}

void write_called(std::string& out, const Fields& fields, std::string_view growing, const Text& text) {
    ObjectWriter object(out);
    object.value("name", fields.find("name")).text(growing, text.escaped);
    fields.write(object, {"name"});
    object.close();
}

bool adds_nothing(const Member& member) {
    return member.name == "role" || member.value.is_null() || is_empty_text(member.value);
}

} // namespace

bool ToolCall::whole() const noexcept {
    return !fields.find("id").empty() && function.find("name").empty() != custom.find("name").empty();
}

void ToolCall::write(std::string& out) const {
    const bool is_function = !function.find("name").empty();
    const std::string_view type = fields.find("type");
    ObjectWriter object(out);
    object.value("id", fields.find("id"));
    object.value("type", !type.empty() ? type : is_function ? R"("function")" : R"("custom")");
    if (is_function)
        write_called(object.open("function"), function, "arguments", arguments);
    else
        write_called(object.open("custom"), custom, "input", input);
    fields.write(object, {"id", "type"});
    object.close();
}

bool ChunkAssembler::feed(std::string_view data) {
    if (done_) return false;
    if (data.starts_with("[DONE]")) {
        done_ = true;
        return true;
    }
    const auto chunk = read_value(data);
    const auto members = chunk ? members_of(*chunk) : std::nullopt;
    return members && std::ranges::all_of(*members, [this](const Member& member) { return take_top(member); });
}

bool ChunkAssembler::take_top(const Member& member) {
    const auto& [name, value] = member;
    if (name == "choices") return take_choices(value);
    if (name == "error") return value.is_null();
    // Padding, and what one provider says of its own bookkeeping on the first and the last chunk.
    if (name == "object" || name == "obfuscation" || name == "x_groq") return true;
    if (name == "id" || name == "created") // of the answer that was; some servers count them up
        return !top_.find(name).empty() || is_empty_text(value) || top_.take(name, value, budget_);
    if (name == "model" && is_empty_text(value)) return true;
    if (name == "usage" || name == "service_tier" || name == "system_fingerprint")
        return top_.replace(name, value, budget_);
    return top_.take(name, value, budget_);
}

bool ChunkAssembler::take_choices(const Value& list) {
    if (!list.is_array()) return false;
    Elements elements(list);
    while (const auto element = elements.next()) {
        const auto members = members_of(*element);
        if (!members || !take_choice(*members)) return false;
    }
    return true;
}

bool ChunkAssembler::take_choice(const Members& members) {
    const auto index = index_of(find(members, "index"), kMaxChoices - 1);
    if (!index) return false;
    while (choices_.size() <= *index) {
        if (!budget_.take(sizeof(Choice))) return false;
        choices_.emplace_back();
    }
    Choice& choice = choices_[*index];
    const bool ended = !choice.reason.empty(); // by an earlier chunk: the members of one have no order
    return std::ranges::all_of(members, [&](const Member& member) {
        const auto& [name, value] = member;
        if (name == "index") return true;
        if (name == "logprobs") return choice.logprobs.take(value, budget_);
        if (name == "delta" && dialect_ == Dialect::chat) return take_delta(choice, value, ended);
        if (name == "text" && dialect_ == Dialect::completion)
            return (!ended || is_empty_text(value)) && choice.legacy.take(value, budget_);
        if (name != "finish_reason") return choice.fields.take(name, value, budget_);
        if (value.is_null() || choice.reason == value.text) return true;
        if (!choice.reason.empty() || !value.is_string() || !budget_.take(value.text.size())) return false;
        choice.reason = value.text;
        return true;
    });
}

bool ChunkAssembler::take_delta(Choice& choice, const Value& delta, bool ended) {
    if (delta.is_null()) return true;
    const auto members = members_of(delta);
    return members && std::ranges::all_of(*members, [&](const Member& member) {
               return (!ended || adds_nothing(member)) && take_delta_member(choice, member);
           });
}

bool ChunkAssembler::take_delta_member(Choice& choice, const Member& member) {
    const auto& [name, value] = member;
    if (const auto text = std::ranges::find(kMessageTexts, name); text != kMessageTexts.end())
        return choice.texts[static_cast<std::size_t>(text - kMessageTexts.begin())].take(value, budget_);
    if (name == "audio") return value.is_null();
    if (name == "tool_calls") return value.is_null() || take_calls(choice, value);
    if (name == "function_call") return take_function_call(choice, value);
    if (name == "role" && is_empty_text(value)) return true;
    if (name != "annotations") {
        // Twice the same word of an unknown text may mean the word or its double.
        const bool unclear = value.is_string() && name != "role" && !choice.message.find(name).empty();
        return !unclear && choice.message.take(name, value, budget_);
    }
    if (value.is_null()) return true;
    choice.annotated = true;
    return append_elements(choice.annotations, value, budget_);
}

bool ChunkAssembler::take_calls(Choice& choice, const Value& list) {
    if (!list.is_array()) return false;
    Elements elements(list);
    while (const auto element = elements.next()) {
        const auto members = members_of(*element);
        const auto index = members ? index_of(find(*members, "index"), kMaxCalls - 1) : std::nullopt;
        if (!index || *index > choice.calls.size()) return false;
        if (*index == choice.calls.size()) {
            if (!budget_.take(sizeof(ToolCall))) return false;
            choice.calls.emplace_back();
        }
        if (!take_call(choice.calls[*index], *members, budget_)) return false;
    }
    return true;
}

bool ChunkAssembler::take_function_call(Choice& choice, const Value& call) {
    choice.called = choice.called || !call.is_null();
    return take_called(choice.function_call, choice.function_arguments, "arguments", call, budget_);
}

std::optional<std::string> ChunkAssembler::finish() {
    if (!done_ || choices_.empty()) return std::nullopt;
    for (const Choice& choice : choices_) {
        if (choice.reason.empty() || (choice.called && choice.function_call.find("name").empty())) return std::nullopt;
        if (dialect_ == Dialect::completion && !choice.legacy.told) return std::nullopt;
        if (!std::ranges::all_of(choice.calls, [](const ToolCall& call) { return call.whole(); })) return std::nullopt;
    }
    std::string out;
    ObjectWriter object(out);
    if (const auto id = top_.find("id"); !id.empty()) object.value("id", id);
    object.text("object", dialect_ == Dialect::chat ? "chat.completion" : "text_completion");
    for (const std::string_view name : {"created", "model"})
        if (const auto value = top_.find(name); !value.empty()) object.value(name, value);
    object.open("choices") += '[';
    for (std::size_t i = 0; i < choices_.size(); ++i) {
        if (i != 0) out += ',';
        write_choice(out, i);
    }
    out += ']';
    top_.write(object, {"id", "created", "model"});
    object.close();
    return out;
}

void ChunkAssembler::write_choice(std::string& out, std::size_t index) const {
    const Choice& choice = choices_[index];
    ObjectWriter object(out);
    if (dialect_ == Dialect::completion) object.text("text", choice.legacy.escaped);
    object.value("index", std::to_string(index));
    if (dialect_ == Dialect::chat) write_message(object.open("message"), choice);
    if (choice.logprobs.told())
        choice.logprobs.write(object.open("logprobs"));
    else if (choice.logprobs.mentioned())
        object.value("logprobs", "null");
    object.value("finish_reason", choice.reason);
    choice.fields.write(object);
    object.close();
}

void ChunkAssembler::write_message(std::string& out, const Choice& choice) const {
    const std::string_view role = choice.message.find("role");
    ObjectWriter object(out);
    object.value("role", role.empty() ? R"("assistant")" : role);
    // A call or refusal comes without content; streams say so with an empty string.
    const Text& refusal = choice.texts[1];
    const bool instead = !choice.calls.empty() || choice.called || !refusal.escaped.empty();
    for (std::size_t i = 0; i < choice.texts.size(); ++i) {
        const Text& text = choice.texts[i];
        const bool content = i == 0;
        if (text.told && !(text.escaped.empty() && (i == 1 || (content && instead))))
            object.text(kMessageTexts[i], text.escaped);
        else if (content || (i == 1 && text.mentioned))
            object.value(kMessageTexts[i], "null");
    }
    if (!choice.calls.empty()) {
        object.open("tool_calls") += '[';
        for (std::size_t i = 0; i < choice.calls.size(); ++i) {
            if (i != 0) out += ',';
            choice.calls[i].write(out);
        }
        out += ']';
    }
    if (choice.called)
        write_called(object.open("function_call"), choice.function_call, "arguments", choice.function_arguments);
    if (choice.annotated) object.open("annotations") += '[' + choice.annotations + ']';
    choice.message.write(object, {"role"});
    object.close();
}

} // namespace tollgate::api::replay
