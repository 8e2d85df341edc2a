#pragma once

#include "tests/mock_provider/behaviour.hpp"
#include "tests/mock_provider/objects.hpp"
#include "tests/mock_provider/reply.hpp"
#include "tests/mock_provider/request.hpp"

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace tollgate::mock {

struct Answer {
    Reply reply;
    Behaviour behaviour;
    std::string model; // as the request named it, empty if it named none
};

/// Decides the answer to every request outside /__mock. Thread-safe.
class Router {
  public:
    /// With a `required_key`, requests without `Bearer <required_key>` get 401.
    explicit Router(std::string required_key) : required_key_(std::move(required_key)) {}

    Answer answer(const Request& request);
    bool authorized(const Request& request) const;
    ObjectStore& objects() { return objects_; }

  private:
    struct Call;
    Answer dispatch(Call& call);
    Reply on_json(const Call& call, const Behaviour& behaviour);
    Reply on_multipart(const Call& call, const Behaviour& behaviour);
    Reply on_responses(const Call& call, const Behaviour& behaviour);
    Reply on_input(const Call& call, const Behaviour& behaviour);
    Reply on_chat(const Call& call, const Behaviour& behaviour);
    std::string identifier(std::string_view prefix, std::string_view model, std::uint64_t seed, bool unique);

    std::string required_key_;
    ObjectStore objects_;
    std::atomic<std::uint64_t> next_id_{1};
};

} // namespace tollgate::mock
