// The one table of admin routes: deny by default, authorization by what was matched (R10, R11).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::admin {

enum class Action : std::uint8_t {
    list_keys,
    create_key,
    show_key,
    edit_key,
    rotate_key,
    delete_key,
    show_scope,
    edit_scope,
    usage,
    audit,
    reload,
    cache_stats,
    purge_cache,
};

struct Row {
    Action action;
    std::string_view method;
    std::string_view pattern; // "/admin/v1/keys/{id}"; also the metric's label
    bool writes;              // has a JSON body, is audited
};
[[nodiscard]] std::span<const Row> all_routes() noexcept;

struct Match {
    const Row* row = nullptr; // null: none
    std::string kind, name;   // of what the path names: "key", "k_7f3a9c"
    std::string allow;        // methods of the path if only the method is wrong
};
// The raw path; anything but letters, digits and `_.:/@*-` in a name matches nothing. A model's name may hold `/`.
[[nodiscard]] Match find_route(std::string_view method, std::string_view path);

} // namespace tollgate::admin
