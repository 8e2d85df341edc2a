"""The client's connection: kept, pipelined, closed, left. Numbers are those of the reliability catalogue."""

import json
import time
import unittest

from common import CHAT, GET_MODELS, KEY, GatewayTest, bearer, chat, chat_message, message, octets, poll, send_until_refused
from hostile import SLACK

FIXED = [("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json")]
SMUGGLED = chat_message(octets(chat("mock-smuggled")))


class Connections(GatewayTest):
    def test_many_requests_on_one_connection(self):
        connection = self.connect()
        for number in range(1, 101):
            connection.request("POST", CHAT, bearer(), chat(f"mock-tokens-{number}"))
            response = connection.read_response()
            self.assertEqual(response.json()["usage"]["completion_tokens"], number)
            self.assertIsNone(response.header("connection"))

    def test_case_222_hundred_pipelined_requests_in_order(self):
        connection = self.connect()
        messages = [chat_message(octets(chat(f"mock-tokens-{n}:slow-{7 - n % 7}"))) for n in range(1, 101)]
        connection.send(b"".join(messages))
        for number in range(1, 101):
            response = connection.read_response()
            self.assertEqual((response.status, response.json()["usage"]["completion_tokens"]), (200, number))
        self.assertEqual(self.mock.stats()["completed"], 100)

    def test_pipelined_request_behind_a_stream(self):
        connection = self.connect()
        connection.send(chat_message(octets(chat("mock-tokens-3", stream=True))) + GET_MODELS)
        *_, done = connection.sse(connection.read_head())
        self.assertEqual(done.data, "[DONE]")
        self.assertEqual(connection.read_response().json()["object"], "list")

    def test_one_thousand_requests_then_close(self):
        connection = self.connect()
        connection.send(GET_MODELS * 1001)
        for _ in range(999):
            self.assertIsNone(connection.read_response().header("connection"))
        self.assertEqual(connection.read_response().header("connection"), "close")
        self.assertIn(connection.wait_closed(), ("fin", "rst"))
        self.assertEqual(bytes(connection.buffer), b"")

    def test_case_233_idle_connections_cost_little(self):
        self.ask()
        count = 2000
        for sent in (b"", GET_MODELS):  # silent ones, and ones between two requests
            base = self.gateway.resident_octets()
            idle = [self.connect() for _ in range(count)]
            for connection in idle:
                connection.send(sent)
                if sent:
                    self.assertEqual(connection.read_response().status, 200)
            self.assertEqual(
                poll(lambda: self.gateway.metrics().value("tollgate_listener_connections", listener="api",
                                                          state="active") >= count, "all are open"), True)
            each = (self.gateway.resident_octets() - base) / count
            self.assertLess(each, 10 * 1024 * SLACK, f"after {len(sent)} octets")
            for connection in idle:
                connection.close()
            poll(lambda: self.gateway.metrics().value("tollgate_listener_connections", listener="api",
                                                      state="active") == 0, "all are gone")

    def test_http_1_0(self):
        body = octets(chat())
        fields = [*FIXED, ("Content-Length", len(body))]
        connection = self.connect()
        connection.send(message(headers=fields, body=body, version="1.0") + GET_MODELS)
        response = connection.read_response()
        self.assertEqual((response.status, response.header("connection")), (200, "close"))
        self.assertIn(connection.wait_closed(), ("fin", "rst"))
        self.assertEqual(bytes(connection.buffer), b"", "what follows is not served")
        connection = self.connect()
        for _ in range(3):
            connection.send(message(headers=[*fields, ("Connection", "keep-alive")], body=body, version="1.0"))
            response = connection.read_response()
            self.assertEqual((response.status, response.header("connection")), (200, "keep-alive"))

    def test_http_1_0_stream_ends_with_the_connection(self):
        body = octets(chat("mock-tokens-3", stream=True))
        fields = [*FIXED, ("Content-Length", len(body))]
        connection = self.connect()
        connection.send(message(headers=[*fields, ("Connection", "keep-alive")], body=body, version="1.0"))
        head = connection.read_head()
        self.assertEqual((head.header("transfer-encoding"), head.header("connection")), (None, "close"))
        self.assertEqual(b"".join(connection.body_pieces(head)), self.direct(CHAT, json.loads(body)).body)

    def test_head_is_get_without_a_body(self):
        for path in ("/v1/models", "/v1/models/gpt-4o-mini", "/v1/engines"):
            whole = self.get(path)
            connection = self.connect()
            connection.send(message("HEAD", path, [("Authorization", f"Bearer {KEY}")]) + GET_MODELS)
            head = connection.read_response(method="HEAD")
            self.assertEqual((head.status, head.header("content-length")), (200, str(len(whole.body))), path)
            self.assertEqual(connection.read_response().json()["object"], "list")
        self.assertEqual(self.get("/v1/models/nothing", method="HEAD").status, 404)
        self.assertEqual(self.get(CHAT, method="HEAD").status, 403, "listing stored answers needs the group")

    def test_case_273_options_needs_no_key(self):
        for target in (CHAT, "/v1/models", "/anything", "*"):
            connection = self.connect()
            connection.send(message("OPTIONS", target) + GET_MODELS)
            response = connection.read_response()
            self.assertEqual((response.status, response.body), (204, b""), target)
            self.assertIn("POST", response.header("allow"))
            self.assertIsNone(response.header("content-length"), "RFC 9110 §8.6")
            self.assertEqual(connection.read_response().status, 200)

    def test_case_239_pause_then_a_request_as_body(self):
        """What follows a refused message is never a request, whenever it comes."""
        connection = self.connect()
        connection.send(message(headers=[("Content-Length", len(SMUGGLED))]))
        self.assertEqual(connection.read_response().status, 401)
        send_until_refused(connection, [SMUGGLED])
        self.assertIn(connection.wait_closed(), ("fin", "rst"))
        self.assertEqual((bytes(connection.buffer), self.mock.stats()["requests"]), (b"", 0))


