"""Reloads under load: T11, F52, F53, F55 at the size of a test; tests/load/reload runs the full one."""

import asyncio
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))

from common_b import Case
from reload_scenario import check, configuration, invalid_configurations, reload
from tollgate_test import Tollgate
from verdict import verdict


class Reload(Case):
    def test_good_and_bad_reloads_under_load_fail_nothing_and_mix_nothing(self):
        with Tollgate(configuration(self.mock.url, 0)) as gateway:
            reloaded = asyncio.run(reload(gateway, self.mock, good=20, bad=30, seconds=5, rate=200, streams=60))
            check(self, gateway, self.mock, reloaded)
            scrape = gateway.metrics()
            self.assertEqual(scrape.sum("tollgate_config_reloads_total", result="success"), 20)
            self.assertEqual(scrape.sum("tollgate_config_reloads_total", result="failure"), 30)
            self.assertEqual(scrape.value("tollgate_config_last_reload_success"), 0)  # a bad one came last
            self.assertEqual(len(scrape.matching("tollgate_config_info")), 1)

    def test_two_signals_at_once_are_served_one_after_the_other(self):
        with Tollgate(configuration(self.mock.url, 0)) as gateway:
            gateway.write_config(configuration(self.mock.url, 1))
            for _ in range(50):
                gateway.reload()
            asyncio.run(reload(gateway, self.mock, good=2, bad=2, seconds=1, rate=50, streams=5))
            self.assertEqual(gateway.stop(), 0)

    def test_the_wrong_configurations_are_all_different(self):
        texts = invalid_configurations(self.mock.url, 50)
        self.assertEqual(len(set(texts)), 50)


class Verdict(unittest.TestCase):
    def test_too_little_load_proves_nothing(self):
        self.assertEqual(verdict([], [("all", 500, 476), ("some", 300, 300)]), ("pass", []))
        self.assertEqual(verdict([], [("all", 500, 452)]), ("not_run", ["all: 452 of 500 a second"]))
        self.assertEqual(verdict([], [("all", 500, 500)], ["slow, but not alone"]), ("not_run", ["slow, but not alone"]))
        self.assertEqual(verdict(["one failed"], [("all", 500, 452)]), ("fail", ["one failed"]))


if __name__ == "__main__":
    unittest.main()
