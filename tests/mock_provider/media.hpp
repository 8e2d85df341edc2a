#pragma once

#include "tests/mock_provider/behaviour.hpp"
#include "tests/mock_provider/multipart.hpp"
#include "tests/mock_provider/reply.hpp"

#include <boost/json/object.hpp>

#include <vector>

namespace tollgate::mock {

/// Answers of the endpoints whose result is no generated conversation. `body` is the request's JSON.
Reply embeddings_reply(const boost::json::object& body, const Behaviour& behaviour);
Reply moderations_reply(const boost::json::object& body);
Reply images_reply(const boost::json::object& body, const Behaviour& behaviour);
Reply speech_reply(const boost::json::object& body, const Behaviour& behaviour);

/// The same for multipart requests.
Reply image_edit_reply(const std::vector<Part>& parts, const Behaviour& behaviour);
Reply transcription_reply(const std::vector<Part>& parts, const Behaviour& behaviour, bool translation);

} // namespace tollgate::mock
