// A secret that cannot be printed by accident: no operator<<, no implicit conversion, no comparison with ==.
// Only code that needs the octets calls reveal(); the memory is cleansed on destruction (R24, R25).
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace tollgate {

class Secret {
  public:
    Secret() = default;
    explicit Secret(std::string_view value);

    [[nodiscard]] bool empty() const noexcept { return !value_ || value_->empty(); }
    // The octets. Valid as long as any copy of this Secret lives (copies share one buffer).
    [[nodiscard]] std::string_view reveal() const noexcept {
        return value_ ? std::string_view(*value_) : std::string_view();
    }

  private:
    std::shared_ptr<const std::string> value_;
};

} // namespace tollgate
