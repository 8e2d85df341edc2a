#include "policy/directory.hpp"
#include "policy/store.hpp"

#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

namespace tollgate::policy {
namespace {

std::unique_ptr<Store> opened(const std::string& path, const Secret& master = {}) {
    auto store = Store::open(path, master);
    if (!store) throw std::runtime_error(store.error());
    return std::move(*store);
}

std::string refusal(const std::string& path) {
    const auto store = Store::open(path);
    return store ? "it opened" : store.error();
}

StoredKey key_of(const std::string& id) {
    return {.id = id, .team = "default", .sha256 = sha256_hex(id)};
}

unsigned mode_of(const std::string& file) {
    struct stat status{};
    return ::stat(file.c_str(), &status) == 0 ? status.st_mode & 07777U : 0;
}

TEST(Store, first_open_makes_a_private_directory) {
    const TemporaryDirectory place;
    const std::string path = place.path() + "/deep/down/data";
    const mode_t old = ::umask(0);
    const auto store = opened(path);
    ASSERT_TRUE(store->add_key(key_of("k_1")).has_value());
    ::umask(old);
    EXPECT_EQ(mode_of(path), 0700U);
    for (const char* const name : {"master.key", "lock", "tollgate.db", "tollgate.db-wal", "tollgate.db-shm"}) {
        EXPECT_EQ(mode_of(path + '/' + name), 0600U) << name;
    }
}

TEST(Store, trailing_slash_and_existing_directory_are_fine) {
    const TemporaryDirectory place;
    EXPECT_TRUE(Store::open(place.path() + "/data/").has_value());
    EXPECT_TRUE(Store::open(place.path() + "/data").has_value());
}

TEST(Store, reopening_finds_keys_owners_and_the_same_master) {
    const TemporaryDirectory place;
    std::string master;
    {
        const auto store = opened(place.path());
        master = store->master().reveal();
        ASSERT_TRUE(store->add_key(key_of("k_b")).has_value());
        ASSERT_TRUE(store->add_key(key_of("k_a")).has_value());
        ASSERT_TRUE(store->own("file-1", "files", "search", "openai").has_value());
    }
    const auto store = opened(place.path());
    EXPECT_EQ(store->master().reveal(), master);
    EXPECT_EQ(master.size(), 64U);
    const auto keys = store->keys();
    ASSERT_TRUE(keys.has_value()) << keys.error();
    ASSERT_EQ(keys->size(), 2U);
    EXPECT_EQ((*keys)[0].id, "k_b");
    EXPECT_EQ((*keys)[1].sha256, sha256_hex("k_a"));
    EXPECT_EQ((*keys)[1].team, "default");
    EXPECT_EQ(store->owner("file-1").value(), (Owner{.team = "search", .provider = "openai", .group = "files"}));
}

TEST(Store, given_master_is_used_and_no_file_is_made) {
    const TemporaryDirectory place;
    EXPECT_EQ(opened(place.path(), Secret("from the operator"))->master().reveal(), "from the operator");
    EXPECT_FALSE(std::filesystem::exists(place.path() + "/master.key"));
}

TEST(Store, two_stores_have_different_masters) {
    const TemporaryDirectory place;
    EXPECT_NE(opened(place.path() + "/a")->master().reveal(), opened(place.path() + "/b")->master().reveal());
}

TEST(Store, duplicate_key_id_or_hash_is_refused_and_changes_nothing) {
    const TemporaryDirectory place;
    const auto store = opened(place.path());
    ASSERT_TRUE(store->add_key(key_of("k_1")).has_value());
    const auto same_id = store->add_key({.id = "k_1", .team = "x", .sha256 = sha256_hex("other")});
    ASSERT_FALSE(same_id.has_value());
    EXPECT_NE(same_id.error().find("\"k_1\""), std::string::npos) << same_id.error();
    EXPECT_FALSE(store->add_key({.id = "k_2", .team = "x", .sha256 = sha256_hex("k_1")}).has_value());
    EXPECT_FALSE(store->add_key({.id = "", .team = "x", .sha256 = sha256_hex("y")}).has_value());
    EXPECT_FALSE(store->add_key({.id = "k_3", .team = "x", .sha256 = std::string(64, 'G')}).has_value());
    EXPECT_FALSE(store->add_key({.id = "k_3", .team = "x", .sha256 = ""}).has_value());
    EXPECT_EQ(store->keys().value().size(), 1U);
    EXPECT_TRUE(store->add_key(key_of("k_4")).has_value()) << "the store works after refusals";
}

TEST(Store, another_team_or_provider_cannot_take_an_object) {
    const TemporaryDirectory place;
    const auto store = opened(place.path());
    ASSERT_TRUE(store->own("file-1", "files", "search", "openai").has_value());
    EXPECT_TRUE(store->own("file-1", "files", "search", "openai").has_value());
    EXPECT_FALSE(store->own("file-1", "files", "ads", "openai").has_value());
    EXPECT_FALSE(store->own("file-1", "files", "search", "local").has_value());
    EXPECT_FALSE(store->own("", "files", "search", "openai").has_value());
    EXPECT_EQ(store->owner("file-1").value()->team, "search");
}

TEST(Store, forgotten_objects_have_no_owner_and_can_be_owned_anew) {
    const TemporaryDirectory place;
    const auto store = opened(place.path());
    ASSERT_TRUE(store->own("file-1", "files", "search", "openai").has_value());
    ASSERT_TRUE(store->forget("file-1").has_value());
    EXPECT_TRUE(store->forget("file-1").has_value());
    EXPECT_EQ(store->owner("file-1").value(), std::nullopt);
    EXPECT_TRUE(store->own("file-1", "files", "ads", "openai").has_value());
    EXPECT_EQ(store->owner("file-1").value()->team, "ads");
}

TEST(Store, owned_of_keeps_only_the_teams_objects) {
    const TemporaryDirectory place;
    const auto store = opened(place.path());
    ASSERT_TRUE(store->own("a", "files", "search", "openai").has_value());
    ASSERT_TRUE(store->own("b", "files", "ads", "openai").has_value());
    ASSERT_TRUE(store->own("c", "batches", "search", "openai").has_value());
    const std::vector<std::string> ids{"c", "b", "unknown", "a", "a", ""};
    EXPECT_EQ(store->owned_of(ids, "search").value(), (std::set<std::string, std::less<>>{"a", "c"}));
    EXPECT_TRUE(store->owned_of(ids, "nobody").value().empty());
    EXPECT_TRUE(store->owned_of({}, "search").value().empty());
}

TEST(Store, text_that_looks_like_sql_is_only_text) {
    const TemporaryDirectory place;
    const auto store = opened(place.path());
    const std::string hostile = "x'); DROP TABLE objects; --";
    ASSERT_TRUE(store->own(hostile, hostile, hostile, hostile).has_value());
    EXPECT_EQ(store->owner(hostile).value(), (Owner{.team = hostile, .provider = hostile, .group = hostile}));
    EXPECT_EQ(store->owner("' OR '1'='1").value(), std::nullopt);
    ASSERT_TRUE(store->own("empty", "", "", "").has_value());
    EXPECT_EQ(store->owner("empty").value(), Owner{});
}

TEST(Store, second_open_is_refused_and_names_the_process) {
    const TemporaryDirectory place;
    auto store = opened(place.path());
    const std::string error = refusal(place.path());
    EXPECT_NE(error.find("in use by process " + std::to_string(::getpid())), std::string::npos) << error;
    store.reset();
    EXPECT_TRUE(Store::open(place.path()).has_value()) << "the lock is gone with its holder";
}

TEST(Store, another_process_is_refused_until_the_holder_is_killed) {
    const TemporaryDirectory place;
    int ready[2];
    ASSERT_EQ(::pipe(ready), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto held = Store::open(place.path());
        const bool sound = held.has_value() && (*held)->add_key(key_of("k_child")).has_value();
        if (::write(ready[1], sound ? "+" : "-", 1) != 1) ::_exit(1);
        while (true) ::pause();
    }
    char answer = '?';
    ASSERT_EQ(::read(ready[0], &answer, 1), 1);
    EXPECT_EQ(answer, '+');
    const std::string error = refusal(place.path());
    EXPECT_NE(error.find("in use by process " + std::to_string(child) + ' '), std::string::npos) << error;
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ::close(ready[0]);
    ::close(ready[1]);
    const auto store = Store::open(place.path());
    ASSERT_TRUE(store.has_value()) << store.error();
    EXPECT_EQ((*store)->keys().value().size(), 1U) << "what was committed survives SIGKILL";
}

} // namespace
} // namespace tollgate::policy
