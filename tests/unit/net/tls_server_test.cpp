// The server's side of TLS against clients that OpenSSL lets misbehave (reliability §5.7, cases 247-250).
#include "gateway/base/deleter.hpp"
#include "gateway/net/tls.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/unit/net/identities.hpp"
#include "tests/unit/net/loopback.hpp"

#include <boost/asio/ssl/context.hpp>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <thread>

namespace tollgate::net {
namespace {

using Connection = std::unique_ptr<SSL, Deleter<SSL_free>>;
using Session = std::unique_ptr<SSL_SESSION, Deleter<SSL_SESSION_free>>;

// A client and a server over memory.
struct Pair {
    Pair(const TlsContext& client_context, const TlsContext& server_context)
        : client(SSL_new(client_context->native_handle())), server(SSL_new(server_context->native_handle())) {
        BIO* near_end = nullptr;
        BIO* far_end = nullptr;
        constexpr std::size_t kRoom = 64 * 1024;
        BIO_new_bio_pair(&near_end, kRoom, &far_end, kRoom);
        SSL_set_bio(client.get(), near_end, near_end);
        SSL_set_bio(server.get(), far_end, far_end);
        SSL_set_connect_state(client.get());
        SSL_set_accept_state(server.get());
    }
    // Both sides finished.
    bool handshake() {
        for (int flight = 0; flight < 16; ++flight) {
            const int near_end = SSL_do_handshake(client.get());
            const int far_end = SSL_do_handshake(server.get());
            if (near_end == 1 && far_end == 1) return true;
            if (SSL_get_error(server.get(), far_end) == SSL_ERROR_SSL) return false;
        }
        return false;
    }
    // What the server receives of what the client sends.
    std::string carried(const std::string& text) {
        std::array<char, 256> buffer{};
        SSL_write(client.get(), text.data(), static_cast<int>(text.size()));
        const int n = SSL_read(server.get(), buffer.data(), static_cast<int>(buffer.size()));
        return n > 0 ? std::string(buffer.data(), static_cast<std::size_t>(n)) : std::string();
    }
    // The session with its ticket, which TLS 1.3 sends behind the handshake.
    Session session() {
        std::array<char, 16> nothing{};
        SSL_read(client.get(), nothing.data(), static_cast<int>(nothing.size()));
        return Session(SSL_get1_session(client.get()));
    }

