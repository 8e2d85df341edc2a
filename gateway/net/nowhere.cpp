#include "gateway/net/nowhere.hpp"

namespace tollgate::net {
namespace {

class Nowhere final : public Transport {
  public:
    void start_read(asio::mutable_buffer /*into*/, std::shared_ptr<ReadSink> /*sink*/) override {}
    bool start_wait(std::shared_ptr<ReadSink> /*sink*/) override { return true; }
    std::size_t try_write(std::span<const asio::const_buffer> pieces, ErrorCode& error) override {
        error = {};
        return asio::buffer_size(pieces);
    }
    Task<ErrorCode> write_rest(Gather& pieces) override {
        pieces.advance(pieces.size());
        co_return ErrorCode();
    }
    void shutdown_send() noexcept override {}
    void discard_unsent() noexcept override {}
    void close() noexcept override {}
    [[nodiscard]] int native_handle() noexcept override { return -1; }
};

} // namespace

std::unique_ptr<Transport> make_nowhere() {
    return std::make_unique<Nowhere>();
}

} // namespace tollgate::net
