#include "gateway/api/usage_scan.hpp"

#include <cmath>
#include <initializer_list>
#include <simdjson.h>

namespace tollgate::api {
namespace {

namespace dom = simdjson::dom;

using Count = std::optional<std::uint64_t>;

constexpr double kMostSeconds = 1e6; // eleven days

// One usage object; notes in `out.refused` what it could not take.
class Scan {
  public:
    Scan(const dom::object& usage, Usage& out) : usage_(usage), out_(out) {}

    void run() {
        // Chat and completions say prompt/completion, everything newer input/output.
        take(usage_, {"prompt_tokens", "input_tokens"}, out_.input);
        take(usage_, {"completion_tokens", "output_tokens"}, out_.output);
        // The third spelling is that of the audio endpoints.
        for (const char* const name : {"prompt_tokens_details", "input_tokens_details", "input_token_details"}) {
            if (dom::object details; usage_[name].get(details) == simdjson::SUCCESS) input_details(details);
        }
        for (const char* const name : {"completion_tokens_details", "output_tokens_details", "output_token_details"}) {
            if (dom::object details; usage_[name].get(details) == simdjson::SUCCESS) output_details(details);
        }
        if (!out_.cached) take(usage_, {"prompt_cache_hit_tokens"}, out_.cached); // DeepSeek
        duration();
        reconcile();
    }

  private:
    void take(const dom::object& object, std::initializer_list<const char*> names, Count& to) {
        for (const char* const name : names) {
            dom::element value;
            if (object[name].get(value) != simdjson::SUCCESS || value.is_null()) continue;
            std::uint64_t count = 0;
            if (value.get(count) == simdjson::SUCCESS && count <= kMostCount)
                to = count;
            else
                out_.refused = true;
            return;
        }
    }

    void input_details(const dom::object& details) {
        take(details, {"cached_tokens"}, out_.cached);
        take(details, {"cache_write_tokens"}, out_.cache_write);
        take(details, {"audio_tokens"}, out_.audio_in);
        take(details, {"image_tokens"}, out_.image_in);
    }

    void output_details(const dom::object& details) {
        take(details, {"reasoning_tokens"}, out_.reasoning);
        take(details, {"audio_tokens"}, out_.audio_out);
    }

    void duration() {
        std::string_view type;
        if (usage_["type"].get(type) != simdjson::SUCCESS || type != "duration") return;
        double seconds = 0;
        if (usage_["seconds"].get(seconds) == simdjson::SUCCESS && seconds >= 0 && seconds <= kMostSeconds)
            out_.audio_ms = static_cast<std::uint64_t>(std::ceil(seconds * 1'000));
        else
            out_.refused = true;
    }

    // Details are parts of their totals. Some providers leave reasoning out of the output and only add it to the total.
    void reconcile() {
        Count total;
        take(usage_, {"total_tokens"}, total);
        if (out_.input && out_.output && out_.reasoning && total == *out_.input + *out_.output + *out_.reasoning)
            *out_.output += *out_.reasoning;
        for (Count* const part : {&out_.cached, &out_.cache_write, &out_.audio_in, &out_.image_in})
            bound(*part, out_.input);
        for (Count* const part : {&out_.reasoning, &out_.audio_out}) bound(*part, out_.output);
        if (out_.cached && out_.cache_write && *out_.cached + *out_.cache_write > *out_.input) {
            out_.cached.reset(); // the cheaper of the two
            out_.refused = true;
        }
    }

    void bound(Count& part, const Count& whole) {
        if (!part || (whole && *part <= *whole)) return;
        out_.refused |= whole.has_value();
        part.reset();
    }

    const dom::object& usage_;
    Usage& out_;
};

// The usage member at the root, or in the response that an event of that dialect carries.
bool find_usage(const dom::object& root, dom::element& usage) {
    if (root["usage"].get(usage) == simdjson::SUCCESS && !usage.is_null()) return true;
    return root["response"]["usage"].get(usage) == simdjson::SUCCESS && !usage.is_null();
}

// At the root, in the response that an event carries, or in the usage itself. A name of tomorrow costs the list price.
ServedTier served_tier(const dom::object& root, const dom::element& usage) {
    std::string_view name;
    if (root["service_tier"].get(name) != simdjson::SUCCESS &&
        root["response"]["service_tier"].get(name) != simdjson::SUCCESS &&
        usage["service_tier"].get(name) != simdjson::SUCCESS)
        return ServedTier::unsaid;
    if (name == "flex") return ServedTier::flex;
    if (name == "batch") return ServedTier::batch;
    if (name == "priority") return ServedTier::priority;
    if (name == "fast" || name == "ultrafast" || name == "performance") return ServedTier::fast;
    return ServedTier::list;
}

Count images_made(const dom::object& root, Operation operation) {
    std::string_view type;
    if (root["type"].get(type) == simdjson::SUCCESS &&
        (type == "image_generation.completed" || type == "image_edit.completed"))
        return 1;
    dom::array data;
    if (operation == Operation::image && root["data"].get(data) == simdjson::SUCCESS) return data.size();
    return std::nullopt;
}

// Items of an answer of the responses dialect that stand for a call at the provider; calls of the client's own
// functions are not among them.
Count hosted_calls(const dom::object& root) {
    dom::array items;
    if (root["output"].get(items) != simdjson::SUCCESS && root["response"]["output"].get(items) != simdjson::SUCCESS)
        return std::nullopt;
    std::uint64_t calls = 0;
    for (const dom::element item : items) {
        std::string_view type;
        if (item["type"].get(type) != simdjson::SUCCESS) continue;
        calls += type == "web_search_call" || type == "file_search_call" || type == "code_interpreter_call" ||
                 type == "image_generation_call" || type == "mcp_call";
    }
    return calls;
}

} // namespace

Usage scan_usage(const dom::object& root, Operation operation) {
    Usage out;
    dom::element usage;
    if (find_usage(root, usage)) {
        dom::object object;
        out.tier = served_tier(root, usage);
        if (usage.get(object) == simdjson::SUCCESS)
            Scan(object, out).run();
        else
            out.refused = true;
    }
    out.images = images_made(root, operation);
    out.tool_calls = hosted_calls(root);
    double seconds = 0;
    if (operation == Operation::audio_transcription && !out.reported() &&
        root["duration"].get(seconds) == simdjson::SUCCESS && seconds >= 0 && seconds <= kMostSeconds)
        out.audio_ms = static_cast<std::uint64_t>(std::ceil(seconds * 1'000));
    return out;
}

} // namespace tollgate::api
