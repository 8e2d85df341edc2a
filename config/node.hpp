// YAML as a tree of plain values with places: what the strict checks need and yaml-cpp's own nodes do not keep
// (which scalars were quoted, keys written twice, where a key stands).
#pragma once

#include "config/diagnostics.hpp"

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::config {

struct Node;

struct Member {
    std::string name;
    Place place; // of the key
    const Node* value = nullptr;
};

struct Node {
    enum class Kind : std::uint8_t { null, scalar, list, map };

    Kind kind = Kind::null;
    std::string text;    // scalar
    bool quoted = false; // scalar: '…', "…", a block, or !!str, so never a number or a boolean
    Place place;
    bool open_ended = false; // scalar: may go on after its first line,
    int next_line = 0;       // but not beyond the line of what follows
    std::vector<const Node*> items;
    std::vector<Member> members;  // after merging `<<`; the first of duplicates
    std::vector<Member> repeated; // the other duplicates and what a merge lost, which may hold secrets too
    std::size_t size = 1;         // nodes below and including this one, aliases expanded
    int height = 1;
};

// Owns the nodes. An alias shares its anchor's node, so the tree is a graph without cycles whose expansion is bounded.
struct Document {
    std::deque<Node> nodes;
    const Node* root = nullptr;
};

inline constexpr std::size_t kLargestFile = 16ULL << 20;
inline constexpr std::size_t kMostNodes = 200'000;
inline constexpr int kDeepest = 32;

// The text's lines without their ends, for excerpts.
class Lines {
  public:
    explicit Lines(std::string_view text);
    // Line `number` counts from 1; empty beyond the end.
    [[nodiscard]] std::string_view operator[](int number) const noexcept;
    [[nodiscard]] int count() const noexcept { return static_cast<int>(lines_.size()); }

  private:
    std::vector<std::string_view> lines_;
};

// Nothing if the text is not usable YAML; the reason is in the sink. Duplicate keys are reported and do not stop it.
[[nodiscard]] std::optional<Document> read(std::string_view text, Sink& sink);

} // namespace tollgate::config
