#include "policy/ledger/table_writer.hpp"

#include "gateway/base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

constexpr std::size_t kUsualFrames = 400; // octets of an ADMIT and a PROGRESS with names of usual length

// Frames were checked when they were read.
template <class R>
R record_of(std::string_view frame) {
    R record;
    if (!frame.empty() && !read_checked(frame, record)) record = {};
    return record;
}

// A row like any other, of an operation that used nothing.
void describe(const Served& served, Operation& operation) {
    Admit& admit = operation.admit;
    admit.request_id = served.request_id;
    admit.at_us = served.started_us;
    admit.org = served.org;
    admit.team = served.team;
    admit.key = served.key;
    admit.operation = served.operation;
    admit.provider = served.provider;
    admit.model = served.model;
    Settle& settle = operation.settle;
    settle.request_id = served.request_id;
    settle.admitted_us = served.started_us;
    settle.at_us = served.started_us + served.duration_us;
    settle.outcome = "success";
    settle.cache = served.cache;
    settle.config_hash = served.config_hash;
    settle.provider = served.provider;
    settle.http_status = served.http_status;
    settle.stream = served.stream;
    settle.tokens.in = settle.tokens.out = 0;
    settle.cost.total = 0;
    settle.saved_nano = served.saved_nano;
    settle.duration_us = served.duration_us;
    settle.client_request_id = served.client_request_id;
}

void read_operation(std::string_view admit, std::string_view settle, Operation& operation) {
    if (!read_checked(settle, operation.settle)) operation.settle = {};
    if (!admit.empty() && read_checked(admit, operation.admit)) return;
    operation.admit = {};
    operation.admit.request_id = operation.settle.request_id;
    operation.admit.at_us = operation.settle.admitted_us;
}

} // namespace

TableWriter::TableWriter(SegmentLog& log, std::unique_ptr<Table> table, std::size_t batch,
                         std::unordered_set<std::string> settled)
    : log_(log), table_(std::move(table)), batch_(batch), settled_(std::move(settled)), cursor_(log.begin()),
      skip_(cursor_.segment->consumed()) {}

std::expected<bool, std::string> TableWriter::step() {
    if (auto got = read(); !got) return std::unexpected(got.error());
    const bool more = done_.size() + adjusts_.size() >= batch_;
    if (auto written = write(); !written) return std::unexpected(written.error());
    if (auto gone = let_go(); !gone) return std::unexpected(gone.error());
    return more;
}

bool TableWriter::has_open(Day day) const {
    return std::ranges::any_of(
        open_, [day](const auto& entry) { return day_of(record_of<Admit>(entry.second.admit).at_us) == day; });
}

std::expected<void, std::string> TableWriter::read() {
    while (done_.size() + adjusts_.size() < batch_) {
        if (cursor_.offset >= cursor_.segment->used()) {
            const std::shared_ptr<Segment> before = cursor_.segment;
            if (!log_.advance(cursor_)) return {};
            behind_.push_back(before);
            skip_ = cursor_.segment->consumed();
            continue;
        }
        const FrameView frame = first_frame(cursor_.segment->octets(cursor_.offset, cursor_.segment->used()));
        if (frame.state != FrameState::valid) { // it was valid once: memory or the disk changed it
            return std::unexpected(
                fmt::format("{}: the record at offset {} is damaged", cursor_.segment->file(), cursor_.offset));
        }
        take(frame.octets, cursor_.offset < skip_);
        cursor_.offset += frame.octets.size();
    }
    return {};
}

void TableWriter::take(std::string_view frame, bool in_table) {
    const FrameHead head = head_of(frame);
    switch (head.kind) {
    case RecordKind::admit: return open(head.id, frame);
    case RecordKind::settle: return close(head.id, frame, in_table);
    case RecordKind::progress: return advance(head.id, frame);
    case RecordKind::adjust:
        if (!in_table) adjusts_.emplace_back(frame);
        return;
    case RecordKind::served:
        if (!in_table) done_.push_back({.admit = {}, .settle = std::string(frame)});
    }
}

