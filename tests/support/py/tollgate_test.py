"""Starts and stops the programs of a test, and reads what they report. Standard library only."""

import base64
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

from tollgate_http import Connection, PeerClosed, ProtocolError, Response, SseEvent, call  # noqa: F401: one import

ROOT = pathlib.Path(__file__).resolve().parents[3]
START_TIMEOUT = 20.0  # seconds
STOP_TIMEOUT = 10.0


_given_out = set()


def free_port():
    """A port nobody listens on now, and another one each time: the kernel may offer the same one twice."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        if port not in _given_out:
            _given_out.add(port)
            return port


def find_binary(name, places):
    """$TOLLGATE_BUILD_DIR's `name`, else the newest one under build/. `places`: folders inside a build tree."""
    chosen = os.environ.get("TOLLGATE_BUILD_DIR")
    trees = [pathlib.Path(chosen)] if chosen else sorted((ROOT / "build").glob("*"))
    found = [tree / place / name for tree in trees for place in places if (tree / place / name).is_file()]
    if not found:
        raise FileNotFoundError(f"{name} is not built in any of: {', '.join(map(str, trees)) or ROOT / 'build'}")
    return max(found, key=lambda path: path.stat().st_mtime)


# Freed memory is kept apart for a while, which must not outgrow what a test says about memory.
SANITIZERS = {"ASAN_OPTIONS": "quarantine_size_mb=16"}


class Process:
    """A child that is stopped by its own id. Use as a context manager; `log` holds what it printed."""

    def __init__(self, arguments, *, name, env=None, cwd=None):
        self.name = name
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"tollgate-{name}-"))
        self.log_path = self.folder / "log"
        self.launch = {"env": {**SANITIZERS, **os.environ, **(env or {})}, "cwd": cwd or self.folder}
        self.arguments = [str(argument) for argument in arguments]
        self.start()

    def start(self):
        """Also after its end: the log goes on."""
        with self.log_path.open("ab") as log:
            self.child = subprocess.Popen(
                self.arguments, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **self.launch
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def pid(self):
        return self.child.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def signal(self, number):
        self.child.send_signal(number)

    def kill(self):
        self.child.kill()
        return self.child.wait()

    def stop(self, timeout=STOP_TIMEOUT):
        """SIGTERM, then SIGKILL. Returns the exit code; negative: the signal that ended it."""
        if self.child.poll() is None:
            self.child.terminate()
            try:
                self.child.wait(timeout)
            except subprocess.TimeoutExpired:
                self.child.kill()
        return self.child.wait()

    def cpu_ns(self):
        """CPU time used by all of its threads."""
        tasks = pathlib.Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks)

    def resident_octets(self):
        """Of its own memory; files it has mapped, such as the ledger's segments, are the machine's to take back."""
        return self._pages(lambda resident, shared: resident - shared)

    def mapped_octets(self):
        """Of files and shared memory, its own program among them, that are in memory now."""
        return self._pages(lambda _, shared: shared)

    def _pages(self, which):
        _, resident, shared, *_ = pathlib.Path(f"/proc/{self.pid}/statm").read_text().split()
        return which(int(resident), int(shared)) * os.sysconf("SC_PAGE_SIZE")

    def await_ready(self, probe, timeout=START_TIMEOUT):
        """Polls `probe` until it returns something true, which is returned."""
        pidfd = os.pidfd_open(self.pid)
        try:
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                if (result := probe()) is not None and result is not False:
                    return result
                # Waits for the child's end or 10 ms, whichever comes first.
                if select.select([pidfd], [], [], 0.01)[0]:
                    break
        finally:
            os.close(pidfd)
        code = self.child.poll()
        state = f"exited with {code}" if code is not None else f"is not ready after {timeout} s"
        log = self.log
        self.stop()
        raise RuntimeError(f"{self.name} {state}:\n{log[-4000:]}")


