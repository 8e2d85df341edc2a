#pragma once

#include "tests/mock_provider/behaviour.hpp"
#include "tests/mock_provider/reply.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::mock {

/// The generated text of one answer: `pieces` parts of the endless text of `seed`.
struct Text {
    std::uint64_t seed = 0;
    std::uint64_t size = 0;
    std::uint64_t pieces = 0;
    std::uint64_t tokens = 0;
    bool cut = false; // by the request's own token limit

    std::uint64_t piece_begin(std::uint64_t index) const { return index * size / pieces; }
};

/// What the answers of chat, legacy completions and responses depend on.
struct Generation {
    std::string model;
    std::string prompt; // the last user message: the answer's text depends on it alone
    std::uint64_t prompt_bytes = 0;
    std::uint64_t choices = 1;
    bool stream = false;
    bool include_usage = false;
    bool last_is_user = true;
    bool filtered = false; // by the content filter
    bool rich = false, refuse = false, cut_call = false;
    bool logprobs = false;          // asked for
    std::vector<std::string> tools; // the functions to call; empty: answer with text
    bool old_call = false;          // asked for with `functions`: one `function_call` instead of `tool_calls`
    Text text;
    Usage usage;
};

Generation read_chat(const boost::json::object& body, const Behaviour& behaviour);
Generation read_completion(const boost::json::object& body, const Behaviour& behaviour);
Generation read_responses(const boost::json::object& body, const Behaviour& behaviour);

/// All text inside a message, a list of messages or a list of content parts.
std::string text_in(const boost::json::value& value);

/// Arguments of the call that the answer makes, a JSON document.
std::string call_arguments(const Generation& generation, std::uint64_t index);
std::string call_id(const Generation& generation, std::uint64_t index);

/// Tokens of that many octets of prompt.
constexpr std::uint64_t tokens_of(std::uint64_t octets) {
    return (octets + 3) / 4;
}

/// The member if it is there and a string, else empty.
std::string_view string_in(const boost::json::object& object, std::string_view name);
std::uint64_t number_in(const boost::json::object& object, std::string_view name, std::uint64_t otherwise);
bool flag_in(const boost::json::object& object, std::string_view name);

} // namespace tollgate::mock
