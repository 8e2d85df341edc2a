"""`tollgate usage` and `tollgate ledger verify`: what the ledger says, also while somebody writes it (design §12)."""

import csv
import io
import json
import pathlib
import subprocess
import tempfile
import unittest

from common_b import find_binary

HOUR = 3_600_000_000
DAY = 24 * HOUR
NOON = 1_790_942_400_000_000  # 2026-10-02T12:00:00Z

CONFIG = """\
version: 1
listen: { api: "127.0.0.1:8080" }
store: { path: "@STORE@" }
providers:
  mock: { kind: openai, base_url: "http://127.0.0.1:9/v1", api_keys: [ "none" ], private: true }
models:
  plain: { upstreams: [ { provider: mock } ] }
"""


class Filler:
    """A process that has the ledger open and writes what it is told."""

    def __init__(self, directory):
        binary = find_binary("fill_ledger", ["tests/integration"])
        self.child = subprocess.Popen(
            [binary, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.stdin.close()
        self.child.wait(30)
        self.child.stdout.close()
        self.child.stderr.close()

    def __call__(self, *words):
        self.send(*words)
        self.answer()

    def send(self, *words):
        self.child.stdin.write(" ".join(map(str, words)) + "\n")
        self.child.stdin.flush()

    def answer(self):
        line = self.child.stdout.readline().strip()
        if line != "ok":
            raise AssertionError(line or self.child.stderr.read())

    def settle(self, name, at=NOON, *, team="search", key="k_one", model="small", provider="openai", outcome="success",
               tokens=(10, 5), nano=1_000):
        known = ["-" if value is None else value for value in (*tokens, nano)]
        self("settle", name, at, "default", team, key, model, provider, outcome, *known)


class LedgerCli(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.binary = find_binary("tollgate", [".", "gateway"])
        self.store = self.folder / "store"
        self.ledger = self.store / "ledger"
        self.config = self.folder / "tollgate.yaml"
        self.config.write_text(CONFIG.replace("@STORE@", str(self.store)))

    def run_with(self, *arguments, code=0):
        done = subprocess.run(
            [self.binary, *map(str, arguments)], capture_output=True, timeout=60, cwd=self.folder
        )
        self.assertEqual(done.returncode, code, done.stdout.decode() + done.stderr.decode())
        return done.stdout.decode(), done.stderr.decode()

    def usage(self, *arguments):
        return json.loads(self.run_with("usage", "-c", self.config, "-o", "json", *arguments)[0])

    def verify(self, code=0):
        return self.run_with("ledger", "verify", "-c", self.config, code=code)[0]

    def fill(self):
        self.store.mkdir(exist_ok=True)
        return Filler(self.ledger)

    def test_json_has_an_object_for_each_name(self):
        with self.fill() as ledger:
            ledger.settle("req_1", nano=2_310_000)
            ledger.settle("req_2", NOON + HOUR, key="k_two", nano=1)
            ledger.settle("req_3", NOON + DAY, team="ads", model="large", tokens=(7, 0), nano=5)
            ledger("adjust", "adj_1", NOON, "default", "search", "k_one", -10_000)
            ledger("flush")
        everything = self.usage()
        self.assertEqual(
            everything,
            [
                {
                    "requests": 3,
                    "input_tokens": 27,
                    "output_tokens": 10,
                    "cost_usd": "0.002300006",
                    "saved_usd": "0",
                    "requests_without_usage": 0,
                    "requests_estimated": 0,
                    "requests_without_cost": 0,
                    "cost_nano_usd": 2_300_006,
                }
            ],
        )
        by_key = {row["key"]: (row["requests"], row["cost_nano_usd"]) for row in self.usage("--by", "key")}
        self.assertEqual(by_key, {"k_one": (2, 2_300_005), "k_two": (1, 1)})
        by_two = {(row["team"], row["model"]): row["cost_nano_usd"] for row in self.usage("--by", "team,model")}
        self.assertEqual(by_two, {("search", "small"): 2_310_001, ("ads", "large"): 5, ("search", ""): -10_000})
        self.assertEqual([row["day"] for row in self.usage("--by", "day")], ["2026-10-02", "2026-10-03"])
        self.assertEqual([row["hour"] for row in self.usage("--by", "hour")],
                         ["2026-10-02T12:00Z", "2026-10-02T13:00Z", "2026-10-03T12:00Z"])
        self.assertEqual([row["provider"] for row in self.usage("--by", "provider", "--team", "ads")], ["openai"])
        self.assertEqual(self.usage("--key", "k_nobody"), [])

    def test_since_and_until(self):
        with self.fill() as ledger:
            for day in range(4):
                ledger.settle(f"req_{day}", NOON + day * DAY, nano=10**day)
            ledger("flush")

        def cost(*arguments):
            return sum(row["cost_nano_usd"] for row in self.usage(*arguments))

        self.assertEqual(cost(), 1111)
        self.assertEqual(cost("--since", "2026-10-03"), 1110)
        self.assertEqual(cost("--since", "2026-10-03", "--until", "2026-10-05"), 110)
        self.assertEqual(cost("--since", "2026-10-03T12:00:00Z"), 1110)
        self.assertEqual(cost("--since", "2026-10-03T12:00:01Z"), 1100)
        self.assertEqual(cost("--until", "2026-10-03T12:00:00Z"), 1)
        self.assertEqual(cost("--since", "50000d"), 1111)
        for wrong in ("yesterday", "2026-13-01", "7", "2026-10-03T25:00:00Z"):
            _, why = self.run_with("usage", "-c", self.config, f"--since={wrong}", code=2)
            self.assertIn("is no instant", why)

    def test_unknown_is_not_zero(self):
        with self.fill() as ledger:
            ledger.settle("req_1", key="k_unknown", tokens=(None, None), nano=None)
            ledger.settle("req_2", key="k_free", tokens=(0, 0), nano=0)
            ledger.settle("req_3", key="k_mixed", tokens=(None, None), nano=None)
            ledger.settle("req_4", key="k_mixed", tokens=(3, 4), nano=7)
            ledger("flush")
        rows = {row["key"]: row for row in self.usage("--by", "key")}
        self.assertIsNone(rows["k_unknown"]["cost_usd"])
        self.assertIsNone(rows["k_unknown"]["cost_nano_usd"])
        self.assertIsNone(rows["k_unknown"]["input_tokens"])
        self.assertEqual(rows["k_unknown"]["requests_without_usage"], 1)
        self.assertEqual(rows["k_unknown"]["requests_without_cost"], 1)
        self.assertEqual((rows["k_free"]["cost_usd"], rows["k_free"]["input_tokens"]), ("0", 0))
        self.assertEqual((rows["k_mixed"]["cost_nano_usd"], rows["k_mixed"]["output_tokens"]), (7, 4))
        self.assertEqual(rows["k_mixed"]["requests_without_cost"], 1)
        table, _ = self.run_with("usage", "-c", self.config, "--by", "key")
        lines = {line.split()[0]: line.split()[1:] for line in table.splitlines()}
        self.assertEqual(lines["k_unknown"][:4], ["1", "unknown", "unknown", "unknown"])
        self.assertEqual(lines["k_free"][:4], ["1", "0", "0", "0"])
        self.assertEqual(lines["total"][:4], ["4", "3", "4", "0.000000007"])

    def test_names_of_clients_stay_inside_their_cell(self):
        hostile = '\x1b[2J"a",\\b\u009bc'
        with self.fill() as ledger:
            ledger.settle("req_1", model=hostile)
            ledger("flush")
        self.assertEqual(self.usage("--by", "model")[0]["model"], hostile)
        text, _ = self.run_with("usage", "-c", self.config, "--by", "model,team", "-o", "csv")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        self.assertEqual((rows[0]["model"], rows[0]["team"], rows[0]["requests"]), (hostile, "search", "1"))
        table, _ = self.run_with("usage", "-c", self.config, "--by", "model")
        self.assertNotIn("\x1b", table)
        self.assertNotIn("\u009b", table)
        self.assertIn("\\u001b[2J", table)

    def test_reads_beside_a_writer(self):
        with self.fill() as ledger:
            ledger("flush")
            ledger.send("many", 20_000, NOON)
            seen, rounds = 0, 0
            while seen < 20_000:
                self.assertLess(rounds, 2_000)
                rounds += 1
                self.verify()
                for row in self.usage("--by", "key", "--since", "2026-10-02"):
                    self.assertEqual(row["cost_nano_usd"], 3 * row["requests"])
                    self.assertGreaterEqual(row["requests"], seen)
                    seen = row["requests"]
            ledger.answer()
            ledger("admit", "req_open", NOON, "default", "search", "k_one", "small")
            self.assertIn("1 open", self.verify())
        self.assertIn("20000 operations", self.verify())

    def test_verify_says_where_the_damage_is(self):
        with self.fill() as ledger:
            for number in range(50):
                ledger.settle(f"req_{number}")
            ledger("flush")
        self.assertIn("the ledger is whole", self.verify())
        segment = min(self.ledger.glob("segment-*.log"))  # the others are ready to be used
        whole = segment.read_bytes()
        middle = whole.index(b"req_20")
        segment.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        text = self.verify(code=1)
        self.assertRegex(text, rf"fault: {segment}: no valid record at offset \d+")
        offset = int(text.split("at offset ")[1].split(",")[0])
        self.assertTrue(middle - 64 < offset <= middle, (offset, middle))
        segment.write_bytes(whole)
        self.verify()

        (table,) = self.ledger.glob("usage-*.db")
        octets = bytearray(table.read_bytes())
        for page in range(1, len(octets) // 4096):
            octets[page * 4096 : page * 4096 + 64] = bytes(64)
        table.write_bytes(octets)
        self.assertIn(str(table), self.verify(code=1))

    def test_what_is_missing_or_wrong_is_said(self):
        for command in (["usage"], ["ledger", "verify"]):
            _, why = self.run_with(*command, "-c", self.config, code=1)
            self.assertIn(f"there is no ledger at {self.ledger}", why)
            _, why = self.run_with(*command, "-c", self.folder / "none.yaml", code=1)
            self.assertIn("none.yaml", why)
            self.run_with(*command, "-c", self.config, "--path", self.ledger, code=2)
        self.assertFalse(self.ledger.exists())
        with self.fill() as ledger:
            ledger("flush")
        self.assertEqual(json.loads(self.run_with("usage", "--path", self.ledger, "-o", "json")[0]), [])
        for wrong in ("colour", "key,key", "org,team,key,model", "all"):
            self.assertIn("--by", self.run_with("usage", "--path", self.ledger, "--by", wrong, code=2)[1])
        self.run_with("usage", "--path", self.ledger, "-o", "xml", code=2)
        self.run_with("ledger", "verify", "--path", self.ledger)


if __name__ == "__main__":
    unittest.main()
