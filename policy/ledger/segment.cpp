#include "policy/ledger/segment.hpp"

#include "policy/ledger/crc32c.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>
#include <utility>

namespace tollgate::policy::ledger {
namespace {

constexpr char kMagic[8] = {'T', 'G', 'L', 'E', 'D', 'G', 'R', '1'};
constexpr std::size_t kSequenceAt = 8;
constexpr std::size_t kCheckAt = 16; // CRC-32C of what is before
constexpr std::size_t kUsedAt = 64;
constexpr std::size_t kSyncedAt = 128;
constexpr std::size_t kConsumedAt = 192; // and its complement behind it
constexpr std::size_t kPage = 4'096;

template <class... Args>
std::unexpected<std::string> failed(fmt::format_string<Args...> format, Args&&... args) {
    return std::unexpected<std::string>(fmt::format(format, std::forward<Args>(args)...));
}

std::string reason(int error) {
    return std::generic_category().message(error);
}

char* map(int fd, std::size_t size, int protection = PROT_READ | PROT_WRITE) {
    void* const at = ::mmap(nullptr, size, protection, MAP_SHARED, fd, 0);
    return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}

void write_head(char* data, Sequence sequence) {
    std::memcpy(data, kMagic, sizeof kMagic);
    std::memcpy(data + kSequenceAt, &sequence, sizeof sequence);
    const std::uint32_t check = crc32c({data, kCheckAt});
    std::memcpy(data + kCheckAt, &check, sizeof check);
    for (const std::size_t at : {kUsedAt, kSyncedAt}) {
        const std::uint64_t first = kSegmentHead;
        std::memcpy(data + at, &first, sizeof first);
    }
}

} // namespace

std::string segment_name(Sequence sequence) {
    return fmt::format("segment-{:016x}.log", sequence);
}

Segment::Segment(std::string file, Fd fd, char* data, std::size_t size, Sequence sequence)
    : file_(std::move(file)), fd_(std::move(fd)), data_(data), size_(size), sequence_(sequence) {}

Segment::~Segment() {
    ::munmap(data_, size_);
}

auto Segment::create(const std::string& directory, Sequence sequence, std::size_t size)
    -> Result<std::shared_ptr<Segment>> {
    const std::string file = directory + '/' + segment_name(sequence);
    const std::string fresh = file + ".new";
    Fd fd(::open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
    if (!fd) return failed("cannot create {}: {}", fresh, reason(errno));
    const auto give_up = [&fresh](std::string_view what, int error) {
        ::unlink(fresh.c_str());
        return failed("cannot {} {}: {}", what, fresh, reason(error));
    };
    if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(size)); error != 0) {
        return give_up("allocate", error);
    }
    char* const data = map(fd.get(), size);
    if (data == nullptr) return give_up("map", errno);
    std::shared_ptr<Segment> segment(new Segment(file, std::move(fd), data, size, sequence));
    write_head(data, sequence);
    if (::fsync(segment->fd()) != 0) return give_up("write", errno);
    if (::rename(fresh.c_str(), file.c_str()) != 0) return give_up("rename", errno);
    if (auto kept = sync_directory(directory); !kept) {
        ::unlink(file.c_str());
        return std::unexpected(kept.error());
    }
    return segment;
}

auto Segment::open(const std::string& file) -> Result<std::shared_ptr<Segment>> {
    return attach(file, O_RDWR, PROT_READ | PROT_WRITE);
}

auto Segment::open_reading(const std::string& file) -> Result<std::shared_ptr<const Segment>> {
    return attach(file, O_RDONLY, PROT_READ);
}

