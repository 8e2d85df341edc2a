#include "policy/tokens/encoding.hpp"

#include "gateway/base/crypto.hpp"
#include "policy/tokens/merge.hpp"
#include "policy/tokens/split.hpp"
#include "policy/tokens/utf8.hpp"

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fmt/format.h>
#include <memory>

namespace tollgate::tokens {
namespace {

struct Published {
    std::string_view name;
    std::size_t octets; // of the rank file
    std::string_view sha256;
};

constexpr std::array<Published, 2> kPublished = {{
    {"cl100k_base", 1'681'126, "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"},
    {"o200k_base", 3'613'922, "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d"},
}};

const Published& published(EncodingKind kind) noexcept {
    return kPublished[static_cast<std::size_t>(kind)];
}

struct Close {
    void operator()(std::FILE* file) const noexcept { static_cast<void>(std::fclose(file)); }
};

std::expected<std::string, std::string> read_file(const std::string& path, std::size_t most) {
    const std::unique_ptr<std::FILE, Close> file(std::fopen(path.c_str(), "rbe"));
    if (!file) return std::unexpected(std::string(std::strerror(errno)));
    std::string content(most, '\0');
    errno = 0;
    content.resize(std::fread(content.data(), 1, most, file.get()));
    if (std::ferror(file.get()) != 0) return std::unexpected(std::string(std::strerror(errno)));
    return content;
}

} // namespace

std::string_view name_of(EncodingKind kind) noexcept {
    return published(kind).name;
}

std::expected<Encoding, std::string> Encoding::load(const std::string& path, EncodingKind kind) {
    const Published& wanted = published(kind);
    auto content = read_file(path, wanted.octets + 1);
    if (!content) return std::unexpected(content.error());
    if (content->size() != wanted.octets || crypto::to_hex(crypto::sha256(*content)) != wanted.sha256) {
        return std::unexpected(fmt::format("it is not the published rank file of {}", wanted.name));
    }
    auto table = RankTable::parse(*content);
    if (!table) return std::unexpected(table.error());
    return Encoding(kind, std::move(*table));
}

std::size_t Encoding::walk(std::string_view utf8, std::vector<Rank>* out) const {
    Merger merger(table_);
    Splitter splitter(kind_, utf8);
    std::size_t count = 0;
    for (std::string_view piece = splitter.next(); !piece.empty(); piece = splitter.next()) {
        const Rank whole = table_.rank_of(piece);
        if (whole == kNoRank) {
            count += merger.merge(piece, out);
            continue;
        }
        ++count;
        if (out != nullptr) out->push_back(whole);
    }
    return count;
}

std::size_t Encoding::count(std::string_view utf8) const {
    return is_utf8(utf8) ? walk(utf8, nullptr) : walk(repaired_utf8(utf8), nullptr);
}

std::vector<Rank> Encoding::encode(std::string_view utf8) const {
    std::vector<Rank> ranks;
    static_cast<void>(is_utf8(utf8) ? walk(utf8, &ranks) : walk(repaired_utf8(utf8), &ranks));
    return ranks;
}

} // namespace tollgate::tokens