class MockProvider(Process):
    """The mock provider and its test control."""

    def __init__(self, *options, binary=None):
        binary = binary or find_binary("mock_provider", ["tests/mock_provider"])
        super().__init__([binary, *options], name="mock")
        match = self.await_ready(lambda: re.search(r"^listening 127\.0\.0\.1:([0-9]+)$", self.log, re.MULTILINE))
        self.port = int(match[1])
        self.tls = None
        self.url = f"http://127.0.0.1:{self.port}"

    def control(self, method, what, timeout=10.0):
        response = call(method, f"{self.url}/__mock/{what}", tls=self.tls, timeout=timeout)
        if response.status != 200:
            raise AssertionError(f"{method} {what}: {response.status} {response.body.decode()}\n{self.log[-2000:]}")
        return response.json()

    def stats(self):
        return self.control("GET", "stats")

    def reset(self):
        self.control("POST", "reset")

    def requests(self, last=None):
        """Recorded requests, oldest first; each has its `body` as octets."""
        found = self.control("GET", "requests" + (f"?last={last}" if last is not None else ""))
        return [{**request, "body": base64.b64decode(request["body_base64"])} for request in found]

    def last_stream_times(self):
        return self.control("GET", "last_stream_times")

    def wait(self, timeout=10.0, **counters):
        """Returns the counters once requests, aborted and completed have reached, and connections_open fallen to,
        the values given."""
        query = "&".join(f"{name}={value}" for name, value in counters.items())
        return self.control("GET", f"wait?{query}&timeout_ms={int(timeout * 1000)}", timeout=timeout + 5)


class Redis(Process):
    """A redis-server without persistence."""

    def __init__(self, *options, binary="redis-server"):
        self.port = free_port()
        base = [binary, "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__([*base, *options], name="redis")
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.await_ready(self._pings)

    def _pings(self):
        try:
            return self.command("PING") is not None
        except OSError:
            return False

    def command(self, *words):
        """Sends one command; returns the reply as strings, integers, None and lists."""
        octets = b"*%d\r\n" % len(words)
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            octets += b"$%d\r\n%s\r\n" % (len(word), word)
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(octets)
            with connection.makefile("rb") as replies:
                return _read_reply(replies)


def _read_reply(replies):
    line = replies.readline().rstrip(b"\r\n").decode("latin-1")
    kind, rest = line[:1], line[1:]
    if kind == "-":
        raise RuntimeError(f"redis: {rest}")
    if kind == ":":
        return int(rest)
    if kind == "$":
        return None if rest == "-1" else replies.read(int(rest) + 2)[:-2].decode("latin-1")
    if kind == "*":
        return None if rest == "-1" else [_read_reply(replies) for _ in range(int(rest))]
    if kind == "+":
        return rest
    raise ConnectionError(f"redis closed or answered {line!r}")


TYPED_OPERATIONS = ("chat", "text_completion", "responses", "embeddings")


class Tollgate(Process):
    """The gateway. `config` is its YAML, with @API@, @METRICS@, @ADMIN@ and @STORE@ filled in here, and
    whatever else `values` names."""

    def __init__(self, config, *, binary=None, env=None, store=None, wait=True, options=(), **values):
        binary = binary or find_binary("tollgate", [".", "gateway"])
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="tollgate-home-"))
        self.store = pathlib.Path(store) if store else self.home / "store"
        self.api_port, self.metrics_port, self.admin_port = free_port(), free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.api_port}"
        self.metrics_url = f"http://127.0.0.1:{self.metrics_port}"
        self.admin_url = f"http://127.0.0.1:{self.admin_port}"
        self.values = {
            "API": f"127.0.0.1:{self.api_port}",
            "METRICS": f"127.0.0.1:{self.metrics_port}",
            "ADMIN": f"127.0.0.1:{self.admin_port}",
            "STORE": str(self.store),
            **values,
        }
        self.config_path = self.home / "tollgate.yaml"
        self.write_config(config)
        super().__init__([binary, "run", "-c", self.config_path, *options], name="tollgate", env=env, cwd=self.home)
        if wait:
            self.await_ready(self.is_ready)
        self.announced = self.failure_series() if wait else None

    def __exit__(self, kind=None, *unused):
        try:
            if kind is None:
                self.check_series()
        finally:
            super().__exit__(kind, *unused)
            shutil.rmtree(self.home, ignore_errors=True)

    def failure_series(self):
        """(family, what it is about, how it ended) of the families that count failures."""
        found = set()
        for name, labels, _ in self.metrics().samples:
            if name == "tollgate_errors_total" and labels["operation"] in TYPED_OPERATIONS:
                found.add((name, "", labels["error_type"] + " " + labels["code"]))
            provider_chose = labels.get("code") in ("201", "202", "203", "204", "205", "206")
            if name == "tollgate_http_requests_total" and labels["listener"] == "api" and not provider_chose:
                found.add((name, labels["method"] + " " + labels["route"], labels["code"]))
        return found

    def check_series(self):
        """increase() loses the first event of a series that was not exposed at 0 before. So whatever a test made happen
        must have had its series from the start."""
        if self.announced is None or self.child.poll() is not None or not self.is_listening():
            return
        about = {(name, what) for name, what, _ in self.announced if "unmatched" not in what}
        late = [row for row in self.failure_series() - self.announced if row[:2] in about]
        if late:
            raise AssertionError(f"series that were not registered at start: {sorted(late)}")

    def is_listening(self):
        try:
            return call("GET", f"{self.metrics_url}/livez", timeout=2).status == 200
        except (OSError, PeerClosed):
            return False

    def write_config(self, config):
        """For reload tests: replaces the file atomically; SIGHUP is the caller's."""
        filled = patient(fill(config, **self.values))
        fresh = self.config_path.with_suffix(".new")
        fresh.write_text(filled)
        fresh.rename(self.config_path)

    def reload(self):
        self.signal(signal.SIGHUP)

    def is_ready(self):
        try:
            return call("GET", f"{self.metrics_url}/readyz", timeout=2).status == 200
        except (OSError, PeerClosed):
            return False

    def metrics(self):
        """A scrape in which every answered request is counted: that happens just after its last octet left. With requests
        that stay open, the state after two seconds."""
        deadline = time.monotonic() + 2
        while True:
            scrape = Metrics(call("GET", f"{self.metrics_url}/metrics").body.decode())
            if scrape.sum("tollgate_requests_in_flight") == 0 or time.monotonic() > deadline:
                return scrape


