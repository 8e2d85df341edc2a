"""Slow attackers beside legitimate load (reliability T8, cases 231, 232, 235, 236): load is served whole, every attacker
is gone within its deadline, nothing stays behind. tests/load/attackers is the full size."""

import pathlib
import sys
import unittest

from common import KEY, GatewayTest, poll
from hostile import SLACK, cost_of, kernel_queues

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))

from attackers_crowd import Apart, Crowd, Load, ZeroWindow  # noqa: E402: found by the line above

COUNTS = {"slowloris": 500, "zero_window": 500, "rudy": 200}
DEADLINES = {"slowloris": 2.0, "zero_window": 2.0, "rudy": 2.0}  # seconds, as configured below
TOLERANCE = 10
EACH = 128 * 1024  # octets: 64 KiB in each direction


class Attackers(GatewayTest):
    values = {
        "LIMITS": "failed_keys: 1M, head_time: 2s, body_idle: 2s, body_rate: 1KiB, write_stall: 2s",
        "HALF_CLOSE": "gone, max_connections: 4000, connections_per_address: 2000",
    }

    def open_descriptors(self):
        return self.gateway.metrics().value("process_open_fds")

    def test_t8_slow_attackers_beside_load(self):
        Load(self.gateway.api_port, KEY, 50, 1).run()
        descriptors = self.open_descriptors()
        self.mock.reset()
        with cost_of(self.gateway, self.gateway.resident_octets(), sum(COUNTS.values()) * EACH // 4) as cost:
            load = Apart(lambda: Load(self.gateway.api_port, KEY, 100, 8))
            crowd = Apart(lambda: Crowd(self.gateway.api_port, KEY, COUNTS, 0.5), TOLERANCE * 2.0)
            ended, served = crowd.result(60), load.result(60)
        self.assertEqual((served["good"], served["failures"]), (served["sent"], {}))
        for kind, count in COUNTS.items():
            self.assertEqual((ended[kind]["count"], ended[kind]["ended"]), (count, count), ended)
            self.assertLess(ended[kind]["longest"], TOLERANCE * DEADLINES[kind], ended)
            self.assertGreater(ended[kind]["longest"], DEADLINES[kind] * 0.9, ended)
            expected = {"reset": count} if kind == "zero_window" else {"408": count}
            self.assertEqual(ended[kind]["statuses"], expected)
        self.assertLess(cost.grown, sum(COUNTS.values()) * EACH * SLACK)
        stats = self.mock.stats()
        self.assertEqual((stats["aborted"], stats["requests"]), (COUNTS["zero_window"], COUNTS["zero_window"] + served["sent"]))
        poll(lambda: self.open_descriptors() <= descriptors + 40, "the attackers' descriptors")
        poll(lambda: self.gateway.metrics().sum("tollgate_requests_in_flight") == 0, "no request left")

    def test_case_235_the_kernel_holds_little_for_who_does_not_read(self):
        reader = ZeroWindow(self.gateway.api_port, "127.0.0.2", KEY)
        self.addCleanup(reader.socket.close)
        port = reader.socket.getsockname()[1]
        most = 0

        def cut():
            nonlocal most
            queues = kernel_queues(self.gateway.api_port, port)
            most = max(most, queues[0] if queues else 0)
            return self.mock.stats()["aborted"] == 1

        poll(cut, "the provider call is cancelled", 20)
        self.assertGreater(most, 0, "it did not read")
        self.assertLessEqual(most, EACH)


if __name__ == "__main__":
    unittest.main()
