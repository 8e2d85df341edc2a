#include "metrics/word_ids.hpp"

#include <utility>

namespace tollgate::metrics {
namespace {

constexpr std::size_t kMaxAddresses = 4'096;

} // namespace

WordIds::WordIds() : words_{"_other"} {}

std::uint16_t WordIds::id(std::string_view word) {
    if (const auto known = by_address_.find(word.data()); known != by_address_.end()) {
        if (words_[known->second] == word) return known->second;
    }
    const std::uint16_t id = find_by_text(word);
    if (by_address_.size() >= kMaxAddresses) by_address_.clear();
    by_address_.insert_or_assign(word.data(), id);
    return id;
}

std::uint16_t WordIds::find_by_text(std::string_view word) {
    std::string text(word);
    if (const auto known = by_text_.find(text); known != by_text_.end()) return known->second;
    if (words_.size() >= kMaxWords) return 0;
    const auto id = static_cast<std::uint16_t>(words_.size());
    words_.push_back(text);
    by_text_.emplace(std::move(text), id);
    return id;
}

} // namespace tollgate::metrics
