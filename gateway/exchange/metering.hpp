// What one answer used: gathered while it is relayed, settled once, before its last octets leave (design §9).
#pragma once

#include "gateway/api/answer_view.hpp"
#include "gateway/api/usage.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::exchange {

struct Exchange;

// How the provider named its answer, for the log.
struct Named {
    std::string id, model; // ≤ 128 octets each
    api::FinishReasons finished = 0;

    void note(const api::AnswerView& answer);
};

// Belongs to its exchange and that one's worker. While an answer streams, `report` and `delivered` are its progress.
struct Metering {
    api::Usage report;                // as the provider told it so far
    api::DeliveredText delivered;     // generated text that went by
    std::uint64_t input_estimate = 0; // tokens of the request; 0: nobody counted, end_usage does
    Named named;
    bool complete = false;   // the answer came to its own end
    bool dispatched = false; // octets of the request left for a provider
    bool declined = false;   // all providers that were called refused: nothing was generated
    bool unknown = false;    // … and nobody can tell what was: the reserve is charged
    bool ended = false;      // `settled` is what counts, whatever comes
    api::Usage settled;      // of a call that used nothing: input and output are 0
};

// Tokens that a thousand octets of generated text count for where the provider does not tell: as usual, or what cannot
// be exceeded.
[[nodiscard]] constexpr std::uint32_t cautious_rate(bool strict_money) noexcept {
    return strict_money ? 1'000 : api::kUsualTokensPer1000Octets;
}

// Notes what a whole JSON answer tells of its usage, and that it is whole. Not for events.
void note_answer(Exchange& ex, const api::Usage& report, bool has_error, std::string_view body);

// The same of a body that is still to be read.
void read_usage(Exchange& ex, std::string_view body);

// Settles the usage, writes it into the record and settles the account with it; later calls do nothing. Every way out
// of an exchange calls it before the write that carries the answer's last octets, also when the client left or the
// answer broke off, so that who has the whole answer finds it charged.
void end_usage(Exchange& ex);

} // namespace tollgate::exchange
