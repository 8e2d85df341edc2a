// Replies of Redis: the same under any cuts, bounded, and whatever our scanner passes hiredis reads.
#include "cache/redis/resp.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace tollgate::fuzz {
namespace {

using redis::Reply;

// Back to RESP2.
void write(const Reply& reply, std::string& out) {
    const auto line = [&](char type, const std::string& text) { out += type + text + "\r\n"; };
    switch (reply.kind) {
    case Reply::Kind::nil: line('$', "-1"); break;
    case Reply::Kind::string:
        line('$', std::to_string(reply.text.size()));
        out += reply.text + "\r\n";
        break;
    case Reply::Kind::status: line('+', reply.text); break;
    case Reply::Kind::error: line('-', reply.text); break;
    case Reply::Kind::integer: line(':', std::to_string(reply.integer)); break;
    case Reply::Kind::array:
        line('*', std::to_string(reply.elements.size()));
        for (const Reply& element : reply.elements) write(element, out);
        break;
    }
}

struct Read {
    std::string replies; // written back
    std::size_t count = 0;
    bool failed = false;

    bool operator==(const Read&) const = default;
};

std::size_t values(const Reply& reply, std::size_t depth) {
    require(depth <= 8 && reply.elements.size() <= 1024, "over the limits");
    require(reply.kind == Reply::Kind::array || reply.elements.empty(), "elements of what is no array");
    std::size_t count = 1;
    for (const Reply& element : reply.elements) count += values(element, depth + 1);
    return count;
}

Read read(std::string_view octets, Cut cut) {
    Read out;
    redis::ReplyReader reader;
    for (const std::string_view piece : pieces(octets, cut)) {
        const auto fed = reader.feed(piece);
        for (;;) {
            const auto reply = reader.next();
            if (!reply) {
                require(!reply.error().contains("disagree"), "the scanner passes what hiredis does not read");
                out.failed = true;
                break;
            }
            if (!*reply) break;
            require(values(**reply, 0) <= 64 * 1024, "over the limits");
            write(**reply, out.replies);
            ++out.count;
        }
        if (out.failed) break;
        require(fed.has_value(), "an error that next() forgets");
    }
    return out;
}

// Our own commands, as a server would read them.
void check_command(std::string_view input) {
    Take take(input);
    const std::string_view name = take.octets(take.octet());
    const std::string_view key = take.octets(take.octet());
    const std::string_view value = take.rest();
    std::string command;
    redis::append_command(command, {name, key, value});
    redis::ReplyReader reader;
    require(reader.feed(command).has_value(), "a command of ours is refused");
    const auto reply = reader.next();
    require(reply && *reply && (*reply)->elements.size() == 3, "a command of ours is not three strings");
    const auto& words = (*reply)->elements;
    require(words[0].text == name && words[1].text == key && words[2].text == value, "a command of ours is altered");
}

} // namespace

void redis_reply(std::string_view input) {
    const Read whole = read(input, Cut::whole);
    for (const Cut cut : kCuts) {
        const Read cut_up = read(input, cut);
        // Fed at once, an error hides the replies before it: the connection is dropped either way.
        if (whole.failed || cut_up.failed)
            require(whole.failed == cut_up.failed, "refused under some cuts only");
        else
            require(whole == cut_up, "other replies under other cuts");
    }
    if (whole.failed) return;
    const Read again = read(whole.replies, Cut::own);
    require(again == whole, "replies written back read differently");
    require(whole.replies.size() <= input.size() + 2 * whole.count + 64, "replies larger than what was sent");
    check_command(input);
}

} // namespace tollgate::fuzz
