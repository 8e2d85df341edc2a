#include "gateway/api/replay/stream_assembler.hpp"

#include "gateway/api/replay/chunk_assembler.hpp"
#include "gateway/api/replay/response_assembler.hpp"

#include <variant>

namespace tollgate::api::replay {

struct StreamAssembler::Impl {
    std::variant<ChunkAssembler, ResponseAssembler> way;

    static Impl of(Dialect dialect, std::size_t max_octets) {
        if (dialect == Dialect::response) return Impl{ResponseAssembler(max_octets)};
        return Impl{ChunkAssembler(dialect, max_octets)};
    }
};

StreamAssembler::StreamAssembler(Dialect dialect, std::size_t max_octets)
    : max_octets_(max_octets), impl_(std::make_unique<Impl>(Impl::of(dialect, max_octets))) {}
StreamAssembler::~StreamAssembler() = default;

void StreamAssembler::feed(std::string_view data) {
    if (data.empty() || !impl_) return;
    const bool merged = std::visit([&](auto& way) { return way.feed(data); }, impl_->way);
    if (!merged) impl_.reset();
}

std::size_t StreamAssembler::held() const noexcept {
    return impl_ ? std::visit([](const auto& way) { return way.held(); }, impl_->way) : 0;
}

std::optional<std::string> StreamAssembler::finish() {
    if (!impl_) return std::nullopt;
    auto whole = std::visit([](auto& way) { return way.finish(); }, impl_->way);
    impl_.reset();
    if (whole && whole->size() > max_octets_) return std::nullopt;
    return whole;
}

} // namespace tollgate::api::replay
