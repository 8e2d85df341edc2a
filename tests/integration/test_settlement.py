"""What is charged when things go slowly, wrong or twice (limits-cache §6, scenarios 29, 33, 40, 46)."""

import contextlib
import json
import sqlite3
import time
import unittest

from common_b import CHAT, RED, bearer, chat, eventually, rendered
from stage import Crowd, Stage
from test_budgets import OUTPUT_ONLY, BudgetCase
from tollgate_test import Connection


class Settlement(BudgetCase):
    def spent_micro(self, gateway):
        return round(float(self.me(gateway, "budget")["spent_usd"]) * 1e6)

    def rows(self, gateway):
        """Request ids in the usage table, as often as they are there."""
        found = []
        for file in sorted((gateway.store / "ledger").glob("usage-*.db")):
            with contextlib.closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
                found += [row[0] for row in database.execute("SELECT request_id FROM usage_record")]
        return sorted(found)


class LongStream(Settlement):
    def test_scenario_29_a_stream_that_outlives_its_lease_keeps_what_it_holds(self):
        lease, tokens = 60, 66  # a lease of 60 s, renewed; a token a second
        config = self.limited(key={"limits": {"concurrency": 1}, "budget": {"usd": "1", "per": "day"}}, price=OUTPUT_ONLY)
        with self.started(config) as gateway, Connection("127.0.0.1", gateway.api_port) as connection:
            start = time.monotonic()
            body = chat(self.prompt, f"mock-tokens-{tokens}:pace-1000", max_tokens=tokens, stream=True)
            connection.request("POST", CHAT, bearer(RED), body)
            answer = connection.read_head()
            self.assertEqual(answer.status, 200)
            whole, asked = b"", False
            for piece in connection.body_pieces(answer):
                whole += piece
                if not asked and time.monotonic() - start > lease + 2:
                    asked = True
                    self.assertEqual(self.post(self.body(), gateway=gateway).status, 429)
                    self.assertEqual(self.me(gateway, "budget")["reserved_usd"], f"{tokens / 1e6:.6f}")
            self.assertTrue(asked)
            self.assertIn(b"data: [DONE]", whole)
            eventually(lambda: self.me(gateway, "budget")["reserved_usd"] == "0.00", "the settlement")
            self.assertEqual(self.spent_micro(gateway), tokens)
            self.ask(gateway=gateway, body=self.body())
            row = eventually(lambda: self.usage(gateway, "--by", "model"), "rows")
            self.assertEqual(sum(one["requests"] for one in row), 2)


class Balanced(Settlement):
    def settings(self, tokens, usd):
        budget = {"usd": usd, "per": "day", "mode": "balanced"}
        config = self.limited(key={"budget": budget}, price=OUTPUT_ONLY)
        config["listen"]["workers"] = 1  # each learns by itself
        config["models"]["habit"] = {
            "upstreams": [{"provider": "mock", "model": f"mock-tokens-{tokens}"}],
            "max_output": 1000,
            "price": OUTPUT_ONLY,
        }
        return config

    def test_scenario_33_what_is_used_beyond_the_estimate_is_all_that_is_overspent(self):
        expected, actual, connections = 40, 52, 50
        with self.started(self.settings(expected, "1")) as gateway:
            for _ in range(40):
                self.ask(gateway=gateway, body=self.body("habit"))
            learnt = self.spent_micro(gateway)
            self.assertEqual(learnt, 40 * expected)
            budget = learnt + 100 * expected
            gateway.write_config(rendered(self.settings(actual, f"{budget / 1e6:.6f}")))
            gateway.reload()
            before = self.mock.stats()["requests"]
            statuses = self.together(gateway, 500, self.body("habit"), connections=connections)
            served = statuses.count(200)
            self.assertEqual(served + statuses.count(429), 500)
            self.assertEqual(self.mock.stats()["requests"] - before, served)
            overspent = self.spent_micro(gateway) - budget
            self.assertEqual(self.spent_micro(gateway), learnt + served * actual)
            self.assertLessEqual(overspent, connections * (actual - expected))
            self.assertLess(served, 100)
            self.assertEqual(self.post(self.body("habit"), gateway=gateway).status, 429)


