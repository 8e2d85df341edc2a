#include "gateway/exchange/flight_lead.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <exception>

namespace tollgate::exchange {
namespace {

constexpr unsigned kMostElections = 2; // scenario 84
constexpr Duration kPartedFor = std::chrono::seconds(60);
constexpr std::size_t kBacklog = 64 * 1024; // octets that a slow client may be behind before its provider waits

// A provider's bad moment: another call may fare better. What is wrong with the question is wrong for all.
bool is_transient(ErrorType type) {
    switch (type) {
    case ErrorType::provider_rate_limited:
    case ErrorType::provider_overloaded:
    case ErrorType::provider_server_error:
    case ErrorType::provider_timeout:
    case ErrorType::provider_connection_failed:
    case ErrorType::provider_bad_response:
    case ErrorType::provider_stream_broken:
    case ErrorType::gateway_internal:
    case ErrorType::gateway_overloaded: return true;
    default: return false;
    }
}

} // namespace

// How other threads reach a leader that may have gone meanwhile.
struct FlightLead::Signal {
    FlightLead* lead = nullptr; // the leader's thread only
};

// What the own client has not taken yet. Outlives its leader while a write is under way.
struct FlightLead::Tail {
    net::ChannelPtr client;
    FlightLead* lead = nullptr;
    std::string backlog; // not being written yet
    bool writing = false;
    bool failed = false;
};

FlightLead::FlightLead(Exchange& ex, cache::FlightPtr flight)
    : Deadline(ex.worker.deadlines), ex_(ex), flight_(std::move(flight)), directory_(ex.worker.shared.flights),
      signal_(std::make_shared<Signal>(this)) {
    ex_.lead = this;
    flight_->on_wanted([&io = ex_.worker.io, signal = signal_] {
        asio::post(io, [signal] {
            if (signal->lead != nullptr) signal->lead->on_wanted();
        });
    });
}

FlightLead::~FlightLead() {
    dissolve();
    signal_->lead = nullptr;
    if (tail_) tail_->lead = nullptr;
    flight_->on_wanted({});
}

void FlightLead::stream(bool told) {
    form_ = ex_.view.include_usage ? cache::FlightForm::events_with_usage : cache::FlightForm::events;
    tells_usage_ = told;
}

void FlightLead::begin(cache::FlightHead head) {
    begun_ = true;
    flight_->begin(std::move(head));
}

void FlightLead::add(std::string_view octets, bool last) {
    if (!logging_ && last) end();
    if (!logging_) return;
    logged_ += octets.size();
    // What the answer is whole with is stored before: whoever does not find the flight any more finds the entry.
    if (last) {
        leave_directory();
        flight_->note_cost(ex_.account.cost);
    }
    const bool held = ex_.held.grow_to(ex_.body.memory.size() + logged_, ex_.snapshot->config.body.held);
    const bool open = flight_->append(octets, last);
    if (last) return end();
    if (open && held) return;
    if (listed_ && !open) part();
    leave_directory();
    logging_ = flight_->followers() > 0;
}

bool FlightLead::close_unfollowed() {
    if (!directory_.remove_unfollowed(*flight_)) return false;
    listed_ = false;
    end();
    return true;
}

void FlightLead::leave_directory() {
    if (listed_) directory_.remove(*flight_);
    listed_ = false;
}

void FlightLead::end() {
    ended_ = true;
    expire_never();
}

void FlightLead::fail(const Error& error) {
    if (ended_) return;
    leave_directory();
    flight_->fail(error);
    end();
}

void FlightLead::dissolve() {
    if (ex_.lead == this) ex_.lead = nullptr;
    if (ended_) return;
    leave_directory();
    if (begun_)
        flight_->fail(
            Error{.type = ErrorType::gateway_internal,
                  .status = 500,
                  .message = "The shared call ended before its answer was complete. Please repeat the request.",
                  .openai_type = "server_error"});
    else
        flight_->abandon(flight_->election());
    end();
}

void FlightLead::finish(const Result<void>& result) {
    if (ended_) return;
    if (result || ex_.client_gone) return dissolve();
    const bool last = begun_ || !is_transient(result.error().type) || flight_->election() >= kMostElections;
    if (flight_->election() > 0 || flight_->followers() > 0)
        directory_.note_election(flight_->key(), flight_->election() + 1,
                                 last ? std::optional(result.error()) : std::nullopt, Clock::now());
    if (last) return fail(result.error());
    leave_directory();
    flight_->abandon(flight_->election() + 1);
    end();
}

void FlightLead::part() {
    const TimePoint now = Clock::now();
    ex_.cache.unfit = true;
    directory_.part(flight_->key(), now + kPartedFor, now);
}

bool FlightLead::keeps_on() {
    if (unwanted_ || ended_) return false;
    ex_.owner_left = true;
    if (flight_->followers() > 0) return true;
    const Duration linger = ex_.cache.linger;
    if (linger > Duration::zero()) {
        if (expires() == kNever) expire_at(Clock::now() + linger, "linger");
        return true;
    }
    unwanted_ = directory_.remove_unfollowed(*flight_);
    if (unwanted_) listed_ = false;
    return !unwanted_;
}

void FlightLead::on_wanted() {
    if (ended_) return;
    if (flight_->followers() > 0) {
        expire_never();
        progress_.notify();
    } else if (ex_.owner_left && !keeps_on() && call_ != nullptr) {
        call_->on_peer_gone();
    }
}

void FlightLead::on_expired() {
    if (ended_ || !directory_.remove_unfollowed(*flight_)) return;
    listed_ = false;
    unwanted_ = true;
    if (call_ != nullptr) call_->on_peer_gone();
}

bool FlightLead::lags() const {
    return tail_ && !tail_->failed && tail_->backlog.size() > kBacklog;
}

Task<bool> FlightLead::write(net::Gather pieces) {
    net::Channel& client = ex_.client;
    if (!tail_ || !tail_->writing) {
        if (client.write_now(pieces)) co_return true;
        if (client.write_failed()) co_return false;
        if (!tail_) tail_ = std::make_shared<Tail>(client.shared_from_this(), this);
    }
    for (const auto& buffer : pieces.buffers())
        tail_->backlog.append(static_cast<const char*>(buffer.data()), buffer.size());
    if (!tail_->writing) {
        tail_->writing = true;
        asio::co_spawn(ex_.worker.io, write_tail(tail_), [tail = tail_](const std::exception_ptr& failure) {
            if (failure) end_tail(*tail, true); // memory ran out: what was taken is lost
        });
    }
    while (lags() && !ended_ && flight_->followers() == 0) co_await progress_.wait();
    // Others do not wait for it, and memory is not endless.
    if (lags() && tail_->backlog.size() > std::max<std::uint64_t>(kBacklog, ex_.snapshot->config.cache.max_entry))
        client.close();
    co_return !tail_->failed && !client.closed();
}

Task<bool> FlightLead::flush() {
    while (tail_ && tail_->writing && !tail_->failed) co_await progress_.wait();
    co_return !tail_ || !tail_->failed;
}

Task<void> FlightLead::write_tail(std::shared_ptr<Tail> tail) {
    std::string octets;
    while (!tail->backlog.empty() && !tail->failed) {
        octets.clear();
        octets.swap(tail->backlog);
        net::Gather pieces;
        pieces.add(octets);
        tail->client->expire_hard_at(Clock::now() + tail->client->write_stall(), "client write");
        tail->failed = !co_await tail->client->write(pieces);
        tail->client->expire_never();
        if (tail->lead != nullptr && !tail->backlog.empty()) tail->lead->progress_.notify();
    }
    end_tail(*tail, false);
}

void FlightLead::end_tail(Tail& tail, bool failed) {
    tail.failed |= failed;
    tail.writing = false;
    if (tail.lead != nullptr) tail.lead->progress_.notify();
}

} // namespace tollgate::exchange
