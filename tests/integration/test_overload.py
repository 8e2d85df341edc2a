"""What one source may take, and what the gateway does when there is too much: reliability R38, F61-F64, §2.2."""

import select
import unittest

import common
from common import CHAT, GET_MODELS, KEY, NARROW_KEY, GatewayTest, bearer, chat, poll, support
from hostile import SLACK

OTHER_ADDRESS = "127.0.0.2"


class Sources(GatewayTest):
    values = {"LIMITS": "failed_keys: 5", "HALF_CLOSE": "gone, connections_per_address: 20"}

    def from_address(self, source):
        connection = support.Connection("127.0.0.1", self.gateway.api_port, source=source)
        self.addCleanup(connection.close)
        return connection

    def models(self, key, source):
        connection = self.from_address(source)
        connection.request("GET", "/v1/models", bearer(key))
        return connection.read_response()

    def test_case_245_one_address_holds_its_share_of_the_connections(self):
        held = [self.from_address("127.0.0.3") for _ in range(20)]
        for connection in held:
            connection.send(GET_MODELS)
            self.assertEqual(connection.read_response().status, 200)
        refused = self.from_address("127.0.0.3")
        self.assertIn(refused.wait_closed(), ("fin", "rst"))
        self.assertEqual(self.models(KEY, "127.0.0.4").status, 200, "others are not meant")
        held.pop().close()
        poll(lambda: self.allowed("127.0.0.3"), "room again after one has left")
        self.assertGreaterEqual(
            self.gateway.metrics().value("tollgate_listener_accepts_total", listener="api", result="refused_address"), 1)

    def allowed(self, source):
        connection = self.from_address(source)
        try:
            connection.send(GET_MODELS)
            return connection.read_response().status == 200
        except (OSError, support.PeerClosed):
            return False

    def test_case_260_guesses_from_one_address_are_slowed(self):
        source = "127.0.0.5"
        self.assertEqual(self.models(NARROW_KEY, source).status, 200)
        for number in range(5):
            self.assert_error(self.models(f"guess-{number}-aaaaaaaaaaaaaaa", source), 401, word="caller_unauthenticated")
        guessed = self.models("guess-6-aaaaaaaaaaaaaaa", source)
        self.assert_error(guessed, 429, code="too_many_invalid_keys", word="policy_rate_limited")
        self.assertLessEqual(int(guessed.header("retry-after")), 13)
        self.assertEqual(guessed.header("connection"), "close")
        right = self.models(KEY, source)
        self.assertEqual((right.status, self.anonymous(right)), (429, self.anonymous(guessed)),
                         "a right key that is new here must not look different")
        self.assertEqual(self.models(NARROW_KEY, source).status, 200, "a key that was in use here goes on")
        self.assertEqual(self.models(KEY, OTHER_ADDRESS).status, 200)
        metrics = self.gateway.metrics()
        self.assertEqual(metrics.value("tollgate_limit_rejections_total", scope="address", limit="failed_keys",
                                       mode="enforced"), 2)

    def test_probes_without_a_key_are_no_guesses(self):
        source = "127.0.0.11"
        for _ in range(12):
            connection = self.from_address(source)
            connection.send(common.message("GET", "/v1/models"))
            self.assertEqual(connection.read_response().status, 401)
        self.assertEqual(self.models(KEY, source).status, 200)

    def anonymous(self, response):
        error = response.json()["error"]
        error["tollgate"].pop("request_id")
        return error

    def test_passed_connection_is_not_asked_again(self):
        source = "127.0.0.6"
        connection = self.from_address(source)
        for _ in range(3):
            connection.send(GET_MODELS)
            self.assertEqual(connection.read_response().status, 200)
        for number in range(6):
            self.models(f"guess-{number}-bbbbbbbbbbbbbbb", source)
        connection.send(GET_MODELS)
        self.assertEqual(connection.read_response().status, 200)


