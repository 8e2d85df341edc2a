#include "gateway/admin/routes.hpp"

#include <gtest/gtest.h>

namespace tollgate::admin {
namespace {

TEST(AdminRoutes, every_row_is_reached_by_its_own_method_only) {
    for (const Row& row : all_routes()) {
        std::string path(row.pattern);
        if (const auto open = path.find('{'); open != std::string::npos)
            path.replace(open, path.find('}') - open + 1, "a-b_c.1");
        const Match match = find_route(row.method, path);
        ASSERT_NE(match.row, nullptr) << path;
        EXPECT_EQ(match.row, &row);
        const Match other = find_route("TRACE", path);
        EXPECT_EQ(other.row, nullptr);
        EXPECT_NE(other.allow.find(row.method), std::string::npos);
        EXPECT_EQ(row.writes, row.method != "GET") << "a write that is not audited: " << path;
    }
}

TEST(AdminRoutes, names_are_plain) {
    EXPECT_EQ(find_route("GET", "/admin/v1/models/ft:gpt-4o/x*@y").name, "ft:gpt-4o/x*@y");
    EXPECT_EQ(find_route("POST", "/admin/v1/keys/rotate/rotate").name, "rotate");
    for (const auto path : {"/admin/v1", "/admin/v1/", "/admin/v1/keys/", "/admin/v1/keys/a/b", "/admin/v1/keys/a%20b",
                            "/admin/v1/teams/a:b", "/admin/v1/models/", "/admin/v2/keys", "/admin/v1/keys//rotate"}) {
        const Match match = find_route("GET", path);
        EXPECT_EQ(match.row, nullptr) << path;
    }
    EXPECT_EQ(find_route("GET", "/admin/v1/keys/" + std::string(129, 'a')).row, nullptr);
}

} // namespace
} // namespace tollgate::admin
