// Records of the usage ledger: whatever the disk gives back is refused or reads the same again, never beyond its frame.
#include "policy/ledger/crc32c.hpp"
#include "policy/ledger/record.hpp"
#include "tests/fuzz/fuzz.hpp"

#include <cstring>

namespace tollgate::fuzz {
namespace {

using namespace policy::ledger;

// The input as the inside of a frame whose size and checksum are right: otherwise only the checksum would be tried.
std::string framed(std::string_view payload) {
    std::string frame(kFrameHead, '\0');
    frame += payload.substr(0, kMaxFrame - kFrameHead);
    frame.resize(std::max((frame.size() + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment,
                          kFrameHead + kFrameAlignment));
    const auto size = static_cast<std::uint32_t>(frame.size() - kFrameHead);
    std::memcpy(frame.data() + sizeof size, &size, sizeof size);
    const std::uint32_t check = crc32c(std::string_view(frame).substr(sizeof check));
    std::memcpy(frame.data(), &check, sizeof check);
    return frame;
}

std::string written(const Record& record) {
    FrameBuffer buffer;
    return std::string(std::visit([&](const auto& value) { return encode(value, buffer); }, record));
}

void check_frame(std::string_view octets) {
    const FrameView frame = first_frame(octets);
    if (frame.state != FrameState::valid) {
        require(frame.octets.empty(), "octets of a frame that is none");
        require(!decode(octets), "a record without a frame");
        return;
    }
    require(octets.starts_with(frame.octets), "a frame that is not at the start");
    require(frame.octets.size() % kFrameAlignment == 0 && frame.octets.size() <= kMaxFrame, "a frame of a wrong size");
    const auto record = decode(frame.octets);
    if (!record) return;
    require(!id_of(*record).empty() && id_of(*record).size() <= kMaxWord, "a record of nobody");
    const std::string once = written(*record);
    const auto again = decode(once);
    require(again.has_value(), "a record that was read cannot be written back");
    require(written(*again) == once, "a record changes on its way through the disk");
    require(decode(once + std::string(octets)).has_value(), "what follows a frame is no part of it");
    for (std::size_t cut = 1; cut <= kFrameAlignment; ++cut)
        require(!decode(once.substr(0, once.size() - cut)), "a torn frame reads as whole");
}

} // namespace

void ledger_record(std::string_view input) {
    check_frame(input);
    const std::string frame = framed(input);
    check_frame(frame);
    if (first_frame(frame).state != FrameState::valid || input.empty()) return;
    std::string damaged = frame;
    damaged[static_cast<unsigned char>(input.back()) % damaged.size()] ^= 1;
    require(first_frame(damaged).state != FrameState::valid, "an altered frame is valid");
}

} // namespace tollgate::fuzz
