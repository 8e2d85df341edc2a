#include "gateway/net/tls.hpp"

#include "gateway/base/deleter.hpp"

#include <boost/asio/ssl/context.hpp>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace tollgate::net {
namespace {

using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Session = std::unique_ptr<SSL, Deleter<SSL_free>>;
using Context = std::unique_ptr<SSL_CTX, Deleter<SSL_CTX_free>>;

struct Identity {
    Key key;
    Certificate certificate;
};

Identity self_signed(const char* name) {
    Identity identity{Key(EVP_EC_gen("P-256")), Certificate(X509_new())};
    X509* const certificate = identity.certificate.get();
    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, identity.key.get());
    X509_NAME* const subject = X509_get_subject_name(certificate);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name), -1, -1, 0);
    X509_set_issuer_name(certificate, subject);
    X509V3_CTX extension_context;
    X509V3_set_ctx_nodb(&extension_context);
    X509V3_set_ctx(&extension_context, certificate, certificate, nullptr, nullptr, 0);
    const std::string alternative = std::string("DNS:") + name;
    X509_EXTENSION* const extension =
        X509V3_EXT_conf_nid(nullptr, &extension_context, NID_subject_alt_name, alternative.c_str());
    X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate, identity.key.get(), EVP_sha256());
    return identity;
}

// Runs both sides over memory BIOs; true if the client accepted the server.
bool handshake_succeeds(SSL_CTX* client_ctx, const Identity& server_identity, const std::string& expected_host) {
    const Context server_ctx(SSL_CTX_new(TLS_server_method()));
    SSL_CTX_use_certificate(server_ctx.get(), server_identity.certificate.get());
    SSL_CTX_use_PrivateKey(server_ctx.get(), server_identity.key.get());
    const Session client(SSL_new(client_ctx));
    const Session server(SSL_new(server_ctx.get()));
    BIO* near_end = nullptr;
    BIO* far_end = nullptr;
    BIO_new_bio_pair(&near_end, 0, &far_end, 0);
    SSL_set_bio(client.get(), near_end, near_end);
    SSL_set_bio(server.get(), far_end, far_end);
    SSL_set_connect_state(client.get());
    SSL_set_accept_state(server.get());
    SSL_set1_host(client.get(), expected_host.c_str());
    constexpr int kMaxFlights = 16;
    for (int i = 0; i < kMaxFlights; ++i) {
        const int client_done = SSL_do_handshake(client.get());
        if (client_done == 1) return true;
        if (SSL_get_error(client.get(), client_done) == SSL_ERROR_SSL) return false;
        SSL_do_handshake(server.get());
    }
    return false;
}

} // namespace

std::expected<void, std::string> verify_self_test() {
    const auto context = client_context("");
    if (!context) return std::unexpected(context.error());
    SSL_CTX* const client = (*context)->native_handle();
    const Identity stranger = self_signed("self-test.invalid");
    if (handshake_succeeds(client, stranger, "self-test.invalid"))
        return std::unexpected("a certificate that nobody vouches for was accepted");
    // Once trusted it must pass under its own name (the test itself works) and fail under another.
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client), stranger.certificate.get());
    if (!handshake_succeeds(client, stranger, "self-test.invalid"))
        return std::unexpected("a trusted certificate was refused");
    if (handshake_succeeds(client, stranger, "other.invalid"))
        return std::unexpected("a certificate for another host name was accepted");
    return {};
}

} // namespace tollgate::net
