// Upstream answers of reliability §2.5 on a pooled connection whose far end the test plays.
#include "gateway/upstream/attempt.hpp"

#include "tests/support/fake_transport.hpp"
#include "tests/support/run_coro.hpp"

#include <boost/asio/error.hpp>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace tollgate::upstream {
namespace {

using namespace std::chrono_literals;
using test::settle;
using test::start_coro;

constexpr std::string_view kHead = "POST /v1/chat/completions HTTP/1.1\r\nHost: p\r\nContent-Length: 2\r\n\r\n";

class AttemptTest : public testing::Test {
  protected:
    AttemptTest() {
        provider_.name = "p";
        provider_.pool_key = "p";
        payload_.pieces.add("{}");
        limits_.total_deadline = Clock::now() + 1h;
        auto channel = std::make_shared<net::Channel>(test::make_fake_transport(peer_), blocks_, deadlines_);
        pool_.put(provider_.pool_key, std::move(channel));
        settle(io_);
    }
    ~AttemptTest() override {
        attempt_.reset();
        pool_.close_all();
        settle(io_);
    }
    // The call with the provider answering `octets`; FIN behind them if `end`.
    bool answered(const std::string& octets, bool end = false, bool to_head = false) {
        auto running = start_coro(io_, attempt_->run(kHead, payload_, to_head, limits_));
        settle(io_);
        EXPECT_EQ(peer_->received, std::string(kHead) + "{}");
        if (!octets.empty()) peer_->send(octets);
        if (end) peer_->end();
        return running.get();
    }
    std::string read_body() {
        const auto all = [](http::BodyReader& body) -> Task<std::string> {
            std::string out;
            while (!body.complete() && !body.failed()) out += co_await body.next();
            co_return out;
        };
        return test::run_coro(io_, all(attempt_->body()));
    }
    std::size_t idle_after_finish(bool end_expected = false) {
        attempt_->finish(end_expected);
        settle(io_);
        return pool_.idle(provider_.pool_key);
    }

