// R24, F78: what the process is like before it reads its first secret.
#include "gateway/process/harden.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <initializer_list>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tollgate::process {
namespace {

template <class Check>
void in_child(Check check) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) ::_exit(check() ? 0 : 1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(Harden, NoCoreDumpAndNoReader) {
    in_child([] {
        forbid_core_dumps();
        rlimit core{};
        return ::prctl(PR_GET_DUMPABLE) == 0 && ::getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 &&
               core.rlim_max == 0;
    });
}

TEST(Harden, StraySignalsDoNotKill) {
    in_child([] {
        ignore_stray_signals();
        for (const int stray : {SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGXFSZ, SIGHUP}) ::raise(stray);
        return true;
    });
}

} // namespace
} // namespace tollgate::process
