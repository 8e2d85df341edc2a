#include "policy/tokens/tokenizers.hpp"

#include "policy/tokens/models.hpp"

#include <fmt/format.h>
#include <utility>

namespace tollgate::tokens {

std::expected<Tokenizers, std::string> Tokenizers::load(const std::string& directory) {
    Tokenizers loaded;
    for (const EncodingKind kind : {EncodingKind::cl100k_base, EncodingKind::o200k_base}) {
        const std::string path = fmt::format("{}/{}.tiktoken", directory, name_of(kind));
        auto encoding = Encoding::load(path, kind);
        if (!encoding) return std::unexpected(fmt::format("{}: {}", path, encoding.error()));
        loaded.encodings_[static_cast<std::size_t>(kind)] = std::make_shared<const Encoding>(std::move(*encoding));
    }
    return loaded;
}

const Encoding* Tokenizers::of(EncodingKind kind) const noexcept {
    return encodings_[static_cast<std::size_t>(kind)].get();
}

const Encoding* Tokenizers::for_model(std::string_view model) const noexcept {
    const auto kind = encoding_for_model(model);
    return kind ? of(*kind) : nullptr;
}

} // namespace tollgate::tokens
