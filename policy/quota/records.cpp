#include "policy/quota/records.hpp"

#include <algorithm>

namespace tollgate::policy::quota {

std::size_t Records::place_of(const ReservationId& id) const {
    const std::size_t mask = table_.size() - 1;
    std::size_t place = id.hash() & mask;
    while (table_[place] != kHole && slab_[table_[place]].id != id) place = (place + 1) & mask;
    return place;
}

Record* Records::find(const ReservationId& id) {
    if (table_.empty()) return nullptr;
    const std::uint32_t index = table_[place_of(id)];
    return index == kHole ? nullptr : &slab_[index];
}

void Records::grow() {
    const std::size_t size = std::max<std::size_t>(64, 2 * table_.size());
    std::vector<std::uint32_t> larger(size, kHole);
    free_.reserve(size); // so that erase() cannot fail
    const std::vector<std::uint32_t> old = std::exchange(table_, std::move(larger));
    for (const std::uint32_t index : old) {
        if (index != kHole) table_[place_of(slab_[index].id)] = index;
    }
}

Record& Records::insert(const ReservationId& id) {
    if (2 * (used_ + 1) > table_.size()) grow();
    if (free_.empty()) {
        slab_.emplace_back();
        free_.push_back(static_cast<std::uint32_t>(slab_.size() - 1));
    }
    const std::uint32_t index = free_.back();
    free_.pop_back();
    Record& record = slab_[index];
    record.id = id;
    table_[place_of(id)] = index;
    ++used_;
    return record;
}

void Records::erase(Record& record) {
    const std::size_t mask = table_.size() - 1;
    std::size_t hole = place_of(record.id);
    free_.push_back(table_[hole]);
    table_[hole] = kHole;
    --used_;
    // Whoever was pushed past the hole by probing moves back into it.
    for (std::size_t next = (hole + 1) & mask; table_[next] != kHole; next = (next + 1) & mask) {
        const std::size_t home = slab_[table_[next]].id.hash() & mask;
        if (((next - home) & mask) < ((next - hole) & mask)) continue;
        table_[hole] = std::exchange(table_[next], kHole);
        hole = next;
    }
    record.state = Record::State::closed;
    record.progress.reset();
    record.lines.clear();
}

} // namespace tollgate::policy::quota
