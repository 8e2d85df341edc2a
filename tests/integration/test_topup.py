"""Streams that use more than was reserved: what they take on top, and how they end (limits-cache §2.3, scenario 35)."""

import json
import unittest

from common_b import RED, bearer, eventually
from test_budgets import MICRO, OUTPUT_ONLY, BudgetCase
from tollgate_test import Connection

QUANTUM = 512
LIMIT = 2000  # tokens; a micro-USD each
# The mock's word has 8 octets, which count as 2.4 tokens where the provider does not tell.
TOKENS_OF_AN_OCTET = 0.3


def data_of(body):
    """The data of each event of a whole stream."""
    events = [event for event in body.decode().split("\n\n") if event]
    lines = [line for event in events for line in event.splitlines() if line.startswith("data: ")]
    return [line[6:] if line == "data: [DONE]" else json.loads(line[6:]) for line in lines]


class TopUpCase(BudgetCase):
    def budget(self, **more):
        usd = f"{LIMIT * MICRO / 1e9:.9f}"
        return {"budget": {"usd": usd, "per": "day", "mode": "balanced", "on_exhausted": "cut", **more}}

    def spent(self, gateway):
        return round(float(self.me(gateway, "budget")["spent_usd"]) * 1e9) // MICRO

    def ledger(self, gateway):
        """Tokens of output and requests, as the ledger has them."""

        def row():
            return next((one for one in self.usage(gateway, "--by", "key") if one["key"] == "k_red1"), None)

        found = eventually(row, "the ledger's table")
        return found["output_tokens"], found["requests"]

    def assert_ends_at_the_limit(self, gateway, text):
        """What was delivered is what was charged, and at most a quantum more than the limit."""
        counted = round(len(text) * TOKENS_OF_AN_OCTET)
        output, _ = self.ledger(gateway)
        self.assertLessEqual(abs(output - counted), 1)
        self.assertEqual(self.spent(gateway), output)
        self.assertGreater(output, LIMIT - QUANTUM)
        self.assertLessEqual(output, LIMIT + QUANTUM)
        self.assertEqual(self.me(gateway, "budget")["reserved_usd"], "0.00")
        self.mock.wait(aborted=1)  # the provider was told to stop
        denied = self.ask(429, gateway=gateway, body=self.body(max_tokens=500))
        self.assertEqual(denied.json()["error"]["code"], "insufficient_quota")


class Cut(TopUpCase):
    ENDLESS = "mock-tokens-100000:nocap"

    def test_scenario_35_a_chat_ends_with_length_and_done(self):
        for told in (False, True):
            self.mock.reset()
            options = {"stream_options": {"include_usage": True}} if told else {}
            with self.started(self.limited(key=self.budget(), price=OUTPUT_ONLY)) as gateway:
                answer = self.ask(gateway=gateway, body=self.body(self.ENDLESS, stream=True, **options))
                events = data_of(answer.body)
                self.assertEqual(events[-1], "[DONE]")
                end = events[-3 if told else -2]
                self.assertEqual(end["choices"], [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}])
                self.assertEqual(end["tollgate"], {"stop": "budget"})
                self.assertEqual({event["id"] for event in events[:-1]}, {end["id"]})
                self.assertEqual(end["object"], "chat.completion.chunk")
                ends = [e for e in events[:-1] for choice in e["choices"] if choice["finish_reason"]]
                self.assertEqual(ends, [end])
                text = "".join(c["delta"].get("content") or "" for e in events[:-1] for c in e["choices"])
                self.assert_ends_at_the_limit(gateway, text)
                if told:
                    usage = events[-2]
                    self.assertEqual(usage["choices"], [])
                    self.assertEqual(usage["usage"]["completion_tokens"], self.ledger(gateway)[0])

    def test_every_choice_is_ended(self):
        with self.started(self.limited(key=self.budget(), price=OUTPUT_ONLY)) as gateway:
            events = data_of(self.ask(gateway=gateway, body=self.body(self.ENDLESS, stream=True, n=2)).body)
            ends = [(c["index"], c["finish_reason"]) for e in events[:-1] for c in e["choices"] if c["finish_reason"]]
            self.assertEqual(ends, [(0, "length"), (1, "length")])

    def test_legacy_completions_direct_and_through_chat(self):
        for via in ({}, {"via": "chat"}):
            self.mock.reset()
            config = self.limited(key=self.budget(), price=OUTPUT_ONLY)
            config["models"]["mock-*"]["upstreams"][0].update(via)
            with self.started(config) as gateway:
                body = {"model": self.ENDLESS, "prompt": self.prompt, "stream": True, "max_tokens": 1000}
                events = data_of(self.ask(gateway=gateway, path="/v1/completions", body=body).body)
                self.assertEqual(events[-1], "[DONE]")
                self.assertEqual(events[-2]["choices"][0]["finish_reason"], "length", events[-2])
                self.assertEqual(events[-2]["object"], "text_completion")
                text = "".join(c["text"] for e in events[:-1] for c in e["choices"])
                self.assert_ends_at_the_limit(gateway, text)

    def test_a_response_is_incomplete(self):
        with self.started(self.limited(key=self.budget(), price=OUTPUT_ONLY)) as gateway:
            body = {"model": self.ENDLESS, "input": self.prompt, "stream": True, "store": False}
            events = data_of(self.ask(gateway=gateway, path="/v1/responses", body=body).body)
            self.assertEqual([event["sequence_number"] for event in events], list(range(len(events))))
            last = events[-1]
            self.assertEqual(last["type"], "response.incomplete")
            response = last["response"]
            self.assertEqual((response["status"], response["incomplete_details"]["reason"]), ("incomplete", "max_output_tokens"))
            text = "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")
            self.assertEqual(response["output"][0]["content"][0]["text"], text)
            self.assertEqual(response["usage"]["output_tokens"], self.ledger(gateway)[0])
            self.assert_ends_at_the_limit(gateway, text)

    def test_a_limit_of_tokens_cuts_as_well(self):
        limit = {"limit": 1, "burst": LIMIT, "mode": "balanced", "on_exhausted": "cut"}
        with self.started(self.limited(key={"limits": {"output_tpm": limit}})) as gateway:
            events = data_of(self.ask(gateway=gateway, body=self.body(self.ENDLESS, stream=True)).body)
            self.assertEqual(events[-2]["tollgate"], {"stop": "output_tpm"})
            self.assertEqual(events[-2]["choices"][0]["finish_reason"], "length")
            self.assertLessEqual(self.ledger(gateway)[0], LIMIT + QUANTUM)

    def test_the_last_call_ends_where_the_budget_does(self):
        with self.started(self.limited(key=self.budget(mode="last_call"), price=OUTPUT_ONLY)) as gateway:
            events = data_of(self.ask(gateway=gateway, body=self.body(self.ENDLESS, stream=True, max_tokens=50000)).body)
            self.assertEqual(events[-2]["tollgate"], {"stop": "budget"})
            self.assertLessEqual(self.spent(gateway), LIMIT + QUANTUM)
            self.assertGreater(self.spent(gateway), LIMIT - QUANTUM)

    def test_what_ends_in_time_is_not_touched(self):
        with self.started(self.limited(key=self.budget(), price=OUTPUT_ONLY)) as gateway:
            body = self.body("mock-tokens-500", stream=True)
            direct = self.post(body, gateway=gateway, key="sk-blue-one-canary-44cd")
            answer = self.ask(gateway=gateway, body=body)
            self.assertEqual(data_of(answer.body)[-2]["choices"][0]["finish_reason"], "stop")
            self.assertEqual(len(answer.body), len(direct.body))


