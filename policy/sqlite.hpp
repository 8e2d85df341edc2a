// SQLite with RAII and errors as values. SQL text is always a literal; values are bound, never pasted (R2).
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace tollgate::policy::sqlite {

template <class T>
using Result = std::expected<T, std::string>; // the error is SQLite's own text

// SQL that was a literal at compile time: a string built at run time does not convert.
class Sql {
  public:
    template <std::size_t N>
    consteval Sql(const char (&literal)[N]) : text_(literal, N - 1) {} // NOLINT(google-explicit-constructor)
    [[nodiscard]] constexpr std::string_view text() const { return text_; }

  private:
    std::string_view text_;
};

// A prepared statement, used again and again. Belongs to its Database's thread and must not outlive it.
class Statement {
  public:
    Statement() = default;

    // Starts a new execution; parameters count from 1 and keep the caller's memory until the next reset().
    void reset();
    void bind(int parameter, std::string_view text);
    void bind_integer(int parameter, std::int64_t value);
    [[nodiscard]] Result<bool> step(); // true: a row; false: done
    [[nodiscard]] std::string text(int column) const;
    [[nodiscard]] std::optional<std::int64_t> integer(int column) const; // nothing for NULL

  private:
    friend class Database;
    struct Free {
        void operator()(sqlite3_stmt* statement) const;
    };
    std::unique_ptr<sqlite3_stmt, Free> statement_;
};

// One connection. Not thread-safe.
class Database {
  public:
    // Opens or creates the file; WAL and synchronous=FULL, so what was committed survives a power cut.
    [[nodiscard]] static Result<Database> open(const std::string& file);
    // An existing file, for reading only; a writer may be at work. What was committed is seen.
    [[nodiscard]] static Result<Database> open_reading(const std::string& file);

    [[nodiscard]] Result<Statement> prepare(Sql sql);
    [[nodiscard]] Result<void> run(Sql sql);    // a statement without parameters and without an interesting result
    [[nodiscard]] std::int64_t changed() const; // rows changed by the last statement that changed any

  private:
    struct Close {
        void operator()(sqlite3* connection) const;
    };
    [[nodiscard]] static Result<Database> connect(const std::string& file, int flags);

    std::unique_ptr<sqlite3, Close> connection_;
};

// Rolls back unless committed.
class Transaction {
  public:
    explicit Transaction(Database& database) : database_(database) {}
    ~Transaction();
    Transaction(const Transaction&) = delete;
    Transaction& operator=(const Transaction&) = delete;

    [[nodiscard]] Result<void> begin();
    [[nodiscard]] Result<void> commit();

  private:
    Database& database_;
    bool open_ = false;
};

} // namespace tollgate::policy::sqlite
