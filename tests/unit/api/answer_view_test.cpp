#include "gateway/api/answer_view.hpp"

#include "gateway/api/objects.hpp"

#include <gtest/gtest.h>

namespace tollgate::api {
namespace {

using Ids = std::vector<std::string>;

constexpr std::string_view kChat =
    R"({"id":"c","choices":[{"index":0,"message":{"content":"hi"},"finish_reason":"stop"}],)"
    R"("usage":{"prompt_tokens":7,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":2}}})";

AnswerView read(std::string_view body, Operation operation = Operation::chat) {
    AnswerReader reader;
    const auto view = reader.read(body, operation);
    EXPECT_TRUE(view.has_value()) << body;
    return view.value_or(AnswerView{});
}

TEST(AnswerReader_read, a_whole_chat_answer_is_storable_and_its_usage_is_known) {
    const AnswerView view = read(kChat);
    EXPECT_TRUE(may_store(view, RequestView{}));
    EXPECT_EQ(view.usage.input, 7U);
    EXPECT_EQ(view.usage.output, 3U);
    EXPECT_EQ(view.usage.cached, 2U);
}

TEST(AnswerReader_read, usage_that_is_absent_stays_unknown) {
    EXPECT_FALSE(read(R"({"choices":[{"finish_reason":"stop"}]})").usage.input.has_value());
}

TEST(AnswerReader_read, anything_but_one_object_is_nothing) {
    AnswerReader reader;
    for (const std::string_view body :
         std::initializer_list<std::string_view>{{}, "", "[]", "5", "{", R"({"a":1}{"b":2})", R"({"a":1}x)", "\xff"})
        EXPECT_FALSE(reader.read(body, Operation::chat).has_value()) << body;
}

struct Finish {
    std::string_view body;
    bool storable, storable_with_max;
};

TEST(may_store, decides_by_how_every_choice_ended) {
    const Finish rows[] = {
        {R"({"choices":[{"finish_reason":"stop"},{"finish_reason":"tool_calls"}]})", true, true},
        {R"({"choices":[{"finish_reason":"length"}]})", false, true},
        {R"({"choices":[{"finish_reason":"stop"},{"finish_reason":"content_filter"}]})", false, false},
        {R"({"choices":[{"finish_reason":"mystery"}]})", false, false},
        {R"({"choices":[{"finish_reason":null}]})", false, false},
        {R"({"choices":[]})", false, false},
        {R"({})", false, false},
        {R"({"error":{"message":"no"},"choices":[{"finish_reason":"stop"}]})", false, false},
        {R"({"error":null,"choices":[{"finish_reason":"stop"}]})", true, true},
    };
    for (const Finish& row : rows) {
        RequestView request;
        EXPECT_EQ(may_store(read(row.body), request), row.storable) << row.body;
        request.has_max_tokens = true;
        EXPECT_EQ(may_store(read(row.body), request), row.storable_with_max) << row.body;
    }
}

TEST(may_store, responses_must_be_completed) {
    EXPECT_TRUE(may_store(read(R"({"status":"completed"})", Operation::responses), RequestView{}));
    EXPECT_FALSE(may_store(read(R"({"status":"incomplete"})", Operation::responses), RequestView{}));
    RequestView limited;
    limited.has_max_tokens = true;
    const auto incomplete = [](std::string_view why) {
        return read(R"({"status":"incomplete","incomplete_details":{"reason":")" + std::string(why) + "\"}}",
                    Operation::responses);
    };
    EXPECT_TRUE(may_store(incomplete("max_output_tokens"), limited));
    EXPECT_FALSE(may_store(incomplete("content_filter"), limited));
}

TEST(may_store, lists_must_be_there) {
    EXPECT_TRUE(may_store(read(R"({"data":[]})", Operation::embeddings), RequestView{}));
    EXPECT_FALSE(may_store(read(R"({"status":"queued"})", Operation::embeddings), RequestView{}));
    EXPECT_FALSE(may_store(read(R"({"results":null})", Operation::moderation), RequestView{}));
    EXPECT_FALSE(may_store(read(R"({"status":"queued"})", Operation::responses), RequestView{}));
}

TEST(AnswerReader_read, usage_inside_an_event_of_the_responses_dialect_is_found) {
    const auto view = read(R"({"type":"response.completed","response":{"usage":{"input_tokens":4,"output_tokens":5}}})",
                           Operation::other);
    EXPECT_EQ(view.usage.input, 4U);
    EXPECT_EQ(view.usage.output, 5U);
}

