// TLS contexts (reliability §5.7): 1.2 and 1.3, verification on, nothing optional left at its default.
#pragma once

#include "gateway/base/crypto.hpp"

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>

namespace boost::asio::ssl {
class context;
}

namespace tollgate::net {

using TlsContext = std::shared_ptr<boost::asio::ssl::context>;

// Certificate chain and key in PEM. With `client_ca`, clients without a certificate from one of its authorities are
// refused in the handshake. Error: which file and why.
[[nodiscard]] std::expected<TlsContext, std::string>
server_context(const std::string& cert_file, const std::string& key_file, const std::string& client_ca = {});

// When the certificate of a server's context ends, in Unix seconds; nothing if it has none.
[[nodiscard]] std::optional<std::int64_t> certificate_end(const TlsContext& context);

// Verifies chain and host name. `ca_file` adds trust anchors; empty: the system's only.
[[nodiscard]] std::expected<TlsContext, std::string> client_context(const std::string& ca_file);

// Hash of the trust anchors the context holds: connections made under others may not be shared with its own.
[[nodiscard]] crypto::Digest anchors_digest(const TlsContext& context);

// Proves, in memory, that a client context refuses a certificate that no anchor vouches for, and one for another name.
// An error text means that verification is broken and the process must not start (B17).
[[nodiscard]] std::expected<void, std::string> verify_self_test();

} // namespace tollgate::net
