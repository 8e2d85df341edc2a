#include "tests/unit/http/catalogue.hpp"

namespace tollgate::test {
namespace {

// Every octet once, in order.
std::string all_octets() {
    std::string out;
    for (int octet = 0; octet < 256; ++octet) out += static_cast<char>(octet);
    return out;
}

std::vector<Case> request_line_cases() {
    using namespace std::string_literals;
    return {
        // 99–101: the route answers 501 and 405; the head itself is sound.
        accept(99, x("get /a HTTP/1.1¶Host: a¶¶")),
        accept(100, x("FOO /a HTTP/1.1¶Host: a¶¶")),
        accept(101, x("TRACE /a HTTP/1.1¶Host: a¶¶")),
        refuse(102, x("CONNECT a:443 HTTP/1.1¶Host: a¶¶"), {405}),
        refuse(103, x("G\x7fT /a HTTP/1.1¶Host: a¶¶")),
        accept(104, x("¶GET /a HTTP/1.1¶Host: a¶¶")),
        refuse(105, repeat(50, "¶") + with(G, "¶")),
        refuse(106, x(" GET /a HTTP/1.1¶Host: a¶¶")),
        refuse(107, x("GET  /a HTTP/1.1¶Host: a¶¶")),
        refuse(108, x("GET\t/a\tHTTP/1.1¶Host: a¶¶")),
        refuse(109, x("GET /a b HTTP/1.1¶Host: a¶¶")),
        refuse(110, x("GET /a HTTP/1.1 ¶Host: a¶¶")),
        refuse(111, "GET /a HTTP/1.1\nHost: a\n\n"),
        refuse(112, x("GET /a HTTP/1.1\nHost: a¶¶")),
        refuse(113, with(A, "Host: a\nX: y¶¶")),
        refuse(114, x("GET /a\rb HTTP/1.1¶Host: a¶¶")),
        refuse(115, x("GET /a¶¶")),
        refuse(116, x("GET /a HTTP/1.2¶Host: a¶¶"), {400, 505}),
        refuse(117, x("GET /a HTTP/2.0¶Host: a¶¶"), {400, 505}),
        refuse(118, x("GET /a HTTP/1.10¶Host: a¶¶")),
        refuse(119, x("GET /a HTTP/01.1¶Host: a¶¶")),
        refuse(120, x("GET /a http/1.1¶Host: a¶¶")),
        refuse(121, x("GET /a HTTP/9.9¶Host: a¶¶"), {400, 505}),
        refuse(122, x("PRI * HTTP/2.0¶¶SM¶¶"), {400, 505}),
        refuse(123, "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03"s),
        refuse(138, x("GET /" + std::string(9000, 'a') + " HTTP/1.1¶Host: a¶¶"), {414}),
        refuse(139, x(std::string(10000, 'G') + " / HTTP/1.1¶Host: a¶¶"), {400, 501}),
    };
}

std::vector<Case> target_cases() {
    using namespace std::string_literals;
    const auto get = [](const std::string& target) { return x("GET " + target + " HTTP/1.1¶Host: a¶¶"); };
    return {
        accept(124, get("http://a/a")),
        refuse(125, get("http://evil/a")),
        // 126, 136: sound heads of paths that no route has.
        accept(126, x("GET http://169.254.169.254/latest/meta-data/ HTTP/1.1¶Host: 169.254.169.254¶¶")),
        refuse(127, get("a")),
        accept(128, x("OPTIONS * HTTP/1.1¶Host: a¶¶")),
        refuse(129, get("/a#b")),
        refuse(130, get("/a\0b"s)),
        refuse(131, get("/\xc3\xa9")),
        refuse(132, get("/a%00b")),
        refuse(133, get("/a%zz")),
        refuse(134, get("/v1/../admin")),
        refuse(135, get("/v1/%2e%2e%2fadmin")),
        accept(136, get("//admin")),
        refuse(137, get("/a%0d%0aX:y")),
        refuse(200, get("*")),
        refuse(201, get("http://u:p@a/a")),
        refuse(202, get("file:///etc/passwd")),
        refuse(203, get("/v1\\..\\admin")),
        refuse(204, get("/%c0%ae%c0%ae/admin")),
        refuse(205, get("/v1/;/../admin")),
        refuse(206, get("/a\"<{}|^")),
    };
}

std::vector<Case> host_cases() {
    using namespace std::string_literals;
    const auto host = [](const std::string& value) { return with(A, "Host:" + value + "¶¶"); };
    return {
        refuse(140, with(A, "¶")),   refuse(141, with(G, "Host: b¶¶")), refuse(142, with(G, "Host: a¶¶")),
        refuse(143, host(" a, b")),  refuse(144, host(" a b")),         refuse(145, host(" a/x")),
        refuse(146, host(" a@b")),   refuse(147, host(" a:99999")),     refuse(148, host("")),
        refuse(149, host(" a\0b"s)), refuse(207, host(" a/?")),         refuse(208, host(" a#x")),
        refuse(209, host(" a?x=")),  accept(210, host(" [::1]:80")),    accept(211, host(" a:")),
        refuse(212, host(" a:80x")), refuse(213, host("¶ a")),
    };
}

std::vector<Case> field_cases() {
    using namespace std::string_literals;
    const auto field = [](const std::string& line) { return with(G, line + "¶¶"); };
    return {
        refuse(150, field("X : y")),
        refuse(151, with(A, " Host: a¶¶")),
        refuse(152, field("X: a¶ b")),
        refuse(153, field("X: a¶\tb")),
        refuse(154, field("X: a¶ " + std::string(5000, 'b'))),
        refuse(155, field(": x")),
        refuse(156, field("Xfoo")),
        refuse(157, field("X: a\0b"s)),
        refuse(158, field("X: a\rb")),
        refuse(159, field("X: a\nY: b")),
        refuse(160, field("X: a\x01"
                          "b")),
        refuse(161, field("X: a\x7f"
                          "b")),
        accept(162, field("X: a\xff"
                          "b")),
        refuse(163, field("X\xe9: b")),
        refuse(164, field("X(y): b")),
        accept(165, field("X_Api_Key: b")),
        refuse(166, field("X: a\r")),
        refuse(167, field("\rX: y")),
        refuse(168, field("X: " + std::string(9000, 'a')), {431}),
        refuse(169, std::string(G) + repeat(500, "Xn: y¶") + x("¶"), {431}),
        refuse(170, std::string(G) + repeat(2000, "Xn: y¶") + x("¶"), {431}),
        refuse(171, std::string(G) + repeat(100, "Xn: " + std::string(1000, 'y') + "¶") + x("¶"), {431}),
        refuse(172, field("Authorization: Bearer a¶Authorization: Bearer b")),
        accept(173, field("Connection: close, Authorization¶Authorization: Bearer a")),
        refuse(174, field("Connection: a b;;")),
        accept(175, with(P, "Expect: 100-continue¶Content-Length: 5¶¶hello"), "hello"),
        refuse(176, with(P, "Expect: 200-ok¶Content-Length: 5¶¶hello"), {417}),
        accept(177, field("Connection: Upgrade, HTTP2-Settings¶Upgrade: h2c¶HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")),
        // 178, 179: 426 and 415 by the route.
        accept(178, field("Connection: Upgrade¶Upgrade: websocket¶Sec-WebSocket-Key: x¶Sec-WebSocket-Version: 13")),
        accept(179, with(P, "Content-Encoding: gzip¶Content-Length: 5¶¶hello"), "hello"),
        refuse(214, with(P, "Content-Type: application/json¶Content-Type: text/plain¶Content-Length: 2¶¶{}")),
        accept(215, field("Connection: Host")),
        accept(216, field("Connection: TE¶TE: trailers, chunked")),
        accept(217, x("POST /a HTTP/1.0¶Host: a¶Expect: 100-continue¶Content-Length: 5¶¶hello"), "hello"),
        refuse(218, with(P, "Expect: y 100-continue¶Content-Length: 5¶¶hello"), {417}),
        accept(219, x("OPTIONS /a HTTP/1.1¶Host: a¶Max-Forwards: 0¶¶")),
    };
}

} // namespace

std::vector<Case> start_line_cases() {
    std::vector<Case> all = request_line_cases();
    for (Case& entry : target_cases()) all.push_back(std::move(entry));
    return all;
}

std::vector<Case> header_cases() {
    std::vector<Case> all = host_cases();
    for (Case& entry : field_cases()) all.push_back(std::move(entry));
    return all;
}

std::vector<Case> connection_cases() {
    return {
        accept(180, repeat(3, std::string(G) + "¶"), "", 3),
        accept(181, x("GET /a HTTP/1.0¶Host: a¶¶") + std::string(S)),
        accept(182, x("GET /a HTTP/1.0¶Connection: keep-alive¶Host: a¶¶")),
        accept(183, x("GET /a HTTP/1.0¶¶")),
        accept(184, with(G, "Connection: close¶¶", S)),
        incomplete(185, with(P, "Content-Length: 10¶¶hello")),
        incomplete(186, with(C, "5¶hel")),
        incomplete(187, x("GET /a HTTP/1.1¶Ho")),
        accept(188, with(P, "Content-Length: 5¶¶hello¶", S), "hello", 2),
        refuse(220, x(" ¶GET /a HTTP/1.1¶Host: a¶¶")),
        refuse(221, all_octets()),
        accept(222, repeat(100, std::string(G) + "¶"), "", 100),
    };
}

} // namespace tollgate::test
