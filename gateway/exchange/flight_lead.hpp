// The request whose upstream call others share: what leaves for its client goes into the flight as well, and the call
// goes on without that client as long as anybody else wants it (design §10).
#pragma once

#include "cache/flight.hpp"
#include "gateway/base/deadlines.hpp"
#include "gateway/exchange/exchange.hpp"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::exchange {

// Stands in the leader's frame, on its worker, and is ex.lead meanwhile. A flight that nothing else has ended is
// abandoned by the destructor.
class FlightLead final : public Deadline {
  public:
    FlightLead(Exchange& ex, cache::FlightPtr flight);
    ~FlightLead() override;

    // Octets on their way to the client, before they are sent; `head` is asked for once.
    template <class MakeHead>
    void publish(const MakeHead& head, std::string_view octets, bool last) {
        if (ended_ || (last && !begun_ && close_unfollowed())) return; // nobody reads it: no copy
        if (!begun_) begin(head());
        add(octets, last);
    }
    // What is published are events. `told`: the provider tells what it used, in the log or to note_usage().
    void stream(bool told);
    void note_usage(std::string_view data) { flight_->note_usage(data); }
    [[nodiscard]] cache::FlightForm form() const noexcept { return form_; }
    [[nodiscard]] bool tells_usage() const noexcept { return tells_usage_; }
    // Followers that have had octets of an answer are told of its failure in their own words.
    void fail(const Error& error);
    // Others choose a leader of their own; this request goes on by itself.
    void dissolve();
    // The end of the exchange, however it came.
    void finish(const Result<void>& result);
    // What came cannot be kept: for a while such requests are not made to wait for each other (scenario 86).
    void part();

    // The leader's client is gone. True: the call goes on for others, or for its return; ex.owner_left is set.
    [[nodiscard]] bool keeps_on();
    // Told by on_peer_gone() when nobody wants the call any more; null to stop.
    void watch(net::PeerWatcher* call) noexcept { call_ = call; }
    // Octets may be added: the own client must not hold them up.
    [[nodiscard]] bool running() const noexcept { return !ended_; }

    // To the own client, without making the flight wait for it: what the client does not take at once is written
    // behind it. Without followers a slow client slows its provider, as it would without a flight. False: it is gone
    // or has fallen too far behind.
    Task<bool> write(net::Gather pieces);
    // Everything that write() took has left, or never will. False: it never will.
    Task<bool> flush();

  private:
    struct Signal;
    struct Tail;

    void begin(cache::FlightHead head);
    void add(std::string_view octets, bool last);
    bool close_unfollowed();
    void leave_directory();
    void end();
    void on_wanted();
    void on_expired() override;
    [[nodiscard]] bool lags() const;
    static Task<void> write_tail(std::shared_ptr<Tail> tail);
    static void end_tail(Tail& tail, bool failed);

    Exchange& ex_;
    const cache::FlightPtr flight_;
    cache::FlightDirectory& directory_;
    const std::shared_ptr<Signal> signal_;
    std::shared_ptr<Tail> tail_;
    Wakeup progress_; // of the tail, or of the followers' number
    net::PeerWatcher* call_ = nullptr;
    std::uint64_t logged_ = 0; // octets
    cache::FlightForm form_ = cache::FlightForm::json;
    bool tells_usage_ = true;
    bool begun_ = false;
    bool listed_ = true; // others may join
    bool logging_ = true;
    bool ended_ = false;
    bool unwanted_ = false;
};

} // namespace tollgate::exchange
