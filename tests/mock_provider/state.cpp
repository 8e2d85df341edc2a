#include "tests/mock_provider/state.hpp"

#include "tests/mock_provider/clock.hpp"
#include "tests/mock_provider/text.hpp"

#include <sys/eventfd.h>

#include <algorithm>
#include <utility>

namespace tollgate::mock {
namespace {

constexpr std::size_t kMaxNames = 10'000; // per map; what comes later is counted as "other"
constexpr std::size_t kMaxRecordedOctets = std::size_t{256} * 1024 * 1024;
constexpr std::size_t kKeptCapacity = 64 * 1024;
constexpr std::size_t kMaxStreamTimes = 1'000'000;

void append_counts(std::string& out, std::string_view name, const auto& counts) {
    out.append(",\"").append(name).append("\":{");
    bool first = true;
    for (const auto& [key, value] : counts) {
        if (!std::exchange(first, false)) out.push_back(',');
        append_json_octets(out, key);
        out.append(":").append(std::to_string(value));
    }
    out.push_back('}');
}

void append_number(std::string& out, std::string_view name, auto value) {
    out.append(",\"").append(name).append("\":").append(std::to_string(value));
}

} // namespace

void State::count(Counts& counts, std::string_view name) {
    auto found = counts.find(name);
    if (found == counts.end()) {
        found = counts.try_emplace(counts.size() < kMaxNames ? std::string{name} : std::string{"other"}).first;
    }
    ++found->second;
}

void State::record(const Request& request, std::int64_t received_ns) {
    if (record_max_ == 0) return;
    const auto size = request.head.size() + request.body.size();
    Record record;
    while (!records_.empty() && (records_.size() >= record_max_ || recorded_octets_ + size > kMaxRecordedOctets)) {
        record = std::move(records_.front()); // its memory is used again
        records_.pop_front();
        recorded_octets_ -= record.head.size() + record.body.size();
    }
    if (record.body.capacity() > kKeptCapacity) record.body = {};
    record.head.assign(request.head);
    record.body.assign(request.body);
    record.method.assign(request.method);
    record.path.assign(request.target);
    record.received_ns = received_ns;
    recorded_octets_ += size;
    records_.push_back(std::move(record));
}

void State::changed() {
    if (waiters_ == 0) return;
    for (const int fd : wake_fds_) eventfd_write(fd, 1);
}

void State::on_request(const Request& request, std::string_view path, std::string_view model,
                       std::int64_t received_ns) {
    {
        const std::lock_guard lock{mutex_};
        count(by_path_, path);
        count(by_model_, model);
        record(request, received_ns);
    }
    ++requests_;
    changed();
}

void State::on_completed(std::uint64_t prompt_tokens, std::uint64_t completion_tokens) {
    prompt_tokens_ += prompt_tokens;
    completion_tokens_ += completion_tokens;
    ++completed_;
    changed();
}

void State::on_aborted() {
    last_abort_ns_ = now_ns();
    ++aborted_;
    changed();
}

void State::on_bad_request() {
    ++bad_requests_;
}

void State::on_connection_opened() {
    ++connections_opened_;
}

void State::on_connection_closed() {
    ++connections_closed_;
    changed();
}

void State::on_control_connection() {
    --connections_opened_;
    changed();
}

std::uint64_t State::connections_open() const {
    const auto open = connections_opened_.load() - connections_closed_.load();
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, open));
}

std::uint64_t State::begin_stream(std::string_view model) {
    const std::lock_guard lock{mutex_};
    stream_model_.assign(model);
    stream_times_.clear();
    stream_ended_ = false;
    return ++streams_;
}

void State::on_events(std::uint64_t stream, std::uint64_t count, std::int64_t sent_ns) {
    const std::lock_guard lock{mutex_};
    if (stream != streams_) return; // a newer stream is being reported
    const auto room = kMaxStreamTimes - std::min(kMaxStreamTimes, stream_times_.size());
    stream_times_.insert(stream_times_.end(), std::min<std::size_t>(count, room), sent_ns);
}

void State::end_stream(std::uint64_t stream) {
    const std::lock_guard lock{mutex_};
    if (stream == streams_) stream_ended_ = true;
}

void State::reset() {
    const std::lock_guard lock{mutex_};
    by_path_.clear();
    by_model_.clear();
    records_.clear();
    recorded_octets_ = 0;
    stream_model_.clear();
    stream_times_.clear();
    stream_ended_ = false;
    ++streams_; // streams that still run report nothing any more
    requests_ = completed_ = aborted_ = bad_requests_ = prompt_tokens_ = completion_tokens_ = 0;
    last_abort_ns_ = 0;
    opened_before_reset_ = connections_opened_.load();
}

std::string State::stats_json() const {
    std::string out = "{\"requests\":" + std::to_string(requests_);
    append_number(out, "completed", completed_.load());
    append_number(out, "aborted", aborted_.load());
    append_number(out, "bad_requests", bad_requests_.load());
    append_number(out, "connections_opened", connections_opened_.load() - opened_before_reset_.load());
    append_number(out, "connections_open", connections_open());
    append_number(out, "prompt_tokens", prompt_tokens_.load());
    append_number(out, "completion_tokens", completion_tokens_.load());
    const auto last_abort = last_abort_ns_.load();
    append_number(out, "last_abort_ns", last_abort);
    out.append(",\"last_abort_ms_ago\":");
    out.append(last_abort == 0 ? "null" : std::to_string((now_ns() - last_abort) / kNsPerMs));
    const std::lock_guard lock{mutex_};
    append_counts(out, "by_path", by_path_);
    append_counts(out, "by_model", by_model_);
    return out.append("}\n");
}

std::string State::requests_json(std::size_t last) const {
    std::string out = "[";
    const std::lock_guard lock{mutex_};
    for (std::size_t i = records_.size() - std::min(last, records_.size()); i < records_.size(); ++i) {
        const auto& record = records_[i];
        out.append(out.size() > 1 ? ",{\"method\":" : "{\"method\":");
        append_json_octets(out, record.method);
        out.append(",\"path\":");
        append_json_octets(out, record.path);
        append_number(out, "received_at_ns", record.received_ns);
        out.append(",\"raw_head\":");
        append_json_octets(out, record.head);
        out.append(",\"body_base64\":\"").append(base64_of(record.body)).append("\"}");
    }
    return out.append("]\n");
}

std::string State::last_stream_json() const {
    const std::lock_guard lock{mutex_};
    std::string out = "{\"model\":";
    append_json_octets(out, stream_model_);
    out.append(stream_ended_ ? ",\"ended\":true,\"times_ns\":[" : ",\"ended\":false,\"times_ns\":[");
    for (std::size_t i = 0; i < stream_times_.size(); ++i) {
        if (i > 0) out.push_back(',');
        out.append(std::to_string(stream_times_[i]));
    }
    return out.append("]}\n");
}

} // namespace tollgate::mock
