#include "gateway/exchange/upstream_request.hpp"

#include "gateway/api/completions_via_chat.hpp"
#include "gateway/api/stream_usage.hpp"
#include "gateway/base/text.hpp"
#include "gateway/exchange/passed_on.hpp"
#include "gateway/exchange/receipt.hpp"
#include "gateway/upstream/choose.hpp"

#include <algorithm>

namespace tollgate::exchange {
namespace {

std::string_view accept_of(const Exchange& ex) {
    if (ex.view.stream) return "text/event-stream";
    return ex.route->typed && ex.route->operation != api::Operation::audio_speech ? "application/json" : "*/*";
}

void add_multipart(const Exchange& ex, std::string_view model, upstream::Payload& payload) {
    const std::size_t offset = ex.multipart_model_offset;
    const std::size_t after = offset + ex.multipart_model_length;
    const bool replace = !model.empty() && model != ex.view.model && ex.multipart_model_length > 0;
    const HeldBody& body = ex.body;
    if (body.file < 0) {
        const std::string_view all = body.memory;
        if (!replace) return payload.pieces.add(all);
        payload.pieces.add(all.substr(0, offset));
        payload.pieces.add(model);
        payload.pieces.add(all.substr(after));
        return;
    }
    const auto range = [&](std::uint64_t from, std::uint64_t to) {
        payload.segments.push_back({.text = {}, .file = body.file, .offset = from, .size = to - from});
    };
    if (!replace) return range(0, body.file_size);
    range(0, offset);
    payload.segments.push_back({.text = model});
    range(after, body.file_size);
}

// A body that had to be written anew.
void add_rewritten(std::string body, bool with_usage, UpstreamRequest& out) {
    out.rewritten = std::move(body);
    if (with_usage) {
        if (const auto edit = api::ask_for_usage(out.rewritten))
            out.rewritten.replace(edit->offset, edit->length, edit->text);
    }
    out.payload.pieces.add(out.rewritten);
}

// The client's own octets but for the edits, which do not overlap.
void add_edited(std::string_view body, std::vector<api::Edit> edits, net::Gather& pieces) {
    std::ranges::sort(edits, {}, &api::Edit::offset);
    std::size_t at = 0;
    for (const api::Edit& edit : edits) {
        pieces.add(body.substr(at, edit.offset - at));
        pieces.add(edit.text);
        at = edit.offset + edit.length;
    }
    pieces.add(body.substr(at));
}

Result<void> add_json(const Exchange& ex, const upstream::Provider& provider, const upstream::Candidate* candidate,
                      UpstreamRequest& out) {
    const std::string_view body = ex.body.memory;
    const bool with_usage = asks_for_usage(ex, provider);
    if (upstream::turns_to_chat(*ex.route, candidate)) {
        std::string with_model;
        if (!ex.view.model_token.present()) with_model = api::insert_model(body, ex.model_name, ex.view.members);
        auto chat = api::completions_to_chat_request(with_model.empty() ? body : std::string_view(with_model),
                                                     candidate->model.empty() ? ex.model_name : candidate->model);
        if (!chat) return fail(chat.error());
        add_rewritten(std::move(*chat), with_usage, out);
        return {};
    }
    std::vector<api::Edit> edits;
    const bool in_path = ex.route->model == api::ModelIn::path;
    if (candidate != nullptr && (in_path || (!candidate->model.empty() && candidate->model != ex.view.model))) {
        const std::string& model = candidate->model.empty() ? ex.model_name : candidate->model;
        if (!ex.view.model_token.present()) {
            add_rewritten(api::insert_model(body, model, ex.view.members), with_usage, out);
            return {};
        }
        append_json_string(out.rewritten, model);
        edits.push_back({ex.view.model_token.offset, ex.view.model_token.length, out.rewritten});
    }
    if (with_usage) {
        if (const auto edit = api::ask_for_usage(body)) edits.push_back(*edit);
    }
    add_edited(body, std::move(edits), out.payload.pieces);
    return {};
}

} // namespace

bool asks_for_usage(const Exchange& ex, const upstream::Provider& provider) noexcept {
    const api::Operation operation = ex.route->operation;
    return (provider.stream_usage || ex.account.strict_money || wants_receipt(ex)) && ex.view.stream &&
           !ex.view.include_usage &&
           (operation == api::Operation::chat || operation == api::Operation::text_completion);
}

Result<void> build_upstream_request(const Exchange& ex, const upstream::Provider& provider,
                                    const upstream::Candidate* candidate, std::size_t api_key, UpstreamRequest& out) {
    const bool multipart = ex.content_type.starts_with("multipart/");
    if (multipart) {
        add_multipart(ex, candidate == nullptr ? std::string_view() : std::string_view(candidate->model), out.payload);
    } else if (!ex.body.memory.empty()) {
        if (auto ok = add_json(ex, provider, candidate, out); !ok) return ok;
    }
    std::string& head = out.head;
    head.reserve(640);
    head += ex.head.method;
    head += ' ';
    head += provider.path_prefix;
    head += upstream::turns_to_chat(*ex.route, candidate) ? std::string_view("/chat/completions")
                                                          : std::string_view(ex.match->upstream_path());
    append_passed_query(head, ex.head.query);
    head += " HTTP/1.1\r\n";
    head += provider.host_line;
    const auto& credentials = provider.credential_lines;
    if (!credentials.empty()) head += credentials[api_key % credentials.size()].reveal();
    http::append_field(head, "Accept", accept_of(ex));
    head += "Accept-Encoding: identity\r\nUser-Agent: tollgate/" TOLLGATE_VERSION "\r\nVia: 1.1 ";
    head += ex.worker.shared.pseudonym;
    head += "\r\n";
    if (const auto beta = ex.head.find("openai-beta")) {
        if (const std::string passed = passed_beta(*beta); !passed.empty())
            http::append_field(head, "OpenAI-Beta", passed);
    }
    const std::uint64_t size = out.payload.size();
    if (size > 0) http::append_field(head, "Content-Type", ex.content_type);
    if (size > 0 || ex.method == api::Method::post) http::append_field(head, "Content-Length", size);
    head += "\r\n";
    return {};
}

bool repeats_credential(const upstream::Provider& provider, std::string_view value) noexcept {
    constexpr std::size_t kShortest = 8;
    return std::ranges::any_of(provider.credential_lines, [&](const Secret& line) {
        std::string_view key = line.reveal();
        key.remove_prefix(std::min(key.size(), key.find(' ') + 1)); // the field's name
        key = key.substr(0, key.find("\r\n"));
        key.remove_prefix(std::min(key.size(), key.find(' ') + 1)); // the scheme
        return key.size() >= kShortest && value.find(key) != std::string_view::npos;
    });
}

} // namespace tollgate::exchange
