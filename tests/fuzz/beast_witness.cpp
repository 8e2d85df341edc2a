#include "tests/fuzz/beast_witness.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

namespace tollgate::fuzz {
namespace {

namespace beast = boost::beast;
using ErrorCode = boost::system::error_code;

template <bool IsRequest>
class Witness final : public beast::http::basic_parser<IsRequest> {
  public:
    explicit Witness(Witnessed& out) : out_(out) {
        this->header_limit(128 * 1024);
        this->body_limit(boost::none);
        this->eager(true);
    }

  private:
    void on_request_impl(beast::http::verb, beast::string_view method, beast::string_view target, int version,
                         ErrorCode&) override {
        out_.method = method;
        out_.target = target;
        out_.version = version;
    }
    void on_response_impl(int status, beast::string_view, int version, ErrorCode&) override {
        out_.status = status;
        out_.version = version;
    }
    void on_field_impl(beast::http::field, beast::string_view name, beast::string_view value, ErrorCode&) override {
        if (!this->is_header_done()) out_.fields.emplace_back(std::string(name), std::string(value));
    }
    void on_header_impl(ErrorCode&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
    std::size_t on_body_impl(beast::string_view text, ErrorCode&) override {
        out_.body += text;
        return text.size();
    }
    void on_chunk_header_impl(std::uint64_t, beast::string_view, ErrorCode&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view text, ErrorCode&) override {
        out_.body += text;
        return text.size();
    }
    void on_finish_impl(ErrorCode&) override {}

    Witnessed& out_;
};

template <bool IsRequest>
Witnessed read(std::string_view octets) {
    Witnessed out;
    Witness<IsRequest> parser(out);
    ErrorCode error;
    while (out.consumed < octets.size() && !parser.is_done()) {
        const auto rest = octets.substr(out.consumed);
        const std::size_t used = parser.put(boost::asio::buffer(rest.data(), rest.size()), error);
        out.consumed += used;
        if (error || used == 0) break;
    }
    if (error && error != beast::http::error::need_more) out.error = error.message();
    out.head = parser.is_header_done();
    out.done = parser.is_done();
    if (!out.head) return out;
    out.chunked = parser.chunked();
    out.keep_alive = parser.keep_alive();
    if (const auto length = parser.content_length()) out.length = *length;
    return out;
}

} // namespace

Witnessed witness_request(std::string_view octets) {
    return read<true>(octets);
}

Witnessed witness_response(std::string_view octets) {
    return read<false>(octets);
}

} // namespace tollgate::fuzz
