"""SIGKILL under load, again and again: what a client saw the end of is in the ledger once, with the provider's figures;
what the provider did is paid for; nothing stays reserved (limits-cache §6 B, scenarios 26 and 27; design §9).

$TOLLGATE_CRASH_ROUNDS: how many times, 5 by default."""

import dataclasses
import itertools
import os
import pathlib
import random
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

from common_b import CHAT, RED, RED_TWO, bearer, chat, eventually
from test_budgets import OUTPUT_ONLY, BudgetCase
from tollgate_test import Connection, find_binary

ROUNDS = int(os.environ.get("TOLLGATE_CRASH_ROUNDS", "5"))
CLIENTS = 24
INPUT_NANO, OUTPUT_NANO = 300, 1_700  # of one token


@dataclasses.dataclass
class Seen:
    """An answer whose end a client read, and what the provider was told to count for it."""

    request_id: str
    key: str
    input: int
    output: int
    stream: bool


class Load:
    """Clients that ask until the gateway is gone, three of four for streams. Each request names its own figures, so that
    one row in the place of another shows."""

    def __init__(self, gateway, numbers):
        self.gateway, self.numbers = gateway, numbers
        self.seen, self.faults = [], []
        self.threads = [threading.Thread(target=self.run, args=(index,)) for index in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def run(self, index):
        try:
            with Connection("127.0.0.1", self.gateway.api_port) as connection:
                while True:
                    self.ask(connection, index)
        except OSError:
            pass  # the kill
        except Exception as failure:  # noqa: BLE001: told by the test
            if "closed" not in str(failure):
                self.faults.append(failure)

    def ask(self, connection, index):
        number = next(self.numbers)
        given, output, stream = 5 + number % 997, 1 + number % 89, index % 4 != 0
        words = f"mock-tokens-{output}:prompt-{given}" + (f":pace-{number % 3}" if stream else "")
        fields = {"stream": True, "stream_options": {"include_usage": True}} if index % 4 == 1 else {"stream": stream}
        body = chat(f"question {number}", words, max_tokens=output, **fields)
        secret = (RED, RED_TWO)[index % 2]
        connection.request("POST", CHAT, bearer(secret), body)
        answer = connection.read_head()
        last = b""
        for piece in connection.body_pieces(answer):
            last = (last + piece)[-64:]
            if stream and last.endswith(b"data: [DONE]\n\n"):
                # Its end for a client, also where the end of the message is lost.
                self.note(answer, index, given, output, stream)
                stream = None
        if answer.status != 200:
            raise AssertionError(f"{answer.status}: {last!r}")
        if stream is False:
            self.note(answer, index, given, output, stream)

    def note(self, answer, index, given, output, stream):
        key = ("k_red1", "k_red2")[index % 2]
        self.seen.append(Seen(answer.header("x-request-id"), key, given, output, stream))


class Crash(BudgetCase):
    def settings(self):
        config = self.limited(
            team={"budget": {"usd": "100000", "per": "month"}, "limits": {"concurrency": 1000}},
            price={"input": str(INPUT_NANO / 1000), "output": str(OUTPUT_NANO / 1000)},
        )
        config["providers"]["mock"]["stream_usage"] = True
        return config

    def rows(self, gateway):
        """All rows of the usage table by request id, each a list."""
        found = {}
        for file in sorted((gateway.store / "ledger").glob("usage-*.db")):
            database = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
            for row in database.execute("SELECT request_id, key_id, in_tokens, out_tokens, cost_nano, outcome, stream, "
                                        "usage_source FROM usage_record"):
                found.setdefault(row[0], []).append(row[1:])
            database.close()
        return found

    def spent(self, gateway, key=RED):
        me = self.me(gateway, "budget", key)
        return round(float(me["spent_usd"]) * 1e9), me["reserved_usd"]

    def assert_rows_are_the_clients(self, seen, rows):
        for one in seen:
            found = rows.get(one.request_id, [])
            self.assertEqual(len(found), 1, one)
            cost = one.input * INPUT_NANO + one.output * OUTPUT_NANO
            self.assertEqual(found[0], (one.key, one.input, one.output, cost, "success", one.stream, "upstream"), one)

    def test_scenarios_26_and_27_sigkill_under_load(self):
        chance = random.Random(26)
        numbers = itertools.count()
        seen, starts = [], []
        with self.started(self.settings()) as gateway:
            for round_ in range(ROUNDS):
                load = Load(gateway, numbers)
                eventually(lambda: len(load.seen) > 20, "the load")  # noqa: B023
                time.sleep(chance.uniform(0.2, 1.0))  # how long the load runs; nothing is waited for
                gateway.kill()
                load.join()
                self.assertEqual(load.faults, [])
                seen += load.seen
                start = time.monotonic()
                gateway.start()
                eventually(gateway.is_ready, "readiness")
                starts.append(time.monotonic() - start)
                # What was open is charged or settled before anybody is served: nothing waits for a lease to run out.
                self.assertEqual(self.spent(gateway)[1], "0.00", f"reserved after kill {round_}")
                self.assertEqual(self.me(gateway, "concurrency")["used"], 0)
            billed = self.mock.stats()
            counted = self.spent(gateway)[0]
            self.assertEqual(gateway.stop(), 0)
            rows = self.rows(gateway)
        self.assert_rows_are_the_clients(seen, rows)
        doubled = [request_id for request_id, found in rows.items() if len(found) > 1]
        self.assertEqual(doubled, [])
        ledger = sum(found[0][3] for found in rows.values())
        bill = billed["prompt_tokens"] * INPUT_NANO + billed["completion_tokens"] * OUTPUT_NANO
        self.assertGreaterEqual(ledger, bill)
        self.assertEqual(ledger, counted, "the budget's counter is the ledger's sum")
        self.assertLess(max(starts), 10.0)  # ten times the promise
        streams = sum(one.stream for one in seen)
        unknown = sum(found[0][4] != "success" for found in rows.values())
        print(f"{ROUNDS} kills: {len(seen)} answers seen to their end, {streams} of them streams; {len(rows)} rows, "
              f"{unknown} of them without a known end; ledger {ledger} nano-USD, the provider's bill {bill}; "
              f"slowest start {max(starts):.2f} s")


class Start(BudgetCase):
    DAYS, ROWS = 10, 1_000_000

    def fill(self, folder):
        """Ten days of a hundred thousand rows of k_red1, 3 nano-USD each, behind one that the ledger wrote itself."""
        now = int(time.time())
        folder.mkdir(parents=True)
        commands = [f"settle req_{day} {(now - day * 86400) * 1_000_000} default red k_red1 mock-* mock success 1 2 3"
                    for day in range(self.DAYS)]
        done = subprocess.run([find_binary("fill_ledger", ["tests/integration"]), folder], check=True, text=True,
                              input="\n".join([*commands, "flush"]) + "\n", capture_output=True, timeout=60)
        self.assertEqual(set(done.stdout.split()), {"ok"})
        files = sorted(folder.glob("usage-*.db"))
        self.assertEqual(len(files), self.DAYS)
        each = self.ROWS // self.DAYS
        for file in files:
            database = sqlite3.connect(file)
            database.executescript(f"""
                CREATE TEMP TABLE made AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {each - 1})
                    SELECT ts_start_us, request_id || printf('_%06d', i), record FROM operation, n;
                INSERT INTO operation SELECT * FROM made;
                UPDATE usage_hour SET requests = requests * {each}, cost_nano = cost_nano * {each},
                    in_tokens = in_tokens * {each}, out_tokens = out_tokens * {each},
                    duration_us_sum = duration_us_sum * {each};
                UPDATE usage_day SET cost_nano = cost_nano * {each};""")
            database.close()

    def test_ready_with_a_million_rows(self):
        config = self.limited(key={"budget": {"usd": "1000", "per": "lifetime"}}, price=OUTPUT_ONLY)
        with tempfile.TemporaryDirectory(prefix="tollgate-million-") as place:
            store = pathlib.Path(place) / "store"
            self.fill(store / "ledger")
            start = time.monotonic()
            with self.started(config, store=store) as gateway:
                took = time.monotonic() - start
                self.assertEqual(round(float(self.me(gateway, "budget")["spent_usd"]) * 1e9), 3 * self.ROWS)
                (row,) = self.usage(gateway, "--by", "key")
                self.assertEqual((row["requests"], row["cost_nano_usd"]), (self.ROWS, 3 * self.ROWS))
        print(f"ready {took:.2f} s after the start with {self.ROWS} rows")
        self.assertLess(took, 10.0)  # ten times the promise


if __name__ == "__main__":
    unittest.main()
