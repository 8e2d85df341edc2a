// How many connections each source address holds (reliability R38, case 245): nobody may take the whole front door.
#pragma once

#include "config/address.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace tollgate::net {

// The party behind an address as limits see it: an IPv4 address, or the /64 an IPv6 host picks its addresses from.
using Source = std::array<std::uint8_t, 16>;
[[nodiscard]] Source source_of(const config::Address& address) noexcept;

// Thread-safe. Holds one entry per source with an open connection, so it is bounded by the connections.
class Sources {
  public:
    // One connection, counted as long as it lives. Movable; must not outlive the Sources.
    class Lease {
      public:
        Lease() = default;
        Lease(Sources* owner, const Source& source) noexcept : owner_(owner), source_(source) {}
        Lease(Lease&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)), source_(other.source_) {}
        Lease& operator=(Lease&& other) noexcept {
            std::swap(owner_, other.owner_);
            std::swap(source_, other.source_);
            return *this;
        }
        Lease(const Lease&) = delete;
        Lease& operator=(const Lease&) = delete;
        ~Lease();

      private:
        Sources* owner_ = nullptr;
        Source source_{};
    };

    // Nothing if the source holds `most` connections already.
    [[nodiscard]] std::optional<Lease> enter(const Source& source, unsigned most);
    [[nodiscard]] std::size_t size() const;

  private:
    mutable std::mutex mutex_;
    std::map<Source, unsigned> open_;
};

} // namespace tollgate::net
