#include "config/node.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>
#include <unordered_map>

namespace tollgate::config {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::string_view kStringTag = "tag:yaml.org,2002:str";

// Ends the reading: the rest of the text cannot be trusted to mean anything.
struct Stop {
    Code code;
    Place place;
    std::string message;
    Advice advice;
};

Place place_of(const YAML::Mark& mark) {
    return {{std::max(mark.line, 0) + 1, std::max(mark.column, 0) + 1}, 1};
}

// Octets of a quoted scalar with its quotes, 0 if it does not end on this line.
std::size_t quoted_length(std::string_view from_quote) {
    const char quote = from_quote.front();
    for (std::size_t i = 1; i < from_quote.size(); ++i) {
        if (from_quote[i] == '\\' && quote == '"') {
            ++i;
        } else if (from_quote[i] == quote) {
            if (quote == '"' || i + 1 >= from_quote.size() || from_quote[i + 1] != quote) return i + 1;
            ++i;
        }
    }
    return 0;
}

class Builder final : public YAML::EventHandler {
  public:
    Builder(const Lines& lines, Document& document, Sink& sink) : lines_(lines), document_(document), sink_(sink) {}

    void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override;
    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value /*style*/) override {
        open(Node::Kind::list, mark, tag, anchor);
    }
    void OnSequenceEnd() override { close(); }
    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value /*style*/) override {
        open(Node::Kind::map, mark, tag, anchor);
    }
    void OnMapEnd() override { close(); }

  private:
    struct Frame {
        Node* node;
        bool has_key = false;
        bool merge = false;
        Member member;                                        // the key that waits for its value
        std::unordered_map<std::string, std::size_t> written; // key → index in node->members
        std::vector<const Node*> merges;
    };

    Node& make(Node::Kind kind, const Place& place, YAML::anchor_t anchor);
    void open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor);
    void close();
    void attach(const Node& node, const Place& place);
    void key(const Place& place, const std::string& name, bool quoted);
    void merge_into(Frame& frame, const Node& source);
    void count(std::size_t nodes, const Place& place);
    [[nodiscard]] bool wants_key() const {
        return !stack_.empty() && stack_.back().node->kind == Node::Kind::map && !stack_.back().has_key;
    }
    void refuse_key(const Place& place) const;
    void check_tag(const std::string& tag, const Place& place) const;
    void locate(Node& node, const std::string& value) const;

    const Lines& lines_;
    Document& document_;
    Sink& sink_;
    std::vector<Frame> stack_;
    std::unordered_map<YAML::anchor_t, Node*> anchors_;
    Node* last_scalar_ = nullptr;
    std::size_t total_ = 0;
};

void Builder::count(std::size_t nodes, const Place& place) {
    total_ += nodes;
    if (total_ > kMostNodes) {
        throw Stop{Code::too_many_nodes,
                   place,
                   fmt::format("more than {} values, aliases counted as often as they are used", kMostNodes),
                   {}};
    }
}

Node& Builder::make(Node::Kind kind, const Place& place, YAML::anchor_t anchor) {
    count(1, place);
    if (last_scalar_ != nullptr) last_scalar_->next_line = place.mark.line;
    last_scalar_ = nullptr;
    Node& node = document_.nodes.emplace_back();
    node.kind = kind;
    node.place = place;
    if (anchor != 0) anchors_[anchor] = &node;
    return node;
}

void Builder::refuse_key(const Place& place) const {
    throw Stop{Code::key_not_text, place, "a key must be text", {{}, "quote it if it holds `[`, `{`, `?` or `*`"}};
}

void Builder::check_tag(const std::string& tag, const Place& place) const {
    // yaml-cpp says "?" for plain and "!" for quoted scalars without a tag.
    if (tag.empty() || tag == "?" || tag == "!" || tag == kStringTag) return;
    throw Stop{Code::tag, place, fmt::format("the tag `{}` is not accepted", quotable(tag)), {}};
}

// The length as written and whether the scalar may go on below; both only known where it starts on its mark.
void Builder::locate(Node& node, const std::string& value) const {
    const std::string_view line = lines_[node.place.mark.line];
    const auto start = std::min(static_cast<std::size_t>(node.place.mark.column - 1), line.size());
    const std::string_view rest = line.substr(start);
    const bool quote = rest.starts_with('"') || rest.starts_with('\'');
    const std::size_t length = quote ? quoted_length(rest) : rest.starts_with(value) ? value.size() : 0;
    node.open_ended = length == 0;
    node.place.length = std::max<std::size_t>(1, length);
    node.next_line = lines_.count();
}

