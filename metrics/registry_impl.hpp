// Private to metrics/: the state behind Shard and Registry, shared by registry.cpp and exposition.cpp.
#pragma once

#include "metrics/families.hpp"
#include "metrics/registry.hpp"

#include <array>
#include <map>
#include <mutex>

namespace tollgate::metrics {

inline constexpr std::size_t kSeriesCap = 10'000; // per family, before values of open labels are folded
inline constexpr std::string_view kOverflowValue = "_other";
// Default-constructed handles, histograms included, write here; nothing reads it.
inline constexpr std::uint32_t kSinkSlots = kMaxBounds + 2;

// A table of chunks that never moves: the owner publishes a chunk with release, readers look with acquire, and an
// absent chunk reads as zeros. So slots may be allotted long after the shard was made, without telling its owner.
struct SlotTable {
    static constexpr std::size_t kChunkSlots = 4096;
    static constexpr std::size_t kChunks = 8192;
    using Slot = std::atomic<std::uint64_t>;
    using Chunk = std::array<Slot, kChunkSlots>;

    SlotTable() = default;
    SlotTable(const SlotTable&) = delete;
    SlotTable& operator=(const SlotTable&) = delete;
    ~SlotTable() {
        for (auto& chunk : chunks) delete chunk.load(std::memory_order_relaxed);
    }

    // Owner thread only. Plain load and store: there is no other writer.
    void add(std::uint32_t slot, std::uint64_t n) {
        Chunk* chunk = chunks[slot / kChunkSlots].load(std::memory_order_relaxed);
        if (chunk == nullptr) chunk = make_chunk(slot / kChunkSlots);
        Slot& value = (*chunk)[slot % kChunkSlots];
        value.store(value.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }

    [[nodiscard]] std::uint64_t read(std::uint32_t slot) const noexcept { // any thread
        const Chunk* chunk = chunks[slot / kChunkSlots].load(std::memory_order_acquire);
        return chunk == nullptr ? 0 : (*chunk)[slot % kChunkSlots].load(std::memory_order_relaxed);
    }

    Chunk* make_chunk(std::size_t index);

    std::array<std::atomic<Chunk*>, kChunks> chunks{};

    // A family holds at most 2 × cap + 1 series (Registry::Impl::resolve), so the slot space cannot run out.
    static_assert(kSinkSlots + kFamilyCount * (2 * kSeriesCap + 1) * (kMaxBounds + 2) <= kChunks * kChunkSlots);
};

struct Shard::Impl final : SlotTable {};

struct Registry::Impl {
    using Labels = std::vector<std::string>;
    using Source = std::function<double()>;

    // Guards everything down to `shards`. Held briefly: workers resolve handles under it.
    std::mutex series_mutex;
    std::array<std::map<Labels, std::uint32_t>, kFamilyCount> series; // nodes are never removed
    std::array<std::uint64_t, kFamilyCount> overflow{};
    std::uint32_t next_slot = kSinkSlots;
    std::vector<std::shared_ptr<const SlotTable>> shards;

    // Held during a whole scrape, so a replaced source is never called after its replacement returned.
    // Taken before series_mutex where both are held.
    std::mutex source_mutex;
    std::array<std::map<Labels, Source>, kFamilyCount> sources;
    double last_scrape_seconds = 0;

    std::uint32_t resolve(Family family, FamilyType type, std::initializer_list<std::string_view> labels);
    void set_source(Family family, FamilyType type, std::initializer_list<std::string_view> labels, Source read);
};

} // namespace tollgate::metrics