    asio::io_context io_{1};
    net::BlockPool blocks_;
    DeadlineList deadlines_;
    net::Resolver resolver_;
    net::Permits permits_{1000};
    Pool pool_{permits_};
    std::shared_ptr<test::FakePeer> peer_ = std::make_shared<test::FakePeer>(io_);
    Provider provider_;
    Payload payload_;
    Limits limits_;
    std::optional<Attempt> attempt_{std::in_place, Surroundings{io_, blocks_, deadlines_, resolver_, pool_}, provider_};
};

TEST_F(AttemptTest, goodAnswer_isReadAndTheConnectionKept) {
    ASSERT_TRUE(answered("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"));
    EXPECT_TRUE(attempt_->reused() && attempt_->sent_anything() && attempt_->answered_anything());
    EXPECT_EQ(attempt_->head().status, 200);
    EXPECT_EQ(read_body(), "hello");
    EXPECT_EQ(idle_after_finish(), 1U);
    EXPECT_FALSE(peer_->closed);
}

TEST_F(AttemptTest, secondAnswerBehindTheFirst_costsTheConnection_case286) {
    ASSERT_TRUE(
        answered("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"));
    EXPECT_EQ(read_body(), "hi");
    EXPECT_EQ(idle_after_finish(), 0U);
    EXPECT_TRUE(peer_->closed);
}

TEST_F(AttemptTest, bodyWhereNoneMayBe_costsTheConnection_case288) {
    ASSERT_TRUE(answered("HTTP/1.1 204 No Content\r\nContent-Length: 4\r\n\r\nevil"));
    EXPECT_EQ(read_body(), "");
    EXPECT_EQ(idle_after_finish(), 0U);
}

TEST_F(AttemptTest, interimAnswers_areSkipped_case289) {
    ASSERT_TRUE(answered("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 "
                         "Created\r\nContent-Length: 0\r\n\r\n"));
    EXPECT_EQ(attempt_->head().status, 201);
}

TEST_F(AttemptTest, eightInterimAnswers_arePatienceEnough_case290) {
    std::string interim;
    for (int i = 0; i < 8; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    EXPECT_TRUE(answered(interim + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
}

TEST_F(AttemptTest, nineInterimAnswers_areTooMany_case290) {
    std::string interim;
    for (int i = 0; i < 9; ++i) interim += "HTTP/1.1 100 Continue\r\n\r\n";
    EXPECT_FALSE(answered(interim + "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    EXPECT_EQ(attempt_->error().status, 502);
    EXPECT_EQ(attempt_->error().type, ErrorType::provider_bad_response);
}

class UntrustedHeadTest : public AttemptTest, public testing::WithParamInterface<std::string> {};

TEST_P(UntrustedHeadTest, isABadAnswer) {
    EXPECT_FALSE(answered(GetParam()));
    EXPECT_EQ(attempt_->error().type, ErrorType::provider_bad_response);
    EXPECT_EQ(attempt_->error().status, 502);
    EXPECT_EQ(idle_after_finish(), 0U);
    EXPECT_TRUE(peer_->closed);
}

INSTANTIATE_TEST_SUITE_P(Section25, UntrustedHeadTest,
                         testing::Values("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
                                         "HTTP/1.1 099 X\r\n\r\n", "HTTP/1.1 999 X\r\n\r\n",
                                         "HTTP/1.1 200 OK\nX: y\n\n", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
                                         "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
                                         "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nx",
                                         "HTTP/1.1 100 Continue\r\nContent-Length: 3\r\n\r\nabc",
                                         "\x15\x03\x03\x02\x02\x28"));

TEST_F(AttemptTest, nineKibibyteHeaderLine_isTolerated_case297) {
    EXPECT_TRUE(answered("HTTP/1.1 200 OK\r\nX: " + std::string(9 * 1024, 'x') + "\r\nContent-Length: 0\r\n\r\n"));
}

TEST_F(AttemptTest, seventyKibibyteHeaderLine_isABadAnswer_case299) {
    EXPECT_FALSE(answered("HTTP/1.1 200 OK\r\nX: " + std::string(70 * 1024, 'x') + "\r\nContent-Length: 0\r\n\r\n"));
    EXPECT_EQ(attempt_->error().type, ErrorType::provider_bad_response);
}

TEST_F(AttemptTest, http10KeepAlive_isKept_case302) {
    ASSERT_TRUE(answered("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi"));
    EXPECT_EQ(read_body(), "hi");
    EXPECT_EQ(idle_after_finish(), 1U);
}

TEST_F(AttemptTest, connectionClose_isNotKept) {
    ASSERT_TRUE(answered("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi"));
    EXPECT_EQ(read_body(), "hi");
    EXPECT_EQ(idle_after_finish(), 0U);
    EXPECT_TRUE(peer_->closed);
}

// F3: a reused connection that ended without a single octet may be tried again; one that answered anything may not.
TEST_F(AttemptTest, emptyReply_saysThatNothingWasAnswered_case303) {
    EXPECT_FALSE(answered("", true));
    EXPECT_EQ(attempt_->error().type, ErrorType::provider_connection_failed);
    EXPECT_TRUE(attempt_->reused() && attempt_->sent_anything());
    EXPECT_FALSE(attempt_->answered_anything() || attempt_->channel_expired());
}

TEST_F(AttemptTest, headThatBreaksOff_saysThatSomethingWasAnswered) {
    EXPECT_FALSE(answered("HTTP/1.1 20", true));
    EXPECT_EQ(attempt_->error().type, ErrorType::provider_connection_failed);
    EXPECT_TRUE(attempt_->answered_anything());
}

TEST_F(AttemptTest, bodyThatBreaksOff_isNeverComplete_cases283and284) {
    ASSERT_TRUE(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", true));
    EXPECT_EQ(read_body(), "hi");
    EXPECT_TRUE(attempt_->body().failed() && !attempt_->body().complete());
    EXPECT_EQ(attempt_->broken_body_error().type, ErrorType::provider_stream_broken);
    EXPECT_EQ(idle_after_finish(true), 0U);
}

TEST_F(AttemptTest, silentProvider_isATimeoutThatNamesItsClock) {
    limits_.timeouts.first_token = 1000ms;
    auto running = start_coro(io_, attempt_->run(kHead, payload_, false, limits_));
    settle(io_);
    ASSERT_FALSE(running.done());
    deadlines_.tick(Clock::now() + 2s);
    EXPECT_FALSE(running.get());
    EXPECT_EQ(attempt_->error().type, ErrorType::provider_timeout);
    EXPECT_EQ(attempt_->error().status, 504);
    EXPECT_NE(attempt_->error().message.find("first_token"), std::string::npos) << attempt_->error().message;
    EXPECT_TRUE(attempt_->channel_expired());
}

TEST_F(AttemptTest, abort_endsTheWaitAtOnce) {
    auto running = start_coro(io_, attempt_->run(kHead, payload_, false, limits_));
    settle(io_);
    attempt_->abort();
    EXPECT_FALSE(running.get());
    EXPECT_TRUE(peer_->closed && attempt_->aborted());
    EXPECT_EQ(attempt_->error().type, ErrorType::caller_cancelled);
}

// The stream said that it ended; its last chunk comes later, off the request's path.
TEST_F(AttemptTest, lastChunkAfterFinish_stillSavesTheConnection) {
    ASSERT_TRUE(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"));
    EXPECT_EQ(idle_after_finish(true), 0U);
    EXPECT_FALSE(peer_->closed);
    peer_->send("0\r\n\r\n");
    settle(io_);
    EXPECT_EQ(pool_.idle(provider_.pool_key), 1U);
}

TEST_F(AttemptTest, lastChunkThatNeverComes_costsTheConnection) {
    ASSERT_TRUE(answered("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n"));
    EXPECT_EQ(idle_after_finish(true), 0U);
    deadlines_.tick(deadlines_.now() + 3s);
    settle(io_);
    EXPECT_EQ(pool_.idle(provider_.pool_key), 0U);
    EXPECT_TRUE(peer_->closed);
}

} // namespace
} // namespace tollgate::upstream
