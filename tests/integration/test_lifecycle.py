"""Start, stop, reload: what the operator does to a running gateway (design §2, §8, §12)."""

import concurrent.futures
import os
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest

from common_b import BLUE, CHAT, RED, Case, bearer, chat, eventually, log_lines, rendered, settings
from tollgate_test import Connection, PeerClosed, Tollgate, call, find_binary

STREAM = "mock-tokens-30:pace-50"  # about 1.5 s
HUNG = "mock-tokens-30:hang-after-2"


class LifeCase(Case):
    def drained(self, delay, timeout, **more):
        return settings(self.mock.url, drain={"delay": delay, "timeout": timeout}, **more)

    def readiness(self, gateway):
        return call("GET", gateway.metrics_url + "/readyz").status

    def open_stream(self, gateway, model):
        """A connection on which the first event of a stream has arrived, and the rest of its events."""
        connection = self.enterContext(Connection("127.0.0.1", gateway.api_port))
        connection.request("POST", CHAT, bearer(RED), chat(self.prompt, model, stream=True))
        head = connection.read_head()
        self.assertEqual(head.status, 200)
        events = connection.sse(head)
        next(events)
        return events

    def refuses(self, gateway):
        try:
            Connection("127.0.0.1", gateway.api_port).close()
        except ConnectionRefusedError:
            return True
        return False

    def reload(self, gateway, config, result="success"):
        """Writes the configuration (text or value), signals, and waits until it was judged."""

        def judged():
            return gateway.metrics().sum("tollgate_config_reloads_total", result=result)

        before = judged()
        gateway.write_config(config if isinstance(config, str) else rendered(config))
        gateway.reload()
        eventually(lambda: judged() == before + 1, f"a reload with {result}")


class Stop(LifeCase):
    def test_drain_announces_accepts_finishes_and_ends_with_0(self):
        with self.started(self.drained("700ms", "20s")) as gateway:
            events = self.open_stream(gateway, "mock-tokens-60:pace-50")
            gateway.signal(signal.SIGTERM)
            eventually(lambda: self.readiness(gateway) == 503, "unready")
            self.assertEqual(call("GET", gateway.metrics_url + "/livez").status, 200)
            late = self.ask(gateway=gateway)  # load balancers still send
            self.assertEqual(late.header("connection"), "close")
            eventually(lambda: self.refuses(gateway), "a closed listener")
            self.assertIsNone(gateway.child.poll())
            self.assertEqual([event.data for event in events][-1], "[DONE]")
            self.assertEqual(gateway.child.wait(5), 0, gateway.log)
            self.assertEqual(len(log_lines(gateway, "tollgate.access")), 2)

    def test_idle_connections_do_not_hold_the_drain(self):
        with self.started(self.drained("0s", "60s")) as gateway:
            with Connection("127.0.0.1", gateway.api_port) as used, Connection("127.0.0.1", gateway.api_port):
                used.request("POST", CHAT, bearer(RED), chat(self.prompt))
                self.assertEqual(used.read_response().status, 200)
                gateway.signal(signal.SIGTERM)
                self.assertEqual(gateway.child.wait(5), 0, gateway.log)

    def test_timeout_bounds_a_hung_stream_which_is_still_logged(self):
        with self.started(self.drained("0s", "500ms")) as gateway:
            events = self.open_stream(gateway, HUNG)
            begun = time.monotonic()
            gateway.signal(signal.SIGTERM)
            self.assertEqual(gateway.child.wait(5), 0, gateway.log)
            self.assertGreaterEqual(time.monotonic() - begun, 0.4)
            with self.assertRaises((PeerClosed, ConnectionError)):
                while True:
                    self.assertNotEqual(next(events).data, "[DONE]")
            [line] = log_lines(gateway, "tollgate.access")
            self.assertEqual(
                (line["tollgate.outcome"], line["error.type"]), ("gateway_error", "gateway_shutdown"), line
            )
            self.mock.wait(aborted=1)

    def test_second_signal_does_not_wait(self):
        for second in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(second), self.started(self.drained("60s", "60s")) as gateway:
                self.open_stream(gateway, HUNG)
                gateway.signal(signal.SIGTERM)
                eventually(lambda: self.readiness(gateway) == 503, "unready")  # noqa: B023: used at once
                gateway.signal(second)
                self.assertEqual(gateway.child.wait(5), 0, gateway.log)

    def test_stop_under_load_breaks_no_request(self):
        with self.started(self.drained("300ms", "20s")) as gateway:
            stopped = threading.Event()

            def work(index):
                answered = 0
                while not stopped.is_set():
                    try:
                        with Connection("127.0.0.1", gateway.api_port) as connection:
                            connection.request("POST", CHAT, bearer(RED), chat(f"{index}"))
                            self.assertEqual(connection.read_response().status, 200)
                            answered += 1
                    except (ConnectionRefusedError, ConnectionResetError):
                        break  # the kernel resets what the closed listener had not accepted; it was never read
                return answered

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                running = [pool.submit(work, index) for index in range(8)]
                self.mock.wait(requests=100)
                gateway.signal(signal.SIGTERM)
                try:
                    code = gateway.child.wait(10)
                finally:
                    stopped.set()
                answered = sum(future.result() for future in running)
            self.assertEqual(code, 0)
            self.assert_calls(answered)

    def test_child_ends_on_sigint_too(self):
        with self.started(self.drained("0s", "5s")) as gateway:
            gateway.signal(signal.SIGINT)
            self.assertEqual(gateway.child.wait(5), 0)


