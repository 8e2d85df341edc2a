#include "gateway/exchange/outlet.hpp"

#include "gateway/exchange/flight_lead.hpp"

namespace tollgate::exchange {

// Everybody who shares the call gets the same octets behind a head of their own.
cache::FlightHead Outlet::shared_head() const {
    cache::FlightHead head;
    head.form = ex_.lead->form();
    head.tells_usage = ex_.lead->tells_usage();
    head.status = status_;
    head.content_type = type_;
    head.fields = extra_;
    if (form_ == BodyForm::length) head.length = length_;
    if (ex_.record.attempt_count > 0) head.upstream = ex_.record.attempts[ex_.record.attempt_count - 1].upstream;
    head.upstream_request_id = ex_.upstream_request_id;
    return head;
}

Task<bool> Outlet::send(std::string_view piece, bool last) {
    if (piece.empty() && !last) co_return true;
    if (last) end_usage(ex_); // no way of relaying may forget it
    if (ex_.lead != nullptr) ex_.lead->publish([this] { return shared_head(); }, piece, last);
    bool sent = false;
    if (!ex_.owner_left) sent = co_await send_own(piece, last);
    if (sent) {
        if (last) ex_.answer_complete = true;
        co_return true;
    }
    ex_.answer_started = true;
    if (ex_.lead != nullptr && ex_.lead->keeps_on()) co_return true;
    ex_.client_gone = true;
    co_return false;
}

Task<bool> Outlet::send_own(std::string_view piece, bool last) {
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
    if (ex_.lead != nullptr) {
        if (ex_.lead->running()) {
            const bool taken = co_await ex_.lead->write(pieces);
            co_return taken;
        }
        if (!co_await ex_.lead->flush()) co_return false;
    }
    ex_.client.expire_hard_at(Clock::now() + ex_.client.write_stall(), "client write");
    const bool sent = co_await ex_.client.write(pieces);
    ex_.client.expire_never();
    co_return sent;
}

} // namespace tollgate::exchange
