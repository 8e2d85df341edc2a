"""The 66 rows of JSON bad inputs, in three segmentations, in the clear and over TLS: what is served reaches the provider
octet for octet, what is refused never leaves the gateway. Rows about money again with a key whose budget is strict."""

import collections
import dataclasses
import json
import unittest

from common import CHAT, CONFIG
from corpus_replay import OverTls, Replay, check, check_end, corpus, read_answers, request, send_all

CASES = corpus.read("json")
AFTER = b'{"model":"mock-after","messages":[]}'
LARGE = 256 * 1024  # these are sent once more only if that changes where they are cut


class Json(Replay):
    values = {"BODY_JSON": "10MiB"}

    def play(self, case, cut):
        kind = case.keys.get("type", "application/json")
        octets = request(case.octets, path=case.keys.get("path", "/v1/chat/completions"), kind=kind)
        with self.dial() as connection:
            send_all(connection, cut(octets + request(AFTER)))
            response = read_answers(connection, case, "POST")
            shown = f"{response.raw_head!r} {response.body[:500]!r}"
            if "code" in case.keys:
                check(response.json()["error"]["code"] == case.keys["code"], case, shown)
            if "model" in case.keys:
                check(response.header("x-tollgate-model") == case.keys["model"], case, shown)
            check_end(connection, case, response)
            if not case.closes:
                after = connection.read_response()
                check(after.status == 200, case, "the next message", after.raw_head, after.body)

    def check_upstream(self, cases):
        expected = collections.Counter({b'{"model":"mock-health","messages":[]}': 1})
        for case in cases:
            expected[case.octets] += case.upstream
            expected[AFTER] += not case.closes
        recorded = self.mock.requests()
        self.assertEqual(collections.Counter(one["body"] for one in recorded), +expected)
        self.check_upstream_heads(recorded)

    def run_all(self, segmentation, cases):
        cut = corpus.SEGMENTATIONS[segmentation]
        self.replay(cases, lambda case: self.play(case, cut))
        self.check_upstream(cases)


class Clear(Json):
    def test_one_write(self):
        self.run_all("one write", CASES)

    def test_after_each_crlf(self):
        self.run_all("after each CRLF", [case for case in CASES if len(case.octets) <= LARGE])

    def test_octet_by_octet(self):
        self.run_all("octet by octet", [case for case in CASES if len(case.octets) <= corpus.OCTET_LIMIT])

    def test_the_corpus_is_whole(self):
        self.assertEqual(corpus.numbers(CASES), set(range(1, 67)))


class Tls(OverTls, Clear):
    pass


MONEY = {26, 41, 42, 65, 66}
OUTPUT = 1000  # tokens: the model's max_output, each at a micro-dollar
POOR_KEY = "poor-team-key-5e0d7c1b93a24f68"
PRICED = CONFIG.replace(
    '"mock-*": { upstreams: [ { provider: mock } ] }',
    f'"mock-*": {{ upstreams: [ {{ provider: mock }} ], max_output: {OUTPUT}, price: {{ input: "0", output: "1" }} }}',
).replace(
    'secret: "@KEY@", routes: [ files ] }',
    'secret: "@KEY@", budget: { usd: "100", per: month, mode: strict } }\n'
    '  - { id: k_poor, team: open, secret: "@POOR_KEY@", budget: { usd: "0.001", per: month, mode: strict } }',
)


def under_a_strict_budget(case):
    if "strict" not in case.keys:
        return case
    status, code = case.keys["strict"].split()
    return dataclasses.replace(case, keys={**case.keys, "must": status, "code": code, "upstream": "0"})


class StrictBudget(Json):
    config = PRICED
    values = {**Json.values, "POOR_KEY": POOR_KEY}

    def test_rows_about_money(self):
        cases = [under_a_strict_budget(case) for case in CASES if corpus.numbers([case]) <= MONEY]
        self.assertEqual(corpus.numbers(cases), MONEY)
        self.assertTrue(any("strict" in case.keys for case in cases))
        for segmentation in corpus.SEGMENTATIONS:
            with self.subTest(segmentation):
                self.mock.reset()
                self.run_all(segmentation, cases)

    def test_row_42_reserves_the_most_the_model_can_answer(self):
        """The budget is exactly that: the first request fits as it is, the next one is given what the first left."""
        (case,) = [case for case in CASES if case.name == "42"]
        body = json.loads(case.octets)
        first = self.post(CHAT, body, key=POOR_KEY)
        self.assertEqual(first.status, 200, first.body)
        used = first.json()["usage"]["completion_tokens"]
        self.assertGreater(used, 0)
        second = self.post(CHAT, body, key=POOR_KEY)
        self.assertEqual(second.status, 200, second.body)
        sent = [json.loads(one["body"]) for one in self.mock.requests()]
        self.assertEqual([one.get("max_tokens", one.get("max_completion_tokens")) for one in sent], [None, OUTPUT - used])



if __name__ == "__main__":
    unittest.main()