class Reload(LifeCase):
    def test_new_key_and_model_without_restart_and_old_ones_gone(self):
        config = settings(self.mock.url)
        with self.started(config) as gateway:
            self.ask(401, key="sk-new-key-of-the-reload", gateway=gateway)
            self.ask(404, body=chat("x", "brand-new"), gateway=gateway)
            config["keys"][2] = {"id": "k_new", "team": "blue", "secret": "sk-new-key-of-the-reload"}
            config["models"]["brand-new"] = {"upstreams": [{"provider": "mock", "model": "mock-plain"}]}
            self.reload(gateway, config)
            for _ in range(8):  # both workers
                self.ask(body=chat("x", "brand-new"), key="sk-new-key-of-the-reload", gateway=gateway)
                self.ask(401, key=BLUE, gateway=gateway)
            scrape = gateway.metrics()
            self.assertEqual(scrape.value("tollgate_config_last_reload_success"), 1)
            self.assertEqual(len(scrape.matching("tollgate_config_info")), 1)

    def test_bad_config_changes_nothing_and_names_the_line(self):
        with self.started(settings(self.mock.url)) as gateway:
            before = gateway.metrics()
            text = rendered(settings(self.mock.url))
            broken = text.replace('"teams": {', '"teems": {')
            line = next(i for i, row in enumerate(broken.splitlines(), 1) if "teems" in row)
            self.reload(gateway, broken, result="failure")
            scrape = gateway.metrics()
            self.assertEqual(scrape.value("tollgate_config_last_reload_success"), 0)
            for name in ("tollgate_config_info", "tollgate_config_last_reload_timestamp_seconds"):
                self.assertEqual(scrape.matching(name), before.matching(name))
            places = [
                entry.get("place", "") for entry in log_lines(gateway, "tollgate.log") if entry["log.level"] == "error"
            ]
            self.assertTrue(any(f"tollgate.yaml:{line}:" in place for place in places), places)
            self.ask(gateway=gateway)
            self.reload(gateway, text)
            self.assertEqual(gateway.metrics().value("tollgate_config_last_reload_success"), 1)

    def test_unreadable_files_of_every_kind_keep_the_running_config(self):
        with self.started(settings(self.mock.url)) as gateway:
            text = rendered(settings(self.mock.url))
            for broken in (
                "",
                "{",
                "- a\n",
                "version: 2\n",
                "\x00\x01",
                "version: 1\n",
                text.replace(RED, RED + "${env:NOT_SET_ANYWHERE}"),
            ):
                with self.subTest(broken[:20]):
                    self.reload(gateway, broken, result="failure")
                    self.ask(gateway=gateway)

    def test_missing_tls_files_keep_the_running_config(self):
        config = settings(self.mock.url)
        with self.started(config) as gateway:
            config["listen"]["tls"] = {"cert": "/nonexistent/cert.pem", "key": "/nonexistent/key.pem"}
            self.reload(gateway, config, result="failure")
            self.ask(gateway=gateway)

    def test_requests_in_flight_keep_their_configuration(self):
        config = settings(self.mock.url)
        with self.started(config) as gateway:
            events = self.open_stream(gateway, STREAM)
            del config["models"]["mock-*"], config["keys"][0], config["teams"]["red"], config["keys"][0]
            self.reload(gateway, config)
            self.ask(401, gateway=gateway)
            self.assertEqual([event.data for event in events][-1], "[DONE]")
            line = eventually(
                lambda: [entry for entry in log_lines(gateway, "tollgate.access") if entry["gen_ai.request.stream"]],
                "its line",
            )[0]
            self.assertEqual(
                (line["tollgate.key"], line["gen_ai.request.model"], line["tollgate.outcome"]),
                ("k_red1", "mock-*", "success"),
            )
            scrape = gateway.metrics()
            self.assertEqual(
                scrape.sum("tollgate_key_requests_total", key="k_blue1", outcome="success"),
                0,
                "counted for another key",
            )
            self.assertEqual(
                scrape.sum("tollgate_requests_total", model="text-*", outcome="success"), 0, "counted for another model"
            )

    def test_twenty_reloads_under_load_fail_no_request(self):
        config = settings(self.mock.url, cache={"enabled": True})
        with self.started(config) as gateway:
            stopping = threading.Event()

            def work(index):
                statuses = []
                while not stopping.is_set():
                    with Connection("127.0.0.1", gateway.api_port) as connection:
                        kept = True
                        while kept and not stopping.is_set():
                            body = chat(f"{index} {len(statuses) % 7}", stream=len(statuses) % 3 == 0)
                            connection.request("POST", CHAT, bearer(RED), body)
                            answer = connection.read_response()
                            statuses.append(answer.status)
                            kept = answer.header("connection") != "close"
                return statuses

            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                running = [pool.submit(work, index) for index in range(6)]
                try:
                    for turn in range(20):
                        config["models"][f"extra-{turn}"] = {"upstreams": [{"provider": "mock", "model": "mock-plain"}]}
                        self.reload(gateway, config)
                finally:
                    stopping.set()
                statuses = [status for future in running for status in future.result()]
            self.assertGreater(len(statuses), 100)
            self.assertEqual(set(statuses), {200})
            self.assertEqual(gateway.metrics().sum("tollgate_errors_total"), 0)

    def test_what_needs_a_restart_is_said_and_nothing_else_changes(self):
        config = settings(self.mock.url)
        with self.started(config) as gateway:
            before = gateway.metrics()
            config["listen"]["workers"] = 1
            config["cache"] = {"enabled": True, "memory": "16MiB"}
            config["models"]["brand-new"] = {"upstreams": [{"provider": "mock", "model": "mock-plain"}]}
            self.reload(gateway, config, result="failure")
            told = [entry["settings"] for entry in log_lines(gateway, "tollgate.log") if "settings" in entry]
            self.assertEqual(told, ["listen.workers, cache.memory"])
            self.assertEqual(
                gateway.metrics().matching("tollgate_config_info"), before.matching("tollgate_config_info")
            )
            self.ask(404, body=chat("x", "brand-new"), gateway=gateway)
            counted = gateway.metrics()
            self.assertEqual(counted.value("tollgate_log_messages_total", level="error"), 1)
            self.assertEqual(len(counted.matching("tollgate_log_messages_total")), 4)

    def test_access_log_file_is_reopened(self):
        with self.started(settings(self.mock.url, access_log={"path": "access.log"})) as gateway:
            log = gateway.home / "access.log"
            self.ask(gateway=gateway)
            eventually(lambda: log.read_text().count("\n") == 1, "the first line")
            log.rename(gateway.home / "rotated.log")
            gateway.signal(signal.SIGUSR1)
            eventually(log.exists, "the new file")
            self.ask(gateway=gateway)
            eventually(lambda: log.read_text().count("\n") == 1, "the second line")
            self.assertEqual((gateway.home / "rotated.log").read_text().count("\n"), 1)


