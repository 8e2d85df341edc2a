#pragma once

#include "tests/mock_provider/multipart.hpp"
#include "tests/mock_provider/reply.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::mock {

/// What one call on a stored object came with.
struct ObjectCall {
    std::string_view method;
    std::string_view path; // without "/v1"
    std::string_view query;
    const boost::json::object* body = nullptr; // null: not JSON
    const std::vector<Part>* parts = nullptr;  // null: not multipart
};

/// Files, uploads, batches, fine-tuning jobs, vector stores, stored chat completions and responses. Thread-safe.
class ObjectStore {
  public:
    /// Nothing if the path belongs to no collection.
    std::optional<Reply> handle(const ObjectCall& call);

    /// Keeps an object that an inference call made, under its `id`.
    void keep(std::string_view collection, boost::json::object object);

    void clear();

  private:
    struct Stored {
        boost::json::object object;
        std::string content; // of files
        std::uint64_t order = 0;
    };
    using Collection = std::map<std::string, Stored, std::less<>>;

    Reply create(std::string_view name, const ObjectCall& call);
    Reply list(std::string_view name, std::string_view query);
    Reply on_object(std::string_view name, std::string_view id, std::string_view action, const ObjectCall& call);
    Reply act(std::string_view name, Stored& stored, std::string_view action, const ObjectCall& call);
    Reply add_part(Stored& upload, const ObjectCall& call);
    Reply complete_upload(Stored& upload);
    Stored& insert(std::string_view name, std::string id, boost::json::object object);
    boost::json::object new_file(std::string_view filename, std::string_view purpose, std::size_t bytes);

    std::mutex mutex_;
    std::map<std::string, Collection, std::less<>> collections_;
    std::uint64_t next_ = 1;
};

} // namespace tollgate::mock
