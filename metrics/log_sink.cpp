#include "metrics/access_log.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <utility>

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tollgate::metrics {
namespace {

constexpr std::size_t kMaxQueued = std::size_t{8} << 20; // octets handed over and not yet written
constexpr std::size_t kEnoughToWrite = std::size_t{64} << 10;
constexpr std::chrono::milliseconds kGather{20};     // how long a first line may wait for company
constexpr std::chrono::milliseconds kPollStep{100};  // how soon a stalled writer notices the shutdown
constexpr std::chrono::seconds kShutdownPatience{2}; // for a reader that stalls while we stop

// An owned or borrowed descriptor and how to write to it without blocking or SIGPIPE.
class Output {
  public:
    // Throws std::runtime_error with the path and the reason.
    explicit Output(const std::string& path) : path_(path) {
        const int standard = path == "stdout" ? STDOUT_FILENO : path == "stderr" ? STDERR_FILENO : -1;
        fd_ = standard >= 0 ? open_standard(standard) : open_file();
        if (fd_ < 0) throw std::runtime_error("cannot open log " + path + ": " + std::strerror(errno));
        owned_ = fd_ != standard;
        struct stat info{};
        socket_ = ::fstat(fd_, &info) == 0 && S_ISSOCK(info.st_mode);
    }
    ~Output() {
        if (owned_) ::close(fd_);
    }
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    // After a rotation. What cannot be opened again stays open under its old name: lines are worth more than names.
    void reopen() {
        if (path_ == "stdout" || path_ == "stderr") return;
        const int fresh = open_file();
        if (fresh < 0) return;
        ::close(fd_);
        fd_ = fresh;
    }

    // As write(2), with EAGAIN instead of waiting wherever the descriptor allows it.
    [[nodiscard]] ssize_t write(std::string_view text) const {
        if (socket_) return ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        return ::write(fd_, text.data(), text.size()); // SIGPIPE is blocked in this thread
    }

    void wait_writable() const {
        pollfd entry{fd_, POLLOUT, 0};
        (void)::poll(&entry, 1, static_cast<int>(kPollStep.count()));
    }

  private:
    [[nodiscard]] int open_file() const {
        return ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640);
    }

    // Pipes and terminals get a description of our own, so that O_NONBLOCK does not leak to whoever shares them. Files
    // never block and must keep the shared offset; sockets cannot be opened like this and have MSG_DONTWAIT.
    static int open_standard(int fd) {
        struct stat info{};
        if (::fstat(fd, &info) != 0 || !(S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode))) return fd;
        const std::string own = "/proc/self/fd/" + std::to_string(fd);
        const int fresh = ::open(own.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        return fresh >= 0 ? fresh : fd;
    }

    std::string path_;
    int fd_ = -1;
    bool owned_ = true;
    bool socket_ = false;
};

// The writer must not be the thread that runs the process's signal handlers, nor die of SIGPIPE.
std::thread start_without_signals(auto body) {
    sigset_t all;
    sigset_t before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    std::thread thread(std::move(body));
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return thread;
}

std::uint64_t count_lines(std::string_view text) {
    return static_cast<std::uint64_t>(std::ranges::count(text, '\n'));
}

} // namespace

struct LogSink::Impl {
    struct Entry {
        std::string lines;
        bool reopen = false; // a marker: lines before it belong to the old file
    };

    explicit Impl(const std::string& path) : output(path) {
        thread = start_without_signals([this] { run(); });
    }

    ~Impl() {
        {
            const std::lock_guard lock(mutex);
            stopping = true;
            give_up = Clock::now() + kShutdownPatience;
        }
        wake.notify_one();
        thread.join();
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void submit(std::string lines, std::uint32_t line_count) {
        bool notify = false;
        {
            const std::lock_guard lock(mutex);
            if (queued + lines.size() > kMaxQueued) {
                dropped.fetch_add(line_count, std::memory_order_relaxed);
                return;
            }
            // One wake-up for the first line and one when there is enough; the writer gathers in between.
            const std::size_t before = queued;
            queued += lines.size();
            notify = entries.empty() || (before < kEnoughToWrite && queued >= kEnoughToWrite);
            entries.push_back({std::move(lines)});
        }
        if (notify) wake.notify_one();
    }

    void reopen() {
        {
            const std::lock_guard lock(mutex);
            entries.push_back({{}, true});
            hurry = true;
        }
        wake.notify_one();
    }

    void run() {
        std::unique_lock lock(mutex);
        while (true) {
            wake.wait(lock, [this] { return !entries.empty() || stopping; });
            if (entries.empty()) return;
            wake.wait_for(lock, kGather, [this] { return queued >= kEnoughToWrite || hurry || stopping; });
            hurry = false;
            std::deque<Entry> batch = std::exchange(entries, {});
            lock.unlock();
            const std::size_t written = write_batch(batch);
            lock.lock();
            queued -= written; // only now: what is being written still occupies memory
        }
    }

    std::size_t write_batch(const std::deque<Entry>& batch) {
        std::string text;
        std::size_t total = 0;
        for (const Entry& entry : batch) {
            if (entry.reopen) {
                write_text(text);
                text.clear();
                output.reopen();
            }
            total += entry.lines.size();
            text += entry.lines;
            if (text.size() < kEnoughToWrite) continue;
            write_text(text);
            text.clear();
        }
        write_text(text);
        return total;
    }

    // Writes all of it, or counts the lines that did not get out.
    void write_text(std::string_view text) {
        if (torn && !text.empty()) torn = output.write("\n") != 1; // what follows must not continue half a line
        while (!text.empty()) {
            const ssize_t written = output.write(text);
            if (written > 0) {
                const auto size = static_cast<std::size_t>(written);
                mid_line = text[size - 1] != '\n';
                text.remove_prefix(size);
            } else if (written < 0 && errno == EINTR) {
                continue;
            } else if (written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) && !out_of_patience()) {
                output.wait_writable();
            } else {
                dropped.fetch_add(count_lines(text), std::memory_order_relaxed);
                torn = torn || mid_line;
                mid_line = false;
                return;
            }
        }
    }

    bool out_of_patience() {
        const std::lock_guard lock(mutex);
        return stopping && Clock::now() >= give_up;
    }

    Output output;         // these three: writer thread only, once it runs
    bool mid_line = false; // the last octet written was not a newline
    bool torn = false;     // and the rest of that line was lost
    std::atomic<std::uint64_t> dropped{0};
    std::mutex mutex; // guards the rest
    std::condition_variable wake;
    std::deque<Entry> entries;
    std::size_t queued = 0;
    bool hurry = false;
    bool stopping = false;
    TimePoint give_up{};
    std::thread thread;
};

LogSink::LogSink(const std::string& path) : impl_(path == "off" ? nullptr : std::make_unique<Impl>(path)) {}
LogSink::~LogSink() = default;

void LogSink::submit(std::string lines, std::uint32_t line_count) {
    if (impl_ && !lines.empty()) impl_->submit(std::move(lines), line_count);
}

void LogSink::close() {
    impl_.reset();
}

void LogSink::reopen() {
    if (impl_) impl_->reopen();
}

std::uint64_t LogSink::dropped() const noexcept {
    return impl_ ? impl_->dropped.load(std::memory_order_relaxed) : 0;
}

bool LogSink::enabled() const noexcept {
    return impl_ != nullptr;
}

} // namespace tollgate::metrics
