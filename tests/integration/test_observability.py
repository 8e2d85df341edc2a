"""Metrics, access log, request ids, and what must never show in any of them (design §13, observability §1 and §3)."""

import json
import random
import re
import socket
import string
import subprocess
import sys
import unittest

from common_b import (
    BLUE,
    CHAT,
    MASTER,
    RED,
    RED_TWO,
    UPSTREAM_KEY,
    Case,
    access_line,
    bearer,
    chat,
    eventually,
    log_lines,
    settings,
)
from tollgate_test import ROOT, Connection, PeerClosed, Redis, call

REQUEST_ID = r"^req_[0-9A-Z]{26}$"
FIELDS = (
    "@timestamp", "log.level", "message", "ecs.version", "service.name", "service.version", "service.instance.id",
    "tollgate.config_hash", "tollgate.request_id", "http.request.method", "http.route", "client.address",
    "tollgate.outcome", "tollgate.ms", "tollgate.bytes",
)  # fmt: skip

EVERY_FATE = ("mock-plain", "mock-status-400", "mock-status-401", "mock-status-429", "mock-status-500", "mock-html",
              "mock-close", "mock-badlength", "mock-redirect", "unknown")  # fmt: skip
UPLOAD_START = (
    b'--b\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--b\r\ncontent-disposition: form-data; name="file"; filename="f"\r\n\r\n'
)


class ObservedCase(Case):
    @classmethod
    def config(cls):
        config = settings(cls.mock.url, cache={"enabled": True})
        config["keys"][1]["limits"] = {"rpm": 1}
        return config

    def broken_stream(self, model="mock-close-after-3"):
        """The head of a stream that ends without its terminal event."""
        with Connection("127.0.0.1", self.gateway.api_port) as connection:
            connection.request("POST", CHAT, bearer(RED), chat(self.prompt, model, stream=True))
            head = connection.read_head()
            try:
                for event in connection.sse(head):
                    self.assertNotEqual(event.data, "[DONE]")
            except (PeerClosed, ConnectionError):
                pass
            return head

    def cancelled_stream(self):
        with Connection("127.0.0.1", self.gateway.api_port) as connection:
            connection.request("POST", CHAT, bearer(RED), chat(self.prompt, "mock-hang-after-2", stream=True))
            head = connection.read_head()
            next(connection.sse(head))
        self.mock.wait(aborted=1)
        return head

    def raw(self, octets):
        with Connection("127.0.0.1", self.gateway.api_port) as connection:
            connection.send(octets)
            return connection.read_response()

    def mixed_traffic(self):
        """One of everything; returns the answers and heads."""
        return [
            self.ask(),
            self.ask(),  # a hit
            self.ask(body=chat(self.prompt, stream=True)),
            self.ask(404, body=chat("x", "unknown-model")),
            self.ask(401, key="sk-unknown"),
            self.post(chat("x"), key=RED_TWO),
            self.post(chat("x"), key=RED_TWO),  # the second one is over its limit
            self.ask(502, body=chat(self.prompt, "mock-status-500")),
            self.ask(400, body=chat(self.prompt, "mock-status-400")),
            self.get("/v1/models"),
            self.get("/v1/files"),
            self.get("/nowhere"),
            self.post(b"{", headers={"content-type": "application/json"}),
            self.raw(b"NONSENSE\r\n\r\n"),
            self.broken_stream(),
            self.cancelled_stream(),
        ]

    def delta(self, action, name, **labels):
        """What the action adds. A request is counted after its answer has left, so a change is waited for."""
        before = self.gateway.metrics().sum(name, **labels)
        action()

        def changed():
            return self.gateway.metrics().sum(name, **labels) != before

        eventually(changed, f"{name}{labels} to move")
        return self.gateway.metrics().sum(name, **labels) - before


