// The two promises of the key: a request written differently hits, a request that differs in anything misses.
#include "cache/key.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace tollgate::cache {
namespace {

std::string canonical(std::string_view body) {
    const auto text = canonical_json(body);
    return text ? *text : "error: " + text.error();
}

struct Parameter {
    std::string_view endpoint;
    std::string_view name;
    std::string_view one, other; // two values in JSON
};

// Every parameter of api-surface §6.1–6.4 marked K, B or C that the deny-list does not name. `model` is in the key's
// identity; `stream` and `store` are decided before the key is made.
constexpr Parameter kParameters[] = {
    {"chat", "messages", R"([{"role":"user","content":"a"}])", R"([{"role":"user","content":"b"}])"},
    {"chat", "temperature", "0", "0.1"},
    {"chat", "top_p", "1", "0.9"},
    {"chat", "n", "1", "2"},
    {"chat", "max_completion_tokens", "10", "11"},
    {"chat", "max_tokens", "10", "11"},
    {"chat", "stop", R"("a")", R"(["a"])"},
    {"chat", "frequency_penalty", "0", "0.5"},
    {"chat", "presence_penalty", "0", "-0.5"},
    {"chat", "logit_bias", R"({"50256":-100})", R"({"50256":-99})"},
    {"chat", "logprobs", "true", "false"},
    {"chat", "top_logprobs", "1", "2"},
    {"chat", "seed", "9007199254740992", "9007199254740993"},
    {"chat", "response_format", R"({"type":"text"})", R"({"type":"json_object"})"},
    {"chat", "tools", R"([{"type":"function","function":{"name":"a"}}])",
     R"([{"type":"function","function":{"name":"b"}}])"},
    {"chat", "tool_choice", R"("auto")", R"({"type":"function","function":{"name":"a"}})"},
    {"chat", "parallel_tool_calls", "true", "false"},
    {"chat", "functions", R"([{"name":"a"}])", R"([{"name":"b"}])"},
    {"chat", "function_call", R"("auto")", R"({"name":"a"})"},
    {"chat", "reasoning_effort", R"("low")", R"("high")"},
    {"chat", "verbosity", R"("low")", R"("high")"},
    {"chat", "modalities", R"(["text"])", R"(["text","audio"])"},
    {"chat", "audio", R"({"voice":"alloy","format":"wav"})", R"({"voice":"echo","format":"wav"})"},
    {"chat", "prediction", R"({"type":"content","content":"a"})", R"({"type":"content","content":"b"})"},
    {"chat", "web_search_options", "{}", R"({"search_context_size":"low"})"},
    {"chat", "moderation", "null", R"({"model":"m"})"},
    {"responses", "input", R"("a")", R"([{"role":"user","content":"a"}])"},
    {"responses", "instructions", R"("a")", R"("b")"},
    {"responses", "temperature", "1", "0"},
    {"responses", "top_p", "1", "0.5"},
    {"responses", "top_logprobs", "0", "1"},
    {"responses", "max_output_tokens", "16", "17"},
    {"responses", "max_tool_calls", "1", "2"},
    {"responses", "text", R"({"verbosity":"low"})", R"({"verbosity":"high"})"},
    {"responses", "reasoning", R"({"effort":"low"})", R"({"effort":"high"})"},
    {"responses", "tools", R"([{"type":"function","name":"a"}])", R"([{"type":"web_search"}])"},
    {"responses", "tool_choice", R"("auto")", R"("none")"},
    {"responses", "parallel_tool_calls", "true", "false"},
    {"responses", "truncation", R"("auto")", R"("disabled")"},
    {"responses", "include", R"(["reasoning.encrypted_content"])", R"(["message.output_text.logprobs"])"},
    {"responses", "context_management", R"([{"type":"compaction","compact_threshold":1}])", "[]"},
    {"responses", "prompt", R"({"id":"a"})", R"({"id":"b"})"},
    {"responses", "previous_response_id", R"("a")", R"("b")"},
    {"responses", "conversation", R"("a")", R"({"id":"a"})"},
    {"responses", "background", "true", "false"},
    {"responses", "moderation", "null", R"({"policy":"p"})"},
    {"responses", "access_programs", R"(["a"])", R"(["b"])"},
    {"responses", "image", R"({"size":"a"})", R"({"size":"b"})"},
    {"completions", "prompt", R"("ab")", R"(["a","b"])"},
    {"completions", "best_of", "1", "2"},
    {"completions", "echo", "true", "false"},
    {"completions", "frequency_penalty", "0", "1"},
    {"completions", "presence_penalty", "0", "1"},
    {"completions", "logit_bias", "{}", R"({"1":1})"},
    {"completions", "logprobs", "0", "5"},
    {"completions", "max_tokens", "16", "17"},
    {"completions", "n", "1", "2"},
    {"completions", "seed", "1", "2"},
    {"completions", "stop", R"(["a","b"])", R"(["b","a"])"},
    {"completions", "suffix", R"("a")", R"("")"},
    {"completions", "temperature", "0", "1"},
    {"completions", "top_p", "0.1", "0.2"},
    {"embeddings", "input", "[1,2]", "[[1,2]]"},
    {"embeddings", "dimensions", "256", "512"},
    {"embeddings", "encoding_format", R"("float")", R"("base64")"},
    {"any", "a_parameter_of_next_year", "1", "2"},
};

TEST(KeyProperty, A_changed_added_or_removed_parameter_misses) {
    for (const Parameter& parameter : kParameters) {
        const std::string name = "\"" + std::string(parameter.name) + "\":";
        const std::string absent = canonical(R"({"zz_other":true})");
        const std::string one = canonical("{" + name + std::string(parameter.one) + R"(,"zz_other":true})");
        const std::string other = canonical(R"({"zz_other":true,)" + name + std::string(parameter.other) + "}");
        EXPECT_EQ(one.front(), '{') << one;
        EXPECT_EQ(other.front(), '{') << other;
        EXPECT_NE(one, other) << parameter.endpoint << ' ' << parameter.name;
        // Absent is not the default: providers change defaults per model.
        EXPECT_NE(one, absent) << parameter.endpoint << ' ' << parameter.name;
        EXPECT_NE(other, absent) << parameter.endpoint << ' ' << parameter.name;
    }
}

// A JSON value and the many ways to write it.
struct Value {
    enum class Kind { null, boolean, integer, tenths, big, string, array, object } kind = Kind::null;
    std::int64_t number = 0;
    std::u32string text;
    std::vector<Value> elements;
    std::vector<Value> members;
    std::u32string name; // of a member
};

class Generator {
  public:
    explicit Generator(unsigned seed) : random_(seed) {}

