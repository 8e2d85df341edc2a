#include "policy/ledger/row.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace tollgate::policy::ledger {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// Octets that stand for themselves in a JSON string.
constexpr auto kPlain = [] {
    std::array<bool, 256> plain{};
    for (std::size_t c = 0x20; c < plain.size(); ++c) plain[c] = c != '"' && c != '\\';
    return plain;
}();

constexpr std::size_t kMostDigits = 20;

// Writes one array, value by value, where its caller has made room.
class Row {
  public:
    explicit Row(char* at) : at_(at) { *at_++ = '['; }
    char* end() {
        if (at_[-1] == ',') --at_;
        *at_++ = ']';
        return at_;
    }

    Row& text(std::string_view value) {
        *at_++ = '"';
        inside(value);
        put("\",");
        return *this;
    }
    // As one text of lines: no period id has a line feed.
    Row& lines(const Periods& periods) {
        *at_++ = '"';
        for (const std::string_view period : periods.view()) {
            inside(period);
            put("\\n");
        }
        if (periods.count > 0) at_ -= 2;
        put("\",");
        return *this;
    }
    Row& number(std::int64_t value) {
        at_ = std::to_chars(at_, at_ + kMostDigits, value).ptr;
        *at_++ = ',';
        return *this;
    }
    Row& number(const Number& value) {
        if (value) return number(*value);
        put("null,");
        return *this;
    }
    Row& attempts(const Attempts& all) {
        Row list(at_);
        for (const Attempt& attempt : all.view()) {
            Row row(list.at_);
            row.text(attempt.upstream).number(attempt.start_us).number(attempt.ttft_us).number(attempt.duration_us);
            row.number(attempt.status).text(attempt.error_type).number(attempt.in_tokens).number(attempt.out_tokens);
            row.number(attempt.cost_nano);
            list.at_ = row.end();
            *list.at_++ = ',';
        }
        at_ = list.end();
        return *this;
    }

  private:
    void put(std::string_view octets) { at_ = std::copy(octets.begin(), octets.end(), at_); }
    void inside(std::string_view value) {
        for (const char c : clip(value, kMaxName)) {
            if (kPlain[static_cast<unsigned char>(c)]) {
                *at_++ = c;
            } else {
                escaped(c);
            }
        }
    }
    void escaped(char c) {
        if (c == '"' || c == '\\') {
            *at_++ = '\\';
            *at_++ = c;
        } else if (c == '\0') {
            put("\\ufffd"); // SQLite's text would end there
        } else {
            put("\\u00");
            *at_++ = kHex[static_cast<unsigned char>(c) >> 4U];
            *at_++ = kHex[static_cast<unsigned char>(c) & 15U];
        }
    }
    char* at_;
};

} // namespace

std::string_view provider_of(const Operation& operation) noexcept {
    return operation.settle.provider.empty() ? operation.admit.provider : operation.settle.provider;
}

std::string_view write_row(const Operation& operation, RowBuffer& buffer) {
    const Admit& a = operation.admit;
    const Settle& s = operation.settle;
    const Tokens& t = s.tokens;
    const Cost& c = s.cost;
    Row row(buffer.data());
    row.number(s.at_us).text(a.org).text(a.team).text(a.key).text(a.operation).text(a.model);
    row.text(provider_of(operation)).text(s.upstream_model).text(s.response_model).text(s.outcome).text(s.error_type);
    row.number(s.http_status).number(s.stream ? 1 : 0).number(s.attempt_count).text(s.cache).number(t.in);
    row.number(t.out).number(t.cache_read).number(t.cache_write).number(t.reasoning).number(t.audio_in);
    row.number(t.audio_out).number(t.images).text(to_string(s.usage_source)).number(c.total).number(c.in);
    row.number(c.out).number(c.cache).number(c.other).number(s.saved_nano).text(a.price_version).text(s.price_source);
    row.number(s.ttft_us).number(s.duration_us).number(s.overhead_us).number(s.queue_us).number(a.reserved_tokens);
    row.number(a.reserved_nano).lines(a.periods).text(s.client_request_id).text(s.upstream_request_id);
    row.text(s.trace_id).text(s.client).text(s.config_hash).attempts(s.attempts);
    return {buffer.data(), row.end()};
}

} // namespace tollgate::policy::ledger
