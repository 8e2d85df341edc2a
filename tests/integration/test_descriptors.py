"""File descriptors that run out (B19, F61, T20)."""

import pathlib
import re
import resource
import socket
import tempfile
import threading
import time
import unittest

from common_b import CHAT, RED, Case, bearer, chat, eventually, find_binary, rendered, settings
from test_process import is_sanitized
from tollgate_test import Connection, Tollgate

PATIENCE = 10.0  # ten times the stated second
CPU_SHARE = 0.1 * (3 if is_sanitized() else 1)  # 5 % is stated; the streams that run beside it are in the figure


class Streams:
    """Streams that run while something else happens; each has to end whole."""

    def __init__(self, gateway, count, model):
        self.connections = [Connection("127.0.0.1", gateway.api_port, timeout=60) for _ in range(count)]
        self.ends = []
        for number, connection in enumerate(self.connections):
            connection.request("POST", CHAT, bearer(RED), chat(f"stream {number}", model, stream=True))
        self.heads = [connection.read_head() for connection in self.connections]
        self.threads = [threading.Thread(target=self.read, args=pair) for pair in zip(self.connections, self.heads)]
        for thread in self.threads:
            thread.start()

    def read(self, connection, head):
        try:
            *_, last = connection.sse(head)
            self.ends.append(last.data)
        except Exception as failure:  # noqa: BLE001: whatever it is, the test reports it
            self.ends.append(repr(failure))

    def running(self):
        return any(thread.is_alive() for thread in self.threads)

    def join(self):
        for thread in self.threads:
            thread.join()
        for connection in self.connections:
            connection.close()
        return self.ends


def cpu_share(gateway, seconds):
    """CPU time over wall time."""
    cpu, wall = gateway.cpu_ns(), time.monotonic_ns()
    threading.Event().wait(seconds)
    return (gateway.cpu_ns() - cpu) / (time.monotonic_ns() - wall)


def connect(port):
    client = socket.socket()
    client.settimeout(PATIENCE)
    client.connect(("127.0.0.1", port))
    return client


class Exhaustion(Case):
    def limited(self, files):
        """The gateway's program under a limit on open files."""
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        script = folder / "limited"
        script.write_text(f'#!/bin/sh\nulimit -n {files}\nexec {find_binary("tollgate", [".", "gateway"])} "$@"\n')
        script.chmod(0o755)
        return script

    def test_t20_more_clients_than_descriptors(self):
        """The connection cap comes before the last descriptor; below, in B19, there is none left."""
        with Tollgate(rendered(settings(self.mock.url)), binary=self.limited(256)) as gateway:
            found = re.search(r'"effective":"([0-9]+)"', gateway.log)
            self.assertIsNotNone(found, gateway.log)
            cap = int(found[1])
            self.assertEqual(cap, (256 - 64) // 2)
            streams = Streams(gateway, 20, "mock-tokens-150:pace-20")
            clients = [connect(gateway.api_port) for _ in range(400)]
            share = cpu_share(gateway, 1.0)
            print(f"CPU while clients wait: {share:.3f}", flush=True)
            self.assertLess(share, CPU_SHARE)
            self.assertTrue(streams.running(), "the load was there while it was measured")
            self.assertEqual(gateway.metrics().sum("process_max_fds"), 256, "the metrics listener answers")
            self.assertLess(gateway.metrics().sum("process_open_fds"), 256 - 16)
            self.assertLessEqual(gateway.metrics().sum("tollgate_listener_connections", state="active"), cap)
            self.assertEqual(streams.join(), ["[DONE]"] * 20)
            for client in clients:
                client.close()
            left = time.monotonic()
            eventually(lambda: self.answers(gateway), "answers after the clients left", PATIENCE)
            self.assertLess(time.monotonic() - left, PATIENCE)
            self.assertNotIn("accepting connections failed", gateway.log, "it never came to that")

    def answers(self, gateway):
        try:
            return self.post(chat(self.prompt), gateway=gateway).status == 200
        except Exception:  # noqa: BLE001: refused while connections are still being noticed as gone
            return False

    def test_many_calls_at_once_leave_few_idle_connections(self):
        """Idle upstream connections are bounded by the same limit, over all workers."""
        with Tollgate(rendered(settings(self.mock.url)), binary=self.limited(256)) as gateway:
            for _ in range(3):
                streams = Streams(gateway, 60, "mock-tokens-3:pace-50")
                self.assertEqual(streams.join(), ["[DONE]"] * 60)
            idle = lambda: gateway.metrics().sum("tollgate_upstream_connections", state="idle")  # noqa: E731
            eventually(lambda: 0 < idle() <= 24, "at most 24 idle connections")
            self.assertLess(gateway.metrics().sum("process_open_fds"), 256 - 16)

    def test_b19_no_descriptor_at_all(self):
        """The limit falls below what is open: accepting must neither spin nor harm what runs."""
        with self.started(settings(self.mock.url)) as gateway:
            streams = Streams(gateway, 5, "mock-tokens-150:pace-20")
            idle = [Connection("127.0.0.1", gateway.api_port) for _ in range(5)]
            for connection in idle:
                connection.request("GET", "/v1/models", bearer(RED))
                self.assertEqual(connection.read_response().status, 200)
            before = resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, (8, before[1]))
            waiting = [connect(gateway.api_port) for _ in range(50)]
            for connection in idle:
                self.assertEqual(connection.wait_closed(PATIENCE), "fin", "who is idle goes first")
                connection.close()
            share = cpu_share(gateway, 1.0)
            print(f"CPU while clients wait: {share:.3f}", flush=True)
            self.assertLess(share, CPU_SHARE)
            self.assertTrue(streams.running(), "the load was there while it was measured")
            self.assertEqual(streams.join(), ["[DONE]"] * 5)
            resource.prlimit(gateway.pid, resource.RLIMIT_NOFILE, before)
            for client in waiting:
                client.sendall(f"GET /v1/models HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {RED}\r\n\r\n".encode())
                self.assertTrue(client.recv(12).startswith(b"HTTP/1.1 200"))
                client.close()
            warnings = gateway.log.count("accepting connections failed")
            self.assertTrue(1 <= warnings <= 2 + 2, f"{warnings} warnings: one per worker and 10 s")


if __name__ == "__main__":
    unittest.main()
