#include "gateway/net/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace tollgate::net {

DescriptorBudget descriptor_budget(std::uint64_t limit) noexcept {
    constexpr std::uint64_t kMost = 2'000'000; // far beyond what the kernel lets a process open (fs.nr_open)
    const std::uint64_t usable = std::clamp(limit, kReservedDescriptors, kMost) - kReservedDescriptors;
    DescriptorBudget budget{.limit = limit};
    budget.idle_upstream = std::max(1U, static_cast<unsigned>(usable / 8));
    budget.clients = std::max(1U, static_cast<unsigned>(usable / 2));
    budget.crowded = std::max(1U, static_cast<unsigned>((usable - usable / 8) / 2));
    return budget;
}

std::uint64_t raise_descriptor_limit() noexcept {
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return 1024; // what POSIX systems start with
    const rlimit raised{files.rlim_max, files.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
    return files.rlim_cur;
}

} // namespace tollgate::net
