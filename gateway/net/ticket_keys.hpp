// Keys of TLS session tickets (RFC 5077, RFC 8446 §4.6.1): made here, used for half a day, forgotten after a day
// (reliability §5.7). OpenSSL's own are made once and live as long as the process, which ends forward secrecy.
#pragma once

#include "gateway/base/time.hpp"

#include <array>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <span>

namespace tollgate::net {

class TicketKeys {
  public:
    static constexpr auto kInUse = std::chrono::hours(12); // also the life of a ticket
    static constexpr std::size_t kNameSize = 16;

    struct Key {
        std::array<std::uint8_t, kNameSize> name; // public, stands in the ticket
        std::array<std::uint8_t, 32> cipher;      // AES-256-CBC
        std::array<std::uint8_t, 32> mac;         // HMAC-SHA256
    };

    TicketKeys() = default;
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    // Any thread. The key for new tickets; a fresh one where the last has been in use for long enough.
    [[nodiscard]] Key current(TimePoint now);

    struct Found {
        Key key;
        bool renew = false; // no longer the current one: the client gets a new ticket
    };
    // The key a ticket was made with, unless it is forgotten or was never ours.
    [[nodiscard]] std::optional<Found> find(std::span<const std::uint8_t, kNameSize> name, TimePoint now);

  private:
    void rotate(TimePoint now);

    struct Held {
        Key key;
        TimePoint made;
    };
    std::mutex mutex_;
    std::optional<Held> current_, previous_;
};

} // namespace tollgate::net
