"""Tokens, concurrency and money: exact under concurrency, settled once, kept over a kill (limits-cache §1, §2, §6)."""

import concurrent.futures
import json
import subprocess
import threading

from common_b import BLUE, CHAT, RED, RED_TWO, Case, bearer, chat, eventually, rendered, settings
from tollgate_test import Connection, find_binary

# Prices that make sums easy to check: an output token costs 1 micro-USD, input nothing.
OUTPUT_ONLY = {"input": "0", "output": "1"}
MICRO = 1_000  # nano-USD


class BudgetCase(Case):
    def limited(self, *, key=None, team=None, org=None, model=None, price=None, **sections):
        """Sections of k_red1, team red, the organization and the model mock-*: {"limits": …, "budget": …}."""
        config = settings(self.mock.url, **sections)
        config["models"]["mock-*"].update({"max_output": 1000, **(model or {})})
        if price is not None:
            config["models"]["mock-*"]["price"] = price
        config["keys"][0].update(key or {})
        config["teams"]["red"].update(team or {})
        if org:
            config["orgs"] = {"default": org}
        return config

    def body(self, model="mock-plain", **fields):
        return chat(self.prompt, model, **fields)

    def together(self, gateway, count, body, keys=(RED,), connections=50):
        """The statuses of `count` requests at once."""
        share, rest = divmod(count, connections)
        barrier = threading.Barrier(connections)

        def run(index):
            with Connection("127.0.0.1", gateway.api_port) as connection:
                barrier.wait()
                seen = []
                for _ in range(share + (index < rest)):
                    connection.request("POST", CHAT, bearer(keys[index % len(keys)]), body)
                    seen.append(connection.read_response().status)
                return seen

        with concurrent.futures.ThreadPoolExecutor(connections) as pool:
            return [status for seen in pool.map(run, range(connections)) for status in seen]

    def me(self, gateway, limit, key=RED):
        answer = self.get("/v1/me", key=key, gateway=gateway)
        self.assertEqual(answer.status, 200, answer.body)
        return next(one for one in answer.json()["limits"] if one["limit"] == limit)

    def usage(self, gateway, *options):
        command = [find_binary("tollgate", [".", "gateway"]), "usage", "-c", str(gateway.config_path), "-o", "json", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)


class Tokens(BudgetCase):
    def test_scenario_5_what_was_not_used_comes_back(self):
        config = self.limited(key={"limits": {"tpm": {"limit": 1, "burst": 10_000}}})
        with self.started(config) as gateway:
            for _ in range(20):
                answer = self.post(self.body("mock-tokens-10", max_tokens=900), gateway=gateway)
                self.assertEqual(answer.status, 200, answer.body)
            used = 20 * answer.json()["usage"]["total_tokens"]
            self.assertIn(10_000 - self.me(gateway, "tpm")["remaining"], (used, used - 1))

    def test_scenario_6_more_than_was_reserved_becomes_debt(self):
        config = self.limited(key={"limits": {"tpm": {"limit": 600, "burst": 2_000}}})
        with self.started(config) as gateway:
            self.ask(gateway=gateway, body=self.body("mock-tokens-5000:nocap", max_tokens=100))
            denied = self.ask(429, gateway=gateway, body=self.body(max_tokens=100))
            error = denied.json()["error"]
            self.assertEqual((error["type"], error["code"]), ("tokens", "rate_limit_exceeded"))
            self.assertGreater(error["tollgate"]["retry_after_ms"], 300_000 * 0.9)
            self.assertEqual(denied.header("x-ratelimit-remaining-tokens"), "0")

    def test_scenarios_7_and_50_exactly_as_many_as_fit_are_dispatched(self):
        body = self.body("mock-slow-300:tokens-1", max_tokens=1_000)
        config = self.limited(key={"limits": {"output_tpm": {"limit": 1, "burst": 10_000}}})
        with self.started(config) as gateway:
            statuses = self.together(gateway, 200, body, connections=200)
            self.assertEqual((statuses.count(200), statuses.count(429)), (10, 190))
            self.assertEqual(self.upstream_calls(), 10)

    def test_scenario_8_what_can_never_fit_is_said(self):
        config = self.limited(key={"limits": {"tpm": 500}})
        with self.started(config) as gateway:
            denied = self.ask(429, gateway=gateway, body=self.body(max_tokens=5_000))
            self.assertEqual(denied.header("x-should-retry"), "false")
            self.assertIsNone(denied.header("retry-after"))
            self.assertEqual(self.me(gateway, "tpm")["used"], 0)
            self.assertEqual(self.upstream_calls(), 0)

    def test_scenarios_10_and_11_the_largest_maximum_for_every_choice(self):
        config = self.limited(key={"limits": {"output_tpm": 3_000}})
        with self.started(config) as gateway:
            self.ask(429, gateway=gateway, body=self.body(max_tokens=10, max_completion_tokens=5_000))
            self.ask(429, gateway=gateway, body=self.body(max_tokens=1_000, n=4))
            self.ask(gateway=gateway, body=self.body(max_tokens=1_000, n=2))


