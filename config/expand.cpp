#include "config/expand.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <fmt/format.h>
#include <memory>
#include <system_error>

namespace tollgate::config {
namespace {

constexpr std::size_t kLargestReferenced = 1ULL << 20;
constexpr std::string_view kOpen = "${";
constexpr std::string_view kEnv = "env:";
constexpr std::string_view kFile = "file:";

struct FileCloser {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

bool is_variable_name(std::string_view name) noexcept {
    if (name.empty() || (name.front() >= '0' && name.front() <= '9')) return false;
    return name.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") ==
           std::string_view::npos;
}

class Expander {
  public:
    Expander(const std::string& where, const Place& place, const Environment& environment, Sink& sink)
        : where_(where), place_(place), environment_(environment), sink_(sink) {}

    std::optional<std::string> resolve(std::string_view reference, bool closed);

  private:
    std::optional<std::string> variable(std::string_view name);
    std::optional<std::string> file(std::string_view path);
    std::optional<std::string> malformed(std::string_view why);

    const std::string& where_;
    const Place& place_;
    const Environment& environment_;
    Sink& sink_;
};

std::optional<std::string> Expander::malformed(std::string_view why) {
    sink_.add(Code::bad_reference, place_, fmt::format("`{}`: {}", where_, why),
              {"want ${env:NAME} or ${file:PATH}", "write `$${` for a literal `${`"});
    return std::nullopt;
}

std::optional<std::string> Expander::resolve(std::string_view reference, bool closed) {
    if (!closed) return malformed("`${` is not closed by `}`");
    if (reference.starts_with(kEnv)) return variable(reference.substr(kEnv.size()));
    if (reference.starts_with(kFile)) return file(reference.substr(kFile.size()));
    return malformed("`${` starts neither ${env:NAME} nor ${file:PATH}");
}

std::optional<std::string> Expander::variable(std::string_view name) {
    if (!is_variable_name(name)) return malformed("a variable's name is letters, digits and `_`");
    std::optional<std::string> value = environment_(std::string(name));
    if (!value) {
        sink_.add(Code::unset_variable, place_,
                  fmt::format("`{}`: the environment variable {} is not set", where_, name),
                  {"not set", fmt::format("export {}, or write ${{file:PATH}}", name)});
    }
    return value;
}

std::optional<std::string> Expander::file(std::string_view path) {
    FileText file = read_file(std::string(path), kLargestReferenced);
    if (file.status != FileStatus::ok) {
        sink_.add(Code::unreadable_reference, place_,
                  fmt::format("`{}`: the file {} cannot be read", where_, quotable(path)),
                  {"not readable", "it must exist, be readable by Tollgate and hold at most 1 MiB"});
        return std::nullopt;
    }
    if (file.text.ends_with('\n')) file.text.pop_back();
    if (file.text.ends_with('\r')) file.text.pop_back();
    return std::move(file.text);
}

} // namespace

FileText read_file(const std::string& path, std::size_t limit) {
    const auto refuse = [](FileStatus status, int error) {
        return FileText{status, {}, std::generic_category().message(error)};
    };
    if (path.empty() || path.find('\0') != std::string::npos) return refuse(FileStatus::unreadable, EINVAL);
    const std::unique_ptr<std::FILE, FileCloser> file(std::fopen(path.c_str(), "rbe"));
    if (!file) return refuse(FileStatus::unreadable, errno);
    FileText out{FileStatus::ok, {}, {}};
    std::array<char, 16'384> buffer{};
    while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
        out.text.append(buffer.data(), got);
        if (out.text.size() > limit) return refuse(FileStatus::too_large, EFBIG);
    }
    // A directory opens and then fails to read.
    if (std::ferror(file.get()) != 0) return refuse(FileStatus::unreadable, errno);
    return out;
}

bool is_reference(std::string_view text) noexcept {
    const bool opens = text.starts_with("${env:") || text.starts_with("${file:");
    return opens && text.find('}') == text.size() - 1;
}

std::optional<Expanded> expand(std::string_view text, const std::string& where, const Place& place,
                               const Environment& environment, Sink& sink) {
    Expander expander(where, place, environment, sink);
    Expanded out;
    bool ok = true;
    while (true) {
        const std::size_t open = text.find(kOpen);
        out.text += text.substr(0, open);
        if (open == std::string_view::npos) break;
        text.remove_prefix(open + kOpen.size());
        if (out.text.ends_with('$')) {
            out.text += '{';
            continue;
        }
        const std::size_t close = text.find('}');
        const bool closed = close != std::string_view::npos;
        const std::optional<std::string> value = expander.resolve(text.substr(0, close), closed);
        ok = ok && value;
        if (value) out.text += *value;
        out.changed = true;
        if (!closed) break;
        text.remove_prefix(close + 1);
    }
    if (!ok) return std::nullopt;
    return out;
}

} // namespace tollgate::config
