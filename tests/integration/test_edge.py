"""Hostile, broken and unusual clients. Case numbers are those of the bad-input catalogue; cases that are
plain octets are in tests/corpus."""

import contextlib
import json
import select
import threading
import time
import unittest

from common import (
    CHAT, GET_MODELS, KEY, NARROW_KEY, GatewayTest, chat, chat_message, message, octets, send_until_refused, support,
)
from hostile import SLACK

# The head of a chunked message, and a whole message that must not be taken for a request where it is not due.
C = message(headers=[("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json"), ("Transfer-Encoding", "chunked")])
SMUGGLED = chat_message(octets(chat("mock-smuggled")))


class Segments(GatewayTest):
    def test_nothing_but_a_fin(self):
        connection = self.connect()
        connection.half_close()
        self.assertIn(connection.wait_closed(), ("fin", "rst"))
        self.assertEqual(bytes(connection.buffer), b"")

    def test_case_253_preamble_of_a_proxy_protocol_nobody_asked_for(self):
        version_2 = b"\r\n\r\n\x00\r\nQUIT\n" + b"\x21\x11\x00\x0c" + b"\x7f\x00\x00\x01" * 2 + b"\x10\x00\x10\x01"
        for preamble in (b"PROXY TCP4 127.0.0.1 127.0.0.1 4711 80\r\n", b"PROXY UNKNOWN\r\n", version_2):
            connection = self.connect()
            send_until_refused(connection, [preamble + GET_MODELS])
            self.assertIn(connection.read_response().status, (400, 505), preamble)
            self.assertIn(connection.wait_closed(), ("fin", "rst"), preamble)
            self.assertEqual(bytes(connection.buffer), b"", preamble)

    def test_case_224_last_chunk_in_pieces(self):
        body = octets(chat())
        connection = self.connect()
        connection.send(C + b"%x\r\n%s\r\n" % (len(body), body))
        for piece in (b"0\r\n", b"\r", b"\n"):
            self.assertEqual(select.select([connection.socket], [], [], 0.02)[0], [], piece)
            connection.send(piece)
        self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(self.mock.requests()[0]["body"], body)

    def test_cases_226_to_229_endless_extensions_digits_trailers(self):
        before = self.gateway.resident_octets()
        endless = {
            b"5;a=": (b"b" * 65536, 400),
            b"0" * 16: (b"0" * 65536, 400),
            b"0\r\nX: ": (b"v" * 65536, 431),
            b"0\r\n": (b"XA: v\r\n" * 8192, 431),
        }
        for start, (more, status) in endless.items():
            connection = self.connect()
            send_until_refused(connection, [C + start, *[more] * 200])
            response = connection.read_response()
            self.assertEqual((response.status, response.header("connection")), (status, "close"), start)
        self.assertLess(self.gateway.resident_octets() - before, (8 << 20) * SLACK)

    def test_case_225_endless_header_lines(self):
        connection = self.connect()
        lines = (b"A: v\r\nX" for _ in range(5000))
        send_until_refused(connection, [b"GET / HTTP/1.1\r\nX", *lines])
        self.assertEqual(connection.read_response().status, 431)


