"""Providers that fail, lie or answer nonsense. Case and fault numbers are those of the reliability catalogue."""

import json
import socket
import threading
import time
import unittest

from common import CHAT, CONFIG, GatewayTest, bearer, chat, support
from hostile import SLACK

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = HEAD + b"Content-Length: 11\r\n\r\n{\"ok\":true}"


class Faults(GatewayTest):
    values = {"WORKERS": 1}  # one pool of upstream connections, so that "reused" is certain

    def warm(self):
        """Leaves exactly one idle upstream connection behind."""
        self.assertEqual(self.ask("mock-plain").status, 200)
        self.mock.reset()

    def assert_not_whole(self, connection):
        """Broken off within its length, or an error where nothing had been sent yet."""
        try:
            response = connection.read_response()
        except support.PeerClosed:
            return
        self.assert_error(response, 502)

    def test_fault_3_close_on_a_fresh_connection_is_not_repeated(self):
        for model in ("mock-close", "mock-reset"):
            self.ask("mock-keepalive-close")  # leaves none to be used again
            self.mock.wait(connections_open=0)
            self.mock.reset()
            self.assert_error(self.ask(model), 502, word="provider_connection_failed", text='provider "mock"')
            self.assertEqual(self.mock.stats()["requests"], 1)

    def test_fault_3_close_on_a_reused_connection_is_repeated_once(self):
        for model in ("mock-close", "mock-reset"):
            self.warm()
            self.assert_error(self.ask(model), 502, word="provider_connection_failed")
            stats = self.mock.stats()
            self.assertEqual((stats["requests"], stats["connections_opened"]), (2, 1), "the second on a new connection")

    def test_fault_3_keep_alive_race(self):
        """The provider closes after each answer without saying so; no request may fail."""
        for _ in range(50):
            self.assertEqual(self.ask("mock-keepalive-close").status, 200)
        self.assertEqual(self.mock.stats()["completed"], 50)

    def test_case_283_shorter_than_said(self):
        """The answer's head is gone already: the client must see that the body is not whole."""
        connection = self.connect()
        connection.request("POST", CHAT, bearer(), chat("mock-badlength"))
        self.assert_not_whole(connection)
        self.assertEqual(self.mock.stats()["requests"], 1)
        connection, head = self.stream("mock-badlength:tokens-3")
        *_, done = connection.sse(head)
        self.assertEqual(done.data, "[DONE]", "a stream that said [DONE] was whole")

    def test_case_279_both_framings(self):
        for stream in (False, True):
            self.assert_error(self.ask("mock-te-cl", stream=stream), 502, word="provider_bad_response")

    def test_case_286_second_answer_nobody_asked_for(self):
        for stream in (False, True):
            self.assertEqual(self.ask("mock-extra", stream=stream).status, 200)
            for _ in range(3):
                response = self.ask("mock-plain")
                self.assertEqual((response.status, response.json()["object"]), (200, "chat.completion"))
        self.assertNotIn(b"poison", response.body)

    def test_cases_289_290_interim_answers(self):
        connection = self.connect()
        connection.request("POST", CHAT, bearer(), chat("mock-continue"))
        response = connection.read_response()
        self.assertEqual((response.interim, response.status), ([], 200), "a provider's interim answers stay behind")
        self.assert_error(self.ask("mock-many-continue"), 502, word="provider_bad_response", text="interim")
        self.assertEqual(self.ask("mock-plain").status, 200)

    def test_cases_282_302_http_1_0(self):
        for stream in (False, True):
            response = self.ask("mock-http10:tokens-5", stream=stream)
            self.assertEqual((response.status, response.version), (200, "1.1"))
            if stream:
                self.assertTrue(response.body.endswith(b"data: [DONE]\n\n"))
            else:
                self.assertEqual(response.json()["usage"]["completion_tokens"], 5)

    def test_case_297_large_header(self):
        self.assertEqual(self.ask("mock-bigheader").status, 200)

    def test_case_307_octet_by_octet(self):
        for stream in (False, True):
            body = chat("mock-tokens-3:trickle", stream=stream)
            direct = self.direct(CHAT, body)
            response = self.post(CHAT, body)
            self.assertEqual((response.status, response.body), (200, direct.body))

    def test_fault_1_connection_refused(self):
        started = time.monotonic()
        response = self.ask("dead:x")
        self.assert_error(response, 502, word="provider_connection_failed", text='"refused" could not be reached')
        self.assertLess(time.monotonic() - started, 0.5)

    def test_fault_1_next_upstream_by_order(self):
        response = self.ask("second:tokens-3")
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(response.header("x-tollgate-upstream"), "mock")
        self.assertEqual(response.header("x-tollgate-attempts"), "2")
        connection, head = self.stream("second:tokens-3")
        *_, done = connection.sse(head)
        self.assertEqual(done.data, "[DONE]")

    def test_fault_8_hang_ends_with_the_first_token_clock(self):
        for stream in (False, True):
            started = time.monotonic()
            response = self.ask("quick:hang", stream=stream)
            self.assert_error(response, 504, word="provider_timeout", text="the first_token timeout ran out")
            self.assertGreater(time.monotonic() - started, 0.39)
            self.assertLess(time.monotonic() - started, 4.0)
            self.mock.wait(aborted=1, connections_open=0)
            self.assertEqual(self.mock.stats()["requests"], 1, "nothing is tried twice that may have been charged")
            self.mock.reset()

    def test_fault_11_body_breaks_off(self):
        for model in ("mock-close-after-20", "mock-badchunk-after-20", "quick:hang-after-20"):
            connection = self.connect()
            connection.request("POST", CHAT, bearer(), chat(model))
            self.assert_not_whole(connection)


