// The rows of the route table, and their patterns cut into segments at compile time. Private to route.cpp.
#pragma once

#include "gateway/api/route.hpp"

#include <array>

namespace tollgate::api {

inline constexpr std::string_view kVersionPrefix = "/v1";

namespace detail {

constexpr Route plain(Method method, std::string_view pattern, Operation operation) {
    Route row;
    row.method = method;
    row.pattern = pattern;
    row.upstream = pattern.substr(kVersionPrefix.size());
    row.operation = operation;
    return row;
}

struct Kind {
    bool cacheable = false;
    bool billable = true;
    bool may_stream = false;
    bool typed = true;
};

constexpr Route inference(std::string_view pattern, Operation operation, Kind kind) {
    Route row = plain(Method::post, pattern, operation);
    row.body = BodyKind::json;
    row.model = ModelIn::body;
    row.cacheable = kind.cacheable;
    row.billable = kind.billable;
    row.may_stream = kind.may_stream;
    row.typed = kind.typed;
    return row;
}

constexpr Route form(std::string_view pattern, Operation operation, bool may_stream) {
    Route row = inference(pattern, operation, {.may_stream = may_stream, .typed = false});
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

constexpr Route answered(std::string_view pattern, Answer answer, Operation operation = Operation::models) {
    Route row = plain(Method::get, pattern, operation);
    row.answer = answer;
    if (pattern.ends_with('}')) row.model = ModelIn::path;
    return row;
}

// The operation and the `routes:` name of a family of stateful rows.
struct Group {
    Operation operation;
    std::string_view name;

    constexpr Route row(Method method, std::string_view pattern, State state, BodyKind body = BodyKind::none) const {
        Route row = plain(method, pattern, operation);
        row.group = name;
        row.state = state;
        row.body = body;
        return row;
    }
    constexpr Route get(std::string_view pattern, State state = State::object) const {
        return row(Method::get, pattern, state);
    }
    constexpr Route post(std::string_view pattern, State state = State::object, BodyKind body = BodyKind::json) const {
        return row(Method::post, pattern, state, body);
    }
    // Actions whose request has no body.
    constexpr Route act(std::string_view pattern) const {
        return row(Method::post, pattern, State::object, BodyKind::none);
    }
    constexpr Route remove(std::string_view pattern, State state = State::remove) const {
        return row(Method::del, pattern, state);
    }
};

inline constexpr Group kStored{Operation::stored, "stored"};
inline constexpr Group kFiles{Operation::files, "files"};
inline constexpr Group kUploads{Operation::uploads, "uploads"};
inline constexpr Group kBatches{Operation::batches, "batches"};
inline constexpr Group kTuning{Operation::fine_tuning, "fine_tuning"};
inline constexpr Group kVectors{Operation::vector_stores, "vector_stores"};
inline constexpr Kind kSampled{.cacheable = true, .may_stream = true};
inline constexpr Kind kOneShot{.cacheable = true};

constexpr Route tuning_create() {
    Route row = kTuning.post("/v1/fine_tuning/jobs", State::create);
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
        answered("/v1/responses", Answer::websocket, Operation::responses),
        inference("/v1/responses/input_tokens", Operation::responses, {.cacheable = true, .billable = false}),
        inference("/v1/responses/compact", Operation::responses, {}),
        inference("/v1/completions", text_completion, kSampled),
        inference("/v1/edits", text_completion, kOneShot),
        inference("/v1/embeddings", embeddings, kOneShot),
        inference("/v1/moderations", moderation, {.cacheable = true, .billable = false}),
        inference("/v1/images/generations", image, {.may_stream = true, .typed = false}),
        form("/v1/images/edits", image, true),
        form("/v1/images/variations", image, false),
        inference("/v1/audio/speech", audio_speech, {.typed = false}),
        form("/v1/audio/transcriptions", audio_transcription, true),
        form("/v1/audio/translations", audio_transcription, false),
        answered("/v1/realtime", Answer::websocket, other),
        // Models and engines (§1.2, §1.3); the longer engine forms first, an engine's name may hold '/'
        answered("/v1/models", Answer::models_list),
        answered("/v1/models/{model}", Answer::model_get),
        tuned_model_delete(),
        answered("/v1/engines", Answer::engines_list),
        engine("/v1/engines/{engine}/chat/completions", "/chat/completions", chat, kSampled),
        engine("/v1/engines/{engine}/completions", "/completions", text_completion, kSampled),
        engine("/v1/engines/{engine}/embeddings", "/embeddings", embeddings, kOneShot),
        engine("/v1/engines/{engine}/edits", "/edits", text_completion, kOneShot),
        answered("/v1/engines/{engine}", Answer::engine_get),
        // Stored objects of inference (§1.4)
        kStored.get("/v1/chat/completions/{id}"),
        kStored.post("/v1/chat/completions/{id}"),
        kStored.remove("/v1/chat/completions/{id}"),
        kStored.get("/v1/chat/completions/{id}/messages"),
        response_get(),
        kStored.remove("/v1/responses/{id}"),
        kStored.act("/v1/responses/{id}/cancel"),
        kStored.get("/v1/responses/{id}/input_items"),
        kStored.post("/v1/conversations", State::create),
        kStored.get("/v1/conversations/{id}"),
        kStored.post("/v1/conversations/{id}"),
        kStored.remove("/v1/conversations/{id}"),
        kStored.get("/v1/conversations/{id}/items"),
        kStored.post("/v1/conversations/{id}/items"),
        kStored.get("/v1/conversations/{id}/items/{sub}"),
        kStored.remove("/v1/conversations/{id}/items/{sub}", State::object),
        // Files, uploads, batches, fine-tuning (§1.5)
        kFiles.post("/v1/files", State::create, BodyKind::multipart),
        kFiles.get("/v1/files", State::list),
        kFiles.get("/v1/files/{id}"),
        kFiles.remove("/v1/files/{id}"),
        kFiles.get("/v1/files/{id}/content"),
        kUploads.post("/v1/uploads", State::create),
        kUploads.post("/v1/uploads/{id}/parts", State::object, BodyKind::multipart),
        kUploads.post("/v1/uploads/{id}/complete"),
        kUploads.act("/v1/uploads/{id}/cancel"),
        kBatches.post("/v1/batches", State::create),
        kBatches.get("/v1/batches", State::list),
        kBatches.get("/v1/batches/{id}"),
        kBatches.act("/v1/batches/{id}/cancel"),
        tuning_create(),
        kTuning.get("/v1/fine_tuning/jobs", State::list),
        kTuning.get("/v1/fine_tuning/jobs/{id}"),
        kTuning.act("/v1/fine_tuning/jobs/{id}/cancel"),
        kTuning.act("/v1/fine_tuning/jobs/{id}/pause"),
        kTuning.act("/v1/fine_tuning/jobs/{id}/resume"),
        kTuning.get("/v1/fine_tuning/jobs/{id}/events"),
        kTuning.get("/v1/fine_tuning/jobs/{id}/checkpoints"),
        // Vector stores (§1.6)
        kVectors.post("/v1/vector_stores", State::create),
        kVectors.get("/v1/vector_stores", State::list),
        kVectors.get("/v1/vector_stores/{id}"),
        kVectors.post("/v1/vector_stores/{id}"),
        kVectors.remove("/v1/vector_stores/{id}"),
        kVectors.post("/v1/vector_stores/{id}/search"),
        kVectors.get("/v1/vector_stores/{id}/files"),
        kVectors.post("/v1/vector_stores/{id}/files"),
        kVectors.get("/v1/vector_stores/{id}/files/{sub}"),
        kVectors.post("/v1/vector_stores/{id}/files/{sub}"),
        kVectors.remove("/v1/vector_stores/{id}/files/{sub}", State::object),
        kVectors.get("/v1/vector_stores/{id}/files/{sub}/content"),
        kVectors.post("/v1/vector_stores/{id}/file_batches"),
        kVectors.get("/v1/vector_stores/{id}/file_batches/{sub}"),
        kVectors.act("/v1/vector_stores/{id}/file_batches/{sub}/cancel"),
        kVectors.get("/v1/vector_stores/{id}/file_batches/{sub}/files"),
    });
}();

} // namespace tollgate::api
