#include "policy/tokens/models.hpp"

#include <algorithm>
#include <array>

namespace tollgate::tokens {
namespace {

struct Family {
    std::string_view name;
    EncodingKind kind;
};

// A model belongs to a family if its name is the family's, or goes on with "-", or with "." where that is a version's.
constexpr std::array kFamilies = std::to_array<Family>({
    {"gpt-4o", EncodingKind::o200k_base},
    {"chatgpt-4o", EncodingKind::o200k_base},
    {"gpt-4.1", EncodingKind::o200k_base},
    {"gpt-4.5", EncodingKind::o200k_base},
    {"gpt-5", EncodingKind::o200k_base},
    {"o1", EncodingKind::o200k_base},
    {"o3", EncodingKind::o200k_base},
    {"o4", EncodingKind::o200k_base},
    {"gpt-oss", EncodingKind::o200k_base},
    {"gpt-4", EncodingKind::cl100k_base},
    {"gpt-3.5", EncodingKind::cl100k_base},
    {"gpt-35", EncodingKind::cl100k_base}, // Azure
    {"text-embedding-ada-002", EncodingKind::cl100k_base},
    {"text-embedding-3", EncodingKind::cl100k_base},
    {"davinci-002", EncodingKind::cl100k_base},
    {"babbage-002", EncodingKind::cl100k_base},
});

bool belongs(std::string_view model, std::string_view family) noexcept {
    if (!model.starts_with(family)) return false;
    const std::string_view rest = model.substr(family.size());
    return rest.empty() || rest.front() == '-' || (family == "gpt-5" && rest.front() == '.');
}

// "ft:gpt-4o-mini-2024-07-18:org:suffix:id"
std::string_view base_of(std::string_view model) noexcept {
    if (!model.starts_with("ft:")) return model;
    model.remove_prefix(3);
    return model.substr(0, model.find(':'));
}

} // namespace

std::optional<EncodingKind> encoding_for_model(std::string_view model) noexcept {
    const std::string_view base = base_of(model);
    for (const Family& family : kFamilies) {
        if (belongs(base, family.name)) return family.kind;
    }
    return std::nullopt;
}

std::uint64_t chat_overhead(std::string_view model, const ChatShape& chat) noexcept {
    const bool first_form = base_of(model) == "gpt-3.5-turbo-0301";
    const std::uint64_t messages = chat.messages * (first_form ? 4 : 3);
    std::uint64_t more = 3 + chat.function_calls * 3; // the answer's beginning
    std::uint64_t less = chat.function_messages * 2;
    if (first_form) {
        less += chat.names; // the name stands for the role
    } else {
        more += chat.names;
    }
    if (chat.functions) more += 9;
    if (chat.functions && chat.system) less += 4;
    if (chat.function_forced) more += 4;
    if (chat.functions_forbidden) more += 1;
    const std::uint64_t sum = messages + more;
    return sum - std::min(sum, less);
}

std::uint64_t hidden_prompt(std::string_view model) noexcept {
    constexpr std::uint64_t kHarmony = 128; // about 70, with a date and the names of the channels
    return belongs(base_of(model), "gpt-oss") ? kHarmony : 0;
}

} // namespace tollgate::tokens
