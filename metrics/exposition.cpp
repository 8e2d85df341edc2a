// One pass from slots and sources to prometheus-cpp's families, in the order of the table, and to text.
#include "metrics/process_stats.hpp"
#include "metrics/registry_impl.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>

namespace tollgate::metrics {
namespace {

using Labels = std::vector<std::string>;
using Source = std::function<double()>;

struct Row {
    const Labels* labels;
    std::optional<std::uint32_t> slot;
    const Source* source;
};

prometheus::MetricType prometheus_type(FamilyType type) {
    switch (type) {
    case FamilyType::counter: return prometheus::MetricType::Counter;
    case FamilyType::gauge: return prometheus::MetricType::Gauge;
    case FamilyType::histogram: return prometheus::MetricType::Histogram;
    }
    return prometheus::MetricType::Untyped;
}

double exposed(std::uint64_t units, const FamilyRow& row) {
    // Correctly rounded, so a bound prints as the decimal that it was written as.
    return static_cast<double>(units) / static_cast<double>(row.divisor);
}

void set_value(const FamilyRow& row, double value, prometheus::ClientMetric& metric) {
    if (row.type == FamilyType::counter) {
        metric.counter.value = value;
    } else {
        metric.gauge.value = value;
    }
}

prometheus::ClientMetric labelled(const FamilyRow& row, const Labels& labels) {
    prometheus::ClientMetric metric;
    metric.label.reserve(labels.size());
    for (std::size_t i = 0; i < labels.size(); ++i)
        metric.label.push_back({std::string(row.label_names[i]), labels[i]});
    return metric;
}

std::size_t exposed_series(const prometheus::MetricFamily& family, const FamilyRow& row) {
    const std::size_t per_row = row.type == FamilyType::histogram ? row.bounds.size() + 3 : 1; // +Inf, sum, count
    return family.metric.size() * per_row;
}

// What a scrape reads, taken under the series lock and used after it: label sets are never removed.
struct Snapshot {
    std::array<std::vector<Row>, kFamilyCount> rows;
    std::array<std::uint64_t, kFamilyCount> overflow{};
    std::vector<std::shared_ptr<const SlotTable>> shards;
};

class Collection {
  public:
    explicit Collection(Snapshot snapshot) : snapshot_(std::move(snapshot)) {
        for (const FamilyRow& row : all_families()) {
            families_.push_back({std::string(row.name), std::string(row.help), prometheus_type(row.type), {}});
            for (const Row& series : merged(snapshot_.rows[families_.size() - 1])) add_series(row, series);
        }
    }

    void set(Family family, double value, const Labels& labels = {}) {
        if (std::isnan(value)) return;
        const FamilyRow& row = family_row(family);
        prometheus::ClientMetric metric = labelled(row, labels);
        set_value(row, value, metric);
        families_[static_cast<std::size_t>(family)].metric.push_back(std::move(metric));
    }

    void add_process(const ProcessStats& stats) {
        set(Family::process_cpu_seconds_total, stats.cpu_seconds);
        set(Family::process_resident_memory_bytes, stats.resident_bytes);
        set(Family::process_virtual_memory_bytes, stats.virtual_bytes);
        set(Family::process_virtual_memory_max_bytes, stats.virtual_max_bytes);
        set(Family::process_heap_bytes, stats.heap_bytes);
        set(Family::process_open_fds, stats.open_fds);
        set(Family::process_max_fds, stats.max_fds);
        set(Family::process_threads, stats.threads);
        set(Family::process_start_time_seconds, stats.start_time_seconds);
    }

    // The registry about itself; last, because it counts what the scrape holds.
    void add_self() {
        for (const FamilyRow& row : all_families()) {
            const std::size_t index = static_cast<std::size_t>(row.family);
            if (row.label_count() != 0) {
                set(Family::metrics_overflow_total, static_cast<double>(snapshot_.overflow[index]),
                    {families_[index].name});
            }
        }
        for (const FamilyRow& row : all_families()) {
            const prometheus::MetricFamily& family = families_[static_cast<std::size_t>(row.family)];
            if (family.metric.empty() || row.family == Family::metrics_series) continue;
            set(Family::metrics_series, static_cast<double>(exposed_series(family, row)), {family.name});
        }
    }

