// The checked tree between YAML and Config: every value converted, with its row of the key table and its place.
#pragma once

#include "config/key_table.hpp"
#include "config/node.hpp"
#include "gateway/base/secret.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace tollgate::config {

struct Value {
    const Row* row = nullptr; // of the key table
    std::string path;         // as it is in this file: "models.gpt-4o.upstreams[0].weight"
    std::string name;         // as a member of a map
    Place place;              // of the value; of the name for sections, named maps and lists
    bool valid = false;       // converted without an error; members may still be invalid
    bool complete = true;     // section: no key of it is unknown
    std::variant<std::monostate, bool, std::uint64_t, std::int64_t, std::chrono::milliseconds, std::chrono::sys_seconds,
                 std::string, Secret, Endpoint>
        data;
    std::vector<Value> members; // of sections, named maps and lists; what is unknown is left out

    // The member of that name, or null. Dots lead further down: "listen.tls.cert".
    [[nodiscard]] const Value* find(std::string_view dotted) const noexcept;
    // The converted value at a dotted path, or null if it is absent or invalid.
    template <class T>
    [[nodiscard]] const T* get(std::string_view dotted) const noexcept {
        const Value* const value = find(dotted);
        return value != nullptr && value->valid ? std::get_if<T>(&value->data) : nullptr;
    }
    // Place of a member if it is written, else of this value.
    [[nodiscard]] const Place& place_of(std::string_view dotted) const noexcept {
        const Value* const value = find(dotted);
        return value != nullptr ? value->place : place;
    }
};

// Checks everything that one row of the table can say about one value. Total: what is wrong is left out or invalid.
[[nodiscard]] Value validate(const Node& root, const Environment& environment, Sink& sink);
// The same for one value that stands at `row` of the table, such as an item of `keys`; messages call it `path`.
[[nodiscard]] Value validate_at(const Row& row, std::string path, const Node& node, const Environment& environment,
                                Sink& sink);

} // namespace tollgate::config
