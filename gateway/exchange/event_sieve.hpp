// The octets of an event stream without the events that are taken out of it. Sans-I/O.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace tollgate::exchange {

// Holds an event back until it is whole; everything that goes on goes as it came. Events are bounded by the splitter
// that finds their ends.
class EventSieve {
  public:
    // `piece` must outlive the calls up to end().
    void begin(std::string_view piece) {
        piece_ = piece;
        from_ = 0;
        out_.clear();
    }
    // An event ends behind `end` octets of the piece.
    void event(std::size_t end, bool stays) {
        if (stays) {
            out_ += held_;
            out_ += piece_.substr(from_, end - from_);
        }
        held_.clear();
        from_ = end;
    }
    // … and other octets go on in its place.
    void replaced(std::size_t end, std::string_view octets) {
        event(end, false);
        out_ += octets;
    }
    // What goes on of this piece, valid until the next one. `last`: no other follows, so nothing is held back.
    [[nodiscard]] std::string_view end(bool last) {
        held_ += piece_.substr(from_);
        if (last) {
            out_ += held_;
            held_.clear();
        }
        return out_;
    }

  private:
    std::string_view piece_;
    std::size_t from_ = 0; // of the piece, not yet in out_
    std::string held_, out_;
};

} // namespace tollgate::exchange
