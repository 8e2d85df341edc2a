"""Canaries (reliability T23, R24-R32): every secret the gateway is given or sees, through every kind of failure; then none
of them stands anywhere it could be read. Every log line is in the log: there is no level that drops any. What a provider
says with 400, 404, 409, 413 and 422 passes to the client as it is (design §13), so only those answers may hold the
provider's words."""

import collections
import hashlib
import http.server
import json
import os
import pathlib
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from common import KEY as CORPUS_KEY
from common import poll, support
from common_b import CHAT, chat, rendered
from corpus_replay import corpus
from corpus_replay import request as corpus_request
from test_admin import Admin
from test_tls import make_certificate

PASSED = (400, 404, 409, 413, 422)
STATUSES = (200, 201, 301, 400, 401, 402, 403, 404, 408, 409, 413, 418, 422, 424, 429, 500, 502, 503, 504, 529, 599)
KEY = "canary-client-key-a6f1d0"
ENV_KEY = "canary-client-key-from-env-b71c"
FILE_KEY = "canary-client-key-from-file-c22d"
HASHED_KEY = "canary-client-key-hashed-d93e"
PROVIDER_KEY = "sk-canary-provider-key-e04f"
PROVIDER_KEY_ENV = "sk-canary-provider-key-from-env-f150"
REDIS_PASSWORD = "canary-redis-password-0261"
MASTER = "canary-master-secret-1372-of-some-length"
QUERY = "canary-query-key-2483"
PROMPT = "canary-prompt-3594"
COOKIE = "canary-cookie-46a5"
WRONG_KEY = "canary-wrong-key-57b6"
WRONG_HEADER_KEY = "canary-wrong-header-key-68c7"
BASIC = "Y2FuYXJ5LWJhc2ljOjc5ZDg"
UPLOAD = "canary-upload-8ae9"
ENVIRONMENT = "canary-unrelated-variable-9bfa"
ANSWER = "canary-answer-ac0b"
PROVIDER_WORDS = "canary-provider-words-bd1c"
URL_PASSWORD = "canary-url-password-ce2d"
WRONG_PLACE = "canary-in-a-wrong-place-df3e"

CANARIES = {name: value for name, value in globals().items() if isinstance(value, str) and "anary" in value
            and not name.startswith("_")} | {"BASIC": BASIC}
CANARIES.pop("__doc__", None)
CANARIES["CORPUS_KEY"] = CORPUS_KEY
CANARIES["HASH"] = hashlib.sha256(HASHED_KEY.encode()).hexdigest()

PROMPTED = f'"messages":[{{"role":"user","content":"{PROMPT}"}}]'.encode()


def exchange(port, octets):
    """All that comes back until the gateway closes; after the octets the client has nothing more to send."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        received = []
        try:
            connection.sendall(octets)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received.append(piece)
        except (ConnectionError, BrokenPipeError):
            pass  # refused on the way
        return b"".join(received)


class Echo(http.server.ThreadingHTTPServer):
    """A provider that repeats the credential it got in everything it says. The model names the answer."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), EchoHandler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle_error(self, request, client_address):
        pass  # clients and gateways that leave are what is tried here


class EchoHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer("echo-200", False)

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            asked = json.loads(body)
        except ValueError:
            asked = {}
        self.answer(asked.get("model", "echo-200"), asked.get("stream", False))

    def answer(self, model, stream):
        credential = self.headers.get("authorization", "")
        said = f"{PROVIDER_WORDS} key {credential} is wrong"
        words = model.split("-")
        if words[1] == "close":
            self.close_connection = True
            return
        if words[1] == "nonsense":
            self.close_connection = True
            self.wfile.write(f"{said}\r\n\r\n".encode())
            return
        if words[1] == "hang":
            threading.Event().wait(3)
            self.close_connection = True
            return
        if words[1] == "broken":
            self.close_connection = True
            self.head(200, said, "text/event-stream" if stream else "application/json", 100_000)
            self.wfile.write(f'data: {{"error":{{"message":"{said}"}}}}\n\n'.encode() if stream else b'{"choices":')
            return
        status = int(words[1]) if words[1].isdigit() else 200
        if status == 200 and stream:
            chunk = {"choices": [{"index": 0, "delta": {"content": ANSWER}, "finish_reason": "stop"}]}
            body = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
        elif status == 200:
            body = json.dumps({"id": "x", "object": "chat.completion", "model": "m", "choices": [
                {"index": 0, "message": {"role": "assistant", "content": ANSWER}, "finish_reason": "stop"}]}).encode()
        else:
            body = json.dumps({"error": {"message": said, "type": "x", "code": said, "param": None}}).encode()
        kind = "text/html" if words[1] == "html" else "text/event-stream" if stream and status == 200 else "application/json"
        self.head(status, said, f'{kind}; charset=utf-8; x="{credential}"', len(body))
        self.wfile.write(body)

    def head(self, status, said, kind, length):
        self.send_response(status, said)
        for name, value in (("content-type", kind), ("content-length", str(length)), ("x-debug", said),
                            ("set-cookie", said), ("www-authenticate", said), ("location", "http://h/?" + PROVIDER_KEY),
                            ("x-request-id", "req-" + PROVIDER_KEY), ("retry-after", said), ("openai-organization", said)):
            self.send_header(name, value)
        self.end_headers()


