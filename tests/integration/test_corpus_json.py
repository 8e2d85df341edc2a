"""The 66 rows of JSON bad inputs, in three segmentations, in the clear and over TLS: what is served reaches the provider
octet for octet, what is refused never leaves the gateway."""

import collections
import unittest

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


if __name__ == "__main__":
    unittest.main()
