#include "cache/seal.hpp"

#include <zstd.h>

#include <memory>
#include <optional>

namespace tollgate::cache {
namespace {

// version(1) AES-GCM( form(1) content ); the version names the key and the layout, so either can change later.
constexpr char kVersion = 1;
constexpr char kRaw = 0;
constexpr char kZstd = 1;
constexpr std::size_t kCompressFrom = 1024; // limits-cache §3.4: below, compression gains nothing worth its time
constexpr int kLevel = 1;

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
};

std::string associated_data(const Key& key) {
    std::string out(1, kVersion);
    out.append(reinterpret_cast<const char*>(key.data()), key.size());
    return out;
}

// Nothing if compression does not make it smaller.
std::optional<std::string> compress(std::string_view plain) {
    // The contexts are scratch memory: setting them up costs more than compressing a typical answer. At level 1 their
    // size does not grow with the input beyond a window of half a megabyte.
    thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
    std::string out(1 + ZSTD_compressBound(plain.size()), kZstd);
    const std::size_t size =
        ZSTD_compressCCtx(context.get(), out.data() + 1, out.size() - 1, plain.data(), plain.size(), kLevel);
    if (ZSTD_isError(size) != 0 || size >= plain.size()) return std::nullopt;
    out.resize(1 + size);
    return out;
}

std::optional<std::string> decompress(std::string_view packed, std::size_t max_bytes) {
    thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
    const unsigned long long size = ZSTD_getFrameContentSize(packed.data(), packed.size());
    // "Unknown" and "error" are the two largest values, so they are refused here as well.
    if (size > max_bytes) return std::nullopt;
    std::string out(size, '\0');
    const std::size_t written =
        ZSTD_decompressDCtx(context.get(), out.data(), out.size(), packed.data(), packed.size());
    if (ZSTD_isError(written) != 0 || written != out.size()) return std::nullopt;
    return out;
}

} // namespace

std::string seal_entry(const crypto::Digest& seal_key, const Key& key, const Entry& entry) {
    const std::string plain = encode(entry);
    std::optional<std::string> content;
    if (plain.size() > kCompressFrom) content = compress(plain);
    if (!content) content = std::string(1, kRaw) + plain;
    return std::string(1, kVersion) + crypto::seal(seal_key, *content, associated_data(key));
}

EntryPtr open_entry(const crypto::Digest& seal_key, const Key& key, std::string_view value, std::size_t max_bytes) {
    if (!value.starts_with(kVersion)) return nullptr;
    const std::optional<std::string> content = crypto::open(seal_key, value.substr(1), associated_data(key));
    if (!content || content->empty()) return nullptr;
    const std::string_view body = std::string_view(*content).substr(1);
    if (content->front() == kRaw) return body.size() <= max_bytes ? decode(body) : nullptr;
    if (content->front() != kZstd) return nullptr;
    const std::optional<std::string> plain = decompress(body, max_bytes);
    return plain ? decode(*plain) : nullptr;
}

} // namespace tollgate::cache
