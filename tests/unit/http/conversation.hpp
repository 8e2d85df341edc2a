// Octets of one client connection, read the way the session reads them: scanner, head, body, next message.
#pragma once

#include "gateway/http/message.hpp"

#include <cstddef>
#include <iosfwd>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tollgate::test {

struct Message {
    std::string method, target;
    int minor = 1;
    bool keep_alive = true;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
    bool operator==(const Message&) const = default;
};

struct Conversation {
    std::vector<Message> messages; // whole ones
    int refused = 0;               // status of the refusal that ended it
    std::string reason;
    bool incomplete = false; // the octets ended inside a message
};
std::ostream& operator<<(std::ostream& out, const Message& message);
std::ostream& operator<<(std::ostream& out, const Conversation& conversation);

using Segments = std::vector<std::string>;

// The client sends the segments, then FIN.
[[nodiscard]] Conversation converse(const Segments& segments);

[[nodiscard]] Segments whole(std::string_view octets);
[[nodiscard]] Segments split_crlf(std::string_view octets); // every CR ends a segment
[[nodiscard]] Segments octet_by_octet(std::string_view octets);
[[nodiscard]] Segments split_randomly(std::string_view octets, std::mt19937& random);

// Printable form for failure messages.
[[nodiscard]] std::string visible(std::string_view octets, std::size_t limit = 400);

} // namespace tollgate::test
