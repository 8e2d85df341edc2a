#include "policy/ledger/recover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <system_error>
#include <unordered_map>

namespace tollgate::policy::ledger {
namespace {

// One request's records; views into the mapped segments.
struct Story {
    std::string_view admit;
    std::string_view progress;
    std::int64_t progress_us = 0;
    std::size_t order = 0;
    bool settled = false;
};

class Stories {
  public:
    void add(std::string_view frame) {
        ++records_;
        const std::optional<Record> record = decode(frame);
        if (!record || std::holds_alternative<Adjust>(*record) || std::holds_alternative<Served>(*record)) return;
        Story& story = stories_[id_of(*record)];
        if (std::holds_alternative<Admit>(*record)) {
            if (story.admit.empty()) story.order = records_;
            story.admit = frame;
        } else if (const auto* const progress = std::get_if<Progress>(&*record)) {
            if (!story.progress.empty() && progress->at_us < story.progress_us) return;
            story.progress = frame;
            story.progress_us = progress->at_us;
        } else {
            story.settled = true;
        }
    }

    [[nodiscard]] std::vector<OpenOperation> open() const {
        std::vector<const Story*> found;
        for (const auto& [id, story] : stories_) {
            if (!story.settled && !story.admit.empty()) found.push_back(&story);
        }
        std::ranges::sort(found, {}, &Story::order);
        std::vector<OpenOperation> open;
        open.reserve(found.size());
        for (const Story* const story : found) {
            open.push_back({.admit = Kept<Admit>(story->admit), .progress = {}});
            if (!story->progress.empty()) open.back().progress.emplace(story->progress);
        }
        return open;
    }
    [[nodiscard]] std::size_t records() const { return records_; }

  private:
    std::unordered_map<std::string_view, Story> stories_;
    std::size_t records_ = 0;
};

bool any_frame(const Segment& segment, std::size_t from) {
    const std::size_t used = segment.used();
    for (std::size_t at = from; at + kFrameHead < used; at += kFrameAlignment) {
        if (first_frame(segment.octets(at, segment.size())).state == FrameState::valid) return true;
    }
    return false;
}

Damage describe(const Segment& segment, const Examination& found) {
    return {.file = segment.file(),
            .offset = found.end,
            .octets = found.lost,
            .text = fmt::format("{} is damaged at offset {}: no valid record there, {} octets up to its used end {}",
                                segment.file(), found.end, found.lost, segment.claimed_used())};
}

void remove_leftovers(const std::string& directory) {
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (name.starts_with("segment-") && name.ends_with(".log.new")) std::filesystem::remove(entry.path(), error);
    }
}

} // namespace

Settle settle_unknown(const OpenOperation& operation, std::int64_t now_us) noexcept {
    const Admit& admit = operation.admit.record();
    Settle settle;
    settle.request_id = admit.request_id;
    settle.admitted_us = admit.at_us;
    settle.at_us = now_us;
    settle.outcome = "unknown";
    settle.error_type = "gateway_internal";
    settle.cache = "none";
    settle.provider = admit.provider;
    settle.duration_us = std::max<std::int64_t>(0, now_us - admit.at_us);
    settle.attempt_count = admit.attempt;
    if (operation.progress) {
        const Progress& progress = operation.progress->record();
        settle.usage_source = UsageSource::estimated;
        settle.tokens.in = progress.in_tokens;
        settle.tokens.out = progress.out_tokens;
        settle.cost.total = progress.cost_nano;
    } else {
        settle.cost.total = admit.reserved_nano;
    }
    return settle;
}

Examination examine(const Segment& segment, const std::function<void(std::string_view, std::size_t)>& visit) {
    Examination found{.end = kSegmentHead};
    const std::size_t claimed = segment.claimed_used(); // first: a writer may add to it while we read
    while (true) {
        const FrameView frame = first_frame(segment.octets(found.end, segment.size()));
        if (frame.state != FrameState::valid) break;
        visit(frame.octets, found.end);
        ++found.frames;
        found.end += frame.octets.size();
    }
    if (found.end >= claimed) return found;
    found.lost = claimed - found.end;
    found.valid_after = any_frame(segment, found.end + kFrameAlignment);
    return found;
}

std::expected<std::vector<std::shared_ptr<Segment>>, std::string> open_segments(const std::string& directory) {
    std::vector<std::shared_ptr<Segment>> segments;
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        if (!name.starts_with("segment-") || !name.ends_with(".log")) continue;
        auto segment = Segment::open(entry.path().string());
        if (!segment) return std::unexpected(segment.error());
        if (name != segment_name((*segment)->sequence())) {
            return std::unexpected(fmt::format("{} is damaged at offset 8: it says that it is {}",
                                               entry.path().string(), segment_name((*segment)->sequence())));
        }
        segments.push_back(std::move(*segment));
    }
    if (error) return std::unexpected(fmt::format("cannot list {}: {}", directory, error.message()));
    std::ranges::sort(segments, {}, [](const auto& segment) { return segment->sequence(); });
    return segments;
}

std::expected<Recovery, std::string> recover(const std::string& directory) {
    auto segments = open_segments(directory);
    if (!segments) return std::unexpected(segments.error());
    Stories stories;
    std::vector<Examination> examinations;
    for (const auto& segment : *segments) {
        examinations.push_back(examine(*segment, [&](std::string_view frame, std::size_t) { stories.add(frame); }));
    }
    Recovery recovery{.segments = {}, .open = stories.open(), .cuts = {}, .records = stories.records()};
    bool last = true; // no record in any later segment
    for (std::size_t i = segments->size(); i-- > 0;) {
        const Segment& segment = *(*segments)[i];
        const Examination& found = examinations[i];
        const bool durable = found.end < segment.claimed_synced();
        if (found.lost > 0) {
            const Damage damage = describe(segment, found);
            if (durable && (found.valid_after || !last)) {
                return std::unexpected(damage.text +
                                       "; records follow it, so this is no torn end. Nothing was changed. "
                                       "Restore the file, or move the ledger away to start an empty one");
            }
            recovery.cuts.push_back(damage);
        }
        last = last && found.frames == 0 && found.lost == 0;
    }
    // Only now, when nothing refuses the start any more.
    std::ranges::reverse(recovery.cuts);
    remove_leftovers(directory);
    for (std::size_t i = 0; i < segments->size(); ++i) {
        const std::shared_ptr<Segment>& segment = (*segments)[i];
        if (examinations[i].lost > 0 || segment->used() < examinations[i].end) segment->cut(examinations[i].end);
        if (examinations[i].frames > 0) {
            recovery.segments.push_back(segment);
        } else if (auto removed = segment->remove(); !removed) {
            return std::unexpected(removed.error());
        }
    }
    return recovery;
}

} // namespace tollgate::policy::ledger
