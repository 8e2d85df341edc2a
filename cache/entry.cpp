#include "cache/entry.hpp"

#include <xxhash.h>

#include <array>
#include <optional>
#include <string_view>

namespace tollgate::cache {
namespace {

// magic(4) version(1) created(8) expires(8) stale(8) cost(8) clock(8) tokens(8 + 8) 5 × (length(4) octets) checksum(8);
// integers little-endian, times in nanoseconds since 1970, stale in milliseconds. The seal proves who wrote a value;
// the checksum is for readers of unsealed copies.
constexpr std::string_view kMagic = "TGCE";
constexpr auto kLongestStale = std::chrono::hours(24 * 366); // more cannot be configured
constexpr char kVersion = 3;

template <class T>
void put(std::string& out, T value) {
    auto rest = static_cast<std::uint64_t>(value);
    for (std::size_t i = 0; i < sizeof(T); ++i, rest >>= 8) out += static_cast<char>(rest & 0xFFU);
}

void put_string(std::string& out, std::string_view text) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out += text;
}

std::int64_t nanoseconds(WallTime time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
}

std::uint64_t checksum(std::string_view bytes) {
    return XXH3_64bits(bytes.data(), bytes.size());
}

// Takes fields from the front; after the first field that does not fit, everything is empty and ok() is false.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}

    std::string_view take(std::size_t size) {
        if (!ok_ || size > rest_.size()) {
            ok_ = false;
            return {};
        }
        const std::string_view taken = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return taken;
    }
    template <class T>
    T number() {
        std::uint64_t value = 0;
        const std::string_view octets = take(sizeof(T));
        for (std::size_t i = octets.size(); i-- > 0;) value = value << 8 | static_cast<unsigned char>(octets[i]);
        return static_cast<T>(value);
    }
    std::string_view string() { return take(number<std::uint32_t>()); }
    WallTime time() {
        const std::chrono::nanoseconds since(number<std::int64_t>());
        return WallTime(std::chrono::duration_cast<WallTime::duration>(since));
    }
    [[nodiscard]] bool finished() const { return ok_ && rest_.empty(); }

  private:
    std::string_view rest_;
    bool ok_ = true;
};

} // namespace

std::string encode(const Entry& entry) {
    std::string out;
    out.reserve(entry.bytes() + 64);
    out += kMagic;
    out += kVersion;
    put(out, nanoseconds(entry.created));
    put(out, nanoseconds(entry.expires));
    put(out, entry.stale.count());
    put(out, entry.cost_nano);
    put(out, entry.purge_clock);
    put(out, entry.input_tokens);
    put(out, entry.output_tokens);
    for (const std::string* text : {&entry.content_type, &entry.model, &entry.upstream, &entry.tags, &entry.body}) {
        put_string(out, *text);
    }
    put(out, checksum(out));
    return out;
}

EntryPtr decode(std::string_view bytes) {
    constexpr std::size_t kSum = sizeof(std::uint64_t);
    if (bytes.size() < kSum) return nullptr;
    const std::string_view content = bytes.substr(0, bytes.size() - kSum);
    if (Reader(bytes.substr(content.size())).number<std::uint64_t>() != checksum(content)) return nullptr;
    Reader reader(content);
    if (reader.take(kMagic.size()) != kMagic || reader.number<char>() != kVersion) return nullptr;
    auto entry = std::make_shared<Entry>();
    entry->created = reader.time();
    entry->expires = reader.time();
    entry->stale = std::chrono::milliseconds(reader.number<std::int64_t>());
    if (entry->stale < std::chrono::milliseconds(0) || entry->stale > kLongestStale) return nullptr;
    entry->cost_nano = reader.number<std::int64_t>();
    entry->purge_clock = reader.number<std::uint64_t>();
    entry->input_tokens = reader.number<std::uint64_t>();
    entry->output_tokens = reader.number<std::uint64_t>();
    for (std::string* text : {&entry->content_type, &entry->model, &entry->upstream, &entry->tags, &entry->body}) {
        *text = reader.string();
    }
    if (!reader.finished()) return nullptr;
    return entry;
}

} // namespace tollgate::cache
