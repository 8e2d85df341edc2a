#include "gateway/first_key.hpp"

#include "gateway/base/log.hpp"
#include "policy/directory.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>

namespace tollgate {
namespace {

std::expected<void, std::string> show(const config::Config& config, const std::string& secret) {
    if (::isatty(STDERR_FILENO) == 1) {
        std::fprintf(stderr, "\nA first API key was made. It is shown this once:\n\n    %s\n\n", secret.c_str());
        return {};
    }
    const std::string path = config.store_path + ".first-key";
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (file < 0) return std::unexpected("cannot write the first API key to " + path + " (does it exist already?)");
    const std::string line = secret + "\n";
    const bool written =
        ::write(file, line.data(), line.size()) == static_cast<ssize_t>(line.size()) && ::fsync(file) == 0;
    ::close(file);
    if (!written) return std::unexpected("cannot write the first API key to " + path);
    log::info("a first API key was made; it is in a file only you can read", {{"path", path}});
    return {};
}

} // namespace

std::expected<std::vector<policy::StoredKey>, std::string> stored_or_first_key(const config::Config& config,
                                                                               policy::Store& store) {
    auto stored = store.keys();
    if (!stored || !stored->empty() || !config.keys.empty()) return stored;
    const policy::GeneratedKey key = policy::generate_key();
    const policy::StoredKey record{key.id, "default", policy::sha256_hex(key.secret)};
    // Shown first: a key that is stored but was never seen would lock everybody out.
    if (auto shown = show(config, key.secret); !shown) return std::unexpected(shown.error());
    if (auto added = store.add_key(record); !added) return std::unexpected(added.error());
    stored->push_back(record);
    return stored;
}

} // namespace tollgate
