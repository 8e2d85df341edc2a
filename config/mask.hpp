// Which parts of a config's lines may be shown: decided from the text alone, so that it also holds for a text that is
// not YAML.
#pragma once

#include "config/node.hpp"

#include <cstddef>
#include <map>
#include <string_view>

namespace tollgate::config {

class Mask {
  public:
    explicit Mask(std::string_view text);
    // The line up to the first octet that is, or may be, part of a secret.
    [[nodiscard]] std::string_view visible(int number) const;

  private:
    void hide(const Node& node, bool secret);
    void hide_member(const Member& member, bool secret);
    void hide_scalar(const Node& node);
    void cut(int line, std::size_t column);

    Lines lines_;
    bool parsed_ = false;
    std::map<int, std::size_t> cuts_; // line → octets that may be shown
};

} // namespace tollgate::config