class Concurrency(BudgetCase):
    def test_scenario_4_denied_requests_take_nothing(self):
        config = self.limited(key={"limits": {"concurrency": 1, "rpm": {"limit": 1, "burst": 100}}})
        with self.started(config) as gateway:
            with Connection("127.0.0.1", gateway.api_port) as connection:
                connection.request("POST", CHAT, bearer(RED), self.body("mock-tokens-1000:pace-50", stream=True))
                head = connection.read_head()
                self.assertEqual(head.status, 200)
                for _ in range(10):
                    denied = self.ask(429, gateway=gateway)
                self.assert_error(denied, 429, "policy_concurrency")
                self.assertEqual(self.me(gateway, "rpm")["used"], 1)
            eventually(lambda: self.me(gateway, "concurrency")["used"] == 0, "the slot of the client that left")
            self.ask(gateway=gateway)

    def test_scenario_24_no_slot_is_left_behind(self):
        config = self.limited(key={"limits": {"concurrency": 1_000}})
        with self.started(config) as gateway:
            def leave(index):
                with Connection("127.0.0.1", gateway.api_port) as connection:
                    connection.request("POST", CHAT, bearer(RED), self.body("mock-tokens-50:pace-5", stream=True))
                    head = connection.read_head()
                    for _, event in zip(range(index % 40), connection.sse(head)):
                        self.assertTrue(event.data)

            with concurrent.futures.ThreadPoolExecutor(50) as pool:
                list(pool.map(leave, range(300)))
            eventually(lambda: self.me(gateway, "concurrency")["used"] == 0, "all slots")

    def test_the_slot_is_free_when_the_answer_is_there(self):
        config = self.limited(key={"limits": {"concurrency": 1}})
        with self.started(config) as gateway, Connection("127.0.0.1", gateway.api_port) as connection:
            for model in ("mock-plain", "mock-status-500", "mock-status-400", "mock-close") * 10:
                connection.request("POST", CHAT, bearer(RED), self.body(model))
                self.assertNotEqual(connection.read_response().status, 429, model)


