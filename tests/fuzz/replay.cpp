// Every kept seed and crash file through its target, in every build. Bodies of the shared corpora join where they fit.
#include "tests/fuzz/fuzz.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>

namespace tollgate::fuzz {
namespace {

namespace fs = std::filesystem;

struct Target {
    std::string_view name;
    void (*run)(std::string_view);
    std::string_view corpus = {}; // folder of tests/corpus whose cases are inputs too
};

constexpr Target kTargets[] = {
    {"request_head", request_head, "requests"},
    {"response_head", response_head, "responses"},
    {"chunked_body", chunked_body},
    {"event_stream", event_stream, "responses"},
    {"json_request", json_request, "json"},
    {"json_answer", json_answer, "json"},
    {"cache_key", cache_key, "json"},
    {"cache_value", cache_value},
    {"redis_reply", redis_reply},
    {"config_text", config_text},
    {"ledger_record", ledger_record},
    {"multipart_body", multipart_body},
    {"route_target", route_target},
    {"stream_assembly", stream_assembly},
};
void PrintTo(const Target& target, std::ostream* out) {
    *out << target.name;
}

std::string content(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

// A case of tests/corpus: `key: value` lines, a line `--`, then the octets.
std::string octets_of(const fs::path& file) {
    std::string text = content(file);
    if (file.extension() != ".case") return text;
    const std::size_t line = text.starts_with("--\n") ? 0 : text.find("\n--\n");
    EXPECT_NE(line, std::string::npos) << file << " has no line `--`";
    return line == std::string::npos ? text : text.substr(line + (line == 0 ? 3 : 4));
}

std::vector<fs::path> files_in(const fs::path& folder) {
    std::vector<fs::path> out;
    if (!fs::exists(folder)) return out;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder))
        if (entry.is_regular_file()) out.push_back(entry.path());
    std::ranges::sort(out);
    return out;
}

class Replay : public testing::TestWithParam<Target> {};

TEST_P(Replay, Every_kept_input_holds) {
    const Target& target = GetParam();
    const fs::path root = TOLLGATE_SOURCE_DIR "/tests";
    std::vector<fs::path> files = files_in(root / "fuzz/seeds" / target.name);
    ASSERT_FALSE(files.empty()) << "no seeds for " << target.name;
    if (!target.corpus.empty()) {
        for (fs::path& file : files_in(root / "corpus" / target.corpus))
            if (file.extension() == ".case") files.push_back(std::move(file));
    }
    for (const fs::path& file : files) {
        SCOPED_TRACE(file.string());
        const std::string octets = octets_of(file);
        // In a block of exactly its size, so that AddressSanitizer sees one octet too many.
        const std::vector<char> exact(octets.begin(), octets.end());
        EXPECT_NO_THROW(target.run({exact.data(), exact.size()}));
    }
}

INSTANTIATE_TEST_SUITE_P(Fuzz, Replay, testing::ValuesIn(kTargets),
                         [](const auto& info) { return std::string(info.param.name); });

// The smallest inputs of all, which no seed file needs to hold.
TEST_P(Replay, Every_single_octet_holds) {
    EXPECT_NO_THROW(GetParam().run({}));
    for (int octet = 0; octet < 256; ++octet) {
        const char one = static_cast<char>(octet);
        EXPECT_NO_THROW(GetParam().run({&one, 1})) << octet;
    }
}

TEST(Pieces, Any_cut_keeps_the_octets) {
    std::string octets;
    for (int i = 0; i < 600; ++i) octets += static_cast<char>(i * 7);
    for (const Cut cut : {Cut::whole, Cut::single, Cut::own}) {
        std::string joined;
        for (const std::string_view piece : pieces(octets, cut)) {
            EXPECT_FALSE(piece.empty());
            joined += piece;
        }
        EXPECT_EQ(joined, octets);
    }
    EXPECT_EQ(pieces(octets, Cut::single).size(), octets.size());
    EXPECT_GT(pieces(octets, Cut::own).size(), 10U);
}

} // namespace
} // namespace tollgate::fuzz
