#include "gateway/api/route.hpp"

#include "gateway/api/engine_path.hpp"
#include "gateway/api/model_name.hpp"
#include "gateway/api/route_table.hpp"
#include "gateway/base/text.hpp"

#include <algorithm>

namespace tollgate::api {
namespace {

constexpr std::size_t kMaxPath = 1024;
constexpr std::size_t kMaxSegments = 16;
constexpr std::size_t kMaxId = 128;
constexpr std::size_t kMaxDistance = 3;

// A path behind its version prefix, cut at the slashes. No octet is copied.
struct Segments {
    std::array<std::string_view, kMaxSegments> part{};
    std::size_t count = 0;

    [[nodiscard]] constexpr std::string_view operator[](std::size_t at) const { return part[at]; }
};

// Nothing for a path that is not absolute, or has empty or too many segments.
constexpr std::optional<Segments> cut(std::string_view path) {
    if (path.size() < 2 || path.front() != '/') return std::nullopt;
    Segments out;
    while (!path.empty()) {
        path.remove_prefix(1);
        const std::string_view part = path.substr(0, path.find('/'));
        if (part.empty() || out.count == kMaxSegments) return std::nullopt;
        out.part[out.count++] = part;
        path.remove_prefix(part.size());
    }
    return out;
}

// Rows of one pattern, with the pattern's shape.
struct Pattern {
    Segments segments;
    std::size_t first_row = 0;
    std::size_t rows = 0;
    bool variables = false;
    std::size_t rest = kMaxSegments; // position of {model} or {engine}, which takes one segment or more
};

constexpr std::size_t count_patterns() {
    std::size_t count = 0;
    for (std::size_t row = 0; row < kRoutes.size(); ++row) {
        if (row == 0 || kRoutes[row].pattern != kRoutes[row - 1].pattern) ++count;
    }
    return count;
}

constexpr auto kPatterns = [] {
    std::array<Pattern, count_patterns()> out{};
    std::size_t count = 0;
    for (std::size_t row = 0; row < kRoutes.size(); ++row) {
        if (row > 0 && kRoutes[row].pattern == kRoutes[row - 1].pattern) {
            ++out[count - 1].rows;
            continue;
        }
        Pattern& pattern = out[count++];
        pattern.segments = cut(kRoutes[row].pattern.substr(kVersionPrefix.size())).value();
        pattern.first_row = row;
        pattern.rows = 1;
        for (std::size_t at = 0; at < pattern.segments.count; ++at) {
            const std::string_view part = pattern.segments[at];
            if (part.front() == '{') pattern.variables = true;
            if (part == "{model}" || part == "{engine}") pattern.rest = at;
        }
    }
    return out;
}();

constexpr std::size_t kSlots = 64;

constexpr std::size_t slot_of(std::string_view path) {
    std::uint32_t hash = 2166136261U;
    for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
    return (hash ^ (hash >> 16)) % kSlots;
}

constexpr std::string_view bare(const Pattern& pattern) {
    return kRoutes[pattern.first_row].pattern.substr(kVersionPrefix.size());
}

// Patterns without variables, by hash of the path: the inference rows are found with one comparison.
constexpr auto kLiterals = [] {
    std::array<const Pattern*, kSlots> out{};
    for (const Pattern& pattern : kPatterns) {
        if (pattern.variables) continue;
        std::size_t slot = slot_of(bare(pattern));
        while (out[slot] != nullptr) slot = (slot + 1) % kSlots;
        out[slot] = &pattern;
    }
    return out;
}();

const Pattern* find_literal(std::string_view path) noexcept {
    for (std::size_t slot = slot_of(path); kLiterals[slot] != nullptr; slot = (slot + 1) % kSlots) {
        if (bare(*kLiterals[slot]) == path) return kLiterals[slot];
    }
    return nullptr;
}

bool is_id(std::string_view text) noexcept {
    const auto good = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
               c == ':' || c == '-';
    };
    return text.size() <= kMaxId && std::ranges::all_of(text, good) && text != "." && text != "..";
}

int hex(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = ascii_lower(c);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Nothing for a bad escape. What the escapes stand for is judged by the caller.
std::optional<std::string> percent_decode(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] != '%') {
            out += text[at];
            continue;
        }
        const int high = at + 2 < text.size() ? hex(text[at + 1]) : -1;
        const int low = at + 2 < text.size() ? hex(text[at + 2]) : -1;
        if (high < 0 || low < 0) return std::nullopt;
        out += static_cast<char>(high * 16 + low);
        at += 2;
    }
    return out;
}

bool has_empty_segment(std::string_view name) noexcept {
    return name.starts_with('/') || name.ends_with('/') || name.find("//") != std::string_view::npos;
}

// `raw` is the run of segments that {model} or {engine} stands for.
bool take_model(std::string_view raw, Match& match) {
    auto name = percent_decode(raw);
    if (!name || !is_clean_model(*name) || has_empty_segment(*name)) return false;
    match.model = std::move(*name);
    return true;
}

// The run of segments of `path` that {model} or {engine} of `pattern` stands for.
std::string_view rest_of(const Pattern& pattern, const Segments& path) {
    const std::string_view first = path[pattern.rest];
    const std::string_view last = path[pattern.rest + path.count - pattern.segments.count];
    return {first.data(), static_cast<std::size_t>(last.data() - first.data()) + last.size()};
}