class ClientLeaves(GatewayTest):
    PATIENCE_NS = 500_000_000  # ten times the stated 50 ms

    def leave(self, how, model, **extra):
        """Time from the client's leaving to the end of the upstream connection."""
        self.mock.reset()
        connection = self.connect()
        connection.request("POST", CHAT, bearer(), chat(model, **extra))
        if extra.get("stream"):
            next(connection.sse(connection.read_head()))
        self.mock.wait(requests=1)
        left = time.monotonic_ns()
        getattr(connection, how)()
        return self.mock.wait(aborted=1)["last_abort_ns"] - left

    def test_fault_68_before_the_first_octet(self):
        for how in ("close", "half_close", "reset"):
            self.assertLess(self.leave(how, "mock-hang"), self.PATIENCE_NS, how)

    def test_fault_69_in_the_middle_of_a_stream(self):
        for how in ("close", "half_close", "reset"):
            self.assertLess(self.leave(how, "mock-tokens-1000:pace-20", stream=True), self.PATIENCE_NS, how)
            self.assertLess(self.leave(how, "mock-hang-after-2", stream=True), self.PATIENCE_NS, how)

    def test_fault_66_during_upload(self):
        for how in ("close", "half_close", "reset"):
            connection = self.connect()
            connection.send(chat_message(octets(chat(content="x" * 500_000)))[:200_000])
            getattr(connection, how)()
        self.assertEqual(self.ask().status, 200)
        self.assertEqual(self.mock.stats()["requests"], 1)


class HalfCloseServed(GatewayTest):
    values = {"HALF_CLOSE": "serve"}

    def test_case_237_answer_after_the_clients_end(self):
        connection = self.connect()
        connection.request("POST", CHAT, bearer(), chat("mock-slow-300"))
        connection.half_close()
        self.assertEqual(connection.read_response().status, 200)
        self.assertIn(connection.wait_closed(), ("fin", "rst"))

    def test_fault_71_stream_after_the_clients_end(self):
        connection = self.connect()
        connection.request("POST", CHAT, bearer(), chat("mock-tokens-10:pace-20", stream=True))
        connection.half_close()
        *_, done = connection.sse(connection.read_head())
        self.assertEqual(done.data, "[DONE]")
        self.assertEqual(self.mock.stats()["aborted"], 0)

    def test_a_reset_is_still_the_end(self):
        connection = self.connect()
        connection.request("POST", CHAT, bearer(), chat("mock-hang"))
        self.mock.wait(requests=1)
        left = time.monotonic_ns()
        connection.reset()
        self.assertLess(self.mock.wait(aborted=1)["last_abort_ns"] - left, 500_000_000)


if __name__ == "__main__":
    unittest.main()
