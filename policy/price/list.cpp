#include "config/diagnostics.hpp"
#include "config/money.hpp"
#include "config/node.hpp"
#include "gateway/base/text.hpp"
#include "policy/price/table.hpp"

#include <algorithm>
#include <array>

namespace tollgate::policy {
namespace {

using config::Node;

// USD for one of it, not for a million.
bool is_each(PriceClass c) noexcept {
    return c >= PriceClass::image;
}

std::optional<PriceClass> class_named(std::string_view name) noexcept {
    for (std::size_t i = 0; i < kPriceClassCount; ++i) {
        if (to_string(static_cast<PriceClass>(i)) == name) return static_cast<PriceClass>(i);
    }
    return std::nullopt;
}

class Reader {
  public:
    explicit Reader(std::string_view source) : source_(source) {}

    PriceList read(std::string_view yaml) {
        config::Sink sink;
        const std::optional<config::Document> document = config::read(yaml, sink);
        for (const config::Diagnostic& diagnostic : sink.take()) say(diagnostic.mark.line, diagnostic.message);
        if (!document) return std::move(out_);
        const Node* models = nullptr;
        if (document->root != nullptr) {
            for (const config::Member& member : document->root->members) {
                if (member.name == "models")
                    models = member.value;
                else
                    say(member.place.mark.line, "unknown key `" + member.name + "`");
            }
        }
        if (models == nullptr || models->kind != Node::Kind::map)
            say(1, "no `models`");
        else
            for (const config::Member& member : models->members) read_model(member);
        return std::move(out_);
    }

  private:
    void say(int line, const std::string& what) {
        out_.problems.push_back("line " + std::to_string(line) + ": " + what);
        good_ = false;
    }

    void read_model(const config::Member& member) {
        good_ = true;
        Price price;
        if (member.value->kind == Node::Kind::list) {
            for (const Node* const item : member.value->items) price.entries.push_back(read_entry(*item));
        } else {
            price.entries.push_back(read_entry(*member.value));
        }
        if (price.entries.empty()) say(member.place.mark.line, "no price");
        std::ranges::sort(price.entries, {}, &PriceEntry::from);
        if (std::ranges::adjacent_find(price.entries, {}, &PriceEntry::from) != price.entries.end())
            say(member.place.mark.line, "two prices from the same day");
        if (good_) out_.table.set(member.name, std::move(price));
    }

    PriceEntry read_entry(const Node& node) {
        PriceEntry entry;
        const Node* above = nullptr;
        RateCard card;
        if (node.kind != Node::Kind::map) say(node.place.mark.line, "a map of prices is wanted");
        for (const config::Member& member : node.members) {
            if (member.name == "above")
                above = member.value;
            else if (member.name == "from")
                read_date(*member.value, entry);
            else
                read_rate(member, card);
        }
        entry.rates = resolve(card);
        if (above != nullptr)
            for (const config::Member& tier : above->members) read_tier(tier, card, entry);
        if (std::ranges::none_of(card, [](const auto& rate) { return rate.has_value(); }))
            say(node.place.mark.line, "no price");
        std::ranges::sort(entry.tiers, {}, &Tier::above);
        entry.version = version_of(source_, entry);
        return entry;
    }

    void read_date(const Node& node, PriceEntry& entry) {
        const auto date = config::parse_date(node.text);
        if (!date || *date > std::chrono::sys_days(std::chrono::year(2200) / 1 / 1))
            return say(node.place.mark.line, "`from`: " + (date ? "too late" : date.error()));
        entry.from = *date;
    }

    // A tier's classes without a price of their own keep what they cost below it.
    void read_tier(const config::Member& member, RateCard card, PriceEntry& entry) {
        const std::optional<std::uint64_t> above = parse_decimal(member.name);
        if (!above) return say(member.place.mark.line, "`above` wants numbers of tokens");
        if (member.value->kind != Node::Kind::map) return say(member.place.mark.line, "a map of prices is wanted");
        for (const config::Member& rate : member.value->members) read_rate(rate, card);
        entry.tiers.push_back({*above, resolve(card)});
    }

    void read_rate(const config::Member& member, RateCard& card) {
        const std::optional<PriceClass> known = class_named(member.name);
        if (!known) return say(member.place.mark.line, "unknown key `" + member.name + "`");
        const auto rate = is_each(*known) ? config::parse_usd_each(member.value->text)
                                          : config::parse_usd_per_million(member.value->text);
        if (!rate) return say(member.place.mark.line, "`" + member.name + "`: " + rate.error());
        card[*known] = *rate;
    }

    std::string_view source_;
    PriceList out_;
    bool good_ = true;
};

} // namespace

PriceList read_price_list(std::string_view yaml, std::string_view source) {
    return Reader(source).read(yaml);
}

const PriceTable& shipped_prices() {
    static const PriceList list = read_price_list(shipped_price_list(), "shipped");
    return list.table;
}

} // namespace tollgate::policy
