#include "gateway/exchange/embedding_phase.hpp"

#include "gateway/exchange/cache_key.hpp"
#include "gateway/exchange/cache_phase.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tollgate::exchange {
namespace {

constexpr std::size_t kMostTakenApart = 256;        // an answer has to be held whole: some 64 KiB for each at most
constexpr std::size_t kLargestTakenApart = 1 << 20; // octets; the inputs are held beside the body

bool serves(const Exchange& ex, const cache::Key& key, const cache::EntryPtr& entry, const CacheControl& control,
            WallTime now) {
    return entry && !is_purged(ex, key, *entry) && judge(*entry, control, {}, now) == Fit::fresh &&
           api::unpack_embedding(entry->body).has_value();
}

Task<void> find_items(Exchange& ex, ItemPlan& plan, CacheControl control) {
    const WallTime now = WallClock::now();
    std::vector<cache::Key> asked;
    std::vector<std::size_t> where;
    for (std::size_t i = 0; i < plan.keys.size(); ++i) {
        cache::EntryPtr entry = ex.worker.responses.get_memory(plan.keys[i], now);
        if (serves(ex, plan.keys[i], entry, control, now)) {
            plan.found[i] = std::move(entry);
        } else {
            asked.push_back(plan.keys[i]);
            where.push_back(i);
        }
    }
    if (asked.empty() || !co_await knows_purges(ex)) co_return;
    auto entries = co_await ex.worker.responses.get_redis(asked, now);
    for (std::size_t i = 0; i < entries.size(); ++i) {
        if (serves(ex, asked[i], entries[i], control, now)) plan.found[where[i]] = std::move(entries[i]);
    }
}

// Known and new ones in their order.
std::optional<std::string> put_together(const ItemPlan& plan, const api::EmbeddingAnswer& fresh) {
    api::EmbeddingAnswer all{.model = fresh.model, .items = {}};
    std::size_t next = 0;
    for (const cache::EntryPtr& entry : plan.found) {
        if (!entry) {
            all.items.push_back(fresh.items[next++]);
            continue;
        }
        const auto packed = api::unpack_embedding(entry->body);
        if (!packed) return std::nullopt;
        if (all.model.empty()) all.model = packed->model;
        all.items.push_back({.value = std::string(packed->value), .tokens = packed->tokens});
    }
    return api::write_embeddings(all, plan.inputs.base64);
}

// As old as the oldest of them, and good for as long as the shortest.
cache::EntryPtr whole_entry(const Exchange& ex, const ItemPlan& plan, std::string body) {
    auto entry = std::make_shared<cache::Entry>();
    entry->content_type = "application/json";
    entry->body = std::move(body);
    entry->model = ex.model->name;
    entry->upstream = plan.found.front()->upstream;
    entry->created = plan.found.front()->created;
    entry->expires = plan.found.front()->expires;
    std::int64_t cost = 0;
    for (const cache::EntryPtr& one : plan.found) {
        entry->created = std::min(entry->created, one->created);
        entry->expires = std::min(entry->expires, one->expires);
        entry->input_tokens += one->input_tokens;
        cost += std::max<std::int64_t>(one->cost_nano, 0);
    }
    const bool priced = std::ranges::any_of(plan.found, [](const auto& one) { return one->cost_nano >= 0; });
    entry->cost_nano = priced ? cost : -1;
    return entry;
}

std::vector<std::string_view> missing_inputs(const ItemPlan& plan) {
    std::vector<std::string_view> out;
    out.reserve(plan.missing.size());
    for (const std::size_t index : plan.missing) out.push_back(plan.inputs.items[index]);
    return out;
}

void keep(Exchange& ex, const ItemPlan& plan, const api::EmbeddingAnswer& fresh) {
    const WallTime now = WallClock::now();
    for (std::size_t i = 0; i < fresh.items.size(); ++i) {
        const cache::Key& key = plan.keys[plan.missing[i]];
        auto entry = std::make_shared<cache::Entry>();
        entry->content_type = "application/json";
        entry->body = api::pack_embedding(fresh.items[i], fresh.model);
        entry->created = now;
        entry->expires = now + ex.cache.ttl;
        entry->model = ex.model->name;
        entry->upstream = ex.record.attempts[ex.record.attempt_count - 1].upstream;
        entry->tags = ex.cache.tags;
        entry->purge_clock = ex.cache.purge_clock;
        api::Usage share;
        share.input = fresh.items[i].tokens;
        entry->cost_nano = list_price(ex, share);
        entry->input_tokens = share.input.value_or(0);
        if (!is_purged(ex, key, *entry)) ex.worker.responses.put(key, std::move(entry), now);
    }
    ex.cache.stored = true;
    ex.cache_status += "; stored";
}

} // namespace

Task<Result<cache::EntryPtr>> look_up_items(Exchange& ex, const CacheControl& control) {
    if (ex.body.memory.size() > kLargestTakenApart) co_return cache::EntryPtr(); // known as a whole
    auto inputs = api::embedding_inputs(ex.body.memory);
    if (!inputs || inputs->items.size() > kMostTakenApart) co_return cache::EntryPtr();
    if (!ex.held.grow_to(2 * ex.body.memory.size(), ex.snapshot->config.body.held)) co_return cache::EntryPtr();
    auto plan = std::make_unique<ItemPlan>();
    plan->body = ex.body.memory; // the exchange's own goes on being what is asked
    plan->body.reserve(plan->body.size() + api::RequestReader::padding());
    plan->inputs = *api::embedding_inputs(plan->body);
    plan->found.resize(plan->inputs.items.size());
    plan->keys = item_keys(ex.worker.cache_mac, request_key(ex, control.space), plan->body, plan->inputs);
    if (plan->keys.empty()) co_return cache::EntryPtr();
    if (!control.no_cache) co_await find_items(ex, *plan, control);
    for (std::size_t i = 0; i < plan->found.size(); ++i) {
        if (!plan->found[i]) plan->missing.push_back(i);
    }
    if (plan->missing.empty()) {
        if (auto body = put_together(*plan, {})) {
            ex.record.cache = metrics::CacheResult::hit;
            co_return whole_entry(ex, *plan, std::move(*body));
        }
        co_return cache::EntryPtr();
    }
    ex.cache.purge_clock = ex.worker.shared.purges.clock(); // more may have been learnt meanwhile
    const std::size_t known = plan->found.size() - plan->missing.size();
    if (known > 0) {
        ex.body.memory = api::with_inputs(plan->body, plan->inputs, plan->missing);
        auto view = ex.worker.request_reader.read(ex.body.memory, ex.route->operation);
        if (!view) co_return fail(view.error());
        ex.view = std::move(*view);
        ex.cache_status = fmt::format("tollgate; fwd=partial; detail=inputs_{}_of_{}", known, plan->found.size());
    }
    ex.items = std::move(plan);
    co_return cache::EntryPtr();
}

std::optional<std::string> finish_items(Exchange& ex, std::string answer) {
    const ItemPlan& plan = *ex.items;
    const bool whole = plan.missing.size() == plan.found.size();
    const auto fresh = api::read_embeddings(answer, missing_inputs(plan));
    if (!fresh) return whole ? std::optional(std::move(answer)) : std::nullopt;
    if (ex.cache.store) keep(ex, plan, *fresh);
    return whole ? std::optional(std::move(answer)) : put_together(plan, *fresh);
}

} // namespace tollgate::exchange
