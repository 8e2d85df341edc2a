"""Much of something costs little (reliability T3): cases 225-230, 233, 244, 261, 262, 271 and the rows of its §3 that
are about volume. The answer comes before the volume, memory stays bounded and comes back, time is linear."""

import fcntl
import pathlib
import random
import socket
import ssl
import string
import struct
import tempfile
import termios
import time
import unittest

from common import CHAT, CONFIG, GET_MODELS, KEY, GatewayTest, chat, chat_message, message, octets, poll, support
from hostile import (
    MIB,
    PIECE,
    SLACK,
    UNSTOPPABLE,
    Flood,
    cost_of,
    kernel_queues,
    pour_together,
    served_connections,
)
from test_tls import make_certificate

CROWD = 20
# What may stay: the allocator keeps what has been in use at one time, a connection's 64 KiB of read-ahead.
KEPT = CROWD * 64 * 1024 + 2 * MIB
HUNDRED = 100 * MIB
FIXED = [("Authorization", f"Bearer {KEY}"), ("Content-Type", "application/json")]
TRAILERS = b"XA: " + b"v" * 90 + b"\r\n"


def head(*fields, target=CHAT):
    return message(target=target, headers=[*FIXED[:1], *fields])


def form_head(boundary, *more):
    return head(("Content-Type", f"multipart/form-data; boundary={boundary}"), *more, target="/v1/audio/transcriptions")


CHUNKED = ("Transfer-Encoding", "chunked")
FORM = form_head("b", CHUNKED) + b"7fffffff\r\n"
PART = b'--b\r\nContent-Disposition: form-data; name="f"\r\n\r\n\r\n'
GZIP = ("Content-Encoding", "gzip")

CHUNKED_CHAT = head(FIXED[1], CHUNKED)
GET_HEAD = GET_MODELS[:-2]

