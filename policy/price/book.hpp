// Which price a model has: the configuration's own, else an imported one, else the shipped one. Immutable and
// thread-safe; built at start and on a reload.
#pragma once

#include "config/config.hpp"
#include "policy/price/table.hpp"

#include <expected>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

class PriceBook {
  public:
    PriceBook() = default; // nothing has a price
    // Reads the files of `prices.import`. The error names the file that cannot be read or holds no price at all; models
    // of a file that are left out are in problems().
    [[nodiscard]] static std::expected<PriceBook, std::string> build(const config::Config& config);

    // What a call of this upstream of the model costs: the model's own price, else that of the upstream's name for it,
    // else that of its configured name; null: unpriced, which is not free. The pointer outlives the book.
    [[nodiscard]] std::shared_ptr<const Price> find(const config::Model& model, const config::Upstream& upstream) const;
    // Of its first upstream, by order, that has a price.
    [[nodiscard]] std::shared_ptr<const Price> find(const config::Model& model) const;
    // By a name as providers know it, for wildcards: an imported price, else the shipped one. Never a configured one.
    [[nodiscard]] std::shared_ptr<const Price> find(std::string_view upstream_model) const;

    // One sentence each, for the log at start.
    [[nodiscard]] const std::vector<std::string>& problems() const noexcept { return problems_; }

  private:
    struct Lists {
        PriceTable imported;
        PriceTable shipped;
    };

    [[nodiscard]] std::shared_ptr<const Price> listed(const PriceTable& table, std::string_view name) const;

    std::map<std::string, std::shared_ptr<const Price>, std::less<>> configured_; // by the model's name
    std::shared_ptr<const Lists> lists_;
    std::vector<std::string> problems_;
};

// A model's price cards as the configuration holds them. The rates' names are those of to_string(PriceClass).
[[nodiscard]] Price price_of(const std::vector<config::PriceCard>& cards);

} // namespace tollgate::policy
