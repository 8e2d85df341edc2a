"""Cases 278 to 312: providers that lie, break off or attack, for JSON and for streams, in three segmentations, clear and TLS."""

import contextlib
import socket
import ssl
import threading
import unittest

from corpus_replay import OverTls, Replay, check, corpus, support

from common import CHAT, CONFIG, bearer, chat
from hostile import SLACK

CASES = corpus.read("responses")
LARGE = 64 * 1024  # larger ones are not sent octet by octet
GOOD = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}'


def entity(octets):
    """The body of the first answer that is none of 1xx, without its framing; None if it has no status to be passed on."""
    while octets[9:10] == b"1":
        octets = octets.partition(b"\r\n\r\n")[2]
    head, _, rest = octets.partition(b"\r\n\r\n")
    fields = head.lower()
    if head[9:12] in (b"204", b"304"):
        return b""
    if b"transfer-encoding: chunked" in fields:
        body = b""
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            if not (count := int(size, 16)):
                return body
            body, rest = body + rest[:count], rest[count + 2 :]
        return body
    at = fields.find(b"content-length: ")
    return rest if at < 0 else rest[: int(fields[at + 16 :].split(b"\r\n")[0])]


class Scripted(threading.Thread):
    """Answers every request with `script`, octets in pieces and what to do then, and notes on which connection it came: a
    call may be repeated where nothing was answered."""

    def __init__(self, tls=None):
        super().__init__(daemon=True)
        self.tls = tls
        self.script = ((), None)
        self.changed = threading.Condition()
        self.answering = 0
        self.calls = []  # numbers of connections
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        number = 0
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            number += 1
            threading.Thread(target=self.serve, args=(connection, number), daemon=True).start()

    def serve(self, connection, number):
        connection.settimeout(30)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while self.read_request(stream):
                    pieces, then = self.script
                    with self.noted(number):
                        self.answer(connection, pieces)
                    if then == "close":
                        self.end(connection)
                        return
        except OSError:
            return

    @contextlib.contextmanager
    def noted(self, number):
        with self.changed:
            self.calls.append(number)
            self.answering += 1
        yield
        with self.changed:
            self.answering -= 1
            self.changed.notify_all()

    def last_connection(self):
        """The number of the connection that was last answered on, once all was sent there."""
        with self.changed:
            if not self.changed.wait_for(lambda: self.answering == 0, timeout=30):
                raise TimeoutError("the provider still sends")
            return self.calls[-1]

    @staticmethod
    def read_request(stream):
        length = 0
        for line in iter(stream.readline, b"\r\n"):
            if not line:
                return False
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        return len(stream.read(length)) == length

    @staticmethod
    def answer(connection, pieces):
        try:
            for piece in pieces:
                connection.sendall(piece)
        except OSError:
            pass  # who was refused early has seen enough

    def end(self, connection):
        if self.tls is None:
            return
        try:
            connection.unwrap()  # close_notify: an end without it is no end of a body
        except OSError:
            pass

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Responses(Replay):
    @classmethod
    def provider_context(cls):
        """The provider's side of TLS; None without."""
        return None

    @classmethod
    def setUpClass(cls):
        cls.provider = Scripted(cls.provider_context())
        cls.addClassCleanup(cls.provider.stop)
        cls.values = {**cls.values, "WORKERS": 1, "SCRIPTED": cls.provider.port}
        cls.config = cls.config.replace("127.0.0.1:@MOCK@", "127.0.0.1:@SCRIPTED@")
        super().setUpClass()

    def ask(self, connection, how):
        if how == "head":
            connection.request("HEAD", "/v1/files", bearer())
        elif how == "completion":
            connection.request("POST", "/v1/completions", bearer(), {"model": "text-davinci-003", "prompt": "x"})
        else:
            connection.request("POST", CHAT, bearer(), chat("mock-scripted", stream=how == "stream"))

    def read_whole(self, connection, case, how):
        """The answer, and the octets of its body up to where it broke off; whether it ended as it should."""
        response = connection.read_head()
        check(response.interim == [], case, "a provider's interim answer reached the client")
        body = b""
        try:
            for piece in connection.body_pieces(response, method="HEAD" if how == "head" else "POST"):
                body += piece
        except (support.PeerClosed, ConnectionError):
            return response, body + bytes(connection.buffer), False
        return response, body, True

    def judge(self, case, how, response, body, whole):
        must = case.keys["must"]
        shown = f"{how}: {response.raw_head!r} {body[:300]!r} whole={whole}"
        if must == "broken" and response.status == 200:
            check(not whole, case, shown)
            if how == "stream":
                check(b'"error"' in body[-2000:], case, "no error event", shown)
                check(b"[DONE]" not in body or b"[DONE]" in case.octets, case, "an invented [DONE]", shown)
            return
        check(whole, case, shown)
        if must == "ok":
            check(200 <= response.status < 300, case, shown)
            sent = b"" if how == "head" else entity(case.octets)
            check(self.passed(sent, body), case, shown, sent[:300])
        else:
            check(response.status == int(must if must != "broken" else 502), case, shown)
            if "word" in case.keys:
                check(case.keys["word"].encode() in body, case, shown)
        for pair in case.keys.get("headers", "").split():
            name, _, value = pair.partition("=")
            check((response.header(name) or "") == value, case, name, shown)

    @staticmethod
    def passed(sent, got):
        """Octet for octet; a stream is over with [DONE], whatever comes behind it."""
        end = b"data: [DONE]\n\n"
        return got == sent or (end in sent and sent.startswith(got) and end in got)

    def play_one(self, case, how, cut):
        provider = self.provider
        provider.script = (cut(case.octets) if case.octets else [], case.keys.get("then"))
        with self.dial() as connection:
            self.ask(connection, how)
            self.judge(case, how, *self.read_whole(connection, case, how))
        first = provider.last_connection()
        provider.script = ([GOOD], None)
        with self.dial() as connection:
            self.ask(connection, "json")
            response = connection.read_response()
            check((response.status, response.body) == (200, b'{"ok":true}'), case, "the next answer", response.body)
        second = provider.last_connection()
        if pool := case.keys.get("pool"):
            check((first == second) == (pool == "kept"), case, f"the connection must be {pool}")

    def run_all(self, segmentation, limit):
        cut = corpus.SEGMENTATIONS[segmentation]
        played = 0
        for case in CASES:
            if len(case.octets) > limit:
                continue
            for how in case.keys["asks"].split():
                with self.subTest(case=case.name, how=how):
                    try:
                        self.play_one(case, how, cut)
                    except (support.ProtocolError, OSError) as failure:
                        self.fail(f"{case.about} {how}: {failure!r}")
                played += 1
        return played


class Clear(Responses):
    def test_one_write(self):
        before = self.gateway.resident_octets()
        self.assertGreater(self.run_all("one write", 1 << 30), 90)
        self.assertLess(self.gateway.resident_octets() - before, (64 << 20) * SLACK)

    def test_after_each_crlf(self):
        self.assertGreater(self.run_all("after each CRLF", 1 << 20), 90)

    def test_octet_by_octet(self):
        self.assertGreater(self.run_all("octet by octet", LARGE), 85)

    def test_the_corpus_is_whole(self):
        self.assertEqual(corpus.numbers(CASES), set(range(278, 313)))


class Tls(OverTls, Clear):
    config = CONFIG.replace('"http://127.0.0.1:@MOCK@/v1"', '"https://127.0.0.1:@MOCK@/v1", ca_file: "@CERT@"')

    @classmethod
    def provider_context(cls):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cls.cert, cls.cert_key)
        return context


if __name__ == "__main__":
    unittest.main()
