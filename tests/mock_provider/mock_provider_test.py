"""The mock provider does what its model names say: other tests rest on that."""

import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support" / "py"))

import tollgate_test as support  # noqa: E402: found by the line above


def chat(model, content="Hello", **extra):
    return {"model": model, "messages": [{"role": "user", "content": content}], **extra}


class MockTest(unittest.TestCase):
    options = []

    @classmethod
    def setUpClass(cls):
        cls.mock = support.MockProvider(*cls.options)
        cls.addClassCleanup(cls.finish)

    @classmethod
    def finish(cls):
        code, log = cls.mock.stop(), cls.mock.log
        cls.mock.__exit__()
        assert code == 0, f"exit code {code}\n{log}"

    def setUp(self):
        self.mock.reset()

    def connect(self):
        connection = support.Connection("127.0.0.1", self.mock.port)
        self.addCleanup(connection.close)
        return connection

    def ask(self, model, **extra):
        """Sends the question on a connection of its own and returns that."""
        connection = self.connect()
        connection.request("POST", "/v1/chat/completions", {}, chat(model, **extra))
        return connection

    def stream(self, model, **extra):
        connection = self.ask(model, stream=True, **extra)
        response = connection.read_head()
        self.assertEqual(response.header("content-type"), "text/event-stream; charset=utf-8")
        return connection, response


class Answers(MockTest):
    def test_same_question_same_octets(self):
        answers = {self.ask("plain").read_response().body for _ in range(3)}
        self.assertEqual(len(answers), 1)
        self.assertEqual(self.mock.stats()["requests"], 3)
        self.assertEqual(len({self.ask("unique").read_response().json()["id"] for _ in range(3)}), 3)

    def test_usage(self):
        answer = self.ask("tokens-5+cached-1+reasoning-2", content="x" * 9).read_response().json()
        usage = answer["usage"]
        self.assertEqual((usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]), (3, 7, 10), usage)
        self.assertEqual(usage["prompt_tokens_details"]["cached_tokens"], 1)
        self.assertEqual(len(answer["choices"][0]["message"]["content"].split()), 5)
        self.assertNotIn("usage", self.ask("nousage").read_response().json())
        for word, told in (("usage-negative", -7), ("usage-absurd", 10**15)):
            usage = self.ask("tokens-5+" + word).read_response().json()["usage"]
            self.assertEqual((usage["prompt_tokens"], usage["completion_tokens"]), (told, told))
        stats = self.mock.stats()
        self.assertGreaterEqual(stats["prompt_tokens"], 3)

    def test_max_tokens_cuts(self):
        cut = self.ask("tokens-50", max_tokens=7).read_response().json()
        self.assertEqual((cut["usage"]["completion_tokens"], cut["choices"][0]["finish_reason"]), (7, "length"))
        whole = self.ask("tokens-50+nocap", max_tokens=7).read_response().json()
        self.assertEqual(whole["usage"]["completion_tokens"], 50)

    def test_size(self):
        for size in (1, 20, 5000):
            content = self.ask(f"size-{size}").read_response().json()["choices"][0]["message"]["content"]
            self.assertEqual(len(content), size)
            connection, response = self.stream(f"size-{size}")
            chunks = [event.json() for event in connection.sse(response) if event.data != "[DONE]"]
            self.assertEqual("".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks), content)

    def test_stream_ends_in_one_write_with_done(self):
        connection, response = self.stream("tokens-2", stream_options={"include_usage": True})
        events = list(connection.sse(response))
        self.assertEqual([len(e.json()["choices"]) for e in events[:-1]], [1, 1, 1, 1, 0])
        self.assertEqual(events[-1].data, "[DONE]")
        self.assertEqual(self.mock.last_stream_times()["ended"], True)
        self.assertEqual(len(self.mock.last_stream_times()["times_ns"]), 6)

    def test_pace_and_stamp(self):
        connection, response = self.stream("tokens-3+pace-20+stamp")
        events = list(connection.sse(response))
        stamps = [int(e.json()["choices"][0]["delta"]["content"][2:]) for e in events[1:4]]
        for stamp, event in zip(stamps, events[1:4]):
            self.assertLess(stamp, event.arrived_ns)
        for earlier, later in zip(stamps, stamps[1:]):
            self.assertGreaterEqual(later - earlier, 15_000_000, stamps)
        times = self.mock.last_stream_times()["times_ns"]
        self.assertEqual(len(times), len(events))
        self.assertEqual(times[-1], times[-2], "[DONE] leaves with the last chunk")

    def test_slow(self):
        started = time.monotonic_ns()
        response = self.ask("slow-50").read_response()
        self.assertGreaterEqual(response.first_octet_ns - started, 50_000_000)

    def test_responses_events_are_numbered(self):
        connection = self.connect()
        connection.request("POST", "/v1/responses", {}, {"model": "m", "input": "Hello", "stream": True})
        events = list(connection.sse(connection.read_head()))
        self.assertEqual([e.json()["sequence_number"] for e in events], list(range(len(events))))
        self.assertEqual([e.event for e in events], [e.json()["type"] for e in events])
        self.assertEqual(events[-1].event, "response.completed")
        self.assertIsInstance(events[-1].json()["response"]["usage"], dict)

    def test_status_and_retry_after(self):
        response = self.ask("status-429").read_response()
        self.assertEqual((response.status, response.header("retry-after")), (429, "2"))
        self.assertEqual(self.ask("status-503").read_response().json()["error"]["code"], "server_is_overloaded")


