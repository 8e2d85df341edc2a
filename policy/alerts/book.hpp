// Which thresholds of which budgets have been told, kept over restarts: each once per period. SQLite in one file.
#pragma once

#include "gateway/base/time.hpp"
#include "policy/quota/counter_store.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace tollgate::policy::alerts {

struct Alert {
    std::string id; // "alert_" and 32 hexadecimal digits; never changes, so that a receiver can drop a repetition
    quota::Crossing crossing;
    WallTime at{};         // microseconds
    unsigned attempts = 0; // to deliver it, that failed
};

// Every call blocks on the disk and belongs to one thread. What a call has written survives a power cut when it
// returns. A failed call changes nothing; its error is text for the operator and names the file.
class Book {
  public:
    template <class T>
    using Result = std::expected<T, std::string>;

    // Makes the file (0600) if it is missing. Fails if it is damaged or of a newer version.
    [[nodiscard]] static Result<std::unique_ptr<Book>> open(const std::string& file);
    ~Book();
    Book(const Book&) = delete;
    Book& operator=(const Book&) = delete;

    // The alert to be told, due at once; nothing if this threshold has been told of this period. A rolling window has
    // no period that ends: there it is told again once the window's length has passed.
    [[nodiscard]] Result<std::optional<Alert>> record(const quota::Crossing& crossing, WallTime at);

    // The one that has been due longest; nothing if none is.
    [[nodiscard]] Result<std::optional<Alert>> due(WallTime now);
    // When the next one is; nothing if there is nothing to deliver. At most the longest pause ahead of `now`.
    [[nodiscard]] Result<std::optional<WallTime>> next_due(WallTime now);

    [[nodiscard]] Result<void> delivered(const Alert& alert, WallTime now);
    // It is due again at `next`; nothing: it is given up.
    [[nodiscard]] Result<void> failed(const Alert& alert, std::optional<WallTime> next);
    // All that wait are due now: whoever did not take them has come back, or is somebody else.
    [[nodiscard]] Result<void> hasten(WallTime now);
    // Nothing is to be delivered any more: nobody wants it.
    [[nodiscard]] Result<void> close();

    // Removes what is older than 400 days (of a lifetime budget: nothing), and the oldest of more than kMostAlerts.
    [[nodiscard]] Result<void> prune(WallTime now);
    static constexpr std::int64_t kMostAlerts = 200'000;

  private:
    struct Impl;
    explicit Book(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::policy::alerts
