// One request on one client connection: the only mutable state the phases share.
#pragma once

#include "gateway/api/request_view.hpp"
#include "gateway/api/route.hpp"
#include "gateway/base/error.hpp"
#include "gateway/exchange/accounting.hpp"
#include "gateway/exchange/cache_controls.hpp"
#include "gateway/exchange/embedding_phase.hpp"
#include "gateway/exchange/metering.hpp"
#include "gateway/exchange/peer.hpp"
#include "gateway/exchange/worker_state.hpp"
#include "gateway/http/body_reader.hpp"
#include "gateway/http/codec.hpp"
#include "gateway/net/channel.hpp"
#include "metrics/record.hpp"

#include <memory>
#include <optional>
#include <string>

namespace tollgate::exchange {

// Request octets held in memory, counted against the process cap. Released when it goes out of scope.
class HeldBytes {
  public:
    explicit HeldBytes(std::atomic<std::uint64_t>& total) : total_(total) {}
    ~HeldBytes() { total_.fetch_sub(mine_, std::memory_order_relaxed); }
    HeldBytes(const HeldBytes&) = delete;
    HeldBytes& operator=(const HeldBytes&) = delete;

    // False if the process would exceed `cap`; nothing is taken then.
    [[nodiscard]] bool grow_to(std::uint64_t bytes, std::uint64_t cap);

  private:
    std::atomic<std::uint64_t>& total_;
    std::uint64_t mine_ = 0;
};

// A request body, whole: in memory, or in an unlinked temporary file when it is large multipart.
struct HeldBody {
    std::string memory;
    int file = -1;
    std::uint64_t file_size = 0;

    HeldBody() = default;
    ~HeldBody();
    HeldBody(const HeldBody&) = delete;
    HeldBody& operator=(const HeldBody&) = delete;
    [[nodiscard]] std::uint64_t size() const noexcept { return file >= 0 ? file_size : memory.size(); }
};

struct CachePlan {
    bool store = false; // a good answer is to be kept
    bool stored = false;
    cache::Key key{};
    std::chrono::milliseconds ttl{};
    std::chrono::milliseconds stale{}; // kept so much longer
    std::uint64_t purge_clock = 0;     // what is purged later covers the answer
    std::string tags;                  // as in cache::Entry
    cache::EntryPtr for_error;         // served if no provider answers
    std::string_view detail = "exact"; // how a hit was found, in static storage
    bool renew = false;                // the hit is stale and is to be renewed in the background
    std::string told;                  // the hit as this request asked for it; empty: as it is kept
    std::string_view bypass;           // why there was no look-up; empty if there was
    bool share = false;                // the same question, asked meanwhile, may have the same answer
    std::uint64_t epoch = 0;           // of the lease on the call; 0: none
    bool unfit = false;                // the answer could not be kept
    cache::Key idempotency_key{};      // if it is `idempotent`
    bool idempotent = false;           // the client named the question: it may ask again and must not pay again
    Duration linger{};                 // how long its call goes on when nobody waits for it any more
};

class FlightLead;

struct Exchange {
    Exchange(WorkerState& state, net::Channel& channel, Peer& other_end, const http::RequestHead& request)
        : Exchange(state, channel, other_end, request, state.snapshot) {}
    Exchange(WorkerState& state, net::Channel& channel, Peer& other_end, const http::RequestHead& request,
             SnapshotPtr compiled)
        : worker(state), client(channel), peer(other_end), head(request), snapshot(std::move(compiled)),
          id(state.request_ids.next(WallClock::now())), started(Clock::now()), held(state.shared.held_bytes),
          body_reader(channel, request.framing, request.content_length) {}

    WorkerState& worker;
    net::Channel& client;
    Peer& peer;
    const http::RequestHead& head;
    const SnapshotPtr snapshot;
    const RequestId id;
    const TimePoint started;
    metrics::RequestRecord record;
    HeldBytes held;
    http::BodyReader body_reader;

    // Filled phase by phase.
    api::Method method = api::Method::other;
    std::optional<api::Match> match;
    const api::Route* route = nullptr;
    const policy::Principal* principal = nullptr;
    HeldBody body;
    std::string content_type; // canonical, for the upstream request
    api::RequestView view;
    std::string model_name; // as the client wrote it
    std::size_t multipart_model_offset = 0, multipart_model_length = 0;
    const upstream::Model* model = nullptr;
    bool wildcard = false; // model matched a pattern: the client's own name goes upstream
    const upstream::Provider* group_provider = nullptr;
    Account account;
    CachePlan cache;
    std::unique_ptr<ItemPlan> items; // of embeddings whose inputs are cached one by one
    bool background = false;         // nobody waits: it renews an entry that was served stale
    std::string cache_status;        // value of the Cache-Status field, empty: none

    // State of the answer.
    Metering metering;
    bool answer_started = false;  // octets of the answer went out: no other answer is possible
    bool answer_complete = false; // the client has a whole answer
    bool client_gone = false;     // nobody wants the answer any more
    bool owner_left = false;      // this client is gone, others want the answer
    FlightLead* lead = nullptr;   // others may share what leaves for this client
    bool close_after = false;     // the connection does not serve another request
    bool told_keep = false;       // the answer's head said that it does: a drain that begins meanwhile changes nothing
    TimePoint upstream_wait_started{};
    std::string upstream_request_id;
    std::string error_message; // what record.error_message views
    int error_status = 0;      // that it goes with, unless an answer had begun

    [[nodiscard]] bool is_head() const noexcept { return method == api::Method::head; }
    [[nodiscard]] bool keep_alive() const noexcept {
        return head.keep_alive && !close_after && worker.pressure < Pressure::no_keep_alive &&
               !worker.shared.draining.load(std::memory_order_relaxed);
    }
};

// 503: `body.held` is reached.
[[nodiscard]] Error holds_too_much();

// What a request is told that the process does not finish; an instance that stays will take it.
[[nodiscard]] Error shutdown_error();

} // namespace tollgate::exchange
