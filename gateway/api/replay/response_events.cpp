#include "gateway/api/replay/merge.hpp"
#include "gateway/api/replay/pieces.hpp"
#include "gateway/api/replay/telling.hpp"

namespace tollgate::api::replay {
namespace {

// One event, whose members are written through the object; the event ends with it.
class Event {
  public:
    Event(std::string& out, std::string_view type, std::size_t number)
        : out_(out), object_((out.append("event: ").append(type).append("\ndata: "), out)) {
        object_.text("type", type).value("sequence_number", std::to_string(number));
    }
    ~Event() {
        object_.close();
        out_ += "\n\n";
    }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ObjectWriter* operator->() noexcept { return &object_; }

  private:
    std::string& out_;
    ObjectWriter object_;
};

// A text that one item tells: the names of its events and of the member that grows.
struct Growing {
    std::string_view delta, done, member;
};
constexpr Growing kOutputText{"response.output_text.delta", "response.output_text.done", "text"};
constexpr Growing kRefusal{"response.refusal.delta", "response.refusal.done", "refusal"};
constexpr Growing kReasoningText{"response.reasoning_text.delta", "response.reasoning_text.done", "text"};
constexpr Growing kSummaryText{"response.reasoning_summary_text.delta", "response.reasoning_summary_text.done", "text"};
constexpr Growing kArguments{"response.function_call_arguments.delta", "response.function_call_arguments.done",
                             "arguments"};
constexpr Growing kInput{"response.custom_tool_call_input.delta", "response.custom_tool_call_input.done", "input"};

// The events of one answer. The functions return false where a part has no known form as events.
class ResponseTeller {
  public:
    [[nodiscard]] bool tell(std::string_view response);
    [[nodiscard]] std::string take() { return std::move(out_); }

  private:
    Event event(std::string_view type) { return {out_, type, number_++}; }
    void place(Event& event, bool in_part) const;
    void tell_beginning(std::string_view type, const Members& response);
    [[nodiscard]] bool tell_item(const Value& item, std::size_t index);
    void add_item(const Members& item);
    [[nodiscard]] bool tell_parts(const Value& parts, bool summary);
    [[nodiscard]] bool tell_part(const Members& part, std::string_view text, bool summary);
    [[nodiscard]] bool tell_growing(const Growing& growing, const Members& from, bool in_part);
    [[nodiscard]] bool tell_annotations(const Value& annotations);

