// R13: after confine() the process cannot start another one, nor reach into the kernel or other processes. Every check
// runs in a child of its own, because the filter cannot be taken off.
#include "gateway/process/confine.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdio>
#include <fcntl.h>
#include <linux/sched.h>
#include <netdb.h>
#include <sched.h>
#include <string>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

namespace tollgate::process {
namespace {

// Exits 0 if every check of the confined child held.
template <class Check>
void in_confined_child(Check check) {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto confined = confine();
        if (!confined) std::fprintf(stderr, "%s\n", confined.error().c_str());
        ::_exit(confined && check() ? 0 : 1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
    EXPECT_EQ(WEXITSTATUS(status), 0);
}

bool refused(long result, const char* call, int with = EPERM) {
    if (result == -1 && errno == with) return true;
    std::fprintf(stderr, "%s: %ld, errno %d\n", call, result, errno);
    return false;
}

std::string status_line(const std::string& name) {
    std::FILE* const file = std::fopen("/proc/self/status", "re");
    std::string line(256, '\0');
    std::string found;
    while (file != nullptr && std::fgets(line.data(), static_cast<int>(line.size()), file) != nullptr) {
        if (line.starts_with(name + ":")) found = line.substr(0, line.find('\n'));
    }
    if (file != nullptr) std::fclose(file);
    return found;
}

TEST(Confine, NewProgramsCannotBeStarted) {
    if (!forbids_new_processes()) {
        EXPECT_FALSE(forbids_new_processes()) << "a sanitizer's report starts llvm-symbolizer";
        return;
    }
    in_confined_child([] {
        char program[] = "/bin/true";
        char* arguments[] = {program, nullptr};
        char* environment[] = {nullptr};
        return refused(::execve(program, arguments, environment), "execve") &&
               refused(::syscall(SYS_execveat, AT_FDCWD, program, arguments, environment, 0), "execveat");
    });
}

TEST(Confine, NewProcessesCannotBeForkedByAnyCall) {
    if (!forbids_new_processes()) {
        EXPECT_FALSE(forbids_new_processes()) << "LeakSanitizer clones at the end";
        return;
    }
    in_confined_child([] {
        clone_args arguments{};
        arguments.exit_signal = SIGCHLD;
        return refused(::fork(), "fork of the C library") && refused(::syscall(SYS_fork), "fork") &&
               refused(::syscall(SYS_vfork), "vfork") &&
               refused(::syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr), "clone") &&
               refused(::syscall(SYS_clone3, &arguments, sizeof arguments), "clone3", ENOSYS) &&
               refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr), "ptrace") && std::system("true") != 0;
    });
}

TEST(Confine, KernelMountsNamespacesAndIdentitiesAreOutOfReach) {
    in_confined_child([] {
        char letter = 'x';
        return refused(::mount("none", "/mnt", "tmpfs", 0, nullptr), "mount") && refused(::umount("/mnt"), "umount") &&
               refused(::unshare(CLONE_NEWUSER), "unshare") && refused(::syscall(SYS_bpf, 0, nullptr, 0), "bpf") &&
               refused(::syscall(SYS_perf_event_open, nullptr, 0, -1, -1, 0), "perf_event_open") &&
               refused(::syscall(SYS_keyctl, 0, -3, 1), "keyctl") &&
               refused(::syscall(SYS_userfaultfd, 0), "userfaultfd") &&
               refused(::syscall(SYS_io_uring_setup, 1, nullptr), "io_uring_setup") &&
               refused(::syscall(SYS_init_module, nullptr, 0, ""), "init_module") &&
               refused(::syscall(SYS_pidfd_getfd, 0, 0, 0), "pidfd_getfd") &&
               refused(::syscall(SYS_setuid, 0), "setuid") && refused(::ioctl(0, TIOCSTI, &letter), "TIOCSTI");
    });
}

TEST(Confine, ClocksPersonalitiesAndOldEntriesAreOutOfReach) {
    in_confined_child([] {
        timex clock{}; // asks only; the kernel would answer
        return refused(::syscall(SYS_clock_adjtime, CLOCK_REALTIME, &clock), "clock_adjtime") &&
               refused(::syscall(SYS_adjtimex, &clock), "adjtimex") &&
               refused(::syscall(SYS_personality, 0xffffffffUL), "personality") &&
#if defined(SYS_modify_ldt)
               refused(::syscall(SYS_modify_ldt, 0, nullptr, 0), "modify_ldt") &&
#endif
#if defined(SYS_uselib)
               refused(::syscall(SYS_uselib, "/nonexistent"), "uselib") &&
#endif
               refused(::syscall(SYS_fanotify_init, 0, 0), "fanotify_init");
    });
}

TEST(Confine, OtherInstructionSetsEndTheProcess) {
#if defined(__x86_64__)
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        if (!confine()) ::_exit(1);
        long result = 20; // getpid in the 32-bit table
        asm volatile("int $0x80" : "+a"(result)::"memory");
        ::_exit(2);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << status;
    EXPECT_EQ(WTERMSIG(status), SIGSYS);
#else
    EXPECT_TRUE(confine());
#endif
}

TEST(Confine, ThreadsNamesFilesAndSocketsStillWork) {
    in_confined_child([] {
        bool thread_ran = false;
        std::thread([&] { thread_ran = true; }).join();
        addrinfo* found = nullptr;
        const bool resolved = ::getaddrinfo("localhost", "80", nullptr, &found) == 0;
        if (found != nullptr) ::freeaddrinfo(found);
        const int file = ::open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
        const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
        return thread_ran && resolved && file >= 0 && socket >= 0;
    });
}

TEST(Confine, TheKernelSaysThatTheFilterIsOnForGood) {
    in_confined_child(
        [] { return status_line("Seccomp") == "Seccomp:\t2" && status_line("NoNewPrivs") == "NoNewPrivs:\t1"; });
}

} // namespace
} // namespace tollgate::process