class Start(LifeCase):
    def run_to_end(self, config, **options):
        """Exit code and output of a gateway that is expected to give up."""
        with Tollgate(rendered(config), wait=False, **options) as gateway:
            return gateway.child.wait(10), gateway.log

    def test_second_instance_on_the_store_is_refused(self):
        with self.started(settings(self.mock.url)) as first:
            code, log = self.run_to_end(settings(self.mock.url), store=first.store)
            self.assertEqual(code, 1, log)
            self.assertIn(str(first.pid), log)
            self.ask(gateway=first)

    def test_store_of_a_killed_instance_is_taken_over(self):
        with self.started(settings(self.mock.url)) as first:
            first.kill()
            with self.started(settings(self.mock.url), store=first.store) as second:
                self.ask(gateway=second)

    def test_port_in_use_is_refused(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            place = f"127.0.0.1:{taken.getsockname()[1]}"
            for listener in ("api", "metrics", "admin"):
                with self.subTest(listener):
                    config = settings(self.mock.url)
                    config["listen"][listener] = place
                    code, log = self.run_to_end(config)
                    self.assertEqual(code, 1, log)
                    self.assertIn(place, log)

    def test_port_of_a_running_gateway_is_refused(self):
        with self.started(settings(self.mock.url)) as first:
            config = settings(self.mock.url)
            config["listen"]["api"] = f"127.0.0.1:{first.api_port}"
            code, log = self.run_to_end(config)
            self.assertEqual(code, 1, log)

    def test_unusable_store_is_refused(self):
        with self.started(settings(self.mock.url)) as first:
            self.assertEqual(first.stop(), 0)
            os.chmod(first.store, 0o700)
            (first.store / "tollgate.db").write_bytes(b"not a database" * 1000)
            code, log = self.run_to_end(settings(self.mock.url), store=first.store)
            self.assertEqual(code, 1, log)
            self.assertIn("tollgate.db", log)

    def test_first_key_is_written_once_and_works_after_a_restart(self):
        config = settings(self.mock.url)
        del config["keys"], config["teams"], config["secrets"]
        with self.started(config) as first:
            file = first.store.with_name(first.store.name + ".first-key")
            self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
            key = file.read_text().strip()
            self.assertRegex(key, r"^tg_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}$")
            self.assertIn(str(file), first.log)
            self.assertNotIn(key, first.log)
            self.ask(key=key, gateway=first)
            self.ask(401, key=key[:-1] + ("a" if key[-1] != "a" else "b"), gateway=first)
            self.assertEqual(first.stop(), 0)
            for path in first.store.rglob("*"):
                self.assertEqual(path.stat().st_mode & 0o077, 0, path)
                if path.is_file():
                    self.assertNotIn(key.encode(), path.read_bytes(), path)
            with self.started(config, store=first.store) as second:
                self.ask(key=key, gateway=second)
                self.assertEqual(file.read_text().strip(), key)

    def test_redis_without_keys_is_refused(self):
        config = settings(self.mock.url, redis={"url": "redis://127.0.0.1:1/0", "use": ["cache"]})
        del config["keys"]
        code, log = self.run_to_end(config)
        self.assertEqual(code, 1, log)

    def test_version_is_printed(self):
        done = subprocess.run(
            [find_binary("tollgate", [".", "gateway"]), "version"], capture_output=True, text=True, check=True
        )
        self.assertRegex(done.stdout, r"^tollgate \d+\.\d+\.\d+\n$")


if __name__ == "__main__":
    unittest.main()
