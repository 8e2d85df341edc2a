#include "metrics/record.hpp"

namespace tollgate::metrics {

std::string_view to_string(Outcome outcome) noexcept {
    switch (outcome) {
    case Outcome::success: return "success";
    case Outcome::client_error: return "client_error";
    case Outcome::rejected: return "rejected";
    case Outcome::client_cancelled: return "client_cancelled";
    case Outcome::upstream_error: return "upstream_error";
    case Outcome::gateway_error: return "gateway_error";
    }
    return "";
}

std::string_view to_string(CacheResult result) noexcept {
    switch (result) {
    case CacheResult::none: return "none";
    case CacheResult::hit: return "hit";
    case CacheResult::miss: return "miss";
    case CacheResult::bypass: return "bypass";
    case CacheResult::stale: return "stale";
    case CacheResult::collapsed: return "collapsed";
    }
    return "";
}

} // namespace tollgate::metrics
