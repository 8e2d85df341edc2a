// Stored objects live at one provider account shared by all; the store says which team owns which id (design §8).
#pragma once

#include "gateway/base/error.hpp"
#include "gateway/exchange/exchange.hpp"

#include <string>

namespace tollgate::exchange {

// Before the request goes out: the path's object, and every object the body refers to, must belong to the caller's
// team. A foreign or unknown id is 404, as if it did not exist.
Task<Result<void>> check_ownership(Exchange& ex);

// On the way back, before the client sees it: records a created object, filters a list, forgets a removed object.
// Returns the body to send.
Task<Result<std::string>> apply_ownership(Exchange& ex, const upstream::Provider& provider, std::string body);

// The answer's body must be seen whole because it changes, or is changed by, who owns what.
[[nodiscard]] bool changes_ownership(const Exchange& ex) noexcept;

// A stored response is an object too: true if this answer creates one. It becomes the team's whether or not this key
// may come back to it: another key of the team may read and delete it.
[[nodiscard]] bool creates_stored_response(const Exchange& ex) noexcept;
Task<Result<void>> own_object(Exchange& ex, const upstream::Provider& provider, std::string id, std::string group);
// As own_object, for what creates_stored_response. A store that fails is no error to a key without the grant.
Task<Result<void>> own_response(Exchange& ex, const upstream::Provider& provider, std::string id);

} // namespace tollgate::exchange
