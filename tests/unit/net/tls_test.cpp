#include "gateway/net/tls.hpp"

#include "tests/unit/net/identities.hpp"

#include <boost/asio/ssl/context.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <string>

namespace tollgate::net {
namespace {

using testing::HasSubstr;

TEST(TlsSelfTest, verification_isProven) {
    const auto result = verify_self_test();
    EXPECT_TRUE(result) << result.error();
}

TEST(TlsClientContext, alwaysVerifies) {
    const auto context = client_context("");
    ASSERT_TRUE(context) << context.error();
    SSL_CTX* const native = (*context)->native_handle();
    EXPECT_EQ(SSL_CTX_get_verify_mode(native) & SSL_VERIFY_PEER, SSL_VERIFY_PEER);
    EXPECT_EQ(SSL_CTX_get_min_proto_version(native), TLS1_2_VERSION);
}

TEST(TlsClientContext, unreadableTrustFile_isNamed) {
    const test::Identity identity("DNS:localhost");
    const auto missing = client_context("/nonexistent/ca.pem");
    ASSERT_FALSE(missing);
    EXPECT_THAT(missing.error(), HasSubstr("/nonexistent/ca.pem"));
    const auto no_certificate = client_context(identity.key_file());
    ASSERT_FALSE(no_certificate);
    EXPECT_THAT(no_certificate.error(), HasSubstr(identity.key_file()));
}

TEST(TlsServerContext, unusableFiles_areNamed) {
    const test::Identity one("DNS:localhost");
    const test::Identity other("DNS:localhost");
    EXPECT_TRUE(server_context(one.cert_file(), one.key_file()));
    const auto no_cert = server_context("/nonexistent/cert.pem", one.key_file());
    ASSERT_FALSE(no_cert);
    EXPECT_THAT(no_cert.error(), HasSubstr("/nonexistent/cert.pem"));
    const auto no_key = server_context(one.cert_file(), "/nonexistent/key.pem");
    ASSERT_FALSE(no_key);
    EXPECT_THAT(no_key.error(), HasSubstr("/nonexistent/key.pem"));
    const auto foreign_key = server_context(one.cert_file(), other.key_file());
    ASSERT_FALSE(foreign_key);
    EXPECT_THAT(foreign_key.error(), HasSubstr(other.key_file()));
}

TEST(TlsServerContext, isHardened) {
    const test::Identity identity("DNS:localhost");
    const auto context = server_context(identity.cert_file(), identity.key_file());
    ASSERT_TRUE(context) << context.error();
    SSL_CTX* const native = (*context)->native_handle();
    EXPECT_EQ(SSL_CTX_get_min_proto_version(native), TLS1_2_VERSION);
    EXPECT_NE(SSL_CTX_get_options(native) & SSL_OP_NO_RENEGOTIATION, 0U);
    EXPECT_NE(SSL_CTX_get_options(native) & SSL_OP_NO_COMPRESSION, 0U);
    EXPECT_EQ(SSL_CTX_get_max_early_data(native), 0U);
}

} // namespace
} // namespace tollgate::net
