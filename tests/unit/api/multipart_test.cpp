#include "gateway/api/multipart.hpp"

#include <gtest/gtest.h>
#include <random>

namespace tollgate::api {
namespace {

using namespace std::string_literals;

struct Seen {
    std::string verdict; // "ok" or code/param
    std::string model;
    std::size_t offset = 0;
    std::size_t length = 0;
    bool stream = false;
    bool operator==(const Seen&) const = default;
    friend std::ostream& operator<<(std::ostream& out, const Seen& seen) {
        return out << seen.verdict << " model=" << seen.model << " at " << seen.offset << "+" << seen.length
                   << " stream=" << seen.stream;
    }
};

Seen scan(const std::vector<std::string_view>& pieces, const std::string& boundary) {
    MultipartScanner scanner(boundary);
    Result<void> result;
    for (const std::string_view piece : pieces) {
        result = scanner.feed(piece);
        if (!result) break;
    }
    if (result) result = scanner.finish();
    Seen seen{"ok", scanner.model().value_or(""), scanner.model_offset(), scanner.model_length(), scanner.stream()};
    if (!result) {
        EXPECT_EQ(result.error().type == ErrorType::caller_model_unknown ? 404 : 400, result.error().status);
        seen.verdict = std::string(result.error().code);
        if (!result.error().param.empty()) seen.verdict += "/" + result.error().param;
    }
    return seen;
}

// Scans in one piece, octet by octet, and cut at every place; all must tell the same.
Seen scan_all_ways(const std::string& body, const std::string& boundary) {
    const std::string_view text = body;
    const Seen whole = scan({text}, boundary);
    std::vector<std::string_view> octets;
    for (std::size_t i = 0; i < text.size(); ++i) octets.push_back(text.substr(i, 1));
    EXPECT_EQ(scan(octets, boundary), whole) << body;
    for (std::size_t cut = 0; cut <= text.size() && text.size() < 4'096; ++cut)
        EXPECT_EQ(scan({text.substr(0, cut), text.substr(cut)}, boundary), whole) << "cut at " << cut << "\n" << body;
    return whole;
}

std::string field(std::string_view name, std::string_view value) {
    return "--B\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" + std::string(value) +
           "\r\n";
}

std::string verdict(const std::string& body) {
    return scan_all_ways(body, "B").verdict;
}

TEST(MultipartBoundary, table) {
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=abc"), "abc");
    EXPECT_EQ(multipart_boundary("Multipart/Form-Data;charset=utf-8; BOUNDARY=\"a b:c\""), "a b:c");
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=----WebKitFormBoundary'()+_,./:=?;"),
              "----WebKitFormBoundary'()+_,./:=?");
    EXPECT_EQ(multipart_boundary("multipart/form-data; boundary=" + std::string(70, 'x')), std::string(70, 'x'));
    for (const std::string& type : {""s,
                                    "multipart/form-data"s,
                                    "multipart/form-data;"s,
                                    "multipart/mixed; boundary=a"s,
                                    "application/json"s,
                                    "multipart/form-data; boundary="s,
                                    "multipart/form-data; boundary=\"\""s,
                                    "multipart/form-data; boundary=\"a"s,
                                    "multipart/form-data; boundary=\"a \""s,
                                    "multipart/form-data; boundary=a b"s,
                                    "multipart/form-data; boundary=a; boundary=b"s,
                                    "multipart/form-data; boundary=a; boundary=a"s,
                                    "multipart/form-data boundary=a"s,
                                    "multipart/form-data; boundary=a\r\nb"s,
                                    "multipart/form-data; boundary=\"a\nb\""s,
                                    "multipart/form-data; boundary=a\0b"s,
                                    "multipart/form-data; boundary=\xc3\xa9"s,
                                    "multipart/form-data; boundary=a*b"s,
                                    "multipart/form-data; x; boundary=a"s,
                                    "multipart/form-data; boundary=" + std::string(71, 'x')})
        EXPECT_EQ(multipart_boundary(type), std::nullopt) << testing::PrintToString(type);
}

TEST(Multipart, model_is_found_in_every_segmentation) {
    const std::string head = "--B\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a\\\"b.wav\"\r\n"
                             "Content-Type: audio/wav\r\n\r\n\r\n--\r\n--A\r\r\n--\r\n\n--B\r--B--\0\xff\r\n"s;
    const std::string body = head + field("model", "whisper-1") + field("stream", "true") + field("purpose", "batch") +
                             field("other", std::string(1'000, 'x')) + "--B--\r\n";
    const Seen seen = scan_all_ways(body, "B");
    EXPECT_EQ(seen.verdict, "ok");
    EXPECT_EQ(seen.model, "whisper-1");
    EXPECT_EQ(body.substr(seen.offset, seen.length), "whisper-1");
    EXPECT_TRUE(seen.stream);
}

TEST(Multipart, absent_fields_and_plain_names) {
    EXPECT_EQ(scan_all_ways(field("a", "") + "--B--", "B"), (Seen{"ok", "", 0, 0, false}));
    EXPECT_EQ(scan_all_ways("\r\n" + field("stream", "false") + "--B--\r\n\r\n", "B"), (Seen{"ok", "", 0, 0, false}));
    const Seen token = scan_all_ways("--B\r\nContent-Disposition:form-data;name=model\r\n\r\nm\r\n--B--", "B");
    EXPECT_EQ(token.model, "m");
}

TEST(Multipart, model_is_judged_as_in_json) {
    EXPECT_EQ(verdict(field("model", "a") + field("model", "b") + "--B--"), "duplicate_key/model");
    EXPECT_EQ(verdict(field("model", "") + "--B--"), "invalid_value/model");
    EXPECT_EQ(verdict(field("model", "../x") + "--B--"), "invalid_value/model");
    EXPECT_EQ(verdict(field("model", "a b") + "--B--"), "invalid_value/model");
    EXPECT_EQ(verdict(field("model", "\xD0\xB0") + "--B--"), "model_not_found/model");
    EXPECT_EQ(verdict(field("model", std::string(128, 'a')) + "--B--"), "ok");
    EXPECT_EQ(verdict(field("model", std::string(129, 'a')) + "--B--"), "invalid_value/model");
    EXPECT_EQ(verdict(field("Model", "a") + "--B--"), "invalid_value/model");
    EXPECT_EQ(verdict(field("api_base", "http://x") + "--B--"), "forbidden_field/api_base");
    EXPECT_EQ(verdict("--B\r\nContent-Disposition: form-data; name=model; filename=x\r\n\r\nm\r\n--B--"),
              "invalid_value/model");
    EXPECT_EQ(verdict("--B\r\nContent-Disposition: form-data; name=model\r\nContent-Transfer-Encoding: base64\r\n\r\n"
                      "bQ==\r\n--B--"),
              "invalid_value/model");
}

TEST(Multipart, stream_is_true_or_false) {
    EXPECT_TRUE(scan_all_ways(field("stream", "True") + "--B--", "B").stream);
    for (const char* value : {"1", "yes", "", "true "})
        EXPECT_EQ(verdict(field("stream", value) + "--B--"), "invalid_type/stream") << value;
    EXPECT_EQ(verdict(field("stream", "true") + field("stream", "false") + "--B--"), "duplicate_key/stream");
}

TEST(Multipart, captured_values_are_bounded) {
    EXPECT_EQ(verdict(field("purpose", std::string(256, 'p')) + "--B--"), "ok");
    EXPECT_EQ(verdict(field("purpose", std::string(4'000, 'p')) + "--B--"), "invalid_value");
    EXPECT_EQ(scan({field("model", std::string(10'000'000, 'p'))}, "B").verdict, "invalid_value");
}

TEST(Multipart, ambiguous_bodies_are_refused) {
    const std::string good = field("model", "m");
    for (const std::string& body : {
             ""s,
             "--"s,
             "--B"s,
             "--B--"s,
             good,
             good + "--B",
             good + "--B-",
             good.substr(0, good.size() - 2),
             "preamble\r\n" + good + "--B--",
             " " + good + "--B--",
             "\r\n\r\n" + good + "--B--",
             "\n" + good + "--B--",
             good + "--B--\r\nepilogue",
             good + "--B--\r\n" + good + "--B--",
             good + "--B \r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n--B--",
             good + "--Bx\r\n\r\n--B--",
             good + "--B\nContent-Disposition: form-data; name=\"x\"\n\ny\n--B--",
             "--C\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--C--"s,
             "--B\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n--B--"s,
             "--B\r\nContent-Disposition: attachment; name=\"model\"\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"a\"; name=\"model\"\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"a\"; name*=utf-8''model\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"mo\\del\"\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"model\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"model\" x\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data;\r\n name=\"model\"\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Disposition: form-data; "
             "name=\"model\"\r\n\r\n"
             "m\r\n--B--"s,
             "--B\r\nContent-Disposition : form-data; name=\"model\"\r\n\r\nm\r\n--B--"s,
             "--B\r\n: x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"mo\0del\"\r\n\r\nm\r\n--B--"s,
             "--B\r\nContent-Disposition: form-data; name=\"x\"\nX: y\r\n\r\nm\r\n--B--"s,
         })
        EXPECT_EQ(verdict(body), "invalid_multipart") << testing::PrintToString(body);
}

TEST(Multipart, heads_and_parts_are_bounded) {
    const std::string start = "--B\r\nContent-Disposition: form-data; name=\"x\"\r\nX: ";
    EXPECT_EQ(scan({start + std::string(8'000, 'a') + "\r\n\r\nv\r\n--B--"}, "B").verdict, "ok");
    EXPECT_EQ(scan({start + std::string(8'192, 'a') + "\r\n\r\nv\r\n--B--"}, "B").verdict, "invalid_multipart");
    std::string many;
    for (int i = 0; i < 1'000; ++i) many += field("x", "y");
    EXPECT_EQ(scan({many + "--B--"}, "B").verdict, "ok");
    EXPECT_EQ(scan({many + field("x", "y") + "--B--"}, "B").verdict, "invalid_multipart");
}

TEST(Multipart, boundaries_made_of_dashes_and_near_misses) {
    for (const std::string boundary : {"-", "--", "---", "----a", "'()+_,-./:=? a"}) {
        const std::string line = "--" + boundary;
        const std::string value = "\r\n-\r\r\n" + line.substr(0, line.size() - 1) + "+\r\n" + line.substr(1) + "+\r";
        const std::string body = line + "\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n" + value +
                                 "\r\n" + line + "\r\nContent-Disposition: form-data; name=model\r\n\r\nm\r\n" + line +
                                 "--\r\n";
        const Seen seen = scan_all_ways(body, boundary);
        // With dashes only, the near miss is the delimiter followed by more, which is refused.
        if (seen.verdict == "ok") EXPECT_EQ(body.substr(seen.offset, seen.length), "m") << boundary;
        EXPECT_EQ(seen.verdict, boundary.find_first_not_of('-') == std::string::npos ? seen.verdict : "ok") << boundary;
    }
}

TEST(Multipart, random_octets_and_cuts_never_disagree) {
    std::mt19937_64 random(7);
    const std::string base = field("model", "m") + field("stream", "true") + field("f", "\r\n--\r\n--C") + "--B--\r\n";
    for (int round = 0; round < 3'000; ++round) {
        std::string body = base;
        for (std::uint64_t edits = 1 + random() % 3; edits > 0; --edits) {
            const std::size_t at = random() % body.size();
            static constexpr std::string_view kOctets = "\r\n-B:;=\" \0mx";
            const char octet = kOctets[random() % kOctets.size()];
            if (random() % 2 == 0) {
                body[at] = octet;
            } else {
                body.insert(at, 1, octet);
            }
        }
        std::vector<std::string_view> pieces;
        for (std::string_view rest = body; !rest.empty();) {
            const std::size_t size = std::min<std::size_t>(1 + random() % 9, rest.size());
            pieces.push_back(rest.substr(0, size));
            rest.remove_prefix(size);
        }
        ASSERT_EQ(scan(pieces, "B"), scan({body}, "B")) << testing::PrintToString(body);
    }
}

TEST(Multipart, refused_stays_refused) {
    MultipartScanner scanner("B");
    EXPECT_FALSE(scanner.feed("nonsense"));
    EXPECT_FALSE(scanner.feed(field("model", "m") + "--B--"));
    EXPECT_FALSE(scanner.finish());
}

} // namespace
} // namespace tollgate::api
