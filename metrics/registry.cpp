#include "metrics/registry.hpp"

#include "gateway/base/text.hpp"
#include "metrics/registry_impl.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace tollgate::metrics {
namespace {

using Labels = std::vector<std::string>;

// One octet that is not UTF-8 would make the whole exposition unreadable, so it becomes U+FFFD. The JSON escaper leaves
// octets from 0x80 up alone or replaces them, which is exactly that.
std::string valid_utf8(std::string_view value) {
    const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
    std::string out;
    while (!value.empty()) {
        const auto run_end =
            is_ascii(value.front()) ? std::ranges::find_if_not(value, is_ascii) : std::ranges::find_if(value, is_ascii);
        const std::string_view run = value.substr(0, static_cast<std::size_t>(run_end - value.begin()));
        if (is_ascii(run.front())) {
            out += run;
        } else {
            append_json_escaped(out, run);
        }
        value.remove_prefix(run.size());
    }
    return out;
}

const FamilyRow& checked_row(Family family, FamilyType type, std::size_t label_count) {
    const FamilyRow& row = family_row(family);
    if (row.type != type || row.label_count() != label_count) {
        throw std::invalid_argument(std::string(row.name) + ": used as " + std::string(to_string(type)) + " with " +
                                    std::to_string(label_count) + " labels");
    }
    return row;
}

template <class Values>
Labels to_labels(const Values& values) {
    Labels labels;
    labels.reserve(values.size());
    for (const auto& value : values) labels.push_back(valid_utf8(value));
    return labels;
}

std::uint32_t slots_per_series(const FamilyRow& row) {
    return row.type == FamilyType::histogram ? static_cast<std::uint32_t>(row.bounds.size()) + 2 : 1;
}

void fold_open_labels(const FamilyRow& row, Labels& labels) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
        if (is_open_label(row.label_names[i])) labels[i] = kOverflowValue;
    }
}

} // namespace

SlotTable::Chunk* SlotTable::make_chunk(std::size_t index) {
    auto chunk = std::make_unique<Chunk>();
    chunks[index].store(chunk.get(), std::memory_order_release);
    return chunk.release();
}

Shard::Shard() : impl_(std::make_shared<Impl>()) {}

void Shard::add(Counter counter, std::uint64_t n) noexcept {
    impl_->add(counter.slot, n);
}

// Gauges are sums modulo 2^64: one shard may hold the +1 and another the -1.
void Shard::add(Gauge gauge, std::int64_t delta) noexcept {
    impl_->add(gauge.slot, static_cast<std::uint64_t>(delta));
}

void Shard::observe(Histogram histogram, std::uint64_t value) noexcept {
    const auto bucket = std::ranges::lower_bound(histogram.bounds, value) - histogram.bounds.begin(); // value <= bound
    impl_->add(histogram.slot + static_cast<std::uint32_t>(bucket), 1);
    impl_->add(histogram.slot + static_cast<std::uint32_t>(histogram.bounds.size()) + 1, value);
}

void Shard::observe(Histogram histogram, Duration duration) noexcept {
    const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(duration).count();
    observe(histogram, static_cast<std::uint64_t>(std::max<std::int64_t>(ns, 0)));
}

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Shard Registry::make_shard() {
    Shard shard;
    const std::lock_guard lock(impl_->series_mutex);
    impl_->shards.push_back(shard.impl_); // for good: what a finished thread counted still counts
    return shard;
}

std::uint32_t Registry::Impl::resolve(Family family, FamilyType type, std::initializer_list<std::string_view> values) {
    const FamilyRow& row = checked_row(family, type, values.size());
    Labels labels = to_labels(values);
    const std::size_t index = static_cast<std::size_t>(family);
    const std::lock_guard lock(series_mutex);
    auto& rows = series[index];
    if (const auto known = rows.find(labels); known != rows.end()) return known->second;
    if (rows.size() >= kSeriesCap) {
        ++overflow[index];
        // Closed labels keep their values while that stays bounded too: an outcome is worth more than a model name.
        fold_open_labels(row, labels);
        if (rows.size() >= 2 * kSeriesCap && !rows.contains(labels))
            labels.assign(labels.size(), std::string(kOverflowValue));
        if (const auto known = rows.find(labels); known != rows.end()) return known->second;
    }
    const std::uint32_t slot = next_slot;
    next_slot += slots_per_series(row);
    rows.emplace(std::move(labels), slot);
    return slot;
}

Counter Registry::counter(Family family, std::initializer_list<std::string_view> labels) {
    return {impl_->resolve(family, FamilyType::counter, labels)};
}

Gauge Registry::gauge(Family family, std::initializer_list<std::string_view> labels) {
    return {impl_->resolve(family, FamilyType::gauge, labels)};
}

Histogram Registry::histogram(Family family, std::initializer_list<std::string_view> labels) {
    return {impl_->resolve(family, FamilyType::histogram, labels), family_row(family).bounds};
}

void Registry::Impl::set_source(Family family, FamilyType type, std::initializer_list<std::string_view> values,
                                Source read) {
    (void)checked_row(family, type, values.size());
    Labels labels = to_labels(values);
    const std::lock_guard lock(source_mutex);
    sources[static_cast<std::size_t>(family)].insert_or_assign(std::move(labels), std::move(read));
}

void Registry::gauge_source(Family family, std::initializer_list<std::string_view> labels,
                            std::function<double()> read) {
    impl_->set_source(family, FamilyType::gauge, labels, std::move(read));
}

void Registry::counter_source(Family family, std::initializer_list<std::string_view> labels,
                              std::function<double()> read) {
    impl_->set_source(family, FamilyType::counter, labels, std::move(read));
}

void Registry::set_info(Family family, std::vector<std::vector<std::string>> label_rows) {
    std::vector<SourceRow> rows;
    rows.reserve(label_rows.size());
    for (auto& labels : label_rows) rows.push_back({std::move(labels), [] { return 1.0; }});
    replace_sources(family, std::move(rows));
}

void Registry::replace_sources(Family family, std::vector<SourceRow> rows) {
    std::map<Labels, Impl::Source> sources;
    std::uint64_t folded = 0;
    for (SourceRow& source : rows) {
        const FamilyRow& row = checked_row(family, FamilyType::gauge, source.labels.size());
        Labels labels = to_labels(source.labels);
        if (sources.size() >= kSeriesCap && !sources.contains(labels)) {
            fold_open_labels(row, labels);
            ++folded;
        }
        sources.try_emplace(std::move(labels), std::move(source.read));
    }
    if (folded != 0) note_overflow(family, folded);
    const std::lock_guard lock(impl_->source_mutex);
    impl_->sources[static_cast<std::size_t>(family)] = std::move(sources);
}

void Registry::note_overflow(Family family, std::uint64_t label_sets) {
    const std::lock_guard lock(impl_->series_mutex);
    impl_->overflow[static_cast<std::size_t>(family)] += label_sets;
}

} // namespace tollgate::metrics
