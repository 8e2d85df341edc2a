#include "gateway/api/answer_scan.hpp"

#include <algorithm>
#include <array>

namespace tollgate::api {
namespace {

constexpr std::size_t kMostName = 32;                     // longer than any name that means something here
constexpr std::size_t kMostKept = std::size_t{12} * 1024; // of `usage`; what is larger is none
constexpr std::size_t kMostShort = 160;                   // of the others
constexpr std::uint64_t kMostObjects = 1'000;             // pictures in one answer

constexpr std::array<bool, 256> table(std::string_view members) {
    std::array<bool, 256> out{};
    for (const char c : members) out[static_cast<unsigned char>(c)] = true;
    return out;
}
constexpr auto kStructure = table("\"{}[],:");
constexpr auto kStringEnds = table("\"\\");

std::size_t find(std::string_view text, const std::array<bool, 256>& stops) noexcept {
    std::size_t at = 0;
    while (at < text.size() && !stops[static_cast<unsigned char>(text[at])]) ++at;
    return at;
}

} // namespace

void AnswerScan::feed(std::string_view piece) {
    while (!piece.empty()) piece.remove_prefix(in_string_ ? inside_string(piece) : outside_string(piece));
}

std::size_t AnswerScan::inside_string(std::string_view piece) {
    if (escaped_) {
        escaped_ = false;
        // An escaped character counts as one octet, \u with its four digits as the three it may have.
        if (piece.front() != 'u') ++text_octets_;
        if (piece.front() == 'u' && text_octets_ > 0) --text_octets_;
        keep(piece.substr(0, 1));
        return 1;
    }
    const std::size_t run = find(piece, kStringEnds);
    if (name_.size() < kMostName) name_ += piece.substr(0, std::min(run, kMostName - name_.size()));
    text_octets_ += run;
    const std::size_t taken = std::min(run + 1, piece.size());
    keep(piece.substr(0, taken));
    if (run == piece.size()) return taken;
    if (piece[run] == '\\') {
        escaped_ = true;
        if (name_.size() < kMostName) name_ += '\\'; // no name that means something here has one
    } else {
        in_string_ = false;
        string_pending_ = true;
    }
    return taken;
}

std::size_t AnswerScan::outside_string(std::string_view piece) {
    const std::size_t run = find(piece, kStructure);
    keep(piece.substr(0, run));
    if (run == piece.size()) return run;
    structure(piece[run]);
    return run + 1;
}

void AnswerScan::structure(char c) {
    if (c == '"') {
        in_string_ = true;
        name_.clear();
        text_octets_ = 0;
        keep("\"");
        return;
    }
    if (c == ':') {
        keep(":");
        if (string_pending_) key_ = name_;
        string_pending_ = false;
        if (depth_ == 1) start_value();
        return;
    }
    const bool closes = c == '}' || c == ']';
    end_member();
    if (closes && depth_ > 0) --depth_;
    if (depth_ <= 1 && (closes ? depth_ == 0 : c == ',')) kept_ = nullptr;
    keep(std::string_view(&c, 1));
    if (closes && depth_ == 1) in_data_ = false;
    if (!closes && c != ',') {
        if (c == '{' && in_data_ && depth_ == 2) ++objects_;
        ++depth_;
    }
}

// A comma or bracket: the string before it was a value, and the key has had its value.
void AnswerScan::end_member() {
    if (string_pending_ && text_octets_ > 0 && is_text_member(key_)) delivered_.add(1, text_octets_);
    string_pending_ = false;
    key_.clear();
}

void AnswerScan::start_value() {
    in_data_ = key_ == "data";
    if (key_ == "usage" && usage_.empty()) kept_ = &usage_;
    if (key_ == "duration" && duration_.empty()) kept_ = &duration_;
    if (key_ == "service_tier" && tier_.empty()) kept_ = &tier_;
    if (key_ == "id" && id_.empty()) kept_ = &id_;
    if (key_ == "model" && model_.empty()) kept_ = &model_;
}

void AnswerScan::keep(std::string_view octets) {
    if (kept_ == nullptr) return;
    if (kept_->size() + octets.size() > (kept_ == &usage_ ? kMostKept : kMostShort)) {
        *kept_ = "null";
        kept_ = nullptr;
        return;
    }
    *kept_ += octets;
}

DeliveredText AnswerScan::delivered() const noexcept {
    DeliveredText out = delivered_;
    if (in_string_ && text_octets_ > 0 && is_text_member(key_)) out.add(1, text_octets_);
    return out;
}

std::string AnswerScan::digest() const {
    std::string out = "{";
    const auto member = [&](std::string_view name, const std::string& value) {
        if (value.empty() || kept_ == &value) return;
        if (out.size() > 1) out += ',';
        out += '"';
        out += name;
        out += "\":";
        out += value;
    };
    member("usage", usage_);
    member("duration", duration_);
    member("service_tier", tier_);
    member("id", id_);
    member("model", model_);
    std::string data;
    for (std::uint64_t i = 0; i < std::min(objects_, kMostObjects); ++i) data += i == 0 ? "[{}" : ",{}";
    if (!data.empty()) data += ']';
    member("data", data);
    out += '}';
    return out;
}

} // namespace tollgate::api
