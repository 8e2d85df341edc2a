#include "metrics/user_agent.hpp"

#include "gateway/base/text.hpp"

namespace tollgate::metrics {
namespace {

struct Product {
    std::string_view prefix; // up to and with the slash before the version
    ClientFamily family;
};

// What the clients send (api-surface §2.5); langchain packages set their own product only where they bypass an SDK.
constexpr std::array kProducts{
    Product{"OpenAI/Python ", ClientFamily::openai_python},
    Product{"AsyncOpenAI/Python ", ClientFamily::openai_python},
    Product{"AzureOpenAI/Python ", ClientFamily::openai_python},
    Product{"AsyncAzureOpenAI/Python ", ClientFamily::openai_python},
    Product{"OpenAI/v1 PythonBindings/", ClientFamily::openai_python},
    Product{"OpenAI/JS ", ClientFamily::openai_node},
    Product{"AzureOpenAI/JS ", ClientFamily::openai_node},
    Product{"OpenAI/NodeJS/", ClientFamily::openai_node},
    Product{"Anthropic/Python ", ClientFamily::anthropic_python},
    Product{"AsyncAnthropic/Python ", ClientFamily::anthropic_python},
    Product{"Anthropic/JS ", ClientFamily::anthropic_ts},
    Product{"claude-cli/", ClientFamily::claude_code},
    Product{"claude-code/", ClientFamily::claude_code},
    Product{"codex_cli_rs/", ClientFamily::codex},
    Product{"codex_exec/", ClientFamily::codex},
    Product{"codex_vscode/", ClientFamily::codex},
    Product{"codex-tui/", ClientFamily::codex},
    Product{"codex/", ClientFamily::codex},
    Product{"langchain/", ClientFamily::langchain},
    Product{"langchain-openai/", ClientFamily::langchain},
    Product{"langchainjs-openai/", ClientFamily::langchain},
    Product{"curl/", ClientFamily::curl},
};
constexpr std::size_t kMaxVersion = 32;

constexpr bool is_version_char(char c) noexcept {
    const char lower = ascii_lower(c);
    return (c >= '0' && c <= '9') || (lower >= 'a' && lower <= 'z') || c == '.' || c == '+' || c == '_' || c == '-';
}

std::string_view leading_version(std::string_view text) noexcept {
    std::size_t length = 0;
    while (length < text.size() && length < kMaxVersion && is_version_char(text[length])) ++length;
    return text.substr(0, length);
}

} // namespace

std::string_view to_string(ClientFamily family) noexcept {
    switch (family) {
    case ClientFamily::openai_python: return "openai-python";
    case ClientFamily::openai_node: return "openai-node";
    case ClientFamily::anthropic_python: return "anthropic-python";
    case ClientFamily::anthropic_ts: return "anthropic-ts";
    case ClientFamily::claude_code: return "claude-code";
    case ClientFamily::codex: return "codex";
    case ClientFamily::langchain: return "langchain";
    case ClientFamily::curl: return "curl";
    case ClientFamily::other: return "other";
    }
    return "";
}

UserAgent parse_user_agent(std::string_view raw) noexcept {
    if (raw.empty()) return {};
    const char first = ascii_lower(raw.front());
    for (const Product& product : kProducts) {
        if (ascii_lower(product.prefix.front()) != first || raw.size() < product.prefix.size()) continue;
        if (!iequals(raw.substr(0, product.prefix.size()), product.prefix)) continue;
        return {product.family, leading_version(raw.substr(product.prefix.size()))};
    }
    return {};
}

} // namespace tollgate::metrics
