"""What the process is to its supervisor and to whoever takes it over: R13, R24, F78, F79, sd_notify and its watchdog."""

import contextlib
import ctypes
import os
import pathlib
import signal
import socket
import tempfile
import time
import unittest

from common_b import RED, Case, eventually, log_lines, rendered, settings
from tollgate_test import Tollgate, call, find_binary

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17
WAIT_FOR_THREADS = 0x40000000  # __WALL


def is_sanitized():
    """Whether the gateway is built with a sanitizer, which brings its own crash report and allocator."""
    binary = find_binary("tollgate", [".", "gateway"])
    return b"__asan_init" in binary.read_bytes() or b"__tsan_init" in binary.read_bytes()


class Manager:
    """The service manager's end of NOTIFY_SOCKET."""

    def __init__(self, abstract=False):
        self.folder = tempfile.TemporaryDirectory(prefix="tollgate-notify-")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        name = pathlib.Path(self.folder.name) / "notify"
        self.name = f"@{name}" if abstract else str(name)
        self.socket.bind("\0" + self.name[1:] if abstract else self.name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.folder.cleanup()

    def heard(self, timeout=10.0):
        """The next state as a map, None if none came in time."""
        self.socket.settimeout(timeout)
        try:
            lines = self.socket.recv(4096).decode().split("\n")
        except TimeoutError:
            return None
        return dict(line.split("=", 1) for line in lines)

    def drop_old(self):
        with contextlib.suppress(BlockingIOError):
            self.socket.setblocking(False)
            while True:
                self.socket.recv(4096)


@contextlib.contextmanager
def frozen(pid, thread):
    """Stops one thread, and only that, as a bug that never returns would."""
    libc = ctypes.CDLL(None, use_errno=True)
    for request in (PTRACE_SEIZE, PTRACE_INTERRUPT):
        if libc.ptrace(request, thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace of thread {thread} of {pid}")
    os.waitpid(thread, WAIT_FOR_THREADS)
    try:
        yield
    finally:
        libc.ptrace(PTRACE_DETACH, thread, None, None)


def workers_of(gateway):
    """Ids of the threads that run the workers' event loops."""
    tasks = pathlib.Path(f"/proc/{gateway.pid}/task").iterdir()
    return [int(task.name) for task in tasks if (task / "comm").read_text() == "worker\n"]


class ServiceManager(Case):
    def run_under(self, manager, **environment):
        config = settings(self.mock.url, drain={"delay": "200ms", "timeout": "5s"})
        return Tollgate(rendered(config), env={"NOTIFY_SOCKET": manager.name, **environment})

    def test_ready_reloading_stopping_over_a_path_and_an_abstract_name(self):
        for abstract in (False, True):
            with self.subTest(abstract), Manager(abstract) as manager, self.run_under(manager) as gateway:
                ready = manager.heard()
                self.assertEqual(ready["READY"], "1")
                self.assertIn(f"127.0.0.1:{gateway.api_port}", ready["STATUS"])
                before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                gateway.reload()
                reloading = manager.heard()
                self.assertEqual(reloading["RELOADING"], "1")
                self.assertGreaterEqual(int(reloading["MONOTONIC_USEC"]), before)
                self.assertEqual(manager.heard()["READY"], "1")
                gateway.signal(signal.SIGTERM)
                stopping = manager.heard()
                self.assertEqual(stopping["STOPPING"], "1")
                self.assertEqual(gateway.child.wait(10), 0)

    def test_ready_comes_when_requests_are_served(self):
        with Manager() as manager:
            config = settings(self.mock.url)
            with Tollgate(rendered(config), wait=False, env={"NOTIFY_SOCKET": manager.name}) as gateway:
                self.assertEqual(manager.heard(20)["READY"], "1")
                self.ask(gateway=gateway)  # at once, without waiting for anything

    def test_failed_reload_ends_with_ready_and_says_so(self):
        with Manager() as manager, self.run_under(manager) as gateway:
            manager.heard()
            gateway.write_config("version: 2\n")
            gateway.reload()
            self.assertEqual(manager.heard()["RELOADING"], "1")
            self.assertIn("failed", manager.heard()["STATUS"])

    def test_start_that_fails_is_never_ready(self):
        with Manager() as manager:
            config = settings(self.mock.url)
            with socket.create_server(("127.0.0.1", 0)) as taken:
                config["listen"]["api"] = f"127.0.0.1:{taken.getsockname()[1]}"
                with Tollgate(rendered(config), wait=False, env={"NOTIFY_SOCKET": manager.name}) as gateway:
                    self.assertEqual(gateway.child.wait(20), 1, gateway.log)
            self.assertIsNone(manager.heard(0.1))

    def test_watchdog_hears_from_all_loops(self):
        with Manager() as manager, self.run_under(manager, WATCHDOG_USEC="2000000") as gateway:
            manager.heard()
            for _ in range(3):
                self.assertEqual(manager.heard(20), {"WATCHDOG": "1"})
            self.assertEqual(gateway.stop(), 0)

    def test_watchdog_of_another_process_is_none_of_ours(self):
        with Manager() as manager, self.run_under(manager, WATCHDOG_USEC="400000", WATCHDOG_PID="1"):
            manager.heard()
            self.assertIsNone(manager.heard(0.5))

    @unittest.skipUnless(os.geteuid() == 0, "only root may stop a thread of a process that closed its memory")
    def test_watchdog_falls_silent_when_one_worker_is_stuck(self):
        with Manager() as manager, self.run_under(manager, WATCHDOG_USEC="2000000") as gateway:
            manager.heard()
            self.assertEqual(len(workers_of(gateway)), 2)
            worker = workers_of(gateway)[1]
            with frozen(gateway.pid, worker):
                eventually(lambda: self._silent_for(manager, 1.5), "silence")
                self.assertEqual(call("GET", gateway.metrics_url + "/metrics").status, 200)  # this thread still turns
                eventually(lambda: call("GET", gateway.metrics_url + "/livez").status == 503, "not alive", 60)
            eventually(lambda: call("GET", gateway.metrics_url + "/livez").status == 200, "alive again")
            manager.drop_old()
            self.assertEqual(manager.heard(20), {"WATCHDOG": "1"})
            self.assertEqual(gateway.stop(), 0)

    def _silent_for(self, manager, seconds):
        manager.drop_old()
        return manager.heard(seconds) is None


class Confinement(Case):
    @classmethod
    def config(cls):
        return settings(cls.mock.url.replace("127.0.0.1", "localhost"))

    def statuses(self):
        return [path.read_text() for path in pathlib.Path(f"/proc/{self.gateway.pid}/task").glob("*/status")]

    def test_every_thread_is_filtered_for_good(self):
        self.ask()  # a name was resolved, a connection made, the store asked
        statuses = self.statuses()
        self.assertGreater(len(statuses), 4)
        for status in statuses:
            self.assertRegex(status, r"(?m)^Seccomp:\s+2$")
            self.assertRegex(status, r"(?m)^NoNewPrivs:\s+1$")

    def test_everything_a_gateway_does_still_works(self):
        self.ask()
        self.assertEqual(self.get("/v1/models").status, 200)
        stored = self.post(
            {"model": "mock-plain", "input": self.prompt, "store": True}, path="/v1/responses"
        )
        self.assertEqual(stored.status, 200, stored.body)
        before = self.gateway.metrics().sum("tollgate_config_reloads_total", result="success")
        self.gateway.reload()
        eventually(
            lambda: self.gateway.metrics().sum("tollgate_config_reloads_total", result="success") > before, "a reload"
        )
        self.ask()

    def test_no_core_file_may_be_written(self):
        limits = pathlib.Path(f"/proc/{self.gateway.pid}/limits").read_text()
        self.assertRegex(limits, r"(?m)^Max core file size\s+0\s+0\s")

    def test_secrets_are_not_in_its_arguments(self):
        arguments = pathlib.Path(f"/proc/{self.gateway.pid}/cmdline").read_bytes()
        self.assertNotIn(RED.encode(), arguments)


class Signals(Case):
    def test_no_stray_signal_ends_it(self):
        with self.started(settings(self.mock.url)) as gateway:
            names = ("SIGPIPE", "SIGALRM", "SIGVTALRM", "SIGUSR1", "SIGUSR2", "SIGXFSZ", "SIGHUP", "SIGWINCH", "SIGCHLD")
            for name in names:
                with self.subTest(name):
                    gateway.signal(getattr(signal, name))
                    self.ask(gateway=gateway)
            self.assertEqual(gateway.stop(), 0)

    def test_crash_says_one_line_and_leaves_no_core_file(self):
        for number in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
            with self.subTest(number), self.started(settings(self.mock.url)) as gateway:
                self.ask(gateway=gateway)
                gateway.signal(number)
                code = gateway.child.wait(20)
                if is_sanitized():
                    self.assertNotEqual(code, 0)
                    continue
                self.assertEqual(code, -number)
                [line] = [line for line in log_lines(gateway, "tollgate.log") if line["log.level"] == "fatal"]
                self.assertEqual((line["message"], line["signal"]), ("tollgate crashed", number.name))
                self.assertEqual([path for path in gateway.home.iterdir() if path.name.startswith("core")], [])
                with self.started(settings(self.mock.url), store=gateway.store) as next_one:
                    self.ask(gateway=next_one)


if __name__ == "__main__":
    unittest.main()
