// What of a request's body its price depends on, told value by value as the body is walked (limits-cache §1.2). Pure.
#pragma once

#include "gateway/api/route.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace tollgate::api {

struct JsonScalar;

// Never too little: what is not understood makes the request dearer or unbounded. Counts saturate.
struct RequestCost {
    std::optional<std::uint64_t> max_tokens{}, max_completion_tokens{}, max_output_tokens{};
    // The largest of what other servers call it (n_predict, max_new_tokens …); UINT64_MAX if it is no plain count,
    // such as the -1 of "no limit".
    std::optional<std::uint64_t> foreign_max{};
    std::uint64_t thinking = 0;                    // budget of reasoning, outside of the maximum at some providers
    std::uint64_t n = 1;                           // largest of n, num_images, candidate_count
    std::uint64_t best_of = 0;                     // 0: not given
    std::uint64_t prompts = 1;                     // elements of a list of prompts or inputs
    std::optional<std::uint64_t> prompt_numbers{}; // the whole text is given as so many token numbers
    std::optional<std::uint64_t> max_tool_calls{}; // responses: of hosted tools, all together
    std::uint64_t partial_images = 0;              // of each image, while it is made
    std::uint64_t prediction_octets = 0;           // what of a prediction is rejected is billed as output
    std::uint64_t media_parts = 0;                 // images, sounds and files of the input
    std::uint64_t media_octets = 0;                // of those that are in the body
    bool inline_media = false;                     // the body holds some, or parts of a kind we do not know
    bool sees = false;                             // the input may hold images
    bool hears = false;                            // … or sound
    bool speaks = false;                           // sound was asked for: modalities, audio
    bool background = false;                       // responses: generated after the answer
    bool only_search = false;                      // the only hosted tool is web_search_options: one search an answer
    std::string_view image_option{};               // member that makes an image dearer than the usual one: size …
    std::string_view unpriced{};                   // first member with a price that no price list speaks of
                                                   // (both: static storage; empty if there is none)
    friend bool operator==(const RequestCost&, const RequestCost&) = default;
};

// Every member of the root whose name the price depends on, in lower case. A body that spells one of them in another
// letter case is to be refused (row 26): CostReader knows them only as they stand here.
[[nodiscard]] std::span<const std::string_view> priced_members() noexcept;
// The key with a meaning for the price that `text` is a variant of in letter case, inside of the root's member
// `root`, in the object that `parent` leads to; nothing if there is none. `direct`: that object is the root's member.
[[nodiscard]] std::string_view resembled_price_key(std::string_view root, std::string_view parent, bool direct,
                                                   std::string_view text) noexcept;

class CostReader {
  public:
    CostReader(Operation operation, RequestCost& cost) : operation_(operation), cost_(cost) {}

    // The member of the root that everything told from now on belongs to. Stays valid as long as that.
    void root(std::string_view name);
    // Its value is an object or a list.
    void root_container();
    // … or neither; null is the same as absent and is not told.
    void root_scalar(const JsonScalar& value);
    // A key anywhere inside of a member that may be part of the input.
    void key(std::string_view name);
    // A value in the member. `name`: of the innermost member that leads to it, `parent`: of the one around that.
    // `depth`: 2 for what stands directly in the root's member.
    void nested(std::string_view parent, std::string_view name, std::size_t depth, const JsonScalar& value);
    // A list or an object directly in the root's member, which is a list.
    void element();
    void hosted_tool(std::string_view type); // of `tools`
    void limit(std::string_view name, std::uint64_t value);
    void search_options() { search_ = true; }
    void hosted() { hosted_ = true; }
    void finish();

  private:
    enum class Part : std::uint8_t {
        other,
        prompt,
        conversation,
        media,
        plain,
        modalities,
        prediction,
        thinking,
        reasoning
    };

    [[nodiscard]] Part part_of(std::string_view name) const noexcept;
    void content(std::string_view parent, std::string_view name, std::string_view text);
    void modality(std::string_view name);
    void unpriced(std::string_view member);
    void media(std::string_view kind);
    void payload(std::size_t octets);
    void part_type(std::string_view type);
    void prompt_value(const JsonScalar& value);
    void note_image_option(std::string_view name, const JsonScalar& value);

    Operation operation_;
    RequestCost& cost_;
    std::string_view root_{};
    Part part_ = Part::other;
    bool conversation_ = false; // parts in it have types
    std::uint64_t numbers_ = 0;
    std::uint64_t elements_ = 0;
    bool text_ = false; // the prompt holds something else than numbers
    bool search_ = false;
    bool hosted_ = false;
};

} // namespace tollgate::api