class Money(BudgetCase):
    def budget(self, usd, **more):
        return {"budget": {"usd": usd, "per": "day", **more}}

    def test_scenarios_32_and_50_500_at_once_on_a_budget_for_exactly_100(self):
        body = self.body("mock-tokens-100", max_tokens=100)
        config = self.limited(team=self.budget("0.01"), price=OUTPUT_ONLY)
        with self.started(config) as gateway:
            statuses = self.together(gateway, 500, body, keys=(RED, RED_TWO), connections=500)
            self.assertEqual((statuses.count(200), statuses.count(429)), (100, 400))
            self.assertEqual(self.upstream_calls(), 100)
            mine = self.me(gateway, "budget")
            self.assertEqual((mine["spent_usd"], mine["reserved_usd"], mine["remaining_usd"]), ("0.01", "0.00", "0.00"))
            denied = self.ask(429, gateway=gateway, body=body)
            self.assert_error(denied, 429, "policy_budget_exceeded")
            error = denied.json()["error"]
            self.assertEqual((error["type"], error["code"]), ("insufficient_quota", "insufficient_quota"))
            self.assertEqual(error["tollgate"]["scope_name"], "red")
            self.assertEqual(denied.header("x-should-retry"), "false")

    def test_the_answer_says_what_it_cost(self):
        config = self.limited(price={"input": "2", "output": "10"})
        with self.started(config) as gateway:
            answer = self.ask(gateway=gateway, body=self.body("mock-tokens-7", max_tokens=7))
            usage = answer.json()["usage"]
            nano = 2_000 * usage["prompt_tokens"] + 10_000 * usage["completion_tokens"]
            self.assertEqual(round(float(answer.header("x-tollgate-cost-usd")) * 1e9), nano)

    def test_scenario_34_last_call_is_one(self):
        config = self.limited(key=self.budget("0.001", mode="last_call"), price=OUTPUT_ONLY)
        with self.started(config) as gateway:
            statuses = self.together(gateway, 100, self.body("mock-slow-500:tokens-900", max_tokens=1_000), connections=100)
            self.assertEqual(statuses.count(200), 1)

    def test_scenario_49_without_a_price_nothing_is_sent(self):
        with self.started(self.limited(key=self.budget("5"))) as gateway:
            refused = self.post(self.body("mock-of-no-price"), gateway=gateway)
            self.assertIn(refused.status, (400, 403), refused.body)
            self.assertEqual(refused.header("x-should-retry"), "false")
            self.assertEqual(self.upstream_calls(), 0)
            self.ask(gateway=gateway, key=BLUE)

    def test_scenario_23_nothing_dispatched_nothing_counted(self):
        config = self.limited(key={**self.budget("1"), "limits": {"rpm": 5, "tpm": 5_000}}, price=OUTPUT_ONLY)
        config["providers"]["mock"]["base_url"] = "http://127.0.0.1:1/v1"
        with self.started(config) as gateway:
            self.ask(502, gateway=gateway)
            self.assertEqual((self.me(gateway, "rpm")["used"], self.me(gateway, "tpm")["used"]), (0, 0))

    def test_scenario_23_a_failed_call_costs_a_request_only(self):
        config = self.limited(key={**self.budget("1"), "limits": {"rpm": 1, "tpm": 5_000}}, price=OUTPUT_ONLY)
        config["keys"][0]["limits"]["rpm"] = {"limit": 1, "burst": 5}
        with self.started(config) as gateway:
            self.post(self.body("mock-status-400"), gateway=gateway)
            self.assertEqual((self.me(gateway, "rpm")["used"], self.me(gateway, "tpm")["used"]), (1, 0))
            self.assertEqual(self.me(gateway, "budget")["spent_usd"], "0.00")

    def test_metrics_tell_the_same_money_as_the_ledger(self):
        config = self.limited(team=self.budget("0.5"), price={"input": "1", "output": "10"})
        with self.started(config) as gateway:
            for stream in (False, True):
                self.ask(gateway=gateway, body=self.body("mock-tokens-70", max_tokens=70, stream=stream))
            (row,) = eventually(lambda: [r for r in self.usage(gateway, "--by", "team") if r["requests"] == 2], "two rows")
            cost = row["cost_nano_usd"] / 1e9
            scrape = gateway.metrics()
            for total in (
                scrape.value("tollgate_team_cost_usd_total", team="red", model="mock-*"),
                scrape.value("tollgate_key_cost_usd_total", key="k_red1"),
                scrape.sum("tollgate_cost_usd_total", model="mock-*"),
                scrape.value("tollgate_budget_spent_usd", scope="team", name="red"),
            ):
                self.assertAlmostEqual(total, cost, places=8)
            self.assertGreater(scrape.sum("tollgate_cost_usd_total", component="output"), 0.9 * 140 * 10e-6)
            self.assertEqual(scrape.value("tollgate_budget_limit_usd", scope="team", name="red"), 0.5)
            self.assertEqual(scrape.value("tollgate_budget_reserved_usd", scope="team", name="red"), 0)
            self.assertGreater(scrape.value("tollgate_budget_resets_timestamp_seconds", scope="team", name="red"), 1.7e9)
            tokens = {kind: scrape.value("tollgate_team_tokens_total", team="red", model="mock-*", type=kind) for kind in ("input", "output")}
            self.assertEqual(tokens, {"input": row["input_tokens"], "output": row["output_tokens"]})
            self.assertEqual(scrape.sum("tollgate_unpriced_requests_total"), 0)
            del config["teams"]["red"]["budget"]
            gateway.write_config(rendered(config))
            gateway.reload()
            eventually(lambda: not gateway.metrics().matching("tollgate_budget_spent_usd"), "the budget's gauges are gone")

    def test_scenario_47_missing_usage_is_counted(self):
        config = self.limited(key=self.budget("1"), price=OUTPUT_ONLY)
        with self.started(config) as gateway:
            for stream in (False, True):
                self.ask(gateway=gateway, body=self.body("mock-tokens-50:nousage", stream=stream))
            self.assertGreater(float(self.me(gateway, "budget")["spent_usd"]), 40 * 2 * 1e-6)

    def test_scenario_48_a_client_that_leaves_pays_what_was_delivered(self):
        config = self.limited(key=self.budget("1"), price=OUTPUT_ONLY)
        with self.started(config) as gateway:
            with Connection("127.0.0.1", gateway.api_port) as connection:
                connection.request("POST", CHAT, bearer(RED), self.body("mock-tokens-900:pace-20", stream=True, max_tokens=900))
                head = connection.read_head()
                for _, event in zip(range(30), connection.sse(head)):
                    self.assertTrue(event.data)
            eventually(lambda: self.me(gateway, "budget")["reserved_usd"] == "0.00", "the settlement")
            spent = float(self.me(gateway, "budget")["spent_usd"])
            self.assertTrue(25e-6 <= spent < 500e-6, spent)

    def test_scenario_14_a_changed_budget_holds_at_once_and_keeps_what_was_spent(self):
        config = self.limited(key=self.budget("0.0001"), price=OUTPUT_ONLY)
        body = self.body("mock-tokens-100", max_tokens=100)
        with self.started(config) as gateway:
            self.ask(gateway=gateway, body=body)
            self.ask(429, gateway=gateway, body=body)
            config["keys"][0]["budget"]["usd"] = "0.0002"
            gateway.write_config(rendered(config))
            gateway.reload()
            eventually(lambda: self.me(gateway, "budget")["limit_usd"] == "0.0002", "the new budget")
            self.assertEqual(self.me(gateway, "budget")["spent_usd"], "0.0001")
            self.ask(gateway=gateway, body=body)
            self.ask(429, gateway=gateway, body=body)


if __name__ == "__main__":
    import unittest

    unittest.main()