class Scripted(threading.Thread):
    """A provider that answers every request with the octets given for its model, then closes if told so."""

    def __init__(self):
        super().__init__(daemon=True)
        self.answers = {}
        self.seen = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                length = 0
                for line in iter(stream.readline, b"\r\n"):
                    if not line:
                        return
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                body = stream.read(length)
                model = json.loads(body)["model"] if body else "no body"
                self.seen += 1
                pieces, close = self.answers[model]
                try:
                    for piece in pieces:
                        connection.sendall(piece)
                except OSError:
                    return
                if close:
                    return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Hostile(GatewayTest):
    """Answers no mock behaviour gives, octet by octet."""

    @classmethod
    def setUpClass(cls):
        cls.provider = Scripted()
        cls.addClassCleanup(cls.provider.stop)
        super().setUpClass()
        config = CONFIG.replace("@MOCK@", str(cls.provider.port))
        cls.hostile = support.Tollgate(config, **cls.filled, WORKERS=1)
        cls.addClassCleanup(cls.hostile.__exit__)

    def answer(self, *pieces, close=False, stream=False):
        """What the client gets when the provider sends this; then a good answer, which must be the next one's."""
        self.provider.answers["mock-scripted"] = (pieces, close)
        connection = support.Connection("127.0.0.1", self.hostile.api_port)
        self.addCleanup(connection.close)
        connection.request("POST", CHAT, bearer(), chat("mock-scripted", stream=stream))
        response = connection.read_response()
        self.provider.answers["mock-good"] = ([GOOD], False)
        following = support.call("POST", self.hostile.url + CHAT, bearer(), chat("mock-good"))
        self.assertEqual((following.status, following.body), (200, b'{"ok":true}'), pieces)
        return response

    def test_answers_in_a_coding_nobody_asked_for(self):
        coded = HEAD + b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n\x1f\x8b"
        self.assert_error(self.answer(coded, close=True), 502, word="provider_bad_response")

    def test_lists_that_cannot_be_filtered_stay_here(self):
        """A list of another media type must not pass as mere octets: it names other teams' objects."""
        listed = b'{"object":"list","data":[{"id":"file-of-another-team"}]}'
        lengths = b"Content-Length: %d\r\n\r\n" % len(listed)
        for kind, status in ((b"Application/JSON", 200), (b"text/plain", 502), (b"application/octet-stream", 502)):
            self.provider.answers["no body"] = ([b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\n" + lengths + listed], True)
            response = support.call("GET", self.hostile.url + "/v1/files", bearer())
            self.assertEqual(response.status, status, kind)
            self.assertNotIn(b"file-of-another-team", response.body)

    def test_a_response_that_completed_is_whole_without_its_last_chunk(self):
        event = b'event: response.completed\ndata: {"type":"response.completed","response":{}}\n\n'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        self.provider.answers["mock-scripted"] = ([head + b"%x\r\n%s\r\n" % (len(event), event)], True)
        body = json.dumps({"model": "mock-scripted", "input": "x", "stream": True, "store": False}).encode()
        headers = {**bearer(), "content-type": "application/json"}
        response = support.call("POST", self.hostile.url + "/v1/responses", headers, body)
        self.assertEqual((response.status, response.body), (200, event))

    def test_heads_that_cannot_be_trusted(self):
        body = b"\r\n{\"ok\":true}"
        bad = {
            280: HEAD + b"Transfer-Encoding: identity\r\n" + body,
            281: HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            291: b"HTTP/1.1 100 Continue\r\nContent-Length: 2\r\n\r\nhi" + GOOD,
            292: b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
            293: b"HTTP/1.1 099 Odd\r\nContent-Length: 11\r\n" + body,
            2930: b"HTTP/1.1 999 Odd\r\nContent-Length: 11\r\n" + body,
            294: HEAD + b"X-Folded: a\r\n b\r\nContent-Length: 11\r\n" + body,
            295: HEAD + b"X : a\r\nContent-Length: 11\r\n" + body,
            298: HEAD + b"X: a\x00b\r\nContent-Length: 11\r\n" + body,
            299: HEAD + b"X: " + b"v" * 70_000 + b"\r\nContent-Length: 11\r\n" + body,
            301: HEAD + b"Content-Length: 11\r\nContent-Length: 12\r\n" + body,
            303: b"\x15\x03\x03\x00\x02\x02\x28",
            3030: b"HTTP/2 200 OK\r\n\r\n",
            3031: b"\r\n\r\n\r\n\r\n\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        }
        for number, octets_sent in bad.items():
            response = self.answer(octets_sent, close=True)
            self.assertEqual(response.status, 502, (number, response.body))
            self.assertIn(response.json()["error"]["tollgate"]["error_type"],
                          ("provider_bad_response", "provider_connection_failed"), number)

    def test_heads_that_are_tolerated(self):
        body = b"\r\n{\"ok\":true}"
        good = {
            278: b"HTTP/1.1 200\r\nContent-Type: application/json\r\nContent-Length: 11\r\n" + body,
            296: HEAD + b"Connection: keep-alive;timeout=5\r\nContent-Length: 11\r\n" + body,
            2960: HEAD + b"Keep-Alive: timeout=5\r\nConnection: keep-alive\r\nContent-Length: 11\r\n" + body,
            297: HEAD + b"Set-Cookie: " + b"c" * 9000 + b"\r\nContent-Length: 11\r\n" + body,
            302: HEAD.replace(b"1.1", b"1.0") + b"Connection: keep-alive\r\nContent-Length: 11\r\n" + body,
        }
        for number, octets_sent in good.items():
            response = self.answer(octets_sent)
            self.assertEqual((response.status, response.body), (200, b'{"ok":true}'), number)
            self.assertIsNone(response.header("set-cookie"))

    def test_case_282_end_by_close(self):
        response = self.answer(HEAD + b'\r\n{"ok":true}', close=True)
        self.assertEqual((response.status, response.body), (200, b'{"ok":true}'))

    def test_case_287_octets_on_an_idle_connection(self):
        self.provider.answers["mock-good"] = ([GOOD], False)
        late = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"
        response = self.answer(GOOD, late)
        self.assertEqual((response.status, response.body), (200, b'{"ok":true}'))

    def test_case_288_body_where_none_may_be(self):
        response = self.answer(b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno")
        self.assertEqual((response.status, response.body), (204, b""))

    def test_case_311_wild_retry_after(self):
        for value, kept in ((b"1000000000", None), (b"-5", None), (b"soon", None), (b"7", "7")):
            head = b"HTTP/1.1 429 Slow Down\r\nContent-Type: application/json\r\nRetry-After: " + value
            response = self.answer(head + b"\r\nContent-Length: 2\r\n\r\n{}")
            self.assertEqual(response.status, 429)
            self.assertEqual(response.header("retry-after"), kept, value)

    def test_case_307_event_framings(self):
        """Line ends, comments, byte order marks, split anywhere: the client gets the very octets."""
        events = (
            b"\xef\xbb\xbf: comment\n\n"
            b'data:{"choices":[{"index":0,"delta":{"content":"\xc3\xa9\xf0\x9f\x98\x80"}}]}\n\n'
            b'event: x\r\ndata: {"a":1,\r\ndata: "b":2}\r\n\r\n'
            b"id: 7\rdata: {}\r\r"
            b'retry: 10\n\ndata: {"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
            b"data: [DONE]\n\n"
        )
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        for size in (1, 2, 5, len(events)):
            cut = [events[at : at + size] for at in range(0, len(events), size)]
            chunks = [b"%x\r\n%s\r\n" % (len(piece), piece) for piece in cut]
            response = self.answer(head, *chunks, b"0\r\n\r\n", stream=True)
            self.assertEqual((response.status, response.body), (200, events), size)

    def test_case_308_endless_event(self):
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        before = self.hostile.resident_octets()
        with self.assertRaises(support.PeerClosed):
            self.answer(head, *[b"x" * 100_000] * 1000, close=True, stream=True)
        self.assertLess(self.hostile.resident_octets() - before, (16 << 20) * SLACK)

    def test_answer_before_the_request_is_whole(self):
        """A provider may refuse early; its answer is still the answer."""
        refusal = HEAD.replace(b"200 OK", b"400 Bad Request") + b'Content-Length: 11\r\n\r\n{"no":true}\n'
        response = self.answer(refusal, close=True)
        self.assertEqual((response.status, response.body), (400, b'{"no":true}'))


class SecondTry(GatewayTest):
    """Several upstreams in order: what is tried again, and what is not."""

    @classmethod
    def setUpClass(cls):
        cls.other = support.MockProvider()
        cls.addClassCleanup(cls.other.__exit__)
        super().setUpClass()
        both = "{ provider: other, order: 1 }, { provider: mock, order: 2 }"
        config = CONFIG.replace("providers:", "providers:\n  other: { kind: openai, private: true, api_keys: [ none ], "
                                f'base_url: "http://127.0.0.1:{cls.other.port}/v1" }}')
        config = config.replace("models:\n", f'models:\n  "both:*": {{ upstreams: [ {both} ] }}\n', 1)
        cls.gateway_of_two = support.Tollgate(config, **cls.filled, WORKERS=1)
        cls.addClassCleanup(cls.gateway_of_two.__exit__)

    def counts(self, model, **extra):
        self.mock.reset()
        self.other.reset()
        response = support.call("POST", self.gateway_of_two.url + CHAT, bearer(), chat(model, **extra))
        return response, (self.other.stats()["requests"], self.mock.stats()["requests"])

    def test_failures_go_to_the_next(self):
        for status in (429, 500, 503):
            response, counts = self.counts(f"both:status-{status}")
            self.assertEqual((response.status >= 400, counts), (True, (1, 1)), status)
            self.assertEqual(response.header("x-tollgate-attempts") or "2", "2")

    def test_the_clients_own_fault_does_not(self):
        for status in (400, 404, 413, 422):
            response, counts = self.counts(f"both:status-{status}")
            self.assertEqual((response.status, counts), (status, (1, 0)))

    def test_nothing_after_the_first_octet(self):
        connection = support.Connection("127.0.0.1", self.gateway_of_two.api_port)
        self.addCleanup(connection.close)
        self.mock.reset()
        connection.request("POST", CHAT, bearer(), chat("both:close-after-2", stream=True))
        with self.assertRaises(support.PeerClosed):
            list(connection.sse(connection.read_head()))
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_provider_gone(self):
        port = self.other.port
        response, counts = self.counts("both:plain")
        self.assertEqual((response.status, counts), (200, (1, 0)))
        self.other.kill()
        for _ in range(3):
            response = support.call("POST", self.gateway_of_two.url + CHAT, bearer(), chat("both:plain"))
            self.assertEqual((response.status, response.header("x-tollgate-upstream")), (200, "mock"))
        type(self).other = support.MockProvider("--port", str(port))
        type(self).addClassCleanup(self.other.__exit__)
        response, counts = self.counts("both:plain")
        self.assertEqual((response.status, counts), (200, (1, 0)), "it is used again as soon as it is back")


if __name__ == "__main__":
    unittest.main()
