#include "policy/ledger/record.hpp"

#include "policy/ledger/crc32c.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <type_traits>

namespace tollgate::policy::ledger {
namespace {

static_assert(std::endian::native == std::endian::little, "integers are copied as they lie in memory");

constexpr std::uint8_t kSchemaVersion = 1;
using Kind = RecordKind;

constexpr std::size_t kCheck = 4; // octets of the CRC, which is not part of what it covers
constexpr std::size_t kText = 1;
constexpr std::size_t kAttemptMost = kText + kMaxName + kText + kMaxWord + 8 + 8 + 2 + 4 + 4 * 8;
constexpr std::size_t kSettleMost = kFrameHead + 2 + 9 * (kText + kMaxWord) + 4 * (kText + kMaxName) + 3 * 8 + 2 + 1 +
                                    1 + 4 + 17 * 8 + 2 + kMaxAttempts * kAttemptMost + (kFrameAlignment - 1);
constexpr std::size_t kAdmitMost = kFrameHead + 2 + 7 * (kText + kMaxWord) + (kText + kMaxName) + 1 + 3 * 8 + 1 +
                                   kMaxPeriods * (kText + kMaxWord) + (kFrameAlignment - 1);
static_assert(kSettleMost <= kMaxSettleFrame && kAdmitMost <= kMaxFrame);
static_assert(kMaxSettleFrame % kFrameAlignment == 0);

template <class T>
concept Integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;

// One description of each record's layout serves both directions: a Writer and a Reader understand the same calls.
class Writer {
  public:
    explicit Writer(char* at) : at_(at) {}

    template <Integer T>
    void integer(const T& value) {
        std::memcpy(at_, &value, sizeof value);
        at_ += sizeof value;
    }
    void flag(const bool& value) { integer(static_cast<std::uint8_t>(value)); }
    void source(const UsageSource& value) { integer(static_cast<std::uint8_t>(value)); }
    void word(const std::string_view& text) { put(clip(text, kMaxWord)); }
    void name(const std::string_view& text) { put(clip(text, kMaxName)); }
    template <std::size_t N>
    void numbers(const std::array<const Number*, N>& all) {
        std::uint32_t mask = 0;
        for (std::size_t i = 0; i < N; ++i) mask |= all[i]->has_value() ? 1U << i : 0U;
        integer(mask);
        for (const Number* number : all) {
            if (number->has_value()) integer(**number);
        }
    }
    std::size_t count(const std::size_t& value, std::size_t most) {
        const std::size_t kept = std::min(value, most);
        integer(static_cast<std::uint8_t>(kept));
        return kept;
    }
    [[nodiscard]] char* end() const { return at_; }

  private:
    void put(std::string_view text) {
        integer(static_cast<std::uint8_t>(text.size()));
        if (!text.empty()) std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
    }
    char* at_;
};

class Reader {
  public:
    explicit Reader(std::string_view left) : left_(left) {}

    template <Integer T>
    void integer(T& value) {
        const std::string_view octets = take(sizeof value);
        if (!octets.empty()) std::memcpy(&value, octets.data(), sizeof value);
    }
    void flag(bool& value) {
        std::uint8_t octet = 0;
        integer(octet);
        failed_ = failed_ || octet > 1;
        value = octet == 1;
    }
    void source(UsageSource& value) {
        std::uint8_t octet = 0;
        integer(octet);
        failed_ = failed_ || octet > static_cast<std::uint8_t>(UsageSource::estimated);
        value = failed_ ? UsageSource::none : static_cast<UsageSource>(octet);
    }
    void word(std::string_view& text) { get(text, kMaxWord); }
    void name(std::string_view& text) { get(text, kMaxName); }
    template <std::size_t N>
    void numbers(const std::array<Number*, N>& all) {
        std::uint32_t mask = 0;
        integer(mask);
        failed_ = failed_ || (mask >> N) != 0;
        for (std::size_t i = 0; i < N; ++i) {
            if ((mask >> i & 1U) != 0) integer(all[i]->emplace());
        }
    }
    std::size_t count(std::size_t& value, std::size_t most) {
        std::uint8_t octet = 0;
        integer(octet);
        failed_ = failed_ || octet > most;
        value = failed_ ? 0 : octet;
        return value;
    }
    // All of it was read, but for the zero octets that fill the frame.
    [[nodiscard]] bool done() const {
        return !failed_ && left_.size() < kFrameAlignment && std::ranges::all_of(left_, [](char c) { return c == 0; });
    }

  private:
    std::string_view take(std::size_t size) {
        if (failed_ || left_.size() < size) {
            failed_ = true;
            return {};
        }
        const std::string_view taken = left_.substr(0, size);
        left_.remove_prefix(size);
        return taken;
    }
    void get(std::string_view& text, std::size_t most) {
        std::uint8_t size = 0;
        integer(size);
        failed_ = failed_ || size > most;
        text = take(size);
    }

