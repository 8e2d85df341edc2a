"""Sends the corpus to a gateway, as tests/corpus/README.md says, and judges what comes back and what went upstream."""

import concurrent.futures
import pathlib
import ssl
import subprocess
import tempfile

from common import CHAT, KEY, GatewayTest, support

import corpus

CONNECTIONS = 16  # at once; they take turns octet by octet, so that the gateway sees octets, not buffers
UPSTREAM_FIELDS = {
    "host", "authorization", "accept", "accept-encoding", "user-agent", "via", "content-type", "content-length",
}


def request(body, *, path=CHAT, kind="application/json"):
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\nContent-Type: {kind}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def send_all(connection, pieces):
    """The peer may refuse on the way; what it said is read afterwards."""
    try:
        for piece in pieces:
            connection.send(piece)
    except (ConnectionError, ssl.SSLError):
        pass


def check(condition, case, *facts):
    if not condition:
        raise AssertionError(f"{case.about}\nmust {case.keys['must']}: " + "; ".join(map(str, facts)))


def read_answers(connection, case, method):
    """The answers of one case, checked; the last one is returned, None where none may come."""
    response = None
    for allowed in case.answers:
        response = connection.read_response(method=method)
        shown = f"{response.raw_head!r} {response.body[:500]!r}"
        good = 200 <= response.status < 300 if allowed is None else response.status in allowed
        check(good, case, shown)
        if response.status == 405:
            check(response.header("allow") is not None, case, "405 without Allow", shown)
        if response.status == 426:
            check(response.header("upgrade") == "HTTP/1.1", case, "426 without Upgrade", shown)
    return response


def check_end(connection, case, response):
    """Whether the connection goes on is said in the answer, and so it is."""
    options = [word.strip() for word in ((response and response.header("connection")) or "").split(",")]
    if not case.closes:
        check("close" not in options, case, "the connection has to go on", response.raw_head)
        return
    check(response is None or "close" in options, case, "the answer does not say close", response and response.raw_head)
    check(connection.wait_closed() in ("fin", "rst"), case, "the connection stays open")
    check(not connection.buffer, case, "octets after the end", bytes(connection.buffer))


def make_certificate(folder):
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-keyout", key, "-out", cert, "-days", "30", "-subj", "/CN=corpus", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


def with_tls(config):
    return config.replace("half_close: @HALF_CLOSE@,", 'half_close: @HALF_CLOSE@, tls: { cert: "@CERT@", key: "@CERT_KEY@" },')


class Replay(GatewayTest):
    tls = None  # the client's context

    def dial(self):
        return support.Connection("127.0.0.1", self.gateway.api_port, tls=self.tls, timeout=30)

    def replay(self, cases, play):
        """Plays all cases, many at a time; every failure is told."""
        with concurrent.futures.ThreadPoolExecutor(CONNECTIONS) as pool:
            played = [(case, pool.submit(play, case)) for case in cases]
            for case, future in played:
                with self.subTest(case=case.name):
                    try:
                        future.result()
                    except (support.ProtocolError, OSError) as failure:
                        self.fail(f"{case.about}: {failure!r}")
        with self.dial() as connection:
            connection.send(request(b'{"model":"mock-health","messages":[]}'))
            self.assertEqual(connection.read_response().status, 200, "the gateway is well after all of them")

    def check_upstream_heads(self, recorded):
        """Every head the provider got was built from nothing: known fields, each once, the length that is right."""
        for one in recorded:
            line, fields = self.head_lines(one)
            names = [name.lower() for name, _ in fields]
            self.assertEqual(line, f"POST {CHAT} HTTP/1.1")
            self.assertEqual(len(names), len(set(names)), one["raw_head"])
            self.assertLessEqual(set(names), UPSTREAM_FIELDS, one["raw_head"])
            self.assertIn(("Content-Length", str(len(one["body"]))), fields, one["raw_head"])


class OverTls(Replay):
    @classmethod
    def setUpClass(cls):
        folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.cert, cls.cert_key = make_certificate(folder)
        cls.config = with_tls(cls.config)
        cls.values = {**cls.values, "CERT": cls.cert, "CERT_KEY": cls.cert_key}
        cls.tls = ssl.create_default_context(cafile=cls.cert)
        super().setUpClass()


__all__ = ["OverTls", "Replay", "check", "check_end", "corpus", "make_certificate", "read_answers", "request", "send_all",
           "support", "with_tls"]