    std::string out_;
    std::size_t number_ = 0;
    // Of the item and the part that are being told.
    std::string_view item_id_;
    std::string output_index_, part_index_;
    std::string_view part_index_name_;
};

bool is_type(const Members& members, std::string_view quoted) noexcept {
    return find(members, "type").text == quoted;
}

// As it was before anything was said.
void ResponseTeller::tell_beginning(std::string_view type, const Members& response) {
    Event told = event(type);
    ObjectWriter begun(told->open("response"));
    for (const auto& [name, value] : response) {
        if (name == "output_text") continue;
        if (name == "status")
            begun.text(name, "in_progress");
        else if (name == "output")
            begun.value(name, "[]");
        else if (name == "usage" || name == "completed_at")
            begun.value(name, "null");
        else
            begun.value(name, value.text);
    }
    begun.close();
}

bool ResponseTeller::tell(std::string_view text) {
    const auto whole = read_value(text);
    const auto response = whole ? members_of(*whole) : std::nullopt;
    const Value output = response ? find(*response, "output") : Value{};
    if (!output.is_array() || find(*response, "status").text != R"("completed")") return false;
    tell_beginning("response.created", *response);
    tell_beginning("response.in_progress", *response);
    Elements items(output);
    for (std::size_t i = 0; const auto item = items.next(); ++i)
        if (!tell_item(*item, i)) return false;
    event("response.completed")->value("response", whole->text);
    return true;
}

void ResponseTeller::add_item(const Members& item) {
    Event told = event("response.output_item.added");
    told->value("output_index", output_index_);
    ObjectWriter begun(told->open("item"));
    for (const auto& [name, value] : item) {
        if (name == "encrypted_content") continue; // comes with the whole item
        if (name == "status" && value.is_string())
            begun.text(name, "in_progress");
        else if ((name == "content" || name == "summary") && value.is_array())
            begun.value(name, "[]");
        else if (name == "arguments" || name == "input")
            begun.text(name, {});
        else
            begun.value(name, value.text);
    }
    begun.close();
}

bool ResponseTeller::tell_item(const Value& value, std::size_t index) {
    const auto item = members_of(value);
    if (!item || !find(*item, "id").is_string()) return false;
    item_id_ = find(*item, "id").text;
    output_index_ = std::to_string(index);
    add_item(*item);
    bool told = false;
    if (is_type(*item, R"("message")")) {
        told = tell_parts(find(*item, "content"), false);
    } else if (is_type(*item, R"("reasoning")")) {
        const Value summary = find(*item, "summary"), content = find(*item, "content");
        told = (summary.is_null() || tell_parts(summary, true)) && (content.is_null() || tell_parts(content, false));
    } else if (is_type(*item, R"("function_call")")) {
        told = tell_growing(kArguments, *item, false);
    } else if (is_type(*item, R"("custom_tool_call")")) {
        told = tell_growing(kInput, *item, false);
    }
    if (!told) return false;
    Event done = event("response.output_item.done");
    done->value("output_index", output_index_).value("item", value.text);
    return true;
}

bool ResponseTeller::tell_parts(const Value& parts, bool summary) {
    if (!parts.is_array()) return false;
    part_index_name_ = summary ? "summary_index" : "content_index";
    Elements elements(parts);
    for (std::size_t i = 0; const auto element = elements.next(); ++i) {
        const auto part = members_of(*element);
        part_index_ = std::to_string(i);
        if (!part || !tell_part(*part, element->text, summary)) return false;
    }
    return true;
}

// Where it belongs.
void ResponseTeller::place(Event& event, bool in_part) const {
    event->value("item_id", item_id_).value("output_index", output_index_);
    if (in_part) event->value(part_index_name_, part_index_);
}

bool ResponseTeller::tell_part(const Members& part, std::string_view text, bool summary) {
    const bool output = is_type(part, R"("output_text")"), refusal = is_type(part, R"("refusal")");
    const bool reasoning = is_type(part, summary ? R"("summary_text")" : R"("reasoning_text")");
    if (!output && !refusal && !reasoning) return false;
    {
        Event added = event(summary ? "response.reasoning_summary_part.added" : "response.content_part.added");
        place(added, true);
        ObjectWriter begun(added->open("part"));
        for (const auto& [name, value] : part) {
            if (name == "text" || name == "refusal")
                begun.text(name, {});
            else
                begun.value(name, value.is_array() ? "[]" : value.text);
        }
        begun.close();
    }
    if (!tell_growing(refusal ? kRefusal : output ? kOutputText : summary ? kSummaryText : kReasoningText, part, true))
        return false;
    Event done = event(summary ? "response.reasoning_summary_part.done" : "response.content_part.done");
    place(done, true);
    done->value("part", text);
    return true;
}

bool ResponseTeller::tell_growing(const Growing& growing, const Members& from, bool in_part) {
    const Value text = find(from, growing.member), entries = find(from, "logprobs");
    const bool has_entries = &growing == &kOutputText;
    if (!text.is_string() || (has_entries && !entries.is_null() && !entries.is_array())) return false;
    const auto elements = has_entries ? elements_of(entries) : std::vector<std::string_view>();
    for (const Piece& piece : cut(text.inner(), tokens_of(elements))) {
        Event told = event(growing.delta);
        place(told, in_part);
        told->text("delta", piece.text);
        if (has_entries) append_array(told->open("logprobs"), elements, piece.first_entry, piece.entries);
    }
    if (has_entries && !tell_annotations(find(from, "annotations"))) return false;
    Event done = event(growing.done);
    place(done, in_part);
    done->text(growing.member, text.inner());
    if (has_entries) append_array(done->open("logprobs"), elements, 0, elements.size());
    if (const Value name = find(from, "name"); &growing == &kArguments && name.is_string())
        done->value("name", name.text);
    return true;
}

bool ResponseTeller::tell_annotations(const Value& annotations) {
    if (annotations.is_null()) return true;
    if (!annotations.is_array()) return false;
    Elements elements(annotations);
    for (std::size_t i = 0; const auto element = elements.next(); ++i) {
        Event told = event("response.output_text.annotation.added");
        place(told, true);
        told->value("annotation_index", std::to_string(i)).value("annotation", element->text);
    }
    return true;
}

} // namespace

std::optional<std::string> response_events(std::string_view answer, const Identity& identity) {
    const auto renewed = as_json(Dialect::response, answer, identity);
    ResponseTeller teller;
    if (!renewed || !teller.tell(*renewed)) return std::nullopt;
    return teller.take();
}

} // namespace tollgate::api::replay
