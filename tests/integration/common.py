"""A gateway in front of the mock provider, and the questions tests ask it."""

import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support" / "py"))

import tollgate_test as support  # noqa: E402: found by the line above

KEY = "open-team-key-3f1c9a77b2d84e60"
NARROW_KEY = "narrow-team-key-91d0c3aa5e7742bf"
UPSTREAM_KEY = "upstream-account-key-7c1d5e20"
CHAT = "/v1/chat/completions"

# Model names say how the mock behaves; ":" separates its words. The first word chooses the row below.
CONFIG = """
version: 1
listen: { api: "@API@", metrics: "@METRICS@", workers: @WORKERS@, half_close: @HALF_CLOSE@, limits: { @LIMITS@ } }
store: { path: "@STORE@" }
providers:
  mock: { kind: openai, base_url: "http://127.0.0.1:@MOCK@/v1", api_keys: [ "@UPSTREAM_KEY@" ], private: true, default_for: [ files ] }
  refused: { kind: openai, base_url: "http://127.0.0.1:@REFUSED@/v1", api_keys: [ "none" ], private: true }
models:
  gpt-4o-mini: { aliases: [ small ], upstreams: [ { provider: mock, model: gpt-4o-mini } ] }
  renamed: { upstreams: [ { provider: mock, model: "mock-tokens-3" } ] }
  whisper-1: { aliases: [ ears ], upstreams: [ { provider: mock, model: whisper-1 } ] }
  tts-1: { upstreams: [ { provider: mock } ] }
  text-embedding-3-small: { upstreams: [ { provider: mock } ] }
  omni-moderation-latest: { upstreams: [ { provider: mock } ] }
  gpt-image-1: { upstreams: [ { provider: mock } ] }
  text-davinci-003: { upstreams: [ { provider: mock, model: gpt-4o-mini, via: chat } ] }
  mixed: { upstreams: [ { provider: mock, via: chat, order: 1 }, { provider: mock, order: 2 } ] }
  "mock-*": { upstreams: [ { provider: mock } ] }
  "org/team:*": { upstreams: [ { provider: mock } ] }
  "quick:*": { upstreams: [ { provider: mock } ], timeouts: { first_token: 400ms, idle: 400ms, total: 20s } }
  "short:*": { upstreams: [ { provider: mock } ], timeouts: { first_token: 10s, idle: 10s, total: 700ms } }
  "second:*": { upstreams: [ { provider: mock, order: 2 }, { provider: refused, order: 1 } ] }
  "dead:*": { upstreams: [ { provider: refused } ] }
teams:
  open: {}
  narrow: { models: [ gpt-4o-mini, "mock-plain*" ], contact: "#narrow-team" }
keys:
  - { id: k_open, team: open, secret: "@KEY@", routes: [ files ] }
  - { id: k_narrow, team: narrow, secret: "@NARROW_KEY@" }
body: { json: @BODY_JSON@, multipart: 64MiB, held: 256MiB }
drain: { delay: 0s, timeout: 5s }
"""


def chat(model="gpt-4o-mini", content="Hello", **extra):
    return {"model": model, "messages": [{"role": "user", "content": content}], **extra}


def bearer(key=KEY):
    return {"authorization": f"Bearer {key}"}


def message(method="POST", target=CHAT, headers=(), body=b"", *, version="1.1"):
    """A request as octets, with nothing that was not asked for but Host."""
    lines = [f"{method} {target} HTTP/{version}", "Host: gateway", *(f"{name}: {value}" for name, value in headers)]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chat_message(body, headers=(), *, key=KEY):
    """A complete chat request as octets."""
    fixed = [("Authorization", f"Bearer {key}"), ("Content-Type", "application/json"), ("Content-Length", len(body))]
    return message(headers=[*fixed, *headers], body=body)


GET_MODELS = message("GET", "/v1/models", [("Authorization", f"Bearer {KEY}")])


def send_until_refused(connection, pieces):
    """Sends on although the peer may have closed: what it answered before is read afterwards."""
    try:
        for piece in pieces:
            connection.send(piece)
    except ConnectionError:
        pass


