#include "cache/purge_exchange.hpp"

#include "gateway/base/text.hpp"

#include <utility>

namespace tollgate::cache {
namespace {

constexpr std::string_view kAtOnce = "400"; // names in one reply, which has two elements for each

// The stamp grows with every purge of any process, whatever its clock says, so that who polls misses none. A set that
// has become too large is replaced by a purge of everything.
constexpr std::string_view kTell = R"lua(
local top = redis.call('ZREVRANGE', KEYS[1], 0, 0, 'WITHSCORES')
local stamp = tonumber(ARGV[2])
if top[2] and tonumber(top[2]) >= stamp then stamp = tonumber(top[2]) + 1 end
local name = ARGV[1]
if redis.call('ZCARD', KEYS[1]) >= 10000 then name = 'all' end
if name == 'all' then redis.call('DEL', KEYS[1]) end
redis.call('ZADD', KEYS[1], stamp, name)
return string.format('%.0f', stamp))lua";

Task<bool> tell(Purges& purges, redis::Client& client, const std::string& key) {
    std::vector<Purge> news = purges.take_news();
    while (!news.empty()) {
        const Purge& next = news.back();
        std::string command;
        redis::append_command(command, {"EVAL", kTell, "1", key, next.name, std::to_string(next.stamp)});
        const auto reply = co_await client.command(std::move(command));
        const auto stamp =
            reply && reply->kind == redis::Reply::Kind::string ? parse_decimal(reply->text) : std::nullopt;
        if (!stamp) {
            purges.give_back(std::move(news));
            co_return false;
        }
        purges.merge({next.name, *stamp});
        news.pop_back();
    }
    co_return true;
}

} // namespace

Task<bool> exchange_purges(Purges& purges, redis::Client& client, std::string prefix) {
    const std::string key = prefix + "purges";
    if (!co_await tell(purges, client, key)) co_return false;
    while (true) {
        const std::string after = "(" + std::to_string(purges.learnt());
        std::string command;
        redis::append_command(command, {"ZRANGEBYSCORE", key, after, "+inf", "WITHSCORES", "LIMIT", "0", kAtOnce});
        const auto reply = co_await client.command(std::move(command));
        if (!reply || reply->kind != redis::Reply::Kind::array || reply->elements.size() % 2 != 0) co_return false;
        for (std::size_t i = 0; i < reply->elements.size(); i += 2) {
            const auto stamp = parse_decimal(reply->elements[i + 1].text);
            if (!stamp) co_return false;
            purges.learn({reply->elements[i].text, *stamp});
        }
        if (reply->elements.empty()) break;
    }
    purges.note_caught_up();
    co_return true;
}

} // namespace tollgate::cache