class Framing(MockTest):
    def test_pipelined_requests(self):
        connection = self.connect()
        for number in range(3):
            connection.request("POST", "/v1/chat/completions", {}, chat("slow-10", content=str(number)))
        contents = {connection.read_response().json()["id"] for _ in range(3)}
        self.assertEqual(self.mock.stats()["completed"], 3)
        self.assertEqual(len(contents), 3)

    def test_chunked_request_in_pieces(self):
        body = json.dumps(chat("plain")).encode()
        connection = self.connect()
        connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for octet in body:
            connection.send(b"1\r\n%c\r\n" % octet)
        connection.send(b"0\r\n\r\n")
        self.assertEqual(connection.read_response().status, 200)
        (recorded,) = self.mock.requests()
        self.assertEqual(recorded["body"], body)

    def test_doubtful_requests_are_refused(self):
        heads = [
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
            b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n0",
            b"GET / HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nbroken\r\n\r\n",
            b"GET a HTTP/1.1\r\nHost: a\r\n\r\n",
        ]
        for head in heads:
            connection = self.connect()
            connection.send(head)
            response = connection.read_response()
            self.assertEqual((response.status, response.header("connection")), (400, "close"), head)
        self.assertEqual(self.mock.stats()["bad_requests"], len(heads))

    def test_expect_continue(self):
        body = json.dumps(chat("plain")).encode()
        connection = self.connect()
        connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n")
        connection.send(b"Content-Length: %d\r\n\r\n" % len(body))
        connection.receive()
        self.assertEqual(bytes(connection.buffer), b"HTTP/1.1 100 Continue\r\n\r\n")
        connection.send(body)
        response = connection.read_response()
        self.assertEqual((response.interim, response.status), ([100], 200))

    def test_recorded_request(self):
        connection = self.connect()
        octets = b"GET /v1/models?a=b HTTP/1.1\r\nHost: h\r\nX-Odd: \xe9\r\n\r\n"
        connection.send(octets)
        connection.read_response()
        (recorded,) = self.mock.requests(last=1)
        self.assertEqual(recorded["raw_head"].encode("latin-1"), octets)
        self.assertEqual((recorded["method"], recorded["path"]), ("GET", "/v1/models?a=b"))
        self.assertEqual(self.mock.stats()["by_path"], {"/v1/models": 1})