def patient(config):
    """A busy machine lets event loops wait: requests are shed for it only where the test says so itself."""
    if "overload" in config:
        return config
    if config.lstrip().startswith("{"):
        return config.replace("{", '{"overload": {"loop_lag": "1m"}, ', 1)
    return config.rstrip("\n") + "\noverload: { loop_lag: 1m }\n"


def fill(template, **values):
    """Replaces @NAME@; a name without value is an error."""

    def value_of(match):
        if match[1] not in values:
            raise KeyError(f"@{match[1]}@ has no value")
        return str(values[match[1]])

    return re.sub(r"@([A-Z_]+)@", value_of, template)


class Metrics:
    """One scrape in Prometheus' text format."""

    _SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: [0-9]+)?(?: # .*)?")
    _LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"(?:,|$)')
    _ESCAPE = re.compile(r"\\(.)")

    def __init__(self, text):
        self.text = text
        self.samples = []  # of (name, labels, value)
        self.types = {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ", 3)
                self.types[name] = kind
            elif line and not line.startswith("#"):
                self.samples.append(self._sample(line))

    def _sample(self, line):
        match = self._SAMPLE.fullmatch(line)
        if match is None:
            raise ValueError(f"malformed sample line: {line!r}")
        name, inside, value = match.groups()
        labels, at = {}, 0
        while inside and at < len(inside):
            label = self._LABEL.match(inside, at)
            if label is None:
                raise ValueError(f"malformed labels: {line!r}")
            labels[label[1]] = self._ESCAPE.sub(lambda m: "\n" if m[1] == "n" else m[1], label[2])
            at = label.end()
        return name, labels, float(value)

    def matching(self, name, /, **labels):
        wanted = labels.items()
        return [(found, value) for sample, found, value in self.samples if sample == name and wanted <= found.items()]

    def sum(self, name, /, **labels):
        """Over all samples with these labels; 0.0 without any."""
        return sum(value for _, value in self.matching(name, **labels))

    def value(self, name, /, **labels):
        """Of the only sample with these labels."""
        found = self.matching(name, **labels)
        if len(found) != 1:
            raise AssertionError(f"{name}{labels}: {len(found)} samples: {found}")
        return found[0][1]
