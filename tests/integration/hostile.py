"""Hostile clients that send much, and what they cost the gateway in memory and time (reliability §1, T3)."""

import contextlib
import dataclasses
import pathlib
import re
import select
import ssl
import threading
import time

from common import support

MIB = 1 << 20
PIECE = 64 * 1024
PATIENCE = 30.0  # seconds per read
# How much of a flood may have left the client before it sees the answer: its own buffer and the gateway's kernel's,
# and what leaves while the answer travels.
UNSTOPPABLE = 12 * MIB


def sanitized(binary):
    """Whether the program carries a sanitizer, whose shadow memory and quarantine are not the gateway's."""
    for folder in pathlib.Path(binary).resolve().parents:
        cache = folder / "CMakeCache.txt"
        if cache.is_file():
            return re.search(r"^TOLLGATE_SANITIZE:STRING=(.+)$", cache.read_text(), re.MULTILINE) is not None
    return False


# Figures are multiplied by this.
SLACK = 12 if sanitized(support.find_binary("tollgate", [".", "gateway"])) else 1


@dataclasses.dataclass
class Flood:
    """`start`, then `more` again and again until `volume` octets have gone; `pace` seconds between two pieces."""

    start: bytes
    more: bytes
    volume: int
    statuses: tuple
    pace: float = 0.0


@dataclasses.dataclass
class Poured:
    response: object  # None without an answer
    sent: int  # octets until the answer was seen, the connection broke, or everything had gone
    cpu: float  # seconds of this thread


def readable(connection, seconds=0.0):
    return bool(select.select([connection.socket], [], [], seconds)[0])


def answered(connection, seconds=0.0):
    """True once octets of an answer are here. Over TLS, tickets make a socket readable too."""
    if connection.buffer:
        return True
    if not readable(connection, seconds):
        return False
    connection.socket.settimeout(0)
    try:
        return connection.receive() or True
    except (ssl.SSLWantReadError, BlockingIOError):
        return False
    except OSError:
        return True
    finally:
        connection.socket.settimeout(PATIENCE)


def pieces_of(flood):
    """What one send may take, in order; stops at the flood's volume."""
    sent = 0
    whole = flood.start
    while True:
        for at in range(0, len(whole), PIECE):
            piece = whole[at : at + PIECE]
            yield piece
            sent += len(piece)
            if sent >= flood.volume:
                return
        whole = flood.more


def pour(connection, flood):
    """Sends a flood, looking for an answer before every piece, as a well-made client does."""
    begun = time.thread_time()
    sent = 0
    try:
        for piece in pieces_of(flood):
            if answered(connection, flood.pace):
                break
            connection.send(piece)
            sent += len(piece)
    except OSError:
        pass
    try:
        response = connection.read_response()
    except (OSError, support.ProtocolError):
        response = None
    return Poured(response, sent, time.thread_time() - begun)


def pour_together(open_connection, flood, count):
    """`count` floods at once, each on its own connection; the outcome of each."""
    results = [None] * count
    connections = [open_connection() for _ in range(count)]

    def run(index):
        results[index] = pour(connections[index], flood)

    threads = [threading.Thread(target=run, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for connection in connections:
        connection.close()
    return results


def highest_resident(process):
    """Octets: the kernel's high-water mark, which no sampling can miss, less the mapped files that it counts too."""
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+([0-9]+) kB$", status, re.MULTILINE)[1]) * 1024 - process.mapped_octets()


@dataclasses.dataclass
class Cost:
    grown: int = 0  # octets of memory above the start, at the highest
    kept: int = 0  # octets of memory above the start, at the end
    cpu: float = 0.0  # seconds


@contextlib.contextmanager
def cost_of(process, base, settled=MIB, patience=10.0):
    """What the block costs the process above `base` octets of memory; its high-water mark has to be near that. Waits
    until no more than `settled` octets are left of it, or `patience` seconds."""
    pathlib.Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the mark begins anew
    cpu = process.cpu_ns()
    cost = Cost()
    yield cost
    cost.cpu = (process.cpu_ns() - cpu) / 1e9
    cost.grown = highest_resident(process) - base
    deadline = time.monotonic() + patience
    while (kept := process.resident_octets() - base) > settled * SLACK and time.monotonic() < deadline:
        time.sleep(0.05)
    cost.kept = kept


def served_connections(port):
    """Accepted connections of the listener at `port` that its owner has not closed; asking the gateway would cost it
    memory."""
    count = 0
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, *_ = line.split()
        count += local.endswith(f":{port:04X}") and state in ("01", "08")  # ESTABLISHED, CLOSE_WAIT
    return count


def kernel_queues(local_port, remote_port):
    """(octets not yet taken by the peer, octets not yet read by the owner) of the connection whose owner has
    `local_port`; None once it is gone."""
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, _, queues, *_ = line.split()
        if local.endswith(f":{local_port:04X}") and remote.endswith(f":{remote_port:04X}"):
            unsent, _, unread = queues.partition(":")
            return int(unsent, 16), int(unread, 16)
    return None
