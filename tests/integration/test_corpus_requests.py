"""Cases 1 to 222 of the bad-input catalogue, in three segmentations, in the clear and over TLS (tests T1, case 223)."""

import json
import unittest

from corpus_replay import OverTls, Replay, check, check_end, corpus, read_answers, request, send_all

CASES = corpus.read("requests")


def model_of(body):
    return json.loads(body)["model"]


def follower(case):
    """A legal message behind the case: served where the connection goes on, never seen where it ends."""
    return request(json.dumps({"model": f"mock-after-{case.name}", "messages": []}).encode())


class Requests(Replay):
    def play(self, case, cut):
        ends_here = case.keys.get("fin") == "yes"
        octets = case.octets if ends_here else case.octets + follower(case)
        method = case.octets.split(b" ", 1)[0].decode("latin-1")
        with self.dial() as connection:
            send_all(connection, cut(octets))
            if ends_here:
                connection.half_close()
            response = read_answers(connection, case, method if method == "HEAD" else "GET")
            if response is not None and b"HTTP/1.0" in case.octets[:60]:
                check(response.interim == [], case, "an interim answer on HTTP/1.0")
            check_end(connection, case, response)
            if not case.closes:
                after = connection.read_response()
                check(after.status == 200, case, "the next message", after.raw_head, after.body)

    def expected_upstream(self, cases):
        """Model and body of everything that may reach the provider."""
        expected = [("mock-health", None)]
        for case in cases:
            if case.upstream > 0:
                expected += [(model_of(case.keys["body"]), case.keys["body"].encode())] * case.upstream
            if not case.closes:
                expected.append((f"mock-after-{case.name}", None))
        return expected

    def check_upstream(self, cases):
        expected = self.expected_upstream(cases)
        bodies = {model: body for model, body in expected if body is not None}
        recorded = self.mock.requests()
        self.assertEqual(sorted(model_of(one["body"]) for one in recorded), sorted(model for model, _ in expected))
        self.assertEqual(self.mock.stats()["requests"], len(expected))
        for one in recorded:
            wanted = bodies.get(model_of(one["body"]))
            self.assertTrue(wanted is None or one["body"] == wanted, one)
        self.check_upstream_heads(recorded)


class Clear(Requests):
    def run_all(self, segmentation):
        cut = corpus.SEGMENTATIONS[segmentation]
        self.replay(CASES, lambda case: self.play(case, cut))
        self.check_upstream(CASES)

    def test_one_write(self):
        self.run_all("one write")

    def test_after_each_crlf(self):
        self.run_all("after each CRLF")

    def test_case_223_octet_by_octet(self):
        self.run_all("octet by octet")

    def test_the_corpus_is_whole(self):
        self.assertEqual(corpus.numbers(CASES), set(range(1, 223)))


class Tls(OverTls, Clear):
    pass


class HalfCloseServed(Requests):
    values = {"HALF_CLOSE": "serve"}

    def test_unfinished_messages(self):
        cases = [case for case in CASES if case.keys.get("fin") == "yes"]
        self.assertEqual(corpus.numbers(cases), {185, 186, 187})
        for cut in corpus.SEGMENTATIONS.values():
            self.mock.reset()
            self.replay(cases, lambda case: self.play(case, cut))
            self.check_upstream(cases)


if __name__ == "__main__":
    unittest.main()