    Value object(int depth) {
        Value value;
        value.kind = Value::Kind::object;
        std::map<std::u32string, Value> unique;
        for (std::size_t i = below(6); i > 0; --i) unique[U"k" + text()] = any(depth - 1);
        for (const auto& [name, member] : unique) value.members.push_back(named(name, member));
        return value;
    }

    // The same value, with white space, order, escapes and number spelling by chance.
    std::string write(const Value& value) {
        switch (value.kind) {
        case Value::Kind::null: return space() + "null" + space();
        case Value::Kind::boolean: return space() + (value.number != 0 ? "true" : "false") + space();
        case Value::Kind::integer: return space() + integer(value.number) + space();
        case Value::Kind::tenths: return space() + tenths(value.number) + space();
        case Value::Kind::big: return space() + std::to_string(value.number) + space();
        case Value::Kind::string: return space() + string(value.text) + space();
        case Value::Kind::array: return list(value);
        case Value::Kind::object: return shuffled(value);
        }
        return {};
    }

    // Another value: one leaf, member or element changed.
    void mutate(Value& value) {
        if (!value.members.empty()) {
            if (below(4) == 0) {
                value.members.pop_back();
            } else {
                mutate(value.members[below(value.members.size())]);
            }
        } else if (!value.elements.empty() && below(4) != 0) {
            mutate(value.elements[below(value.elements.size())]);
        } else {
            change(value);
        }
    }

  private:
    std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

    static Value named(const std::u32string& name, Value value) {
        value.name = name;
        return value;
    }

    static void change(Value& value) {
        switch (value.kind) {
        case Value::Kind::null: value.kind = Value::Kind::boolean; break;
        case Value::Kind::boolean: value.number = 1 - value.number; break;
        case Value::Kind::integer:
        case Value::Kind::big: value.number += 1; break;
        case Value::Kind::tenths: value.number += 10; break;
        case Value::Kind::string: value.text += U' '; break;
        case Value::Kind::array: value.elements.emplace_back(); break;
        case Value::Kind::object: value.members.push_back(named(U"new", {})); break;
        }
    }

    std::u32string text() {
        static constexpr std::u32string_view kAlphabet = U"abz \"\\/\b\f\n\r\t\x01\x1f\x7fé€\u2028\uFB33\uE000😀𝄞";
        std::u32string out;
        for (std::size_t i = below(6); i > 0; --i) out += kAlphabet[below(kAlphabet.size())];
        return out;
    }