void TableWriter::advance(std::string_view id, std::string_view frame) {
    const auto found = open_.find(std::string(id));
    const std::int64_t at_us = record_of<Progress>(frame).at_us;
    if (found == open_.end() || at_us < found->second.progress_us) return;
    found->second.progress = frame;
    found->second.progress_us = at_us;
}

void TableWriter::open(std::string_view id, std::string_view frame) {
    std::string key(id);
    if (settled_.contains(key)) return;
    Open& entry = open_[std::move(key)];
    if (entry.home != nullptr) --homes_[entry.home];
    entry.admit = frame;
    entry.home = cursor_.segment.get();
    ++homes_[entry.home];
}

void TableWriter::close(std::string_view id, std::string_view frame, bool in_table) {
    const auto found = open_.find(std::string(id));
    std::string admit;
    if (found != open_.end()) {
        --homes_[found->second.home];
        admit = std::move(found->second.admit);
        open_.erase(found);
    }
    if (!in_table) done_.push_back({.admit = std::move(admit), .settle = std::string(frame)});
}

std::expected<void, std::string> TableWriter::write_rows() {
    owned_.clear();
    orphans_of_batch_.clear();
    for (const Done& done : done_) {
        Served served;
        if (read_checked(done.settle, served)) {
            describe(served, owned_.emplace_back());
            continue;
        }
        read_operation(done.admit, done.settle, (done.admit.empty() ? orphans_of_batch_ : owned_).emplace_back());
    }
    std::vector<Adjust> adjusts;
    adjusts.reserve(adjusts_.size());
    for (const std::string& frame : adjusts_) adjusts.push_back(record_of<Adjust>(frame));
    const auto written = table_->write(owned_, adjusts);
    if (!written) return std::unexpected(written.error());
    // A second settle of the same request is one of these too, and then it is no new row.
    const auto strays = table_->write(orphans_of_batch_, {});
    if (!strays) return std::unexpected(strays.error());
    rows_ += written->rows + strays->rows;
    duplicates_ += written->duplicates + strays->duplicates;
    orphans_ += strays->rows;
    if (strays->rows > 0) log::error("the ledger has a settlement without its admission", {});
    done_.clear();
    adjusts_.clear();
    return {};
}

std::expected<void, std::string> TableWriter::write() {
    if (!done_.empty() || !adjusts_.empty()) {
        if (auto written = write_rows(); !written) return written;
    }
    for (const auto& segment : behind_) {
        if (segment->consumed() < segment->used()) segment->set_consumed(segment->used());
    }
    if (cursor_.segment->consumed() < cursor_.offset) cursor_.segment->set_consumed(cursor_.offset);
    return {};
}

// A segment goes when all of it is in the table and no operation that started in it is open. What stays open long is
// written again at the end of the log, and has to be durable there before its old place goes.
std::expected<void, std::string> TableWriter::let_go() {
    if (behind_.empty()) return {};
    bool carried = false;
    for (const auto& segment : behind_) carried = carry_from(segment.get()) || carried;
    if (carried) return {}; // the copies are read first, and give those operations their new home
    const auto first_kept = std::ranges::find_if(behind_, [this](const auto& s) { return homes_[s.get()] > 0; });
    if (first_kept == behind_.begin()) return {};
    if (auto synced = log_.sync(); !synced) return {}; // the log's thread says why
    while (!behind_.empty() && homes_[behind_.front().get()] == 0) {
        homes_.erase(behind_.front().get());
        if (auto gone = log_.release(behind_.front()); !gone) log::error(gone.error(), {});
        behind_.erase(behind_.begin());
    }
    return {};
}

bool TableWriter::carry_from(const Segment* segment) {
    const auto count = homes_.find(segment);
    if (count == homes_.end() || count->second == 0) return false;
    // More than a quarter of a segment of open operations would chase itself round the log.
    if (open_.size() * kUsualFrames > segment->size() / 4) return false;
    bool carried = false;
    for (const auto& [id, entry] : open_) {
        if (entry.home != segment) continue;
        if (!log_.carry(std::hash<std::string_view>{}(id), entry.admit + entry.progress)) return carried;
        carried = true;
    }
    return carried;
}

} // namespace tollgate::policy::ledger
