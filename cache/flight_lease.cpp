#include "cache/flight_lease.hpp"

#include "cache/redis/resp.hpp"
#include "cache/redis_names.hpp"

namespace tollgate::cache {
namespace {

// KEYS: lease, epoch, entry. ARGV: milliseconds, "1" to look at the entry.
constexpr std::string_view kClaim = R"lua(
local held = redis.call('GET', KEYS[1])
if held == '-' then return -1 end
if ARGV[2] == '1' and redis.call('EXISTS', KEYS[3]) == 1 then return -2 end
if held then return 0 end
local epoch = redis.call('INCR', KEYS[2])
redis.call('PEXPIRE', KEYS[2], 86400000)
redis.call('SET', KEYS[1], epoch, 'PX', ARGV[1])
return epoch)lua";

// KEYS: lease. ARGV: epoch, milliseconds.
constexpr std::string_view kRenew = R"lua(
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0)lua";

// KEYS: lease. ARGV: epoch, milliseconds of parting or 0, channel.
constexpr std::string_view kRelease = R"lua(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], '-', 'PX', ARGV[2]) end
return redis.call('PUBLISH', ARGV[3], 'released'))lua";

constexpr auto kNamed = std::chrono::milliseconds(std::chrono::hours(24));

} // namespace

FlightLeases::FlightLeases(asio::io_context& io, redis::Client& client, const config::Redis& options)
    : client_(client), news_(io, options), prefix_(options.prefix) {}

Task<FlightLeases::Claim> FlightLeases::claim(Key key, bool unless_answered) {
    std::string command;
    redis::append_command(command, {"EVAL", kClaim, "3", redis_name(prefix_, kLeaseKind, key),
                                    redis_name(prefix_, kEpochKind, key), redis_name(prefix_, kEntryKind, key),
                                    std::to_string(kLease.count()), unless_answered ? "1" : "0"});
    const auto reply = co_await client_.command(std::move(command));
    if (!reply || reply->kind != redis::Reply::Kind::integer) co_return Claim{};
    switch (reply->integer) {
    case 0: co_return Claim{.turn = Turn::others};
    case -1: co_return Claim{.turn = Turn::parted};
    case -2: co_return Claim{.turn = Turn::answered};
    default: co_return Claim{.turn = Turn::mine, .epoch = static_cast<std::uint64_t>(reply->integer)};
    }
}

void FlightLeases::renew(const Key& key, std::uint64_t epoch) {
    std::string command;
    redis::append_command(command, {"EVAL", kRenew, "1", redis_name(prefix_, kLeaseKind, key), std::to_string(epoch),
                                    std::to_string(kLease.count())});
    client_.post(std::move(command));
}

void FlightLeases::release(const Key& key, std::uint64_t epoch, bool part) {
    std::string command;
    redis::append_command(command, {"EVAL", kRelease, "1", redis_name(prefix_, kLeaseKind, key), std::to_string(epoch),
                                    std::to_string(part ? kParted.count() : 0), redis_name(prefix_, kNewsKind, key)});
    client_.post(std::move(command));
}

redis::Subscription FlightLeases::news_of(const Key& key, redis::ChannelListener& listener) {
    return {news_, redis_name(prefix_, kNewsKind, key), listener};
}

Task<bool> FlightLeases::name_question(Key idempotency_key, Key question) {
    const std::string mine = crypto::to_hex(question);
    std::string command;
    redis::append_command(command, {"SET", redis_name(prefix_, kIdempotencyKind, idempotency_key), mine, "NX", "GET",
                                    "PX", std::to_string(kNamed.count())});
    const auto reply = co_await client_.command(std::move(command));
    co_return !reply || reply->kind != redis::Reply::Kind::string || reply->text == mine;
}

} // namespace tollgate::cache
