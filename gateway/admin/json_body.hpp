// Bodies of admin requests: JSON, strictly; and JSON as what the rules of the configuration file are checked on.
#pragma once

#include "config/node.hpp"
#include "gateway/admin/problem.hpp"

#include <boost/json/object.hpp>

#include <deque>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::admin {

namespace json = boost::json;

inline constexpr std::size_t kLargestBody = 64 * 1024; // octets
inline constexpr std::size_t kDeepest = 16;

// One JSON object. Refused: anything else, names that occur twice, text that is not UTF-8, numbers with more digits
// than a program keeps exactly, and `${`, which in the file would read a variable or another file.
[[nodiscard]] std::expected<json::object, Problem> parse_body(std::string_view text);

// The same values as the configuration's reader would have made them. Line n of a mark is pointers[n - 1].
struct Tree {
    config::Document document;
    std::vector<std::string> pointers;
};
[[nodiscard]] Tree tree_of(const json::object& object);
// What the rules of the file find wrong with it.
[[nodiscard]] Problem refused(const std::vector<config::Diagnostic>& diagnostics, const Tree& tree);

// RFC 7396, except that a number takes the place of an object's `limit`: {"rpm": 10} and {"rpm": {"limit": 10}} are the
// same, so that a patch of one member of a limit finds the others.
void merge(json::object& target, const json::object& patch);

// [{"path":"/limits/rpm/limit","old":100,"new":10}]: what changed between two views of one thing.
[[nodiscard]] std::string diff(const json::object& before, const json::object& after);

} // namespace tollgate::admin