void Builder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
    Place place = place_of(mark);
    if (wants_key()) refuse_key(place);
    // The mark of a value that is not there is wherever the next token is, possibly lines below.
    if (!stack_.empty() && stack_.back().has_key) place = stack_.back().member.place;
    attach(make(Node::Kind::null, place, anchor), place);
}

void Builder::OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) {
    const Place place = place_of(mark);
    if (wants_key()) refuse_key(place);
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Stop{Code::syntax, place, "the alias names no anchor", {}};
    for (const Frame& frame : stack_) {
        if (frame.node == found->second) {
            throw Stop{Code::recursive_alias, place, "the alias stands inside the value it names", {}};
        }
    }
    const Node& node = *found->second;
    count(node.size, place);
    if (static_cast<int>(stack_.size()) + node.height > kDeepest) {
        throw Stop{Code::too_deep, place, fmt::format("nested deeper than {} levels", kDeepest), {}};
    }
    attach(node, place);
}

void Builder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       const std::string& value) {
    check_tag(tag, place_of(mark));
    Node& node = make(Node::Kind::scalar, place_of(mark), anchor);
    locate(node, value);
    node.text = value;
    node.quoted = tag != "?" && !tag.empty();
    last_scalar_ = &node;
    if (wants_key()) {
        key(node.place, value, node.quoted);
    } else {
        attach(node, node.place);
    }
}

void Builder::key(const Place& place, const std::string& name, bool quoted) {
    Frame& frame = stack_.back();
    frame.has_key = true;
    frame.merge = name == "<<" && !quoted;
    frame.member = {name, place, nullptr};
}

void Builder::open(Node::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    const Place place = place_of(mark);
    if (wants_key()) refuse_key(place);
    check_tag(tag, place);
    if (static_cast<int>(stack_.size()) >= kDeepest) {
        throw Stop{Code::too_deep, place, fmt::format("nested deeper than {} levels", kDeepest), {}};
    }
    stack_.push_back({&make(kind, place, anchor), false, false, {}, {}, {}});
}

void Builder::close() {
    Frame frame = std::move(stack_.back());
    stack_.pop_back();
    for (const Node* const source : frame.merges) merge_into(frame, *source);
    attach(*frame.node, frame.node->place);
}

// YAML 1.1 merge: what the map itself says wins, then the earlier source.
void Builder::merge_into(Frame& frame, const Node& source) {
    for (const Member& member : source.members) {
        const bool fresh = frame.written.emplace(member.name, frame.node->members.size()).second;
        (fresh ? frame.node->members : frame.node->repeated).push_back(member);
    }
}

void Builder::attach(const Node& node, const Place& place) {
    if (stack_.empty()) {
        document_.root = &node;
        return;
    }
    Frame& frame = stack_.back();
    frame.node->size += node.size;
    frame.node->height = std::max(frame.node->height, node.height + 1);
    if (frame.node->kind == Node::Kind::list) {
        frame.node->items.push_back(&node);
        return;
    }
    frame.has_key = false;
    if (frame.merge) {
        const auto is_map = [](const Node* n) { return n->kind == Node::Kind::map; };
        const bool many = node.kind == Node::Kind::list && std::ranges::all_of(node.items, is_map);
        if (!many && !is_map(&node)) {
            throw Stop{Code::bad_merge, place, "`<<` wants a map or a list of maps, usually an alias", {}};
        }
        if (many) frame.merges.insert(frame.merges.end(), node.items.begin(), node.items.end());
        if (!many) frame.merges.push_back(&node);
        return;
    }
    const auto [at, fresh] = frame.written.emplace(frame.member.name, frame.node->members.size());
    frame.member.value = &node;
    if (!fresh) {
        const Mark& first = frame.node->members[at->second].place.mark;
        sink_.add(Code::duplicate_key, frame.member.place,
                  fmt::format("the key `{}` is written twice in this map", quotable(frame.member.name)),
                  {fmt::format("first written at {}:{}", first.line, first.column), "keep one of them"});
        frame.node->repeated.push_back(std::move(frame.member));
        return;
    }
    frame.node->members.push_back(std::move(frame.member));
}

