#include "gateway/admin/guard.hpp"

#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <sys/stat.h>

namespace tollgate::admin {
namespace {

const config::Endpoint kListener{"127.0.0.1", 9090};

int status_of(const Head& head) {
    const auto problem = check_head(head, kListener);
    return problem ? problem->status : 200;
}

Head from(std::string_view host) {
    return {.method = "GET", .host = host, .origin = {}, .authorization = {}, .content_type = {}};
}

TEST(Guard, only_names_of_this_machine_are_hosts) {
    for (const auto good : {"127.0.0.1:9090", "127.0.0.1", "localhost", "localhost:9090", "LOCALHOST:9090",
                            "[::1]:9090", "[::1]", "127.8.9.1:9090"})
        EXPECT_EQ(status_of(from(good)), 200) << good;
    for (const auto bad : {"", "evil.example", "evil.example:9090", "127.0.0.1.evil.example:9090",
                           "localhost.evil:9090", "127.0.0.1:9091", "127.0.0.1:", "127.0.0.1:x", "10.0.0.1:9090",
                           "[::1", "[fd00::1]:9090", "user@127.0.0.1", ":9090", "[]:9090"})
        EXPECT_EQ(status_of(from(bad)), 421) << bad;
    Head none = from("");
    none.host = std::nullopt;
    EXPECT_EQ(status_of(none), 421);
}

TEST(Guard, web_pages_and_bodies_of_forms_are_refused) {
    Head head = from("localhost");
    head.origin = "http://localhost:9090";
    EXPECT_EQ(status_of(head), 403) << "even one of this machine";
    head.origin = std::nullopt;
    head.has_body = true;
    EXPECT_EQ(status_of(head), 415);
    head.content_type = "text/plain";
    EXPECT_EQ(status_of(head), 415);
    head.content_type = "application/json; charset=utf-8";
    EXPECT_EQ(status_of(head), 200);
}

TEST(Guard, failures_are_throttled_and_the_bearer_is_not) {
    using std::chrono::seconds;
    TokenGuard guard{Secret("right")};
    const TimePoint start{seconds(1'000)};
    const auto status = [&](std::optional<std::string_view> sent, TimePoint now) {
        const auto problem = guard.check(sent, now);
        return problem ? problem->status : 200;
    };
    for (const auto bad : {"Bearer wrong", "Bearer", "Bearer ", "right", "Basic right", "Bearer right,", "Bearer righ"})
        EXPECT_EQ(status(bad, start), 401) << bad;
    for (int i = 7; i < 30; ++i) EXPECT_EQ(status(std::nullopt, start), 401);
    EXPECT_EQ(status("Bearer wrong", start), 429);
    EXPECT_EQ(guard.check("Bearer wrong", start + seconds(59))->retry_after, 1U);
    EXPECT_EQ(status("Bearer right", start), 200);
    EXPECT_EQ(status("bearer   right", start), 200);
    EXPECT_EQ(status("Bearer wrong", start + seconds(60)), 401);
}

TEST(Guard, the_token_is_made_once_and_only_for_its_owner) {
    const policy::TemporaryDirectory place;
    EXPECT_FALSE(load_token(place.path()).has_value());
    const auto made = load_or_make_token(place.path());
    ASSERT_TRUE(made.has_value()) << made.error();
    EXPECT_EQ(made->reveal().size(), 64U);
    EXPECT_EQ(load_token(place.path())->reveal(), made->reveal());
    EXPECT_EQ(load_or_make_token(place.path())->reveal(), made->reveal());
    const std::string file = place.path() + "/admin-token";
    struct stat status{};
    ASSERT_EQ(::stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777U, 0600U);
    ASSERT_EQ(::chmod(file.c_str(), 0640), 0);
    EXPECT_NE(load_or_make_token(place.path()).error().find("may be read"), std::string::npos);
    ASSERT_EQ(::chmod(file.c_str(), 0600), 0);
    std::ofstream(file) << "changeme\n";
    EXPECT_NE(load_or_make_token(place.path()).error().find("damaged"), std::string::npos);
}

} // namespace
} // namespace tollgate::admin
