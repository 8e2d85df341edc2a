"""Requests per minute: exact under concurrency, refused early, truthful in headers (design §9, limits-cache §1)."""

import concurrent.futures
import datetime
import re
import threading
import time
import unittest

from common_b import BLUE, CHAT, RED, RED_TWO, Case, bearer, chat, eventually, rendered, settings
from tollgate_test import Connection


class LimitCase(Case):
    def limited(self, *, key=None, team=None, org=None, **sections):
        """Limits of k_red1, team red and the organization; the other key and the other team have none."""
        config = settings(self.mock.url, **sections)
        if key:
            config["keys"][0]["limits"] = key
        if team:
            config["teams"]["red"]["limits"] = team
        if org:
            config["orgs"] = {"default": {"limits": org}}
        return config

    def statuses(self, gateway, count, keys=(RED,), connections=50):
        """`count` requests at once over that many connections; the statuses, most frequent mistakes show as others."""
        share, rest = divmod(count, connections)
        barrier = threading.Barrier(connections)

        def run(index):
            with Connection("127.0.0.1", gateway.api_port) as connection:
                barrier.wait()
                seen = []
                for _ in range(share + (index < rest)):
                    connection.request("POST", CHAT, bearer(keys[index % len(keys)]), chat(self.prompt))
                    seen.append(connection.read_response().status)
                return seen

        with concurrent.futures.ThreadPoolExecutor(connections) as pool:
            return [status for seen in pool.map(run, range(connections)) for status in seen]

    def assert_admitted(self, statuses, count):
        self.assertEqual((statuses.count(200), statuses.count(429)), (count, len(statuses) - count), set(statuses))
        self.assert_calls(count)


class Exact(LimitCase):
    # The rates are 1 per minute, so that no token comes back while a test runs.
    def test_key_admits_exactly_its_burst(self):  # scenario 1
        with self.started(self.limited(key={"rpm": 1, "burst": 120})) as gateway:
            self.assert_admitted(self.statuses(gateway, 300), 120)
            self.mock.reset()
            self.assert_admitted(self.statuses(gateway, 50, keys=(RED_TWO,)), 50)

    def test_team_admits_exactly_over_its_keys(self):
        with self.started(self.limited(team={"rpm": 1, "burst": 100})) as gateway:
            self.assert_admitted(self.statuses(gateway, 300, keys=(RED, RED_TWO)), 100)
            self.mock.reset()
            self.assert_admitted(self.statuses(gateway, 50, keys=(BLUE,)), 50)

    def test_org_admits_exactly_over_its_teams(self):
        with self.started(self.limited(org={"rpm": 1, "burst": 90})) as gateway:
            self.assert_admitted(self.statuses(gateway, 300, keys=(RED, RED_TWO, BLUE)), 90)

    def test_denial_takes_nothing_from_any_scope(self):  # scenario 3
        limits = {"key": {"rpm": 1, "burst": 100}, "team": {"rpm": 1, "burst": 50}, "org": {"rpm": 1, "burst": 20}}
        config = self.limited(**limits)
        with self.started(config) as gateway:
            self.assert_admitted(self.statuses(gateway, 60), 20)
            # With the narrower scopes out of the way, what the wider ones have left comes to light.
            for scope, left in (("org", 30), ("team", 50)):
                if scope == "org":
                    del config["orgs"]
                else:
                    del config["teams"]["red"]["limits"]
                reloads = gateway.metrics().sum("tollgate_config_reloads_total", result="success")
                gateway.write_config(rendered(config))
                gateway.reload()
                eventually(
                    lambda: gateway.metrics().sum("tollgate_config_reloads_total", result="success") > reloads,  # noqa: B023
                    "the reload",
                )
                self.mock.reset()
                self.assert_admitted(self.statuses(gateway, 150), left)

    def test_burst_defaults_to_the_rate_and_refills(self):
        with self.started(self.limited(key={"rpm": 600})) as gateway:  # one token per 100 ms
            seen = self.statuses(gateway, 1000)
            self.assertGreaterEqual(seen.count(200), 600)
            self.assertLessEqual(seen.count(200), 650)
            denied = eventually(lambda: (r := self.post(chat("x"), gateway=gateway)).status == 429 and r, "a denial")
            self.assertLessEqual(int(denied.header("retry-after-ms")), 100)
            eventually(lambda: self.post(chat("x"), gateway=gateway).status == 200, "a refilled token")


