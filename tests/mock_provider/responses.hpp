#pragma once

#include "tests/mock_provider/chat_request.hpp"

#include <boost/json/object.hpp>

#include <string_view>

namespace tollgate::mock {

/// The finished response object.
boost::json::object response_object(const Generation& generation, const Behaviour& behaviour,
                                    const boost::json::object& request, std::string_view id);

/// JSON, or numbered events if the request asked for them. `object` is what `response_object` made.
Reply responses_reply(const Generation& generation, const Behaviour& behaviour, boost::json::object object);

/// One answer to each of the request's `questions`; usage as a response tells it.
Reply decisions_reply(const boost::json::object& request, const Behaviour& behaviour);

} // namespace tollgate::mock
