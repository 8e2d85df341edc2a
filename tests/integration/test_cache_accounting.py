"""What an answer from the cache costs, counts and says (limits-cache §3.8), and how answers are purged (§3.6)."""

import json
import subprocess
import threading
import unittest

from common_b import BLUE, RED, Case, chat, eventually, settings
from tollgate_test import Redis, find_binary

PRICE = {"input": "2", "output": "10"}  # USD per million tokens


class AccountingCase(Case):
    def priced(self, **sections):
        config = settings(self.mock.url, cache={"enabled": True}, **sections)
        config["models"]["mock-*"].update({"price": PRICE, "max_output": 1000})
        return config

    def usage(self, gateway, *options):
        binary = find_binary("tollgate", [".", "gateway"])
        command = [binary, "usage", "-c", str(gateway.config_path), "-o", "json", *options]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        return json.loads(done.stdout)

    def status_of(self, response):
        value = response.header("cache-status") or ""
        return "hit" if "; hit" in value else "stored" if "stored" in value else "miss"


class Ledger(AccountingCase):
    def test_hits_cost_nothing_and_tell_what_they_saved(self):  # scenario 74
        config = self.priced()
        limits = {"rpm": 100, "tpm": {"limit": 1, "burst": 10_000}}
        config["keys"][0].update({"limits": limits, "budget": {"usd": "1", "per": "day"}})
        with self.started(config) as gateway:
            first = self.ask(gateway=gateway)
            usage = first.json()["usage"]
            nano = usage["prompt_tokens"] * 2_000 + usage["completion_tokens"] * 10_000
            before = {one["limit"]: one for one in self.get("/v1/me", gateway=gateway).json()["limits"]}
            hits = [self.ask(gateway=gateway) for _ in range(3)]
            self.assertEqual([self.status_of(hit) for hit in hits], ["hit"] * 3)
            self.assertEqual({hit.header("x-tollgate-cost-usd") for hit in hits}, {"0.00"})
            after = {one["limit"]: one for one in self.get("/v1/me", gateway=gateway).json()["limits"]}
            self.assertEqual(before["budget"]["spent_usd"], after["budget"]["spent_usd"])
            self.assertAlmostEqual(before["tpm"]["remaining"], after["tpm"]["remaining"], delta=5)
            self.assertLessEqual(after["rpm"]["remaining"], before["rpm"]["remaining"] - 2)

            def rows():
                found = {row["cache"]: row for row in self.usage(gateway, "--by", "cache")}
                return found if found.get("hit", {}).get("requests") == 3 else None

            found = eventually(rows, "three rows of hits")
            self.assertEqual((found["miss"]["requests"], found["miss"]["cost_nano_usd"]), (1, nano))
            hit = found["hit"]
            self.assertEqual((hit["cost_nano_usd"], hit["input_tokens"], hit["output_tokens"]), (0, 0, 0))
            self.assertEqual(round(float(hit["saved_usd"]) * 1e9), 3 * nano)
            self.assertEqual((hit["requests_without_usage"], hit["requests_without_cost"]), (0, 0))
            saved = gateway.metrics().sum("tollgate_saved_usd_total", source="cache_exact", model="mock-*")
            served = {
                kind: gateway.metrics().sum("tollgate_cache_served_tokens_total", model="mock-*", type=kind)
                for kind in ("input", "output")
            }
            self.assertEqual(
                served, {"input": 3 * usage["prompt_tokens"], "output": 3 * usage["completion_tokens"]}
            )
            self.assertAlmostEqual(saved, 3 * nano / 1e9, places=12)
        self.assert_calls(1)

    def test_hits_without_a_price_are_rows_without_saved_money(self):
        with self.started(settings(self.mock.url, cache={"enabled": True})) as gateway:
            for expected in ("stored", "hit"):
                self.assertEqual(self.status_of(self.ask(gateway=gateway, body=chat(self.prompt, "mock-x"))), expected)
            found = eventually(
                lambda: {row["cache"]: row for row in self.usage(gateway, "--by", "cache")}.get("hit"), "the hit's row"
            )
            self.assertEqual((found["requests"], found["saved_usd"]), (1, "0"))


