#include "gateway/exchange/count_input.hpp"

#include "gateway/api/estimate.hpp"
#include "gateway/api/prompt_text.hpp"
#include "gateway/exchange/exchange.hpp"
#include "policy/tokens/models.hpp"

#include <algorithm>
#include <string_view>

namespace tollgate::exchange {
namespace {

// Of what later models add to a prompt; a completion that is served through chat becomes one message.
constexpr std::uint64_t kMargin = 8;

// The name by which every upstream that may answer knows the model; empty if they disagree.
std::string_view name_at_providers(const Exchange& ex) {
    std::string_view name;
    for (const upstream::Candidate& candidate : ex.model->candidates) {
        const std::string_view own = candidate.model.empty() ? std::string_view(ex.model_name) : candidate.model;
        if (!name.empty() && own != name) return {};
        name = own;
    }
    return name;
}

bool is_countable(const Exchange& ex) {
    if (ex.route->body != api::BodyKind::json || ex.model == nullptr) return false;
    if (ex.body.file >= 0 || ex.body.size() > ex.snapshot->config.tokenizers.max_body) return false;
    const api::RequestSize size = api::request_size(ex.view, *ex.route, ex.body.size());
    return size.content == api::Unbounded::none && !size.input_tokens;
}

std::uint64_t overhead(std::string_view model, const api::PromptShape& shape) {
    // Texts that are joined may fall into one token more than each for itself.
    std::uint64_t out = shape.texts + shape.other_octets;
    if (shape.messages > 0) {
        const tokens::ChatShape chat{.messages = shape.messages, .names = shape.names, .functions = shape.functions};
        out += tokens::chat_overhead(model, chat) + tokens::hidden_prompt(model) + kMargin;
    }
    return out;
}

} // namespace

std::optional<std::uint64_t> count_input(Exchange& ex) {
    if (!is_countable(ex)) return std::nullopt;
    const std::string_view model = name_at_providers(ex);
    const tokens::Encoding* const encoding = ex.worker.shared.tokenizers.for_model(model);
    if (encoding == nullptr) return std::nullopt;
    std::uint64_t counted = 0;
    const auto shape = ex.worker.prompt_reader.read(ex.body.memory, ex.route->operation,
                                                    [&](std::string_view text) { counted += encoding->count(text); });
    if (!shape) return std::nullopt;
    return counted + overhead(model, *shape);
}

} // namespace tollgate::exchange
