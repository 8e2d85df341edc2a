"""Slow attackers beside legitimate load (reliability T8, cases 231, 232, 235, 236): load is served whole, every attacker
is gone within its deadline, nothing stays behind. tests/load/attackers is the full size."""

import json
import pathlib
import signal
import sys
import time
import unittest

from common import (
    CHAT, CONFIG, GET_MODELS, KEY, NARROW_KEY, GatewayTest, bearer, chat, chat_message, message, octets, poll, support,
)
from hostile import SLACK, cost_of, kernel_queues

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))

from attackers_crowd import Apart, Crowd, Load, ZeroWindow  # noqa: E402: found by the line above

COUNTS = {"slowloris": 500, "zero_window": 500, "rudy": 200}
DEADLINES = {"slowloris": 2.0, "zero_window": 2.0, "rudy": 2.0}  # seconds, as configured below
TOLERANCE = 10
EACH = 128 * 1024  # octets: 64 KiB in each direction


class Attackers(GatewayTest):
    values = {
        "LIMITS": "failed_keys: 1M, head_time: 2s, body_idle: 2s, body_rate: 1KiB, write_stall: 2s",
        "HALF_CLOSE": "gone, max_connections: 4000, connections_per_address: 2000",
    }

    def open_descriptors(self):
        return self.gateway.metrics().value("process_open_fds")

    def test_t8_slow_attackers_beside_load(self):
        Load(self.gateway.api_port, KEY, 50, 1).run()
        descriptors = self.open_descriptors()
        self.mock.reset()
        with cost_of(self.gateway, self.gateway.resident_octets(), sum(COUNTS.values()) * EACH // 4) as cost:
            load = Apart(lambda: Load(self.gateway.api_port, KEY, 100, 8))
            crowd = Apart(lambda: Crowd(self.gateway.api_port, KEY, COUNTS, 0.5), TOLERANCE * 2.0)
            ended, served = crowd.result(60), load.result(60)
        self.assertEqual((served["good"], served["failures"]), (served["sent"], {}))
        for kind, count in COUNTS.items():
            self.assertEqual((ended[kind]["count"], ended[kind]["ended"]), (count, count), ended)
            self.assertLess(ended[kind]["longest"], TOLERANCE * DEADLINES[kind], ended)
            self.assertGreater(ended[kind]["longest"], DEADLINES[kind] * 0.9, ended)
            expected = {"reset": count} if kind == "zero_window" else {"408": count}
            self.assertEqual(ended[kind]["statuses"], expected)
        self.assertLess(cost.grown, sum(COUNTS.values()) * EACH * SLACK)
        stats = self.mock.stats()
        self.assertEqual((stats["aborted"], stats["requests"]), (COUNTS["zero_window"], COUNTS["zero_window"] + served["sent"]))
        poll(lambda: self.open_descriptors() <= descriptors + 40, "the attackers' descriptors")
        poll(lambda: self.gateway.metrics().sum("tollgate_requests_in_flight") == 0, "no request left")

    def test_case_235_the_kernel_holds_little_for_who_does_not_read(self):
        reader = ZeroWindow(self.gateway.api_port, "127.0.0.2", KEY)
        self.addCleanup(reader.socket.close)
        port = reader.socket.getsockname()[1]
        most = 0

        def cut():
            nonlocal most
            queues = kernel_queues(self.gateway.api_port, port)
            most = max(most, queues[0] if queues else 0)
            return self.mock.stats()["aborted"] == 1

        poll(cut, "the provider call is cancelled", 20)
        self.assertGreater(most, 0, "it did not read")
        self.assertLessEqual(most, EACH)


class Tricks(GatewayTest):
    """What one client tries on its own connection."""

    def test_case_238_reset_during_upload_wait_and_stream(self):
        upload = self.connect()
        upload.send(chat_message(octets(chat(content="x" * 500_000)))[:200_000])
        upload.reset()
        for model, stream in (("mock-hang", False), ("mock-hang-after-2", True)):
            connection = self.connect()
            connection.request("POST", CHAT, bearer(), chat(model, stream=stream))
            if stream:
                next(connection.sse(connection.read_head()))
            else:
                self.mock.wait(requests=1)
            connection.reset()
        stats = self.mock.wait(aborted=2)
        self.assertEqual((stats["requests"], stats["aborted"]), (2, 2), "the upload never left")
        poll(lambda: self.gateway.metrics().sum("tollgate_requests_in_flight") == 0, "no request left")

    def test_case_255_internal_fields_change_nothing(self):
        spoofed = {f"x-tollgate-{name}": "open" for name in (
            "tenant", "team", "org", "key", "cost", "model", "upstream", "cache", "request-id", "user")}
        spoofed |= {"x-forwarded-user": "admin", "x-user-id": "k_open", "x-consumer-id": "k_open", "remote-user": "k_open"}
        refused = self.post(CHAT, chat("renamed"), spoofed, key=NARROW_KEY)
        self.assert_error(refused, 403)
        nobody = support.call("POST", self.gateway.url + CHAT, spoofed, chat())
        self.assert_error(nobody, 401)
        passed = self.post(CHAT, chat(), spoofed, key=NARROW_KEY)
        self.assertEqual((passed.status, passed.header("x-tollgate-upstream")), (200, "mock"))
        (recorded,) = self.mock.requests()
        for name in spoofed:
            self.assertNotIn(name, recorded["raw_head"].lower())
        poll(lambda: passed.header("x-request-id") in self.gateway.log, "its line")
        (line,) = [line for line in self.gateway.log.splitlines() if passed.header("x-request-id") in line]
        self.assertEqual(json.loads(line)["tollgate.key"], "k_narrow")

    def test_case_266_user_agent_is_one_field_of_one_line(self):
        for agent in ('x","level":"error","user":"admin', "tab\tin it", "caf\xe9 \xff", "{}" * 500):
            answer = self.get_with({"user-agent": agent})
            self.assertEqual(answer.status, 200)
            poll(lambda: answer.header("x-request-id") in self.gateway.log, "its line")  # noqa: B023: used at once
            lines = [line for line in self.gateway.log.splitlines() if answer.header("x-request-id") in line]
            self.assertEqual(len(lines), 1, agent)
            entry = json.loads(lines[0])
            self.assertTrue("user" not in entry and "level" not in entry, entry)
            self.assertLess(len(lines[0]), 2048)
        for octet in (b"\x1b", b"\x00", b"\x7f", b"\r", b"\n"):
            connection = self.connect()
            connection.send(GET_MODELS[:-2] + b"User-Agent: a" + octet + b"[31mred\r\n\r\n")
            self.assert_error(connection.read_response(), 400)
        self.assertNotIn("\x1b", self.gateway.log)

    def get_with(self, headers):
        return support.call("GET", self.gateway.url + "/v1/models", {**bearer(), **headers})

    def test_case_267_request_id_is_always_ours(self):
        for given in ("x" * 5000, "a b", 'a"b', "req_01ARZ3NDEKTSV4RRFFQ69G5FAV"):
            answer = self.get_with({"x-request-id": given})
            self.assertEqual(answer.status, 200)
            self.assertRegex(answer.header("x-request-id"), r"^req_[0-9A-Z]{26}$")
            self.assertNotEqual(answer.header("x-request-id"), given)
        connection = self.connect()
        connection.send(GET_MODELS[:-2] + b"X-Client-Request-Id: one\r\nX-Client-Request-Id: two\r\n\r\n")
        answer = connection.read_response()
        self.assertNotIn("one, two", answer.header("x-client-request-id") or "")

    def test_case_270_conditions_and_ranges_are_ignored(self):
        plain = self.ask("mock-plain")
        for name, value in (("range", "bytes=0-3"), ("if-none-match", "*"), ("if-match", '"x"'), ("if-range", '"x"'),
                            ("if-modified-since", "Sat, 01 Jan 2000 00:00:00 GMT"),
                            ("if-unmodified-since", "Sat, 01 Jan 2000 00:00:00 GMT")):
            answer = self.post(CHAT, chat("mock-plain"), {name: value})
            self.assertEqual((answer.status, len(answer.body)), (200, len(plain.body)), name)
            self.assertNotIn(name + ":", self.mock.requests(last=1)[0]["raw_head"].lower())

    def test_case_274_nothing_internal_on_the_data_port(self):
        for path in ("/metrics", "/debug", "/debug/pprof", "/admin", "/admin/v1/keys", "/livez", "/readyz", "/health",
                     "/config_dump", "/stats", "/server-status", "/.env", "/v1/metrics", "/metrics/", "/v1/../metrics"):
            for headers in (bearer(), {}):
                answer = support.call("GET", self.gateway.url + path, headers)
                self.assertIn(answer.status, (400, 404), path)
                self.assertNotIn(b"# TYPE", answer.body)

    def test_case_273_preflights_reach_nobody(self):
        connection = self.connect()
        connection.send(message("OPTIONS", CHAT, [("Origin", "https://a.example"),
                                                  ("Access-Control-Request-Method", "POST")]) * 500)
        for _ in range(500):
            self.assertEqual(connection.read_response().status, 204)
        self.assertEqual(self.mock.stats()["requests"], 0)


class Cached(GatewayTest):
    config = CONFIG + "cache: { enabled: true }\n"

    def test_case_241_hit_consumes_its_own_body_only(self):
        """A hit is answered although nobody but the cache needs the body: what follows it is the next request, and
        what stands inside it is not."""
        inside = chat(content=GET_MODELS.decode())
        self.assertEqual(self.post(CHAT, inside, {"cache-control": "max-age=60"}).status, 200)
        connection = self.connect()
        connection.send(chat_message(octets(inside)) * 3 + GET_MODELS)
        answers = [connection.read_response() for _ in range(4)]
        self.assertEqual([answer.status for answer in answers], [200] * 4)
        self.assertTrue(all("hit" in answer.header("cache-status") for answer in answers[:3]), answers)
        self.assertEqual(answers[3].json()["object"], "list")
        self.assertEqual((bytes(connection.buffer), self.mock.stats()["requests"]), (b"", 1))


class Drain(GatewayTest):
    """Case 269."""

    COUNT = 1000
    values = {"HALF_CLOSE": "gone, connections_per_address: 5000", "WORKERS": 2}

    def test_case_269_thousand_unfinished_bodies_do_not_hold_a_drain(self):
        with support.Tollgate(self.config, **{**self.filled, **self.values}) as gateway:
            half = message(headers=[("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"),
                                    ("Transfer-Encoding", "chunked")]) + b"1000\r\n{"
            connections = []
            for _ in range(self.COUNT):
                connection = support.Connection("127.0.0.1", gateway.api_port)
                self.addCleanup(connection.close)
                connection.send(half)
                connections.append(connection)
            poll(lambda: gateway.metrics().sum("tollgate_requests_in_flight") == self.COUNT, "all of them", 60)
            begun = time.monotonic()
            gateway.signal(signal.SIGTERM)
            self.assertEqual(gateway.child.wait(50), 0, gateway.log[-2000:])
            self.assertLess(time.monotonic() - begun, 50, "drain.timeout is 5 s")
            for connection in connections:
                self.assertIn(connection.wait_closed(10), ("fin", "rst"))
        self.assertEqual(self.mock.stats()["requests"], 0)


if __name__ == "__main__":
    unittest.main()
