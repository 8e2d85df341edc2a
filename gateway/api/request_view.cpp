#include "gateway/api/request_view.hpp"

#include "gateway/api/request_inspector.hpp"
#include "gateway/base/text.hpp"

#include <simdjson.h>

namespace tollgate::api {
namespace {

// Below this a DOM is faster and its 12-fold memory does not matter; above it only On-Demand stays near the body size.
constexpr std::size_t kDomLimit = std::size_t{64} * 1024;
// A parser keeps the buffers of the largest body it has seen, so larger ones get a parser of their own.
constexpr std::size_t kKeptLimit = std::size_t{1024} * 1024;
constexpr std::size_t kMaxValues = 100'000;
constexpr std::size_t kMaxTokenValues = 1'000'000; // where a prompt may be given as token numbers

using simdjson::error_code;
using Kind = JsonScalar::Kind;

Error parser_error(error_code code) {
    if (code == simdjson::UTF8_ERROR) return invalid_request("invalid_utf8", "The body is not valid UTF-8.");
    if (code == simdjson::MEMALLOC) {
        Error error;
        error.type = ErrorType::gateway_overloaded;
        error.status = 503;
        error.message = "The gateway has no memory left to read this body.";
        return error;
    }
    return invalid_request("invalid_json", "The body is not valid JSON.");
}

// Walks report a parser's fault here; the inspector's own refusals are told by `false` with SUCCESS left standing.
struct Walk {
    RequestInspector& inspector;
    error_code fault = simdjson::SUCCESS;

