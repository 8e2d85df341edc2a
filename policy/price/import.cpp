#include "config/money.hpp"
#include "gateway/base/text.hpp"
#include "policy/price/table.hpp"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <map>

namespace tollgate::policy {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr std::size_t kLargestFile = std::size_t{64} << 20;

struct Field {
    std::string_view name;
    PriceClass price_class;
};

// What the file calls them. Its audio_second is a price of sound heard; speech made is priced by characters there.
constexpr std::array kFields{
    Field{"input_cost_per_token", PriceClass::input},
    Field{"cache_read_input_token_cost", PriceClass::cached_input},
    Field{"cache_creation_input_token_cost", PriceClass::cache_write},
    Field{"input_cost_per_audio_token", PriceClass::audio_in},
    Field{"input_cost_per_image_token", PriceClass::image_in},
    Field{"output_cost_per_token", PriceClass::output},
    Field{"output_cost_per_reasoning_token", PriceClass::reasoning},
    Field{"output_cost_per_audio_token", PriceClass::audio_out},
    Field{"output_cost_per_image", PriceClass::image},
    Field{"input_cost_per_second", PriceClass::audio_second},
    Field{"input_cost_per_request", PriceClass::request},
};

struct Target {
    PriceClass price_class;
    std::uint64_t above = 0; // 0: no tier
};

// "input_cost_per_token_above_200k_tokens" → (input, 200,000).
std::optional<Target> target_of(std::string_view key) noexcept {
    constexpr std::string_view kAbove = "_above_";
    constexpr std::string_view kThousands = "k_tokens";
    const auto field = [](std::string_view name) { return std::ranges::find(kFields, name, &Field::name); };
    if (const auto* const found = field(key); found != kFields.end()) return Target{found->price_class};
    const std::size_t at = key.find(kAbove);
    if (at == std::string_view::npos || !key.ends_with(kThousands)) return std::nullopt;
    const auto* const found = field(key.substr(0, at));
    std::string_view number = key.substr(at + kAbove.size());
    number.remove_suffix(kThousands.size());
    const std::optional<std::uint64_t> thousands = parse_decimal(number);
    if (found == kFields.end() || !thousands || *thousands == 0 || *thousands > 1'000'000) return std::nullopt;
    return Target{found->price_class, *thousands * 1'000};
}

struct Draft {
    RateCard card;
    std::map<std::uint64_t, RateCard> tiers;
    std::string mode;
    std::string fault; // why the model is left out
    bool rounded = false;
    std::vector<std::string> unknown_costs; // fields that look like prices
};

// The kinds whose answers are text by the token: half a price would make the other half free.
bool needs_both(std::string_view mode) noexcept {
    return mode == "chat" || mode == "completion" || mode == "responses";
}

class Importer {
  public:
    explicit Importer(std::string_view source) : source_(source) {}

    PriceList read(std::string_view json) {
        simdjson::padded_string padded(json);
        ondemand::parser parser;
        ondemand::document document;
        ondemand::object root;
        if (json.size() > kLargestFile)
            say("the file is too large");
        else if (parser.iterate(padded).get(document) != simdjson::SUCCESS ||
                 document.get_object().get(root) != simdjson::SUCCESS || !read_models(root)) {
            out_.table = {};
            say("the file is not one valid JSON object");
        }
        for (const auto& [key, models] : unknown_)
            say("`" + key + "` is not taken over (" + std::to_string(models) + " models)");
        return std::move(out_);
    }

  private:
    void say(std::string what) { out_.problems.push_back(std::move(what)); }

    bool read_models(ondemand::object& root) {
        for (auto entry : root) {
            ondemand::field field;
            std::string_view key;
            ondemand::object model;
            if (std::move(entry).get(field) != simdjson::SUCCESS || field.unescaped_key().get(key)) return false;
            const std::string name(key); // the parser's buffer goes on
            Draft draft;
            if (field.value().get_object().get(model) != simdjson::SUCCESS)
                draft.fault = "not an object";
            else if (!read_fields(model, draft))
                return false;
            if (name != "sample_spec") finish(name, draft); // the file's own explanation of its fields
        }
        return true;
    }

    bool read_fields(ondemand::object& model, Draft& draft) {
        for (auto entry : model) {
            ondemand::field field;
            std::string_view key;
            if (std::move(entry).get(field) != simdjson::SUCCESS || field.unescaped_key().get(key)) return false;
            if (key == "mode") {
                std::string_view mode;
                if (field.value().get_string().get(mode) == simdjson::SUCCESS) draft.mode = mode;
            } else if (key.find("cost") != std::string_view::npos) {
                const std::string name(key);
                if (!read_cost(name, field.value(), draft)) return false;
            }
        }
        return true;
    }

    bool read_cost(const std::string& key, ondemand::value value, Draft& draft) {
        ondemand::json_type type{};
        if (value.type().get(type)) return false;
        const std::optional<Target> target = target_of(key);
        if (!target) draft.unknown_costs.push_back(key);
        if (!target || type == ondemand::json_type::null) return true;
        if (type != ondemand::json_type::number) {
            draft.fault = "`" + key + "` is not a number";
            return true;
        }
        const auto rate = config::parse_json_usd_each(trim_number(value.raw_json_token()));
        if (!rate) {
            draft.fault = "`" + key + "`: " + rate.error();
            return true;
        }
        draft.rounded |= rate->rounded;
        RateCard& card = target->above == 0 ? draft.card : draft.tiers[target->above];
        card[target->price_class] = rate->value;
        return true;
    }

    // The token's text runs up to the next one.
    static std::string_view trim_number(std::string_view token) noexcept {
        return token.substr(0, std::min(token.find_first_of(" \t\r\n"), token.size()));
    }

    void finish(const std::string& name, Draft& draft) {
        for (const std::string& key : draft.unknown_costs) ++unknown_[key];
        const bool priced = std::ranges::any_of(draft.card, [](const auto& rate) { return rate.has_value(); });
        const RateCard& card = draft.card;
        if (draft.fault.empty() && !priced && draft.unknown_costs.empty() && draft.tiers.empty())
            return; // no price is said
        if (draft.fault.empty() && !priced) draft.fault = "none of its prices is understood";
        if (draft.fault.empty() && needs_both(draft.mode) && (!card[PriceClass::input] || !card[PriceClass::output]))
            draft.fault = "the price of its input or of its output is missing";
        if (draft.fault.empty() && out_.table.models().contains(name)) draft.fault = "appears twice";
        if (!draft.fault.empty()) return say("`" + name + "` is left out: " + draft.fault);
        if (draft.rounded) say("`" + name + "`: prices finer than a pico-USD are rounded up");
        out_.table.set(name, {{entry_of(draft)}});
    }

    PriceEntry entry_of(const Draft& draft) const {
        PriceEntry entry;
        entry.rates = resolve(draft.card);
        RateCard card = draft.card;
        for (const auto& [above, tier] : draft.tiers) {
            for (std::size_t i = 0; i < kPriceClassCount; ++i) {
                const auto c = static_cast<PriceClass>(i);
                if (tier[c]) card[c] = tier[c];
            }
            entry.tiers.push_back({above, resolve(card)});
        }
        entry.version = version_of(source_, entry);
        return entry;
    }

    std::string_view source_;
    PriceList out_;
    std::map<std::string, std::size_t> unknown_; // and in how many models
};

} // namespace

PriceList import_model_prices(std::string_view json, std::string_view source) {
    return Importer(source).read(json);
}

} // namespace tollgate::policy
