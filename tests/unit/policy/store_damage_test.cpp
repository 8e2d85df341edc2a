#include "policy/directory.hpp"
#include "policy/store.hpp"

#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sqlite3.h>
#include <string>
#include <sys/stat.h>

namespace tollgate::policy {
namespace {

std::string contents(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

void write_file(const std::string& file, const std::string& text, unsigned mode = 0600) {
    std::ofstream(file, std::ios::binary) << text;
    std::filesystem::permissions(file, std::filesystem::perms(mode));
}

// A store with data that was closed properly: everything is in tollgate.db.
void fill(const std::string& path) {
    const auto store = Store::open(path);
    if (!store) throw std::runtime_error(store.error());
    for (int i = 0; i < 2'000; ++i) {
        const std::string id = "k_" + std::to_string(i);
        const auto done = i % 100 == 0 ? (*store)->add_key({.id = id, .team = "t", .sha256 = sha256_hex(id)})
                                       : (*store)->own("file-" + id, "files", "search", "openai");
        if (!done) throw std::runtime_error(done.error());
        if (i == 200) break;
    }
}

std::string refusal(const std::string& path) {
    const auto store = Store::open(path);
    return store ? "it opened" : store.error();
}

TEST(StoreDamage, foreign_bytes_are_refused_and_kept) {
    const TemporaryDirectory place;
    const std::string file = place.path() + "/tollgate.db";
    const std::string garbage(8'192, 'g');
    write_file(file, garbage);
    const std::string error = refusal(place.path());
    EXPECT_NE(error.find(file), std::string::npos) << error;
    EXPECT_NE(error.find("not a database"), std::string::npos) << error;
    EXPECT_EQ(contents(file), garbage);
}

TEST(StoreDamage, overwritten_pages_are_refused_and_kept) {
    const TemporaryDirectory place;
    fill(place.path());
    const std::string file = place.path() + "/tollgate.db";
    std::string bytes = contents(file);
    ASSERT_GT(bytes.size(), 3 * 4'096U);
    bytes.replace(4'096, bytes.size() - 4'096, bytes.size() - 4'096, '\x5A');
    write_file(file, bytes);
    const std::string error = refusal(place.path());
    EXPECT_NE(error.find("cannot be used"), std::string::npos) << error;
    EXPECT_EQ(contents(file), bytes);
}

TEST(StoreDamage, truncated_database_is_refused_and_kept) {
    const TemporaryDirectory place;
    fill(place.path());
    const std::string file = place.path() + "/tollgate.db";
    const std::string bytes = contents(file).substr(0, 2 * 4'096 + 100);
    write_file(file, bytes);
    const std::string error = refusal(place.path());
    EXPECT_NE(error.find("cannot be used"), std::string::npos) << error;
    EXPECT_EQ(contents(file), bytes);
}

TEST(StoreDamage, newer_schema_is_refused) {
    const TemporaryDirectory place;
    fill(place.path());
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open((place.path() + "/tollgate.db").c_str(), &raw), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(raw, "PRAGMA user_version=7", nullptr, nullptr, nullptr), SQLITE_OK);
    sqlite3_close(raw);
    const std::string error = refusal(place.path());
    EXPECT_NE(error.find("schema version is 7"), std::string::npos) << error;
}

TEST(StoreDamage, refused_store_lets_go_of_the_lock) {
    const TemporaryDirectory place;
    write_file(place.path() + "/tollgate.db", std::string(8'192, 'g'));
    EXPECT_NE(refusal(place.path()).find("not a database"), std::string::npos);
    std::filesystem::remove(place.path() + "/tollgate.db");
    EXPECT_TRUE(Store::open(place.path()).has_value());
}

TEST(StoreMasterKey, readable_by_others_is_refused_with_the_remedy) {
    for (const unsigned mode : {0640U, 0604U, 0620U, 0660U, 0644U}) {
        const TemporaryDirectory place;
        const std::string file = place.path() + "/master.key";
        write_file(file, std::string(64, 'a') + '\n', mode);
        const std::string error = refusal(place.path());
        EXPECT_NE(error.find("chmod 600 " + file), std::string::npos) << error;
        std::filesystem::permissions(file, std::filesystem::perms(0400));
        const auto store = Store::open(place.path());
        ASSERT_TRUE(store.has_value()) << store.error();
        EXPECT_EQ((*store)->master().reveal(), std::string(64, 'a'));
    }
}

TEST(StoreMasterKey, damaged_key_is_refused_never_replaced_and_never_shown) {
    const std::string cases[] = {"",
                                 "\n",
                                 std::string(63, 'a') + '\n',
                                 std::string(65, 'a'),
                                 std::string(63, 'a') + "g\n",
                                 std::string(64, 'a') + "\n\n",
                                 std::string(10'000, 'b')};
    for (const std::string& text : cases) {
        const TemporaryDirectory place;
        const std::string file = place.path() + "/master.key";
        write_file(file, text);
        const std::string error = refusal(place.path());
        EXPECT_NE(error.find("is damaged"), std::string::npos) << error;
        EXPECT_EQ(error.find("aaaa"), std::string::npos) << error;
        EXPECT_EQ(contents(file), text);
    }
}

TEST(StoreMasterKey, symbolic_links_and_directories_are_refused) {
    const TemporaryDirectory place;
    write_file(place.path() + "/elsewhere", std::string(64, 'a'));
    std::filesystem::create_directory(place.path() + "/data");
    std::filesystem::create_symlink(place.path() + "/elsewhere", place.path() + "/data/master.key");
    EXPECT_NE(refusal(place.path() + "/data").find("cannot open"), std::string::npos);
    std::filesystem::remove(place.path() + "/data/master.key");
    std::filesystem::create_directory(place.path() + "/data/master.key");
    EXPECT_NE(refusal(place.path() + "/data").find("not a regular file"), std::string::npos);
}

TEST(StoreMasterKey, half_written_key_of_a_crash_is_replaced_by_a_whole_one) {
    const TemporaryDirectory place;
    write_file(place.path() + "/master.key.new", "half", 0644);
    const auto store = Store::open(place.path());
    ASSERT_TRUE(store.has_value()) << store.error();
    EXPECT_EQ(contents(place.path() + "/master.key"), std::string((*store)->master().reveal()) + '\n');
    EXPECT_FALSE(std::filesystem::exists(place.path() + "/master.key.new"));
}

TEST(StoreDirectory, a_file_in_its_place_is_an_error) {
    const TemporaryDirectory place;
    write_file(place.path() + "/data", "x");
    EXPECT_NE(refusal(place.path() + "/data").find("cannot create the store directory"), std::string::npos);
}

} // namespace
} // namespace tollgate::policy