// Length of the well-formed UTF-8 sequence at the front, 0 if there is none (RFC 3629 §3, §4).
std::size_t utf8_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text.front());
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
    std::uint32_t value = lead & (0x7FU >> length);
    for (std::size_t i = 1; i < length; ++i) {
        const auto tail = static_cast<unsigned char>(text[i]);
        if ((tail & 0xC0U) != 0x80U) return 0;
        value = value << 6 | (tail & 0x3FU);
    }
    constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const bool surrogate = value >= 0xD800 && value <= 0xDFFF;
    return value < kSmallest[length] || surrogate || value > 0x10FFFF ? 0 : length;
}

// yaml-cpp ends the text silently at U+0004 and replaces what is not UTF-8, so neither may reach it.
bool check_characters(std::string_view text, Sink& sink) {
    Place place{{1, 1}, 1};
    while (!text.empty()) {
        const std::size_t length = utf8_length(text);
        const auto octet = static_cast<unsigned char>(text.front());
        if (length == 0) {
            sink.add(Code::not_utf8, place, fmt::format("octet 0x{:02X} is not UTF-8", octet),
                     {{}, "save the file as UTF-8"});
            return false;
        }
        if (octet == 0x7F || (octet < 0x20 && octet != '\t' && octet != '\n' && octet != '\r')) {
            sink.add(Code::control_character, place, fmt::format("control character 0x{:02X}", octet),
                     {{}, "write it as an escape inside double quotes, e.g. \"\\x1b\""});
            return false;
        }
        place.mark.column += static_cast<int>(length);
        if (octet == '\n') place.mark = {place.mark.line + 1, 1};
        text.remove_prefix(length);
    }
    return true;
}

Advice syntax_hint(const Lines& lines, int upto, std::string_view said) {
    for (int number = upto; number >= 1; --number) {
        const std::string_view line = lines[number];
        const std::string_view indent = line.substr(0, line.find_first_not_of(" \t"));
        if (indent.find('\t') == std::string_view::npos) continue;
        return {"YAML is indented with spaces",
                fmt::format("line {} is indented with a tab; replace it by spaces", number)};
    }
    if (said.starts_with("end of sequence flow")) return {{}, "a `[` before this place is not closed by `]`"};
    if (said.starts_with("end of map flow")) return {{}, "a `{` before this place is not closed by `}`"};
    return {{}, "look at this line and the one above it for a missing quote, colon, bracket or space"};
}

void parse(std::string_view text, Builder& builder, const Document& document) {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    parser.HandleNextDocument(builder);
    const Node* const first = document.root;
    if (parser.HandleNextDocument(builder)) {
        const Place place = document.root != nullptr && document.root != first ? document.root->place : Place{};
        throw Stop{Code::second_document, place, "a second YAML document starts here", {{}, "one file, one document"}};
    }
}

} // namespace

Lines::Lines(std::string_view text) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        lines_.push_back(line);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::string_view Lines::operator[](int number) const noexcept {
    const auto index = static_cast<std::size_t>(number) - 1;
    return number >= 1 && index < lines_.size() ? lines_[index] : std::string_view();
}

std::optional<Document> read(std::string_view text, Sink& sink) {
    if (text.size() > kLargestFile) {
        sink.add(Code::file_too_large, {{}, 1},
                 fmt::format("the file has {} octets, want at most 16 MiB", text.size()));
        return std::nullopt;
    }
    if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    if (!check_characters(text, sink)) return std::nullopt;
    const Lines lines(text);
    Document document;
    Builder builder(lines, document, sink);
    try {
        parse(text, builder, document);
    } catch (Stop& stop) {
        sink.add(stop.code, stop.place, std::move(stop.message), std::move(stop.advice));
        return std::nullopt;
    } catch (const YAML::Exception& error) {
        const Place place = place_of(error.mark);
        sink.add(Code::syntax, place, "not YAML: " + quotable(error.msg),
                 syntax_hint(lines, place.mark.line, error.msg));
        return std::nullopt;
    }
    return document;
}

} // namespace tollgate::config
