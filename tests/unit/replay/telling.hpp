// What the tests of the replay share: streams as text, assembled; JSON compared by value.
#pragma once

#include "gateway/api/json_value.hpp"
#include "gateway/api/replay/replay.hpp"
#include "gateway/api/replay/stream_assembler.hpp"
#include "gateway/http/sse.hpp"

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::api::replay {

inline constexpr Identity kNow{.token = "new", .now = 1700000000};

inline boost::json::value parsed(std::string_view text) {
    const auto value = parse_value(text, {});
    return value ? *value : boost::json::value("not JSON: " + std::string(text));
}

// Through the gateway's own splitter, in pieces of `step` octets.
inline std::vector<std::string> data_of(std::string_view stream, std::size_t step = 1 << 20) {
    std::vector<std::string> out;
    http::SseSplitter splitter;
    for (std::size_t at = 0; at < stream.size(); at += step) {
        (void)splitter.feed(stream.substr(at, step), [&](std::string_view event) {
            std::string scratch;
            out.emplace_back(http::sse_data(event, scratch));
        });
    }
    return out;
}

inline std::optional<std::string> assembled(Dialect dialect, std::string_view stream, std::size_t step = 1 << 20,
                                            std::size_t cap = 1 << 20) {
    StreamAssembler assembler(dialect, cap);
    for (const std::string& data : data_of(stream, step)) assembler.feed(data);
    return assembler.finish();
}

// One chat chunk with one choice.
inline std::string chunk(std::string_view choice, std::string_view more = {}) {
    return R"(data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1,"model":"m","choices":[)" +
           std::string(choice) + "]" + std::string(more) + "}\n\n";
}
inline std::string delta(std::string_view inside, std::string_view reason = "null", int index = 0) {
    return chunk(R"({"index":)" + std::to_string(index) + R"(,"delta":{)" + std::string(inside) +
                 R"(},"finish_reason":)" + std::string(reason) + "}");
}
inline constexpr std::string_view kUsage =
    R"(,"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12,"completion_tokens_details":{"reasoning_tokens":2}})";
inline std::string ending() {
    return chunk("", kUsage) + "data: [DONE]\n\n";
}

} // namespace tollgate::api::replay