class TrustedProxy(GatewayTest):
    values = {"LIMITS": "failed_keys: 3", "HALF_CLOSE": "gone, trusted_proxies: [ 127.0.0.8 ]"}

    def models(self, key, forwarded, source="127.0.0.8"):
        with support.Connection("127.0.0.1", self.gateway.api_port, source=source) as connection:
            connection.request("GET", "/v1/models", {**bearer(key), "x-forwarded-for": forwarded})
            return connection.read_response().status

    def test_clients_behind_a_proxy_are_told_apart(self):
        for _ in range(3):
            self.assertEqual(self.models("wrong-key-aaaaaaaaaaaaaaaa", "203.0.113.1"), 401)
        self.assertEqual(self.models("wrong-key-aaaaaaaaaaaaaaaa", "203.0.113.1"), 429)
        self.assertEqual(self.models(KEY, "203.0.113.2"), 200)

    def test_case_254_nobody_else_chooses_an_address(self):
        for number in range(3):
            self.assertEqual(self.models("wrong-key-aaaaaaaaaaaaaaaa", f"203.0.113.{number}", "127.0.0.9"), 401)
        self.assertEqual(self.models("wrong-key-aaaaaaaaaaaaaaaa", "203.0.113.9", "127.0.0.9"), 429)

    def test_log_names_the_client_behind_the_proxy(self):
        self.assertEqual(self.models(KEY, "198.51.100.77"), 200)
        self.assertEqual(self.models(KEY, "198.51.100.78", "127.0.0.10"), 200)
        poll(lambda: '"client.address":"198.51.100.77"' in self.gateway.log, "a line with the forwarded address")
        poll(lambda: '"client.address":"127.0.0.10"' in self.gateway.log, "a line with the peer's address")
        self.assertNotIn("198.51.100.78", self.gateway.log)


class MemoryPressure(GatewayTest):
    """F63: the last step of the ladder. 16 MiB is less than the process has, so it begins at once."""

    def test_requests_are_shed_and_the_metrics_still_answer(self):
        pressed = common.CONFIG + "overload: { memory: 16MiB, loop_lag: 1m }\n"
        self.assertEqual(self.ask().status, 200)
        self.gateway.write_config(pressed)
        self.gateway.reload()
        poll(lambda: self.step("shed"), "the shedding step")
        self.mock.reset()
        for path, body in ((CHAT, chat()), (CHAT, chat(stream=True)), ("/v1/embeddings", {"model": "x", "input": "y"})):
            response = self.post(path, body)
            self.assert_error(response, 503, word="gateway_overloaded", type="server_error")
            self.assertIn(int(response.header("retry-after")), range(1, 6))
            self.assertEqual(response.header("connection"), "close")
        self.assertEqual(self.mock.stats()["completed"], 0)
        self.assertEqual(support.call("GET", f"{self.gateway.metrics_url}/readyz").status, 200)
        self.calm_down()

    def test_full_cache_gives_way_and_the_gateway_recovers(self):
        """Requests that are shed evict nothing, so the ladder itself has to take from the cache."""
        used = (self.gateway.resident_octets() + self.gateway.mapped_octets()) >> 20
        base = common.CONFIG + f"overload: {{ memory: {used + 72}MiB, loop_lag: 1m }}\n"
        self.gateway.write_config(base + "cache: { enabled: true, memory: 256MiB }\n")
        self.gateway.reload()
        poll(lambda: self.ask("mock-tokens-110000", content="number 0").header("cache-status"), "the cache is on")
        for number in range(140):
            self.ask("mock-tokens-110000", content=f"number {number}")
        poll(lambda: all(self.ask("mock-plain", content=f"after {n}").status == 200 for n in range(20)), "recovery", 20)
        self.assertIn("memory pressure changed", self.gateway.log)
        poll(lambda: self.gateway.metrics().value("tollgate_cache_size_bytes", tier="memory") < 90 << 20, "room")
        self.calm_down()

    def test_what_is_held_of_answers_counts_against_body_held(self):
        config = common.CONFIG.replace("held: 256MiB", "held: 1MiB")
        big = 'models:\n  big: { upstreams: [ { provider: mock, model: "mock-tokens-500000", via: chat } ] }\n'
        self.gateway.write_config(config.replace("models:\n", big))
        self.gateway.reload()
        response = poll(lambda: self.tell_held(), "the new configuration")
        self.assert_error(response, 503, word="gateway_overloaded", text="holds as many")
        self.calm_down()

    def tell_held(self):
        response = self.post("/v1/completions", {"model": "big", "prompt": "x", "max_tokens": 1000000})
        return response if response.status != 404 else None

    def calm_down(self):
        """The next test starts from here."""
        self.gateway.write_config(common.CONFIG)
        self.gateway.reload()
        poll(lambda: self.post("/v1/completions", {"model": "big", "prompt": "x"}).status == 404, "the usual models")
        poll(lambda: self.step("none") and self.ask().status == 200, "calm")

    def step(self, state):
        return self.gateway.metrics().value("tollgate_overload_state", state=state) == 1


class ConnectionPressure(GatewayTest):
    values = {"HALF_CLOSE": "gone, max_connections: 20, connections_per_address: 20"}

    def test_idle_connections_make_room_from_nine_tenths_on(self):
        streams = [self.stream("mock-tokens-2000:pace-5")[0] for _ in range(2)]
        idle = [self.connect() for _ in range(16)]
        for connection in idle:
            connection.send(GET_MODELS)
            self.assertEqual(connection.read_response().status, 200)
        sockets = [connection.socket for connection in idle]
        poll(lambda: select.select(sockets, [], [], 0)[0], "idle ones end, at least those of the worker that ticks first")
        self.assertEqual(self.ask().status, 200, "who comes now is served")
        self.assertEqual(len(streams), self.gateway.metrics().value("tollgate_streams_open"), "what runs goes on")


