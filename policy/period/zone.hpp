// An IANA time zone (RFC 9557's names), read through ICU: the standard library in use has none. What the zone rules say
// is ICU's data, whose version data_version() tells; only questions about instants are asked of it, so that gaps and
// repeated hours are decided here, in one place.
#pragma once

#include <chrono>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace tollgate::policy {

// A shared handle: cheap to copy, immutable, usable from every thread.
class Zone {
  public:
    Zone(); // UTC
    // The error is a hint, possibly with the nearest name; it does not quote the text. Names are case-sensitive; fixed
    // offsets and abbreviations that the IANA does not list are refused, since they know no daylight saving time.
    // Loads a zone once and keeps it for the process's life; takes a lock, so it is for the load of a configuration.
    [[nodiscard]] static std::expected<Zone, std::string> find(std::string_view name);
    // "2025b"
    [[nodiscard]] static std::string data_version();

    [[nodiscard]] const std::string& name() const noexcept;
    [[nodiscard]] std::chrono::seconds offset_at(std::chrono::sys_seconds instant) const;
    // The first instant whose local time is `local` or later. A local time in a gap is thus the end of the gap, a
    // repeated one its first occurrence. Monotone in `local`.
    [[nodiscard]] std::chrono::sys_seconds first_reaching(std::chrono::local_seconds local) const;
    // The changes of the offset nearest to `instant`: strictly after it, and at or before it.
    [[nodiscard]] std::optional<std::chrono::sys_seconds> change_after(std::chrono::sys_seconds instant) const;
    [[nodiscard]] std::optional<std::chrono::sys_seconds> change_until(std::chrono::sys_seconds instant) const;

  private:
    struct Impl;
    explicit Zone(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}

    std::shared_ptr<const Impl> impl_;
};

} // namespace tollgate::policy
