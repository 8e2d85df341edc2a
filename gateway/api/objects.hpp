// Answers we make or filter ourselves: model lists, owned-object lists, ids of created objects. Pure; Boost.JSON
// inside.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::api {

[[nodiscard]] std::string models_list_body(const std::vector<std::string>& models); // OpenAI list shape
[[nodiscard]] std::string model_body(std::string_view model);
[[nodiscard]] std::string engines_list_body(const std::vector<std::string>& models); // 0.28 shape
[[nodiscard]] std::string engine_body(std::string_view model);

// `id` of a created object, if the body is a JSON object with a clean string id ([A-Za-z0-9_.:-]{1,128}).
[[nodiscard]] std::optional<std::string> created_id(std::string_view body);
// The same for an event of a responses stream: `response.id`.
[[nodiscard]] std::optional<std::string> created_response_id(std::string_view event_data);
// Every stored object a body refers to: values of members whose name ends in file_id or is training_file,
// validation_file, previous_response_id, container, conversation or audio (also their `id`), elements of file_ids and
// vector_store_ids, input items that stand for stored ones. Top-level metadata is not looked at. Nothing if the body
// cannot be read: then nobody can say what it refers to, and it must not pass.
[[nodiscard]] std::optional<std::vector<std::string>> referenced_ids(std::string_view body);
// Models that hosted tools name (`tools[].model`): they are used as well. Nothing as above.
[[nodiscard]] std::optional<std::vector<std::string>> tool_models(std::string_view body);
// Files the provider made on behalf of the object, or of each object in data[], that an answer describes.
[[nodiscard]] std::vector<std::string> made_file_ids(std::string_view body);
// Keeps the elements of data[] whose id `keep` accepts; fixes first_id/last_id. Nothing if the body is not such a list.
[[nodiscard]] std::optional<std::string> filter_list(std::string_view body,
                                                     const std::function<bool(std::string_view)>& keep);
// All ids in data[], for asking the store before filtering.
[[nodiscard]] std::vector<std::string> list_ids(std::string_view body);

} // namespace tollgate::api
