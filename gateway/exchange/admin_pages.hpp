// What the ops server hands on: everything below /admin/v1 on the admin listener.
#pragma once

#include "gateway/base/task.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace tollgate::exchange {

inline constexpr std::string_view kAdminPrefix = "/admin/v1";

struct AdminCall {
    std::string method, path, query, body;
    std::string address; // of the peer
    std::optional<std::string> host, origin, authorization, content_type;
    bool too_large = false; // the body was, and is not here
};

struct AdminPage {
    int status = 200;
    std::string_view route = "unmatched"; // of a closed set, static storage
    std::string_view method = "other";    // as above
    std::string body;                     // JSON
    std::string allow;                    // of a 405
    unsigned retry_after = 0;             // seconds
};

// On the ops server's thread. Outlives its io_context's run.
class AdminPages {
  public:
    virtual ~AdminPages() = default;
    virtual Task<AdminPage> answer(AdminCall call) = 0;
    static constexpr std::size_t kLargestBody = 64 * 1024; // octets
};

} // namespace tollgate::exchange
