// The rows of the route table, and their patterns cut into segments at compile time. Private to route.cpp.
#pragma once

#include "gateway/api/route.hpp"

#include <array>

namespace tollgate::api {

inline constexpr std::string_view kVersionPrefix = "/v1";

namespace detail {

constexpr Route plain(Method method, std::string_view pattern, Operation operation, Charge charge) {
    Route row{.charge = charge};
    row.method = method;
    row.pattern = pattern;
    row.upstream = pattern.substr(kVersionPrefix.size());
    row.operation = operation;
    return row;
}

struct Kind {
    DeclaredCharge charge;
    bool cacheable = false;
    bool billable = true;
    bool may_stream = false;
    bool typed = true;
};

constexpr Route inference(std::string_view pattern, Operation operation, Kind kind) {
    Route row = plain(Method::post, pattern, operation, kind.charge);
    row.body = BodyKind::json;
    row.model = ModelIn::body;
    row.cacheable = kind.cacheable;
    row.billable = kind.billable;
    row.may_stream = kind.may_stream;
    row.typed = kind.typed;
    return row;
}

constexpr Route form(std::string_view pattern, Operation operation, Charge charge, bool may_stream) {
    Route row = inference(pattern, operation, {.charge = charge, .may_stream = may_stream, .typed = false});
    row.body = BodyKind::multipart;
    row.model = ModelIn::form;
    return row;
}

// 0.28 clients: the model is named by the path only, the upstream knows the plain path.
constexpr Route engine(std::string_view pattern, std::string_view upstream, Operation operation, Kind kind) {
    Route row = inference(pattern, operation, kind);
    row.upstream = upstream;
    row.model = ModelIn::path;
    return row;
}

constexpr Route answered(std::string_view pattern, Answer answer, Charge charge,
                         Operation operation = Operation::models) {
    Route row = plain(Method::get, pattern, operation, charge);
    row.answer = answer;
    if (pattern.ends_with('}')) row.model = ModelIn::path;
    return row;
}

// What even old clients get nothing from any more; the table knows it so that they are told so.
constexpr Route retired(std::string_view pattern) {
    Route row = plain(Method::post, pattern, Operation::other, Charge::free);
    row.answer = Answer::retired;
    row.model = ModelIn::path;
    return row;
}

// The operation and the `routes:` name of a family of stateful rows.
struct Group {
    Operation operation;
    std::string_view name;

