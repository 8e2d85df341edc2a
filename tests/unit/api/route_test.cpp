#include "gateway/api/route.hpp"

#include "gateway/api/engine_path.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <iostream>
#include <map>

namespace tollgate::api {
namespace {

// The pattern with its variables replaced by plausible values.
std::string concrete(std::string_view pattern) {
    static const std::map<std::string_view, std::string_view> kValues{
        {"{id}", "obj_1.A-b:c"}, {"{sub}", "sub-2"}, {"{model}", "ft:gpt-4o:org::id"}, {"{engine}", "davinci"}};
    std::string out(pattern);
    for (const auto& [name, value] : kValues) {
        if (const auto at = out.find(name); at != std::string::npos) out.replace(at, name.size(), value);
    }
    return out;
}

const Route* row(Method method, std::string_view path) {
    const Lookup lookup = find_route(method, path);
    return lookup.match ? lookup.match->route : nullptr;
}

std::string flags(const Route& route) {
    std::string out(to_string(route.operation));
    const auto add = [&](bool on, std::string_view word) {
        if (on) out.append(" ").append(word);
    };
    add(route.body == BodyKind::json, "json");
    add(route.body == BodyKind::multipart, "multipart");
    add(route.model == ModelIn::body, "model-body");
    add(route.model == ModelIn::path, "model-path");
    add(route.model == ModelIn::form, "model-form");
    add(route.typed, "typed");
    add(route.cacheable, "cacheable");
    add(route.billable, "billable");
    add(route.may_stream, "stream");
    add(route.answer == Answer::websocket, "websocket");
    return out;
}

TEST(Route, every_row_is_reachable_with_and_without_version) {
    for (const Route& route : all_routes()) {
        const std::string path = concrete(route.pattern);
        for (const std::string& form : {path, path.substr(3), "/v1" + path}) {
            const Lookup lookup = find_route(route.method, form);
            ASSERT_TRUE(lookup.match) << form;
            EXPECT_EQ(lookup.match->route, &route) << form << " matched " << lookup.match->route->pattern;
            EXPECT_EQ(lookup.match->upstream_path(), concrete(route.upstream)) << form;
        }
    }
}

TEST(Route, inference_rows_have_the_stated_flags) {
    const std::map<std::string_view, std::string_view> expected{
        {"/v1/chat/completions", "chat json model-body typed cacheable billable stream"},
        {"/v1/responses", "responses json model-body typed cacheable billable stream"},
        {"/v1/responses/input_tokens", "responses json model-body typed cacheable"},
        {"/v1/responses/compact", "responses json model-body typed billable"},
        {"/v1/decisions", "responses json model-body typed billable"},
        {"/v1/completions", "text_completion json model-body typed cacheable billable stream"},
        {"/v1/edits", "text_completion json model-body typed cacheable billable"},
        {"/v1/embeddings", "embeddings json model-body typed cacheable billable"},
        {"/v1/moderations", "moderation json model-body typed cacheable"},
        {"/v1/images/generations", "image json model-body billable stream"},
        {"/v1/images/edits", "image multipart model-form billable stream"},
        {"/v1/images/variations", "image multipart model-form billable"},
        {"/v1/audio/speech", "audio_speech json model-body billable"},
        {"/v1/audio/transcriptions", "audio_transcription multipart model-form billable stream"},
        {"/v1/audio/translations", "audio_transcription multipart model-form billable"},
        {"/v1/engines/{engine}/chat/completions", "chat json model-path typed cacheable billable stream"},
        {"/v1/engines/{engine}/completions", "text_completion json model-path typed cacheable billable stream"},
        {"/v1/engines/{engine}/embeddings", "embeddings json model-path typed cacheable billable"},
        {"/v1/engines/{engine}/edits", "text_completion json model-path typed cacheable billable"},
    };
    std::size_t seen = 0;
    for (const Route& route : all_routes()) {
        if (route.method != Method::post || !route.group.empty() || route.answer == Answer::retired) continue;
        const auto entry = expected.find(route.pattern);
        ASSERT_NE(entry, expected.end()) << route.pattern << " is not in the list: " << flags(route);
        EXPECT_EQ(flags(route), entry->second) << route.pattern;
        std::cout << route.pattern << ": " << flags(route) << '\n';
        ++seen;
    }
    EXPECT_EQ(seen, expected.size());
}

// Scenario 31: no path of the table spends without saying by what.
TEST(Route, every_row_declares_what_it_is_charged_by) {
    const std::map<std::string_view, Charge> spending{
        {"POST /v1/chat/completions", Charge::tokens},
        {"POST /v1/responses", Charge::tokens},
        {"GET /v1/responses", Charge::tokens}, // WebSocket
        {"POST /v1/responses/compact", Charge::tokens},
        {"POST /v1/decisions", Charge::tokens},
        {"POST /v1/completions", Charge::tokens},
        {"POST /v1/edits", Charge::tokens},
        {"POST /v1/embeddings", Charge::input_tokens},
        {"POST /v1/moderations", Charge::input_tokens},
        {"POST /v1/images/generations", Charge::images},
        {"POST /v1/images/edits", Charge::images},
        {"POST /v1/images/variations", Charge::images},
        {"POST /v1/audio/speech", Charge::audio_out},
        {"POST /v1/audio/transcriptions", Charge::audio_in},
        {"POST /v1/audio/translations", Charge::audio_in},
        {"GET /v1/realtime", Charge::tokens},
        {"POST /v1/engines/{engine}/chat/completions", Charge::tokens},
        {"POST /v1/engines/{engine}/completions", Charge::tokens},
        {"POST /v1/engines/{engine}/embeddings", Charge::input_tokens},
        {"POST /v1/engines/{engine}/edits", Charge::tokens},
        {"POST /v1/batches", Charge::jobs},
        {"POST /v1/fine_tuning/jobs", Charge::jobs},
        {"POST /v1/fine_tuning/jobs/{id}/resume", Charge::jobs},
        {"POST /v1/fine_tuning/alpha/graders/run", Charge::jobs},
        {"POST /v1/vector_stores", Charge::jobs},
        {"POST /v1/vector_stores/{id}/search", Charge::jobs},
        {"POST /v1/vector_stores/{id}/files", Charge::jobs},
        {"POST /v1/vector_stores/{id}/file_batches", Charge::jobs},
    };
    std::size_t seen = 0;
    for (const Route& route : all_routes()) {
        const std::string name = std::string(to_string(route.method)) + " " + std::string(route.pattern);
        const auto entry = spending.find(name);
        const Charge expected = entry == spending.end() ? Charge::free : entry->second;
        EXPECT_EQ(Charge(route.charge), expected) << name << " is " << to_string(Charge(route.charge));
        EXPECT_FALSE(route.billable && Charge(route.charge) == Charge::free) << name;
        if (route.method == Method::del) EXPECT_EQ(Charge(route.charge), Charge::free) << name;
        seen += entry != spending.end() ? 1 : 0;
    }
    EXPECT_EQ(seen, spending.size());
    static_assert(!std::is_default_constructible_v<Route> && !std::is_default_constructible_v<DeclaredCharge>);
}

TEST(Route, stateful_rows_name_their_group_and_never_cache) {
    for (const Route& route : all_routes()) {
        EXPECT_EQ(route.state == State::none, route.group.empty()) << route.pattern;
        if (route.state == State::none) continue;
        EXPECT_FALSE(route.cacheable || route.billable || route.typed) << route.pattern;
        const bool names_object = route.pattern.find("{id}") != std::string_view::npos ||
                                  route.pattern.find("{model}") != std::string_view::npos;
        EXPECT_EQ(route.state == State::object || route.state == State::remove, names_object) << route.pattern;
    }
    EXPECT_EQ(row(Method::post, "/v1/files")->state, State::create);
    EXPECT_EQ(row(Method::get, "/v1/files")->state, State::list);
    EXPECT_EQ(row(Method::del, "/v1/files/f")->state, State::remove);
    EXPECT_EQ(row(Method::del, "/v1/models/m")->group, "fine_tuning");
    EXPECT_EQ(row(Method::get, "/v1/chat/completions")->group, "stored");
    EXPECT_EQ(row(Method::del, "/v1/conversations/c/items/i")->state, State::object);
}

TEST(Route, rows_of_one_pattern_are_neighbours) {
    std::vector<std::string_view> patterns;
    for (const Route& route : all_routes()) {
        if (patterns.empty() || patterns.back() != route.pattern) patterns.push_back(route.pattern);
    }
    std::ranges::sort(patterns);
    EXPECT_EQ(std::ranges::adjacent_find(patterns), patterns.end());
}

TEST(Route, variables_are_filled_as_received) {
    const Lookup lookup = find_route(Method::del, "/v1/conversations/conv_1/items/msg_2");
    ASSERT_TRUE(lookup.match);
    EXPECT_EQ(lookup.match->object_id, "conv_1");
    EXPECT_EQ(lookup.match->sub_id, "msg_2");
    EXPECT_EQ(lookup.match->upstream_path(), "/conversations/conv_1/items/msg_2");
}

TEST(Route, model_ids_hold_slash_colon_and_escapes) {
    const std::map<std::string, std::string> cases{
        {"/v1/models/gpt-4o", "gpt-4o"},
        {"/v1/models/ft:gpt-4o:org::id", "ft:gpt-4o:org::id"},
        {"/v1/models/meta-llama/Llama-3-8b", "meta-llama/Llama-3-8b"},
        {"/v1/models/meta-llama%2FLlama-3-8b", "meta-llama/Llama-3-8b"},
        {"/v1/models/ft%3Agpt%2d4o", "ft:gpt-4o"},
        {"/models/@cf/meta/llama", "@cf/meta/llama"},
    };
    for (const auto& [path, model] : cases) {
        const Lookup lookup = find_route(Method::get, path);
        ASSERT_TRUE(lookup.match) << path;
        EXPECT_EQ(lookup.match->route->answer, Answer::model_get) << path;
        EXPECT_EQ(lookup.match->model, model) << path;
    }
    const Lookup removed = find_route(Method::del, "/v1/models/ft%3Agpt");
    ASSERT_TRUE(removed.match);
    EXPECT_EQ(removed.match->model, "ft:gpt");
    EXPECT_EQ(removed.match->upstream_path(), "/models/ft%3Agpt");
}

TEST(Route, engine_forms_take_the_model_from_the_path) {
    const std::map<std::string, std::pair<std::string, std::string>> cases{
        {"/v1/engines/text-davinci-003/completions", {"text-davinci-003", "/completions"}},
        {"/v1/engines/org%2Fm/chat/completions", {"org/m", "/chat/completions"}},
        {"/v1/engines/org/m/chat/completions", {"org/m", "/chat/completions"}},
        {"/engines/ada/embeddings", {"ada", "/embeddings"}},
        {"/v1/engines/ada/edits", {"ada", "/edits"}},
    };
    for (const auto& [path, expected] : cases) {
        const Lookup lookup = find_route(Method::post, path);
        ASSERT_TRUE(lookup.match) << path;
        EXPECT_EQ(lookup.match->model, expected.first) << path;
        EXPECT_EQ(lookup.match->upstream_path(), expected.second) << path;
    }
}

TEST(Route, engine_forms_that_were_retired_are_known) {
    for (const std::string path : {"/v1/engines/davinci/generate", "/engines/org/m/search"}) {
        const Route* found = row(Method::post, path);
        ASSERT_NE(found, nullptr) << path;
        EXPECT_EQ(found->answer, Answer::retired) << path;
        EXPECT_EQ(Charge(found->charge), Charge::free) << path;
    }
}

TEST(Route, the_engine_of_a_path_is_told_whatever_it_looks_like) {
    const std::map<std::string, std::optional<std::string>> cases{
        {"/v1/engines/a+b/completions", "a+b"},
        {"/engines/a%20b/chat/completions", "a b"},
        {"/v1/engines/%zz/embeddings", "%zz"},
        {"/v1/engines/%c3%a9/edits", "\u00e9"},
        {"/v1/engines/a+b", "a+b"},
        {"/v1/engines/x/y+z/completions", "x/y+z"},
        {"/v1/engines", std::nullopt},
        {"/v1/engines//completions", std::nullopt},
        {"/v1/models/a+b", std::nullopt},
        {"/v1/elsewhere/a+b/completions", std::nullopt},
        {"/v1/" + std::string(5000, 'a'), std::nullopt},
    };
    for (const auto& [path, engine] : cases) EXPECT_EQ(engine_in(path), engine) << path;
}

TEST(Route, unclean_paths_do_not_match) {
    for (const std::string path : {"",
                                   "/",
                                   "/v1",
                                   "/v1/",
                                   "v1/models",
                                   "/v2/models",
                                   "/v1/chat",
                                   "/v1//models",
                                   "/v1/models/",
                                   "/v1/models//x",
                                   "/v1/models/.",
                                   "/v1/models/..",
                                   "/v1/models/a/../b",
                                   "/v1/models/%2e%2e",
                                   "/v1/models/a%2f..%2fb",
                                   "/v1/models/a%00b",
                                   "/v1/models/%",
                                   "/v1/models/%4",
                                   "/v1/models/%zz",
                                   "/v1/models/a%252e",
                                   "/v1/models/%2Fa",
                                   "/v1/models/a%2F",
                                   "/v1/models/a%2F%2Fb",
                                   "/v1/models/a+b",
                                   "/v1/models/a%20b",
                                   "/v1/models/*",
                                   "/v1/models/%c3%a9",
                                   "/v1/files/..",
                                   "/v1/files/.",
                                   "/v1/files/a%2Fb",
                                   "/v1/files/a%41",
                                   "/v1/files/a/b/content",
                                   "/v1/files/a b",
                                   "/v1/files//content",
                                   "/v1/files/%00",
                                   "/v1/chat/completions/",
                                   "/v1/Chat/completions",
                                   "/v1/organization/costs",
                                   "/v1/threads",
                                   "/v1/messages",
                                   "/v1/v1/v1/models",
                                   "/v1/chat%2Fcompletions",
                                   "/v1/engines/./completions",
                                   "/v1/engines//completions"}) {
        const Lookup lookup = find_route(Method::get, path);
        EXPECT_FALSE(lookup.match) << path << " matched " << (lookup.match ? lookup.match->route->pattern : "");
        EXPECT_FALSE(lookup.miss.path_known) << path;
    }
    EXPECT_FALSE(find_route(Method::get, "/v1/files/" + std::string(129, 'a')).match);
    EXPECT_TRUE(find_route(Method::get, "/v1/files/" + std::string(128, 'a')).match);
    EXPECT_FALSE(find_route(Method::get, "/v1/models/" + std::string(129, 'a')).match);
    EXPECT_FALSE(find_route(Method::get, "/v1" + std::string(100'000, '/')).match);
}

TEST(Route, wrong_method_lists_the_allowed_ones) {
    const std::map<std::pair<Method, std::string>, std::string> cases{
        {{Method::put, "/v1/chat/completions"}, "POST, GET, HEAD"},
        {{Method::get, "/v1/embeddings"}, "POST"},
        {{Method::post, "/v1/models/x"}, "GET, HEAD, DELETE"},
        {{Method::patch, "/files/f"}, "GET, HEAD, DELETE"},
        {{Method::options, "/v1/models"}, "GET, HEAD"},
        {{Method::other, "/v1/realtime"}, "GET"},
        {{Method::get, "/v1/responses/compact"}, "POST"},
        {{Method::put, "/v1/responses"}, "POST"},
        {{Method::head, "/v1/responses"}, "POST"},
    };
    for (const auto& [request, allow] : cases) {
        const Lookup lookup = find_route(request.first, request.second);
        EXPECT_FALSE(lookup.match) << request.second;
        EXPECT_TRUE(lookup.miss.path_known) << request.second;
        EXPECT_EQ(lookup.miss.allow, allow) << request.second;
    }
}

TEST(Route, head_matches_get_rows_only) {
    EXPECT_EQ(row(Method::head, "/v1/models"), row(Method::get, "/v1/models"));
    EXPECT_EQ(row(Method::head, "/v1/embeddings"), nullptr);
}

TEST(Route, websockets_are_named) {
    EXPECT_EQ(row(Method::get, "/v1/responses")->answer, Answer::websocket);
    EXPECT_EQ(row(Method::get, "/v1/realtime")->answer, Answer::websocket);
}

TEST(Route, suggestion_is_the_nearest_known_path) {
    const auto suggestion = [](std::string_view path) { return find_route(Method::post, path).miss.suggestion; };
    EXPECT_EQ(suggestion("/v1/chat/completion"), "/v1/chat/completions");
    EXPECT_EQ(suggestion("/v1/chat/completions/"), "/v1/chat/completions");
    EXPECT_EQ(suggestion("/chat/completons"), "/v1/chat/completions");
    EXPECT_EQ(suggestion("/v1/embedding"), "/v1/embeddings");
    EXPECT_EQ(suggestion("/v1/something/else"), "");
}

TEST(Route, methods_are_parsed_exactly) {
    EXPECT_EQ(parse_method("GET"), Method::get);
    EXPECT_EQ(parse_method("DELETE"), Method::del);
    EXPECT_EQ(parse_method("OPTIONS"), Method::options);
    EXPECT_EQ(parse_method("get"), Method::other);
    EXPECT_EQ(parse_method(""), Method::other);
    EXPECT_EQ(parse_method("BREW"), Method::other);
}

} // namespace
} // namespace tollgate::api
