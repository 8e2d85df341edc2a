#include "tests/mock_provider/control.hpp"

#include "tests/mock_provider/clock.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

namespace tollgate::mock {
namespace {

constexpr std::uint64_t kDefaultWaitMs = 10'000;
constexpr std::uint64_t kMaxWaitMs = 600'000;

std::optional<std::uint64_t> query_number(std::string_view query, std::string_view name) {
    while (!query.empty()) {
        const auto pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(query.size(), pair.size() + 1));
        if (!pair.starts_with(name) || pair.size() <= name.size() || pair[name.size()] != '=') continue;
        std::uint64_t value = 0;
        const auto* end = pair.data() + pair.size();
        const auto [stop, error] = std::from_chars(pair.data() + name.size() + 1, end, value);
        if (error == std::errc{} && stop == end) return value;
    }
    return std::nullopt;
}

Reply json(std::string body) {
    Reply reply;
    reply.body = std::move(body);
    return reply;
}

Wait read_wait(std::string_view query) {
    Wait wait;
    wait.requests = query_number(query, "requests").value_or(0);
    wait.aborted = query_number(query, "aborted").value_or(0);
    wait.completed = query_number(query, "completed").value_or(0);
    wait.connections_open = query_number(query, "connections_open");
    const auto timeout = std::min(query_number(query, "timeout_ms").value_or(kDefaultWaitMs), kMaxWaitMs);
    wait.deadline_ns = now_ns() + static_cast<std::int64_t>(timeout) * kNsPerMs;
    return wait;
}

} // namespace

bool Wait::fulfilled(const State& state) const {
    return state.requests() >= requests && state.aborted() >= aborted && state.completed() >= completed &&
           (!connections_open || state.connections_open() <= *connections_open);
}

std::variant<Reply, Wait> handle_control(const Request& request, State& state, ObjectStore& objects) {
    const auto what = request.path.substr(std::string_view{"/__mock/"}.size());
    if (request.method == "POST" && what == "reset") {
        state.reset();
        objects.clear();
        return json("{}\n");
    }
    if (request.method == "GET" && what == "stats") return json(state.stats_json());
    if (request.method == "GET" && what == "requests") {
        const auto last = query_number(request.query, "last").value_or(std::numeric_limits<std::size_t>::max());
        return json(state.requests_json(last));
    }
    if (request.method == "GET" && what == "last_stream_times") return json(state.last_stream_json());
    if (request.method == "GET" && what == "wait") return read_wait(request.query);
    return error_reply(404, "Unknown control request.", "unknown_url");
}

Reply wait_reply(const Wait& wait, const State& state) {
    auto reply = json(state.stats_json());
    if (!wait.fulfilled(state)) reply.status = 408;
    return reply;
}

} // namespace tollgate::mock