class Faults(MockTest):
    def test_connection_ends(self):
        self.assertEqual(self.ask("close").wait_closed(), "fin")
        self.assertEqual(self.ask("reset").wait_closed(), "rst")
        connection = self.ask("keepalive-close")
        response = connection.read_response()
        self.assertEqual((response.status, response.header("connection")), (200, None))
        self.assertEqual(connection.wait_closed(), "fin")
        self.assertEqual(self.mock.stats()["aborted"], 0)

    def test_stream_breaks_after_events(self):
        for model, error in (("close-after-2", support.PeerClosed), ("badchunk-after-2", support.ProtocolError)):
            connection, response = self.stream(model)
            events = []
            with self.assertRaises(error, msg=model):
                for event in connection.sse(response):
                    events.append(event)
            self.assertEqual(len(events), 2, model)

    def test_hangs_until_the_client_leaves(self):
        for model in ("hang", "hang-after-2"):
            connection = self.ask(model, stream=True)
            self.mock.wait(requests=1)
            if model != "hang":
                events = connection.sse(connection.read_head())
                self.assertEqual(len([next(events), next(events)]), 2)
            self.assertIsNone(connection.wait_closed(timeout=0.1))
            before = time.monotonic_ns()
            connection.close()
            stats = self.mock.wait(aborted=1, connections_open=0)
            self.assertGreaterEqual(stats["last_abort_ns"], before)
            self.mock.reset()

    def test_client_leaves_a_stream(self):
        connection, response = self.stream("tokens-1000+pace-20")
        next(connection.sse(response))
        connection.close()
        self.assertLess(self.mock.wait(aborted=1)["last_abort_ms_ago"], 1000)

    def test_stream_without_done_and_with_error(self):
        connection, response = self.stream("tokens-1+nodone")
        self.assertEqual(list(connection.sse(response))[-1].json()["choices"][0]["finish_reason"], "stop")
        connection, response = self.stream("error-after-2")
        events = list(connection.sse(response))
        self.assertEqual(len(events), 3)
        self.assertIn("error", events[-1].json())

    def test_lengths_that_lie(self):
        with self.assertRaises(support.PeerClosed):
            self.ask("badlength").read_response()
        with self.assertRaisesRegex(support.ProtocolError, "both length and transfer coding"):
            self.ask("te-cl").read_response()
        connection = self.ask("extra")
        self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(connection.read_response().json(), {"poison": True})

    def test_unusual_heads(self):
        self.assertEqual(self.ask("continue").read_response().interim, [100, 103])
        self.assertEqual(len(self.ask("many-continue").read_response().interim), 10_000)
        old = self.ask("http10").read_response()
        self.assertEqual((old.version, old.header("content-length")), ("1.0", None))
        self.assertEqual(old.json()["object"], "chat.completion")
        self.assertGreater(len(self.ask("bigheader").read_response().header("x-big")), 9000)
        self.assertEqual(self.ask("redirect").read_response().status, 302)
        self.assertEqual(self.ask("html").read_response().header("content-type"), "text/html")
        self.assertIsNotNone(self.ask("setcookie").read_response().header("set-cookie"))

    def test_trickle(self):
        connection = self.ask("trickle+tokens-1")
        connection.receive()
        self.assertLess(len(connection.buffer), 20, bytes(connection.buffer))
        self.assertEqual(connection.read_response().status, 200)

    def test_slow_reader_holds_the_stream_back(self):
        before = self.mock.resident_octets()
        connection, _ = self.stream("size-200000000")
        self.mock.wait(requests=1)
        other = self.ask("plain").read_response()  # the one thread still answers others
        self.assertEqual(other.status, 200)
        self.assertLess(self.mock.resident_octets() - before, 20_000_000)
        connection.close()
        self.mock.wait(aborted=1)


class Control(MockTest):
    options = ["--require-key", "secret", "--threads", "2", "--record-max", "3"]

    def test_key(self):
        self.assertEqual(self.ask("plain").read_response().status, 401)
        connection = self.connect()
        connection.request("POST", "/v1/chat/completions", {"authorization": "Bearer secret"}, chat("plain"))
        self.assertEqual(connection.read_response().status, 200)

    def test_wait_times_out(self):
        response = support.call("GET", f"{self.mock.url}/__mock/wait?requests=1&timeout_ms=50")
        self.assertEqual(response.status, 408)

    def test_wait_is_woken(self):
        waiting = self.connect()
        waiting.request("GET", "/__mock/wait?requests=2&timeout_ms=10000")
        connections = [self.connect() for _ in range(2)]
        for connection in connections:
            connection.request("GET", "/v1/models")
            connection.read_response()
        self.assertEqual(waiting.read_response().json()["requests"], 2)

    def test_only_the_last_are_recorded(self):
        connection = self.connect()
        for number in range(5):
            connection.request("GET", f"/v1/models/{number}")
            connection.read_response()
        self.assertEqual([r["path"] for r in self.mock.requests()], [f"/v1/models/{n}" for n in (2, 3, 4)])
        stats = self.mock.stats()
        self.assertEqual((stats["connections_opened"], stats["connections_open"]), (1, 1), "control is not counted")

    def test_a_taken_port_is_an_error(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            with self.assertRaisesRegex(RuntimeError, "cannot listen"):
                support.MockProvider("--port", str(taken.getsockname()[1]))


class Tls(unittest.TestCase):
    def test_same_answers(self):
        with tempfile.TemporaryDirectory() as folder:
            cert, key = f"{folder}/cert.pem", f"{folder}/key.pem"
            make = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1"
            names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
            subprocess.run([*make.split(), *names, "-keyout", key, "-out", cert], check=True, capture_output=True)
            trust = ssl.create_default_context(cafile=cert)
            with support.MockProvider("--tls-cert", cert, "--tls-key", key) as mock:
                mock.tls, mock.url = trust, mock.url.replace("http:", "https:")
                with support.Connection("127.0.0.1", mock.port, tls=trust, server_name="localhost") as connection:
                    connection.request("POST", "/v1/chat/completions", {}, chat("size-3000000"))
                    size = len(connection.read_response().json()["choices"][0]["message"]["content"])
                    connection.request("POST", "/v1/chat/completions", {}, chat("tokens-3", stream=True))
                    events = list(connection.sse(connection.read_head()))
                self.assertEqual((size, len(events)), (3_000_000, 6))
                self.assertEqual(mock.stats()["completed"], 2)


if __name__ == "__main__":
    unittest.main()