class Metrics(ObservedCase):
    def test_scrape_is_clean_and_feeds_the_dashboards(self):
        redis = self.enterContext(Redis())
        config = {**self.config(), "redis": {"url": redis.url, "use": ["cache"]}}
        with self.started(config) as gateway:
            self.gateway = gateway
            self.mixed_traffic()
            answer = call("GET", gateway.metrics_url + "/metrics")
            self.assertEqual(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8")
            for command in (
                ["promtool", "check", "metrics"],
                [sys.executable, ROOT / "tests/dashboard_metrics", *self.dashboards()],
            ):
                done = subprocess.run(command, input=answer.body, capture_output=True)
                self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"", b""), command)

    def dashboards(self):
        found = sorted((ROOT / "deploy" / "grafana" / "dashboards").glob("*.json"))
        self.assertTrue(found)
        return found

    def test_mixed_traffic_leaves_a_clean_scrape(self):
        self.mixed_traffic()
        text = self.gateway.metrics().text
        done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_series_exist_before_the_first_request(self):
        with self.started(self.config()) as gateway:
            scrape = gateway.metrics()
        for name, labels in (
            (
                "tollgate_requests_total",
                {"operation": "chat", "model": "mock-*", "stream": "false", "outcome": "success"},
            ),
            ("tollgate_cache_lookups_total", {"tier": "memory", "result": "hit"}),
            ("tollgate_config_reloads_total", {"result": "failure"}),
            ("tollgate_limit_rejections_total", {"scope": "key", "limit": "rpm", "mode": "enforced"}),
            ("tollgate_log_dropped_total", {"sink": "access"}),
            ("tollgate_key_requests_total", {"key": "k_blue1", "team": "blue", "outcome": "success"}),
            ("tollgate_streams_open", {}),
        ):
            self.assertEqual(scrape.value(name, **labels), 0, (name, labels))
        self.assertEqual(scrape.value("tollgate_config_last_reload_success"), 1)

    def test_traffic_on_every_route_adds_no_series(self):
        config = self.config()
        config["keys"][0]["routes"] = ["files", "uploads", "batches", "fine_tuning", "vector_stores", "stored"]
        with self.started(config) as gateway:
            before = {(name, *sorted(labels.items())) for name, labels, _ in gateway.metrics().samples}
            routes = {(dict(key[1:])["route"], dict(key[1:])["method"]) for key in before
                      if key[0] == "tollgate_http_requests_total" and ("listener", "api") in key}  # fmt: skip
            routes = sorted(route for route in routes if route[0] != "unmatched")
            self.assertGreater(len(routes), 80)
            names = {"{model}": "mock-plain", "{engine}": "mock-plain"}
            fates = ("mock-plain", "mock-status-400", "mock-status-500", "mock-close", "unknown")
            for pattern, method in routes:
                path = re.sub(r"\{\w+\}", lambda found: names.get(found[0], "none_1"), pattern)
                bodies = [None] if method != "POST" else [
                    json.dumps({"model": model, "input": "x", "prompt": "x", **chat("x", model)}).encode()
                    for model in fates
                ]  # fmt: skip
                for body in bodies:
                    for key in (RED, "sk-unknown"):
                        headers = bearer(key) if body is None else {**bearer(key), "content-type": "application/json"}
                        call(method, gateway.url + path, headers, body)
            for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "BREW"):
                for path in ("/nowhere", CHAT):
                    call(method, gateway.url + path, bearer(RED))
            after = eventually(lambda: self.at_rest(gateway), "the last request to be counted")
            added = {(name, *sorted(labels.items())) for name, labels, _ in after.samples} - before
            histograms = ("_duration_seconds", "_first_token_seconds", "_request_tokens", "_request_cost_usd")  # of a model
            added = {key for key in added if not key[0].rsplit("_", 1)[0].endswith(histograms)}
            self.assertEqual(added, set())

    def at_rest(self, gateway):
        scrape = gateway.metrics()
        return scrape if scrape.sum("tollgate_requests_in_flight") == 0 else None

    def test_counters_move_once_per_request(self):
        cases = [
            (self.ask, "tollgate_requests_total", {"model": "mock-*", "outcome": "success", "stream": "false"}),
            (
                self.ask,
                "tollgate_http_requests_total",
                {"listener": "api", "route": "/v1/chat/completions", "method": "POST", "code": "200"},
            ),
            (
                lambda: self.ask(body=chat("attempt")),
                "tollgate_upstream_attempts_total",
                {"upstream": "mock", "result": "success"},
            ),
            (
                lambda: self.ask(502, body=chat("a", "mock-status-500")),
                "tollgate_errors_total",
                {"error_type": "provider_server_error", "code": "502"},
            ),
            (
                lambda: self.ask(404, body=chat("a", "nope")),
                "tollgate_errors_total",
                {"error_type": "caller_model_unknown", "model": "other"},
            ),
            (lambda: self.get("/nowhere"), "tollgate_http_requests_total", {"route": "unmatched", "code": "404"}),
            (
                lambda: self.raw(b"NONSENSE\r\n\r\n"),
                "tollgate_http_requests_total",
                {"route": "unmatched", "code": "400"},
            ),
            (lambda: self.ask(body=chat("a", store=True)), "tollgate_cache_bypass_total", {"reason": "stateful"}),
            (self.broken_stream, "tollgate_stream_interruptions_total", {"side": "upstream"}),
            (self.broken_stream, "tollgate_requests_total", {"outcome": "upstream_error", "stream": "true"}),
            (lambda: self.ask(key=BLUE), "tollgate_team_requests_total", {"team": "blue", "outcome": "success"}),
            (lambda: self.ask(key=BLUE), "tollgate_key_requests_total", {"key": "k_blue1", "outcome": "success"}),
        ]
        for action, name, labels in cases:
            with self.subTest(name, **labels):
                self.assertEqual(self.delta(action, name, **labels), 1)

    def test_hit_is_no_attempt_and_no_token(self):
        self.ask()
        for name in ("tollgate_upstream_attempts_total", "tollgate_tokens_total"):
            before = self.gateway.metrics().sum(name)
            self.assertEqual(self.delta(self.ask, "tollgate_requests_total"), 1)
            self.assertEqual(self.gateway.metrics().sum(name), before, name)

    def test_cache_counters_follow_the_worker_tick(self):
        def value(result):
            return self.gateway.metrics().sum("tollgate_cache_lookups_total", tier="memory", result=result)

        hits, misses = value("hit"), value("miss")
        for _ in range(3):
            self.ask()
        eventually(lambda: (value("hit"), value("miss")) == (hits + 2, misses + 1), "two hits and a miss")

    def test_redis_that_is_down_counts_errors_and_no_misses(self):
        config = settings(
            self.mock.url, redis={"url": "redis://127.0.0.1:1/0", "use": ["cache"]}, cache={"enabled": True}
        )
        with self.started(config) as gateway:

            def value(result):
                return gateway.metrics().sum("tollgate_cache_lookups_total", tier="redis", result=result)

            self.ask(gateway=gateway)
            eventually(lambda: value("error") == 1, "an error")
            self.assertEqual(value("miss"), 0)

    def test_gauges_return_to_zero(self):
        self.mixed_traffic()

        def busy():
            scrape = self.gateway.metrics()
            active = scrape.sum("tollgate_upstream_connections", state="active")
            return scrape.sum("tollgate_requests_in_flight") + scrape.sum("tollgate_streams_open") + active

        eventually(lambda: busy() == 0, "no request in flight")

    def test_hostile_names_add_no_series(self):
        def disturb(count, seed):
            dice = random.Random(seed)
            word = lambda: "".join(dice.choices(string.ascii_letters + string.digits, k=12))  # noqa: E731
            for _ in range(count):
                yield "GET", f"/{word()}/{word()}?{word()}={word()}", None
                yield "POST", CHAT, chat("x", word())
                yield "POST", CHAT, chat("x", "mock-" + word())
                yield "GET", f"/v1/files/{word()}", None
                yield "DELETE", f"/v1/{word()}", None

        def send(count, seed):
            dice, connection, left = random.Random(seed), None, 0
            for method, path, body in disturb(count, seed):
                if left == 0:
                    connection = self.enterContext(Connection("127.0.0.1", self.gateway.api_port))
                    left = 500
                connection.request(method, path, bearer(RED, user_agent=f"agent-{dice.random()}/1.0"), body)
                answer = connection.read_response(method=method)
                left = 0 if answer.header("connection") == "close" else left - 1

        def series():
            return {(name, *sorted(labels.items())) for name, labels, _ in self.gateway.metrics().samples}

        send(3, 1)
        before = series()
        send(200, 2)
        self.assertEqual(series() - before, set())

    def test_metrics_are_not_on_the_api_listener_and_nothing_else_on_theirs(self):
        for path in ("/metrics", "/livez", "/readyz", "/admin/v1"):
            self.assertEqual(self.get(path).status, 404, path)
        for path in ("/", "/v1/models", "/metrics/", "/debug"):
            self.assertEqual(call("GET", self.gateway.metrics_url + path).status, 404, path)
        self.assertEqual(call("POST", self.gateway.metrics_url + "/metrics", body={}).status, 405)

    def test_case_264_browsers_change_nothing_there(self):
        """Only GET and HEAD exist on these listeners, whatever a page of another origin sends."""
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            fields = {"content-type": "text/plain", "origin": "https://evil.example"}
            self.assertEqual(call(method, self.gateway.metrics_url + "/metrics", fields, b"x").status, 405, method)

    def test_silent_connections_shut_no_probe_out(self):
        """livez and readyz decide about the process' life; 64 connections were all there are."""
        address = ("127.0.0.1", self.gateway.metrics_port)
        held = [self.enterContext(socket.create_connection(address)) for _ in range(200)]
        for path in ("/livez", "/readyz", "/metrics"):
            self.assertEqual(call("GET", self.gateway.metrics_url + path).status, 200, path)
        held[0].settimeout(20)
        self.assertEqual(held[0].recv(1), b"", "the oldest had to go")

    def test_idle_connections_shut_no_probe_out(self):
        address = ("127.0.0.1", self.gateway.metrics_port)
        for _ in range(100):
            idle = self.enterContext(socket.create_connection(address))
            idle.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(idle.recv(4096).startswith(b"HTTP/1.1 200"))
        self.assertEqual(call("GET", self.gateway.metrics_url + "/readyz").status, 200)

    def test_slow_head_is_not_waited_for(self):
        with socket.create_connection(("127.0.0.1", self.gateway.metrics_port), timeout=20) as slow:
            slow.sendall(b"GET /livez HTTP/1.1\r\n")
            self.assertEqual(slow.recv(1), b"", "2 s, ten times over")