class Expectations(GatewayTest):
    values = {"BODY_JSON": "64KiB"}

    def expecting(self, length, *, key=KEY, kind="application/json", path=CHAT):
        fields = [("Authorization", f"Bearer {key}"), ("Content-Type", kind), ("Content-Length", length)]
        connection = self.connect()
        connection.send(message(target=path, headers=[*fields, ("Expect", "100-continue")]))
        return connection

    def test_body_is_asked_for(self):
        body = octets(chat())
        connection = self.expecting(len(body))
        connection.receive()
        self.assertEqual(bytes(connection.buffer), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(body)
        response = connection.read_response()
        self.assertEqual((response.interim, response.status), ([100], 200))
        line, fields = self.head_lines(self.mock.requests()[0])
        self.assertNotIn("expect", {name.lower() for name, _ in fields}, line)

    def test_refused_before_the_body(self):
        refused = [
            (self.expecting(50, key="nobody-has-this-key"), 401),
            (self.expecting(1 << 20), 413),
            (self.expecting(50, kind="text/plain"), 415),
            (self.expecting(50, path="/v1/nothing"), 404),
        ]
        for connection, status in refused:
            response = connection.read_response()
            self.assertEqual((response.interim, response.status, response.header("connection")), ([], status, "close"))
            self.assertIn(connection.wait_closed(), ("fin", "rst"))

    def test_case_242_next_request_instead_of_the_body(self):
        connection = self.expecting(5)
        connection.send(SMUGGLED)
        response = connection.read_response()
        self.assertEqual((response.interim, response.status), ([100], 400), "its first octets are the body")
        self.assertEqual(response.json()["error"]["code"], "invalid_json")
        self.assertEqual(connection.read_response().status, 400, "the rest of it is no request")
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_other_expectations(self):
        connection = self.connect()
        connection.send(chat_message(octets(chat()), [("Expect", "200-ok")]))
        self.assert_error(connection.read_response(), 417)


class Bodies(GatewayTest):
    values = {"BODY_JSON": "1MiB"}
    BIG = 10_000_000

    def test_chunked_bodies(self):
        body = octets(chat(content="x" * 5000))
        for size in (1, 7, 1000, 100_000):
            connection = self.connect()
            pieces = [body[at : at + size] for at in range(0, len(body), size)]
            wire = b"".join(b"%X;note=\"a b\"\r\n%s\r\n" % (len(piece), piece) for piece in pieces[:20])
            wire += b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces[20:])
            connection.send(C + wire + b"0\r\nTrailer: dropped\r\n\r\n" + GET_MODELS)
            self.assertEqual(connection.read_response().status, 200)
            self.assertEqual(connection.read_response().json()["object"], "list")
            (recorded,) = self.mock.requests(last=1)
            self.assertEqual(recorded["body"], body)
            self.assertNotIn("trailer", recorded["raw_head"].lower())
            self.assertIn(f"content-length: {len(body)}\r\n", recorded["raw_head"].lower())

    def test_411_413_415(self):
        fixed = [("Authorization", f"Bearer {KEY}")]
        json_type = ("Content-Type", "application/json")
        body = octets(chat())
        cases = [
            (message(headers=[*fixed, json_type]), 411),
            (message(headers=[*fixed, json_type, ("Content-Length", 2_000_000)]), 413),
            (message(headers=[*fixed, ("Content-Length", len(body))], body=body), 415),
            (message(headers=[*fixed, ("Content-Type", "text/plain"), ("Content-Length", 2)], body=b"{}"), 415),
            (message(headers=[*fixed, ("Content-Type", "application/json; charset=utf-16"), ("Content-Length", 2)],
                     body=b"{}"), 415),  # case 272
            (chat_message(body, [("Content-Encoding", "gzip")]), 415),  # case 179
            (chat_message(body, [("Content-Encoding", "br")]), 415),  # case 263
            (message("GET", "/v1/" + "a" * 9000, fixed), 414),
            (message("GET", "/v1/models", [*fixed, ("X-Long", "a" * 9000)]), 431),
        ]
        for data, status in cases:
            connection = self.connect()
            connection.send(data)
            response = connection.read_response()
            self.assert_error(response, status, type="invalid_request_error")
            self.assertEqual(response.header("connection"), "close", data[:100])
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_charset_utf_8_is_what_is_meant(self):
        for kind in ("application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'):
            self.assertEqual(self.post(CHAT, octets(chat()), {"content-type": kind}).status, 200, kind)

    def big_request(self, key):
        fields = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json")]
        return message(headers=[*fields, ("Content-Length", self.BIG)])

    def test_case_240_early_refusal_of_a_large_body(self):
        """The client reads the answer, whether it sends everything first or listens while it sends."""
        for key, status in (("nobody-has-this-key", 401), (KEY, 413)):
            connection = self.connect()
            send_until_refused(connection, [self.big_request(key), *[b"x" * 100_000] * 100, SMUGGLED])
            response = connection.read_response()
            self.assertEqual((response.status, response.header("connection")), (status, "close"))
            self.assertTrue(response.json()["error"]["message"])
            self.assertIn(connection.wait_closed(), ("fin", "rst"))
            self.assertEqual(bytes(connection.buffer), b"")

            connection = self.connect()
            connection.send(self.big_request(key))
            self.assertEqual(connection.read_response().status, status, "before an octet of the body")
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_case_240_without_a_key_little_is_taken(self):
        """What the kernel buffers may go too, but not all that somebody without a key would send."""
        connection = self.connect()
        connection.send(self.big_request("nobody-has-this-key"))
        self.assertEqual(connection.read_response().status, 401)
        sent, most = 0, 48_000_000
        with contextlib.suppress(OSError):
            while sent < most:
                connection.send(b"x" * 100_000)
                sent += 100_000
        self.assertLess(sent, most)

    def test_case_240_sender_and_reader_apart(self):
        connection = self.connect()
        everything = [self.big_request(NARROW_KEY), *[b"x" * 100_000] * 100]
        sender = threading.Thread(target=send_until_refused, args=(connection, everything))
        sender.start()
        self.addCleanup(sender.join)
        self.assert_error(connection.read_response(), 413, code="request_too_large")

    def test_chunked_body_over_the_cap(self):
        connection = self.connect()
        chunk = b"186a0\r\n" + b"x" * 100_000 + b"\r\n"
        send_until_refused(connection, [C, *[chunk] * 100])
        self.assert_error(connection.read_response(), 413, code="request_too_large")

    def test_json_that_is_refused(self):
        wrong = [
            b"", b" ", b"{", b"[]", b'"x"', b"nul", b'{"model":"gpt-4o-mini"}x', b"\xef\xbb\xbf{}",
            b'{"model":"gpt-4o-mini","messages":[{"role":"user","content":"\xff"}]}',
            b'{"model":"gpt-4o-mini","model":"renamed","messages":[]}',
            b'{"model":"gpt-4o-mini","mod\\u0065l":"renamed","messages":[]}',
            b'{"model":"gpt-4o-mini","messages":[],"x":{"a":1,"a":2}}',
            b'{"model":"gpt-4o-mini","messages":' + b"[" * 70 + b"]" * 70 + b"}",
            b'{"model":"gpt-4o-mini","messages":[],"stream":"yes"}',
        ]
        for body in wrong:
            connection = self.connect()
            connection.send(chat_message(body) + GET_MODELS)
            response = connection.read_response()
            self.assert_error(response, 400)
            self.assertEqual(connection.read_response().status, 200, "the connection goes on")
        self.assertEqual(self.mock.stats()["requests"], 0)


class Patience(GatewayTest):
    """The deadlines that no configuration shortens, all waited for at once."""

    def test_cases_231_to_233_slow_clients(self):
        body = octets(chat())
        silent, slow_head = self.connect(), self.connect()
        still_body, slow_body = self.connect(), self.connect()
        slow_head.send(b"GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Drip: ")
        still_body.send(chat_message(body)[: -len(body)])
        slow_body.send(chat_message(body)[: -len(body)])
        started = time.monotonic()
        pending = {silent: "silent", slow_head: "slow_head", still_body: "still_body", slow_body: "slow_body"}
        ended = {}
        dripped = 0
        while pending and time.monotonic() - started < 60:
            sockets = {connection.socket: connection for connection in pending}
            for readable in select.select(list(sockets), [], [], 1.0)[0]:
                connection = sockets[readable]
                if not connection.receive() or b"\r\n\r\n" in connection.buffer:
                    ended[pending.pop(connection)] = time.monotonic() - started
            for connection in (slow_head, slow_body):
                if connection in pending:
                    connection.send(b"x" if connection is slow_head else body[dripped : dripped + 1])
            dripped += 1
        limits = {"silent": 10, "slow_head": 10, "still_body": 30, "slow_body": 30}
        self.assertEqual(ended.keys(), limits.keys(), ended)
        for name, seconds in limits.items():
            self.assertGreater(ended[name], seconds - 0.5, ended)
            self.assertLess(ended[name], seconds + 10, ended)
        self.assertEqual(bytes(silent.buffer), b"", "who asked nothing is told nothing")
        for connection in (slow_head, still_body, slow_body):
            response = connection.read_response()
            self.assert_error(response, 408)
            self.assertEqual(response.header("connection"), "close")
        self.assertEqual(self.mock.stats()["requests"], 0)


if __name__ == "__main__":
    unittest.main()