    bool broken(error_code code) {
        fault = code;
        return false;
    }
};

// --- DOM: the document is complete and valid before the first token is told ---

// Both walks recurse: precheck_json has bounded the depth.
bool tell(Walk& walk, simdjson::dom::element element);

bool tell_object(Walk& walk, simdjson::dom::object object) {
    if (!walk.inspector.open(true)) return false;
    for (const auto& [key, value] : object) {
        if (!walk.inspector.key(key) || !tell(walk, value)) return false;
    }
    return walk.inspector.close();
}

bool tell_array(Walk& walk, simdjson::dom::array array) {
    if (!walk.inspector.open(false)) return false;
    for (const simdjson::dom::element element : array) {
        if (!tell(walk, element)) return false;
    }
    return walk.inspector.close();
}

bool tell(Walk& walk, simdjson::dom::element element) {
    using Type = simdjson::dom::element_type;
    JsonScalar scalar;
    error_code error = simdjson::SUCCESS;
    switch (element.type()) {
    case Type::OBJECT: return tell_object(walk, element.get_object().value_unsafe());
    case Type::ARRAY: return tell_array(walk, element.get_array().value_unsafe());
    case Type::STRING:
        scalar.kind = Kind::string;
        error = element.get_string().get(scalar.text);
        break;
    case Type::INT64:
        scalar.kind = Kind::signed_integer;
        error = element.get_int64().get(scalar.integer);
        scalar.real = static_cast<double>(scalar.integer);
        break;
    case Type::UINT64:
        scalar.kind = Kind::unsigned_integer;
        error = element.get_double().get(scalar.real);
        break;
    case Type::DOUBLE:
        scalar.kind = Kind::real;
        error = element.get_double().get(scalar.real);
        break;
    case Type::BOOL:
        scalar.kind = Kind::boolean;
        error = element.get_bool().get(scalar.boolean);
        break;
    case Type::NULL_VALUE: break;
    }
    return error == simdjson::SUCCESS ? walk.inspector.scalar(scalar) : walk.broken(error);
}

// --- On-Demand: nothing is validated until it is visited, so everything is visited, and the first error is the last
// ---

namespace ondemand = simdjson::ondemand;

bool visit(Walk& walk, ondemand::value value);

bool visit_object(Walk& walk, ondemand::object object) {
    if (!walk.inspector.open(true)) return false;
    for (auto entry : object) {
        ondemand::field field;
        if (const error_code error = std::move(entry).get(field)) return walk.broken(error);
        std::string_view key;
        if (const error_code error = field.unescaped_key().get(key)) return walk.broken(error);
        if (!walk.inspector.key(key) || !visit(walk, field.value())) return false;
    }
    return walk.inspector.close();
}

bool visit_array(Walk& walk, ondemand::array array) {
    if (!walk.inspector.open(false)) return false;
    for (auto entry : array) {
        ondemand::value value;
        if (const error_code error = std::move(entry).get(value)) return walk.broken(error);
        if (!visit(walk, value)) return false;
    }
    return walk.inspector.close();
}

error_code read_number(ondemand::value& value, JsonScalar& scalar) {
    ondemand::number number;
    if (const error_code error = value.get_number().get(number)) return error;
    scalar.real = number.as_double();
    switch (number.get_number_type()) {
    case ondemand::number_type::floating_point_number: scalar.kind = Kind::real; break;
    case ondemand::number_type::unsigned_integer: scalar.kind = Kind::unsigned_integer; break;
    case ondemand::number_type::signed_integer:
        scalar.kind = Kind::signed_integer;
        scalar.integer = number.get_int64();
        break;
    }
    return simdjson::SUCCESS;
}

error_code read_null(ondemand::value& value) {
    bool null = false;
    if (const error_code error = value.is_null().get(null)) return error;
    return null ? simdjson::SUCCESS : simdjson::N_ATOM_ERROR;
}

bool visit(Walk& walk, ondemand::value value) {
    ondemand::json_type type{};
    if (const error_code error = value.type().get(type)) return walk.broken(error);
    JsonScalar scalar;
    error_code error = simdjson::SUCCESS;
    switch (type) {
    case ondemand::json_type::object: {
        ondemand::object object;
        if ((error = value.get_object().get(object))) return walk.broken(error);
        return visit_object(walk, object);
    }
    case ondemand::json_type::array: {
        ondemand::array array;
        if ((error = value.get_array().get(array))) return walk.broken(error);
        return visit_array(walk, array);
    }
    case ondemand::json_type::string:
        scalar.kind = Kind::string;
        error = value.get_string().get(scalar.text);
        break;
    case ondemand::json_type::number: error = read_number(value, scalar); break;
    case ondemand::json_type::boolean:
        scalar.kind = Kind::boolean;
        error = value.get_bool().get(scalar.boolean);
        break;
    case ondemand::json_type::null: error = read_null(value); break;
    }
    return error == simdjson::SUCCESS ? walk.inspector.scalar(scalar) : walk.broken(error);
}

} // namespace

struct RequestReader::Impl {
    simdjson::dom::parser dom{kDomLimit};
    ondemand::parser streaming{kKeptLimit};
    std::vector<std::string_view> keys;

    static bool parse_dom(simdjson::dom::parser& parser, const std::string& body, Walk& walk) {
        simdjson::dom::object root;
        const auto code = parser.parse(body.data(), body.size(), false).get_object().get(root);
        return code == simdjson::SUCCESS ? tell_object(walk, root) : walk.broken(code);
    }

    // The document dies with this frame: after an error no call may touch it again.
    static bool parse_streaming(ondemand::parser& parser, const std::string& body, Walk& walk) {
        ondemand::document document;
        if (const auto code = parser.iterate(body.data(), body.size(), body.capacity()).get(document))
            return walk.broken(code);
        ondemand::object root;
        if (const auto code = document.get_object().get(root)) return walk.broken(code);
        return visit_object(walk, root);
    }

