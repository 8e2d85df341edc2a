// Depth, counts and memory: rows 16, 28, 29 and 53-58 of reliability §3.
#include "gateway/api/request_view.hpp"

#include <chrono>
#include <cstdio>
#include <fstream>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tollgate::api {
namespace {

std::string repeat(std::string_view unit, std::size_t count) {
    std::string out;
    out.reserve(unit.size() * count);
    for (std::size_t i = 0; i < count; ++i) out += unit;
    return out;
}

// `count` copies of `unit` with commas between them.
std::string list(std::string_view unit, std::size_t count) {
    std::string out = repeat(std::string(unit) + ",", count);
    if (!out.empty()) out.pop_back();
    return out;
}

std::string verdict(std::string body, Operation operation = Operation::chat) {
    body.reserve(body.size() + RequestReader::padding());
    RequestReader reader;
    std::string seen;
    for (const auto parser : {RequestReader::Parser::dom, RequestReader::Parser::on_demand}) {
        const auto view = reader.read(body, operation, parser);
        const std::string word(view ? "ok" : view.error().code);
        if (!seen.empty()) EXPECT_EQ(word, seen) << body.substr(0, 100);
        seen = word;
    }
    return seen;
}

TEST(RequestVolume, rows_16_and_53_to_55_depth) {
    const auto arrays = [](std::size_t depth) { return "{\"x\":" + repeat("[", depth) + repeat("]", depth) + "}"; };
    const auto objects = [](std::size_t depth) { return repeat("{\"a\":", depth) + "1" + repeat("}", depth); };
    EXPECT_EQ(verdict(arrays(63)), "ok");
    EXPECT_EQ(verdict(objects(64)), "ok");
    for (const std::size_t depth : {65U, 1'024U, 1'025U, 100'000U}) {
        EXPECT_EQ(verdict(arrays(depth)), "too_deep") << depth;
        EXPECT_EQ(verdict(objects(depth)), "too_deep") << depth;
    }
    EXPECT_EQ(verdict(arrays(64)), "too_deep");
    EXPECT_EQ(verdict(repeat("[", 1'000'000)), "not_object");
    EXPECT_EQ(verdict("{\"x\":" + repeat("[", 1'000'000)), "too_deep");
}

TEST(RequestVolume, row_28_keys_per_object) {
    const auto keys = [](std::size_t count) {
        std::string out = "{\"x\":{";
        for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":0";
        return out + "}}";
    };
    EXPECT_EQ(verdict(keys(1'024)), "ok");
    EXPECT_EQ(verdict(keys(1'025)), "too_many_keys");
    EXPECT_EQ(verdict(keys(500'000)), "too_many_keys");
    EXPECT_EQ(verdict("{" + keys(1'024).substr(6, keys(1'024).size() - 7)), "ok") << "the root may have as many";
}

TEST(RequestVolume, values_per_body) {
    // The root and the array are values too.
    EXPECT_EQ(verdict("{\"x\":[" + list("0", 99'998) + "]}"), "ok");
    EXPECT_EQ(verdict("{\"x\":[" + list("0", 99'999) + "]}"), "too_many_values");
    EXPECT_EQ(verdict("{\"x\":[" + list("[]", 99'998) + "]}"), "ok");
    EXPECT_EQ(verdict("{\"x\":[" + list("{}", 99'999) + "]}"), "too_many_values");
    EXPECT_EQ(verdict("{\"x\":[" + list("[0]", 50'000) + "]}"), "too_many_values");
    for (const auto operation : {Operation::embeddings, Operation::text_completion}) {
        EXPECT_EQ(verdict("{\"x\":[" + list("0", 999'998) + "]}", operation), "ok");
        EXPECT_EQ(verdict("{\"x\":[" + list("0", 999'999) + "]}", operation), "too_many_values");
    }
}

TEST(RequestVolume, rows_56_and_58_elements) {
    EXPECT_EQ(verdict("{\"messages\":[" + list("{}", 4'096) + "]}"), "ok");
    EXPECT_EQ(verdict("{\"messages\":[" + list("{}", 4'097) + "]}"), "too_many_values");
    EXPECT_EQ(verdict("{\"tools\":[" + list("{}", 513) + "]}"), "too_many_values");
    EXPECT_EQ(verdict("{\"stop\":[" + list("\"a\"", 10'000) + "]}"), "too_many_values");
    EXPECT_EQ(verdict("{\"x\":[" + list("\"a\"", 10'000) + "]}"), "ok");
}

// The time of a hostile body is compared with that of a harmless one of the same size, so the machine cancels out.
TEST(RequestVolume, hostile_strings_and_keys_are_linear) {
    const auto seconds = [](std::string body) {
        body.reserve(body.size() + RequestReader::padding());
        RequestReader reader;
        double best = 1e9;
        for (int round = 0; round < 3; ++round) {
            const auto start = std::chrono::steady_clock::now();
            const auto view = reader.read(body, Operation::chat);
            best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
            EXPECT_TRUE(view) << body.substr(0, 60);
        }
        return best;
    };
    const auto text = [](std::string_view unit, std::size_t count) {
        return "{\"x\":\"" + repeat(unit, count) + "\"}";
    };
    const double small = seconds(text("\\n", 500'000));
    EXPECT_LT(seconds(text("\\n", 4'000'000)), 80 * small);
    EXPECT_LT(seconds(text("\\\"", 4'000'000)), 80 * small);
    EXPECT_LT(seconds(text("\\\\", 4'000'000)), 80 * small);
    const auto objects = [](std::size_t count) {
        std::string keys;
        for (int i = 0; i < 900; ++i) keys += (i == 0 ? "\"" : ",\"") + repeat("k", 200) + std::to_string(i) + "\":0";
        return "{\"x\":[" + list("{" + keys + "}", count) + "]}";
    };
    EXPECT_LT(seconds(objects(80)), 80 * seconds(objects(10)));
}

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer) && !__has_feature(memory_sanitizer)

std::size_t status_kib(std::string_view name) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with(name)) return std::stoul(line.substr(name.size() + 1));
    }
    return 0;
}

// Growth of the resident set while a body is read, in a process of its own so that nothing earlier hides it.
double growth_per_octet(const std::string& body, Operation operation) {
    int ends[2] = {};
    if (pipe(ends) != 0) return -1;
    const pid_t child = fork();
    if (child == 0) {
        const std::size_t before = status_kib("VmRSS");
        const bool good = RequestReader().read(body, operation).has_value();
        const std::size_t grown = good ? status_kib("VmHWM") - before : SIZE_MAX;
        const bool told = write(ends[1], &grown, sizeof grown) == sizeof grown;
        _exit(told ? 0 : 1);
    }
    std::size_t grown = SIZE_MAX;
    const bool heard = read(ends[0], &grown, sizeof grown) == sizeof grown;
    close(ends[0]);
    close(ends[1]);
    int status = 0;
    waitpid(child, &status, 0);
    if (!heard || grown == SIZE_MAX) return -1;
    return static_cast<double>(grown) * 1024 / static_cast<double>(body.size());
}

TEST(RequestVolume, row_19_large_embeddings_cost_at_most_five_times_their_size) {
    const auto padded = [](std::string body) {
        body.reserve(body.size() + RequestReader::padding());
        return body;
    };
    for (const std::string& body : {padded("{\"input\":[" + list("123456789", 999'000) + "]}"),
                                    padded("{\"input\":[" + list("\"abcdefg\"", 999'000) + "]}"),
                                    padded("{\"input\":[" + list("[[1,2]]", 199'000) + "," + list("0", 100'000) + "]}"),
                                    padded("{\"input\":\"" + repeat("a", 10'485'760) + "\"}")}) {
        const double factor = growth_per_octet(body, Operation::embeddings);
        EXPECT_GE(factor, 0) << body.substr(0, 60);
        EXPECT_LE(factor, 5) << body.substr(0, 60);
        std::printf("%zu octets: %.2f x\n", body.size(), factor);
    }
}

#endif

} // namespace
} // namespace tollgate::api
