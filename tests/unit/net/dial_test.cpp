#include "gateway/net/dial.hpp"

#include "gateway/net/tls.hpp"
#include "tests/support/run_coro.hpp"
#include "tests/unit/net/identities.hpp"
#include "tests/unit/net/loopback.hpp"

#include <boost/asio/ssl/context.hpp>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <chrono>
#include <future>
#include <ostream>
#include <string>
#include <vector>

namespace tollgate::net {

void PrintTo(DialFailure failure, std::ostream* out) {
    *out << to_string(failure);
}

namespace {

using namespace std::chrono_literals;
using test::run_coro;
using test::settle;
using test::start_coro;

class DialTest : public testing::Test {
  protected:
    Target target(std::uint16_t port, std::string host = "127.0.0.1") const {
        return Target{std::move(host), port, {.private_ranges = true}, nullptr};
    }
    DialFailure failure_of(const Target& to) {
        Dial dial(loop_.io, loop_.blocks, loop_.deadlines, loop_.resolver);
        const ChannelPtr channel = run_coro(loop_.io, dial.run(to, Clock::now() + 10s));
        EXPECT_EQ(channel == nullptr, dial.failure() != DialFailure::none);
        return dial.failure();
    }
    // Starts a dial, lets it get stuck, does what `then` says, and returns how it ended.
    template <class Then>
    DialFailure stuck(const Target& to, Then then) {
        Dial dial(loop_.io, loop_.blocks, loop_.deadlines, loop_.resolver);
        const TimePoint deadline = Clock::now() + 1h;
        auto running = start_coro(loop_.io, dial.run(to, deadline));
        settle(loop_.io);
        EXPECT_FALSE(running.done());
        then(dial, deadline);
        EXPECT_EQ(running.get(), nullptr);
        return dial.failure();
    }

