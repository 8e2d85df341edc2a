#include "config/mask.hpp"

#include "config/expand.hpp"
#include "config/key_table.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>

namespace tollgate::config {
namespace {

// Words that mark a key as holding a secret even if it is misspelt or unknown.
constexpr std::string_view kWords[] = {"secret", "secrt",      "key",  "token",  "pass",  "pwd",
                                       "master", "credential", "auth", "sha256", "bearer"};

bool is_table_secret(std::string_view name) {
    return std::ranges::any_of(all_rows(), [&](const Row& row) {
        const std::string_view path = row.path.ends_with("[]") ? row.path.substr(0, row.path.size() - 2) : row.path;
        return row.type == Type::secret && leaf(path) == name;
    });
}

// `keys` is where client keys are configured: what stands below decides.
bool names_secret(std::string_view name) {
    if (name == "keys") return false;
    if (is_table_secret(name)) return true;
    std::string lower(name);
    std::ranges::transform(lower, lower.begin(), ascii_lower);
    if (std::ranges::any_of(kWords, [&](std::string_view w) { return lower.find(w) != std::string::npos; }))
        return true;
    constexpr std::string_view kWhole[] = {"secret", "master", "url"};
    return std::ranges::any_of(kWhole, [&](std::string_view w) { return edit_distance(lower, w, 2) <= w.size() / 3; });
}

bool is_name_character(char c) noexcept {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
}

// The name that ends just before the colon at `colon`, quotes aside.
std::string_view name_before(std::string_view line, std::size_t colon) {
    std::size_t end = colon;
    while (end > 0 && (line[end - 1] == ' ' || line[end - 1] == '"' || line[end - 1] == '\'')) --end;
    std::size_t start = end;
    while (start > 0 && is_name_character(line[start - 1])) --start;
    return line.substr(start, end - start);
}

// Start of the first value on this line whose key looks like a secret's.
std::size_t lexical_cut(std::string_view line) {
    for (std::size_t colon = line.find(':'); colon != std::string_view::npos; colon = line.find(':', colon + 1)) {
        if (!names_secret(name_before(line, colon))) continue;
        const std::size_t value = line.find_first_not_of(' ', colon + 1);
        if (value == std::string_view::npos) continue;
        const std::string_view rest = line.substr(value);
        const std::size_t quote = rest.starts_with('"') || rest.starts_with('\'') ? 1 : 0;
        const std::size_t close = rest.find('}');
        const bool reference = close != std::string_view::npos && is_reference(rest.substr(quote, close + 1 - quote));
        if (!reference) return value;
    }
    return line.size();
}

// A line of a text that does not parse and that does not start with a plain `name:` may be the rest of a secret.
std::size_t orphan_cut(std::string_view line) {
    const std::size_t start = std::min(line.find_first_not_of(" \t-{"), line.size());
    std::size_t end = start;
    while (end < line.size() && (is_name_character(line[end]) || line[end] == '.')) ++end;
    const std::string_view rest = line.substr(end);
    return end > start && (rest == ":" || rest.starts_with(": ")) ? line.size() : start;
}

// A URL with a user: what follows its `//` is a password or belongs to one.
std::size_t userinfo_cut(std::string_view line) {
    for (std::size_t at = line.find("://"); at != std::string_view::npos; at = line.find("://", at + 1)) {
        const std::size_t start = at + 3;
        const std::size_t end = std::min(line.find_first_of(" \t\"'", start), line.size());
        if (line.substr(start, end - start).find('@') != std::string_view::npos) return start;
    }
    return line.size();
}

std::size_t credential_cut(std::string_view line) {
    std::size_t start = 0;
    while (start < line.size()) {
        const std::size_t end = std::min(line.find_first_of(" \t,\"'[]{}", start), line.size());
        if (looks_like_credential(line.substr(start, end - start))) return start;
        start = end + 1;
    }
    return line.size();
}

} // namespace

Mask::Mask(std::string_view text) : lines_(text.starts_with("\xEF\xBB\xBF") ? text.substr(3) : text) {
    Sink ignored;
    const std::optional<Document> document = read(text, ignored);
    if (!document || document->root == nullptr) return;
    parsed_ = true;
    hide(*document->root, false);
}

void Mask::hide(const Node& node, bool secret) {
    if (node.kind == Node::Kind::scalar && secret) hide_scalar(node);
    for (const Node* const item : node.items) hide(*item, secret);
    for (const Member& member : node.members) hide_member(member, secret);
    for (const Member& member : node.repeated) hide_member(member, secret);
}

void Mask::hide_member(const Member& member, bool secret) {
    // `secrets: { … }` is a section: its keys decide.
    const bool section = member.value->kind == Node::Kind::map && !is_table_secret(member.name);
    hide(*member.value, secret || (names_secret(member.name) && !section));
}

void Mask::hide_scalar(const Node& node) {
    if (is_reference(node.text)) return;
    const int first = node.place.mark.line;
    cut(first, static_cast<std::size_t>(node.place.mark.column) - 1);
    if (!node.open_ended) return;
    for (int line = first + 1; line <= node.next_line; ++line) cut(line, 0);
}

void Mask::cut(int line, std::size_t column) {
    const auto [at, fresh] = cuts_.emplace(line, column);
    if (!fresh) at->second = std::min(at->second, column);
}

std::string_view Mask::visible(int number) const {
    const std::string_view line = lines_[number];
    std::size_t shown = std::min(credential_cut(line), userinfo_cut(line));
    if (!parsed_) shown = std::min({shown, lexical_cut(line), orphan_cut(line)});
    if (const auto at = cuts_.find(number); at != cuts_.end()) shown = std::min(shown, at->second);
    return line.substr(0, shown);
}

} // namespace tollgate::config
