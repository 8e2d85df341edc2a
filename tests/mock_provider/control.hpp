#pragma once

#include "tests/mock_provider/objects.hpp"
#include "tests/mock_provider/reply.hpp"
#include "tests/mock_provider/request.hpp"
#include "tests/mock_provider/state.hpp"

#include <cstdint>
#include <optional>
#include <variant>

namespace tollgate::mock {

/// A /__mock/wait that is not fulfilled yet: the least value of each counter (the most, for open connections).
struct Wait {
    std::uint64_t requests = 0;
    std::uint64_t aborted = 0;
    std::uint64_t completed = 0;
    std::optional<std::uint64_t> connections_open;
    std::int64_t deadline_ns = 0;

    bool fulfilled(const State& state) const;
};

inline bool is_control(const Request& request) {
    return request.path.starts_with("/__mock/");
}

std::variant<Reply, Wait> handle_control(const Request& request, State& state, ObjectStore& objects);

/// The answer to a wait: the counters, with 200 if it was fulfilled and 408 if its time ran out.
Reply wait_reply(const Wait& wait, const State& state);

} // namespace tollgate::mock
