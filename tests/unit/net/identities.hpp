// Certificates made for one test run, in a directory that goes with it.
#pragma once

#include <filesystem>
#include <string>

namespace tollgate::test {

// A self-signed certificate and its key in PEM files.
class Identity {
  public:
    // `alternative`: the subject alternative name, e.g. "DNS:localhost" or "IP:127.0.0.1".
    explicit Identity(const std::string& alternative);
    ~Identity();
    Identity(const Identity&) = delete;
    Identity& operator=(const Identity&) = delete;

    [[nodiscard]] std::string cert_file() const { return (directory_ / "cert.pem").string(); }
    [[nodiscard]] std::string key_file() const { return (directory_ / "key.pem").string(); }

  private:
    std::filesystem::path directory_;
};

} // namespace tollgate::test
