// Any completion, told as events and put together again, is the same completion.
#include "gateway/api/replay/json_text.hpp"
#include "tests/unit/replay/telling.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace tollgate::api::replay {
namespace {

class Maker {
  public:
    explicit Maker(unsigned seed) : random_(seed) {}

    std::string chat() {
        std::string choices;
        const int count = 1 + pick(3);
        for (int i = 0; i < count; ++i)
            choices += (i == 0 ? "" : ",") + std::string("{\"index\":") + std::to_string(i) +
                       ",\"message\":" + message() + logprobs() +
                       ",\"finish_reason\":" + of({"\"stop\"", "\"length\"", "\"tool_calls\"", "\"odd\""}) +
                       maybe(",\"stop_reason\":" + number()) + "}";
        return envelope("chatcmpl-", "chat.completion", choices);
    }
    std::string completion() {
        std::string choices;
        const int count = 1 + pick(3);
        for (int i = 0; i < count; ++i)
            choices += (i == 0 ? "" : ",") + std::string("{\"text\":") + text(400) + ",\"index\":" + std::to_string(i) +
                       legacy_logprobs() + ",\"finish_reason\":" + of({"\"stop\"", "\"length\""}) + "}";
        return envelope("cmpl-", "text_completion", choices);
    }
    int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  private:
    std::string envelope(const std::string& prefix, const std::string& object, const std::string& choices) {
        return "{\"id\":\"" + prefix + "x\",\"object\":\"" + object + "\",\"created\":1,\"model\":\"m\",\"choices\":[" +
               choices + "],\"usage\":{\"total_tokens\":" + number() + "}" + maybe(",\"service_tier\":\"flex\"") +
               maybe(",\"system_fingerprint\":\"fp\"") + maybe(",\"vendor\":{\"n\":" + number() + "}") + "}";
    }
    std::string message() {
        const int kind = pick(4);
        std::string out = R"({"role":"assistant","content":)";
        if (kind == 0)
            return out + "null,\"tool_calls\":[" + calls() + "]" + maybe(",\"reasoning\":\"so " + text(300).substr(1)) +
                   "}";
        if (kind == 1) return out + "null,\"refusal\":\"no " + text(300).substr(1) + "}";
        if (kind == 2) return out + "null,\"function_call\":{\"name\":\"f\",\"arguments\":" + text(300) + "}}";
        return out + text(900) + maybe(",\"refusal\":null") +
               maybe(",\"reasoning_content\":\"so " + text(300).substr(1)) +
               maybe(",\"annotations\":[{\"n\":" + number() + "},{}]") + maybe(",\"odd\":\"word\"") + "}";
    }
    std::string calls() {
        std::string out;
        const int count = 1 + pick(3);
        for (int i = 0; i < count; ++i) {
            if (i != 0) out += ',';
            out += "{\"id\":\"call_" + std::to_string(i) +
                   "\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":" + text(500) + "}" +
                   maybe(",\"extra\":[1,2]") + "}";
        }
        return out;
    }
    std::string logprobs() {
        const int kind = pick(4);
        if (kind == 0) return "";
        if (kind == 1) return ",\"logprobs\":null";
        std::string entries;
        for (int i = pick(40); i > 0; --i)
            entries += "{\"token\":" + text(6) + ",\"logprob\":" + number() + "}" + (i == 1 ? "" : ",");
        return kind == 2 ? ",\"logprobs\":{\"content\":[" + entries + "],\"refusal\":null}"
                         : ",\"logprobs\":{\"content\":null,\"refusal\":[" + entries + "]}";
    }
    std::string legacy_logprobs() {
        if (pick(2) == 0) return ",\"logprobs\":null";
        std::string tokens, numbers;
        for (int i = pick(30); i > 0; --i) {
            tokens += text(6) + (i == 1 ? "" : ",");
            numbers += number() + (i == 1 ? "" : ",");
        }
        return ",\"logprobs\":{\"tokens\":[" + tokens + "],\"token_logprobs\":[" + numbers + "],\"top_logprobs\":null}";
    }
    std::string text(int most) {
        std::string out = "\"";
        for (int i = pick(most); i > 0; --i)
            out += of({"a", " ", "\\n", "\\\"", "\\\\", "\\u0000", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                       "\\ud83d\\ude00"});
        return out + "\"";
    }
    std::string number() {
        return of({"0", "-1", "0.10", "1e-400", "123456789012345678901234567890", "-0.30000000000000004"});
    }
    std::string maybe(std::string text) { return pick(2) == 0 ? std::string() : text; }
    std::string of(std::initializer_list<const char*> choice) {
        return choice.begin()[static_cast<std::size_t>(pick(static_cast<int>(choice.size())))];
    }

    std::mt19937 random_;
};

// Members in one order, numbers and texts as written.
std::string canonical(const Value& value) {
    if (value.is_object()) {
        std::vector<std::string> members;
        const Members members_in_order = members_of(value).value_or(Members{});
        for (const Member& member : members_in_order)
            members.push_back(std::string(member.name) + ":" + canonical(member.value));
        std::ranges::sort(members);
        std::string out = "{";
        for (const std::string& member : members) out += member + ",";
        return out + "}";
    }
    if (!value.is_array()) return std::string(value.text);
    std::string out = "[";
    for (Elements elements(value); const auto element = elements.next();) out += canonical(*element) + ",";
    return out + "]";
}

void expect_round_trip(Dialect dialect, const std::string& answer, Maker& maker) {
    const auto stream = as_events(dialect, answer, kNow, true);
    ASSERT_TRUE(stream) << answer;
    const auto whole = assembled(dialect, *stream, static_cast<std::size_t>(1 + maker.pick(900)));
    ASSERT_TRUE(whole) << *stream;
    const auto expected = as_json(dialect, answer, kNow);
    EXPECT_EQ(canonical(*read_value(*whole)), canonical(*read_value(*expected)));
}

TEST(ReplayProperty, ChatSurvivesBothWays) {
    for (unsigned seed = 0; seed < 2000; ++seed) {
        Maker maker(seed);
        expect_round_trip(Dialect::chat, maker.chat(), maker);
        if (HasFailure()) FAIL() << "seed " << seed;
    }
}

TEST(ReplayProperty, CompletionsSurviveBothWays) {
    for (unsigned seed = 0; seed < 2000; ++seed) {
        Maker maker(seed);
        expect_round_trip(Dialect::completion, maker.completion(), maker);
        if (HasFailure()) FAIL() << "seed " << seed;
    }
}

} // namespace
} // namespace tollgate::api::replay
