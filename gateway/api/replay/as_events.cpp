#include "gateway/api/replay/replay.hpp"
#include "gateway/api/replay/telling.hpp"

namespace tollgate::api::replay {

std::optional<std::string> as_events(Dialect dialect, std::string_view answer, const Identity& identity,
                                     bool include_usage) {
    std::string in_one_line;
    if (answer.find_first_of("\r\n") != std::string_view::npos) {
        in_one_line = compact(answer);
        answer = in_one_line;
    }
    return dialect == Dialect::response ? response_events(answer, identity)
                                        : chunk_events(dialect, answer, identity, include_usage);
}

} // namespace tollgate::api::replay
