"""What a request is expected to use before it is sent: counted, learned or bounded (design §9, limits-cache §1.2)."""

import json
import pathlib
import unittest

from common_b import CHAT, RED, Case, bearer, eventually, log_lines, settings
from tollgate_test import Connection

RANKS = str(pathlib.Path(__file__).resolve().parents[2] / "build" / "tokenizers")  # deploy/fetch-tokenizers
HELLO = [{"role": "user", "content": "hello world"}]
# Texts: user, hello, world. Chat: 3 of the message, 3 of the answer. Margins: one for each text, 8 for the prompt.
HELLO_TOKENS = 3 + 6 + 2 + 8


class EstimateCase(Case):
    def configured(self, *, key=None, model=None, ranks=RANKS, **tokenizers):
        config = settings(self.mock.url, tokenizers={"path": ranks, **tokenizers})
        models = config["models"]
        models["gpt-*"] = {"upstreams": [{"provider": "mock"}], **(model or {})}
        models["llama-*"] = {"upstreams": [{"provider": "mock"}], **(model or {})}
        models["best"] = {"upstreams": [{"provider": "mock", "model": "gpt-4o-2024-08-06"}], **(model or {})}
        config["keys"][0].update(key or {})
        return config

    def requested(self, gateway, body, path="/v1/chat/completions"):
        """What the limit was asked for, out of a refusal that no wait cures."""
        denied = self.post(body, path=path, gateway=gateway)
        self.assertEqual(denied.status, 429, denied.body)
        error = denied.json()["error"]
        self.assertEqual((error["type"], error["code"]), ("tokens", "rate_limit_exceeded"))
        self.assertEqual(denied.header("x-should-retry"), "false", denied.raw_head)  # scenario 8
        self.assertIsNone(denied.header("retry-after"))
        self.assertIsNone(denied.header("retry-after-ms"))
        self.assert_calls(0)
        return error["tollgate"]["requested"]


class Counted(EstimateCase):
    LIMIT = {"limits": {"tpm": {"limit": 1, "burst": 100}}}

    def body(self, model="gpt-4o-mini", messages=HELLO, **fields):
        return {"model": model, "messages": messages, "max_tokens": 1000, **fields}

    def test_the_input_is_what_the_models_tokenizer_counts(self):
        with self.started(self.configured(key=self.LIMIT)) as gateway:
            for model in ("gpt-4o-mini", "gpt-4-turbo", "best"):
                self.assertEqual(self.requested(gateway, self.body(model)), 1000 + HELLO_TOKENS, model)
            body = {"model": "gpt-4o", "input": "hello world", "max_output_tokens": 1000}
            self.assertEqual(self.requested(gateway, body, "/v1/responses"), 1000 + 2 + 6 + 1 + 8)
            body = {"model": "gpt-3.5-turbo-instruct", "prompt": ["hello world"] * 2, "max_tokens": 500}
            self.assertEqual(self.requested(gateway, body, "/v1/completions"), 2 * 500 + 2 * 2 + 2)
            body = {"model": "gpt-4", "input": ["hello world"] * 50}
            self.assertEqual(self.requested(gateway, body, "/v1/embeddings"), 50 * 2 + 50)

    def test_tools_and_schemas_count_by_their_octets(self):
        tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
        with self.started(self.configured(key=self.LIMIT)) as gateway:
            requested = self.requested(gateway, self.body(tools=tools))
            self.assertGreaterEqual(requested, 1000 + HELLO_TOKENS + len(json.dumps(tools)))

    def test_what_no_tokenizer_knows_or_is_large_is_bounded_by_its_octets(self):
        with self.started(self.configured(key=self.LIMIT, max_body="1KiB")) as gateway:
            for body in (self.body("llama-3"), self.body(messages=HELLO * 100)):
                self.assertEqual(self.requested(gateway, body), 1000 + len(json.dumps(body).encode()))

    def test_a_strict_budget_admits_what_octets_would_have_refused(self):
        price = {"input": "1", "output": "0"}
        config = self.configured(key={"budget": {"usd": "0.000300", "per": "day"}}, model={"price": price})
        body = self.body("gpt-4o-mini:prompt-210", [{"role": "user", "content": "hello world " * 100}], max_tokens=5)
        with self.started(config) as gateway:
            self.ask(gateway=gateway, body=body)
            denied = self.ask(429, gateway=gateway, body={**body, "model": "llama-3"})
            self.assertEqual(denied.json()["error"]["code"], "insufficient_quota")


