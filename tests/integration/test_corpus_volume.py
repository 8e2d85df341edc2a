"""Large and legal: what the caps on JSON must not refuse, and what a large body costs (rows 19 and 56 of the catalogue)."""

import pathlib
import unittest

from common import CONFIG, GatewayTest, bearer, octets
from hostile import SLACK
from tollgate_test import call

TOKENS = 300_000


class VolumeCase(GatewayTest):
    values = {"WORKERS": 1}

    def peak(self):
        """High-water mark of the gateway's resident set in octets."""
        status = pathlib.Path(f"/proc/{self.gateway.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024

    def forget_peak(self):
        pathlib.Path(f"/proc/{self.gateway.pid}/clear_refs").write_text("5")

    def assert_cost(self, body):
        """Within five times its size, above what small bodies need."""
        self.forget_peak()
        headers = {**bearer(), "content-type": "application/json"}
        response = call("POST", f"{self.gateway.url}/v1/embeddings", headers, body, timeout=10.0 * SLACK)
        self.assertEqual(response.status, 200, response.body[:300])
        cost = (self.peak() - self.base) / len(body)
        print(f"{len(body)} octets: {cost:.2f} x")
        self.assertLessEqual(cost, 5 * SLACK)
        self.assertEqual(self.mock.requests(last=1)[0]["body"], body)

    def assert_large_bodies_are_cheap(self):
        head = {"model": "text-embedding-3-small"}
        small = octets({**head, "input": [1, 2, 3]})
        for _ in range(20):
            self.assertEqual(self.post("/v1/embeddings", small, {"content-type": "application/json"}).status, 200)
        self.forget_peak()
        self.base = self.peak()
        start = b'{"model":"text-embedding-3-small","input":'
        self.assert_cost(start + b"[" + b"123456789," * 999_000 + b"0]}")
        self.assert_cost(start + b'"' + b"a" * (10 << 20) + b'"}')
        self.assert_cost(start + b"[" + b'"' + b'","'.join([b"c" * 41_000] * 250) + b'"]}')


class Volume(VolumeCase):
    def test_three_hundred_thousand_tokens_pass(self):
        numbers = list(range(TOKENS))
        for path, body in (
            ("/v1/embeddings", {"model": "text-embedding-3-small", "input": numbers}),
            ("/v1/completions", {"model": "mock-plain", "prompt": numbers}),
        ):
            response = self.post(path, body)
            self.assertEqual(response.status, 200, response.body[:300])
            self.assertEqual(self.mock.requests(last=1)[0]["body"], octets(body))

    def test_answers_have_no_cap_on_values(self):
        texts = [f"text {number}" for number in range(66)]
        body = {"model": "text-embedding-3-small", "input": texts, "dimensions": 1536, "encoding_format": "float"}
        direct = self.direct("/v1/embeddings", body)
        response = self.post("/v1/embeddings", body)
        self.assertEqual((response.status, response.body), (200, direct.body))
        self.assertEqual([len(row["embedding"]) for row in response.json()["data"]], [1536] * 66)

    def test_row_19_a_large_body_costs_at_most_five_times_its_size(self):
        self.assert_large_bodies_are_cheap()


class Cached(VolumeCase):
    config = CONFIG + "cache: { enabled: true }\n"

    def test_row_19_a_large_body_costs_at_most_five_times_its_size(self):
        self.assert_large_bodies_are_cheap()


if __name__ == "__main__":
    unittest.main()
