#include "gateway/admin/problem.hpp"

#include "gateway/base/text.hpp"

#include <fmt/format.h>

namespace tollgate::admin {
namespace {

void append_member(std::string& out, std::string_view name, std::string_view text) {
    out += fmt::format(",\"{}\":", name);
    append_json_string(out, text);
}

} // namespace

std::string to_json(const Problem& problem) {
    std::string out = R"({"type":"about:blank","status":)" + std::to_string(problem.status);
    append_member(out, "code", problem.code);
    append_member(out, "detail", problem.detail);
    if (!problem.place.empty()) append_member(out, "place", problem.place);
    if (!problem.errors.empty()) {
        out += R"(,"errors":[)";
        for (const Fault& fault : problem.errors) {
            if (&fault != &problem.errors.front()) out += ',';
            out += R"({"path":)";
            append_json_string(out, fault.path);
            append_member(out, "message", fault.message);
            if (!fault.hint.empty()) append_member(out, "hint", fault.hint);
            out += '}';
        }
        out += ']';
    }
    return out + "}\n";
}

} // namespace tollgate::admin