TEST(bypass_reason, names_the_first_cause) {
    Route chat{.charge = Charge::free};
    chat.operation = Operation::chat;
    chat.cacheable = true;
    const CacheRules on{true, true};
    RequestView plain;
    EXPECT_EQ(bypass_reason(chat, plain, on), "");
    EXPECT_EQ(bypass_reason(chat, plain, CacheRules{false, true}), "disabled");
    EXPECT_EQ(bypass_reason(chat, plain, CacheRules{true, false}), "sampled");
    RequestView seeded = plain;
    seeded.temperature = 0.0;
    EXPECT_EQ(bypass_reason(chat, seeded, CacheRules{true, false}), "");
    RequestView stream = plain;
    stream.stream = true;
    EXPECT_EQ(bypass_reason(chat, stream, on), "stream");
    RequestView stored = plain;
    stored.store = stored.store_present = true;
    EXPECT_EQ(bypass_reason(chat, stored, on), "stateful");
    RequestView tools = plain;
    tools.has_hosted_tools = true;
    EXPECT_EQ(bypass_reason(chat, tools, on), "tools");
    RequestView remote = plain;
    remote.has_remote_content = true;
    EXPECT_EQ(bypass_reason(chat, remote, on), "remote_content");
    Route responses = chat;
    responses.operation = Operation::responses;
    EXPECT_EQ(bypass_reason(responses, plain, on), "stateful"); // store defaults to true there
    RequestView unstored = plain;
    unstored.store_present = true;
    EXPECT_EQ(bypass_reason(responses, unstored, on), "");
}

TEST(referenced_ids, finds_every_stored_object_a_request_names) {
    EXPECT_EQ(
        referenced_ids(
            R"({"previous_response_id":"resp_1","conversation":{"id":"conv_1"},"tools":[{"vector_store_ids":["vs_1"]}],)"
            R"("input":[{"type":"item_reference","id":"msg_1"},{"id":"msg_2"},{"content":[{"file_id":"file-1"}]}]})"),
        (Ids{"conv_1", "file-1", "msg_1", "msg_2", "resp_1", "vs_1"}));
    EXPECT_EQ(referenced_ids(R"({"conversation":"conv_2"})"), Ids{"conv_2"});
}

TEST(referenced_ids, finds_sounds_containers_and_stored_items) {
    EXPECT_EQ(
        referenced_ids(R"({"messages":[{"role":"assistant","audio":{"id":"audio_1"}}],)"
                       R"("tools":[{"type":"code_interpreter","container":"cntr_1"}],)"
                       R"("input":[{"type":"image_generation_call","id":"ig_1"},{"type":"message","id":"msg_own"}]})"),
        (Ids{"audio_1", "cntr_1", "ig_1"}));
}

TEST(referenced_ids, leaves_the_callers_notes_alone) {
    EXPECT_EQ(referenced_ids(R"({"metadata":{"file_id":"x"}})"), Ids{});
    EXPECT_EQ(referenced_ids(R"({"prompt":{"variables":{"schema":{"file_id":"file-2"}}}})"), Ids{"file-2"});
}

TEST(tool_models, names_what_hosted_tools_use) {
    EXPECT_EQ(tool_models(R"({"tools":[{"type":"image_generation","model":"gpt-image-1"},{"type":"function"}]})"),
              Ids{"gpt-image-1"});
    EXPECT_EQ(tool_models(R"({"tools":{}})"), Ids{});
}

TEST(made_file_ids, finds_results_of_batches_jobs_and_uploads) {
    EXPECT_EQ(made_file_ids(R"({"id":"batch_1","input_file_id":"in","output_file_id":"out","error_file_id":"err"})"),
              (Ids{"out", "err"}));
    EXPECT_EQ(made_file_ids(R"({"id":"ftjob","result_files":["a","b"]})"), (Ids{"a", "b"}));
    EXPECT_EQ(made_file_ids(R"({"id":"upload_1","file":{"id":"file-9"}})"), Ids{"file-9"});
    EXPECT_EQ(made_file_ids(R"({"data":[{"output_file_id":"o1"},{"output_file_id":null}]})"), Ids{"o1"});
    EXPECT_EQ(made_file_ids("[]"), Ids{});
}

TEST(created_response_id, is_read_from_the_event) {
    EXPECT_EQ(created_response_id(R"({"type":"response.created","response":{"id":"resp_7"}})"), "resp_7");
    EXPECT_FALSE(created_response_id(R"({"type":"error"})").has_value());
    EXPECT_FALSE(created_response_id(R"({"response":{"id":"a b"}})").has_value());
}

} // namespace
} // namespace tollgate::api
