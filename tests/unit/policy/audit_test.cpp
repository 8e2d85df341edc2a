#include "policy/audit.hpp"

#include "policy/directory.hpp"
#include "policy/store.hpp"
#include "tests/unit/policy/temporary_directory.hpp"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <chrono>
#include <memory>
#include <stdexcept>

namespace tollgate::policy {
namespace {

constexpr WallTime kNow{std::chrono::seconds(1'790'000'000)};
const Secret kMaster("a master secret of the tests");

AuditEvent event(const std::string& action) {
    return {.actor = "cli",
            .address = {},
            .action = action,
            .kind = "key",
            .name = "k_1",
            .outcome = "ok",
            .reason = {},
            .config_hash = "abc"};
}

std::unique_ptr<Store> opened(const std::string& path) {
    auto store = Store::open(path, kMaster);
    if (!store) throw std::runtime_error(store.error());
    return std::move(*store);
}

void run_sql(const std::string& path, const char* sql) {
    sqlite3* raw = nullptr;
    ASSERT_EQ(sqlite3_open((path + "/tollgate.db").c_str(), &raw), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(raw, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(raw);
    sqlite3_close(raw);
}

StoredKey key_of(const std::string& id) {
    return {.id = id, .team = "default", .sha256 = sha256_hex(id)};
}

// Five entries: a key made, edited, deleted, and two that change nothing.
void fill(const std::string& path) {
    const auto store = opened(path);
    StoredKey key = key_of("k_1");
    ASSERT_TRUE(store->apply({.add_key = key}, event("key.create"), kNow).has_value());
    key.disabled = true;
    ASSERT_TRUE(store->apply({.edit_key = key}, event("key.disable"), kNow).has_value());
    ASSERT_TRUE(store->apply({.delete_key = "k_1"}, event("key.delete"), kNow).has_value());
    ASSERT_TRUE(store->apply({}, event("key.update"), kNow).has_value());
    ASSERT_TRUE(store->apply({}, event("key.update"), kNow).has_value());
}

std::string first_problem(const std::string& path, const Secret& master = kMaster) {
    const auto check = verify_audit(path, master);
    if (!check) return "unreadable: " + check.error();
    return check->problems().empty() ? "" : check->problems().front();
}

TEST(Audit, what_was_written_verifies_also_beside_its_writer) {
    const TemporaryDirectory place;
    EXPECT_TRUE(opened(place.path())->audit(0, 10).value().empty());
    EXPECT_EQ(first_problem(place.path()), "");
    fill(place.path());
    const auto writer = opened(place.path());
    EXPECT_EQ(first_problem(place.path()), "");
    EXPECT_EQ(verify_audit(place.path(), kMaster)->entries(), 5);
    const auto latest = writer->audit(0, 2).value();
    ASSERT_EQ(latest.size(), 2U);
    EXPECT_EQ(latest[0].number, 5);
    EXPECT_EQ(writer->audit(latest[1].number, 10).value().size(), 3U);
    EXPECT_EQ(latest[1].record, R"({"id":4,"ts":"2026-09-21T14:13:20Z","actor":{"type":"cli"},)"
                                R"("action":"key.update","target":{"type":"key","id":"k_1"},"outcome":"ok",)"
                                R"("diff":[],"config_hash":"abc"})");
}

TEST(Audit, every_kind_of_tampering_is_found) {
    const struct {
        const char* sql;
        const char* says;
    } cases[] = {
        {"UPDATE audit SET record = replace(record, 'key.disable', 'key.enable') WHERE number = 2", "entry 2 is not"},
        {"DELETE FROM audit WHERE number = 3", "entry 4 follows entry 2"},
        {"DELETE FROM audit WHERE number = 1", "entry 2 follows entry 0"},
        {"DELETE FROM audit WHERE number > 3", "ends with entry 3, its head is of entry 5"},
        {"DELETE FROM audit", "ends with entry 0"},
        {"DELETE FROM audit WHERE number > 3; UPDATE audit_head SET number = 3", "ends with entry 3"},
        {"DELETE FROM audit_head", "its head is of entry 0"},
        {"UPDATE audit SET number = 9 WHERE number = 5; UPDATE audit SET number = 5 WHERE number = 4; "
         "UPDATE audit SET number = 4 WHERE number = 9",
         "entry 4 is not"},
        {"INSERT INTO audit SELECT 6, record, hash FROM audit WHERE number = 5", "entry 6 is not"},
    };
    for (const auto& one : cases) {
        const TemporaryDirectory place;
        fill(place.path());
        run_sql(place.path(), one.sql);
        EXPECT_NE(first_problem(place.path()).find(one.says), std::string::npos)
            << one.sql << ": " << first_problem(place.path());
    }
}

TEST(Audit, another_master_secret_verifies_nothing) {
    const TemporaryDirectory place;
    fill(place.path());
    EXPECT_NE(first_problem(place.path(), Secret("another secret")), "");
}

TEST(Audit, a_change_that_fails_leaves_neither_itself_nor_an_entry) {
    const TemporaryDirectory place;
    const auto store = opened(place.path());
    ASSERT_TRUE(store->apply({.add_key = key_of("k_1")}, event("key.create"), kNow).has_value());
    EXPECT_FALSE(store->apply({.add_key = key_of("k_1")}, event("key.create"), kNow).has_value());
    EXPECT_FALSE(store->apply({.edit_key = key_of("k_2")}, event("key.update"), kNow).has_value());
    EXPECT_FALSE(store->apply({.delete_key = "k_2"}, event("key.delete"), kNow).has_value());
    EXPECT_EQ(store->audit(0, 10).value().size(), 1U);
    EXPECT_EQ(store->keys().value().size(), 1U);
}

TEST(Audit, overrides_are_replaced_and_an_empty_one_is_gone) {
    const TemporaryDirectory place;
    const auto store = opened(place.path());
    const auto set = [&](const std::string& settings) {
        return store->apply({.set_override = Override{"team", "red", settings}}, event("team.update"), kNow);
    };
    ASSERT_TRUE(set(R"({"limits":{"rpm":5}})").has_value());
    ASSERT_TRUE(set(R"({"limits":{"rpm":6}})").has_value());
    ASSERT_EQ(store->overrides().value().size(), 1U);
    EXPECT_EQ(store->overrides().value().front().settings, R"({"limits":{"rpm":6}})");
    ASSERT_TRUE(set("{}").has_value());
    EXPECT_TRUE(store->overrides().value().empty());
}

TEST(Audit, a_store_of_the_first_version_is_brought_up_to_date_with_its_keys) {
    const TemporaryDirectory place;
    opened(place.path()).reset();
    run_sql(place.path(), "DROP TABLE keys; DROP TABLE overrides; DROP TABLE audit; DROP TABLE audit_head;"
                          "CREATE TABLE keys (id TEXT PRIMARY KEY NOT NULL CHECK (id <> ''), team TEXT NOT NULL,"
                          " sha256 TEXT NOT NULL UNIQUE CHECK (length(sha256) = 64),"
                          " created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ'))) STRICT;"
                          "INSERT INTO keys (id, team, sha256) VALUES ('k_old', 'default',"
                          " 'ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff');"
                          "PRAGMA user_version=1");
    const auto store = opened(place.path());
    const auto keys = store->keys().value();
    ASSERT_EQ(keys.size(), 1U);
    EXPECT_EQ(keys[0].id, "k_old");
    EXPECT_EQ(keys[0].settings, "{}");
    EXPECT_FALSE(keys[0].disabled);
    EXPECT_TRUE(store->apply({.delete_key = "k_old"}, event("key.delete"), kNow).has_value());
}

} // namespace
} // namespace tollgate::policy
