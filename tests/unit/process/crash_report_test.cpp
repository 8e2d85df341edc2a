// F79: one line on stderr, then the death that would have come anyway, without a core file.
#include "gateway/process/crash_report.hpp"

#include "gateway/process/harden.hpp"
#include "gateway/process/sanitized.hpp"

#include <gtest/gtest.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

namespace tollgate::process {
namespace {

struct End {
    int status = 0;
    std::string printed;
};

template <class Crash>
End crashed(Crash crash) {
    std::array<int, 2> pipe{};
    EXPECT_EQ(::pipe(pipe.data()), 0);
    const pid_t child = ::fork();
    if (child == 0) {
        ::dup2(pipe[1], STDERR_FILENO);
        forbid_core_dumps();
        report_crashes();
        crash();
        ::_exit(0);
    }
    ::close(pipe[1]);
    End end;
    std::array<char, 4096> buffer{};
    for (ssize_t n = 0; (n = ::read(pipe[0], buffer.data(), buffer.size())) > 0;)
        end.printed.append(buffer.data(), static_cast<std::size_t>(n));
    ::close(pipe[0]);
    ::waitpid(child, &end.status, 0);
    return end;
}

bool says(const End& end, std::string_view what) {
    return end.printed.find(what) != std::string::npos;
}

TEST(CrashReport, FaultNamesSignalAddressAndPlace) {
    const End end = crashed([] {
        volatile int* const nowhere = reinterpret_cast<int*>(0x10); // NOLINT: the crash
        *nowhere = 1;
    });
    if (kSanitized) {
        EXPECT_TRUE(says(end, "SUMMARY:")) << end.printed;
        return;
    }
    ASSERT_TRUE(WIFSIGNALED(end.status));
    EXPECT_EQ(WTERMSIG(end.status), SIGSEGV);
    EXPECT_FALSE(WCOREDUMP(end.status));
    EXPECT_TRUE(says(end, R"("signal":"SIGSEGV")")) << end.printed;
    EXPECT_TRUE(says(end, R"("address":"0x10")")) << end.printed;
    EXPECT_TRUE(says(end, R"("offset":"0x)")) << end.printed;
    EXPECT_EQ(end.printed.find('\n'), end.printed.size() - 1) << "one line";
}

TEST(CrashReport, AbortIsReportedAndStaysAnAbort) {
    const End end = crashed([] { std::abort(); });
    ASSERT_TRUE(WIFSIGNALED(end.status));
    EXPECT_EQ(WTERMSIG(end.status), SIGABRT);
    EXPECT_FALSE(WCOREDUMP(end.status));
    EXPECT_EQ(says(end, R"("signal":"SIGABRT")"), !kSanitized) << end.printed;
}

TEST(CrashReport, SignalSentByAnotherHasNoAddress) {
    if (kSanitized) {
        EXPECT_FALSE(says(crashed([] { ::raise(SIGABRT); }), "tollgate crashed"));
        return;
    }
    const End end = crashed([] { ::kill(::getpid(), SIGBUS); });
    ASSERT_TRUE(WIFSIGNALED(end.status));
    EXPECT_EQ(WTERMSIG(end.status), SIGBUS);
    EXPECT_TRUE(says(end, R"("signal":"SIGBUS")")) << end.printed;
    EXPECT_FALSE(says(end, R"("address")")) << end.printed;
}

} // namespace
} // namespace tollgate::process
