"""A few thousand mutated requests (T2); tests/mutation/run sends as many as asked for."""

import json
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "mutation"))

import inputs  # noqa: E402: found by the line above
import mutation  # noqa: E402
import strict_http  # noqa: E402

COUNT = 3000
SEED = 20_240_607


class Mutation(unittest.TestCase):
    def test_T2_what_goes_upstream_is_what_was_accepted(self):
        seed = int(os.environ.get("TOLLGATE_MUTATION_SEED", SEED))
        print(f"seed {seed}", flush=True)
        tally, figures = mutation.run(COUNT, seed)
        print(json.dumps(figures), flush=True)
        self.assertEqual(tally.violations, [])
        self.assertEqual(tally.inputs, COUNT)
        # It says something only if many inputs get through and many are refused.
        self.assertGreater(figures["upstream_messages"], COUNT // 10)
        self.assertGreater(tally.statuses[400], COUNT // 10)


class Found(unittest.TestCase):
    def test_a_refusal_of_HEAD_has_no_content(self):
        with mutation.Bench() as bench:
            for line in (b"Expect: x\r\nHost: a", b"Host: a b", b"Host: a\nX: y", b"X: " + b"y" * 9000, b"Host: a\r\nContent-Length: x"):
                answer = mutation.exchange(bench.gateway.api_port, b"\r\nHEAD /v1/models HTTP/1.1\r\n" + line + b"\r\n\r\n", "127.0.0.1")
                self.assertRegex(answer, rb"(?s)^HTTP/1.1 4\d\d .*content-length: [1-9][^{]*\r\n\r\n$", line)


class Oracle(unittest.TestCase):
    """The judge must see what it is there to see."""

    def judged(self, data, answer):
        tally = mutation.Tally()
        return mutation.judge(data, answer, tally), tally

    def answer_about(self, message, **changes):
        method, target, _ = message.start
        body = json.loads(message.body)
        seen = {"serial": 1, "meaning": mutation.meaning(message.body), "size": len(message.body), "method": method,
                "target": "/base" + mutation.path_of(target), "model": mutation.RENAMED.get(body["model"], body["model"]), **changes}
        text = json.dumps({"seen": seen}).encode()
        return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(text) + text

    def test_a_true_account_passes_and_any_other_does_not(self):
        data = inputs.VALID[2]
        (message,) = strict_http.requests_in(data)
        problem, tally = self.judged(data, self.answer_about(message))
        self.assertIsNone(problem)
        self.assertEqual(tally.serials, [1])
        for changes in ({"meaning": "0"}, {"method": "GET"}, {"target": "/base/admin"}, {"model": "small"}, {"target": "/base/chat/completions?x=1"}):
            self.assertIn("arrived as another", self.judged(data, self.answer_about(message, **changes))[0], changes)

    def test_an_answer_to_what_nobody_sent_is_seen(self):
        data = inputs.VALID[0]
        (message,) = strict_http.requests_in(data)
        answer = self.answer_about(message)
        self.assertIn("holds 1 messages", self.judged(data, answer + answer)[0])
        self.assertIn("malformed", self.judged(data, answer[:-1])[0])
        closing = answer.replace(b"OK\r\n", b"OK\r\nConnection: close\r\n")
        self.assertIn("behind the last answer", self.judged(data, closing + answer)[0])
        self.assertIn("502", self.judged(data, b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")[0])

    def test_the_strict_reader_reads_one_way_only(self):
        for data in (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
                     b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                     b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxx\r\n0\r\n\r\n",
                     b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n", b"GET / HTTP/1.1\nHost: a\n\n"):
            with self.assertRaises(strict_http.Malformed, msg=data):
                strict_http.take_request(data)
        messages = strict_http.requests_in(inputs.VALID[6] + inputs.VALID[0] + inputs.VALID[17] + inputs.VALID[0])
        self.assertEqual([len(message.body) for message in messages], [len(messages[1].body)] * 3)

    def test_a_message_that_is_no_json_to_others_is_told(self):
        for body in (b'{"a":NaN}', b'{"a":1,"a":2}', b'{"a":Infinity}', b"{", b'{"a":"\xff"}'):
            with self.assertRaises(ValueError, msg=body):
                mutation.read_json(body)


if __name__ == "__main__":
    unittest.main()