    std::string_view left_;
    bool failed_ = false;
};

// `R` is const for a Writer.
template <class Io, class R>
    requires std::is_same_v<std::remove_const_t<R>, Admit>
void fields(Io& io, R& r) {
    io.word(r.request_id);
    io.integer(r.attempt);
    io.integer(r.at_us);
    io.integer(r.reserved_tokens);
    io.integer(r.reserved_nano);
    for (auto* text : {&r.org, &r.team, &r.key, &r.provider, &r.operation, &r.price_version}) io.word(*text);
    io.name(r.model);
    const std::size_t periods = io.count(r.periods.count, kMaxPeriods);
    for (std::size_t i = 0; i < periods; ++i) io.word(r.periods.ids[i]);
}

template <class Io, class R>
    requires std::is_same_v<std::remove_const_t<R>, Progress>
void fields(Io& io, R& r) {
    io.word(r.request_id);
    for (auto* value : {&r.at_us, &r.in_tokens, &r.out_tokens, &r.cost_nano}) io.integer(*value);
}

template <class Io, class R>
    requires std::is_same_v<std::remove_const_t<R>, Attempt>
void fields(Io& io, R& r) {
    io.name(r.upstream);
    io.word(r.error_type);
    io.integer(r.start_us);
    io.integer(r.duration_us);
    io.integer(r.status);
    io.numbers(std::array{&r.ttft_us, &r.in_tokens, &r.out_tokens, &r.cost_nano});
}

template <class Io, class R>
    requires std::is_same_v<std::remove_const_t<R>, Settle>
void fields(Io& io, R& r) {
    io.word(r.request_id);
    for (auto* value : {&r.admitted_us, &r.at_us, &r.duration_us}) io.integer(*value);
    for (auto* text :
         {&r.outcome, &r.error_type, &r.cache, &r.client, &r.config_hash, &r.price_source, &r.provider, &r.trace_id}) {
        io.word(*text);
    }
    for (auto* text : {&r.upstream_model, &r.response_model, &r.upstream_request_id, &r.client_request_id}) {
        io.name(*text);
    }
    io.integer(r.http_status);
    io.flag(r.stream);
    io.source(r.usage_source);
    auto& t = r.tokens;
    auto& c = r.cost;
    io.numbers(std::array{&t.in, &t.out, &t.cache_read, &t.cache_write, &t.reasoning, &t.audio_in, &t.audio_out,
                          &t.images, &c.total, &c.in, &c.out, &c.cache, &c.other, &r.saved_nano, &r.ttft_us,
                          &r.overhead_us, &r.queue_us});
    io.integer(r.attempt_count);
    const std::size_t attempts = io.count(r.attempts.count, kMaxAttempts);
    for (std::size_t i = 0; i < attempts; ++i) fields(io, r.attempts.each[i]);
}

template <class Io, class R>
    requires std::is_same_v<std::remove_const_t<R>, Adjust>
void fields(Io& io, R& r) {
    io.word(r.id);
    io.integer(r.at_us);
    for (auto* text : {&r.org, &r.team, &r.key}) io.word(*text);
    io.integer(r.nano);
    io.name(r.reason);
    io.name(r.actor);
}

template <class Io, class R>
    requires std::is_same_v<std::remove_const_t<R>, Served>
void fields(Io& io, R& r) {
    io.word(r.request_id);
    for (auto* value : {&r.started_us, &r.duration_us}) io.integer(*value);
    for (auto* text : {&r.org, &r.team, &r.key, &r.operation, &r.cache, &r.provider, &r.config_hash}) io.word(*text);
    for (auto* text : {&r.model, &r.client_request_id}) io.name(*text);
    io.integer(r.http_status);
    io.flag(r.stream);
    io.numbers(std::array{&r.saved_nano});
}

template <class R>
std::string_view encode_as(Kind kind, std::string_view id, const R& record, FrameBuffer& buffer) noexcept {
    if (id.empty() || id.size() > kMaxWord) return {};
    Writer writer(buffer.data() + kFrameHead);
    writer.integer(kSchemaVersion);
    writer.integer(static_cast<std::uint8_t>(kind));
    fields(writer, record);
    char* const end = writer.end();
    const auto used = static_cast<std::size_t>(end - buffer.data());
    const std::size_t whole = (used + kFrameAlignment - 1) / kFrameAlignment * kFrameAlignment;
    std::memset(end, 0, whole - used);
    Writer(buffer.data() + kCheck).integer(static_cast<std::uint32_t>(whole - kFrameHead));
    Writer(buffer.data()).integer(crc32c({buffer.data() + kCheck, whole - kCheck}));
    return {buffer.data(), whole};
}

template <class R>
std::string_view own_id(const R& record) noexcept {
    if constexpr (std::is_same_v<R, Adjust>) {
        return record.id;
    } else {
        return record.request_id;
    }
}

constexpr std::size_t kBodyAt = kFrameHead + 2; // behind version and kind

template <class R>
bool read_as(Kind kind, std::string_view frame, R& record) noexcept {
    if (static_cast<Kind>(frame[kFrameHead + 1]) != kind) return false;
    Reader reader(frame.substr(kBodyAt));
    fields(reader, record);
    return reader.done() && !own_id(record).empty();
}

template <class R>
std::optional<Record> decode_as(std::string_view body) noexcept {
    std::optional<Record> found(std::in_place, std::in_place_type<R>);
    Reader reader(body);
    fields(reader, *std::get_if<R>(&*found));
    if (!reader.done() || id_of(*found).empty()) found.reset();
    return found;
}

} // namespace

std::string_view to_string(UsageSource source) noexcept {
    switch (source) {
    case UsageSource::upstream: return "upstream";
    case UsageSource::estimated: return "estimated";
    case UsageSource::none: break;
    }
    return "none";
}

std::string_view clip(std::string_view text, std::size_t limit) noexcept {
    if (text.size() <= limit) return text;
    std::size_t end = limit;
    while (end > 0 && limit - end < 4 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    return text.substr(0, end);
}

std::string_view encode(const Admit& record, FrameBuffer& buffer) noexcept {
    return encode_as(Kind::admit, record.request_id, record, buffer);
}
std::string_view encode(const Progress& record, FrameBuffer& buffer) noexcept {
    return encode_as(Kind::progress, record.request_id, record, buffer);
}
std::string_view encode(const Settle& record, FrameBuffer& buffer) noexcept {
    return encode_as(Kind::settle, record.request_id, record, buffer);
}
std::string_view encode(const Adjust& record, FrameBuffer& buffer) noexcept {
    return encode_as(Kind::adjust, record.id, record, buffer);
}
std::string_view encode(const Served& record, FrameBuffer& buffer) noexcept {
    return encode_as(Kind::served, record.request_id, record, buffer);
}

FrameView first_frame(std::string_view octets) noexcept {
    constexpr FrameView bad;
    if (octets.size() < kFrameHead) return bad;
    std::uint32_t size = 0;
    std::uint32_t check = 0;
    std::memcpy(&check, octets.data(), sizeof check);
    std::memcpy(&size, octets.data() + kCheck, sizeof size);
    if (size == 0 && check == 0) return {.state = FrameState::absent, .octets = {}};
    if (size < kFrameAlignment || size > kMaxFrame - kFrameHead || size % kFrameAlignment != 0) return bad;
    if (octets.size() - kFrameHead < size) return bad;
    const std::string_view payload = octets.substr(kFrameHead, size);
    const auto kind = static_cast<std::uint8_t>(payload[1]);
    if (static_cast<std::uint8_t>(payload[0]) != kSchemaVersion || kind < 1 || kind > 5) return bad;
    if (crc32c(octets.substr(kCheck, kFrameHead - kCheck + size)) != check) return bad;
    return {.state = FrameState::valid, .octets = octets.substr(0, kFrameHead + size)};
}

std::optional<Record> decode(std::string_view frame) noexcept {
    const FrameView found = first_frame(frame);
    if (found.state != FrameState::valid) return std::nullopt;
    const std::string_view body = found.octets.substr(kBodyAt);
    switch (static_cast<Kind>(found.octets[kFrameHead + 1])) {
    case Kind::admit: return decode_as<Admit>(body);
    case Kind::progress: return decode_as<Progress>(body);
    case Kind::settle: return decode_as<Settle>(body);
    case Kind::adjust: return decode_as<Adjust>(body);
    case Kind::served: return decode_as<Served>(body);
    }
    return std::nullopt;
}

FrameHead head_of(std::string_view valid_frame) noexcept {
    std::string_view id;
    Reader(valid_frame.substr(kBodyAt)).word(id); // every record starts with it
    return {.kind = static_cast<Kind>(valid_frame[kFrameHead + 1]), .id = id};
}

bool read_checked(std::string_view valid_frame, Admit& record) noexcept {
    return read_as(Kind::admit, valid_frame, record);
}
bool read_checked(std::string_view valid_frame, Progress& record) noexcept {
    return read_as(Kind::progress, valid_frame, record);
}
bool read_checked(std::string_view valid_frame, Settle& record) noexcept {
    return read_as(Kind::settle, valid_frame, record);
}
bool read_checked(std::string_view valid_frame, Adjust& record) noexcept {
    return read_as(Kind::adjust, valid_frame, record);
}
bool read_checked(std::string_view valid_frame, Served& record) noexcept {
    return read_as(Kind::served, valid_frame, record);
}

std::string_view id_of(const Record& record) noexcept {
    return std::visit([](const auto& r) { return own_id(r); }, record);
}

} // namespace tollgate::policy::ledger
