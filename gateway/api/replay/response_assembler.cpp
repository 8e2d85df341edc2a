#include "gateway/api/replay/response_assembler.hpp"

#include "gateway/api/replay/json_text.hpp"

namespace tollgate::api::replay {

bool ResponseAssembler::feed(std::string_view data) {
    if (data.starts_with("[DONE]")) return true; // some servers end with it here too
    const auto event = read_value(data);
    const auto members = event ? members_of(*event) : std::nullopt;
    if (!members || !response_.empty()) return false;
    const std::string_view type = find(*members, "type").text;
    if (type == R"("response.output_item.done")") ++items_;
    if (type == R"("response.completed")") {
        const Value response = find(*members, "response");
        if (!response.is_object() || response.text.size() > max_octets_) return false;
        response_ = response.text;
    }
    return type != R"("error")" && type != R"("response.failed")" && type != R"("response.incomplete")";
}

std::optional<std::string> ResponseAssembler::finish() {
    const auto response = read_value(response_);
    const auto members = response ? members_of(*response) : std::nullopt;
    if (!members) return std::nullopt;
    const Value output = find(*members, "output");
    if (!output.is_array() || !find(*members, "usage").is_object()) return std::nullopt;
    std::size_t items = 0;
    for (Elements elements(output); elements.next();) ++items;
    if (items != items_) return std::nullopt;
    return std::move(response_);
}

} // namespace tollgate::api::replay