# Heads are limited as far as the configuration goes, so that 230 meets the largest one.
FLOODS = {
    "225 lines without end": Flood(b"GET / HTTP/1.1\r\nX", b"A: v\r\nX" * 9000, HUNDRED, (431,)),
    "225 line by line": Flood(b"GET / HTTP/1.1\r\nX", b"A: v\r\nX", HUNDRED, (431,), pace=0.002),
    "226 chunk extension": Flood(CHUNKED_CHAT + b"5;a=", b"b" * PIECE, HUNDRED, (400,)),
    "227 zeros of a chunk size": Flood(CHUNKED_CHAT, b"0" * PIECE, HUNDRED, (400,)),
    "228 trailers": Flood(CHUNKED_CHAT + b"0\r\n", TRAILERS * 600, HUNDRED, (431,)),
    "229 one trailer": Flood(CHUNKED_CHAT + b"0\r\nX: ", b"v" * PIECE, HUNDRED, (431,)),
    "230 one field": Flood(GET_HEAD + b"X: ", b"v" * PIECE, HUNDRED, (431,)),
    "271 list of a field": Flood(GET_HEAD + b"Accept: ", b"text/plain;q=0.1, " * 3600, HUNDRED, (431,)),
    "request line": Flood(b"GET /", b"a" * PIECE, HUNDRED, (414,)),
    "method": Flood(b"G", b"G" * PIECE, HUNDRED, (400, 501)),
    "empty lines": Flood(b"\r\n", b"\r\n" * (PIECE // 2), HUNDRED, (400,)),
    "nothing but octets": Flood(b"\x80", b"\x80" * PIECE, HUNDRED, (400, 501)),
    "261 boundary": Flood(head(("Content-Type", "multipart/form-data; boundary=" + "-" * 30_000), CHUNKED,
                               target="/v1/audio/transcriptions"), b"1\r\n-\r\n" * 9000, HUNDRED, (415,)),
    "261 parts": Flood(FORM, PART * 1000, HUNDRED, (400,)),
    "261 part head": Flood(FORM + b"--b\r\nX: ", b"v" * PIECE, HUNDRED, (400,)),
    "261 preamble": Flood(FORM, b"-" * PIECE, HUNDRED, (400,)),
    "261 model": Flood(FORM +
                       b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n', b"m" * PIECE, HUNDRED, (400,)),
    "262 compressed": Flood(head(FIXED[1], GZIP, CHUNKED), b"1000\r\n" + b"\0" * 4096 + b"\r\n", HUNDRED, (415,)),
    "§3 19 announced": Flood(head(FIXED[1], ("Content-Length", HUNDRED)), b"[0" * (PIECE // 2), HUNDRED, (413,)),
    "401 with a body": Flood(message(headers=[FIXED[1], CHUNKED]), b"1\r\nx\r\n" * 9000, HUNDRED, (401,)),
    "404 with a body": Flood(head(FIXED[1], CHUNKED, target="/nowhere"), b"1\r\nx\r\n" * 9000, HUNDRED, (404,)),
}
# Bodies of a legal size are held (design §7): these are refused once they are there, or once they are too large.
LARGE = 10 * MIB
GROWING = {
    "§3 19 chunked": Flood(head(FIXED[1], CHUNKED), b"1000\r\n" + b"[0," * 1365 + b" \r\n", HUNDRED, (413,)),
    "§3 57 image": Flood(head(FIXED[1], CHUNKED) + b'7fffffff\r\n{"image":"data:image/png;base64,', b"A" * PIECE, HUNDRED,
                         (413,)),
}
BODIES = {
    "16 open brackets": (b'{"x":' + b"[" * 1_000_000, "too_deep"),
    "19 a legal array of zeros": (b'{"model":"m","x":[' + b"0," * (LARGE // 2 - 30) + b"0]}", "too_many_values"),
    "28 keys": (b'{"model":"m",' + b",".join(b'"k%d":0' % i for i in range(500_000)) + b"}", "too_many_keys"),
    "37 integer": (b'{"model":"m","messages":[],"x":' + b"9" * 100_000 + b"}", "invalid_value"),
    "38 fraction": (b'{"model":"m","messages":[],"x":0.' + b"1" * 100_000 + b"}", "invalid_value"),
    "49 string without end": (b'{"model":"' + b"a" * (LARGE - 20), None),
    "50 model": (b'{"messages":[],"model":"' + b"a" * 10_000 + b'"}', None),
    "52 user": (b'{"model":"m","messages":[],"user":"' + b"\x1b" * 1_000_000 + b'"}', None),
    "54 nested arrays": (b'{"model":"m","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    "55 nested objects": (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "too_deep"),
    "56 messages": (octets({"model": "m", "messages": [{}] * 100_000}), None),
    "56 tools": (octets({"model": "m", "messages": [], "tools": [{"type": "function"}] * 10_000}), None),
    "58 logit_bias": (octets({"model": "m", "messages": [], "logit_bias": {str(i): 1 for i in range(700_000)}}), None),
    "58 stop": (octets({"model": "m", "messages": [], "stop": ["x"] * 10_000}), None),
}


class VolumeCase(GatewayTest):
    """Every test has a gateway of its own, whose high-water mark is that of its warm-up."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        make_certificate(cls.folder, "root")
        make_certificate(cls.folder, "server", signer="root")
        cls.client_tls = ssl.create_default_context(cafile=cls.folder / "root.crt")

    def started(self, *, tls=False, limits="field: 32KiB, head: 60KiB, request_line: 32KiB", **values):
        listen = "gone, connections_per_address: 10000"
        if tls:
            listen += f', tls: {{ cert: "{self.folder}/server.crt", key: "{self.folder}/server.key" }}'
        values = {"HALF_CLOSE": listen, "LIMITS": f"failed_keys: 1M, {limits}", "BODY_JSON": LARGE, "WORKERS": 2, **values}
        return support.Tollgate(CONFIG, **{**self.filled, **values})

    def open_to(self, gateway, tls=False):
        connection = support.Connection("127.0.0.1", gateway.api_port, tls=self.client_tls if tls else None, timeout=30)
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PIECE)
        return connection

    def warm_up(self, gateway, tls):
        connections = [self.open_to(gateway, tls) for _ in range(CROWD)]
        for connection in connections:
            connection.send(GET_MODELS + chat_message(octets(chat("mock-plain", "x" * 20_000))))
        for connection in connections:
            self.assertEqual([connection.read_response().status for _ in range(2)], [200, 200])
            connection.close()
        for _ in range(3):
            gateway.metrics()

    def judge_cost(self, cost, poured, allowed, kept):
        client = sum(result.cpu for result in poured)
        self.assertLess(cost.grown, CROWD * allowed * SLACK, "memory at the highest")
        self.assertLess(cost.kept, kept * SLACK, "memory afterwards")
        self.assertLess(cost.cpu, 100 * client + 0.5, "amplification of time")


class Floods(VolumeCase):
    def check(self, floods, tls, allowed=MIB, kept=KEPT, taken=0):
        """One gateway for all of them: what they leave behind adds up."""
        with self.started(tls=tls) as gateway:
            self.mock.reset()
            self.warm_up(gateway, tls)
            base = gateway.resident_octets()
            for label, flood in floods.items():
                with self.subTest(label):
                    with cost_of(gateway, base, kept) as cost:
                        poured = pour_together(lambda: self.open_to(gateway, tls), flood, CROWD)  # noqa: B023
                    for result in poured:
                        self.assertIsNotNone(result.response, "an answer")
                        self.assertIn(result.response.status, flood.statuses, result.response.body)
                        self.assertEqual(result.response.header("connection"), "close")
                        self.assertLess(result.sent, taken + UNSTOPPABLE)
                    self.judge_cost(cost, poured, allowed, kept)
            self.assertEqual(self.mock.stats()["by_model"], {"mock-plain": CROWD})

    def test_in_the_clear(self):
        self.check(FLOODS, tls=False)

    def test_over_tls(self):
        self.check(FLOODS, tls=True)

    def test_bodies_that_outgrow_their_cap(self):
        """Twice the cap, for the moment in which a growing body is copied; the allocator keeps two of their blocks."""
        for tls in (False, True):
            self.check(GROWING, tls, 2 * LARGE + MIB, KEPT + 2 * LARGE, LARGE)


class Bodies(VolumeCase):
    def test_rows_of_the_json_catalogue(self):
        for label, (body, code) in BODIES.items():
            with self.subTest(label), self.started() as gateway:
                self.warm_up(gateway, False)
                whole = chat_message(body)
                with cost_of(gateway, gateway.resident_octets(), KEPT + 2 * LARGE) as cost:
                    poured = pour_together(lambda: self.open_to(gateway), Flood(whole, b"", len(whole), ()), CROWD)  # noqa: B023
                for result in poured:
                    self.assertIsNotNone(result.response, "an answer")
                    self.assert_error(result.response, 400, code=code)
                self.judge_cost(cost, poured, len(body) + MIB, KEPT + 2 * LARGE)  # a block of each worker's stays

    def test_case_261_time_for_a_form_is_linear(self):
        """Lines that are nearly the boundary, in every way: twice the octets cost no more than twice the time."""
        boundary = "b" * 70
        nearly = b"".join(b"\r\n--" + b"b" * length + b"c" for length in range(70)) + b"\r" * 100
        times = []
        with self.started() as gateway:
            for size in (4 * MIB, 16 * MIB):
                body = (f"--{boundary}\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\n".encode()
                        + nearly * (size // len(nearly)) + f"\r\n--{boundary}x".encode())
                before = gateway.cpu_ns()
                response = support.call("POST", gateway.url + "/v1/audio/transcriptions",
                                        {"authorization": f"Bearer {KEY}",
                                         "content-type": f"multipart/form-data; boundary={boundary}"}, body)
                self.assert_error(response, 400, code="invalid_multipart")
                times.append(gateway.cpu_ns() - before)
        self.assertLess(times[1], 4 * times[0] * 3, "four times the octets, with room for the machine's noise")


class Connections(VolumeCase):
    SILENT = 4000
    OCTETS_EACH = 5 * 1024  # of a silent connection

    def test_case_233_silent_connections_are_cheap_and_end(self):
        addresses = [f"127.0.0.{number}" for number in range(2, 10)]
        with self.started(limits="head_time: 4s") as gateway:
            self.warm_up(gateway, False)
            with cost_of(gateway, gateway.resident_octets()) as cost:
                base = gateway.metrics().value("process_open_fds")
                silent = [support.Connection("127.0.0.1", gateway.api_port, source=addresses[index % len(addresses)])
                          for index in range(self.SILENT)]
                poll(lambda: gateway.metrics().value("process_open_fds") >= base + self.SILENT, "all of them")
                for connection in silent:
                    self.assertEqual(connection.wait_closed(40), "fin")
                    self.assertEqual(bytes(connection.buffer), b"")
                    connection.close()
                poll(lambda: gateway.metrics().value("process_open_fds") <= base + 2, "their descriptors back")
        self.assertLess(cost.grown / self.SILENT, self.OCTETS_EACH * SLACK)

    def test_case_244_ten_thousand_requests_and_nobody_who_reads(self):
        """Read-ahead is what the gateway has taken beyond the requests it has begun."""
        request = chat_message(octets(chat("mock-size-20000")))
        for tls in (False, True):
            with self.subTest(tls=tls), self.started(tls=tls, limits="write_stall: 2s", WORKERS=1) as gateway:
                self.mock.reset()
                self.warm_up(gateway, tls)
                warm = self.mock.stats()
                with cost_of(gateway, gateway.resident_octets()) as cost:
                    connection = self.open_to(gateway, tls)
                    self.addCleanup(connection.close)
                    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    sent = self.send_until_stuck(connection, request * 10_000)
                    begun = self.mock.stats()["requests"] - warm["requests"]
                    if not tls:
                        taken = sent - self.unread(connection, gateway)
                        self.assertLessEqual(taken - begun * len(request), 64 * 1024, "read-ahead")
                    poll(lambda: served_connections(gateway.api_port) == 0, "the end of who does not read", 30)
                    connection.close()
                self.assertLess(begun, 5000, "most of them never began")
                self.assertLess(cost.grown, MIB * SLACK)
                poll(lambda: gateway.metrics().sum("tollgate_requests_in_flight") == 0, "no request left")
                stats = self.mock.stats()
                self.assertLessEqual(stats["requests"] - warm["requests"], begun + 1)
                self.assertEqual(stats["connections_opened"], warm["connections_opened"], "one call at a time")

    def send_until_stuck(self, connection, whole):
        """Octets that left; ends when nothing more goes for a while."""
        connection.socket.settimeout(0.5)
        view, sent = memoryview(whole), 0
        while sent < len(whole):
            try:
                sent += connection.socket.send(view[sent : sent + PIECE])
            except (TimeoutError, ssl.SSLWantWriteError):
                return sent
        self.fail("everything was taken although nothing was read")

    def unread(self, connection, gateway):
        """Octets that lie in the two kernels' buffers, between the client's write and the gateway's read."""
        here = struct.unpack("i", fcntl.ioctl(connection.socket, termios.TIOCOUTQ, b"\0" * 4))[0]
        return here + kernel_queues(gateway.api_port, connection.socket.getsockname()[1])[1]


class Cardinality(GatewayTest):
    """T24 and case 265: names that clients invent make no series and no room."""

    COUNT = 20_000
    values = {"HALF_CLOSE": "gone", "LIMITS": "failed_keys: 1M, requests: 1M"}

    def requests(self, dice):
        """One of everything a client can invent, without end."""
        word = lambda: "".join(dice.choices(string.ascii_letters + string.digits, k=12))  # noqa: E731
        while True:
            agent = ("User-Agent", f"{word()}/{dice.randrange(100)}.{dice.randrange(100)}")
            mine = ("Authorization", f"Bearer {KEY}")
            yield message("GET", f"/{word()}/{word()}?{word()}={word()}", [mine, agent])
            yield message("GET", f"/v1/models/{word()}", [mine, agent])
            yield message("GET", "/v1/models", [("Authorization", f"Bearer {word() * 3}"), agent])
            yield message(word().upper(), "/v1/models", [mine, agent])
            yield chat_message(octets(chat(word(), user=word(), metadata={word(): word()})), [agent])
            yield message("DELETE", f"/v1/files/{word()}", [mine, agent, ("X-Client-Request-Id", word())])
            yield message("GET", f"/v1/{word()}", [("Host", word())] * 2)

    def send(self, count, seed):
        """Pipelined; a refusal that ends the connection costs the rest of its batch."""
        source = self.requests(random.Random(seed))
        answered = 0
        while answered < count:
            connection = self.connect()
            try:
                connection.send(b"".join(next(source) for _ in range(50)))
                while True:
                    closes = connection.read_response().header("connection") == "close"
                    answered += 1
                    if closes:
                        break
            except (OSError, support.ProtocolError):
                pass
            connection.close()

    def series(self):
        return {(name, *sorted(labels.items())) for name, labels, _ in self.gateway.metrics().samples}

    def test_case_265_invented_names_add_no_series(self):
        self.send(200, 1)
        before, resident, logged = self.series(), self.gateway.resident_octets(), len(self.gateway.log)
        self.send(self.COUNT, 2)
        self.assertEqual(self.series() - before, set())
        begun = time.monotonic()
        support.call("GET", f"{self.gateway.metrics_url}/metrics")
        self.assertLess(time.monotonic() - begun, 10 * 0.1, "a scrape")
        self.assertLess(self.gateway.resident_octets() - resident, 4 * MIB * SLACK)
        self.assertLess((len(self.gateway.log) - logged) / self.COUNT, 1024, "octets of a line")


if __name__ == "__main__":
    unittest.main()
