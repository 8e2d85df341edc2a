"""The programs that are compared, each with its configuration, and the provider behind them."""

import dataclasses
import json
import os
import pathlib
import re
import shutil
import urllib.request

from processes import START_TIMEOUT, BenchError, Child, free_ports

CONFIGS = pathlib.Path(__file__).resolve().parent / "configs"
CLIENT_KEY = "bench-client-key-0000"
OTHER_KEYS = 99
NAMES = ("tollgate", "tollgate-cache", "nginx", "nginx-cache", "haproxy")


@dataclasses.dataclass
class Subject:
    name: str
    child: Child
    port: int
    stream_port: int
    access_log: pathlib.Path | None = None

    def forget_log(self):
        """The file is opened for appending: emptied between windows it does not fill the disk."""
        if self.access_log and self.access_log.exists():
            os.truncate(self.access_log, 0)


class Mock:
    """The provider behind all of them."""

    def __init__(self, binary, *, core, folder):
        self.child = Child("mock_provider", [binary, "--port", "0", "--record-max", "0"], core=core, folder=folder)
        found = self.child.wait_for(
            lambda: re.search(r"listening 127\.0\.0\.1:(\d+)\n", self.child.log()), "say where it listens"
        )
        self.port = int(found.group(1))

    def control(self, what):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/__mock/{what}", timeout=30) as answer:
            return json.load(answer)

    def requests(self):
        return self.control("stats")["requests"]


def find_program(name):
    for place in (None, "/usr/sbin:/usr/local/sbin:/sbin"):
        found = shutil.which(name, path=place)
        if found:
            return found
    raise BenchError(f"{name} is not installed; run deploy/install-deps bench")


def _write(template, folder, target, **values):
    text = (CONFIGS / template).read_text()
    for key, value in {"DIR": folder, **values}.items():
        text = text.replace(f"@{key}@", str(value))
    left = re.search(r"@[A-Z]+@", text)
    if left:
        raise BenchError(f"{template}: nothing for {left.group()}")
    path = folder / target
    path.write_text(text)
    return path


def start(name, *, tollgate, upstream, core, parent, wrapper=()):
    """Starts one subject and waits until it listens. `wrapper`: a command in front, such as valgrind."""
    folder = pathlib.Path(parent) / (name if not wrapper else f"{name}-{len(list(pathlib.Path(parent).iterdir()))}")
    folder.mkdir()
    port, second = free_ports(2)
    values = {"LISTEN": port, "STREAM": second, "METRICS": second, "UPSTREAM": upstream}
    access_log = None
    if name.startswith("tollgate"):
        keys = [f"  - {{ id: k_bench, team: bench, secret: {CLIENT_KEY}, limits: {{ rpm: 1000M }} }}"]
        keys += [f"  - {{ id: k_other_{i}, team: bench, secret: bench-other-key-{i} }}" for i in range(OTHER_KEYS)]
        values["KEYS"] = "\n".join(keys)
        values["CACHE"] = "true" if name == "tollgate-cache" else "false"
        config = _write("tollgate.yaml", folder, "tollgate.yaml", **values)
        arguments = [tollgate, "run", "-c", config]
        access_log = folder / "access.log"
    elif name.startswith("nginx"):
        config = _write(f"{name}.conf", folder, "nginx.conf", **values)
        arguments = [find_program("nginx"), "-p", folder, "-e", folder / "error.log", "-c", config]
    else:
        config = _write("haproxy.cfg", folder, "haproxy.cfg", **values)
        arguments = [find_program("haproxy"), "-db", "-f", config]
    child = Child(name, [*wrapper, *arguments], core=core, folder=folder)
    try:
        timeout = START_TIMEOUT * (10 if wrapper else 1)
        child.wait_for_port(port, timeout)
        if access_log:
            child.wait_for(lambda: _ready(second), "become ready", timeout)
    except BaseException:
        child.stop()
        raise
    stream_port = second if name in ("nginx", "haproxy") else port
    return Subject(name, child, port, stream_port, access_log)


def _ready(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False