class AccessLog(ObservedCase):
    def test_every_request_has_one_line_with_its_id(self):
        with self.started(self.config()) as gateway:
            self.gateway = gateway
            answers = self.mixed_traffic()
            lines = eventually(
                lambda: len(found := log_lines(gateway, "tollgate.access")) >= len(answers) and found, "all the lines"
            )
        self.assertEqual(len(lines), len(answers))
        by_id = {line["tollgate.request_id"]: line for line in lines}
        for answer in answers:
            self.assertRegex(answer.header("x-request-id"), REQUEST_ID)
            line = by_id.pop(answer.header("x-request-id"))
            self.assertEqual([name for name in FIELDS if name not in line], [], line)
            self.assertEqual(line["http.response.status_code"], answer.status)
            self.assertRegex(line["@timestamp"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
            if answer.status >= 400:
                self.assertIn("error.type", line)
                self.assertIn("error.message", line if answer.status != 400 else {"error.message": "the provider's"})
            if answer.status >= 400 and b"tollgate" in answer.body:
                error = answer.json()["error"]
                self.assertEqual(error["tollgate"]["request_id"], answer.header("x-request-id"))
                self.assertEqual(error["tollgate"]["error_type"], line["error.type"])
        self.assertEqual(by_id, {})

    def test_line_tells_the_story(self):
        hit = [self.ask(), self.ask()][1]
        line = access_line(self.gateway, hit.header("x-request-id"))
        self.assertEqual((line["tollgate.cache"], line["tollgate.outcome"]), ("hit", "success"))
        self.assertNotIn("tollgate.attempts", line)
        miss = self.ask(body=chat(self.prompt + " other"))
        line = access_line(self.gateway, miss.header("x-request-id"))
        self.assertEqual(
            (line["tollgate.key"], line["tollgate.team"], line["tollgate.upstream"]), ("k_red1", "red", "mock")
        )
        self.assertEqual(line["gen_ai.usage.output_tokens"], miss.json()["usage"]["completion_tokens"])
        self.assertEqual([attempt["status"] for attempt in line["tollgate.attempts"]], [200])
        self.assertEqual(line["tollgate.bytes"]["out"], len(miss.body))
        named = [line["gen_ai.response." + name] for name in ("id", "model", "finish_reasons")]
        self.assertEqual(named, [miss.json()["id"], miss.json()["model"], ["stop"]])
        body = chat(self.prompt, stream=True, stream_options={"include_usage": True})
        stream = self.ask(body=body, headers={"cache-control": "no-store"})
        line = access_line(self.gateway, stream.header("x-request-id"))
        first = json.loads(next(part[6:] for part in stream.body.decode().split("\n") if part.startswith("data: ")))
        self.assertEqual([line["gen_ai.response." + name] for name in ("id", "model")], [first["id"], first["model"]])

    def test_broken_and_cancelled_streams_say_so(self):
        line = access_line(self.gateway, self.broken_stream().header("x-request-id"))
        self.assertEqual(
            (line["tollgate.outcome"], line["error.type"]), ("upstream_error", "provider_stream_broken"), line
        )
        line = access_line(self.gateway, self.cancelled_stream().header("x-request-id"))
        self.assertEqual((line["tollgate.outcome"], line["error.type"]), ("client_cancelled", "caller_cancelled"), line)
        self.assertTrue(line["tollgate.attempts"][0]["cancelled"])

    def test_limit_that_refused_is_named_with_its_value(self):
        def asked():
            return self.post(chat("x"), key=RED_TWO)

        refused = eventually(lambda: (found := asked()).status == 429 and found, "the second of a minute")
        line = access_line(self.gateway, refused.header("x-request-id"))
        self.assertEqual(line["tollgate.limit"], {"scope": "key", "name": "rpm", "value": 1})
        self.assertNotIn("$", line["message"])

    def test_money_is_that_of_the_answer(self):
        config = self.config()
        config["models"]["mock-*"]["price"] = {"input": 1, "output": 2}
        with self.started(config) as gateway:
            self.gateway = gateway
            first, second = self.ask(), self.ask()
            line = access_line(gateway, first.header("x-request-id"))
            told = first.header("x-tollgate-cost-usd")
            self.assertEqual(line["tollgate.cost_nano_usd"], round(float(told) * 1e9))
            self.assertGreater(line["tollgate.cost_nano_usd"], 0)
            self.assertTrue(line["message"].endswith(" $" + told), line["message"])
            self.assertTrue(line["tollgate.price_version"])
            hit = access_line(gateway, second.header("x-request-id"))
            self.assertEqual(hit["tollgate.saved_nano_usd"], line["tollgate.cost_nano_usd"])

    def test_server_timing_names_what_was_done(self):
        def parts(answer):
            return [part.split(";")[0].strip() for part in answer.header("server-timing").split(",")]

        self.assertEqual(parts(self.ask()), ["policy", "cache", "upstream", "gateway"])
        self.assertEqual(parts(self.ask()), ["policy", "cache", "gateway"])
        self.assertEqual(parts(self.get("/nowhere")), ["gateway"])

    def test_hostile_user_agent_stays_inside_its_line(self):
        for agent in ('"}{"a":"', "\\u0000\\", "\xff\xfe\x80 latin", "A" * 6000, "%s%n${jndi:ldap://x}", "<script>"):
            with self.subTest(agent[:20]):
                response = self.ask(headers={"user-agent": agent})
                line = access_line(self.gateway, response.header("x-request-id"))
                self.assertEqual(line["tollgate.outcome"], "success")
                self.assertLess(len(json.dumps(line)), 4000)
                self.assertNotIn("jndi", json.dumps(line))

    def test_client_request_id_is_echoed_only_if_harmless(self):
        kept = self.ask(headers={"x-client-request-id": "my-id.1:2_3"})
        self.assertEqual(kept.header("x-client-request-id"), "my-id.1:2_3")
        self.assertEqual(
            access_line(self.gateway, kept.header("x-request-id"))["tollgate.client_request_id"], "my-id.1:2_3"
        )
        for bad in ('a"b', "a b", "x" * 129):
            self.assertIsNone(self.ask(headers={"x-client-request-id": bad}).header("x-client-request-id"))

    def test_log_can_be_off(self):
        with self.started(settings(self.mock.url, access_log={"path": "off"})) as gateway:
            self.ask(gateway=gateway)
            self.assertEqual(gateway.stop(), 0)
            self.assertEqual(log_lines(gateway, "tollgate.access"), [])


class Canaries(ObservedCase):
    def test_secrets_and_prompts_show_nowhere(self):
        prompt, query = "canary-prompt-77e1", "canary-query-c4d2"
        answer_words = []
        redis = self.enterContext(Redis())
        config = {**self.config(), "redis": {"url": redis.url, "use": ["cache"]}}
        with self.started(config) as gateway:
            errors = b""
            for model in EVERY_FATE:
                for stream in (False, True):
                    path = f"{CHAT}?api_key={query}&token={query}&other={query}"
                    answer = self.post(chat(prompt, model, stream=stream), path=path, gateway=gateway)
                    if answer.status == 200 and not stream:
                        answer_words = answer.json()["choices"][0]["message"]["content"].split()[:4]
                    if answer.status >= 400:
                        errors += answer.raw_head + answer.body
            for path in (f"/v1/{query}?key={query}", f"/v1/files/{query}"):
                self.get(path, gateway=gateway)
            for headers in (
                {"authorization": "Bearer sk-wrong-canary-11"},
                {"x-api-key": RED, "authorization": f"Bearer {BLUE}"},
            ):
                answer = call("POST", gateway.url + CHAT, headers, chat(prompt))
                self.assertIn(answer.status, (400, 401))
                errors += answer.raw_head + answer.body
            upload = UPLOAD_START + prompt.encode() + b"\r\n--b--\r\n"
            self.assertEqual(
                self.post(
                    upload,
                    path="/v1/files",
                    gateway=gateway,
                    headers={"content-type": "multipart/form-data; boundary=b"},
                ).status,
                200,
            )
            forwarded = "".join(request["raw_head"] for request in self.mock.requests())
            scrape = gateway.metrics().text
            self.assertEqual(gateway.stop(), 0)
            store = b"".join(path.read_bytes() for path in gateway.store.rglob("*") if path.is_file())
            log = gateway.log
        self.assertTrue(answer_words)
        secrets = [RED, BLUE, "sk-wrong-canary-11", UPSTREAM_KEY, MASTER, prompt]
        # A path is the client's to choose and is quoted in its own 404; nowhere else.
        for place, text in (
            ("log", log),
            ("metrics", scrape),
            ("errors", errors.decode("latin-1")),
            ("store", store.decode("latin-1")),
        ):
            for secret in secrets:
                self.assertNotIn(secret, text, place)
        for place, text in (("metrics", scrape), ("store", store.decode("latin-1"))):
            self.assertNotIn(query, text, place)
        self.assertNotRegex(log, rf"(key|token|other)={query}")
        self.assertNotIn(" ".join(answer_words[:2]), log)
        for secret in (RED, BLUE, f"api_key={query}", f"token={query}"):
            self.assertNotIn(secret, forwarded)
        self.assertIn(f"other={query}", forwarded)


if __name__ == "__main__":
    unittest.main()
