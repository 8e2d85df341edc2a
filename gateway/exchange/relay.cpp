#include "gateway/exchange/relay.hpp"

#include "gateway/api/answer_scan.hpp"
#include "gateway/api/completions_via_chat.hpp"
#include "gateway/base/text.hpp"
#include "gateway/exchange/cache_phase.hpp"
#include "gateway/exchange/outlet.hpp"
#include "gateway/exchange/owned_objects.hpp"
#include "gateway/exchange/relay_plan.hpp"
#include "gateway/exchange/reply.hpp"
#include "gateway/exchange/upstream_request.hpp"
#include "gateway/http/grammar.hpp"
#include "gateway/upstream/choose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace tollgate::exchange {
namespace {

constexpr std::uint64_t kTransformCap = 32ULL << 20; // answers that must be held whole (case 300)

bool is_event_stream(std::string_view type) {
    return iequals(trim(type.substr(0, type.find(';'))), "text/event-stream");
}

bool is_json(std::string_view type) {
    return iequals(trim(type.substr(0, type.find(';'))), "application/json");
}

bool says_utf8(std::string_view content_type) noexcept {
    const auto parameters = content_type.substr(std::min(content_type.size(), content_type.find(';')));
    const auto charset = trim(parameters.substr(std::min<std::size_t>(1, parameters.size())));
    return iequals(charset, "charset=utf-8") || iequals(charset, "charset=\"utf-8\"");
}

std::string passed_fields(const http::ResponseHead& head, const upstream::Provider& provider, bool stream) {
    std::string out;
    for (const std::string_view name :
         {"content-disposition", "openai-processing-ms", "openai-version", "openai-poll-after-ms"}) {
        const auto value = head.find(name);
        if (value && !repeats_credential(provider, *value)) http::append_field(out, name, *value);
    }
    if (stream) out += "x-accel-buffering: no\r\n";
    return out;
}

// What is held of an answer counts with the request's octets against body.held.
bool hold(Exchange& ex, std::size_t octets) {
    return ex.held.grow_to(ex.body.memory.size() + octets, ex.snapshot->config.body.held);
}

// Finds the usage of an answer that passes in pieces, and settles it before the last one leaves.
class PassingUsage {
  public:
    PassingUsage(Exchange& ex, std::string_view type)
        : ex_(ex), json_(ex.route->billable && is_json(type)), text_(ex.route->billable && type.starts_with("text/")) {}

    void feed(std::string_view piece) {
        if (json_) {
            scan_.feed(piece);
            ex_.metering.delivered = scan_.delivered();
        } else if (text_ && !piece.empty()) { // a transcript, say: the text is all that it tells
            const bool first = ex_.metering.delivered.deltas() == 0;
            ex_.metering.delivered.add(first ? 1 : 0, piece.size());
        }
    }
    void end(bool complete) {
        if (ex_.metering.ended) return;
        if (json_) {
            const auto answer = ex_.worker.answer_reader.read(scan_.digest(), ex_.route->operation);
            if (answer) {
                ex_.metering.report = answer->usage;
                ex_.metering.named.note(*answer);
            }
        }
        ex_.metering.complete = complete;
        end_usage(ex_);
    }

