#include "metrics/access_log.hpp"

#include "gateway/base/log.hpp"
#include "gateway/base/text.hpp"
#include "metrics/user_agent.hpp"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>
#include <span>

namespace tollgate::metrics {
namespace {

constexpr std::size_t kMaxErrorMessage = 512;
constexpr std::size_t kMaxForeignId = 128; // ids that clients and providers choose

template <class Integer>
void append_integer(std::string& out, Integer value) {
    std::array<char, 24> digits;
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_padded(std::string& out, unsigned value, std::size_t width) {
    std::array<char, 10> digits;
    for (std::size_t i = width; i-- > 0; value /= 10) digits[i] = static_cast<char>('0' + value % 10);
    out.append(digits.data(), width);
}

// value / 10^places as a decimal without trailing zeros: 1840, 0.9.
void append_decimal(std::string& out, std::uint64_t value, std::size_t places) {
    std::uint64_t scale = 1;
    for (std::size_t i = 0; i < places; ++i) scale *= 10;
    append_integer(out, value / scale);
    auto fraction = static_cast<unsigned>(value % scale);
    if (fraction == 0) return;
    while (fraction % 10 == 0) {
        fraction /= 10;
        --places;
    }
    out += '.';
    append_padded(out, fraction, places);
}

std::uint64_t microseconds(Duration duration) {
    const auto us = std::chrono::round<std::chrono::microseconds>(duration).count();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(us, 0));
}

void append_ms(std::string& out, Duration duration) {
    append_decimal(out, microseconds(duration), 3);
}

// RFC 3339 in UTC with milliseconds. Calendar arithmetic on integers: a few nanoseconds, so nothing is remembered.
void append_timestamp(std::string& out, WallTime time) {
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(time);
    const auto day = std::chrono::floor<std::chrono::days>(ms);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss clock(ms - day);
    append_padded(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.month()), 2);
    out += '-';
    append_padded(out, static_cast<unsigned>(date.day()), 2);
    out += 'T';
    append_padded(out, static_cast<unsigned>(clock.hours().count()), 2);
    out += ':';
    append_padded(out, static_cast<unsigned>(clock.minutes().count()), 2);
    out += ':';
    append_padded(out, static_cast<unsigned>(clock.seconds().count()), 2);
    out += '.';
    append_padded(out, static_cast<unsigned>(clock.subseconds().count()), 3);
    out += 'Z';
}

// At most `limit` octets, never the front half of a UTF-8 sequence.
std::string_view cut(std::string_view text, std::size_t limit) {
    if (text.size() <= limit) return text;
    const auto continues = [&](std::size_t at) { return (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U; };
    std::size_t end = limit;
    while (end > 0 && limit - end < 3 && continues(end)) --end;
    return text.substr(0, continues(end) ? limit : end);
}

// Members of one JSON object; what has no value leaves no member.
class Members {
  public:
    explicit Members(std::string& out) : out_(out) { out_ += '{'; }
    Members(const Members&) = delete;
    Members& operator=(const Members&) = delete;
    ~Members() { out_ += '}'; }

    // `name` needs no escaping.
    std::string& name(std::string_view name) {
        // One append of a small block: this runs some forty times for every line.
        std::array<char, 64> text;
        std::size_t n = 0;
        if (!first_) text[n++] = ',';
        first_ = false;
        text[n++] = '"';
        const std::size_t length = std::min(name.size(), text.size() - 4);
        std::memcpy(text.data() + n, name.data(), length);
        n += length;
        text[n++] = '"';
        text[n++] = ':';
        out_.append(text.data(), n);
        return out_;
    }
    void text(std::string_view member, std::string_view value) {
        if (!value.empty()) append_json_string(name(member), value);
    }
    // One of our own words, which need no escaping.
    void word(std::string_view member, std::string_view value) {
        std::string& out = name(member);
        out += '"';
        out += value;
        out += '"';
    }
    template <class Integer>
    void integer(std::string_view member, Integer value) {
        append_integer(name(member), value);
    }
    void ms(std::string_view member, Duration value) { append_ms(name(member), value); }

  private:
    std::string& out_;
    bool first_ = true;
};

std::string_view level(Outcome outcome) {
    if (outcome == Outcome::gateway_error) return log::to_string(log::Level::error);
    return log::to_string(outcome == Outcome::upstream_error ? log::Level::warning : log::Level::info);
}

// gen_ai.operation.name knows no responses API (observability §1.5).
std::string_view semconv_operation(std::string_view operation) {
    return operation == "responses" || operation == "messages" ? "chat" : operation;
}

void append_human_duration(std::string& out, Duration duration) {
    const std::uint64_t us = microseconds(duration);
    if (us >= 999'995) { // what rounds to 1.00s
        const std::uint64_t hundredths = (us + 5'000) / 10'000;
        append_integer(out, hundredths / 100);
        out += '.';
        append_padded(out, static_cast<unsigned>(hundredths % 100), 2);
        out += 's';
    } else {
        append_decimal(out, (us + 50) / 100, 1);
        out += "ms";
    }
}

// POST /v1/chat/completions 200 1.84s gpt-fast $0.00231
void append_message(std::string& out, const RequestRecord& record) {
    out += '"';
    append_json_escaped(out, record.method);
    out += ' ';
    append_json_escaped(out, record.route);
    out += ' ';
    if (record.status == 0) {
        out += '-';
    } else {
        append_integer(out, record.status);
    }
    out += ' ';
    append_human_duration(out, record.total);
    if (!record.model.empty()) {
        out += ' ';
        append_json_escaped(out, record.model);
    }
    if (record.cost) {
        out += " $";
        append_decimal(out, *record.cost, 9);
    }
    out += '"';
}

void append_head(Members& line, const RequestRecord& record, std::string_view instance) {
    std::string& time = line.name("@timestamp");
    time += '"';
    append_timestamp(time, record.started_wall);
    time += '"';
    line.word("log.level", level(record.outcome));
    append_message(line.name("message"), record);
    line.name("ecs.version") += R"("8.17.0","event.dataset":"tollgate.access","service.name":"tollgate",)"
                                R"("service.version":")" TOLLGATE_VERSION R"(")";
    line.text("service.instance.id", instance);
    line.text("tollgate.config_hash", record.config_hash);
    line.text("tollgate.request_id", record.request_id);
    line.text("tollgate.client_request_id", cut(record.client_request_id, kMaxForeignId));
}

void append_client(Members& line, const RequestRecord& record) {
    line.text("http.request.method", record.method);
    line.text("http.route", record.route);
    if (record.status != 0) line.integer("http.response.status_code", record.status);
    line.text("client.address", record.client_address);
    if (!record.user_agent.empty()) {
        const UserAgent agent = parse_user_agent(record.user_agent);
        line.word("user_agent.name", to_string(agent.family));
        line.text("user_agent.version", agent.version);
    }
    line.text("tollgate.key", record.key_id);
    line.text("tollgate.key_alias", record.key_alias);
    line.text("tollgate.team", record.team);
}

std::span<const AttemptRecord> attempts_of(const RequestRecord& record) {
    return std::span(record.attempts).first(std::min(record.attempt_count, kMaxAttempts));
}

void append_finish_reasons(std::string& out, const RequestRecord& record) {
    char separator = '[';
    for (std::size_t i = 0; i < kFinishWords.size(); ++i) {
        if ((record.finish_reasons >> i & 1U) == 0) continue;
        out += separator;
        out += '"';
        out += kFinishWords[i];
        out += '"';
        separator = ',';
    }
    out += ']';
}

void append_operation(Members& line, const RequestRecord& record) {
    line.text("gen_ai.operation.name", semconv_operation(record.operation));
    line.text("gen_ai.request.model", record.model);
    if (const auto attempts = attempts_of(record); !attempts.empty()) {
        line.word("gen_ai.provider.name", "openai"); // the dialect, of which there is one
        line.text("tollgate.upstream", attempts.back().upstream);
    }
    line.text("tollgate.upstream_model", record.upstream_model);
    line.text("gen_ai.response.model", cut(record.response_model, kMaxForeignId));
    line.text("gen_ai.response.id", cut(record.response_id, kMaxForeignId));
    if (record.finish_reasons != 0) append_finish_reasons(line.name("gen_ai.response.finish_reasons"), record);
    if (!record.operation.empty()) line.name("gen_ai.request.stream") += record.stream ? "true" : "false";
    line.text("tollgate.upstream_request_id", cut(record.upstream_request_id, kMaxForeignId));
    if (record.input_tokens) line.integer("gen_ai.usage.input_tokens", *record.input_tokens);
    if (record.output_tokens) line.integer("gen_ai.usage.output_tokens", *record.output_tokens);
    if (record.cached_tokens) line.integer("gen_ai.usage.cache_read.input_tokens", *record.cached_tokens);
    if (!record.usage_source.empty()) line.word("tollgate.usage_source", record.usage_source);
    if (record.cost) line.integer("tollgate.cost_nano_usd", *record.cost);
    if (record.saved_nano != 0) line.integer("tollgate.saved_nano_usd", record.saved_nano);
    line.text("tollgate.price_version", record.price_version);
    if (record.cache != CacheResult::none) line.word("tollgate.cache", to_string(record.cache));
    line.text("tollgate.cache_reason", record.cache_reason);
    line.word("tollgate.outcome", to_string(record.outcome));
}

// The whole retry story in one member.
void append_attempts(Members& line, const RequestRecord& record) {
    const auto attempts = attempts_of(record);
    if (attempts.empty()) return;
    std::string& out = line.name("tollgate.attempts");
    char separator = '[';
    for (const AttemptRecord& attempt : attempts) {
        out += separator;
        separator = ',';
        Members one(out);
        one.text("upstream", attempt.upstream);
        one.ms("ms", attempt.duration);
        if (attempt.error) one.word("error", to_string(*attempt.error));
        if (attempt.cancelled) one.name("cancelled") += "true";
        if (attempt.status != 0) one.integer("status", attempt.status);
    }
    out += ']';
}

void append_measures(Members& line, const RequestRecord& record) {
    {
        Members ms(line.name("tollgate.ms"));
        ms.ms("total", record.total);
        if (record.first_token) ms.ms("ttft", *record.first_token);
        ms.ms("overhead", record.total - record.upstream);
        if (record.attempt_count != 0) ms.ms("upstream", record.upstream);
    }
    Members bytes(line.name("tollgate.bytes"));
    bytes.integer("in", record.bytes_in);
    bytes.integer("out", record.bytes_out);
}

void append_error(Members& line, const RequestRecord& record) {
    if (record.error) line.word("error.type", to_string(*record.error));
    line.text("error.message", cut(record.error_message, kMaxErrorMessage));
    if (record.limit_scope.empty()) return;
    Members limit(line.name("tollgate.limit"));
    limit.text("scope", record.limit_scope);
    limit.text("name", record.limit_name);
    if (record.limit_value) limit.integer("value", *record.limit_value);
}

} // namespace

void append_access_line(std::string& out, const RequestRecord& record, std::string_view instance) {
    {
        Members line(out);
        append_head(line, record, instance);
        append_client(line, record);
        append_operation(line, record);
        append_attempts(line, record);
        append_measures(line, record);
        append_error(line, record);
    }
    out += '\n';
}

} // namespace tollgate::metrics
