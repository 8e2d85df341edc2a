#include "policy/store_files.hpp"

#include "gateway/base/crypto.hpp"

#include <fmt/format.h>
#include <openssl/crypto.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/file.h>
#include <sys/stat.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>

namespace tollgate::policy {
namespace {

constexpr std::size_t kMasterDigits = 64;
constexpr mode_t kPrivate = S_IRUSR | S_IWUSR;

template <class... Args>
std::unexpected<std::string> failed(fmt::format_string<Args...> format, Args&&... args) {
    return std::unexpected<std::string>(fmt::format(format, std::forward<Args>(args)...));
}

std::string reason(int error) {
    return std::generic_category().message(error);
}

Fd open_file(const std::string& file, int flags) {
    return Fd(::open(file.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, kPrivate));
}

bool write_all(int fd, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(fd, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
    return true;
}

// At most one octet more than wanted, which is enough to see that there is more.
std::string read_some(int fd, std::size_t wanted) {
    std::string text(wanted + 1, '\0');
    std::size_t size = 0;
    while (size < text.size()) {
        const ssize_t got = ::pread(fd, text.data() + size, text.size() - size, static_cast<off_t>(size));
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) break;
        size += static_cast<std::size_t>(got);
    }
    text.resize(size);
    return text;
}

std::string first_line(std::string_view text) {
    return std::string(text.substr(0, text.find('\n')));
}

// The owner writes its id just after it has taken the lock; until then the file names nobody, or one that is gone.
std::string holder(int fd) {
    constexpr int kTries = 50;
    constexpr auto kPause = std::chrono::milliseconds(10);
    std::string id;
    for (int i = 0; i < kTries; ++i) {
        id = first_line(read_some(fd, 20));
        const pid_t pid = std::atoi(id.c_str());
        if (pid > 0 && (::kill(pid, 0) == 0 || errno != ESRCH)) break;
        std::this_thread::sleep_for(kPause);
    }
    return id;
}

std::expected<Secret, std::string> read_secret(const std::string& file, int fd) {
    struct stat status{};
    if (::fstat(fd, &status) != 0) return failed("cannot inspect {}: {}", file, reason(errno));
    if (!S_ISREG(status.st_mode)) return failed("{} is not a regular file", file);
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        return failed("{} may be read or written by others (mode {:04o}); run: chmod 600 {}", file,
                      status.st_mode & 07777U, file);
    }
    std::string text = read_some(fd, kMasterDigits + 1);
    std::string_view digits = text;
    if (digits.ends_with('\n')) digits.remove_suffix(1);
    std::expected<Secret, std::string> secret = Secret(digits);
    if (digits.size() != kMasterDigits || !crypto::from_hex(digits)) {
        secret =
            failed("{} is damaged: it must hold {} hexadecimal digits; restore it from a backup", file, kMasterDigits);
    }
    OPENSSL_cleanse(text.data(), text.size());
    return secret;
}

// Written beside and renamed: a crash leaves either no key or a whole one.
std::expected<void, std::string> make_secret(const std::string& path, const std::string& file) {
    const std::string fresh = file + ".new";
    const Fd fd = open_file(fresh, O_WRONLY | O_CREAT | O_TRUNC);
    if (!fd || ::fchmod(fd.get(), kPrivate) != 0) return failed("cannot create {}: {}", fresh, reason(errno));
    std::array<std::uint8_t, kMasterDigits / 2> octets{};
    crypto::random_bytes(octets);
    std::string text = crypto::to_hex(octets) + '\n';
    const bool written = write_all(fd.get(), text) && ::fsync(fd.get()) == 0;
    const int error = errno;
    OPENSSL_cleanse(octets.data(), octets.size());
    OPENSSL_cleanse(text.data(), text.size());
    if (!written) return failed("cannot write {}: {}", fresh, reason(error));
    if (::rename(fresh.c_str(), file.c_str()) != 0) return failed("cannot create {}: {}", file, reason(errno));
    const Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!directory || ::fsync(directory.get()) != 0) return failed("cannot write {}: {}", path, reason(errno));
    return {};
}

} // namespace

Fd::~Fd() {
    if (fd_ >= 0) ::close(fd_);
}

Fd::Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

Fd& Fd::operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
}

std::expected<void, std::string> ensure_directory(const std::string& path) {
    std::error_code error;
    std::filesystem::path directory(path);
    if (!directory.has_filename()) directory = directory.parent_path(); // a trailing slash
    if (std::filesystem::is_directory(directory, error)) return {};
    if (directory.has_parent_path()) std::filesystem::create_directories(directory.parent_path(), error);
    if (::mkdir(directory.c_str(), S_IRWXU) == 0) return {};
    return failed("cannot create the store directory {}: {}", path, reason(errno));
}

std::expected<Fd, std::string> lock_directory(const std::string& path) {
    const std::string file = path + "/lock";
    Fd fd = open_file(file, O_RDWR | O_CREAT);
    if (!fd) return failed("cannot open {}: {}", file, reason(errno));
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return failed("cannot lock {}: {}", file, reason(errno));
        return failed("the store {} is in use by process {} (it holds {})", path, holder(fd.get()), file);
    }
    if (::ftruncate(fd.get(), 0) != 0 || !write_all(fd.get(), fmt::format("{}\n", ::getpid()))) {
        return failed("cannot write {}: {}", file, reason(errno));
    }
    return fd;
}

std::expected<Secret, std::string> load_master_key(const std::string& path) {
    return load_or_make_secret(path, path + "/master.key");
}

std::expected<Secret, std::string> load_or_make_secret(const std::string& path, const std::string& file) {
    if (!open_file(file, O_RDONLY) && errno == ENOENT) {
        if (auto made = make_secret(path, file); !made) return std::unexpected(made.error());
    }
    return load_secret(file);
}

std::expected<Secret, std::string> load_secret(const std::string& file) {
    const Fd fd = open_file(file, O_RDONLY);
    if (!fd) return failed("cannot open {}: {}", file, reason(errno));
    return read_secret(file, fd.get());
}

std::expected<void, std::string> ensure_private_file(const std::string& file) {
    if (open_file(file, O_RDWR | O_CREAT)) return {};
    return failed("cannot open {}: {}", file, reason(errno));
}

} // namespace tollgate::policy