class SilentConnections(GatewayTest):
    values = {"HALF_CLOSE": "gone, max_connections: 20, connections_per_address: 20"}

    def test_who_says_nothing_makes_room_first(self):
        paying = self.connect()
        paying.send(GET_MODELS)
        self.assertEqual(paying.read_response().status, 200)
        silent = [self.connect() for _ in range(17)]
        for connection in silent[:8]:
            connection.send(b"GET /v1/mod")  # a head that goes nowhere counts as silence
        sockets = [connection.socket for connection in silent]
        poll(lambda: select.select(sockets, [], [], 0)[0], "silent ones end, at least those of the worker that ticks first")
        paying.send(GET_MODELS)
        self.assertEqual(paying.read_response().status, 200)


class Clocks(GatewayTest):
    """§2.2 with short times: every limit of a connection comes from the configuration."""

    values = {
        "LIMITS": "head_time: 600ms, keep_alive: 700ms, body_idle: 600ms, body_rate: 100KiB, requests: 3, age: 30s, "
        "request_line: 300, field: 400, head: 1KiB, fields: 12"
    }

    def test_case_231_unfinished_head(self):
        connection = self.connect()
        connection.send(b"GET /v1/models HTTP/1.1\r\nHo")
        self.assertEqual(connection.read_response().status, 408)
        self.assertIn(connection.wait_closed(), ("fin", "rst"))

    def test_case_233_silence_is_closed_without_an_answer(self):
        connection = self.connect()
        self.assertIn(connection.wait_closed(), ("fin", "rst"))
        self.assertEqual(bytes(connection.buffer), b"")

    def test_idle_keep_alive(self):
        connection = self.connect()
        connection.send(GET_MODELS)
        self.assertEqual(connection.read_response().status, 200)
        self.assertIn(connection.wait_closed(), ("fin", "rst"))

    def body_of(self, octets, announced):
        connection = self.connect()
        connection.send(common.message(headers=[("Authorization", f"Bearer {KEY}"),
                                                ("Content-Type", "application/json"), ("Content-Length", announced)]))
        connection.send(octets)
        return connection

    def test_body_that_stops(self):
        connection = self.body_of(b'{"model":', 100)
        self.assert_error(connection.read_response(), 408)

    def test_case_232_body_that_trickles(self):
        connection = self.body_of(b"{", 1_000_000)
        answered = poll(lambda: self.trickle(connection), "an answer to a trickle")
        self.assertTrue(answered)
        self.assert_error(connection.read_response(), 408)

    def trickle(self, connection):
        """One octet more; true once the gateway has answered."""
        common.send_until_refused(connection, [b" "])
        return bool(select.select([connection.socket], [], [], 0.05)[0])

    def test_requests_of_a_connection(self):
        connection = self.connect()
        for number in (1, 2, 3):
            connection.send(GET_MODELS)
            self.assertEqual(connection.read_response().header("connection"), "close" if number == 3 else None)
        self.assertIn(connection.wait_closed(), ("fin", "rst"))

    def refused(self, *headers, target="/v1/models"):
        connection = self.connect()
        connection.send(common.message("GET", target, [("Authorization", f"Bearer {KEY}"), *headers]))
        return connection.read_response().status

    def test_sizes_of_a_head(self):
        self.assertEqual(self.refused(), 200)
        self.assertEqual(self.refused(target="/v1/models?" + "x" * 300), 414)
        self.assertEqual(self.refused(("X-A", "x" * 400)), 431)
        self.assertEqual(self.refused(*[("X-A", "x" * 300)] * 4), 431)
        self.assertEqual(self.refused(*[("X-A", "x")] * 12), 431)


class StalledReaders(GatewayTest):
    """Cases 235 and 236: who does not read is cut, the provider call with it, and nothing piles up meanwhile."""

    values = {"LIMITS": "write_stall: 800ms"}

    def test_reader_that_never_reads(self):
        connection = self.connect()
        connection.socket.setsockopt(support.socket.SOL_SOCKET, support.socket.SO_RCVBUF, 4096)
        before = self.gateway.resident_octets()
        connection.request("POST", CHAT, bearer(), chat("mock-tokens-4000000", stream=True))
        poll(lambda: self.mock.stats()["aborted"] == 1, "the provider call is cancelled")
        self.assertLess(self.gateway.resident_octets() - before, (2 << 20) * SLACK)
        self.assertEqual(self.ask().status, 200)


if __name__ == "__main__":
    unittest.main()
