#include "tests/unit/net/identities.hpp"

#include "gateway/base/deleter.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <stdexcept>

namespace tollgate::test {
namespace {

using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Extension = std::unique_ptr<X509_EXTENSION, Deleter<X509_EXTENSION_free>>;
using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

void require(bool ok, const char* what) {
    if (!ok) throw std::runtime_error(what);
}

void add_extension(X509* certificate, int kind, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
    const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
    require(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "extension");
}

Certificate self_signed(EVP_PKEY* key, const std::string& alternative) {
    Certificate certificate(X509_new());
    X509_set_version(certificate.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key);
    X509_NAME* const subject = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("tollgate test"), -1,
                               -1, 0);
    X509_set_issuer_name(certificate.get(), subject);
    add_extension(certificate.get(), NID_basic_constraints, "critical,CA:TRUE");
    add_extension(certificate.get(), NID_subject_alt_name, alternative);
    require(X509_sign(certificate.get(), key, EVP_sha256()) > 0, "signature");
    return certificate;
}

File open_file(const std::string& path) {
    File file(std::fopen(path.c_str(), "w"), &std::fclose);
    require(file != nullptr, "file");
    return file;
}

} // namespace

Identity::Identity(const std::string& alternative) {
    std::string pattern = (std::filesystem::temp_directory_path() / "tollgate-identity-XXXXXX").string();
    require(::mkdtemp(pattern.data()) != nullptr, "directory");
    directory_ = pattern;
    const Key key(EVP_EC_gen("P-256"));
    const Certificate certificate = self_signed(key.get(), alternative);
    require(PEM_write_X509(open_file(cert_file()).get(), certificate.get()) == 1, "certificate");
    require(PEM_write_PrivateKey(open_file(key_file()).get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1,
            "key");
}

Identity::~Identity() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
}

} // namespace tollgate::test