    test::Loop loop_;
};

TEST_F(DialTest, listener_isConnected) {
    test::LoopbackListener listener(loop_);
    auto accepted = start_coro(loop_.io, listener.accept());
    Dial dial(loop_.io, loop_.blocks, loop_.deadlines, loop_.resolver);
    const Target to = target(listener.port());
    const ChannelPtr client = run_coro(loop_.io, dial.run(to, Clock::now() + 10s));
    ASSERT_NE(client, nullptr) << to_string(dial.failure());
    EXPECT_EQ(client->expires(), kNever) << "the connect deadline is over";
    EXPECT_GE(dial.times().tcp, Duration::zero());
    EXPECT_EQ(dial.times().tls, Duration::zero());
    const ChannelPtr server = accepted.get();
    Gather pieces;
    pieces.add("hello");
    EXPECT_TRUE(run_coro(loop_.io, client->write(pieces)));
    EXPECT_EQ(run_coro(loop_.io, test::read_exactly(server, 5)), "hello");
}

TEST_F(DialTest, name_isResolvedAndEveryAddressTried) {
    test::LoopbackListener listener(loop_); // on 127.0.0.1 only; localhost may be ::1 first
    auto accepted = start_coro(loop_.io, listener.accept());
    EXPECT_EQ(failure_of(target(listener.port(), "localhost")), DialFailure::none);
    EXPECT_NE(accepted.get(), nullptr);
}

TEST_F(DialTest, privateAddress_needsPermission) {
    test::LoopbackListener listener(loop_);
    // R15: what a text filter lets through is still judged by the address it becomes.
    for (const std::string host : {"127.0.0.1", "::1", "::ffff:127.0.0.1", "localhost", "127.1", "0x7f.1", "2130706433",
                                   "0.0.0.0", "10.0.0.1"}) {
        Target to = target(listener.port(), host);
        to.permission.private_ranges = false;
        EXPECT_EQ(failure_of(to), DialFailure::refused_address) << host;
    }
}

TEST_F(DialTest, metadataAddress_isRefusedEvenIfPrivateIsAllowed) {
    for (const std::string host :
         {"169.254.169.254", "0xa9fea9fe", "::ffff:169.254.169.254", "64:ff9b::169.254.169.254"})
        EXPECT_EQ(failure_of(target(80, host)), DialFailure::refused_address) << host;
}

TEST_F(DialTest, metadataName_isRefusedUnseen) {
    for (const std::string host : {"metadata.google.internal", "METADATA.google.internal.", "metadata"})
        EXPECT_EQ(failure_of(target(80, host)), DialFailure::refused_address) << host;
}

TEST_F(DialTest, ownListener_isRefusedAndNotConnected) {
    test::LoopbackListener listener(loop_);
    auto accepted = start_coro(loop_.io, listener.accept());
    for (const std::string bound : {"127.0.0.1", "0.0.0.0"}) {
        for (const std::string host : {"127.0.0.1", "0.0.0.0", "localhost", "::ffff:127.0.0.1", "127.1"}) {
            Target to = target(listener.port(), host);
            to.permission.own =
                std::make_shared<const OwnListeners>(OwnListeners{{asio::ip::make_address(bound), listener.port()}});
            const DialFailure failure = failure_of(to);
            // localhost may also be ::1, where nobody listens.
            EXPECT_TRUE(failure == DialFailure::refused_address ||
                        (host == "localhost" && failure == DialFailure::connect))
                << bound << " " << host;
        }
    }
    settle(loop_.io);
    EXPECT_FALSE(accepted.done());
    EXPECT_EQ(failure_of(target(listener.port())), DialFailure::none);
    EXPECT_NE(accepted.get(), nullptr);
}

TEST_F(DialTest, cidr_isTheOnlyPlaceToGo) {
    test::LoopbackListener listener(loop_);
    Target to = target(listener.port());
    to.permission.cidr = {config::parse_range("127.0.0.2/32").value()};
    EXPECT_EQ(failure_of(to), DialFailure::refused_address);
    to.permission.cidr.push_back(config::parse_range("127.0.0.1/32").value());
    auto accepted = start_coro(loop_.io, listener.accept());
    EXPECT_EQ(failure_of(to), DialFailure::none);
    EXPECT_NE(accepted.get(), nullptr);
}

// F7, T25: every connect is checked, whatever the name was before.
TEST_F(DialTest, nameThatTurnsToAnotherAddress_isCheckedAgain) {
    test::LoopbackListener listener(loop_);
    std::atomic<int> asked = 0;
    std::vector<std::string> answers{"127.0.0.1", "127.0.0.2", "169.254.169.254", "127.0.0.1"};
    std::atomic<Clock::rep> now{Clock::now().time_since_epoch().count()};
    Resolver flipping(
        [&](const std::string&) {
            return Addresses{asio::ip::make_address(answers[static_cast<std::size_t>(asked++)])};
        },
        [&] { return TimePoint(Duration(now.load())); });
    Target to = target(listener.port(), "rebinding.example");
    to.permission.cidr = {config::parse_range("127.0.0.1/32").value()};
    const auto next = [&] {
        now += Duration(1h).count(); // so old that the name is asked for again
        Dial dial(loop_.io, loop_.blocks, loop_.deadlines, flipping);
        (void)run_coro(loop_.io, dial.run(to, Clock::now() + 10s));
        return dial.failure();
    };
    auto first = start_coro(loop_.io, listener.accept());
    EXPECT_EQ(next(), DialFailure::none);
    EXPECT_NE(first.get(), nullptr);
    auto second = start_coro(loop_.io, listener.accept());
    EXPECT_EQ(next(), DialFailure::refused_address);
    EXPECT_EQ(next(), DialFailure::refused_address);
    settle(loop_.io);
    EXPECT_FALSE(second.done()) << "nobody was connected to";
    EXPECT_EQ(next(), DialFailure::none);
    EXPECT_NE(second.get(), nullptr);
    EXPECT_EQ(asked, 4);
}

TEST_F(DialTest, forbiddenAmongAllowed_isSkipped) {
    test::LoopbackListener listener(loop_);
    Resolver mixed([](const std::string&) {
        return Addresses{asio::ip::make_address("169.254.169.254"), asio::ip::make_address("127.0.0.1")};
    });
    auto accepted = start_coro(loop_.io, listener.accept());
    Dial dial(loop_.io, loop_.blocks, loop_.deadlines, mixed);
    const Target to = target(listener.port(), "mixed.example");
    EXPECT_NE(run_coro(loop_.io, dial.run(to, Clock::now() + 10s)), nullptr) << dial.detail();
    EXPECT_NE(accepted.get(), nullptr);
}

TEST_F(DialTest, closedPort_isConnect) {
    const test::SilentPort silent;
    EXPECT_EQ(failure_of(target(silent.port())), DialFailure::connect);
}

TEST_F(DialTest, nameThatCannotExist_isResolve) {
    EXPECT_EQ(failure_of(target(80, std::string(64, 'a') + ".invalid")), DialFailure::resolve);
}

TEST_F(DialTest, connectDeadline_endsTheDial) {
    const test::FullListener full;
    EXPECT_EQ(stuck(target(full.port()), [this](Dial&, TimePoint deadline) { loop_.deadlines.tick(deadline); }),
              DialFailure::timeout);
}

TEST_F(DialTest, abortWhileConnecting_endsTheDial) {
    const test::FullListener full;
    EXPECT_EQ(stuck(target(full.port()), [](Dial& dial, TimePoint) { dial.abort(); }), DialFailure::aborted);
}

// H3: a client that leaves, or a process that stops, does not wait for a silent name server.
TEST_F(DialTest, abortWhileTheNameIsLookedUp_endsTheDial) {
    std::promise<void> release;
    Resolver silent([held = release.get_future().share()](const std::string&) {
        held.wait();
        return Addresses{};
    });
    Dial dial(loop_.io, loop_.blocks, loop_.deadlines, silent);
    const Target to = target(80, "silent.example");
    auto running = start_coro(loop_.io, dial.run(to, Clock::now() + 1h));
    settle(loop_.io);
    EXPECT_FALSE(running.done());
    dial.abort();
    settle(loop_.io);
    EXPECT_TRUE(running.done());
    EXPECT_EQ(dial.failure(), DialFailure::aborted);
    release.set_value();
}

TEST_F(DialTest, abort_isNotTurnedIntoATimeout) {
    const test::FullListener full;
    const auto both = [this](Dial& dial, TimePoint deadline) {
        dial.abort();
        loop_.deadlines.tick(deadline);
    };
    EXPECT_EQ(stuck(target(full.port()), both), DialFailure::aborted);
}

// --- TLS
// --------------------------------------------------------------------------------------------------------------

class DialTlsTest : public DialTest {
  protected:
    // Dials `host` with the given trust against a server with `identity`.
    DialFailure dial_tls(const test::Identity& identity, const std::string& ca_file, const std::string& host) {
        const auto client = client_context(ca_file);
        if (!client) throw std::runtime_error(client.error());
        return dial_with(identity, *client, host);
    }
    DialFailure dial_with(const test::Identity& identity, const TlsContext& client, const std::string& host) {
        const auto server = server_context(identity.cert_file(), identity.key_file());
        if (!server) throw std::runtime_error(server.error());
        test::LoopbackListener listener(loop_);
        auto accepted = start_coro(loop_.io, listener.accept(*server));
        Target to = target(listener.port(), host);
        to.tls = client;
        const DialFailure failure = failure_of(to);
        (void)accepted.get(); // the server's side ends too, one way or the other
        return failure;
    }
    const test::Identity localhost_{"DNS:localhost"};
};

TEST_F(DialTlsTest, trustedCertificate_isAccepted) {
    EXPECT_EQ(dial_tls(localhost_, localhost_.cert_file(), "localhost"), DialFailure::none);
}

TEST_F(DialTlsTest, certificateNobodyVouchesFor_isRefused) {
    EXPECT_EQ(dial_tls(localhost_, "", "localhost"), DialFailure::tls);
    const test::Identity stranger("DNS:localhost");
    EXPECT_EQ(dial_tls(localhost_, stranger.cert_file(), "localhost"), DialFailure::tls);
}

TEST_F(DialTlsTest, certificateForAnotherName_isRefused) {
    const test::Identity other("DNS:other.example");
    EXPECT_EQ(dial_tls(other, other.cert_file(), "localhost"), DialFailure::tls);
    EXPECT_EQ(dial_tls(localhost_, localhost_.cert_file(), "127.0.0.1"), DialFailure::tls);
}

TEST_F(DialTlsTest, addressInTheCertificate_isAccepted) {
    const test::Identity address("IP:127.0.0.1");
    EXPECT_EQ(dial_tls(address, address.cert_file(), "127.0.0.1"), DialFailure::none);
}

TEST_F(DialTlsTest, oldProtocolAndForeignAlpn_areRefusedByTheServer) {
    const auto old = client_context(localhost_.cert_file());
    ASSERT_TRUE(old) << old.error();
    SSL_CTX_set_min_proto_version((*old)->native_handle(), TLS1_1_VERSION);
    SSL_CTX_set_max_proto_version((*old)->native_handle(), TLS1_1_VERSION);
    EXPECT_EQ(dial_with(localhost_, *old, "localhost"), DialFailure::tls);

    const auto h2 = client_context(localhost_.cert_file());
    ASSERT_TRUE(h2) << h2.error();
    static constexpr unsigned char kH2[] = {2, 'h', '2'};
    SSL_CTX_set_alpn_protos((*h2)->native_handle(), kH2, sizeof kH2);
    EXPECT_EQ(dial_with(localhost_, *h2, "localhost"), DialFailure::tls);
}

// Connected, but the server never speaks: the handshake is inside the same deadline, and can be aborted.
TEST_F(DialTlsTest, silentServer_endsByDeadlineOrAbort) {
    test::LoopbackListener listener(loop_);
    Target to = target(listener.port());
    to.tls = client_context("").value();
    const auto handshaking = [&](auto end) {
        Dial dial(loop_.io, loop_.blocks, loop_.deadlines, loop_.resolver);
        const TimePoint deadline = Clock::now() + 1h;
        auto running = start_coro(loop_.io, dial.run(to, deadline));
        const ChannelPtr server = run_coro(loop_.io, listener.accept());
        EXPECT_EQ(run_coro(loop_.io, test::read_exactly(server, 1)), "\x16") << "a ClientHello arrived";
        end(dial, deadline);
        EXPECT_EQ(running.get(), nullptr);
        return dial.failure();
    };
    EXPECT_EQ(handshaking([this](Dial&, TimePoint deadline) { loop_.deadlines.tick(deadline); }), DialFailure::timeout);
    EXPECT_EQ(handshaking([](Dial& dial, TimePoint) { dial.abort(); }), DialFailure::aborted);
}

TEST_F(DialTlsTest, clearTextServer_isTls) {
    test::LoopbackListener listener(loop_);
    Target to = target(listener.port());
    to.tls = client_context("").value();
    const auto answer_in_clear = [](test::LoopbackListener& at) -> Task<bool> {
        const ChannelPtr channel = co_await at.accept();
        Gather pieces;
        pieces.add("HTTP/1.1 400 Bad Request\r\n\r\n");
        co_return co_await channel->write(pieces);
    };
    auto serving = start_coro(loop_.io, answer_in_clear(listener));
    EXPECT_EQ(failure_of(to), DialFailure::tls);
    EXPECT_TRUE(serving.get());
}

TEST(DialFailure, everyKind_hasAWord) {
    for (const auto [failure, word] :
         {std::pair(DialFailure::none, "none"), std::pair(DialFailure::resolve, "resolve"),
          std::pair(DialFailure::refused_address, "refused_address"), std::pair(DialFailure::connect, "connect"),
          std::pair(DialFailure::tls, "tls"), std::pair(DialFailure::timeout, "timeout"),
          std::pair(DialFailure::aborted, "aborted"), std::pair(DialFailure::descriptors, "descriptors")})
        EXPECT_EQ(to_string(failure), word);
}

} // namespace
} // namespace tollgate::net