    constexpr Route row(Method method, std::string_view pattern, Charge charge, State state,
                        BodyKind body = BodyKind::none) const {
        Route row = plain(method, pattern, operation, charge);
        row.group = name;
        row.state = state;
        row.body = body;
        return row;
    }
    constexpr Route get(std::string_view pattern, State state = State::object) const {
        return row(Method::get, pattern, Charge::free, state);
    }
    constexpr Route post(std::string_view pattern, Charge charge, State state = State::object,
                         BodyKind body = BodyKind::json) const {
        return row(Method::post, pattern, charge, state, body);
    }
    // Actions whose request has no body.
    constexpr Route act(std::string_view pattern, Charge charge) const {
        return row(Method::post, pattern, charge, State::object, BodyKind::none);
    }
    constexpr Route remove(std::string_view pattern, State state = State::remove) const {
        return row(Method::del, pattern, Charge::free, state);
    }
};

inline constexpr Group kStored{Operation::stored, "stored"};
inline constexpr Group kFiles{Operation::files, "files"};
inline constexpr Group kUploads{Operation::uploads, "uploads"};
inline constexpr Group kBatches{Operation::batches, "batches"};
inline constexpr Group kTuning{Operation::fine_tuning, "fine_tuning"};
inline constexpr Group kVectors{Operation::vector_stores, "vector_stores"};
inline constexpr Kind kSampled{.charge = Charge::tokens, .cacheable = true, .may_stream = true};
inline constexpr Kind kEmbedded{.charge = Charge::input_tokens, .cacheable = true};
inline constexpr Kind kOneShot{.charge = Charge::tokens, .cacheable = true};

constexpr Route tuning_create() {
    Route row = kTuning.post("/v1/fine_tuning/jobs", Charge::jobs, State::create);
    row.model = ModelIn::body;
    return row;
}

constexpr Route tuned_model_delete() {
    Route row = kTuning.remove("/v1/models/{model}");
    row.model = ModelIn::path;
    return row;
}

// GET /responses/{id}?stream=true resumes a stream.
constexpr Route response_get() {
    Route row = kStored.get("/v1/responses/{id}");
    row.may_stream = true;
    return row;
}

} // namespace detail

// Rows of one pattern are neighbours. Among patterns that can match the same path the earlier one wins.
inline constexpr auto kRoutes = [] {
    using namespace detail;
    using enum Operation;
    return std::to_array<Route>({
        // Inference (api-surface §1.1)
        inference("/v1/chat/completions", chat, kSampled),
        kStored.get("/v1/chat/completions", State::list),
        inference("/v1/responses", Operation::responses, kSampled),
        answered("/v1/responses", Answer::websocket, Charge::tokens, Operation::responses),
        inference("/v1/responses/input_tokens", Operation::responses,
                  {.charge = Charge::free, .cacheable = true, .billable = false}),
        inference("/v1/responses/compact", Operation::responses, {.charge = Charge::tokens}),
        inference("/v1/completions", text_completion, kSampled),
        inference("/v1/edits", text_completion, kOneShot),
        inference("/v1/embeddings", embeddings, kEmbedded),
        inference("/v1/moderations", moderation,
                  {.charge = Charge::input_tokens, .cacheable = true, .billable = false}),
        inference("/v1/decisions", Operation::responses, {.charge = Charge::tokens}), // its usage is told as theirs
        inference("/v1/images/generations", image, {.charge = Charge::images, .may_stream = true, .typed = false}),
        form("/v1/images/edits", image, Charge::images, true),
        form("/v1/images/variations", image, Charge::images, false),
        inference("/v1/audio/speech", audio_speech, {.charge = Charge::audio_out, .typed = false}),
        form("/v1/audio/transcriptions", audio_transcription, Charge::audio_in, true),
        form("/v1/audio/translations", audio_transcription, Charge::audio_in, false),
        answered("/v1/realtime", Answer::websocket, Charge::tokens, other),
        // Models and engines (§1.2, §1.3); the longer engine forms first, an engine's name may hold '/'
        answered("/v1/models", Answer::models_list, Charge::free),
        answered("/v1/me", Answer::me, Charge::free, Operation::other),
        answered("/v1/models/{model}", Answer::model_get, Charge::free),
        tuned_model_delete(),
        answered("/v1/engines", Answer::engines_list, Charge::free),
        engine("/v1/engines/{engine}/chat/completions", "/chat/completions", chat, kSampled),
        engine("/v1/engines/{engine}/completions", "/completions", text_completion, kSampled),
        engine("/v1/engines/{engine}/embeddings", "/embeddings", embeddings, kEmbedded),
        engine("/v1/engines/{engine}/edits", "/edits", text_completion, kOneShot),
        retired("/v1/engines/{engine}/generate"),
        retired("/v1/engines/{engine}/search"),
        answered("/v1/engines/{engine}", Answer::engine_get, Charge::free),
        // Stored objects of inference (§1.4)
        kStored.get("/v1/chat/completions/{id}"),
        kStored.post("/v1/chat/completions/{id}", Charge::free),
        kStored.remove("/v1/chat/completions/{id}"),
        kStored.get("/v1/chat/completions/{id}/messages"),
        response_get(),
        kStored.remove("/v1/responses/{id}"),
        kStored.act("/v1/responses/{id}/cancel", Charge::free),
        kStored.get("/v1/responses/{id}/input_items"),
        kStored.post("/v1/conversations", Charge::free, State::create),
        kStored.get("/v1/conversations/{id}"),
        kStored.post("/v1/conversations/{id}", Charge::free),
        kStored.remove("/v1/conversations/{id}"),
        kStored.get("/v1/conversations/{id}/items"),
        kStored.post("/v1/conversations/{id}/items", Charge::free),
        kStored.get("/v1/conversations/{id}/items/{sub}"),
        kStored.remove("/v1/conversations/{id}/items/{sub}", State::object),
        // Files, uploads, batches, fine-tuning (§1.5)
        kFiles.post("/v1/files", Charge::free, State::create, BodyKind::multipart),
        kFiles.get("/v1/files", State::list),
        kFiles.get("/v1/files/{id}"),
        kFiles.remove("/v1/files/{id}"),
        kFiles.get("/v1/files/{id}/content"),
        kUploads.post("/v1/uploads", Charge::free, State::create),
        kUploads.post("/v1/uploads/{id}/parts", Charge::free, State::object, BodyKind::multipart),
        kUploads.post("/v1/uploads/{id}/complete", Charge::free),
        kUploads.act("/v1/uploads/{id}/cancel", Charge::free),
        kBatches.post("/v1/batches", Charge::jobs, State::create),
        kBatches.get("/v1/batches", State::list),
        kBatches.get("/v1/batches/{id}"),
        kBatches.act("/v1/batches/{id}/cancel", Charge::free),
        tuning_create(),
        kTuning.get("/v1/fine_tuning/jobs", State::list),
        kTuning.get("/v1/fine_tuning/jobs/{id}"),
        kTuning.act("/v1/fine_tuning/jobs/{id}/cancel", Charge::free),
        kTuning.act("/v1/fine_tuning/jobs/{id}/pause", Charge::free),
        kTuning.act("/v1/fine_tuning/jobs/{id}/resume", Charge::jobs),
        kTuning.get("/v1/fine_tuning/jobs/{id}/events"),
        kTuning.get("/v1/fine_tuning/jobs/{id}/checkpoints"),
        kTuning.post("/v1/fine_tuning/alpha/graders/run", Charge::jobs, State::create),
        kTuning.post("/v1/fine_tuning/alpha/graders/validate", Charge::free, State::create),
        // Vector stores (§1.6)
        kVectors.post("/v1/vector_stores", Charge::jobs, State::create),
        kVectors.get("/v1/vector_stores", State::list),
        kVectors.get("/v1/vector_stores/{id}"),
        kVectors.post("/v1/vector_stores/{id}", Charge::free),
        kVectors.remove("/v1/vector_stores/{id}"),
        kVectors.post("/v1/vector_stores/{id}/search", Charge::jobs),
        kVectors.get("/v1/vector_stores/{id}/files"),
        kVectors.post("/v1/vector_stores/{id}/files", Charge::jobs),
        kVectors.get("/v1/vector_stores/{id}/files/{sub}"),
        kVectors.post("/v1/vector_stores/{id}/files/{sub}", Charge::free),
        kVectors.remove("/v1/vector_stores/{id}/files/{sub}", State::object),
        kVectors.get("/v1/vector_stores/{id}/files/{sub}/content"),
        kVectors.post("/v1/vector_stores/{id}/file_batches", Charge::jobs),
        kVectors.get("/v1/vector_stores/{id}/file_batches/{sub}"),
        kVectors.act("/v1/vector_stores/{id}/file_batches/{sub}/cancel", Charge::free),
        kVectors.get("/v1/vector_stores/{id}/file_batches/{sub}/files"),
    });
}();

} // namespace tollgate::api
