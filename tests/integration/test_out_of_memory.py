"""Every allocation of a request fails once, and nothing is left behind: no slot, no reservation, no hung client, no dead
process (limits-cache §6 B, scenario 30: an exception in every stage)."""

import mmap
import os
import struct
import tempfile
import unittest

from common_b import CHAT, RED, bearer, eventually
from test_budgets import OUTPUT_ONLY, BudgetCase
from tollgate_http import ProtocolError
from tollgate_test import Connection, find_binary

MOST = 400  # allocations of one request; more would be a finding of its own


class FailingNew:
    """The file that the gateway's allocator looks at."""

    def __init__(self):
        self.file = tempfile.NamedTemporaryFile(prefix="tollgate-new-")  # noqa: SIM115: closed with the test
        self.file.write(bytes(16))
        self.file.flush()
        self.octets = mmap.mmap(self.file.fileno(), 16)

    def allow(self, count):
        """The allocation after this many fails; 0: none does."""
        self.octets[0:8] = struct.pack("<q", count)

    def left(self):
        return struct.unpack("<q", self.octets[0:8])[0]

    def failed(self):
        return struct.unpack("<q", self.octets[8:16])[0]


class OutOfMemory(BudgetCase):
    def setUp(self):
        super().setUp()
        self.new = FailingNew()

    def started_failing(self):
        config = self.limited(
            key={"budget": {"usd": "1000", "per": "day"}, "limits": {"concurrency": 5, "tpm": 100_000_000}}, price=OUTPUT_ONLY
        )
        config["listen"]["workers"] = 1
        config["providers"]["mock"]["stream_usage"] = True
        return self.started(
            config,
            binary=find_binary("tollgate_out_of_memory", ["tests/integration"]),
            env={"TOLLGATE_FAILING_NEW": self.new.file.name, **os.environ},
        )

    def ask_once(self, gateway, path, body):
        """The status, or None where the connection just ended."""
        try:
            with Connection("127.0.0.1", gateway.api_port, timeout=10) as connection:
                connection.request("POST", path, bearer(RED), body)
                answer = connection.read_head()
                for _ in connection.body_pieces(answer):
                    pass
                return answer.status
        except (ConnectionError, ProtocolError):
            return None
        except TimeoutError:
            return "nothing"

    def told(self, point, gateway):
        return f"after allocation {point} failed:\n{gateway.log[-2000:]}"

    def break_everywhere(self, path, body):
        """Fails the first, the second, … allocation until a request needs fewer; returns how many and what came."""
        seen = {}
        with self.started_failing() as gateway:
            self.assertEqual(self.ask_once(gateway, path, body), 200)  # what is made once is made
            for point in range(1, MOST):
                before = self.new.failed()
                self.new.allow(point)
                status = self.ask_once(gateway, path, body)
                self.new.allow(0)
                self.assertIsNone(gateway.child.poll(), f"allocation {point} ended the process:\n{gateway.log[-2000:]}")
                if self.new.failed() == before:
                    self.assertEqual(status, 200)
                    break
                self.assertIn(status, (None, 200, 500, 502, 503), f"allocation {point}")
                seen[status] = seen.get(status, 0) + 1
                # Whoever comes next is served, and finds all slots free and nothing held.
                self.assertEqual(self.ask_once(gateway, path, body), 200, self.told(point, gateway))
            else:
                self.fail(f"a request allocates more than {MOST} times")
            eventually(lambda: self.me(gateway, "concurrency")["used"] == 0, "all slots")
            eventually(lambda: self.me(gateway, "budget")["reserved_usd"] == "0.00", "all reservations")
            eventually(lambda: gateway.metrics().sum("tollgate_requests_in_flight") == 0, "no request in flight")
        print(f"{path}: {point - 1} allocations failed, one after the other: {seen}")
        return point - 1

    def test_scenario_30_a_plain_request(self):
        self.assertGreaterEqual(self.break_everywhere(CHAT, self.body("mock-tokens-5", max_tokens=5)), 15)

    def test_scenario_30_a_request_that_has_to_connect(self):
        body = self.body("mock-tokens-5:keepalive-close", max_tokens=5)
        self.assertGreaterEqual(self.break_everywhere(CHAT, body), 15)

    def test_scenario_30_a_stream(self):
        body = self.body("mock-tokens-5", max_tokens=5, stream=True)
        self.assertGreaterEqual(self.break_everywhere(CHAT, body), 20)

    def test_scenario_30_embeddings(self):
        body = {"model": "mock-plain", "input": "x"}
        self.assertGreaterEqual(self.break_everywhere("/v1/embeddings", body), 15)


if __name__ == "__main__":
    unittest.main()
