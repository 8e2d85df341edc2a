#include "gateway/process/harden.hpp"

#include <csignal>
#include <initializer_list>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace tollgate::process {

void forbid_core_dumps() noexcept {
    ::prctl(PR_SET_DUMPABLE, 0);
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
}

void ignore_stray_signals() noexcept {
    for (const int stray : {SIGPIPE, SIGUSR2, SIGALRM, SIGVTALRM, SIGXFSZ, SIGHUP, SIGUSR1}) ::signal(stray, SIG_IGN);
}

} // namespace tollgate::process
