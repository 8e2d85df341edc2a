#include "gateway/admin/json_body.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <utility>

namespace tollgate::admin {
namespace {

constexpr std::size_t kExactDigits = 15; // of a double

// Sees what a tree of values no longer shows: repeated names and the digits of numbers.
struct Inspector {
    static constexpr std::size_t max_object_size = kLargestBody;
    static constexpr std::size_t max_array_size = kLargestBody;
    static constexpr std::size_t max_key_size = kLargestBody;
    static constexpr std::size_t max_string_size = kLargestBody;
    using Code = boost::system::error_code;

    std::string problem;

    bool on_document_begin(Code&) { return true; }
    bool on_document_end(Code&) { return true; }
    bool on_object_begin(Code&) {
        names.emplace_back();
        return true;
    }
    bool on_object_end(std::size_t, Code&) {
        names.pop_back();
        return true;
    }
    bool on_array_begin(Code&) { return true; }
    bool on_array_end(std::size_t, Code&) { return true; }
    bool on_key_part(json::string_view part, std::size_t, Code&) {
        text.append(part.data(), part.size());
        return true;
    }
    bool on_key(json::string_view last, std::size_t, Code& error) {
        text.append(last.data(), last.size());
        const bool fresh = names.back().insert(text).second;
        if (!fresh) refuse(fmt::format("the name `{}` occurs twice in one object", text), error);
        text.clear();
        return fresh;
    }
    bool on_string_part(json::string_view part, std::size_t, Code&) {
        text.append(part.data(), part.size());
        return true;
    }
    bool on_string(json::string_view last, std::size_t, Code& error) {
        text.append(last.data(), last.size());
        const bool plain = text.find("${") == std::string::npos;
        if (!plain) refuse("`${` has no meaning here: write the value itself", error);
        text.clear();
        return plain;
    }
    bool on_number_part(json::string_view part, Code&) {
        text.append(part.data(), part.size());
        return true;
    }
    bool on_int64(std::int64_t, json::string_view, Code&) { return end_number(); }
    bool on_uint64(std::uint64_t, json::string_view, Code&) { return end_number(); }
    bool on_double(double, json::string_view last, Code& error) {
        text.append(last.data(), last.size());
        const bool exponent = text.find_first_of("eE") != std::string::npos;
        const auto digits = std::ranges::count_if(text, [](char c) { return c >= '0' && c <= '9'; });
        const bool exact = !exponent && static_cast<std::size_t>(digits) <= kExactDigits;
        if (!exact) refuse("a number has an exponent or more than 15 digits: write it as text", error);
        text.clear();
        return exact;
    }
    bool on_bool(bool, Code&) { return true; }
    bool on_null(Code&) { return true; }
    bool on_comment_part(json::string_view, Code&) { return true; }
    bool on_comment(json::string_view, Code&) { return true; }

  private:
    bool end_number() {
        text.clear();
        return true;
    }
    void refuse(std::string why, Code& error) {
        problem = std::move(why);
        error = json::make_error_code(json::error::syntax);
    }

    std::vector<std::set<std::string, std::less<>>> names;
    std::string text;
};

Problem bad(std::string detail) {
    return {.status = 400, .code = "invalid_body", .detail = std::move(detail)};
}

std::optional<Problem> inspect(std::string_view text, const json::parse_options& options) {
    json::basic_parser<Inspector> parser(options);
    boost::system::error_code error;
    parser.write_some(false, text.data(), text.size(), error);
    if (!parser.handler().problem.empty()) return bad(parser.handler().problem);
    if (error) return bad("the body is not JSON: " + error.message());
    return std::nullopt;
}

std::string escaped(std::string_view name) { // RFC 6901
    std::string out;
    for (const char c : name) {
        if (c == '~')
            out += "~0";
        else if (c == '/')
            out += "~1";
        else
            out += c;
    }
    return out;
}

class Grower {
  public:
    explicit Grower(Tree& tree) : tree_(tree) {}

