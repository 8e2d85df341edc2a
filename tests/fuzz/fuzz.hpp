// What every fuzz target shares: the claim that must hold and the cutting of an input into pieces. A target is one
// function over octets; fuzzer.cpp hands it to libFuzzer, replay.cpp runs it over the kept seeds in every build.
#pragma once

#include <cstddef>
#include <cstdint>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::fuzz {

// A property that did not hold. Nobody catches it in a fuzzer, so libFuzzer keeps the input; GoogleTest reports it.
class Violation : public std::logic_error {
  public:
    using std::logic_error::logic_error;
};

inline void require(bool holds, std::string_view what, std::source_location where = std::source_location::current()) {
    if (!holds) throw Violation(std::string(what) + " (line " + std::to_string(where.line()) + ")");
}

// How an input is cut. The seeds stay readable: there are no control octets, the sizes of `own` are the input's octets
// themselves, last first, so that the fuzzer chooses them by what it appends.
enum class Cut : std::uint8_t { whole, single, own };
inline constexpr Cut kCuts[] = {Cut::single, Cut::own};

inline std::vector<std::string_view> pieces(std::string_view octets, Cut cut) {
    std::vector<std::string_view> out;
    const std::string_view sizes = octets;
    for (std::size_t turn = 0; !octets.empty(); ++turn) {
        std::size_t size = octets.size();
        if (cut == Cut::single) size = 1;
        if (cut == Cut::own) {
            size = static_cast<unsigned char>(sizes[sizes.size() - 1 - turn % sizes.size()]);
            size = size < 0xF0 ? size % 32 + 1 : (size - 0xEF) * 64;
        }
        out.push_back(octets.substr(0, size));
        octets.remove_prefix(out.back().size());
    }
    return out;
}

// Takes values off the front of an input whose parts are not octets of one message.
class Take {
  public:
    explicit Take(std::string_view octets) : rest_(octets) {}
    // 0 once the input is used up.
    std::uint8_t octet() {
        const std::string_view one = octets(1);
        return one.empty() ? std::uint8_t{0} : static_cast<std::uint8_t>(one.front());
    }
    std::string_view octets(std::size_t size) {
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(taken.size());
        return taken;
    }
    // Through the next line feed, which is dropped.
    std::string_view line() {
        const std::size_t end = rest_.find('\n');
        const std::string_view taken = rest_.substr(0, end);
        rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
        return taken;
    }
    std::string_view rest() { return octets(rest_.size()); }

  private:
    std::string_view rest_;
};

void request_head(std::string_view input);
void response_head(std::string_view input);
void chunked_body(std::string_view input);
void event_stream(std::string_view input);
void json_request(std::string_view input);
void json_answer(std::string_view input);
void cache_key(std::string_view input);
void cache_value(std::string_view input);
void redis_reply(std::string_view input);
void config_text(std::string_view input);
void ledger_record(std::string_view input);
void multipart_body(std::string_view input);
void route_target(std::string_view input);
void stream_assembly(std::string_view input);

} // namespace tollgate::fuzz