class Secrets(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        make_certificate(self.folder, "root")
        self.cert, self.key = make_certificate(self.folder, "server", signer="root")
        (self.folder / "key").write_text(FILE_KEY + "\n")
        self.echo = Echo()
        self.addCleanup(self.echo.server_close)
        self.addCleanup(self.echo.shutdown)
        self.environment = {"CANARY_KEY": ENV_KEY, "CANARY_PROVIDER": PROVIDER_KEY_ENV, "DATABASE_PASSWORD": ENVIRONMENT}
        self.admin_token = None  # the file that may hold it
        self.told = []  # (what, octets) that somebody could read
        lines = self.key.read_text().splitlines()
        self.canaries = {**CANARIES, "TLS_KEY": lines[1], "TLS_KEY_END": lines[2]}

    def configuration(self, **more):
        here = f"http://127.0.0.1:{self.echo.server_port}/v1"
        return {
            "version": 1,
            "listen": {"api": "@API@", "metrics": "@METRICS@", "admin": "@ADMIN@", "workers": 2,
                       "tls": {"cert": str(self.cert), "key": str(self.key)}},
            "store": {"path": "@STORE@"},
            "secrets": {"master": MASTER},
            "providers": {
                "echo": {"kind": "openai", "base_url": here, "api_keys": [PROVIDER_KEY, "${env:CANARY_PROVIDER}"],
                         "private": True, "default_for": ["*"]},
                "refused": {"kind": "openai", "base_url": f"http://127.0.0.1:{support.free_port()}/v1",
                            "api_keys": [PROVIDER_KEY], "private": True},
                "tls": {"kind": "openai", "base_url": f"https://127.0.0.1:{self.echo.server_port}/v1",
                        "api_keys": [PROVIDER_KEY], "private": True},
            },
            "models": {"echo-*": {"upstreams": [{"provider": "echo"}], "timeouts": {"first_token": "500ms"}},
                       "refused": {"upstreams": [{"provider": "refused"}]}, "tls": {"upstreams": [{"provider": "tls"}]}},
            "keys": [
                {"id": "k_plain", "secret": KEY, "routes": ["files", "stored"], "limits": {"rpm": 100_000}},
                {"id": "k_env", "secret": "${env:CANARY_KEY}", "limits": {"rpm": 1}},
                {"id": "k_file", "secret": f"${{file:{self.folder}/key}}", "models": ["none"]},
                {"id": "k_hash", "sha256": self.canaries["HASH"], "disabled": True},
            ],
            "cache": {"enabled": True},
            "body": {"json": "256KiB"},
            "drain": {"delay": "0s", "timeout": "1s"},
            "access_log": {"path": "access.log"},
            **more,
        }

    def assert_untold(self):
        for what, octets in self.told:
            for name, canary in self.canaries.items():
                for form in (canary.encode(), canary.encode().hex().encode()):
                    if (at := octets.find(form)) >= 0:
                        self.fail(f"{name} stands in {what}: {octets[max(0, at - 200):at + 100]!r}")

    def tell(self, what, octets):
        self.told.append((what, octets if isinstance(octets, bytes) else octets.encode()))

    def tell_answer(self, what, response, passed=False):
        self.tell(f"the head of {what}", response.raw_head)
        if not (passed and (response.status in PASSED or response.status < 300)):
            self.tell(f"the body of {what}", response.body)

    # --- what clients and providers do

    def connect(self, gateway):
        return support.Connection("127.0.0.1", gateway.api_port, tls=self.client)

    def call(self, gateway, headers, body, path=CHAT, method="POST"):
        with self.connect(gateway) as connection:
            connection.request(method, path, headers, body)
            return connection.read_response()

    def provoke_providers(self, gateway):
        names = [f"echo-{status}" for status in STATUSES] + ["echo-close", "echo-nonsense", "echo-hang", "echo-broken",
                                                             "echo-html", "refused", "tls", "absent"]
        seen = set()
        for model in names:
            for stream in (False, True):
                headers = {"authorization": f"Bearer {KEY}", "cookie": COOKIE, "proxy-authorization": f"Basic {BASIC}"}
                path = f"{CHAT}?key={QUERY}&api_key={QUERY}&x={QUERY}"
                try:
                    response = self.call(gateway, headers, chat(PROMPT, model, stream=stream), path)
                except (support.ProtocolError, OSError):
                    continue  # a stream that broke off
                seen.add(response.status)
                if response.status != 200:
                    self.tell_answer(f"{model} stream={stream}", response, passed=True)
                else:
                    self.tell("a good answer's head", response.raw_head)
        self.assertLessEqual({200, 400, 404, 413, 422, 429, 502, 503, 504}, seen)

    def provoke_refusals(self, gateway):
        body = chat(PROMPT, "echo-200")
        bearer = {"authorization": f"Bearer {KEY}"}
        refused = [
            ({"authorization": f"Bearer {WRONG_KEY}"}, body, 401),
            ({"x-api-key": WRONG_HEADER_KEY, "cookie": COOKIE}, body, 401),
            ({"authorization": f"Basic {BASIC}"}, body, 401),
            ({**bearer, "x-api-key": WRONG_HEADER_KEY}, body, 400),
            ({"authorization": f"Bearer {HASHED_KEY}"}, body, 401),
            ({"authorization": f"Bearer {FILE_KEY}"}, body, 403),
            ({"authorization": f"Bearer {ENV_KEY}"}, body, 200),
            ({"authorization": f"Bearer {ENV_KEY}"}, chat(PROMPT + " again", "echo-200"), 429),
            (bearer, PROMPT.encode(), 415),
            ({**bearer, "content-type": "application/json"}, f'{{"model":"echo-200","{PROMPT}":'.encode(), 400),
            ({**bearer, "content-type": "application/json"}, f'{{"model":"{PROMPT}\xff"}}'.encode("latin-1"), 400),
            ({**bearer, "content-type": "application/json"}, f'{{"a":"{PROMPT}","a":1}}'.encode(), 400),
            (bearer, chat(PROMPT * 20_000, "echo-200"), 413),
            ({**bearer, "content-encoding": "gzip"}, body, 415),
        ]
        for headers, sent, status in refused:
            response = self.call(gateway, headers, sent)
            self.assertEqual(response.status, status, response.body)
            if status != 200:
                self.tell_answer(f"a refusal with {status}", response)
        form = (f'--b\r\ncontent-disposition: form-data; name="file"; filename="{UPLOAD}"\r\n\r\n{UPLOAD}\r\n--b\r\n'
                f'content-disposition: form-data; name="model"\r\n\r\n{UPLOAD * 40}\r\n--b--\r\n').encode()
        response = self.call(gateway, {**bearer, "content-type": "multipart/form-data; boundary=b"}, form,
                             "/v1/audio/transcriptions")
        self.assertEqual(response.status, 400)
        self.tell_answer("a broken form", response)
        for path in (f"/v1/models?key={KEY}", f"/v1/files?api-key={QUERY}", f"/nowhere?x={QUERY}"):
            response = self.call(gateway, {"cookie": COOKIE}, None, path, "GET")
            self.assertIn(response.status, (401, 404), path)
            self.tell_answer(path.partition("?")[0], response)

    def provoke_the_edge(self, gateway):
        line = f"Authorization: Bearer {KEY}\r\nCookie: {COOKIE}\r\n"
        raw = [
            f"GET /v1/models HTTP/1.1\r\n{line}\r\n",
            f"GET /v1/models HTTP/1.1\r\nHost: a\r\n{line}{KEY} : x\r\n\r\n",
            f"GET /v1/models HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\x01\r\n\r\n",
            f"GET /v1/models?key={QUERY}{'q' * 9000} HTTP/1.1\r\nHost: a\r\n\r\n",
            f"GET /v1/models HTTP/1.1\r\nHost: a\r\n{line}X: {'x' * 9000}\r\n\r\n",
            f"{KEY} /v1/models HTTP/1.1\r\nHost: a\r\n{line}\r\n",
            f"GET /v1/models HTTP/1.1\r\nHost: a\r\n{line}Content-Length: 1\r\nTransfer-Encoding: {KEY}\r\n\r\n",
            f"POST {CHAT} HTTP/1.1\r\nHost: a\r\n{line}Content-Type: application/json\r\n"
            f"Transfer-Encoding: chunked\r\n\r\n{PROMPT}\r\n",
        ]
        for octets in raw:
            with self.connect(gateway) as connection:
                connection.send(octets.encode("latin-1"))
                response = connection.read_response()
                self.assertGreaterEqual(response.status, 400, octets[:100])
                self.tell_answer(f"a refused head {octets[:20]!r}", response)
        with support.Connection("127.0.0.1", gateway.api_port) as plain:
            plain.send(raw[0].encode())
            plain.wait_closed()
            self.tell("an answer to plain text", bytes(plain.buffer))

    def provoke_with_the_catalogues(self, gateway):
        """Every message of tests/corpus that a client sends (T1), with a key that works and words that are a prompt."""
        bodies = []
        for case in corpus.read("json"):
            place = {"path": case.keys.get("path", CHAT), "kind": case.keys.get("type", "application/json")}
            if len(case.octets) <= corpus.OCTET_LIMIT:
                message = corpus_request(case.octets.replace(b'"messages":[]', PROMPTED), **place)
                bodies.append((f"json {case.name}", message))
        messages = [(f"request {case.name}", case.octets) for case in corpus.read("requests")] + bodies
        self.assertGreater(len(bodies), 100)
        statuses = collections.Counter()
        for what, octets in messages:
            answer = exchange(gateway.api_port, octets)
            if answer:
                statuses[int(answer[9:12])] += 1
            self.tell(f"the answer to {what}", answer.replace(ANSWER.encode(), b""))  # a good answer is the client's
        self.assertGreater(statuses[200], 50, statuses)
        self.assertGreater(statuses[400], 100, statuses)
        self.assertLessEqual({404, 411, 413, 414, 415, 431}, statuses.keys())
        self.assertFalse([status for status in statuses if status in (500, 502, 503)], statuses)

    # --- what operators do

    def broken_configurations(self):
        """Each is refused, with secrets beside the mistake, inside it, or in a place that is not for them."""
        good = self.configuration()
        text = rendered(good)

        def changed(change):
            config = json.loads(text)
            change(config)
            return rendered(config)

        yield "unknown key", text.replace('"secret":', '"sekret":')
        yield "unknown key beside", text.replace('"private":', '"privat":')
        yield "not YAML", text.replace(f'"{KEY}"', f'"{KEY}')
        yield "not YAML at a secret", text.replace(f'"{MASTER}"', f'"{MASTER}" "')
        yield "secret is a list", changed(lambda c: c["keys"][0].update(secret=[KEY]))
        yield "secret is a map", changed(lambda c: c["secrets"].update(master={MASTER: MASTER}))
        yield "secrets is text", changed(lambda c: c.update(secrets=MASTER))
        yield "keys is text", changed(lambda c: c["providers"]["echo"].update(api_keys=PROVIDER_KEY))
        yield "same secret twice", changed(lambda c: c["keys"][1].update(secret=KEY))
        yield "secret and hash", changed(lambda c: c["keys"][0].update(sha256=self.canaries["HASH"]))
        yield "hash too short", changed(lambda c: c["keys"][3].update(sha256=self.canaries["HASH"][:-1] + "x"))
        yield "variable in a number", changed(lambda c: c["keys"][0]["limits"].update(rpm="${env:DATABASE_PASSWORD}"))
        yield "variable in a duration", changed(lambda c: c["drain"].update(timeout="${env:DATABASE_PASSWORD}"))
        yield "variable in a word", changed(lambda c: c["providers"]["echo"].update(kind="${env:DATABASE_PASSWORD}"))
        yield "unfinished reference", changed(lambda c: c["keys"][1].update(secret=KEY + "${env:CANARY_KEY"))
        yield "missing variable", changed(lambda c: c["keys"][1].update(secret=KEY + "${env:NOT_SET}"))
        yield "password in a base URL", changed(
            lambda c: c["providers"]["echo"].update(base_url=f"https://u:{URL_PASSWORD}@h.example/v1"))
        yield "Redis URL", changed(lambda c: c.update(redis={"url": f"redis://:{REDIS_PASSWORD}@h:999999/0"}))
        yield "Redis URL of another kind", changed(lambda c: c.update(redis={"url": f"http://:{REDIS_PASSWORD}@h/0"}))
        yield "TLS files exchanged", changed(lambda c: c["listen"]["tls"].update(cert=str(self.key), key=str(self.cert)))
        yield "control character", text.replace(KEY, KEY + "\x01")
        yield "not UTF-8", text.replace(KEY, KEY + "\udcff")

    def try_the_command_line(self, binary):
        commands = [["config", "schema"], ["config", "reference"], ["--help"], ["version"], ["config", "check", WRONG_PLACE[:3]]]
        for number, (label, text) in enumerate(self.broken_configurations()):
            file = self.folder / f"broken-{number}.yaml"
            filled = support.fill(text, API="127.0.0.1:1", METRICS="127.0.0.1:2", ADMIN="127.0.0.1:3", STORE=str(self.folder / "store"))
            file.write_text(filled, errors="surrogateescape")
            done = subprocess.run([binary, "config", "check", file], capture_output=True, timeout=10,
                                  env={**os.environ, **self.environment})
            self.tell(f"config check: {label}", done.stdout + done.stderr)
            if label != "TLS files exchanged":
                self.assertEqual(done.returncode, 1, (label, done.stdout, done.stderr))
        for command in commands:
            done = subprocess.run([binary, *command], capture_output=True, timeout=10,
                                  env={**os.environ, **self.environment})
            self.tell(" ".join(command), done.stdout + done.stderr)

    def reload_broken(self, gateway):
        judged = lambda: gateway.metrics().sum("tollgate_config_reloads_total", result="failure")  # noqa: E731
        for label, text in self.broken_configurations():
            before = judged()
            filled = support.fill(text, **gateway.values)
            gateway.config_path.write_text(filled, errors="surrogateescape")
            gateway.reload()
            poll(lambda: judged() == before + 1, f"a refused reload: {label}")  # noqa: B023: used at once

    # --- the places

    def tell_admin(self, gateway):
        """What the admin API says, whose credential stands in a file of its own."""
        admin = Admin(gateway)
        self.canaries["ADMIN_TOKEN"] = admin.token
        self.admin_token = gateway.store / "admin-token"
        self.assertEqual(self.admin_token.stat().st_mode & 0o077, 0)
        admin.good("PATCH", "/keys/k_plain", {"disabled": False})
        self.canaries["MADE_KEY"] = admin.good("POST", "/keys", {"alias": "made"}, status=201)["secret"]
        poll(lambda: b'"k_' in admin.ask("GET", "/usage?by=key&since=1d").body, "usage of a key")
        for path in ("/keys", "/keys/k_plain", "/keys/k_hash", "/models/echo-*", "/usage?by=key,model&since=1d", "/audit", "/cache"):
            answer = admin.ask("GET", path)
            self.assertEqual(answer.status, 200, (path, answer.body))
            self.tell(f"admin {path}", answer.raw_head + answer.body)
        for method, path, body in (("POST", "/keys", {"team": PROMPT, "secret": KEY}), ("PATCH", "/keys/k_env", {"secret": KEY}),
                                   ("POST", "/keys", f'{{"x":"{PROMPT}'.encode()), ("GET", f"/keys/{WRONG_KEY}?key={QUERY}", None)):
            answer = admin.ask(method, path, body)
            self.assertGreaterEqual(answer.status, 400)
            self.tell(f"admin {method} {path[:5]}", answer.raw_head + answer.body)
        refused = admin.ask("GET", "/keys", authorization=f"Bearer {KEY}")
        self.assertEqual(refused.status, 401)
        self.tell("admin with a client's key", refused.raw_head + refused.body)

    def tell_redis(self, redis):
        """Everything it holds, as it would stand in its file, and what its own log says."""
        keys = redis.command("KEYS", "*")
        self.assertTrue(keys, "something was cached")
        for key in keys:
            self.tell("a Redis key", key.encode("latin-1"))
            self.tell("a Redis value", redis.command("DUMP", key).encode("latin-1"))

    def tell_files(self, gateway):
        self.tell("the log", gateway.log)
        for path in gateway.home.rglob("*"):
            self.assertNotRegex(path.name, r"^core|\.core$")
            if path.is_file() and path not in (gateway.config_path, self.admin_token) and not path.name.endswith(".new"):
                self.tell(f"file {path.relative_to(gateway.home)}", path.read_bytes())

    def tell_process(self, gateway):
        self.tell("the command line", pathlib.Path(f"/proc/{gateway.pid}/cmdline").read_bytes())
        self.tell("the metrics", gateway.metrics().text)
        limits = pathlib.Path(f"/proc/{gateway.pid}/limits").read_text()
        self.assertRegex(limits, r"Max core file size +0 +0 ")

    def start(self, config):
        gateway = support.Tollgate(rendered(config), env=self.environment)
        self.addCleanup(gateway.__exit__, None)
        return gateway

    def test_t23_no_secret_is_told_to_anybody(self):
        self.client = ssl.create_default_context(cafile=self.folder / "root.crt")
        redis = self.enterContext(support.Redis())
        redis.command("CONFIG", "SET", "requirepass", REDIS_PASSWORD)
        with self.assertRaises(RuntimeError):
            redis.command("PING")
        url = f"redis://:{REDIS_PASSWORD}@127.0.0.1:{redis.port}/0"
        gateway = self.start(self.configuration(redis={"url": url, "use": ["cache"], "timeout": "300ms"}))
        self.provoke_providers(gateway)
        self.provoke_refusals(gateway)
        self.provoke_the_edge(gateway)
        self.try_the_command_line(support.find_binary("tollgate", [".", "gateway"]))
        self.reload_broken(gateway)
        self.tell_redis(Authenticated(redis))
        redis.kill()
        self.provoke_providers(gateway)
        self.tell_admin(gateway)
        self.tell_process(gateway)
        gateway.signal(signal.SIGABRT)
        self.assertEqual(gateway.child.wait(10), -signal.SIGABRT)
        self.tell_files(gateway)
        self.assert_untold()

    def test_t23_the_catalogues_tell_nothing(self):
        config = self.configuration()
        del config["listen"]["tls"]
        config["listen"]["half_close"] = "serve"
        config["body"]["json"] = "10MiB"
        config["models"] |= {name: {"upstreams": [{"provider": "echo"}]} for name in ("mock-*", "gpt-4o-mini")}
        config["keys"].append({"id": "k_corpus", "secret": CORPUS_KEY, "limits": {"rpm": 100_000}})
        gateway = self.start(config)
        self.provoke_with_the_catalogues(gateway)
        self.tell_admin(gateway)
        self.tell_process(gateway)
        self.assertEqual(gateway.stop(), 0)
        self.tell_files(gateway)
        self.assert_untold()

    def test_t23_wrong_redis_password_and_a_drain_that_runs_out(self):
        self.client = ssl.create_default_context(cafile=self.folder / "root.crt")
        redis = self.enterContext(support.Redis())
        redis.command("CONFIG", "SET", "requirepass", "another-password")
        url = f"redis://default:{REDIS_PASSWORD}@127.0.0.1:{redis.port}/0"
        config = self.configuration(redis={"url": url, "use": ["cache"], "timeout": "300ms"})
        config["models"]["echo-*"]["timeouts"] = {"first_token": "1m"}
        gateway = self.start(config)
        self.assertEqual(self.call(gateway, {"authorization": f"Bearer {KEY}"}, chat(PROMPT, "echo-200")).status, 200)
        with self.connect(gateway) as connection:
            connection.request("POST", CHAT, {"authorization": f"Bearer {KEY}"}, chat(PROMPT, "echo-hang"))
            poll(lambda: gateway.metrics().sum("tollgate_requests_in_flight") == 1, "a request that hangs")
            self.tell_process(gateway)
            gateway.signal(signal.SIGTERM)
            self.assertEqual(gateway.child.wait(20), 0, gateway.log)
        self.tell_files(gateway)
        self.assert_untold()

    def test_t23_key_of_a_first_start(self):
        """It stands in its own file and nowhere else; what derives everything stands in master.key."""
        config = self.configuration()
        del config["keys"], config["secrets"], config["listen"]["tls"]
        gateway = self.start(config)
        first = gateway.store.with_name(gateway.store.name + ".first-key")
        master = gateway.store / "master.key"
        key = first.read_text().strip()
        self.canaries = {"FIRST_KEY": key, "FIRST_SECRET": key.split("_")[2], "MADE_MASTER": master.read_text().strip(),
                         "PROMPT": PROMPT, "PROVIDER_KEY": PROVIDER_KEY}
        headers = {"authorization": f"Bearer {key}"}
        self.assertEqual(support.call("POST", gateway.url + CHAT, headers, chat(PROMPT, "echo-200")).status, 200)
        for wrong in (key[:-1], key[:-1] + ("a" if key[-1] != "a" else "b")):
            refused = support.call("POST", gateway.url + CHAT, {"authorization": f"Bearer {wrong}"}, chat(PROMPT, "echo-200"))
            self.assertEqual(refused.status, 401)
            self.tell_answer("a wrong key", refused)
        failed = support.call("POST", gateway.url + CHAT, headers, chat(PROMPT, "echo-401"))
        self.assertEqual(failed.status, 502)
        self.tell_answer("a refused provider key", failed)
        self.tell_process(gateway)
        self.assertEqual(gateway.stop(), 0)
        secret_files = {path: path.rename(self.folder / path.name) for path in (first, master)}
        self.tell_files(gateway)
        self.assertEqual([path.stat().st_mode & 0o077 for path in secret_files.values()], [0, 0])
        self.assert_untold()


class Authenticated:
    """Commands to a Redis that wants its password."""

    def __init__(self, redis):
        self.redis = redis

    def command(self, *words):
        port = str(self.redis.port)
        if words[0] == "KEYS":
            done = subprocess.run(["redis-cli", "-p", port, "-a", REDIS_PASSWORD, "--no-auth-warning", *words],
                                  capture_output=True, check=True)
            return [line for line in done.stdout.decode("latin-1").splitlines() if line]
        done = subprocess.run(["redis-cli", "-p", port, "-a", REDIS_PASSWORD, "--no-auth-warning", "--raw", *words],
                              capture_output=True, check=True)
        return done.stdout.decode("latin-1")


if __name__ == "__main__":
    unittest.main()
