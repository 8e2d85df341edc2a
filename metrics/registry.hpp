// Counters that cost a plain add: every thread owns a shard of 64-bit slots, scrapes sum them. Handles are resolved at
// config load (or once on first use), never per event.
#pragma once

#include "gateway/base/time.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::metrics {

enum class Family : std::uint16_t; // metrics/families.hpp: one enumerator per family of observability §1.3

struct Counter {
    std::uint32_t slot = 0;
}; // slot 0 is a sink that is never exposed
struct Gauge {
    std::uint32_t slot = 0;
}; // add/subtract from any thread's shard; exposed as the sum
struct Histogram {
    std::uint32_t slot = 0;
    std::span<const std::uint64_t> bounds; // in the family's integer unit (nanoseconds, bytes, …)
};

// Written by one thread, read by the scraper: relaxed stores, no read-modify-write instruction.
class Shard {
  public:
    void add(Counter counter, std::uint64_t n = 1) noexcept;
    void add(Gauge gauge, std::int64_t delta) noexcept;
    void observe(Histogram histogram, std::uint64_t value) noexcept; // unit of the family
    void observe(Histogram histogram, Duration duration) noexcept;   // families in seconds

  private:
    friend class Registry;
    Shard();
    // chunked slots with stable addresses
    struct Impl;
    std::shared_ptr<Impl> impl_;
};

// Thread-safe apart from the shards. Label values come in the order of the family's label names and must come from
// the configuration or a closed set; each family has a cap (default 10,000 series), beyond it "_other" and a count.
// A family of another type or with another number of labels throws std::invalid_argument: a programming error.
class Registry {
  public:
    Registry();
    ~Registry();
    Registry(const Registry&) = delete;
    Registry& operator=(const Registry&) = delete;

    [[nodiscard]] Shard make_shard();
    [[nodiscard]] Counter counter(Family family, std::initializer_list<std::string_view> labels);
    [[nodiscard]] Gauge gauge(Family family, std::initializer_list<std::string_view> labels);
    [[nodiscard]] Histogram histogram(Family family, std::initializer_list<std::string_view> labels);
    // A value read at scrape time, on the scraping thread; NaN leaves the series out. `read` must not throw nor call
    // the registry; once a registration with the same labels has returned, the one it replaced is never called again.
    void gauge_source(Family family, std::initializer_list<std::string_view> labels, std::function<double()> read);
    // Replaces all sources of a family in one step (info metrics that change on reload).
    void set_info(Family family, std::vector<std::vector<std::string>> label_rows);
    // Replaces all sources of a gauge family in one step: what is not among `rows` is gone from the next scrape on.
    struct SourceRow {
        std::vector<std::string> labels;
        std::function<double()> read; // as for gauge_source
    };
    void replace_sources(Family family, std::vector<SourceRow> rows);
    // Same as gauge_source for families of type counter (values kept elsewhere as integers).
    void counter_source(Family family, std::initializer_list<std::string_view> labels, std::function<double()> read);

    // For callers that fold label values themselves: counts into metrics_overflow_total.
    void note_overflow(Family family, std::uint64_t label_sets);

    // text/plain; version=0.0.4 through prometheus-cpp's serializer, process_* included. Not for an I/O thread.
    [[nodiscard]] std::string expose();

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace tollgate::metrics
