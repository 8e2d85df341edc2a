"""Crash-only start: whatever moment SIGKILL chose, the next start works, and one store has one owner (F49, F77)."""

import concurrent.futures
import random
import re
import signal
import threading
import time
import unittest

from common_b import CHAT, RED, Case, bearer, chat, eventually, rendered, settings
from tollgate_test import Connection, PeerClosed, Tollgate

ROUNDS = 10


class Killed(Case):
    def test_while_it_serves(self):
        """Ten times: requests on all sides, stored objects being written, then SIGKILL; the store outlives each."""
        store = None
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        with self.started(settings(self.mock.url)) as first:
            store = first.store
            self.assertEqual(first.stop(), 0)
            for turn in range(ROUNDS):
                with self.subTest(turn=turn, seed=seed), self.started(settings(self.mock.url), store=store) as gateway:
                    self.ask(gateway=gateway)
                    self.kill_under_load(gateway, chance.uniform(0.0, 0.2))
            with self.started(settings(self.mock.url), store=store) as last:
                self.ask(gateway=last)
                self.assertEqual(last.stop(), 0)

    def kill_under_load(self, gateway, delay):
        stopping = threading.Event()

        def work():
            while not stopping.is_set():
                try:
                    with Connection("127.0.0.1", gateway.api_port) as connection:
                        stored = {"model": "mock-plain", "input": "x", "store": True}
                        connection.request("POST", "/v1/responses", bearer(RED), stored)
                        connection.read_response()
                        connection.request("POST", CHAT, bearer(RED), chat("x", "mock-tokens-50:pace-5", stream=True))
                        connection.read_response()
                except (OSError, PeerClosed):
                    pass  # the kill

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            running = [pool.submit(work) for _ in range(4)]
            time.sleep(delay)
            self.assertEqual(gateway.kill(), -9)
            stopping.set()
            for future in running:
                future.result()

    def test_while_it_starts_for_the_first_time(self):
        """An empty folder each time: master key, database and first key are being made when the kill comes."""
        config = settings(self.mock.url)
        del config["keys"], config["teams"], config["secrets"]
        begun = time.monotonic()
        with self.started(config) as whole:
            took = time.monotonic() - begun
            self.assertEqual(whole.stop(), 0)
        seed = random.randrange(1 << 30)
        chance = random.Random(seed)
        for turn in range(ROUNDS):
            delay = took * chance.uniform(0.05, 1.2)
            with (
                self.subTest(turn=turn, seed=seed, delay=delay),
                Tollgate(rendered(config), wait=False) as killed,
            ):
                time.sleep(delay)
                killed.kill()
                with self.started(config, store=killed.store) as gateway:
                    key = killed.store.with_name(killed.store.name + ".first-key").read_text().strip()
                    self.ask(key=key, gateway=gateway)
                    self.assertEqual(gateway.stop(), 0)

    def test_between_writing_the_first_key_and_storing_it(self):
        config = settings(self.mock.url)
        del config["keys"], config["teams"], config["secrets"]
        with self.started(config) as first:
            file = first.store.with_name(first.store.name + ".first-key")
            key = file.read_text()
            self.assertEqual(first.stop(), 0)
            for path in first.store.rglob("*"):
                if path.is_file():
                    path.unlink()  # as if nothing but the file had been written
            with self.started(config, store=first.store) as second:
                self.ask(key=key.strip(), gateway=second)
                self.assertEqual(file.read_text(), key)
                self.assertEqual(second.stop(), 0)
            for path in first.store.rglob("*"):
                if path.is_file():
                    path.unlink()
            file.write_text("not a key of ours\n")
            with Tollgate(rendered(config), wait=False, store=first.store) as third:
                self.assertEqual(third.child.wait(20), 1)
                self.assertIn(str(file), third.log)
            self.assertEqual(file.read_text(), "not a key of ours\n")

    def test_stale_files_are_harmless(self):
        with self.started(settings(self.mock.url)) as first:
            self.assertEqual(first.stop(), 0)
            (first.store / "lock").write_text("1\n")  # a process that lives, but does not hold it
            (first.store / "master.key.new").write_text("half")
            with self.started(settings(self.mock.url), store=first.store) as second:
                self.ask(gateway=second)
                self.assertEqual((first.store / "lock").read_text().strip(), str(second.pid))


class OneOwner(Case):
    def test_of_many_starts_at_once_one_serves_and_the_others_name_it(self):
        with self.started(settings(self.mock.url)) as first:
            self.assertEqual(first.stop(), 0)
            several = [
                self.enterContext(Tollgate(rendered(settings(self.mock.url)), wait=False, store=first.store))
                for _ in range(6)
            ]
            eventually(lambda: sum(each.child.poll() is not None for each in several) == 5, "five refusals")
            [owner] = [each for each in several if each.child.poll() is None]
            owner.await_ready(owner.is_ready)
            for each in several:
                if each is owner:
                    continue
                self.assertEqual(each.child.returncode, 1, each.log)
                self.assertIn(f"in use by process {owner.pid} ", each.log)
            self.ask(gateway=owner)

    def test_refused_instance_touches_nothing(self):
        with self.started(settings(self.mock.url)) as owner:
            before = {path: path.read_bytes() for path in owner.store.rglob("*") if path.is_file()}
            with Tollgate(rendered(settings(self.mock.url)), wait=False, store=owner.store) as second:
                self.assertEqual(second.child.wait(20), 1)
                self.assertTrue(re.search(rf"in use by process {owner.pid} ", second.log), second.log)
            self.assertEqual(before, {path: path.read_bytes() for path in owner.store.rglob("*") if path.is_file()})
            self.ask(gateway=owner)

    def test_hung_owner_still_owns(self):
        with self.started(settings(self.mock.url)) as owner:
            owner.signal(signal.SIGSTOP)
            try:
                with Tollgate(rendered(settings(self.mock.url)), wait=False, store=owner.store) as second:
                    self.assertEqual(second.child.wait(20), 1)
                    self.assertIn(str(owner.pid), second.log)
            finally:
                owner.signal(signal.SIGCONT)
            self.ask(gateway=owner)


if __name__ == "__main__":
    unittest.main()
