// Embeddings one input at a time: a request taken apart, an answer put together (api-surface §6.4). Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::api {

inline constexpr std::size_t kMostInputs = 2048; // of one request at the provider

// What a request asks for, as JSON texts that view into its body.
struct EmbeddingInputs {
    std::size_t offset = 0, length = 0; // of the value of `input`
    std::vector<std::string_view> items;
    bool base64 = false; // encoding_format
};
// Nothing for what cannot be taken apart: no list, an empty one, more than kMostInputs, inputs of mixed kinds. `body`
// is valid JSON without duplicate keys.
[[nodiscard]] std::optional<EmbeddingInputs> embedding_inputs(const std::string& body);

// The body with only these inputs.
[[nodiscard]] std::string with_inputs(std::string_view body, const EmbeddingInputs& inputs,
                                      const std::vector<std::size_t>& wanted);

// One input's embedding, as it was answered: a list of numbers or base64 text, in JSON.
struct Embedding {
    std::string value;
    std::uint64_t tokens = 0; // its share of what the call counted
};
struct EmbeddingAnswer {
    std::string model; // as the provider calls it
    std::vector<Embedding> items;
};
// Nothing if it is no whole answer for that many inputs, each index once. The tokens of the call are shared out by the
// lengths of the inputs.
[[nodiscard]] std::optional<EmbeddingAnswer> read_embeddings(std::string_view answer,
                                                             const std::vector<std::string_view>& inputs);

// An answer as the provider would give it, every embedding in the wanted form. Nothing if one of them cannot be
// converted.
[[nodiscard]] std::optional<std::string> write_embeddings(const EmbeddingAnswer& answer, bool base64);

// Lists of numbers to base64 of little-endian 32-bit floats and back; unchanged if it has that form already. Nothing if
// it is neither.
[[nodiscard]] std::optional<std::string> embedding_as(std::string_view value, bool base64);

// For the cache: one embedding and the model's name as one text, and back.
[[nodiscard]] std::string pack_embedding(const Embedding& item, std::string_view model);
struct PackedEmbedding {
    std::string_view model, value;
    std::uint64_t tokens = 0;
};
[[nodiscard]] std::optional<PackedEmbedding> unpack_embedding(std::string_view packed);

} // namespace tollgate::api