class Learned(EstimateCase):
    def expected(self, gateway, body):
        """What is held while a request of that body waits for its provider."""
        before = self.used(gateway)
        with Connection("127.0.0.1", gateway.api_port) as connection:
            connection.request("POST", CHAT, bearer(RED), {**body, "model": "mock-hang"})
            eventually(lambda: self.used(gateway) > before, "the reservation")
            held = self.used(gateway) - before
        eventually(lambda: self.used(gateway) < before + held, "the settlement")
        return held

    def used(self, gateway):
        limits = self.get("/v1/me", gateway=gateway).json()["limits"]
        return next(one["used"] for one in limits if one["limit"] == "tpm")

    def test_balanced_expects_what_the_key_used_of_the_model(self):
        limit = {"limits": {"tpm": {"limit": 1, "burst": 1_000_000, "mode": "balanced"}}}
        config = self.configured(key=limit)
        config["listen"]["workers"] = 1  # each learns by itself
        body = {"messages": [{"role": "user", "content": "x" * 2000}]}
        with self.started(config) as gateway:
            unlearned = self.expected(gateway, body)
            self.assertGreaterEqual(unlearned, 1024 + 2000 * 0.4)
            for number in range(25):
                # An answer that its own request limits says nothing about others.
                self.ask(gateway=gateway, body={**body, "model": "mock-tokens-9000", "max_tokens": 8000 + number})
                self.ask(gateway=gateway, body={**body, "model": "mock-tokens-40:prompt-100"})
            learned = self.expected(gateway, body)
            self.assertGreaterEqual(learned, 40)
            # 40 and 100 to 500 tokens (half of the requests had the mock's own count), each at most a quarter too much.
            self.assertLess(learned, 50 + 2000 * 0.4)
            given = self.expected(gateway, {**body, "max_tokens": 3000})
            self.assertGreaterEqual(given, 3000)

    def test_scenario_9_what_nobody_sized_is_clamped_to_what_the_limit_can_hold(self):
        for mode in ("strict", "balanced"):
            for bound in ({}, {"max_output": 16384}):
                config = self.configured(key={"limits": {"tpm": {"limit": 500, "mode": mode}}})
                config["models"]["mock-*"].update(bound)
                with self.started(config) as gateway:
                    self.ask(gateway=gateway, body={"model": "mock-tokens-10", "messages": HELLO})
                    self.assertLess(self.used(gateway), 500)

    def test_scenario_10_the_largest_of_the_maxima_counts_and_11_for_every_answer(self):
        with self.started(self.configured(key={"limits": {"output_tpm": {"limit": 1, "burst": 300}}})) as gateway:
            body = {"model": "mock-plain", "messages": HELLO, "max_tokens": 10, "max_completion_tokens": 5000}
            self.assertEqual(self.requested(gateway, body), 5000)
            self.assertEqual(self.requested(gateway, {**body, "max_completion_tokens": 100, "n": 4}), 400)


class WithoutRankFiles(EstimateCase):
    def test_octets_bound_the_input_and_it_is_said_once(self):
        config = self.configured(key=Counted.LIMIT, ranks="/nonexistent/tokenizers")
        body = {"model": "gpt-4o-mini", "messages": HELLO, "max_tokens": 1000}
        with self.started(config) as gateway:
            for _ in range(2):
                self.assertEqual(self.requested(gateway, body), 1000 + len(json.dumps(body).encode()))
            said = [line for line in log_lines(gateway, "tollgate.log") if "tokenizer" in line["message"]]
            self.assertEqual(len(said), 1, said)
            self.assertIn("/nonexistent/tokenizers", said[0]["why"])


if __name__ == "__main__":
    unittest.main()