class PurgeCommands(AccountingCase):
    """Standalone: the command asks the gateway, which obeys at once."""

    def run_cache(self, gateway, *words, code=0):
        binary = find_binary("tollgate", [".", "gateway"])
        command = [binary, "cache", words[0], "-c", str(gateway.config_path), *words[1:]]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return json.loads(done.stdout) if code == 0 else done.stderr

    def config_with_admin(self):
        config = self.priced()
        config["listen"]["admin"] = "@ADMIN@"
        return config

    def test_purges_by_command(self):  # scenario 73
        body = chat(self.prompt)
        with self.started(self.config_with_admin()) as gateway:

            def seen(**options):
                return self.status_of(self.ask(gateway=gateway, **options))

            file = gateway.home / "body.json"
            file.write_text(json.dumps({"messages": body["messages"], "model": body["model"], "stream": False}))
            for words in (
                ("--all",),
                ("--model", "mock-plain"),
                ("--team", "red"),
                ("--tag", "docs"),
                ("--request", str(file), "--key", "k_red2"),
            ):
                with self.subTest(words):
                    tagged = {"body": body, "headers": {"x-tollgate-cache-tags": "docs"}}
                    seen(**tagged)
                    self.assertEqual(seen(**tagged), "hit")
                    self.assertGreater(self.run_cache(gateway, "stats")["entries"], 0)
                    self.assertGreater(self.run_cache(gateway, "purge", *words)["stamp"], 0)
                    self.assertEqual(seen(**tagged), "stored")
            self.assertEqual(seen(key=BLUE), "stored")
            self.run_cache(gateway, "purge", "--team", "red")
            self.assertEqual(seen(key=BLUE), "hit")
            self.assertGreater(self.run_cache(gateway, "stats")["evicted"]["purge"], 0)

    def test_what_there_is_not_is_refused(self):
        with self.started(self.config_with_admin()) as gateway:
            self.assertIn("no team", self.run_cache(gateway, "purge", "--team", "nobody", code=1))
            self.assertIn("no model", self.run_cache(gateway, "purge", "--model", "nothing", code=1))
            gateway.stop()
            self.assertIn("does the gateway run?", self.run_cache(gateway, "stats", code=1))


class Purge(AccountingCase):
    """Another process purges: what it writes into Redis is all that this one sees of it."""

    def setUp(self):
        super().setUp()
        self.redis = self.enterContext(Redis())
        redis = {"url": self.redis.url, "use": ["cache"]}
        self.gateway_of_test = self.enterContext(self.started(self.priced(redis=redis)))

    def cached(self, **options):
        return self.status_of(self.ask(gateway=self.gateway_of_test, **options))

    def purge(self, name, stamp):
        self.redis.command("ZADD", "tg:purges", stamp, name)

    def test_each_purge_covers_what_it_names(self):  # scenario 73
        tagged = {"headers": {"x-tollgate-cache-tags": "docs, v2"}}
        kinds = {
            "plain": {},
            "tagged": {**tagged, "body": chat(self.prompt + "tagged")},
            "other model": {"body": chat(self.prompt, "mock-other")},
            "other team": {"key": BLUE},
        }

        def all_of_them():
            return {name: self.cached(**options) for name, options in kinds.items()}

        self.assertEqual(set(all_of_them().values()), {"stored"})
        self.assertEqual(set(all_of_them().values()), {"hit"})
        stamp = 2_000_000_000_000
        for name, covered in (
            ("tag/v2", {"tagged"}),
            ("model/mock-other", {"other model"}),
            ("team/red", {"plain", "tagged", "other model"}),
            ("team/nobody", set()),
            ("all", set(kinds)),
        ):
            with self.subTest(name):
                stamp += 1
                self.purge(name, stamp)
                probe = next(iter(covered), None)
                if probe is not None:
                    seen = eventually(lambda p=probe: self.cached(**kinds[p]) != "hit" or None, "the purge")
                    self.assertTrue(seen)
                expected = {kind: "stored" if kind in covered and kind != probe else "hit" for kind in kinds}
                self.assertEqual(all_of_them(), expected)
                self.assertEqual(set(all_of_them().values()), {"hit"})

    def test_answer_that_was_being_made_is_not_kept(self):  # scenario 73
        body = chat(self.prompt, "mock-slow-1500")
        answers = []
        asking = threading.Thread(target=lambda: answers.append(self.ask(gateway=self.gateway_of_test, body=body)))
        self.ask(gateway=self.gateway_of_test, body=chat("probe"))
        asking.start()
        self.mock.wait(requests=2)
        self.purge("all", 2_000_000_000_000)
        eventually(lambda: self.cached(body=chat("probe")) != "hit", "the purge")
        asking.join()
        self.assertNotIn("stored", answers[0].header("cache-status"))
        self.assertEqual(self.cached(body=body), "stored")
        self.assertEqual(self.cached(body=body), "hit")

    def test_process_that_comes_later_does_not_believe_what_was_purged(self):
        self.assertEqual(self.cached(), "stored")
        eventually(lambda: self.redis.command("KEYS", "tg:c:*"), "the entry in Redis")
        self.purge("model/mock-plain", 2_000_000_000_000)
        redis = {"url": self.redis.url, "use": ["cache"]}
        with self.started(self.priced(redis=redis)) as second:
            self.assertEqual(self.status_of(self.ask(gateway=second)), "stored")


if __name__ == "__main__":
    unittest.main()
