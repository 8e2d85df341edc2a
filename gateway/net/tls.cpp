#include "gateway/net/tls.hpp"

#include "gateway/net/ticket_keys.hpp"

#include <boost/asio/ssl/context.hpp>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <span>
#include <utility>
#include <vector>

namespace tollgate::net {
namespace {

namespace ssl = boost::asio::ssl;

void harden(SSL_CTX* context) {
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20"); // 1.2: forward secrecy and AEAD only
    SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
    SSL_CTX_set_max_early_data(context, 0); // what can be replayed is charged twice (RFC 8470)
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS);
}

// Chooses http/1.1 when offered; refuses a client that offers only other protocols (case 250).
int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_length, const unsigned char* in,
                unsigned int in_length, void*) {
    static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_length, kHttp11, sizeof kHttp11, in, in_length) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

// The slot of a context that holds its ticket keys, and their end with it.
int ticket_keys_slot() {
    static const int kSlot = SSL_CTX_get_ex_new_index(
        0, nullptr, nullptr, nullptr,
        [](void*, void* keys, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<TicketKeys*>(keys); });
    return kSlot;
}

bool use_key(const TicketKeys::Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
             bool encrypt) {
    std::array<char, 7> digest{"SHA256"};
    std::array<unsigned char, 32> mac_key = key.mac;
    const std::array<OSSL_PARAM, 3> parameters{
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key.data(), mac_key.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0), OSSL_PARAM_construct_end()};
    const int ready = EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), nullptr, key.cipher.data(), iv, encrypt ? 1 : 0);
    const bool done = ready == 1 && EVP_MAC_CTX_set_params(mac, parameters.data()) == 1;
    OPENSSL_cleanse(mac_key.data(), mac_key.size());
    return done;
}

// What OpenSSL asks when it makes or reads a ticket; the meaning of the results is
// SSL_CTX_set_tlsext_ticket_key_evp_cb(3).
int choose_ticket_key(SSL* session, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac,
                      int encrypt) {
    constexpr int kFailed = -1, kNoTicket = 0, kUse = 1, kUseAndRenew = 2;
    auto* const keys = static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), ticket_keys_slot()));
    const TimePoint now = Clock::now();
    if (encrypt != 0) {
        TicketKeys::Key key = keys->current(now);
        std::ranges::copy(key.name, name);
        const bool done =
            RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) == 1 && use_key(key, iv, cipher, mac, true);
        OPENSSL_cleanse(&key, sizeof key);
        return done ? kUse : kFailed;
    }
    auto found = keys->find(std::span<const unsigned char, TicketKeys::kNameSize>(name, TicketKeys::kNameSize), now);
    if (!found) return kNoTicket;
    const bool done = use_key(found->key, iv, cipher, mac, false);
    OPENSSL_cleanse(&found->key, sizeof found->key);
    if (!done) return kFailed;
    return found->renew ? kUseAndRenew : kUse;
}

// Resumption by tickets alone: sessions kept here would be memory that strangers fill.
void issue_tickets(SSL_CTX* context) {
    SSL_CTX_set_ex_data(context, ticket_keys_slot(), new TicketKeys); // goes with the context
    SSL_CTX_set_tlsext_ticket_key_evp_cb(context, choose_ticket_key);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, std::chrono::seconds(TicketKeys::kInUse).count());
    // Without one, resuming a session with a client certificate is an error.
    static constexpr unsigned char kContext[] = "tollgate";
    SSL_CTX_set_session_id_context(context, kContext, sizeof kContext - 1);
}

std::expected<void, std::string> ask_for_certificates(ssl::context& context, const std::string& client_ca) {
    boost::system::error_code error;
    context.load_verify_file(client_ca, error);
    auto* const names = error ? nullptr : SSL_load_client_CA_file(client_ca.c_str());
    if (names == nullptr) {
        return std::unexpected("client_ca " + client_ca + ": " +
                               (error ? error.message() : std::string("it holds no certificate")));
    }
    SSL_CTX_set_client_CA_list(context.native_handle(), names); // takes it over
    context.set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
    if (error) return std::unexpected("client certificates: " + error.message());
    return {};
}

} // namespace

std::expected<TlsContext, std::string> server_context(const std::string& cert_file, const std::string& key_file,
                                                      const std::string& client_ca) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_server);
    harden(context->native_handle());
    issue_tickets(context->native_handle());
    SSL_CTX_set_alpn_select_cb(context->native_handle(), choose_alpn, nullptr);
    boost::system::error_code error;
    context->use_certificate_chain_file(cert_file, error);
    if (error) return std::unexpected("certificate " + cert_file + ": " + error.message());
    context->use_private_key_file(key_file, ssl::context::pem, error);
    if (error) return std::unexpected("private key " + key_file + ": " + error.message());
    if (SSL_CTX_check_private_key(context->native_handle()) != 1)
        return std::unexpected("private key " + key_file + " does not belong to certificate " + cert_file);
    if (!client_ca.empty()) {
        if (auto asked = ask_for_certificates(*context, client_ca); !asked) return std::unexpected(asked.error());
    }
    return context;
}

std::optional<std::int64_t> certificate_end(const TlsContext& context) {
    const X509* const certificate = SSL_CTX_get0_certificate(context->native_handle());
    std::tm end{};
    if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1) return std::nullopt;
    return ::timegm(&end);
}

std::expected<TlsContext, std::string> client_context(const std::string& ca_file) {
    auto context = std::make_shared<ssl::context>(ssl::context::tls_client);
    harden(context->native_handle());
    boost::system::error_code error;
    context->set_verify_mode(ssl::verify_peer | ssl::verify_fail_if_no_peer_cert, error);
    if (error) return std::unexpected("verification: " + error.message());
    context->set_default_verify_paths(error);
    if (error) return std::unexpected("system trust anchors: " + error.message());
    if (!ca_file.empty()) {
        context->load_verify_file(ca_file, error);
        if (error) return std::unexpected("ca_file " + ca_file + ": " + error.message());
    }
    static constexpr unsigned char kHttp11[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
    SSL_CTX_set_alpn_protos(context->native_handle(), kHttp11, sizeof kHttp11);
    return context;
}

crypto::Digest anchors_digest(const TlsContext& context) {
    const STACK_OF(X509_OBJECT)* const held = X509_STORE_get0_objects(SSL_CTX_get_cert_store(context->native_handle()));
    std::vector<crypto::Digest> anchors;
    for (int i = 0; i < sk_X509_OBJECT_num(held); ++i) {
        const X509* const anchor = X509_OBJECT_get0_X509(sk_X509_OBJECT_value(held, i));
        crypto::Digest digest{};
        unsigned size = 0;
        if (anchor != nullptr && X509_digest(anchor, EVP_sha256(), digest.data(), &size) == 1)
            anchors.push_back(digest);
    }
    std::ranges::sort(anchors); // their order means nothing
    std::string all;
    for (const crypto::Digest& anchor : anchors) all.append(anchor.begin(), anchor.end());
    return crypto::sha256(all);
}

} // namespace tollgate::net