// Fills the variables of `match`; false if the path is not of this pattern or a variable is not clean.
bool match_pattern(const Pattern& pattern, const Segments& path, Match& match) {
    const std::size_t fixed = pattern.segments.count;
    const bool has_rest = pattern.rest != kMaxSegments;
    if (has_rest ? path.count < fixed : path.count != fixed) return false;
    const std::size_t extra = path.count - fixed; // further segments of the model's name
    std::string_view id;
    std::string_view sub;
    for (std::size_t at = 0; at < fixed; ++at) {
        const std::string_view wanted = pattern.segments[at];
        if (has_rest && at == pattern.rest) continue;
        const std::string_view part = path[has_rest && at > pattern.rest ? at + extra : at];
        if (wanted.front() != '{') {
            if (wanted != part) return false;
        } else if (!is_id(part)) {
            return false;
        } else {
            (wanted == "{id}" ? id : sub) = part;
        }
    }
    if (has_rest && !take_model(rest_of(pattern, path), match)) return false;
    match.object_id = id;
    match.sub_id = sub;
    return true;
}

// The inside of every {…} of the upstream path comes from the request's own path, whose shape is the same.
std::string fill(const Route& route, std::string_view path) {
    if (route.upstream.find('{') == std::string_view::npos) return {};
    return std::string(path);
}

// A WebSocket's GET has no HEAD.
bool has_head(const Route& route) noexcept {
    return route.method == Method::get && route.answer != Answer::websocket;
}

bool serves(const Route& route, Method method) noexcept {
    return route.method == method || (method == Method::head && has_head(route));
}

Lookup choose(const Pattern& pattern, Method method, std::string_view path, Match match) {
    Lookup lookup;
    const std::span rows(kRoutes.data() + pattern.first_row, pattern.rows);
    for (const Route& route : rows) {
        if (!serves(route, method)) continue;
        match.route = &route;
        match.filled_path = fill(route, path);
        lookup.match = std::move(match);
        return lookup;
    }
    lookup.miss.path_known = true;
    for (const Route& route : rows) {
        if (route.answer == Answer::websocket && rows.size() > 1) continue; // its GET alone is not taken
        if (!lookup.miss.allow.empty()) lookup.miss.allow += ", ";
        lookup.miss.allow += to_string(route.method);
        if (has_head(route)) lookup.miss.allow += ", HEAD";
    }
    return lookup;
}

std::string suggest(std::string_view path) {
    std::size_t best = kMaxDistance + 1;
    std::string_view nearest;
    for (const Pattern& pattern : kPatterns) {
        if (pattern.variables) continue;
        const std::size_t distance = edit_distance(path, bare(pattern), kMaxDistance);
        if (distance >= best) continue;
        best = distance;
        nearest = kRoutes[pattern.first_row].pattern;
    }
    return std::string(nearest);
}

// `/v1` is optional, and doubled by clients whose base URL and whose code both add it (api-surface §11).
std::string_view without_version(std::string_view path) noexcept {
    for (int round = 0; round < 2 && path.starts_with("/v1/"); ++round) path.remove_prefix(kVersionPrefix.size());
    return path;
}

} // namespace

std::string_view to_string(Method method) noexcept {
    static constexpr std::array<std::string_view, 8> kNames{"GET",   "HEAD",   "POST",    "PUT",
                                                            "PATCH", "DELETE", "OPTIONS", "other"};
    return kNames[static_cast<std::size_t>(method)];
}

std::string_view to_string(Operation operation) noexcept {
    static constexpr std::array<std::string_view, kOperationCount> kNames{
        "chat",         "text_completion",     "responses", "embeddings", "moderation", "image",
        "audio_speech", "audio_transcription", "models",    "files",      "uploads",    "batches",
        "fine_tuning",  "vector_stores",       "stored",    "other",
    };
    return kNames[static_cast<std::size_t>(operation)];
}

std::string_view to_string(Charge charge) noexcept {
    static constexpr std::array<std::string_view, kChargeCount> kNames{
        "free", "tokens", "input_tokens", "images", "audio_in", "audio_out", "jobs"};
    return kNames[static_cast<std::size_t>(charge)];
}

Lookup find_route(Method method, std::string_view path) {
    Lookup lookup;
    if (path.size() > kMaxPath) return lookup;
    const std::string_view rest = without_version(path);
    if (const Pattern* literal = find_literal(rest)) return choose(*literal, method, rest, {});
    if (const auto segments = cut(rest)) {
        for (const Pattern& pattern : kPatterns) {
            if (!pattern.variables) continue;
            Match match;
            if (match_pattern(pattern, *segments, match)) return choose(pattern, method, rest, std::move(match));
        }
    }
    lookup.miss.suggestion = suggest(rest);
    return lookup;
}

std::optional<std::string> engine_in(std::string_view path) {
    const auto segments = path.size() > kMaxPath ? std::nullopt : cut(without_version(path));
    if (!segments) return std::nullopt;
    for (const Pattern& pattern : kPatterns) {
        const std::size_t fixed = pattern.segments.count;
        if (pattern.segments[0] != "engines" || pattern.rest == kMaxSegments || segments->count < fixed) continue;
        const std::size_t behind = fixed - pattern.rest - 1; // segments that follow the model
        bool same = (*segments)[0] == "engines";
        for (std::size_t at = 1; at <= behind; ++at)
            same = same && pattern.segments[fixed - at] == (*segments)[segments->count - at];
        if (!same) continue;
        const std::string_view raw = rest_of(pattern, *segments);
        return percent_decode(raw).value_or(std::string(raw));
    }
    return std::nullopt;
}

std::span<const Route> all_routes() noexcept {
    return kRoutes;
}

Method parse_method(std::string_view text) noexcept {
    for (const Method method :
         {Method::get, Method::post, Method::head, Method::put, Method::patch, Method::del, Method::options}) {
        if (to_string(method) == text) return method;
    }
    return Method::other;
}

} // namespace tollgate::api
