"""Children that end with the harness, and what the kernel says they used."""

import ctypes
import os
import pathlib
import resource
import signal
import socket
import subprocess
import time

START_TIMEOUT = 20.0  # seconds; ten times that below valgrind
STOP_TIMEOUT = 8.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


class BenchError(Exception):
    """Something that makes the whole run meaningless."""


def free_ports(count):
    """Ports nobody listens on now, all different."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def cores():
    """(core of the proxies, core of load and mock); both the same on a machine with one."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[0], allowed[1 % len(allowed)]


def _prepare(core):
    def prepare():
        # A harness that is killed takes its children along.
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        os.sched_setaffinity(0, {core})

    return prepare


class Child:
    """A server in a session of its own: Ctrl-C reaches it through stop() only."""

    def __init__(self, name, arguments, *, core, folder):
        self.name = name
        self.log_path = pathlib.Path(folder) / f"{name}.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
                preexec_fn=_prepare(core),
            )
        self.pid = self.process.pid

    def log(self):
        return self.log_path.read_text(errors="replace")

    def wait_for(self, condition, what, timeout=START_TIMEOUT):
        """Polls until `condition()` is truthy and returns that."""
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        raise BenchError(f"{self.name} did not {what}; it printed:\n{self.log()[-2000:]}")

    def wait_for_port(self, port, timeout=START_TIMEOUT):
        def listening():
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", port)) == 0

        self.wait_for(listening, f"listen on port {port}", timeout)

    def stop(self):
        """By its id, then by the id of its own process group: workers whose master died."""
        try:
            if self.process.poll() is None:
                self.process.terminate()
                self.process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def family(pid):
    """`pid` and all its descendants."""
    parents = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            stat = pathlib.Path(f"/proc/{entry}/stat").read_text()
        except OSError:
            continue
        parents[int(entry)] = int(stat.rpartition(")")[2].split()[1])
    family = [pid]
    for member in family:  # grows while it is walked
        family.extend(child for child, parent in parents.items() if parent == member)
    return family


def cpu_ns(pid):
    """CPU time of all threads of `pid` and its descendants, user and system."""
    total = 0
    for member in family(pid):
        try:
            tasks = os.listdir(f"/proc/{member}/task")
        except OSError:
            continue
        for task in tasks:
            try:
                total += int(pathlib.Path(f"/proc/{member}/task/{task}/schedstat").read_text().split()[0])
            except OSError:
                continue
    return total


def _machine_ticks():
    """(busy, steal, all) ticks of all processors since boot."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    steal = fields[7]
    idle = fields[3] + fields[4]
    return sum(fields) - idle - steal, steal, sum(fields)


class Neighbours:
    """What the rest of the machine did since this was made: `pids`, this process and its tools are not neighbours."""

    def __init__(self, pids):
        self.pids = pids
        self.ticks, self.ours = _machine_ticks(), self._ours()

    def _ours(self):
        tools = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        return sum(cpu_ns(pid) for pid in self.pids) / 1e9 + sum(used.ru_utime + used.ru_stime for used in tools)

    def shares(self):
        """(other programs, steal) as shares of the machine's time."""
        busy, steal, ticks = (now - then for now, then in zip(_machine_ticks(), self.ticks, strict=True))
        ours = (self._ours() - self.ours) * os.sysconf("SC_CLK_TCK")
        return max(0.0, (busy - ours) / max(1, ticks)), steal / max(1, ticks)


def run_bounded(arguments, *, core, timeout):
    """Runs a tool to its end and returns its output; kills it when the time is up or the harness stops."""
    with subprocess.Popen(
        [str(argument) for argument in arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=_prepare(core),
    ) as tool:
        try:
            output, _ = tool.communicate(timeout=timeout)
        except BaseException:
            tool.kill()
            raise
    if tool.returncode != 0:
        raise BenchError(f"{arguments[0]} failed with {tool.returncode}:\n{output[-2000:]}")
    return output
