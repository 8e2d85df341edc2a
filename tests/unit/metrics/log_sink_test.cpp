#include "metrics/access_log.hpp"

#include "tests/unit/metrics/support.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <csignal>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tollgate::metrics {
namespace {

using namespace std::chrono_literals;

// Polls until the condition holds; the generous limit only bounds a failing test.
template <class Condition>
bool eventually(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 20s;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        std::this_thread::yield();
    }
    return true;
}

class Pipe {
  public:
    Pipe() {
        if (::pipe2(ends_.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    }
    ~Pipe() {
        close_reader();
        ::close(ends_[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;

    [[nodiscard]] std::string path() const { return "/proc/self/fd/" + std::to_string(ends_[1]); }
    void close_reader() {
        if (ends_[0] >= 0) ::close(ends_[0]);
        ends_[0] = -1;
    }
    // Exactly `size` octets, or what came within the limit.
    std::string read(std::size_t size) {
        std::string out;
        while (out.size() < size) {
            pollfd entry{ends_[0], POLLIN, 0};
            if (::poll(&entry, 1, 20'000) <= 0) break;
            std::array<char, 65536> piece;
            const ssize_t got = ::read(ends_[0], piece.data(), std::min(piece.size(), size - out.size()));
            if (got <= 0) break;
            out.append(piece.data(), static_cast<std::size_t>(got));
        }
        return out;
    }

  private:
    std::array<int, 2> ends_{-1, -1};
};

TEST(LogSink, file_is_appended_in_order_and_private) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.path("access.log");
    {
        LogSink sink(path);
        EXPECT_TRUE(sink.enabled());
        sink.submit("one\ntwo\n", 2);
        sink.submit("three\n", 1);
        sink.submit("", 0);
    }
    {
        LogSink sink(path);
        sink.submit("four\n", 1);
    }
    EXPECT_EQ(test::read_file(path), "one\ntwo\nthree\nfour\n");
    struct stat info{};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777 & ~0640U, 0U);
}

TEST(LogSink, lines_arrive_without_waiting_for_the_end) {
    Pipe pipe;
    LogSink sink(pipe.path());
    sink.submit("now\n", 1);
    EXPECT_EQ(pipe.read(4), "now\n");
}

TEST(LogSink, off_takes_everything_and_writes_nothing) {
    LogSink sink("off");
    EXPECT_FALSE(sink.enabled());
    sink.submit("line\n", 1);
    sink.reopen();
    EXPECT_EQ(sink.dropped(), 0U);
}

TEST(LogSink, path_that_cannot_be_opened_throws_with_its_name) {
    try {
        const LogSink sink("/nonexistent-directory/access.log");
        FAIL() << "no exception";
    } catch (const std::runtime_error& error) {
        EXPECT_NE(std::string(error.what()).find("/nonexistent-directory/access.log: No such file"), std::string::npos)
            << error.what();
    }
}

TEST(LogSink, reopen_splits_exactly_at_the_rotation) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.path("access.log");
    {
        LogSink sink(path);
        sink.submit("before\n", 1);
        std::filesystem::rename(path, directory.path("access.log.1"));
        sink.reopen();
        sink.submit("after\n", 1);
    }
    EXPECT_EQ(test::read_file(directory.path("access.log.1")), "before\n");
    EXPECT_EQ(test::read_file(path), "after\n");
}

TEST(LogSink, reopen_of_a_vanished_directory_keeps_the_old_file) {
    const test::TemporaryDirectory directory;
    std::filesystem::create_directory(directory.path("sub"));
    const int kept = [&] {
        LogSink sink(directory.path("sub/access.log"));
        const int fd = ::open(directory.path("sub/access.log").c_str(), O_RDONLY | O_CLOEXEC);
        std::filesystem::remove_all(directory.path("sub"));
        sink.reopen();
        sink.submit("still here\n", 1);
        return fd;
    }();
    std::array<char, 64> text{};
    EXPECT_EQ(::read(kept, text.data(), text.size()), 11);
    EXPECT_STREQ(text.data(), "still here\n");
    ::close(kept);
}

TEST(LogSink, stalled_reader_costs_lines_and_never_blocks) {
    Pipe pipe;
    std::optional<LogSink> sink(pipe.path());
    const std::string line(1023, 'x');
    std::string batch;
    for (int i = 0; i < 64; ++i) batch += line + "\n"; // 64 KiB
    constexpr std::uint64_t kBatches = 256;            // 16 MiB
    for (std::uint64_t i = 0; i < kBatches; ++i) sink->submit(batch, 64);
    const std::uint64_t dropped = sink->dropped();
    EXPECT_GE(dropped, 64U * (kBatches - 128 - 2)); // 8 MiB queued, some in the pipe
    EXPECT_LT(dropped, 64U * kBatches);
    // The reader comes back: every line that was not dropped arrives whole.
    const std::uint64_t expected = (64 * kBatches - dropped) * 1024;
    const std::string text = pipe.read(expected);
    EXPECT_EQ(text.size(), expected);
    EXPECT_EQ(sink->dropped(), dropped);
    for (std::size_t at = 1023; at < text.size(); at += 1024) ASSERT_EQ(text[at], '\n') << at;
}

TEST(LogSink, destructor_gives_up_on_a_stalled_reader) {
    Pipe pipe;
    const auto before = std::chrono::steady_clock::now();
    {
        LogSink sink(pipe.path());
        sink.submit(std::string(1 << 20, '\n'), 1 << 20); // more than a pipe holds
    }
    EXPECT_LT(std::chrono::steady_clock::now() - before, 20s);
}

TEST(LogSink, reader_that_left_is_counted_and_no_signal) {
    Pipe pipe;
    LogSink sink(pipe.path());
    pipe.close_reader();
    sink.submit("a\nb\nc\n", 3);
    EXPECT_TRUE(eventually([&] { return sink.dropped() == 3; })) << sink.dropped();
}

TEST(LogSink, submission_beyond_the_bound_is_dropped_whole) {
    const test::TemporaryDirectory directory;
    LogSink sink(directory.path("access.log"));
    sink.submit(std::string((8 << 20) + 1, '\n'), 5);
    EXPECT_EQ(sink.dropped(), 5U);
}

TEST(LogSink, full_disk_tears_no_later_line) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.path("access.log");
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto ignored = ::signal(SIGXFSZ, SIG_IGN);
    {
        LogSink sink(path);
        rlimit small = before;
        small.rlim_cur = 10;
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
        sink.submit("12345678\nlost in the middle\n", 2);
        const bool counted = eventually([&] { return sink.dropped() == 1; });
        ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
        EXPECT_TRUE(counted) << sink.dropped();
        sink.submit("whole\n", 1);
    }
    ::signal(SIGXFSZ, ignored);
    EXPECT_EQ(test::read_file(path), "12345678\nl\nwhole\n");
}

TEST(LogSink, submissions_of_many_threads_stay_whole) {
    const test::TemporaryDirectory directory;
    const std::string path = directory.path("access.log");
    {
        LogSink sink(path);
        std::vector<std::jthread> threads;
        for (int t = 0; t < 4; ++t) {
            threads.emplace_back([&sink, t] {
                for (int i = 0; i < 500; ++i) sink.submit(std::string(20, static_cast<char>('a' + t)) + "\n", 1);
            });
        }
    }
    const std::string text = test::read_file(path);
    ASSERT_EQ(text.size(), 4U * 500 * 21);
    for (std::size_t at = 0; at < text.size(); at += 21) {
        ASSERT_EQ(text.substr(at, 21), std::string(20, text[at]) + "\n") << at;
    }
}

} // namespace
} // namespace tollgate::metrics
