#include "cache/redis/resp.hpp"

#include "cache/redis/scanner.hpp"

#include <hiredis/read.h>

#include <array>
#include <charconv>
#include <new>

namespace tollgate::redis {
namespace {

void append_number(std::string& out, char type, std::size_t number) {
    std::array<char, 24> digits{};
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    out += type;
    out.append(digits.data(), end);
    out += "\r\n";
}

// hiredis builds our Reply directly: no tree of its own to copy from. The children of an array live in its vector, so
// only the root is allocated and freed. These run below C frames, so nothing may be thrown: null means out of memory.
template <class Fill>
void* create(const redisReadTask* task, Fill fill) noexcept {
    try {
        std::unique_ptr<Reply> root;
        Reply* reply = nullptr;
        if (task->parent != nullptr) {
            reply = &static_cast<Reply*>(task->parent->obj)->elements.at(static_cast<std::size_t>(task->idx));
        } else {
            root = std::make_unique<Reply>();
            reply = root.get();
        }
        fill(*reply);
        static_cast<void>(root.release()); // hiredis keeps it until take() or free_reply()
        return reply;
    } catch (...) {
        return nullptr;
    }
}

void* create_string(const redisReadTask* task, char* text, std::size_t size) {
    return create(task, [&](Reply& reply) {
        reply.kind = task->type == REDIS_REPLY_ERROR    ? Reply::Kind::error
                     : task->type == REDIS_REPLY_STATUS ? Reply::Kind::status
                                                        : Reply::Kind::string;
        reply.text.assign(text, size);
    });
}

void* create_array(const redisReadTask* task, int size) {
    return create(task, [&](Reply& reply) {
        reply.kind = Reply::Kind::array;
        reply.elements.resize(static_cast<std::size_t>(size));
    });
}

void* create_integer(const redisReadTask* task, long long value) {
    return create(task, [&](Reply& reply) {
        reply.kind = Reply::Kind::integer;
        reply.integer = value;
    });
}

void* create_nil(const redisReadTask* task) {
    return create(task, [](Reply& reply) { reply.kind = Reply::Kind::nil; });
}

void free_reply(void* reply) {
    const std::unique_ptr<Reply> owned(static_cast<Reply*>(reply));
}

// hiredis takes a pointer to non-const but only reads it.
redisReplyObjectFunctions* functions() {
    static redisReplyObjectFunctions table{create_string, create_array, create_integer, create_nil, free_reply};
    return &table;
}

struct FreeReader {
    void operator()(redisReader* reader) const { redisReaderFree(reader); }
};

} // namespace

namespace {

void append_words(std::string& out, const auto& arguments) {
    append_number(out, '*', arguments.size());
    for (const std::string_view argument : arguments) {
        append_number(out, '$', argument.size());
        out += argument;
        out += "\r\n";
    }
}

} // namespace

void append_command(std::string& out, std::initializer_list<std::string_view> arguments) {
    append_words(out, arguments);
}

void append_command(std::string& out, std::span<const std::string> arguments) {
    append_words(out, arguments);
}

struct ReplyReader::Impl {
    Scanner scanner;
    std::unique_ptr<redisReader, FreeReader> reader{redisReaderCreateWithFunctions(functions())};
    std::string error; // the first one; nothing is read after it
};

ReplyReader::ReplyReader() : impl_(std::make_unique<Impl>()) {
    if (!impl_->reader) throw std::bad_alloc();
}

ReplyReader::~ReplyReader() = default;

std::expected<void, std::string> ReplyReader::feed(std::string_view bytes) {
    if (impl_->error.empty()) {
        if (auto scanned = impl_->scanner.scan(bytes); !scanned) {
            impl_->error = std::move(scanned.error());
        } else if (redisReaderFeed(impl_->reader.get(), bytes.data(), bytes.size()) != REDIS_OK) {
            impl_->error = impl_->reader->errstr;
        }
    }
    if (!impl_->error.empty()) return std::unexpected(impl_->error);
    return {};
}

std::expected<std::optional<Reply>, std::string> ReplyReader::next() {
    if (!impl_->error.empty()) return std::unexpected(impl_->error);
    // Asking hiredis only for replies that are complete also keeps it from reading an unfinished line again and again.
    if (impl_->scanner.complete() == 0) return std::optional<Reply>();
    void* raw = nullptr;
    const int status = redisReaderGetReply(impl_->reader.get(), &raw);
    const std::unique_ptr<Reply> reply(static_cast<Reply*>(raw));
    if (status != REDIS_OK || !reply) {
        impl_->error = status != REDIS_OK ? impl_->reader->errstr : "reader and scanner disagree";
        return std::unexpected(impl_->error);
    }
    impl_->scanner.take_one();
    return std::optional<Reply>(std::move(*reply));
}

} // namespace tollgate::redis
