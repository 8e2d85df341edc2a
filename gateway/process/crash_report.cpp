#include "gateway/process/crash_report.hpp"

#include "gateway/process/sanitized.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <string_view>
#include <ucontext.h>
#include <unistd.h>

// Where the linker put the program; both are addresses, not objects.
extern "C" char __executable_start; // NOLINT: the linker's name
extern "C" char etext;

namespace tollgate::process {
namespace {

// Text in a fixed buffer: everything here may run in the middle of anything.
class Line {
  public:
    void add(std::string_view text) noexcept {
        const std::size_t n = std::min(text.size(), text_.size() - size_);
        std::memcpy(text_.data() + size_, text.data(), n);
        size_ += n;
    }
    void add_hex(std::uintptr_t value) noexcept {
        std::array<char, 2 * sizeof value> digits{};
        std::size_t first = digits.size();
        do {
            digits[--first] = "0123456789abcdef"[value & 15U];
            value >>= 4U;
        } while (value != 0);
        add("0x");
        add({digits.data() + first, digits.size() - first});
    }
    void write() const noexcept { [[maybe_unused]] const ssize_t sent = ::write(STDERR_FILENO, text_.data(), size_); }

  private:
    std::array<char, 512> text_{};
    std::size_t size_ = 0;
};

std::string_view name_of(int signal) noexcept {
    switch (signal) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGILL: return "SIGILL";
    case SIGFPE: return "SIGFPE";
    case SIGSYS: return "SIGSYS";
    case SIGABRT: return "SIGABRT";
    default: return "unknown";
    }
}

std::uintptr_t instruction_of(void* context) noexcept {
    const auto* const machine = static_cast<const ucontext_t*>(context);
#if defined(__x86_64__)
    return static_cast<std::uintptr_t>(machine->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
    return static_cast<std::uintptr_t>(machine->uc_mcontext.pc);
#else
    return machine == nullptr ? 1 : 0;
#endif
}

// The handler is gone already (SA_RESETHAND): raising the signal again ends the process as if there had been none.
void report(int signal, siginfo_t* info, void* context) {
    const std::uintptr_t at = instruction_of(context);
    const auto start = reinterpret_cast<std::uintptr_t>(&__executable_start);
    const bool ours = at >= start && at < reinterpret_cast<std::uintptr_t>(&etext);
    const bool sent = info->si_code <= 0; // by kill(), not by a fault: there is no address
    Line line;
    line.add(R"({"log.level":"fatal","message":"tollgate crashed","event.dataset":"tollgate.log","signal":")");
    line.add(name_of(signal));
    line.add(R"(","version":")");
    line.add(TOLLGATE_VERSION);
    line.add(ours ? R"(","offset":")" : R"(","instruction":")");
    line.add_hex(ours ? at - start : at);
    if (!sent) {
        line.add(R"(","address":")");
        line.add_hex(reinterpret_cast<std::uintptr_t>(info->si_addr));
    }
    line.add("\"}\n");
    line.write();
    ::raise(signal);
}

} // namespace

void report_crashes() noexcept {
    if (kSanitized) return;
    // A stack of its own for the main thread, because an exhausted one cannot carry the handler.
    static std::array<char, 16 * 1024> stack;
    stack_t other{};
    other.ss_sp = stack.data();
    other.ss_size = stack.size();
    ::sigaltstack(&other, nullptr);
    struct sigaction action{};
    action.sa_sigaction = report;
    action.sa_flags = static_cast<int>(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND | SA_NODEFER);
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGABRT}) ::sigaction(signal, &action, nullptr);
}

} // namespace tollgate::process
