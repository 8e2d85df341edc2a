#include "gateway/api/replay/merge.hpp"

#include <algorithm>

namespace tollgate::api::replay {
namespace {

constexpr std::size_t kRecord = 64; // what a kept member costs beside its octets

bool says_nothing(const Value& value) {
    return value.is_null() ||
           (value.is_object() && value.inner().find_first_not_of(" \t\r\n") == std::string_view::npos);
}

} // namespace

ObjectWriter& ObjectWriter::value(std::string_view name, std::string_view json) {
    open(name) += json;
    return *this;
}

ObjectWriter& ObjectWriter::text(std::string_view name, std::string_view escaped) {
    std::string& out = open(name);
    out += '"';
    out += escaped;
    out += '"';
    return *this;
}

std::string& ObjectWriter::open(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_ += '"';
    out_ += name;
    out_ += "\":";
    return out_;
}

std::string* Fields::known(std::string_view name) noexcept {
    const auto found = std::ranges::find(fields_, name, &std::pair<std::string, std::string>::first);
    return found == fields_.end() ? nullptr : &found->second;
}

bool Fields::add(std::string_view name, const Value& value, Budget& budget) {
    if (fields_.size() == kMaxMembers || !budget.take(kRecord + name.size() + value.text.size())) return false;
    fields_.emplace_back(name, value.text);
    return true;
}

bool Fields::take(std::string_view name, const Value& value, Budget& budget) {
    if (says_nothing(value)) return true;
    const std::string* before = known(name);
    return before != nullptr ? *before == value.text : add(name, value, budget);
}

bool Fields::replace(std::string_view name, const Value& value, Budget& budget) {
    if (says_nothing(value)) return true;
    std::string* before = known(name);
    if (before == nullptr) return add(name, value, budget);
    if (value.text.size() > before->size() && !budget.take(value.text.size() - before->size())) return false;
    *before = value.text;
    return true;
}

std::string_view Fields::find(std::string_view name) const noexcept {
    const auto found = std::ranges::find(fields_, name, &std::pair<std::string, std::string>::first);
    return found == fields_.end() ? std::string_view() : std::string_view(found->second);
}

void Fields::write(ObjectWriter& out, std::initializer_list<std::string_view> without) const {
    for (const auto& [name, value] : fields_)
        if (std::ranges::find(without, std::string_view(name)) == without.end()) out.value(name, value);
}

bool Text::take(const Value& value, Budget& budget) {
    mentioned = true;
    if (value.is_null()) return true;
    if (!value.is_string() || !budget.take(value.inner().size())) return false;
    told = true;
    escaped += value.inner();
    return true;
}

bool append_elements(std::string& out, const Value& array, Budget& budget) {
    if (!array.is_array()) return false;
    std::string_view elements = array.inner();
    const std::size_t begin = elements.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) return true;
    elements.remove_prefix(begin);
    if (!budget.take(elements.size() + 1)) return false;
    if (!out.empty()) out += ',';
    out += elements;
    return true;
}

Lists::List* Lists::list(std::string_view name, Budget& budget) {
    const auto found = std::ranges::find(lists_, name, &List::name);
    if (found != lists_.end()) return &*found;
    if (lists_.size() == kMaxMembers || !budget.take(kRecord + name.size())) return nullptr;
    return &lists_.emplace_back(std::string(name));
}

bool Lists::take(const Value& value, Budget& budget) {
    mentioned_ = true;
    if (value.is_null()) return true;
    const auto members = members_of(value);
    if (!members) return false;
    told_ = true;
    return std::ranges::all_of(*members, [&](const Member& member) {
        List* const known = list(member.name, budget);
        if (known == nullptr) return false;
        if (member.value.is_null()) return true;
        known->told = true;
        return append_elements(known->elements, member.value, budget);
    });
}

void Lists::write(std::string& out) const {
    ObjectWriter object(out);
    for (const List& list : lists_) {
        if (list.told)
            object.value(list.name, '[' + list.elements + ']');
        else
            object.value(list.name, "null");
    }
    object.close();
}

} // namespace tollgate::api::replay
