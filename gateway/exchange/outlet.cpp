#include "gateway/exchange/outlet.hpp"

namespace tollgate::exchange {
Task<bool> Outlet::send(std::string_view piece, bool last) {
    if (piece.empty() && !last) co_return true;
    if (last) end_usage(ex_); // no way of relaying may forget it
    std::string head;
    char size_line[20];
    net::Gather pieces;
    if (!ex_.answer_started) {
        head = make_head(ex_, status_, type_, form_, length_, extra_);
        pieces.add(head);
    }
    const bool chunked = form_ == BodyForm::chunked && !ex_.is_head();
    if (!ex_.is_head() && !piece.empty()) {
        if (chunked) pieces.add(http::chunk_header(piece.size(), size_line));
        pieces.add(piece);
        if (chunked) pieces.add("\r\n");
    }
    if (chunked && last) pieces.add("0\r\n\r\n");
    ex_.answer_started = true;
    ex_.record.bytes_out += piece.size();
    ex_.client.expire_hard_at(Clock::now() + ex_.client.write_stall(), "client write");
    const bool sent = co_await ex_.client.write(pieces);
    ex_.client.expire_never();
    if (!sent)
        ex_.client_gone = true;
    else if (last)
        ex_.answer_complete = true;
    co_return sent;
}

} // namespace tollgate::exchange
