// What the admin API answers when it does not do what was asked: RFC 9457 problem details.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tollgate::admin {

// One thing that is wrong with a body.
struct Fault {
    std::string path; // JSON pointer into the body: "/limits/rpm"
    std::string message;
    std::string hint; // "did you mean `rpm`?"; possibly empty
};

struct Problem {
    int status = 400;
    std::string_view code; // of a closed set, for programs: "invalid_body"
    std::string detail;    // for people
    std::vector<Fault> errors{};
    std::string place{};      // file and line of what is owned by the file: "tollgate.yaml:12"
    unsigned retry_after = 0; // seconds; 0: not said
};

// The JSON object.
[[nodiscard]] std::string to_json(const Problem& problem);

} // namespace tollgate::admin
