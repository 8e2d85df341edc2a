#include "tests/unit/http/catalogue.hpp"

#include "gateway/base/text.hpp"
#include "tests/unit/http/conversation.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace tollgate::test {
namespace {

class Catalogue : public testing::TestWithParam<Case> {
  protected:
    static void expect_outcome(const Case& entry, const Conversation& got) {
        switch (entry.must) {
        case Must::refuse:
            EXPECT_THAT(entry.statuses, testing::Contains(got.refused)) << got;
            EXPECT_TRUE(got.messages.empty()) << got;
            return;
        case Must::incomplete: EXPECT_TRUE(got.incomplete && got.refused == 0 && got.messages.empty()) << got; return;
        case Must::accept:
            EXPECT_TRUE(got.refused == 0 && !got.incomplete) << got;
            ASSERT_EQ(got.messages.size(), entry.messages) << got;
            if (entry.body) EXPECT_EQ(visible(got.messages.front().body), visible(*entry.body));
            return;
        }
    }
};

TEST_P(Catalogue, any_segmentation_hasTheRequiredOutcome) {
    const Case& entry = GetParam();
    const std::array<std::pair<std::string_view, Segments>, 3> segmentations{
        {{"whole", whole(entry.octets)},
         {"split at CR", split_crlf(entry.octets)},
         {"octet by octet", octet_by_octet(entry.octets)}}};
    for (const auto& [name, segments] : segmentations) {
        SCOPED_TRACE(name);
        expect_outcome(entry, converse(segments));
    }
}

INSTANTIATE_TEST_SUITE_P(Section23, Catalogue, testing::ValuesIn(all_cases()),
                         [](const auto& parameter) { return "case_" + parameter.param.name; });

TEST(CatalogueTable, holdsEveryNumber) {
    std::set<int> numbers;
    for (const Case& entry : all_cases()) numbers.insert(entry.number());
    EXPECT_EQ(numbers.size(), 222U);
    EXPECT_EQ(*numbers.begin(), 1);
    EXPECT_EQ(*numbers.rbegin(), 222);
}

std::optional<std::string> value_of(const Message& message, std::string_view name) {
    for (const auto& [n, value] : message.fields)
        if (iequals(n, name)) return value;
    return std::nullopt;
}

Message first_of(const std::string& name) {
    return converse(whole(case_named(name).octets)).messages.at(0);
}

// "drop": a name with an underscore never stands for the one with a hyphen.
TEST(CatalogueDrops, underscoreNames_areNotTheFieldsTheyResemble) {
    EXPECT_EQ(value_of(first_of("029"), "transfer-encoding"), std::nullopt);
    EXPECT_EQ(value_of(first_of("165"), "x-api-key"), std::nullopt);
    EXPECT_EQ(value_of(first_of("196"), "content-length"), "35");
}

// B4: nothing of a trailer reaches the head, and none of them ends the connection.
TEST(CatalogueTrailers, acceptedTrailers_changeNothing) {
    static constexpr std::string_view kNext = "GET /next HTTP/1.1\r\nHost: s\r\n\r\n";
    for (const Case& entry : all_cases()) {
        if (entry.number() < 90 || entry.number() > 98 || entry.must != Must::accept) continue;
        const Conversation got = converse(whole(entry.octets + std::string(kNext)));
        ASSERT_EQ(got.messages.size(), 2U) << entry.name << ": " << got;
        EXPECT_EQ(got.messages[0].fields.size(), 4U) << entry.name << ": " << got;
        EXPECT_EQ(value_of(got.messages[0], "host"), "a") << entry.name;
        EXPECT_TRUE(got.messages[0].keep_alive) << entry.name;
    }
}

TEST(CatalogueConnections, keepAlive_followsVersionAndConnection) {
    for (const char* name : {"173", "181", "183", "184", "199", "217"}) EXPECT_FALSE(first_of(name).keep_alive) << name;
    for (const char* name : {"104", "180", "182", "215", "216"}) EXPECT_TRUE(first_of(name).keep_alive) << name;
}

// Flips, inserts, deletes and doubles octets of sound messages. Garbage that trickles in may be refused before its line
// is complete; what is accepted never depends on how the octets were cut.
TEST(Segmentation, mutatedMessages_giveTheSameMessagesInEveryCut) {
    std::mt19937 random(20240607);
    std::vector<std::string> seeds;
    for (const Case& entry : all_cases())
        if (entry.octets.size() < 400) seeds.push_back(entry.octets);
    static constexpr std::string_view kSpice{"\r\n\t :;,0\x00\x7f\xff\"aF", 14};
    for (int round = 0; round < 3000; ++round) {
        std::string octets = seeds[random() % seeds.size()] + seeds[random() % seeds.size()];
        for (unsigned i = random() % 4; i > 0; --i) {
            const std::size_t at = random() % octets.size();
            const char spice = kSpice[random() % kSpice.size()];
            switch (random() % 4) {
            case 0: octets[at] = spice; break;
            case 1: octets.insert(at, 1, spice); break;
            case 2: octets.erase(at, 1); break;
            default: octets.insert(at, octets.substr(at, 1 + random() % 8)); break;
            }
        }
        const Conversation first = converse(whole(octets));
        for (const Segments& segments : {octet_by_octet(octets), split_crlf(octets), split_randomly(octets, random)}) {
            const Conversation other = converse(segments);
            ASSERT_EQ(first.messages, other.messages)
                << visible(octets, 2000) << "\nwhole: " << first << "\ncut: " << other;
            const bool ended = first.incomplete || first.refused != 0;
            const bool same_end = first.refused == other.refused || (ended && other.refused == 400);
            ASSERT_TRUE(same_end) << visible(octets, 2000) << "\nwhole: " << first << "\ncut: " << other;
        }
    }
}

} // namespace
} // namespace tollgate::test