auto Segment::attach(const std::string& file, int access, int protection) -> Result<std::shared_ptr<Segment>> {
    Fd fd(::open(file.c_str(), access | O_CLOEXEC | O_NOFOLLOW));
    if (!fd) return failed("cannot open {}: {}", file, reason(errno));
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return failed("cannot inspect {}: {}", file, reason(errno));
    const auto size = static_cast<std::size_t>(status.st_size);
    if (!S_ISREG(status.st_mode) || size < kSegmentHead) {
        return failed("{} is damaged at offset 0: it is no ledger segment or its head is cut off", file);
    }
    char* const data = map(fd.get(), size, protection);
    if (data == nullptr) return failed("cannot map {}: {}", file, reason(errno));
    Sequence sequence = 0;
    std::uint32_t check = 0;
    std::memcpy(&sequence, data + kSequenceAt, sizeof sequence);
    std::memcpy(&check, data + kCheckAt, sizeof check);
    std::shared_ptr<Segment> segment(new Segment(file, std::move(fd), data, size, sequence));
    if (std::memcmp(data, kMagic, sizeof kMagic) != 0 || check != crc32c({data, kCheckAt})) {
        return failed("{} is damaged at offset 0: its head does not check", file);
    }
    return segment;
}

std::atomic_ref<std::uint64_t> Segment::counter(std::size_t at) const {
    return std::atomic_ref<std::uint64_t>(*reinterpret_cast<std::uint64_t*>(data_ + at));
}

std::size_t Segment::room() const {
    return size_ - used();
}

void Segment::append(std::string_view frame) {
    const std::size_t at = used();
    std::memcpy(data_ + at, frame.data(), frame.size());
    counter(kUsedAt).store(at + frame.size(), std::memory_order_release);
}

std::size_t Segment::claimed_used() const {
    return counter(kUsedAt).load(std::memory_order_acquire);
}

std::size_t Segment::claimed_synced() const {
    return std::min<std::size_t>(counter(kSyncedAt).load(std::memory_order_acquire), claimed_used());
}

std::size_t Segment::used() const {
    return std::clamp(claimed_used(), kSegmentHead, size_);
}

std::size_t Segment::synced() const {
    return std::clamp(claimed_synced(), kSegmentHead, used());
}

std::size_t Segment::consumed() const {
    const std::uint64_t offset = counter(kConsumedAt).load(std::memory_order_acquire);
    const bool intact = counter(kConsumedAt + sizeof offset).load(std::memory_order_acquire) == ~offset;
    return intact && offset >= kSegmentHead && offset <= used() ? offset : kSegmentHead;
}

void Segment::set_synced(std::size_t offset) {
    counter(kSyncedAt).store(offset, std::memory_order_release);
}

void Segment::set_consumed(std::size_t offset) {
    counter(kConsumedAt).store(offset, std::memory_order_release);
    counter(kConsumedAt + sizeof(std::uint64_t)).store(~static_cast<std::uint64_t>(offset), std::memory_order_release);
}

void Segment::cut(std::size_t offset) {
    if (synced() > offset) set_synced(offset);
    if (consumed() > offset) set_consumed(offset);
    // Zeroed, or a frame behind the torn one could come back to life.
    std::memset(data_ + offset, 0, size_ - offset);
    counter(kUsedAt).store(offset, std::memory_order_release);
}

std::string_view Segment::octets(std::size_t from, std::size_t to) const {
    return {data_ + from, to - from};
}

void Segment::populate(std::size_t from, std::size_t to) {
    const std::size_t first = from / kPage * kPage;
    const std::size_t last = std::min((to + kPage - 1) / kPage * kPage, size_);
#ifdef MADV_POPULATE_WRITE
    if (first < last) static_cast<void>(::madvise(data_ + first, last - first, MADV_POPULATE_WRITE));
#else
    static_cast<void>(first);
    static_cast<void>(last);
#endif
}

auto Segment::remove() -> Result<void> {
    if (::unlink(file_.c_str()) == 0) return {};
    return failed("cannot remove {}: {}", file_, reason(errno));
}

std::expected<void, std::string> sync_directory(const std::string& directory) {
    const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return failed("cannot write {}: {}", directory, reason(errno));
    return {};
}

} // namespace tollgate::policy::ledger
