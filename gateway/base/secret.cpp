#include "gateway/base/secret.hpp"

#include <openssl/crypto.h>

namespace tollgate {

Secret::Secret(std::string_view value)
    : value_(new std::string(value), [](std::string* text) {
          OPENSSL_cleanse(text->data(), text->size());
          delete text;
      }) {}

} // namespace tollgate
