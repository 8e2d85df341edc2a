#include "gateway/first_key.hpp"

#include "gateway/base/log.hpp"
#include "policy/directory.hpp"
#include "policy/key_text.hpp"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <optional>
#include <string_view>

namespace tollgate {
namespace {

constexpr std::size_t kLongestLine = 256;
constexpr const char* kFresh = ".new"; // while it is being written

std::string key_file(const config::Config& config) {
    return config.store_path + ".first-key";
}

// A start that was killed between showing the key and storing it left the file: that key is taken, so that what the
// operator may have read already works. Nothing if the file holds anything else; it is not ours to replace then.
std::optional<policy::GeneratedKey> left_behind(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file < 0) return std::nullopt;
    struct stat status{};
    std::array<char, kLongestLine> text{};
    ssize_t got = -1;
    const bool ours = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_uid == ::geteuid() &&
                      (status.st_mode & (S_IRWXG | S_IRWXO)) == 0;
    if (ours) got = ::read(file, text.data(), text.size());
    ::close(file);
    if (got <= 0) return std::nullopt;
    std::string_view line(text.data(), static_cast<std::size_t>(got));
    if (line.ends_with('\n')) line.remove_suffix(1);
    std::optional<policy::GeneratedKey> key;
    constexpr std::string_view kShown = "tg_";
    const std::string_view shown = policy::shown_part(line);
    if (!shown.empty() && policy::hashable_key(line) && policy::plausible_key(line)) {
        key.emplace("k_" + std::string(shown.substr(kShown.size())), std::string(line));
        ::unlink((path + kFresh).c_str());
    }
    OPENSSL_cleanse(text.data(), text.size());
    return key;
}

// Written beside and linked: a crash leaves either no key or a whole one. An existing file is never replaced.
bool write_whole(const std::string& path, const std::string& secret) {
    const std::string fresh = path + kFresh;
    const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return false;
    const std::string line = secret + "\n";
    const bool written = ::fchmod(file, 0600) == 0 &&
                         ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) &&
                         ::fsync(file) == 0;
    ::close(file);
    const bool linked = written && ::link(fresh.c_str(), path.c_str()) == 0;
    ::unlink(fresh.c_str());
    return linked;
}

std::expected<void, std::string> show(const config::Config& config, const std::string& secret) {
    if (::isatty(STDERR_FILENO) == 1) {
        std::fprintf(stderr, "\nA first API key was made. It is shown this once:\n\n    %s\n\n", secret.c_str());
        return {};
    }
    const std::string path = key_file(config);
    if (!write_whole(path, secret))
        return std::unexpected("cannot write the first API key to " + path + " (does it exist already?)");
    log::info("a first API key was made; it is in a file only you can read", {{"path", path}});
    return {};
}

} // namespace

std::expected<std::vector<policy::StoredKey>, std::string> stored_or_first_key(const config::Config& config,
                                                                               policy::Store& store) {
    auto stored = store.keys();
    if (!stored || !stored->empty() || !config.keys.empty()) return stored;
    const auto left = left_behind(key_file(config));
    const policy::GeneratedKey key = left ? *left : policy::generate_key();
    const policy::StoredKey record{key.id, "default", policy::sha256_hex(key.secret)};
    // Shown first: a key that is stored but was never seen would lock everybody out.
    if (!left) {
        if (auto shown = show(config, key.secret); !shown) return std::unexpected(shown.error());
    }
    if (auto added = store.add_key(record); !added) return std::unexpected(added.error());
    stored->push_back(record);
    return stored;
}

} // namespace tollgate
