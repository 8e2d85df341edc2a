// Embeddings are cached one input at a time: what is known is not asked for again, whatever else stands beside it.
#pragma once

#include "cache/entry.hpp"
#include "gateway/api/embedding_items.hpp"
#include "gateway/base/error.hpp"
#include "gateway/base/task.hpp"
#include "gateway/exchange/cache_controls.hpp"

#include <optional>
#include <string>
#include <vector>

namespace tollgate::exchange {

struct Exchange;

// The inputs of one request, and what is known of them.
struct ItemPlan {
    std::string body; // as the client sent it; `inputs` views into it
    api::EmbeddingInputs inputs;
    std::vector<cache::Key> keys;
    std::vector<cache::EntryPtr> found; // null: to be asked for
    std::vector<std::size_t> missing;
};

// Takes the request apart if that can be done and looks every input up. The whole answer if all of them are known; else
// the request asks only for the others from now on, and ex.items is set. Error: what is left cannot be read.
Task<Result<cache::EntryPtr>> look_up_items(Exchange& ex, const CacheControl& control);

// Keeps what `answer` brings and puts it together with what was known; as it is if nothing was. Nothing if it is not
// what was asked for.
[[nodiscard]] std::optional<std::string> finish_items(Exchange& ex, std::string answer);

} // namespace tollgate::exchange