def poll(probe, what, timeout=10.0):
    """Asks `probe` until it answers something true."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if result := probe():
            return result
        time.sleep(0.01)
    raise AssertionError(f"not within {timeout} s: {what}")


class GatewayTest(unittest.TestCase):
    """One gateway and one mock provider per class; the gateway must end well."""

    maxDiff = 4000
    config = CONFIG
    values = {}

    @classmethod
    def setUpClass(cls):
        cls.mock = support.MockProvider()
        cls.addClassCleanup(cls.mock.__exit__)
        cls.filled = {
            "HALF_CLOSE": "gone",
            "LIMITS": "failed_keys: 1M",
            "BODY_JSON": "32MiB",
            "KEY": KEY,
            "NARROW_KEY": NARROW_KEY,
            "UPSTREAM_KEY": UPSTREAM_KEY,
            "MOCK": cls.mock.port,
            "REFUSED": support.free_port(),
        }
        cls.gateway = support.Tollgate(cls.config, **{"WORKERS": 2, **cls.filled, **cls.values})
        cls.addClassCleanup(cls.finish)

    @classmethod
    def finish(cls):
        cls.gateway.check_series()
        code, log = cls.gateway.stop(), cls.gateway.log
        cls.gateway.__exit__()
        assert code == 0, f"the gateway ended with {code}\n{log[-4000:]}"

    def setUp(self):
        self.mock.reset()

    def connect(self, timeout=10.0):
        connection = support.Connection("127.0.0.1", self.gateway.api_port, timeout=timeout)
        self.addCleanup(connection.close)
        return connection

    def post(self, path, body, headers=None, *, key=KEY):
        """One request on a connection of its own."""
        return support.call("POST", self.gateway.url + path, {**bearer(key), **(headers or {})}, body)

    def get(self, path, *, key=KEY, method="GET"):
        return support.call(method, self.gateway.url + path, bearer(key))

    def ask(self, model="gpt-4o-mini", **extra):
        return self.post(CHAT, chat(model, **extra))

    def direct(self, path, body):
        """What the mock answers without the gateway, not counted."""
        response = support.call("POST", self.mock.url + path, {}, body)
        self.mock.reset()
        return response

    def stream(self, model, *, path=CHAT, body=None, timeout=10.0, **extra):
        """Starts a stream; returns its connection and head."""
        connection = self.connect(timeout)
        connection.request("POST", path, bearer(), body or chat(model, stream=True, **extra))
        head = connection.read_head()
        if head.status != 200:
            head.body = b"".join(connection.body_pieces(head))
            self.fail(f"{head.status} {head.body.decode()}")
        self.assertEqual(head.header("content-type"), "text/event-stream; charset=utf-8")
        return connection, head

    def assert_error(self, response, status, *, code=None, type=None, word=None, text=None):
        """The error as the SDKs read it, in OpenAI's shape."""
        shown = f"{response.status} {response.raw_head!r} {response.body!r}"
        self.assertEqual(response.status, status, shown)
        self.assertEqual(response.header("content-type"), "application/json", shown)
        error = response.json()["error"]
        self.assertTrue({"message", "type", "param", "code"} <= error.keys(), shown)
        if code is not None:
            self.assertEqual(error["code"], code, shown)
        if type is not None:
            self.assertEqual(error["type"], type, shown)
        if word is not None:
            self.assertEqual(error["tollgate"]["error_type"], word, shown)
        if text is not None:
            self.assertIn(text, error["message"], shown)
        return error

    def head_lines(self, request):
        """Request line and header fields of a recorded request."""
        lines = request["raw_head"].split("\r\n")
        return lines[0], [tuple(line.split(": ", 1)) for line in lines[1:] if line]


def octets(value):
    return json.dumps(value).encode()


__all__ = ["CHAT", "CONFIG", "GET_MODELS", "KEY", "NARROW_KEY", "UPSTREAM_KEY", "GatewayTest", "bearer", "chat",
           "chat_message", "message", "octets", "poll", "send_until_refused", "support"]