class Answer(LimitCase):
    def test_denial_names_scope_numbers_and_time(self):
        config = self.limited(team={"rpm": 2, "burst": 1})
        config["teams"]["red"]["contact"] = "#llm-platform"
        with self.started(config) as gateway:
            self.ask(gateway=gateway)
            denied = self.post(chat(self.prompt), gateway=gateway)
            self.assert_error(denied, 429, "policy_rate_limited")
            error = denied.json()["error"]
            self.assertEqual((error["type"], error["code"]), ("requests", "rate_limit_exceeded"))
            self.assertEqual((error["tollgate"]["scope"], error["tollgate"]["scope_name"]), ("team", "red"))
            self.assertEqual(error["tollgate"]["limit_value"], 2)
            for part in ('team "red"', "limit 2", "burst 1", "#llm-platform"):
                self.assertIn(part, error["message"])
            # One token per 30 s.
            milliseconds = int(denied.header("retry-after-ms"))
            self.assertTrue(20_000 < milliseconds <= 30_000, milliseconds)
            self.assertEqual(int(denied.header("retry-after")), -(-milliseconds // 1000))
            self.assertIsNone(denied.header("x-should-retry"))
            self.assertEqual(error["tollgate"]["retry_after_ms"], milliseconds)

    def test_long_wait_is_not_to_be_retried(self):
        config = self.limited()
        for key in config["keys"]:
            key["limits"] = {"rpm": 1}
        with self.started(config) as gateway:
            # The longest wait there is, 60 s, is above the bound of 59 s for one second only: a slow run tries again.
            for key in (RED, RED_TWO, BLUE):
                self.ask(gateway=gateway, key=key)
                denied = self.ask(429, gateway=gateway, key=key)
                if denied.json()["error"]["tollgate"]["retry_after_ms"] > 59_000:
                    break
            self.assertEqual(denied.header("x-should-retry"), "false", denied.raw_head)
            self.assertIsNone(denied.header("retry-after"))
            self.assertIsNone(denied.header("retry-after-ms"))

    def test_headers_count_down_truthfully(self):  # scenario 22
        with self.started(self.limited(key={"rpm": 60, "burst": 5}, team={"rpm": 1000})) as gateway:
            for left in (4, 3, 2, 1, 0):
                answer = self.ask(gateway=gateway)
                # The burst takes under a second, in which at most one token comes back.
                self.assertIn(int(answer.header("x-ratelimit-remaining-requests")), (left, left + 1))
                self.assertEqual(answer.header("x-ratelimit-limit-requests"), "60")
                self.assertRegex(answer.header("x-ratelimit-reset-requests"), r"^(\d+h)?(\d+m)?(\d+(\.\d+)?s|\d+ms)$")
                self.assertEqual(answer.header("ratelimit-policy"), '"key-rpm";q=60;w=60')
                self.assertRegex(answer.header("ratelimit"), r'^"key-rpm";r=\d+;t=\d+$')

    def test_scenario_22_every_dialect_on_200_and_429_debt_included(self):
        config = self.limited(key={"rpm": 60, "tpm": {"limit": 600, "burst": 2000}}, team={"rpm": 6000, "tpm": 1_000_000})
        with self.started(config) as gateway:
            body = chat(self.prompt, "mock-tokens-5000:nocap", max_tokens=100)
            answers = [self.ask(status, body=body, gateway=gateway) for status in (200, 429)]
            for answer in answers:
                for unit, limit in (("requests", 60), ("tokens", 600)):
                    self.assertEqual(answer.header(f"x-ratelimit-limit-{unit}"), str(limit))
                    self.assertEqual(answer.header(f"anthropic-ratelimit-{unit}-limit"), str(limit))
                    remaining = answer.header(f"x-ratelimit-remaining-{unit}")
                    self.assertGreaterEqual(int(remaining), 0)
                    self.assertEqual(answer.header(f"anthropic-ratelimit-{unit}-remaining"), remaining)
                    self.assertRegex(answer.header(f"x-ratelimit-reset-{unit}"), r"^(\d+h)?(\d+m)?(\d+(\.\d+)?s|\d+ms)$")
                    reset = answer.header(f"anthropic-ratelimit-{unit}-reset")
                    self.assertRegex(reset, r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
                    ends = datetime.datetime.fromisoformat(reset.replace("Z", "+00:00")).timestamp()
                    self.assertLess(abs(ends - time.time()), 3600)
                self.assertEqual(answer.header("ratelimit-policy"), '"key-rpm";q=60;w=60, "key-tpm";q=600;w=60')
                self.assertRegex(answer.header("ratelimit"), r'^"key-rpm";r=\d+;t=\d+, "key-tpm";r=\d+;t=\d+$')
            self.assertEqual(answers[1].header("x-ratelimit-remaining-tokens"), "0")

    def test_no_limit_no_headers_and_none_of_the_providers(self):
        with self.started(self.limited()) as gateway:
            for model, status in (("mock-plain", 200), ("mock-status-429", 429)):
                answer = self.ask(status, body=chat(self.prompt, model), gateway=gateway)
                found = [name for name, _ in answer.headers if "ratelimit" in name]
                self.assertEqual(found, [], answer.raw_head)

    def test_tightest_scope_is_the_one_named(self):
        with self.started(
            self.limited(key={"rpm": 1000}, team={"rpm": 100, "burst": 10}, org={"rpm": 5000})
        ) as gateway:
            self.assertEqual(self.ask(gateway=gateway).header("x-ratelimit-limit-requests"), "100")
            blue = self.ask(key=BLUE, gateway=gateway)
            self.assertEqual(blue.header("x-ratelimit-limit-requests"), "5000")


class Counting(LimitCase):
    def test_refused_before_the_body_is_read(self):
        with self.started(self.limited(key={"rpm": 1})) as gateway:
            self.ask(gateway=gateway)
            head = (
                f"POST {CHAT} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {RED}\r\ncontent-type: application/json\r\n"
            )
            for expectation in ("expect: 100-continue\r\n", ""):
                with self.subTest(expectation), Connection("127.0.0.1", gateway.api_port) as connection:
                    connection.send((head + expectation + "content-length: 1000000\r\n\r\n").encode())
                    answer = connection.read_response()
                    self.assertEqual((answer.status, answer.interim), (429, []))
                    self.assertEqual(answer.header("connection"), "close")
            self.assert_calls(1)

    def test_admitted_expectation_is_continued(self):
        with (
            self.started(self.limited(key={"rpm": 10})) as gateway,
            Connection("127.0.0.1", gateway.api_port) as connection,
        ):
            connection.request("POST", CHAT, bearer(RED, expect="100-continue"), chat(self.prompt))
            answer = connection.read_response()
            self.assertEqual((answer.status, answer.interim), (200, [100]))

    def test_hit_counts_one_request(self):  # scenario 74
        config = self.limited(key={"rpm": 1, "burst": 3}, cache={"enabled": True})
        with self.started(config) as gateway:
            self.assertEqual(
                [self.post(chat(self.prompt), gateway=gateway).status for _ in range(4)], [200, 200, 200, 429]
            )
        self.assert_calls(1)

    def test_model_list_is_free(self):
        with self.started(self.limited(key={"rpm": 1, "burst": 2})) as gateway:
            for _ in range(5):
                self.assertEqual(self.get("/v1/models", gateway=gateway).status, 200)
            seen = [self.post(chat(self.prompt), gateway=gateway).status for _ in range(3)]
            self.assertEqual(seen, [200, 200, 429])
            self.assertEqual(self.get("/v1/models", gateway=gateway).status, 200)

    def test_refused_requests_take_nothing(self):
        with self.started(self.limited(key={"rpm": 1, "burst": 1})) as gateway:
            self.assertEqual(self.post(chat("x", "no-such-model"), gateway=gateway).status, 404)
            self.assertEqual(self.post(b"{", gateway=gateway, headers={"content-type": "application/json"}).status, 400)
            self.assertEqual(self.post(chat("x"), key="sk-unknown", gateway=gateway).status, 401)
            self.ask(gateway=gateway)

    def test_every_paid_endpoint_counts(self):
        with self.started(self.limited(key={"rpm": 1, "burst": 3})) as gateway:
            embedding = {"model": "text-embedding-3-small", "input": "x"}
            self.assertEqual(self.post(embedding, path="/v1/embeddings", gateway=gateway).status, 200)
            self.assertEqual(self.get("/v1/files", gateway=gateway).status, 200)
            with Connection("127.0.0.1", gateway.api_port) as connection:
                connection.request("POST", CHAT, bearer(RED), chat(self.prompt, stream=True))
                head = connection.read_head()
                events = [event.data for event in connection.sse(head)]
                self.assertEqual((head.status, events[-1]), (200, "[DONE]"))
            self.assertEqual(self.get("/v1/files", gateway=gateway).status, 429)


class Reload(LimitCase):
    def test_used_stays_used(self):  # scenario 14
        config = self.limited(key={"rpm": 1, "burst": 100})
        with self.started(config) as gateway:
            self.statuses(gateway, 50)

            def reload(burst):
                before = gateway.metrics().sum("tollgate_config_reloads_total", result="success")
                config["keys"][0]["limits"]["burst"] = burst
                gateway.write_config(rendered(config))
                gateway.reload()
                eventually(
                    lambda: gateway.metrics().sum("tollgate_config_reloads_total", result="success") > before,
                    "the reload",
                )

            def remaining():
                answer = self.post(chat("x"), gateway=gateway)
                return answer.status, int(answer.header("x-ratelimit-remaining-requests"))

            reload(100)
            self.assertEqual(remaining(), (200, 49))
            reload(200)
            self.assertEqual(remaining(), (200, 148))
            reload(10)
            self.assertEqual(remaining(), (429, 0))

    def test_limit_metric_and_log_name_the_scope(self):
        with self.started(self.limited(team={"rpm": 1})) as gateway:
            self.ask(gateway=gateway)
            self.ask(429, gateway=gateway)
            scrape = gateway.metrics()
            self.assertEqual(
                scrape.sum("tollgate_limit_rejections_total", scope="team", limit="rpm", mode="enforced"), 1
            )
            eventually(
                lambda: re.search(r'"tollgate\.limit":\{"scope":"team","name":"rpm","value":1\}', gateway.log), "the log line"
            )


if __name__ == "__main__":
    unittest.main()
