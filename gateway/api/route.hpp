// The table of every path a client may call: deny by default. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

namespace tollgate::api {

enum class Method : std::uint8_t { get, head, post, put, patch, del, options, other };
// As sent, and as the label value of metrics and logs; static storage.
[[nodiscard]] std::string_view to_string(Method method) noexcept;

// Label values of metrics and logs (observability §1.5).
enum class Operation : std::uint8_t {
    chat,
    text_completion,
    responses,
    embeddings,
    moderation,
    image,
    audio_speech,
    audio_transcription,
    models,
    files,
    uploads,
    batches,
    fine_tuning,
    vector_stores,
    stored,
    other,
};
inline constexpr std::size_t kOperationCount = static_cast<std::size_t>(Operation::other) + 1;
[[nodiscard]] std::string_view to_string(Operation operation) noexcept;

enum class BodyKind : std::uint8_t { none, json, multipart };
enum class ModelIn : std::uint8_t { nowhere, body, path, form };
// Stateful rows are off unless the key lists their group in `routes:`.
enum class State : std::uint8_t {
    none,   // stateless
    create, // answer's `id` becomes owned by the caller's team
    list,   // answer's data[] is filtered to the team's objects
    object, // {id} must be owned by the caller's team, else 404
    remove, // as object; on success the ownership record goes
};
enum class Answer : std::uint8_t { proxied, models_list, model_get, engines_list, engine_get, me, websocket, retired };

// What an answer is charged by. Every route says it: a new one that forgets to is not free, it does not compile.
enum class Charge : std::uint8_t {
    free,         // nothing is spent: what is only read, listed, deleted or kept
    tokens,       // input and output
    input_tokens, // nothing is generated: embeddings, moderation
    images,       // images made, by the piece or by tokens
    audio_in,     // sound heard, by its length or by tokens
    audio_out,    // speech, by the text or by tokens
    jobs,         // what is spent is known outside of this request, or later: batches, training, indexing (design §8)
};
inline constexpr std::size_t kChargeCount = static_cast<std::size_t>(Charge::jobs) + 1;
[[nodiscard]] std::string_view to_string(Charge charge) noexcept;

// A Charge without a default.
class DeclaredCharge {
  public:
    // Implicit: a row names its class and nothing else.
    constexpr DeclaredCharge(Charge charge) noexcept : charge_(charge) {} // NOLINT(google-explicit-constructor)
    constexpr operator Charge() const noexcept { return charge_; }        // NOLINT(google-explicit-constructor)

  private:
    Charge charge_;
};

struct Route {
    DeclaredCharge charge;
    Method method = Method::get;
    std::string_view pattern{};  // "/v1/files/{id}/content"; also the http.route label
    std::string_view upstream{}; // path at the provider below its base: "/files/{id}/content"
    Operation operation = Operation::other;
    BodyKind body = BodyKind::none;
    ModelIn model = ModelIn::nowhere;
    State state = State::none;
    std::string_view group{}; // "files", "batches", … for routes:, default_for: and ownership; empty if stateless
    bool typed = false;       // we read its parameters; otherwise pass-through
    bool cacheable = false;
    bool billable = false;
    bool may_stream = false; // `stream: true` gives SSE
    Answer answer = Answer::proxied;
};
static_assert(!std::is_default_constructible_v<Route>, "a route has to declare what it is charged by");

struct Match {
    const Route* route = nullptr;
    std::string_view object_id; // value of {id}, still percent-encoded, checked: [A-Za-z0-9_.:-]{1,128}
    std::string sub_id;         // value of {sub}
    std::string model;          // value of {model} or {engine}, percent-decoded; may hold '/' and ':'
    std::string filled_path;    // see upstream_path()

    // route->upstream with the variables filled in (validated, as received). A method, so that the paths without
    // variables, which are the hot ones, cost no allocation. The view lives as long as the match.
    [[nodiscard]] std::string_view upstream_path() const noexcept {
        return filled_path.empty() ? route->upstream : std::string_view(filled_path);
    }
};

struct NoMatch {
    bool path_known = false; // 405 instead of 404
    std::string allow;       // "GET, HEAD, POST" for 405
    std::string suggestion;  // nearest known path, or empty
};

// `path` is the raw target's path without query; `/v1` in front is optional. HEAD matches GET rows.
// Every row of api-surface §1.1 to §1.5 and the vector stores of §1.6; the rest does not match. Left out of §1.5 are
// the permissions of fine-tuning checkpoints: the provider takes an organization's admin key for them, and no team owns
// one.
struct Lookup {
    std::optional<Match> match;
    NoMatch miss;
};
[[nodiscard]] Lookup find_route(Method method, std::string_view path);
[[nodiscard]] std::span<const Route> all_routes() noexcept;
[[nodiscard]] Method parse_method(std::string_view text) noexcept;

} // namespace tollgate::api
