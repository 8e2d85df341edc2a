// The client's side of a relayed answer: head with the first piece in one write, then pieces in the client's framing,
// the end of the message in the same write as the last piece.
#pragma once

#include "cache/flight.hpp"
#include "gateway/exchange/exchange.hpp"
#include "gateway/exchange/reply.hpp"

#include <string>
#include <string_view>

namespace tollgate::exchange {

class Outlet {
  public:
    // `length`: of the whole body if the provider said it. `extra`: complete header lines.
    Outlet(Exchange& ex, int status, std::string_view content_type, std::optional<std::uint64_t> length,
           std::string_view extra = {})
        : ex_(ex), status_(status), type_(content_type), extra_(extra), length_(length.value_or(0)),
          form_(status == 204 || ex.is_head() ? BodyForm::none
                : length                      ? BodyForm::length
                : ex.head.minor == 1          ? BodyForm::chunked
                                              : BodyForm::until_close) {}

    // False: the client is gone or stalled for 30 s (then ex.client_gone is set), and nobody shares the answer. An
    // empty piece that is not last sends nothing.
    Task<bool> send(std::string_view piece, bool last);

  private:
    [[nodiscard]] cache::FlightHead shared_head() const;
    Task<bool> send_own(std::string_view piece, bool last);

    Exchange& ex_;
    int status_;
    std::string_view type_;
    std::string_view extra_;
    std::uint64_t length_;
    BodyForm form_;
};

} // namespace tollgate::exchange
