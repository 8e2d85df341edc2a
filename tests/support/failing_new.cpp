// The allocator of a gateway that runs out of memory when a test says so. $TOLLGATE_FAILING_NEW names a file of 16
// octets that both have mapped: how many more allocations of a worker succeed (0: no end), and how many have failed.
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fcntl.h>
#include <new>
#include <pthread.h>
#include <string_view>
#include <sys/mman.h>
#include <unistd.h>

namespace {

struct Order {
    std::atomic<std::int64_t> left;
    std::atomic<std::int64_t> failed;
};

Order* mapped() {
    const char* const file = std::getenv("TOLLGATE_FAILING_NEW");
    if (file == nullptr) return nullptr;
    const int fd = ::open(file, O_RDWR | O_CLOEXEC);
    if (fd < 0) std::abort();
    void* const at = ::mmap(nullptr, sizeof(Order), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    if (at == MAP_FAILED) std::abort();
    return static_cast<Order*>(at);
}

// Read once, before there are threads.
Order* const g_order = mapped();

bool in_worker() {
    char name[16] = {};
    return ::pthread_getname_np(::pthread_self(), name, sizeof name) == 0 && std::string_view(name) == "worker";
}

bool fails() {
    if (g_order == nullptr || g_order->left.load(std::memory_order_relaxed) <= 0 || !in_worker()) return false;
    if (g_order->left.fetch_sub(1) != 1) return false;
    ++g_order->failed;
    return true;
}

void* take(std::size_t size, std::size_t alignment) {
    if (fails()) return nullptr;
    if (size == 0) size = 1;
    if (alignment <= alignof(std::max_align_t)) return std::malloc(size);
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
}

void* take_or_throw(std::size_t size, std::size_t alignment = 0) {
    void* const at = take(size, alignment);
    if (at == nullptr) throw std::bad_alloc();
    return at;
}

} // namespace

void* operator new(std::size_t size) {
    return take_or_throw(size);
}
void* operator new[](std::size_t size) {
    return take_or_throw(size);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
    return take_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return take_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return take(size, 0);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return take(size, 0);
}
void operator delete(void* at) noexcept {
    std::free(at);
}
void operator delete[](void* at) noexcept {
    std::free(at);
}
void operator delete(void* at, std::size_t) noexcept {
    std::free(at);
}
void operator delete[](void* at, std::size_t) noexcept {
    std::free(at);
}
void operator delete(void* at, std::align_val_t) noexcept {
    std::free(at);
}
void operator delete[](void* at, std::align_val_t) noexcept {
    std::free(at);
}
void operator delete(void* at, std::size_t, std::align_val_t) noexcept {
    std::free(at);
}
void operator delete[](void* at, std::size_t, std::align_val_t) noexcept {
    std::free(at);
}
void operator delete(void* at, const std::nothrow_t&) noexcept {
    std::free(at);
}
void operator delete[](void* at, const std::nothrow_t&) noexcept {
    std::free(at);
}
