// What one operation holds, as an object with one owner: the request, or its flight.
#pragma once

#include "policy/quota/counter_store.hpp"

#include <cstdint>
#include <optional>
#include <utility>

namespace tollgate::policy::quota {

// Movable. Whoever destroys it unsettled charges the whole reserve: no path out leaks a hold (design §3). One thread at
// a time; its store outlives it. Empty (nothing to settle) if default-made, moved from, closed, or admitted without
// scopes.
class Reservation {
  public:
    Reservation() = default;
    Reservation(CounterStore& store, ReservationId id, Estimate reserved, std::uint64_t price_version)
        : store_(&store), id_(id), reserved_(reserved), price_version_(price_version) {}
    Reservation(Reservation&& other) noexcept
        : store_(std::exchange(other.store_, nullptr)), id_(other.id_), reserved_(other.reserved_),
          price_version_(other.price_version_) {}
    Reservation& operator=(Reservation&& other) noexcept {
        if (this == &other) return *this;
        abandon();
        store_ = std::exchange(other.store_, nullptr);
        id_ = other.id_;
        reserved_ = other.reserved_;
        price_version_ = other.price_version_;
        return *this;
    }
    Reservation(const Reservation&) = delete;
    Reservation& operator=(const Reservation&) = delete;
    ~Reservation() { abandon(); }

    [[nodiscard]] explicit operator bool() const { return store_ != nullptr; }
    [[nodiscard]] const ReservationId& id() const { return id_; }
    [[nodiscard]] const Estimate& reserved() const { return reserved_; } // the upper bound, top-ups not included
    [[nodiscard]] std::uint64_t price_version() const { return price_version_; }

    // The members below are CounterStore's. Empty: `already`, false, 0.
    SettleReply settle(const std::optional<Estimate>& actual, Moment now) {
        if (CounterStore* const store = std::exchange(store_, nullptr)) return store->settle(id_, actual, now);
        return {};
    }
    bool release(Moment now) {
        CounterStore* const store = std::exchange(store_, nullptr);
        return store != nullptr && store->release(id_, now);
    }
    [[nodiscard]] bool top_up(const Ask& extra, Moment now) {
        return store_ != nullptr && store_->top_up(id_, extra, now);
    }
    [[nodiscard]] ExtendReply extend(const Estimate& used, Moment now) {
        return store_ == nullptr ? ExtendReply{.extended = false} : store_->extend(id_, used, now);
    }
    bool heartbeat(const Estimate& progress, Moment now, Duration lease) {
        return store_ != nullptr && store_->heartbeat(id_, progress, now, lease);
    }
    std::size_t budgets(std::span<BudgetLine> out) const { return store_ == nullptr ? 0 : store_->budgets(id_, out); }

  private:
    void abandon() noexcept {
        if (CounterStore* const store = std::exchange(store_, nullptr)) store->abandon(id_);
    }

    CounterStore* store_ = nullptr;
    ReservationId id_{};
    Estimate reserved_{};
    std::uint64_t price_version_ = 0; // opaque: settle is priced with the same
};

} // namespace tollgate::policy::quota
