// What is known about names, and what has to be found out (reliability F6). Pure: time is an argument.
#pragma once

#include "gateway/base/time.hpp"

#include <boost/asio/ip/address.hpp>

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace tollgate::net {

using Addresses = std::vector<boost::asio::ip::address>;
using AddressesPtr = std::shared_ptr<const Addresses>;

class NameCache {
  public:
    static constexpr auto kFresh = std::chrono::seconds(20);           // answered without asking again
    static constexpr auto kWhileRefreshing = std::chrono::minutes(10); // answered while it is asked again
    static constexpr auto kLastGood = std::chrono::hours(24);          // answered if asking again fails
    static constexpr auto kFailure = std::chrono::seconds(5);          // after a failure nobody asks again
    static constexpr std::size_t kMaxAddresses = 16;                   // of one name; further ones are not looked at
    static constexpr std::size_t kMaxNames = 4096;

    enum class Need : std::uint8_t {
        nothing,
        refresh, // look it up, but nobody needs to wait
        look_up, // look it up and wait; `addresses` is what to fall back on
    };
    struct Found {
        AddressesPtr addresses; // never null; empty: none are known
        Need need = Need::look_up;
    };
    [[nodiscard]] Found find(const std::string& host, TimePoint now) const;

    // The result of a look-up, empty if it failed. Returns what those who wait for it are told.
    AddressesPtr learn(const std::string& host, Addresses answer, TimePoint now);

    [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }

  private:
    struct Known {
        AddressesPtr addresses; // of the last look-up that succeeded; empty: none did
        TimePoint succeeded;
        TimePoint not_before; // no look-up until then
    };
    void make_room();
    std::map<std::string, Known, std::less<>> names_;
};

} // namespace tollgate::net
