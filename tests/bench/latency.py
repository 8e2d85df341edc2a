"""How long an event stays inside a proxy, and how long an upstream outlives its client."""

import gc
import re
import statistics
import time

from client import Client
from processes import BenchError
from workloads import chat_body

_STAMP = re.compile(rb'"t=(\d+)"')
EVENTS = 10
_PACED = chat_body(1024, model=f"mock-stamp:tokens-{EVENTS}:pace-2", stream=True)
# A stream that still speaks and one that has fallen silent: only the first gives itself away by a failed write.
# Left after the last event of the silent one, with nothing unread: that would turn the FIN into a RST.
_SPOKEN = 4
_LEFT = {
    "speaking": chat_body(1024, model="mock-stamp:tokens-100000:pace-5", stream=True),
    "silent": chat_body(1024, model=f"mock-stamp:tokens-100000:pace-1:hang-after-{1 + _SPOKEN}", stream=True),
}
LIMITS_MS = {"first-event": 1.0, "client-gone": 50.0}


def _quantiles(values_ns):
    ordered = sorted(values_ns)
    at = min(len(ordered) - 1, int(len(ordered) * 0.99))
    return {
        "count": len(ordered),
        "p50_us": statistics.median(ordered) / 1e3,
        "p99_us": ordered[at] / 1e3,
        "max_us": ordered[-1] / 1e3,
    }


def _one_stream(client, mock, first, later):
    """Appends how long after the provider sent it the first event, and each stamped one, arrived."""
    arrived, carry, stamps = None, b"", 0
    for octets, now in client.stream(_PACED):
        carry += octets
        if arrived is None and b"data: " in carry:
            arrived = now
        for stamp in _STAMP.finditer(carry):
            later.append(now - int(stamp.group(1)))
            stamps += 1
        carry = carry[carry.rfind(b"\n") + 1 :]
    if arrived is None or stamps != EVENTS:
        raise BenchError(f"port {client.port} forwarded {stamps} of {EVENTS} stamped events")
    first.append(arrived - mock.control("last_stream_times")["times_ns"][0])


def first_event(targets, mock, streams):
    """`targets`: (name, port), the mock itself as "direct" among them; one stream of each in turn."""
    clients = {name: Client(port) for name, port in targets}
    first = {name: [] for name in clients}
    later = {name: [] for name in clients}
    gc.disable()
    try:
        for i in range(streams + 3):
            for name in list(clients) if i % 2 == 0 else reversed(clients):
                _one_stream(clients[name], mock, first[name], later[name])
            if i == 2:  # the first streams open connections and fill caches
                for samples in (*first.values(), *later.values()):
                    samples.clear()
    finally:
        gc.enable()
        for client in clients.values():
            client.close()
    report = {}
    for name in clients:
        report[name] = {"first": _quantiles(first[name]), "every": _quantiles(later[name])}
    # What a proxy adds is counted from the median without one: a direct p99 that was noisy does not excuse its own.
    for name in clients:
        for kind in ("first", "every"):
            own, base = report[name][kind], report["direct"][kind]["p50_us"]
            own["added_p50_us"], own["added_p99_us"] = own["p50_us"] - base, own["p99_us"] - base
    return report


def _leave(port, mock, body):
    """ns from the client's close to the provider seeing its connection closed."""
    aborted = mock.control("stats")["aborted"]
    client = Client(port)
    seen = b""
    for octets, _ in client.stream(body):
        seen += octets
        if len(_STAMP.findall(seen)) >= _SPOKEN:
            break
    left = time.monotonic_ns()
    client.close()
    try:
        stats = mock.control(f"wait?aborted={aborted + 1}&timeout_ms=5000")
    except OSError as error:
        raise BenchError(f"the upstream of port {port} was still open 5 s after its client had left") from error
    return stats["last_abort_ns"] - left


def client_gone(targets, mock, times):
    report = {}
    for name, port in targets:
        report[name] = {}
        for kind, body in _LEFT.items():
            samples = [_leave(port, mock, body) for _ in range(times)]
            report[name][kind] = _quantiles(samples)
    return report
