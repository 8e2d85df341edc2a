#include "tests/unit/http/conversation.hpp"

#include "gateway/http/body_reader.hpp"
#include "gateway/http/codec.hpp"
#include "gateway/http/head_scanner.hpp"
#include "tests/support/fake_transport.hpp"
#include "tests/support/run_coro.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <ostream>

namespace tollgate::test {
namespace {

Message copy_of(const http::RequestHead& head) {
    Message message;
    message.method = head.method;
    message.target = head.target;
    message.minor = head.minor;
    message.keep_alive = head.keep_alive;
    for (const http::Field& field : head.fields) message.fields.emplace_back(field.name, field.value);
    return message;
}

// False when the conversation is over, for whatever reason it notes in `out`.
Task<bool> read_message(net::Channel& channel, Conversation& out) {
    http::HeadScanner scanner(http::kRequestLimits);
    std::string text;
    for (;;) {
        const auto found = scanner.scan(channel.data());
        if (!found) {
            out.refused = found.error().status;
            out.reason = found.error().reason;
            co_return false;
        }
        if (*found) {
            text = channel.data().substr(scanner.leading(), **found - scanner.leading());
            channel.consume(**found);
            break;
        }
        if (co_await channel.more()) continue;
        out.incomplete = !channel.data().empty();
        co_return false;
    }
    http::RequestHead head;
    if (const auto ok = http::parse_request_head(text, head); !ok) {
        out.refused = ok.error().status;
        out.reason = ok.error().reason;
        co_return false;
    }
    Message message = copy_of(head);
    http::BodyReader body(channel, head.framing, head.content_length);
    while (!body.complete()) {
        message.body += co_await body.next();
        if (!body.failed()) continue;
        out.incomplete = !body.malformed();
        if (body.malformed()) {
            out.refused = body.malformed()->status;
            out.reason = body.malformed()->reason;
        }
        co_return false;
    }
    EXPECT_EQ(body.next_now(), "") << "octets behind a complete body";
    out.messages.push_back(std::move(message));
    co_return head.keep_alive;
}

Task<Conversation> read_all(net::Channel& channel) {
    Conversation out;
    while (co_await read_message(channel, out)) {
    }
    co_return out;
}

} // namespace

Conversation converse(const Segments& segments) {
    FakeConnection connection;
    connection.peer->send_all(segments);
    connection.peer->end();
    return run_coro(connection.io, read_all(*connection.channel));
}

Segments whole(std::string_view octets) {
    return {std::string(octets)};
}

Segments split_crlf(std::string_view octets) {
    Segments out;
    while (!octets.empty()) {
        const std::size_t n = std::min(octets.find('\r'), octets.size() - 1) + 1;
        out.emplace_back(octets.substr(0, n));
        octets.remove_prefix(n);
    }
    return out;
}

Segments octet_by_octet(std::string_view octets) {
    Segments out;
    out.reserve(octets.size());
    for (const char octet : octets) out.emplace_back(1, octet);
    return out;
}

Segments split_randomly(std::string_view octets, std::mt19937& random) {
    Segments out;
    while (!octets.empty()) {
        const std::size_t n = std::min<std::size_t>(octets.size(), 1 + random() % 7);
        out.emplace_back(octets.substr(0, n));
        octets.remove_prefix(n);
    }
    return out;
}

std::string visible(std::string_view octets, std::size_t limit) {
    std::string out;
    for (const char octet : octets.substr(0, limit)) {
        const auto u = static_cast<unsigned char>(octet);
        if (octet == '\r')
            out += "\\r";
        else if (octet == '\n')
            out += "\\n";
        else if (u < 0x20 || u >= 0x7F)
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", u);
        else
            out += octet;
    }
    if (octets.size() > limit) out += fmt::format(" … ({} octets)", octets.size());
    return out;
}

std::ostream& operator<<(std::ostream& out, const Message& message) {
    out << message.method << ' ' << visible(message.target) << " HTTP/1." << message.minor
        << (message.keep_alive ? "" : " close") << " {";
    for (const auto& [name, value] : message.fields) out << visible(name) << '=' << visible(value) << "; ";
    return out << "} body \"" << visible(message.body, 100) << '"';
}

std::ostream& operator<<(std::ostream& out, const Conversation& conversation) {
    for (const Message& message : conversation.messages) out << message << '\n';
    if (conversation.refused != 0) out << "refused with " << conversation.refused << ": " << conversation.reason;
    return out << (conversation.incomplete ? "incomplete" : "");
}

} // namespace tollgate::test