class Finish(TopUpCase):
    def test_a_stream_may_finish_and_its_debt_shows_while_it_runs(self):
        config = self.limited(key=self.budget(on_exhausted="finish"), price=OUTPUT_ONLY)
        with self.started(config) as gateway:
            with Connection("127.0.0.1", gateway.api_port) as connection:
                # Words that count as 2.4 tokens each until the provider tells how many they were; then silence.
                body = self.body("mock-tokens-100000:nocap:hang-after-2000", stream=True)
                connection.request("POST", "/v1/chat/completions", bearer(RED), body)
                events = connection.sse(connection.read_head())
                for _ in range(1900):
                    next(events)

                def held_is_over():
                    mine = self.me(gateway, "budget")
                    return float(mine["reserved_usd"]) * 1e9 > (LIMIT + QUANTUM) * MICRO and mine

                mine = eventually(held_is_over, "more held than the budget")
                self.assertEqual((mine["spent_usd"], mine["remaining_usd"]), ("0.00", "0.00"))
                self.ask(429, gateway=gateway, body=self.body(max_tokens=1))
            spent = eventually(lambda: self.spent(gateway), "the settlement")
            self.assertGreater(spent, LIMIT)
            self.assertEqual(spent, self.ledger(gateway)[0])


class Receipt(TopUpCase):
    def test_the_usage_chunk_tells_the_cost_to_who_asks(self):
        config = self.limited(price=OUTPUT_ONLY)
        with self.started(config) as gateway:
            body = self.body("mock-tokens-50", stream=True)
            for options in ({}, {"stream_options": {"include_usage": True}}):
                plain = self.ask(gateway=gateway, body={**body, **options})
                self.assertNotIn(b"tollgate", plain.body)
                answer = self.ask(gateway=gateway, body={**body, **options}, headers={"x-tollgate-receipt": "1"})
                usage = data_of(answer.body)[-2]["usage"]
                self.assertEqual(usage["completion_tokens"], 50)
                receipt = usage["tollgate"]
                self.assertEqual(receipt["cost_usd"], "0.00005")
                self.assertEqual((receipt["complete"], receipt["upstream"]), (True, "mock"))
                self.assertEqual(receipt["request_id"], answer.header("x-request-id"))
                self.assertEqual(data_of(answer.body)[-1], "[DONE]")

    def test_a_response_and_a_cut_stream_tell_it_as_well(self):
        with self.started(self.limited(key=self.budget(), price=OUTPUT_ONLY)) as gateway:
            asked = {"headers": {"x-tollgate-receipt": "1"}, "gateway": gateway}
            body = {"model": "mock-tokens-50", "input": self.prompt, "stream": True, "store": False}
            last = data_of(self.ask(path="/v1/responses", body=body, **asked).body)[-1]
            self.assertEqual(last["response"]["usage"]["tollgate"]["cost_usd"], "0.00005")
            cut = data_of(self.ask(body=self.body(Cut.ENDLESS, stream=True), **asked).body)
            usage = cut[-2]["usage"]
            self.assertFalse(usage["tollgate"]["complete"])
            self.assertEqual(round(float(usage["tollgate"]["cost_usd"]) * 1e6), usage["completion_tokens"])


if __name__ == "__main__":
    unittest.main()