    const config::Node* grow(const json::value& value, const std::string& pointer) {
        tree_.pointers.push_back(pointer);
        config::Node& node = tree_.document.nodes.emplace_back();
        node.place = {{static_cast<int>(tree_.pointers.size()), 1}, 1};
        switch (value.kind()) {
        case json::kind::null: break;
        case json::kind::bool_: scalar(node, value.get_bool() ? "true" : "false", false); break;
        case json::kind::int64: scalar(node, std::to_string(value.get_int64()), false); break;
        case json::kind::uint64: scalar(node, std::to_string(value.get_uint64()), false); break;
        case json::kind::double_: scalar(node, fmt::format("{}", value.get_double()), false); break;
        case json::kind::string: scalar(node, std::string(value.get_string()), true); break;
        case json::kind::array: list(node, value.get_array(), pointer); break;
        case json::kind::object: map(node, value.get_object(), pointer); break;
        }
        return &node;
    }

  private:
    static void scalar(config::Node& node, std::string text, bool quoted) {
        node.kind = config::Node::Kind::scalar;
        node.text = std::move(text);
        node.quoted = quoted;
    }
    void list(config::Node& node, const json::array& items, const std::string& pointer) {
        node.kind = config::Node::Kind::list;
        for (std::size_t i = 0; i < items.size(); ++i)
            node.items.push_back(grow(items[i], fmt::format("{}/{}", pointer, i)));
    }
    void map(config::Node& node, const json::object& members, const std::string& pointer) {
        node.kind = config::Node::Kind::map;
        for (const auto& [name, value] : members) {
            const config::Node* const below = grow(value, pointer + '/' + escaped(name));
            node.members.push_back({std::string(name), below->place, below});
        }
    }

    Tree& tree_;
};

void collect(const std::string& path, const json::value* before, const json::value* after, json::array& out) {
    if (before != nullptr && after != nullptr && *before == *after) return;
    if (before != nullptr && after != nullptr && before->is_object() && after->is_object()) {
        const json::object& old_one = before->get_object();
        const json::object& new_one = after->get_object();
        for (const auto& [name, value] : old_one)
            collect(path + '/' + escaped(name), &value, new_one.if_contains(name), out);
        for (const auto& [name, value] : new_one) {
            if (!old_one.contains(name)) collect(path + '/' + escaped(name), nullptr, &value, out);
        }
        return;
    }
    json::object item{{"path", path}};
    if (before != nullptr) item["old"] = *before;
    if (after != nullptr) item["new"] = *after;
    out.push_back(std::move(item));
}

} // namespace

std::expected<json::object, Problem> parse_body(std::string_view text) {
    if (text.size() > kLargestBody)
        return std::unexpected(Problem{.status = 413, .code = "too_large", .detail = "the body has more than 64 KiB"});
    json::parse_options options;
    options.max_depth = kDeepest;
    if (auto problem = inspect(text, options)) return std::unexpected(std::move(*problem));
    boost::system::error_code error;
    json::value value = json::parse(text, error, {}, options);
    if (error) return std::unexpected(bad("the body is not JSON: " + error.message()));
    if (!value.is_object()) return std::unexpected(bad("the body is not a JSON object"));
    return std::move(value.get_object());
}

Tree tree_of(const json::object& object) {
    Tree tree;
    tree.document.root = Grower(tree).grow(json::value(object), {});
    return tree;
}

Problem refused(const std::vector<config::Diagnostic>& diagnostics, const Tree& tree) {
    Problem problem = bad("the body cannot be used");
    for (const config::Diagnostic& found : diagnostics) {
        if (found.severity != config::Severity::error) continue;
        const auto line = static_cast<std::size_t>(std::max(found.mark.line, 1));
        const std::string path = line <= tree.pointers.size() ? tree.pointers[line - 1] : std::string();
        problem.errors.push_back({path, found.message, found.label.empty() ? found.help : found.label});
    }
    if (!problem.errors.empty()) problem.detail += ": " + problem.errors.front().message;
    return problem;
}

void merge(json::object& target, const json::object& patch) {
    for (const auto& [name, value] : patch) {
        if (value.is_null()) {
            target.erase(name);
        } else if (!value.is_object()) {
            target[name] = value;
        } else {
            json::value& below = target[name];
            if (below.is_number()) below = json::object{{"limit", below}};
            if (!below.is_object()) below = json::object();
            merge(below.get_object(), value.get_object());
        }
    }
}

std::string diff(const json::object& before, const json::object& after) {
    json::array out;
    const json::value old_one(before);
    const json::value new_one(after);
    collect({}, &old_one, &new_one, out);
    return json::serialize(out);
}

} // namespace tollgate::admin