    Connection client, server;
};

class TlsServer : public testing::Test {
  protected:
    TlsContext client() const { return client_context(identity_.cert_file()).value(); }
    TlsContext server(const std::string& client_ca = {}) const {
        return server_context(identity_.cert_file(), identity_.key_file(), client_ca).value();
    }
    TlsContext client_with(const test::Identity& own) const {
        auto context = client();
        boost::system::error_code error;
        context->use_certificate_chain_file(own.cert_file(), error);
        if (!error) context->use_private_key_file(own.key_file(), asio::ssl::context::pem, error);
        EXPECT_FALSE(error) << error.message();
        return context;
    }
    // A second connection that resumes the session of a first; the first's contexts are used again.
    static bool resumes(const TlsContext& from, const TlsContext& at, const TlsContext& then_at) {
        Pair first(from, at);
        EXPECT_TRUE(first.handshake());
        const Session session = first.session();
        Pair second(from, then_at);
        SSL_set_session(second.client.get(), session.get());
        EXPECT_TRUE(second.handshake());
        return SSL_session_reused(second.client.get()) == 1;
    }
    const test::Identity identity_{"DNS:localhost"};
};

TEST_F(TlsServer, ticket_resumesHereAndNowhereElse) {
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto from = client();
        SSL_CTX_set_max_proto_version(from->native_handle(), version);
        const auto one = server();
        EXPECT_TRUE(resumes(from, one, one)) << version;
        EXPECT_FALSE(resumes(from, one, server())) << version << ": another context, another key";
        EXPECT_EQ(SSL_CTX_sess_number(one->native_handle()), 0) << "nothing is kept for clients";
    }
}

TEST_F(TlsServer, groupsAndCiphers_areTheListedOnes) {
    Pair pair(client(), server());
    ASSERT_TRUE(pair.handshake());
    EXPECT_EQ(SSL_get_negotiated_group(pair.client.get()), NID_X25519);
    EXPECT_EQ(SSL_get_current_compression(pair.client.get()), nullptr);
    const auto odd_group = client();
    SSL_CTX_set1_groups_list(odd_group->native_handle(), "P-521");
    EXPECT_FALSE(Pair(odd_group, server()).handshake());
    const auto no_forward_secrecy = client();
    SSL_CTX_set_max_proto_version(no_forward_secrecy->native_handle(), TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(no_forward_secrecy->native_handle(), "AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256");
    EXPECT_FALSE(Pair(no_forward_secrecy, server()).handshake());
}

// Case 249: a replayed POST would be charged twice.
TEST_F(TlsServer, earlyData_isNeverRead) {
    const auto from = client();
    const auto at = server();
    Pair first(from, at);
    ASSERT_TRUE(first.handshake());
    const Session session = first.session();
    EXPECT_EQ(SSL_SESSION_get_max_early_data(session.get()), 0U) << "it is not offered";
    SSL_SESSION_set_max_early_data(session.get(), 1024); // a client that does not care
    Pair second(from, at);
    SSL_set_session(second.client.get(), session.get());
    std::size_t sent = 0;
    ASSERT_EQ(SSL_write_early_data(second.client.get(), "POST", 4, &sent), 1);
    ASSERT_TRUE(second.handshake());
    EXPECT_EQ(SSL_get_early_data_status(second.client.get()), SSL_EARLY_DATA_REJECTED);
    EXPECT_EQ(second.carried("later"), "later") << "and not POSTlater";
}

TEST_F(TlsServer, renegotiation_isRefused) {
    const auto from = client();
    SSL_CTX_set_max_proto_version(from->native_handle(), TLS1_2_VERSION);
    SSL_CTX_clear_options(from->native_handle(), SSL_OP_NO_RENEGOTIATION);
    Pair pair(from, server());
    ASSERT_TRUE(pair.handshake());
    ASSERT_EQ(SSL_renegotiate(pair.client.get()), 1);
    SSL_do_handshake(pair.client.get());
    (void)pair.carried("x");
    EXPECT_LE(SSL_do_handshake(pair.client.get()), 0);
    EXPECT_EQ(SSL_in_init(pair.server.get()), 0) << "the server never began";
}

TEST_F(TlsServer, clientCertificates_areRequiredWhereAuthoritiesAreNamed) {
    const test::Identity known("DNS:client");
    const test::Identity stranger("DNS:client");
    const auto at = server(known.cert_file());
    EXPECT_FALSE(Pair(client(), at).handshake()) << "none";
    EXPECT_FALSE(Pair(client_with(stranger), at).handshake()) << "of nobody we know";
    EXPECT_TRUE(Pair(client_with(known), at).handshake());
    for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
        const auto from = client_with(known);
        SSL_CTX_set_max_proto_version(from->native_handle(), version);
        EXPECT_TRUE(resumes(from, at, at)) << version;
    }
}

TEST_F(TlsServer, unusableAuthorities_areNamed) {
    for (const std::string& file : {std::string("/nonexistent/ca.pem"), identity_.key_file()}) {
        const auto context = server_context(identity_.cert_file(), identity_.key_file(), file);
        ASSERT_FALSE(context) << file;
        EXPECT_NE(context.error().find("client_ca " + file), std::string::npos) << context.error();
    }
}

TEST_F(TlsServer, certificateEnd_isItsLastSecond) {
    const auto end = certificate_end(server());
    ASSERT_TRUE(end);
    EXPECT_NEAR(static_cast<double>(*end), static_cast<double>(::time(nullptr) + 3600), 600);
    EXPECT_FALSE(certificate_end(client()));
}

// --- case 248, over a real socket: what the peer sends is limited by the transport

// Connects with blocking calls, on a thread of its own.
class BlockingClient {
  public:
    BlockingClient(const TlsContext& context, std::uint16_t port)
        : socket_(::socket(AF_INET, SOCK_STREAM, 0)), ssl_(SSL_new(context->native_handle())) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        const timeval patience{20, 0};
        ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        EXPECT_EQ(::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
        SSL_set_fd(ssl_.get(), socket_);
        EXPECT_EQ(SSL_connect(ssl_.get()), 1);
    }
    ~BlockingClient() { ::close(socket_); }
    BlockingClient(const BlockingClient&) = delete;
    BlockingClient& operator=(const BlockingClient&) = delete;

    void update_keys(int times) {
        for (int i = 0; i < times; ++i) {
            if (SSL_key_update(ssl_.get(), SSL_KEY_UPDATE_NOT_REQUESTED) != 1 || SSL_do_handshake(ssl_.get()) != 1)
                return; // the connection is closed already
        }
    }
    // An octet goes and comes back.
    bool echoes() {
        char octet = 'x';
        return SSL_write(ssl_.get(), &octet, 1) == 1 && SSL_read(ssl_.get(), &octet, 1) == 1;
    }

  private:
    int socket_;
    Connection ssl_;
};

TEST_F(TlsServer, keyUpdates_areFewOrTheConnectionEnds) {
    ::signal(SIGPIPE, SIG_IGN);
    for (const auto& [updates, lives] : {std::pair(32, true), std::pair(33, false), std::pair(20'000, false)}) {
        test::Loop loop;
        test::LoopbackListener listener(loop);
        bool echoed = false;
        std::thread peer([&, times = updates] {
            BlockingClient client(client_context(identity_.cert_file()).value(), listener.port());
            client.update_keys(times);
            echoed = client.echoes();
        });
        const auto serve = [](test::LoopbackListener& at, TlsContext with) -> Task<std::uint64_t> {
            auto channel = co_await at.accept(std::move(with));
            auto count = co_await test::echo(std::move(channel));
            co_return count;
        };
        const std::uint64_t count = test::run_coro(loop.io, serve(listener, server()));
        peer.join();
        EXPECT_EQ(echoed, lives) << updates;
        EXPECT_EQ(count, lives ? 1U : 0U) << updates;
    }
}

} // namespace
} // namespace tollgate::net