  private:
    Exchange& ex_;
    const bool json_, text_;
    api::AnswerScan scan_;
};

// Pieces as they come, up to the last.
Task<Result<void>> pass_rest(Plan& plan, Outlet& outlet, PassingUsage& usage) {
    http::BodyReader& reader = plan.attempt.body();
    while (!reader.complete()) {
        arm_idle(plan.ex, plan.attempt, plan.total_deadline);
        const std::string_view piece = co_await reader.next();
        const bool broken = reader.failed() || !plan.follow(piece);
        if (!broken) usage.feed(piece);
        if (broken || reader.complete()) usage.end(!broken);
        if (broken) co_return fail(broke_off(plan.ex, plan.attempt));
        if (!co_await outlet.send(piece, reader.complete())) {
            usage.end(false);
            co_return fail(client_left());
        }
    }
    co_return Result<void>();
}

// --- whole answers
// ----------------------------------------------------------------------------------------------------

Task<Result<void>> send_whole(Plan& plan, std::string body) {
    end_usage(plan.ex);
    Outlet outlet(plan.ex, plan.attempt.head().status, plan.type, body.size(), plan.extra);
    if (!co_await outlet.send(body, true)) co_return fail(client_left());
    co_return Result<void>();
}

Task<Result<void>> relay_transformed(Plan& plan, const upstream::Candidate* candidate) {
    Exchange& ex = plan.ex;
    auto body = co_await collect(ex, plan.attempt, kTransformCap, plan.total_deadline);
    if (!body) co_return fail(body.error());
    read_usage(ex, *body); // before anything that may fail
    if (upstream::turns_to_chat(*ex.route, candidate)) {
        auto converted = api::chat_to_completions_answer(*body, ex.model_name);
        if (!converted) co_return fail(converted.error());
        *body = std::move(*converted);
    }
    if (changes_ownership(ex)) {
        auto owned = co_await apply_ownership(ex, plan.provider, std::move(*body));
        if (!owned) co_return fail(owned.error());
        *body = std::move(*owned);
    }
    if (ex.cache.store && plan.attempt.head().status == 200) store_answer(ex, plan.type, *body);
    auto sent = co_await send_whole(plan, std::move(*body));
    co_return sent;
}

// Embeddings, with those that were known already.
Task<Result<void>> relay_items(Plan& plan) {
    Exchange& ex = plan.ex;
    auto body = co_await collect(ex, plan.attempt, kTransformCap, plan.total_deadline);
    if (!body) co_return fail(body.error());
    read_usage(ex, *body); // before anything that may fail
    auto whole = finish_items(ex, std::move(*body));
    if (!whole) co_return fail(bad_answer(plan.provider.name, "embeddings that are not those of the inputs"));
    auto sent = co_await send_whole(plan, std::move(*whole));
    co_return sent;
}

// Collects an answer that may be kept, so that its head can say so; one that outgrows the cap is relayed instead.
Task<Result<void>> relay_storable(Plan& plan) {
    Exchange& ex = plan.ex;
    http::BodyReader& reader = plan.attempt.body();
    const std::uint64_t cap = ex.snapshot->config.cache.max_entry;
    std::string body;
    while (!reader.complete() && body.size() <= cap && hold(ex, body.size())) {
        arm_idle(ex, plan.attempt, plan.total_deadline);
        const std::string_view piece = co_await reader.next();
        if (reader.failed() || !plan.follow(piece)) {
            ex.metering.delivered.observe(body);
            co_return fail(broke_off(plan.ex, plan.attempt));
        }
        body += piece;
    }
    if (reader.complete()) {
        store_answer(ex, plan.type, body);
        auto sent = co_await send_whole(plan, std::move(body));
        co_return sent;
    }
    ex.cache.store = false;
    std::optional<std::uint64_t> length;
    if (plan.attempt.head().framing == http::Framing::length) length = plan.attempt.head().content_length;
    Outlet outlet(ex, plan.attempt.head().status, plan.type, length, plan.extra);
    PassingUsage usage(ex, plan.type);
    usage.feed(body);
    if (!co_await outlet.send(body, false)) {
        usage.end(false);
        co_return fail(client_left());
    }
    body = std::string();
    auto result = co_await pass_rest(plan, outlet, usage);
    co_return result;
}

// --- octets as they come
// ----------------------------------------------------------------------------------------------

Task<Result<void>> relay_octets(Plan& plan) {
    Exchange& ex = plan.ex;
    http::BodyReader& reader = plan.attempt.body();
    const http::ResponseHead& head = plan.attempt.head();
    std::optional<std::uint64_t> length;
    if (head.framing == http::Framing::length) length = head.content_length;
    if (head.framing == http::Framing::none) length = 0;
    Outlet outlet(ex, head.status, plan.type, length, plan.extra);
    PassingUsage usage(ex, plan.type);
    arm_idle(ex, plan.attempt, plan.total_deadline);
    const std::string_view first = co_await reader.next();
    if (reader.failed() || !plan.follow(first)) co_return fail(broke_off(ex, plan.attempt));
    if (reader.complete() && head.status == 200 && is_json(plan.type)) {
        store_answer(ex, plan.type, first);
        end_usage(ex);
    } else {
        usage.feed(first);
        if (reader.complete()) usage.end(true);
    }
    if (!co_await outlet.send(first, reader.complete())) {
        usage.end(false);
        co_return fail(client_left());
    }
    auto result = co_await pass_rest(plan, outlet, usage);
    co_return result;
}

} // namespace

Error bad_answer(std::string_view provider, std::string_view what) {
    return Error{.type = ErrorType::provider_bad_response,
                 .status = 502,
                 .message = fmt::format("Provider \"{}\" sent {}.", provider, what),
                 .openai_type = "server_error"};
}

Error client_left() {
    return Error{.type = ErrorType::caller_cancelled, .status = 499, .message = "The client closed the connection."};
}

void arm_idle(Exchange& ex, upstream::Attempt& attempt, TimePoint total_deadline) {
    const auto& timeouts = ex.model != nullptr ? ex.model->timeouts : config::Timeouts{};
    const TimePoint idle = attempt.channel().now() + timeouts.idle;
    if (idle < total_deadline)
        attempt.channel().expire_hard_at(idle, "idle");
    else
        attempt.channel().expire_hard_at(total_deadline, "total");
}

