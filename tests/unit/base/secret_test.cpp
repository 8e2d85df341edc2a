#include "gateway/base/secret.hpp"

#include <fmt/format.h>
#include <fmt/ostream.h>
#include <gtest/gtest.h>

#include <concepts>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>

namespace tollgate {
namespace {

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) { out << value; };

// R25: what does not compile cannot leak. The same checks hold for a string, so they can fail.
static_assert(Streamable<std::string> && !Streamable<Secret>);
static_assert(fmt::is_formattable<std::string>::value && !fmt::is_formattable<Secret>::value);
static_assert(std::equality_comparable<std::string> && !std::equality_comparable<Secret>);
static_assert(!std::equality_comparable_with<Secret, std::string_view>);
static_assert(std::is_convertible_v<std::string, std::string_view> && !std::is_convertible_v<Secret, std::string_view>);
static_assert(!std::is_convertible_v<Secret, std::string> && !std::is_convertible_v<Secret, const char*>);
static_assert(!std::is_convertible_v<Secret, bool>);
static_assert(!std::is_convertible_v<std::string, Secret>, "a secret is made on purpose");

TEST(Secret, reveals_exactly_the_octets_it_was_given) {
    const std::string octets("a\0b", 3);
    EXPECT_EQ(Secret(octets).reveal(), octets);
    EXPECT_FALSE(Secret(octets).empty());
}

TEST(Secret, default_and_empty_text_are_empty) {
    EXPECT_TRUE(Secret().empty());
    EXPECT_TRUE(Secret("").empty());
    EXPECT_EQ(Secret().reveal(), "");
    EXPECT_EQ(Secret("").reveal(), "");
}

TEST(Secret, copies_share_one_buffer_that_outlives_the_first) {
    Secret copy;
    const char* where = nullptr;
    {
        const Secret first(std::string(100, 's'));
        where = first.reveal().data();
        copy = first;
    }
    EXPECT_EQ(copy.reveal().data(), where);
    EXPECT_EQ(copy.reveal(), std::string(100, 's'));
}

TEST(Secret, its_own_copy_does_not_follow_the_source) {
    std::string source = "original";
    const Secret secret(source);
    source = "changed!";
    EXPECT_EQ(secret.reveal(), "original");
}

} // namespace
} // namespace tollgate