    bool parse(const std::string& body, Walk& walk, bool use_dom) {
        if (use_dom) return parse_dom(dom, body, walk);
        if (body.size() <= kKeptLimit) return parse_streaming(streaming, body, walk);
        ondemand::parser once(body.size());
        // The views told by the walk end with this parser; the inspector has copied what it keeps.
        return parse_streaming(once, body, walk);
    }
};

RequestReader::RequestReader() : impl_(std::make_unique<Impl>()) {}
RequestReader::~RequestReader() = default;

std::size_t RequestReader::padding() noexcept {
    return simdjson::SIMDJSON_PADDING;
}

Result<RequestView> RequestReader::read(const std::string& body, Operation operation) {
    return read(body, operation, body.size() <= kDomLimit ? Parser::dom : Parser::on_demand);
}

Result<RequestView> RequestReader::read(const std::string& body, Operation operation, Parser parser) {
    if (body.capacity() - body.size() < padding()) {
        std::string padded;
        padded.reserve(body.size() + padding());
        padded = body;
        return read(padded, operation, parser);
    }
    const bool tokens = operation == Operation::embeddings || operation == Operation::text_completion;
    if (auto counted = precheck_json(body, tokens ? kMaxTokenValues : kMaxValues); !counted)
        return fail(std::move(counted.error()));

    RequestView view;
    RequestInspector inspector(operation, view, impl_->keys);
    Walk walk{inspector};
    if (!impl_->parse(body, walk, parser == Parser::dom && body.size() <= kDomLimit) || !inspector.finish()) {
        return fail(walk.fault == simdjson::SUCCESS ? std::move(inspector.error()) : parser_error(walk.fault));
    }
    if (!view.model.empty()) view.model_token = locate_string_member(body, inspector.model_member());
    if (const auto member = inspector.null_limit_member()) view.null_limit = locate_null_member(body, *member);
    return view;
}

Pieces splice_model(std::string_view body, Span token, std::string_view quoted_model) noexcept {
    if (!token.present() || token.offset > body.size() || token.length > body.size() - token.offset)
        return {body, {}, {}};
    return {body.substr(0, token.offset), quoted_model, body.substr(token.offset + token.length)};
}

std::string insert_model(std::string_view body, std::string_view model, std::size_t members) {
    const std::size_t brace = body.find('{');
    if (brace == std::string_view::npos) return std::string(body);
    std::string out;
    out.reserve(body.size() + model.size() + 16 + RequestReader::padding());
    out += body.substr(0, brace + 1);
    out += "\"model\":";
    append_json_string(out, model);
    if (members != 0) out += ',';
    out += body.substr(brace + 1);
    return out;
}

std::string_view output_limit_field(Operation operation) noexcept {
    switch (operation) {
    case Operation::chat: return "max_completion_tokens";
    case Operation::text_completion: return "max_tokens";
    case Operation::responses: return "max_output_tokens";
    default: return {};
    }
}

std::string_view output_limit_field(const Route& route) noexcept {
    const bool plain =
        route.upstream == "/chat/completions" || route.upstream == "/completions" || route.upstream == "/responses";
    return plain ? output_limit_field(route.operation) : std::string_view{};
}

std::string insert_max_tokens(std::string_view body, RequestView& view, std::string_view field, std::uint64_t cap) {
    const std::size_t brace = body.find('{');
    if (brace == std::string_view::npos) return std::string(body);
    const bool in_place = view.null_limit.present();
    const Span place = in_place ? view.null_limit : Span{brace + 1, 0};
    const std::string number = std::to_string(cap);
    std::string piece = in_place ? number : "\"" + std::string(field) + "\":" + number;
    if (!in_place && view.members != 0) piece += ',';
    std::string out;
    out.reserve(body.size() + piece.size() + RequestReader::padding());
    out += body.substr(0, place.offset);
    out += piece;
    out += body.substr(place.offset + place.length);

    if (view.model_token.present() && view.model_token.offset > place.offset)
        view.model_token.offset += piece.size() - place.length;
    if (!in_place) ++view.members;
    view.null_limit = {};
    view.has_max_tokens = true;
    if (field == "max_tokens") view.cost.max_tokens = cap;
    if (field == "max_completion_tokens") view.cost.max_completion_tokens = cap;
    if (field == "max_output_tokens") view.cost.max_output_tokens = cap;
    return out;
}

} // namespace tollgate::api
