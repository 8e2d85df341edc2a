#include "tests/unit/http/catalogue.hpp"

namespace tollgate::test {
namespace {

std::vector<Case> coding_cases() {
    using namespace std::string_literals;
    return {
        refuse(1, with(P, "Content-Length: 6¶Transfer-Encoding: chunked¶¶0¶¶G")),
        refuse(2, with(P, "Transfer-Encoding: chunked¶Content-Length: 4¶¶1¶x¶0¶¶")),
        refuse_coding(3, with(P, "Transfer-Encoding: identity¶Content-Length: 5¶¶hello")),
        refuse_coding(4, with(P, "Content-Length: 5¶Transfer-Encoding: identity¶¶hello")),
        refuse_coding(5, with(P, "Transfer-Encoding: gzip¶¶", S)),
        refuse_coding(6, with(P, "Transfer-Encoding: gzip¶Content-Length: 5¶¶hello")),
        refuse_coding(7, with(P, "Transfer-Encoding: gzip, chunked¶¶0¶¶")),
        refuse_coding(8, with(P, "Transfer-Encoding: chunked, gzip¶¶", S)),
        refuse_coding(9, with(P, "Transfer-Encoding: chunked, identity¶¶", S)),
        refuse_coding(10, with(P, "Transfer-Encoding: identity, chunked¶¶0¶¶")),
        refuse_coding(11, with(P, "Transfer-Encoding: chunked, chunked¶¶0¶¶")),
        refuse_coding(12, with(P, "Transfer-Encoding: chunked¶Transfer-Encoding: chunked¶¶0¶¶")),
        refuse_coding(13, with(P, "Transfer-Encoding: chunked¶Transfer-Encoding: identity¶¶0¶¶")),
        refuse_coding(14, with(P, "Transfer-Encoding: identity¶Transfer-Encoding: chunked¶¶0¶¶")),
        refuse_coding(15, with(P, "Transfer-Encoding: ,chunked¶¶0¶¶")),
        refuse_coding(16, with(P, "Transfer-Encoding: ,chunked¶Content-Length: 5¶¶0¶¶")),
        refuse_coding(17, with(P, "Transfer-Encoding: xchunked¶¶", S)),
        refuse_coding(18, with(P, "Transfer-Encoding: xchunked¶Content-Length: 5¶¶hello")),
        refuse_coding(19, with(P, "Transfer-Encoding: \"chunked\"¶¶", S)),
        refuse_coding(20, with(P, "Transfer-Encoding: chunked;q=1¶¶0¶¶")),
        refuse(21, with(P,
                        "Transfer-Encoding: \x0b"
                        "chunked¶¶",
                        S)),
        refuse_coding(22, with(P,
                               "Transfer-Encoding: \xa0"
                               "chunked¶¶",
                               S)),
        refuse_coding(23, with(P, "Transfer-Encoding: ¶¶", S)),
        refuse_coding(24, with(P, "Transfer-Encoding: ¶Content-Length: 5¶¶hello")),
        accept(25, with(P, "Transfer-Encoding: CHUNKED¶¶0¶¶")),
        accept(26, with(P, "Transfer-Encoding:\tchunked¶¶0¶¶")),
        refuse(27, with(P, "Transfer-Encoding : chunked¶¶0¶¶")),
        refuse(28, with(P, "Transfer-Encoding:¶ chunked¶¶0¶¶")),
        accept(29, with(P, "Transfer_Encoding: chunked¶Content-Length: 5¶¶0¶¶"), "0\r\n\r\n"),
        refuse(30, with(P, "Foo: x\nTransfer-Encoding: chunked¶Content-Length: 5¶¶0¶¶")),
        refuse(31, x("POST /a HTTP/1.0¶Host: a¶Transfer-Encoding: chunked¶¶5¶hello¶0¶¶")),
        refuse(32, x("POST /a HTTP/1.0¶Host: a¶Content-Length: 5¶Transfer-Encoding: chunked¶¶0¶¶")),
        refuse_coding(189, with(P, "Transfer-Encoding: chunked,¶¶0¶¶")),
        accept(190, with(P, "Transfer-Encoding: chunked ¶¶0¶¶")),
        refuse(191, with(P,
                         "Transfer-Encoding: \x0c"
                         "chunked¶¶",
                         S)),
        refuse(192, with(P, "Transfer-Encoding: chunked\0¶¶"s, S)),
        refuse(193, with(P, "Content-Length: 0¶Transfer-Encoding: chunked¶¶0¶¶")),
    };
}

std::vector<Case> length_cases() {
    using namespace std::string_literals;
    return {
        refuse(33, with(P, "Content-Length: 5¶Content-Length: 5¶¶hello")),
        refuse(34, with(P, "Content-Length: 5¶Content-Length: 6¶¶hello")),
        refuse(35, with(P, "Content-Length: 5, 5¶¶hello")),
        refuse(36, with(P, "Content-Length: 5, 6¶¶hello")),
        refuse(37, with(P, "Content-Length: 5,¶¶hello")),
        refuse(38, with(P, "Content-Length: +5¶¶hello")),
        refuse(39, with(P, "Content-Length: -1¶¶")),
        refuse(40, with(P, "Content-Length: 0x5¶¶hello")),
        refuse(41, with(P, "Content-Length: 5 5¶¶hello")),
        refuse(42, with(P, "Content-Length: 5.0¶¶hello")),
        accept(43, with(P, "Content-Length: 00000000000000000005¶¶hello"), "hello"),
        refuse(44, with(P, "Content-Length: ¶¶", S)),
        refuse(45, with(P, "Content-Length:¶Content-Length: 5¶¶hello")),
        refuse(46, with(P, "Content-Length: 18446744073709551621¶¶hello")),
        refuse(47, with(P, "Content-Length: 9223372036854775808¶¶hello"), {413}),
        refuse(48, with(P, "Content-Length: \x0b"
                           "5¶¶hello")),
        refuse(49, with(P, "Content-Length : 5¶¶hello")),
        refuse(50, with(P, "Content\0-Length: 5¶¶hello"s)),
        refuse(51, with(P, "Content-Length:¶ 5¶¶hello")),
        // 52–54, 198, 199: the message is framed; that its method takes no body is the route's business.
        accept(52, with(G, "Content-Length: 31¶¶", S), S),
        accept(53, with(G, "Transfer-Encoding: chunked¶¶5¶hello¶0¶¶"), "hello"),
        accept(54, x("HEAD /a HTTP/1.1¶Host: a¶Content-Length: 5¶¶hello"), "hello"),
        accept(55, with(P, "¶", S), "", 2), // 411 by the route; the second is a request of its own
        accept(56, with(P, "Connection: keep-alive, Content-Length¶Content-Length: 5¶¶hello"), "hello"),
        accept(57, with(P, "Connection: Transfer-Encoding¶Transfer-Encoding: chunked¶¶5¶hello¶0¶¶"), "hello"),
        refuse(194, with(P, "Content-Length: 1_0¶¶0123456789")),
        refuse(195, with(P, "Content-Length: 5;¶¶hello")),
        accept(196, with(P, "Content-Length: 5¶Content_Length: 0¶¶hello"), "hello"),
        refuse(197, with(P, "Content-Length: -0¶¶")),
        accept(198, x("OPTIONS /a HTTP/1.1¶Host: a¶Content-Length: 5¶¶hello"), "hello"),
        accept(199, x("GET /a HTTP/1.0¶Host: a¶Content-Length: 5¶¶hello"), "hello"),
    };
}

} // namespace

std::vector<Case> framing_cases() {
    std::vector<Case> all = coding_cases();
    for (Case& entry : length_cases()) all.push_back(std::move(entry));
    return all;
}

} // namespace tollgate::test