    [[nodiscard]] std::string text() && {
        std::erase_if(families_, [](const prometheus::MetricFamily& family) { return family.metric.empty(); });
        return prometheus::TextSerializer().Serialize(families_);
    }

  private:
    // A label set that has both a slot and a source becomes one row; their values add up.
    static std::vector<Row>& merged(std::vector<Row>& rows) {
        std::ranges::sort(rows, [](const Row& a, const Row& b) {
            return *a.labels != *b.labels ? *a.labels < *b.labels : a.slot.has_value() && !b.slot.has_value();
        });
        const auto absorb = [](Row& kept, const Row& next) {
            if (*kept.labels != *next.labels) return false;
            kept.source = next.source; // the row with the slot came first
            return true;
        };
        std::size_t kept = 0;
        for (std::size_t i = 1; i < rows.size(); ++i) {
            if (!absorb(rows[kept], rows[i])) rows[++kept] = rows[i];
        }
        if (!rows.empty()) rows.resize(kept + 1, rows.front());
        return rows;
    }

    [[nodiscard]] std::uint64_t sum(std::uint32_t slot) const {
        std::uint64_t total = 0;
        for (const auto& shard : snapshot_.shards) total += shard->read(slot);
        return total;
    }

    void add_series(const FamilyRow& row, const Row& series) {
        prometheus::ClientMetric metric = labelled(row, *series.labels);
        if (row.type == FamilyType::histogram) {
            fill_histogram(row, *series.slot, metric.histogram);
        } else {
            const double value = slot_value(row, series.slot) + (series.source != nullptr ? (*series.source)() : 0);
            if (std::isnan(value)) return;
            set_value(row, value, metric);
        }
        families_[static_cast<std::size_t>(row.family)].metric.push_back(std::move(metric));
    }

    [[nodiscard]] double slot_value(const FamilyRow& row, std::optional<std::uint32_t> slot) const {
        if (!slot) return 0;
        const std::uint64_t total = sum(*slot);
        if (row.type == FamilyType::gauge) return static_cast<double>(static_cast<std::int64_t>(total));
        return exposed(total, row);
    }

    // The count is the sum of the buckets just read, so a scrape during writes is still consistent in itself.
    void fill_histogram(const FamilyRow& row, std::uint32_t slot, prometheus::ClientMetric::Histogram& out) const {
        out.bucket.reserve(row.bounds.size());
        std::uint64_t cumulative = 0;
        for (std::size_t i = 0; i < row.bounds.size(); ++i) {
            cumulative += sum(slot + static_cast<std::uint32_t>(i));
            out.bucket.push_back({cumulative, exposed(row.bounds[i], row)});
        }
        const std::uint32_t beyond = slot + static_cast<std::uint32_t>(row.bounds.size());
        out.sample_count = cumulative + sum(beyond);
        out.sample_sum = exposed(sum(beyond + 1), row);
    }

    Snapshot snapshot_;
    std::vector<prometheus::MetricFamily> families_;
};

} // namespace

std::string Registry::expose() {
    const std::lock_guard scrape(impl_->source_mutex);
    const TimePoint started = Clock::now();
    Snapshot snapshot;
    {
        const std::lock_guard lock(impl_->series_mutex);
        for (std::size_t i = 0; i < kFamilyCount; ++i) {
            snapshot.rows[i].reserve(impl_->series[i].size() + impl_->sources[i].size());
            for (const auto& [labels, slot] : impl_->series[i]) snapshot.rows[i].push_back({&labels, slot, nullptr});
        }
        snapshot.overflow = impl_->overflow;
        snapshot.shards = impl_->shards;
    }
    for (std::size_t i = 0; i < kFamilyCount; ++i) {
        for (const auto& [labels, read] : impl_->sources[i]) snapshot.rows[i].push_back({&labels, std::nullopt, &read});
    }
    Collection collection(std::move(snapshot));
    collection.add_process(read_process_stats());
    collection.set(Family::scrape_duration_seconds, impl_->last_scrape_seconds);
    collection.add_self();
    std::string text = std::move(collection).text();
    impl_->last_scrape_seconds = std::chrono::duration<double>(Clock::now() - started).count();
    return text;
}

} // namespace tollgate::metrics
