// The store's directory, its lock and its master key: plain files with strict permissions.
#pragma once

#include "gateway/base/secret.hpp"

#include <expected>
#include <string>

namespace tollgate::policy {

// A file descriptor with one owner.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int fd) : fd_(fd) {}
    ~Fd();
    Fd(Fd&& other) noexcept;
    Fd& operator=(Fd&& other) noexcept;

    [[nodiscard]] int get() const { return fd_; }
    explicit operator bool() const { return fd_ >= 0; }

  private:
    int fd_ = -1;
};

// Makes the directory (0700) with its parents if it is missing.
[[nodiscard]] std::expected<void, std::string> ensure_directory(const std::string& path);

// Takes `<path>/lock` for as long as the descriptor lives, and writes our process id into it. Fails at once, naming the
// holder's process id, if another store, of any process, has it.
[[nodiscard]] std::expected<Fd, std::string> lock_directory(const std::string& path);

// `<path>/master.key`: 64 hexadecimal digits, 0600. Made from the system's random source if it is missing, under the
// lock; refused if others may read it or if it is damaged, and never replaced. The secret is the text of the digits, so
// the same line may be given as `secrets.master`.
[[nodiscard]] std::expected<Secret, std::string> load_master_key(const std::string& path);

// The same for any file of the directory.
[[nodiscard]] std::expected<Secret, std::string> load_or_make_secret(const std::string& path, const std::string& file);
// The same without making one. Needs no lock.
[[nodiscard]] std::expected<Secret, std::string> load_secret(const std::string& file);

// Creates the file empty with mode 0600 if it is missing, before a library creates it with more.
[[nodiscard]] std::expected<void, std::string> ensure_private_file(const std::string& file);

} // namespace tollgate::policy
