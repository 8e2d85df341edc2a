#include "gateway/process/confine.hpp"

#include "gateway/process/sanitized.hpp"

#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <memory>
#include <sched.h>
#include <seccomp.h>
#include <span>
#include <sys/ioctl.h>
#include <system_error>

namespace tollgate::process {
namespace {

// New processes, and hands on other ones.
constexpr std::array kProcesses{
    SCMP_SYS(execve),           SCMP_SYS(execveat),          SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev),
};

// The machine, its mounts and its kernel; other identities; ways around this filter. io_uring is one: its operations
// are not system calls, so none of them would be judged.
constexpr std::array kNever{
    SCMP_SYS(kcmp),
    SCMP_SYS(pidfd_getfd),
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(mount_setattr),
    SCMP_SYS(move_mount),
    SCMP_SYS(open_tree),
    SCMP_SYS(fsopen),
    SCMP_SYS(fsconfig),
    SCMP_SYS(fsmount),
    SCMP_SYS(fspick),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    SCMP_SYS(open_by_handle_at),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(keyctl),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(io_uring_setup),
    SCMP_SYS(io_uring_enter),
    SCMP_SYS(io_uring_register),
    SCMP_SYS(swapon),
    SCMP_SYS(swapoff),
    SCMP_SYS(reboot),
    SCMP_SYS(acct),
    SCMP_SYS(settimeofday),
    SCMP_SYS(clock_settime),
    SCMP_SYS(clock_adjtime),
    SCMP_SYS(adjtimex),
    SCMP_SYS(personality),
    SCMP_SYS(modify_ldt),
    SCMP_SYS(uselib),
    SCMP_SYS(fanotify_init),
    SCMP_SYS(sethostname),
    SCMP_SYS(setdomainname),
    SCMP_SYS(iopl),
    SCMP_SYS(ioperm),
    SCMP_SYS(syslog),
    SCMP_SYS(vhangup),
    SCMP_SYS(quotactl),
    SCMP_SYS(lookup_dcookie),
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setreuid),
    SCMP_SYS(setregid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setfsuid),
    SCMP_SYS(setfsgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
};

struct Release {
    void operator()(void* filter) const noexcept { ::seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

// Calls that this kernel's table does not have are none that can be made.
int forbid(const Filter& filter, std::span<const int> calls) {
    for (const int call : calls) {
        const int failed = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), call, 0);
        if (failed != 0 && failed != -EDOM) return failed;
    }
    return 0;
}

int forbid_new_processes(const Filter& filter) {
    if (const int failed = forbid(filter, kProcesses); failed != 0) return failed;
    const scmp_arg_cmp no_thread = {.arg = 0, .op = SCMP_CMP_MASKED_EQ, .datum_a = CLONE_THREAD, .datum_b = 0};
    if (const int failed = ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1, no_thread);
        failed != 0)
        return failed;
    return ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

// Typing into the terminal it was started from. The kernel reads 32 bits of the request; so must the comparison.
int forbid_terminal_input(const Filter& filter) {
    const scmp_arg_cmp types = {.arg = 1, .op = SCMP_CMP_MASKED_EQ, .datum_a = 0xffffffffU, .datum_b = TIOCSTI};
    return ::seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1, types);
}

// Another architecture's entry (int 0x80) has other numbers for the same calls: nothing honest uses it.
int set_attributes(const Filter& filter) {
    if (const int failed = ::seccomp_attr_set(filter.get(), SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
        failed != 0)
        return failed;
    ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_LOG, 1); // older kernels cannot log, and only that
    return ::seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_NNP, 1);
}

} // namespace

bool forbids_new_processes() noexcept {
    return !kSanitized;
}

std::expected<void, std::string> confine() {
    const Filter filter(::seccomp_init(SCMP_ACT_ALLOW));
    int failed = filter ? set_attributes(filter) : -ENOMEM;
    if (failed == 0) failed = forbid(filter, kNever);
    if (failed == 0 && forbids_new_processes()) failed = forbid_new_processes(filter);
    if (failed == 0) failed = forbid_terminal_input(filter);
    if (failed == 0) failed = ::seccomp_load(filter.get());
    if (failed == 0) return {};
    return std::unexpected(
        fmt::format("the system call filter cannot be installed: {}", std::generic_category().message(-failed)));
}

} // namespace tollgate::process