Error broke_off(const Exchange& ex, const upstream::Attempt& attempt) {
    if (ex.client_gone) return client_left();
    return attempt.aborted() ? shutdown_error() : attempt.broken_body_error();
}

bool Plan::follow(std::string_view piece) {
    if (attempt.head().framing != http::Framing::until_close || !is_json(type)) return true;
    balance.feed(piece);
    return !attempt.body().complete() || balance.whole();
}

std::string_view passable_type(std::string_view content_type) noexcept {
    static constexpr std::array<std::string_view, 6> kTexts{
        "application/json; charset=utf-8", "text/event-stream; charset=utf-8",    "text/plain; charset=utf-8",
        "text/vtt; charset=utf-8",         "application/x-subrip; charset=utf-8", "application/jsonl; charset=utf-8"};
    static constexpr std::array<std::string_view, 2> kOctets{"application/octet-stream", "application/pdf"};
    static constexpr std::array<std::string_view, 3> kFamilies{"audio/", "image/", "video/"};
    const auto type = trim(content_type.substr(0, content_type.find(';')));
    for (const std::string_view text : kTexts) {
        const auto plain = text.substr(0, text.find(';'));
        if (iequals(type, plain)) return says_utf8(content_type) ? text : plain;
    }
    for (const std::string_view octets : kOctets)
        if (iequals(type, octets)) return octets;
    const bool known = std::ranges::any_of(kFamilies, [&](std::string_view f) {
        return iequals(type.substr(0, f.size()), f) && http::is_token(type.substr(f.size()));
    });
    return known && !iequals(type, "image/svg+xml") ? type : std::string_view();
}

Task<Result<std::string>> collect(Exchange& ex, upstream::Attempt& attempt, std::uint64_t cap,
                                  TimePoint total_deadline) {
    http::BodyReader& reader = attempt.body();
    std::string body;
    std::optional<Error> error;
    while (!reader.complete() && !error) {
        arm_idle(ex, attempt, total_deadline);
        body += co_await reader.next();
        if (reader.failed())
            error = broke_off(ex, attempt);
        else if (!hold(ex, body.size()))
            error = holds_too_much();
        else if (body.size() > cap)
            error = bad_answer("upstream", "an answer that is too large to be held");
    }
    if (!error) co_return body;
    ex.metering.delivered.observe(body);
    co_return fail(std::move(*error));
}

Task<Result<void>> relay(Exchange& ex, upstream::Attempt& attempt, const upstream::Provider& provider,
                         const upstream::Candidate* candidate, TimePoint total_deadline) {
    const http::ResponseHead& head = attempt.head();
    ex.client.cap_writes(total_deadline); // who reads octet by octet holds what was collected no longer than that
    const std::string_view type = passable_type(head.find("content-type").value_or(""));
    const bool bodiless =
        head.framing == http::Framing::none || (head.framing == http::Framing::length && head.content_length == 0);
    if ((type.empty() && !bodiless) || repeats_credential(provider, type))
        co_return fail(bad_answer(provider.name, "an answer of a type that is not passed on"));
    if (const auto coding = head.find("content-encoding"); coding && !iequals(*coding, "identity"))
        co_return fail(bad_answer(provider.name, "an encoded answer although none was asked for"));
    const bool stream = is_event_stream(type);
    Plan plan{ex, attempt, provider, type, passed_fields(head, provider, stream), total_deadline};
    if (ex.is_head()) {
        auto result = co_await relay_octets(plan);
        co_return result;
    }
    // What cannot be read cannot be filtered or given to its owner: it must not slip through as mere octets.
    const api::State state = ex.route->state;
    const bool readable =
        is_json(type) || bodiless || (stream && (state == api::State::none || state == api::State::object));
    if (changes_ownership(ex) && !readable)
        co_return fail(bad_answer(provider.name, "an answer about stored objects that is not JSON"));
    if (stream) {
        auto result = co_await relay_stream(plan, candidate);
        co_return result;
    }
    if (changes_ownership(ex) || (upstream::turns_to_chat(*ex.route, candidate) && is_json(type))) {
        auto result = co_await relay_transformed(plan, candidate);
        co_return result;
    }
    if (ex.items && head.status == 200 && is_json(type)) {
        auto result = co_await relay_items(plan);
        co_return result;
    }
    if (ex.cache.store && head.status == 200 && is_json(type)) {
        auto result = co_await relay_storable(plan);
        co_return result;
    }
    auto result = co_await relay_octets(plan);
    co_return result;
}

} // namespace tollgate::exchange
