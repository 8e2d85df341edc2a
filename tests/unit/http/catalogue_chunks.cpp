#include "tests/unit/http/catalogue.hpp"

namespace tollgate::test {

std::vector<Case> chunk_cases() {
    using namespace std::string_literals;
    const std::string b20000(20000, 'b');
    const std::string b100(100, 'b');
    return {
        refuse(58, with(C, "0x5¶hello¶0¶¶")),
        refuse(59, with(C, "+5¶hello¶0¶¶")),
        refuse(60, with(C, "-1¶hello¶0¶¶")),
        refuse(61, with(C, "5_0¶hello¶0¶¶")),
        refuse(62, with(C, " 5¶hello¶0¶¶")),
        refuse(63, with(C, "5 ¶hello¶0¶¶")),
        accept(64, with(C, "5\t;a=b¶hello¶0¶¶"), "hello"),
        refuse(65, with(C, "10000000000000005¶hello¶0¶¶")),
        refuse(66, with(C, "ffffffffffffffff¶hello"), {413}),
        refuse(67, with(C, std::string(40, '0') + "5¶hello¶0¶¶")),
        refuse(68, with(C, "¶¶", S)),
        refuse(69, with(C, "GG¶hello¶0¶¶")),
        refuse(70, with(C, "5\nhello¶0¶¶")),
        refuse(71, with(C, "5\rhello¶0¶¶")),
        refuse(72, with(C, "5¶hello\n0¶¶")),
        refuse(73, with(C, "5¶helloXX¶0¶¶")),
        refuse(74, with(C, "5¶hello0¶¶")),
        refuse(75, with(C, "5¶helloXX0¶¶")),
        refuse(76, with(C, "5¶hello¶0\n¶")),
        refuse(77, with(C, "5¶hello¶0¶\n")),
        accept(78, with(C, "5¶hello¶000¶¶"), "hello"),
        accept(79, with(C, "5;a=b¶hello¶0¶¶"), "hello"),
        accept(80, with(C, "5;a=\"x;y\"¶hello¶0¶¶"), "hello"),
        refuse(81, with(C, "5;¶hello¶0¶¶")),
        refuse(82, with(C, "5;a=\"x\ny\"¶hello¶0¶¶")),
        refuse(83, with(C, "5;\nxx¶hello¶0¶¶")),
        refuse(84, with(C, "5;a\nb¶hello¶0¶¶")),
        refuse(85, with(C, "5;a=\"\0\"¶hello¶0¶¶"s)),
        refuse(86, with(C, "5\r\r;a¶hello¶0¶¶")),
        refuse(87, with(C, "5;a=" + b20000 + "¶hello¶0¶¶")),
        accept(88, std::string(C) + repeat(1000, "1¶x¶") + x("0¶¶"), std::string(1000, 'x')),
        refuse(89, std::string(C) + repeat(1000, "1;a=" + b100 + "¶x¶") + x("0¶¶")),
    };
}

// Accepted trailers are dropped: that nothing of them reaches the head is asserted where the cases run.
std::vector<Case> trailer_cases() {
    return {
        accept(90, with(C, "5¶hello¶0¶X-T: 1¶¶"), "hello"),
        accept(91, with(C, "5¶hello¶0¶Authorization: Bearer evil¶¶"), "hello"),
        accept(92, with(C, "5¶hello¶0¶Host: evil¶¶"), "hello"),
        accept(93, with(C, "5¶hello¶0¶Content-Length: 3¶¶"), "hello"),
        accept(94, with(C, "5¶hello¶0¶Transfer-Encoding: identity¶¶"), "hello"),
        accept(95, with(C, "5¶hello¶0¶Connection: close¶¶"), "hello"),
        refuse(96, with(C, "5¶hello¶0¶GARBAGE¶¶")),
        accept(97, with(C, "0¶X:POST / HTTP/1.1¶¶")),
        refuse(98, with(C, "0¶") + repeat(600, "T: " + std::string(100, 'v') + "¶") + x("¶"), {431}),
    };
}

} // namespace tollgate::test