    Value any(int depth) {
        Value value;
        const std::size_t kind = below(depth > 0 ? 8 : 6);
        value.kind = static_cast<Value::Kind>(kind);
        switch (value.kind) {
        case Value::Kind::null: break;
        case Value::Kind::boolean: value.number = static_cast<std::int64_t>(below(2)); break;
        case Value::Kind::integer: value.number = static_cast<std::int64_t>(below(2'000'000)) - 1'000'000; break;
        case Value::Kind::tenths: value.number = static_cast<std::int64_t>(below(20'000)) * 10 + 1; break;
        case Value::Kind::big: value.number = static_cast<std::int64_t>((1ULL << 53) + below(1'000'000)); break;
        case Value::Kind::string: value.text = text(); break;
        case Value::Kind::array:
            for (std::size_t i = below(5); i > 0; --i) value.elements.push_back(any(depth - 1));
            break;
        case Value::Kind::object: return object(depth);
        }
        return value;
    }

    std::string space() {
        static constexpr std::string_view kSpaces[] = {"", "", " ", "\n", "\t", "\r\n  "};
        return std::string(kSpaces[below(std::size(kSpaces))]);
    }

    std::string integer(std::int64_t n) {
        const std::string plain = std::to_string(n);
        switch (below(5)) {
        case 0: return plain + ".0";
        case 1: return plain + "e0";
        case 2: return plain + ".000E+00";
        case 3: return plain + "0e-1";
        default: return plain;
        }
    }

    // n / 10; n ends in 1, so no spelling drops the last digit.
    std::string tenths(std::int64_t n) {
        const std::string plain = std::to_string(n / 10) + "." + std::to_string(n % 10);
        switch (below(3)) {
        case 0: return plain + "00";
        case 1: return std::to_string(n) + "e-1";
        default: return plain;
        }
    }

    static std::string hex_escape(unsigned unit, bool upper) {
        char out[8];
        std::snprintf(out, sizeof(out), upper ? "\\u%04X" : "\\u%04x", unit);
        return out;
    }

    static std::string utf8(char32_t c) {
        std::string out;
        const auto tail = [&](unsigned shift) { out += static_cast<char>(0x80U | ((c >> shift) & 0x3FU)); };
        if (c < 0x80) {
            out += static_cast<char>(c);
        } else if (c < 0x800) {
            out += static_cast<char>(0xC0U | (c >> 6));
            tail(0);
        } else if (c < 0x10000) {
            out += static_cast<char>(0xE0U | (c >> 12));
            tail(6), tail(0);
        } else {
            out += static_cast<char>(0xF0U | (c >> 18));
            tail(12), tail(6), tail(0);
        }
        return out;
    }

    std::string string(const std::u32string& text) {
        std::string out = "\"";
        for (const char32_t c : text) {
            const bool must = c < 0x20 || c == U'"' || c == U'\\';
            const bool upper = below(2) == 0;
            if (c == U'\n' && below(2) == 0) {
                out += "\\n";
            } else if ((c == U'"' || c == U'\\' || c == U'/') && below(2) == 0) {
                out += std::string("\\") + static_cast<char>(c);
            } else if (!must && below(2) == 0) {
                out += utf8(c);
            } else if (c < 0x10000) {
                out += hex_escape(c, upper);
            } else {
                out += hex_escape(0xD800U + ((c - 0x10000U) >> 10), upper);
                out += hex_escape(0xDC00U + ((c - 0x10000U) & 0x3FFU), !upper);
            }
        }
        return out + "\"";
    }

    std::string list(const Value& value) {
        std::string out;
        for (const Value& element : value.elements) out += (out.empty() ? "" : ",") + write(element);
        return space() + "[" + space() + out + "]" + space();
    }

    std::string shuffled(const Value& value) {
        std::vector<std::string> members;
        for (const Value& member : value.members) {
            members.push_back(space() + string(member.name) + space() + ":" + write(member));
        }
        std::ranges::shuffle(members, random_);
        std::string out;
        for (const std::string& member : members) out += (out.empty() ? "" : ",") + member;
        return space() + "{" + space() + out + "}" + space();
    }

    std::mt19937 random_;
};

TEST(KeyProperty, The_same_value_written_differently_hits) {
    for (unsigned seed = 0; seed < 1'000; ++seed) {
        Generator generator(seed);
        const Value value = generator.object(4);
        const std::string first = generator.write(value);
        const std::string expected = canonical(first);
        ASSERT_EQ(expected.front(), '{') << first << '\n' << expected;
        for (int i = 0; i < 5; ++i) {
            const std::string again = generator.write(value);
            ASSERT_EQ(canonical(again), expected) << "seed " << seed << '\n' << first << '\n' << again;
        }
        ASSERT_EQ(canonical(expected), expected) << "seed " << seed;
    }
}

TEST(KeyProperty, Another_value_misses) {
    for (unsigned seed = 0; seed < 1'000; ++seed) {
        Generator generator(seed);
        const Value value = generator.object(4);
        Value other = value;
        generator.mutate(other);
        const std::string first = generator.write(value);
        const std::string second = generator.write(other);
        ASSERT_NE(canonical(first), canonical(second)) << "seed " << seed << '\n' << first << '\n' << second;
    }
}

} // namespace
} // namespace tollgate::cache
