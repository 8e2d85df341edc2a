// A bounded number of something the whole process has little of: TLS handshakes at once, idle upstream connections.
#pragma once

#include <atomic>
#include <utility>

namespace tollgate::net {

// Thread-safe; outlives its leases.
class Permits {
  public:
    explicit Permits(unsigned cap) noexcept : cap_(cap) {}
    Permits(const Permits&) = delete;
    Permits& operator=(const Permits&) = delete;

    // One permit, given back at the end of its life. False as a value if there was none.
    class Lease {
      public:
        Lease() noexcept = default;
        explicit Lease(Permits* of) noexcept : of_(of) {}
        Lease(Lease&& other) noexcept : of_(std::exchange(other.of_, nullptr)) {}
        Lease& operator=(Lease&&) = delete;
        ~Lease() {
            if (of_ != nullptr) of_->taken_.fetch_sub(1, std::memory_order_relaxed);
        }
        explicit operator bool() const noexcept { return of_ != nullptr; }

      private:
        Permits* of_ = nullptr;
    };

    [[nodiscard]] Lease take() noexcept {
        if (taken_.fetch_add(1, std::memory_order_relaxed) < cap_) return Lease(this);
        taken_.fetch_sub(1, std::memory_order_relaxed);
        return {};
    }

  private:
    const unsigned cap_;
    std::atomic<unsigned> taken_{0};
};

} // namespace tollgate::net
