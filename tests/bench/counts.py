"""What does not depend on a quiet machine: instructions and system calls of one request."""

import pathlib
import re
import shutil
import signal
import subprocess

from client import Client
from processes import BenchError, family
from subjects import start
from workloads import port_of, taking_part

FEW, MANY = 200, 1200  # requests; the start of the program is in both and cancels out


def _ask(workload, subject, times):
    with Client(port_of(workload, subject), timeout=60) as client:
        for _ in range(times):
            head = client.exchange(workload.body)[0]
            if not head.startswith(b"HTTP/1.1 200 "):
                raise BenchError(f"{subject.name} answered {head.split(b' ')[1].decode()} while it was counted")


def _unfiltered(folder):
    """Valgrind knows no seccomp(2), without which the gateway does not start."""
    library = pathlib.Path(folder) / "unfiltered.so"
    if not library.exists():
        source = pathlib.Path(__file__).resolve().parent / "unfiltered.c"
        subprocess.run(["clang-19", "-shared", "-fPIC", "-o", library, source], check=True)
    return library


def _instructions_of(name, workload, times, options, mock, core, folder):
    valgrind = shutil.which("valgrind")
    if not valgrind:
        raise BenchError("--callgrind needs valgrind")
    out = pathlib.Path(options.profiles or folder) / f"callgrind-{name}-{workload.name}-{times}"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    preload = ["env", f"LD_PRELOAD={_unfiltered(folder)}"] if name.startswith("tollgate") else []
    wrapper = [*preload, valgrind, "--tool=callgrind", f"--callgrind-out-file={out}/%p"]
    subject = start(name, tollgate=options.tollgate, upstream=mock.port, core=core, parent=folder, wrapper=wrapper)
    try:
        _ask(workload, subject, times)
    finally:
        subject.child.stop()
    totals = re.findall(r"^totals: (\d+)$", "".join(file.read_text() for file in out.iterdir()), re.MULTILINE)
    if not totals:
        raise BenchError(f"callgrind reported nothing about {name}:\n{subject.child.log()[-2000:]}")
    return sum(map(int, totals))


def instructions(workloads, options, mock, core, folder):
    """User instructions per request at one connection."""
    report = {}
    for workload in workloads:
        report[workload.name] = {}
        for name in taking_part(workload, options):
            few, many = (_instructions_of(name, workload, n, options, mock, core, folder) for n in (FEW, MANY))
            report[workload.name][name] = (many - few) / (MANY - FEW)
    return report


def syscalls(workloads, subjects, options):
    """System calls per request at one connection, by name. Under strace the batching of many connections changes."""
    strace = shutil.which("strace")
    if not strace:
        raise BenchError("--strace needs strace")
    report = {}
    for workload in workloads:
        report[workload.name] = {}
        for name in taking_part(workload, options):
            report[workload.name][name] = _syscalls_of(strace, workload, subjects[name])
    return report


def _syscalls_of(strace, workload, subject):
    _ask(workload, subject, 10)
    pids = family(subject.child.pid)
    processes = [word for pid in pids for word in ("-p", str(pid))]
    tracer = subprocess.Popen(
        [strace, "-c", "-f", "-U", "name,calls", *processes], stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        for _ in pids:  # a line each once it is held
            line = tracer.stderr.readline()
            if "attached" not in line:
                raise BenchError(f"strace could not attach to {subject.name}: {line}")
        _ask(workload, subject, MANY)
        tracer.send_signal(signal.SIGINT)
        table = tracer.communicate(timeout=20)[1]
    finally:
        tracer.kill()
        tracer.wait()
    calls = {name: int(count) / MANY for name, count in re.findall(r"^ *(\w+) +(\d+)$", table, re.MULTILINE)}
    calls.pop("total", None)
    return {"total": sum(calls.values()), "calls": {name: n for name, n in calls.items() if n >= 0.01}}
