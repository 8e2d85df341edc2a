#include "gateway/exchange/pipeline.hpp"

#include "gateway/base/log.hpp"
#include "gateway/exchange/accounting.hpp"
#include "gateway/exchange/cache_phase.hpp"
#include "gateway/exchange/flight_phase.hpp"
#include "gateway/exchange/local_answers.hpp"
#include "gateway/exchange/owned_objects.hpp"
#include "gateway/exchange/phases.hpp"
#include "gateway/exchange/refresh.hpp"
#include "gateway/exchange/reply.hpp"
#include "gateway/exchange/request_body.hpp"
#include "gateway/exchange/upstream_request.hpp"
#include "metrics/families.hpp"

#include <exception>

namespace tollgate::exchange {
namespace {

// First error wins; a phase that answers the client itself sets ex.answer_started and the walk ends there.
Task<Result<void>> run_phases(Exchange& ex) {
    if (co_await answer_options(ex)) co_return Result<void>();
    if (auto ok = route(ex); !ok) co_return ok;
    if (auto ok = shed(ex); !ok) co_return ok;
    if (auto ok = authenticate(ex); !ok) co_return ok;
    if (auto ok = check_grant(ex); !ok) co_return ok;
    if (auto ok = admit_body(ex); !ok) co_return ok;
    if (co_await answer_locally(ex)) co_return Result<void>();
    if (auto ok = peek(ex); !ok) co_return ok;
    if (auto ok = co_await read_body(ex); !ok) co_return ok;
    if (auto ok = inspect(ex); !ok) co_return ok;
    if (auto ok = authorize(ex); !ok) co_return ok;
    if (auto ok = co_await check_ownership(ex); !ok) co_return ok;
    cache::EntryPtr hit;
    if (ex.model != nullptr) {
        auto found = co_await look_up(ex);
        if (!found) co_return fail(found.error());
        hit = std::move(*found);
    }
    if (hit) {
        if (auto ok = admit(ex, true); !ok) co_return ok;
        if (ex.cache.renew) start_refresh(ex);
        co_await send_hit(ex, std::move(hit));
        co_return Result<void>();
    }
    auto result = co_await ask_upstream(ex);
    if (!result && co_await answer_for_error(ex, result.error())) co_return Result<void>();
    co_return result;
}

Task<Result<void>> run_guarded(Exchange& ex) {
    try {
        auto result = co_await run_phases(ex);
        co_return result;
    } catch (const std::exception& failure) {
        // A bug or an exhausted resource: this request fails, the process and the other requests go on.
        log::error("a request ended in an exception", {{"error", failure.what()}, {"request_id", ex.id.view()}});
    }
    co_return fail(Error{.type = ErrorType::gateway_internal,
                         .status = 500,
                         .message = "The gateway failed while handling this request. Please quote the request id.",
                         .openai_type = "server_error",
                         .close = true});
}

// The drain ran out: it was our end of the connection that closed, not the client's.
void blame_shutdown(Exchange& ex) {
    record_error(ex, shutdown_error());
    if (ex.record.attempt_count == 0) return;
    metrics::AttemptRecord& last = ex.record.attempts[ex.record.attempt_count - 1];
    last.cancelled = false;
    last.error = ErrorType::gateway_shutdown;
}

static_assert(api::kFinishReasons == metrics::kFinishWords);

// As the provider named it; not if it put its own credential there.
void name_answer(Exchange& ex) {
    metrics::RequestRecord& record = ex.record;
    const Named& named = ex.metering.named;
    const auto& providers = ex.snapshot->catalog->providers();
    if (record.attempt_count == 0) return;
    const std::uint32_t index = record.attempts[record.attempt_count - 1].upstream_index;
    if (index >= providers.size() || repeats_credential(*providers[index], named.id) ||
        repeats_credential(*providers[index], named.model))
        return;
    record.response_id = named.id;
    record.response_model = named.model;
    record.finish_reasons = named.finished;
}

} // namespace

void finish_record(Exchange& ex) {
    end_usage(ex);
    metrics::RequestRecord& record = ex.record;
    record.started_wall = WallClock::now() - std::chrono::duration_cast<WallClock::duration>(Clock::now() - ex.started);
    record.total = Clock::now() - ex.started;
    record.request_id = ex.id.view();
    record.config_hash = ex.snapshot->config.hash;
    name_answer(ex);
    if ((ex.client_gone || ex.owner_left) && !ex.answer_complete) {
        if (ex.worker.terminating) {
            blame_shutdown(ex);
        } else {
            record.outcome = metrics::Outcome::client_cancelled;
            record.error = ErrorType::caller_cancelled;
        }
    }
    ex.worker.metrics.record(record);
    if (!ex.worker.shared.access_log.enabled()) return;
    metrics::append_access_line(ex.worker.log_lines, record, ex.worker.shared.pseudonym);
    ++ex.worker.log_line_count;
    constexpr std::size_t kFlushAt = 64 * 1024;
    if (ex.worker.log_lines.size() >= kFlushAt) ex.worker.flush_log();
}

Task<bool> serve(Exchange& ex) {
    auto result = co_await run_guarded(ex);
    if (!result) {
        record_error(ex, result.error());
        end_usage(ex); // a slot is free before its client can ask again
        co_await send_error(ex, result.error());
    }
    finish_record(ex);
    const bool reusable =
        ex.answer_complete && !ex.client_gone && ex.told_keep && !ex.close_after && !ex.worker.last_answers;
    if (!reusable) co_return false;
    co_return ex.body_reader.complete();
}

} // namespace tollgate::exchange