class Repeated(Settlement):
    def test_scenario_40_a_retry_with_the_same_name_is_charged_once(self):
        config = self.limited(key={"budget": {"usd": "1", "per": "day"}}, price=OUTPUT_ONLY, cache={"enabled": True})
        name = bearer(RED, idempotency_key="order-17")
        body = self.body("mock-tokens-30:first-300", max_tokens=30)
        with self.started(config) as gateway:
            with Connection("127.0.0.1", gateway.api_port) as first:
                first.request("POST", CHAT, name, body)
                eventually(lambda: self.mock.stats()["requests"] == 1, "the provider has the call")
            again = [self.post(body, headers=name, gateway=gateway) for _ in range(3)]  # the first client has left
            self.assertEqual([answer.status for answer in again], [200] * 3)
            eventually(lambda: self.me(gateway, "budget")["reserved_usd"] == "0.00", "the settlement")
            self.assertEqual(self.spent_micro(gateway), 30)
            self.assertEqual(self.mock.stats()["requests"], 1)


class ServedTier(Settlement):
    """The provider's word on how it served a request decides its price (row 65 of the JSON catalogue)."""

    def answer(self, call, tier):
        usage = {"prompt_tokens": 10, "completion_tokens": 100, "total_tokens": 110}
        common = {"id": "c", "created": 1, "model": "m", **({"service_tier": tier} if tier else {})}
        if not call.json().get("stream"):
            message = {"role": "assistant", "content": "x"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            return call.answer(json.dumps({**common, "object": "chat.completion", "choices": [choice], "usage": usage}).encode())
        chunk = {**common, "object": "chat.completion.chunk"}
        call.begin_stream()
        call.send_event({**chunk, "choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]})
        call.send_event({**chunk, "choices": [], "usage": usage})
        call.end_stream()

    def test_the_bill_is_that_of_the_served_tier(self):
        stage = self.enterContext(Stage())
        config = self.limited(key={"budget": {"usd": "1", "per": "day", "mode": "balanced"}})
        config["providers"]["mock"].update({"base_url": f"{stage.url}/v1", "stream_usage": True})
        config["models"]["mock-*"]["price"] = {**OUTPUT_ONLY, "service_tiers": {"flex": "0.5"}}
        with self.started(config) as gateway, Crowd() as crowd:
            spent = 0
            for tier, micro in ((None, 100), ("default", 100), ("flex", 50), ("priority", 200), ("fast", 200)):
                for stream in (False, True):
                    body = self.body(max_tokens=100, service_tier="auto", stream=stream)
                    guests = crowd.add(gateway.api_port, CHAT, bearer(RED), body)
                    self.answer(stage.next(), tier)
                    self.assertEqual(crowd.finish(guests)[0].status, 200)
                    spent += micro
                    self.assertEqual(self.spent_micro(gateway), spent, (tier, stream))


class UsageTable(Settlement):
    """Another process holds the table's file: requests go on, and their rows come when it lets go."""

    def ask_many(self, gateway, count, seen):
        with Connection("127.0.0.1", gateway.api_port) as connection:
            for _ in range(count):
                connection.request("POST", CHAT, bearer(RED), self.body())
                answer = connection.read_response()
                self.assertEqual(answer.status, 200)
                seen.append(answer.header("x-request-id"))

    def test_scenario_46_a_table_that_takes_nothing_loses_and_doubles_nothing(self):
        seen = []
        config = self.limited(key={"budget": {"usd": "1", "per": "day"}}, price=OUTPUT_ONLY)
        with self.started(config) as gateway:
            self.ask_many(gateway, 1, seen)
            eventually(lambda: self.usage(gateway, "--by", "key"), "the first row")
            self.assertEqual(self.rows(gateway), seen)
            (file,) = (gateway.store / "ledger").glob("usage-*.db")
            for killed in (False, True):
                with contextlib.closing(sqlite3.connect(file, isolation_level=None)) as holder:
                    holder.execute("BEGIN IMMEDIATE")
                    before = self.rows(gateway)
                    self.ask_many(gateway, 200, seen)
                    self.assertEqual(self.rows(gateway), before)
                    spent = self.spent_micro(gateway)
                    if killed:
                        gateway.kill()
                    holder.execute("ROLLBACK")
                if killed:
                    gateway.start()
                    eventually(gateway.is_ready, "readiness")
                eventually(lambda: self.rows(gateway) == sorted(seen), "every row, once", timeout=30)
                self.assertEqual(self.spent_micro(gateway), spent)


if __name__ == "__main__":
    unittest.main()
