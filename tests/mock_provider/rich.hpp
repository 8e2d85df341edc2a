#pragma once

#include "tests/mock_provider/chat_request.hpp"

#include <string>
#include <vector>

namespace tollgate::mock {

/// One step of a chat answer in words: the delta, and the log probabilities that come with it.
struct Delta {
    std::string payload;
    std::string logprobs; // JSON, "null" unless they were asked for
};

/// A chat answer that is more than words: reasoning, annotations, a refusal, characters of several octets.
std::vector<Delta> rich_deltas(const Generation& generation);
/// The same as the message of a whole answer, and its log probabilities.
void append_rich_message(std::string& out, const Generation& generation);
std::string rich_logprobs(const Generation& generation);

inline bool is_rich(const Generation& generation) {
    return generation.tools.empty() && (generation.rich || generation.refuse || generation.logprobs);
}

} // namespace tollgate::mock
