"""What is asked of whom, and the proof that everybody gives the right answer before anything is timed."""

import dataclasses
import json
import re

from client import Client
from processes import BenchError

_COUNTER = "0" * 16  # wrk.lua counts in it where every body has to differ
_TEXT = "Explain in plain words how a gateway keeps the connection to a model provider open between two requests. "


def chat_body(size, *, model="gpt-4o-mini", stream=False, marked=False):
    """A chat request of exactly `size` octets."""
    question = {"role": "user", "content": _COUNTER if marked else ""}
    messages = [{"role": "system", "content": "You are terse."}, question]
    request = {"model": model, "messages": messages, "temperature": 0.2}
    if stream:
        request["stream"] = True
    room = size - len(json.dumps(request, separators=(",", ":")))
    question["content"] += (_TEXT * (room // len(_TEXT) + 1))[:room]
    return json.dumps(request, separators=(",", ":")).encode()


@dataclasses.dataclass
class Workload:
    name: str
    title: str
    body: bytes
    subjects: tuple  # the first is Tollgate
    connections: int = 0  # 0: as asked on the command line
    unit: str = "request"
    unique: bool = False  # every body differs
    upstream: bool = True  # every request must reach the provider; False: none may
    targets: dict = dataclasses.field(default_factory=dict)  # peer -> largest permitted ratio


STREAMS = 16
_PLAIN = {"haproxy": 1.15, "nginx": 1.0}

WORKLOADS = {
    workload.name: workload
    for workload in (
        Workload("miss", "chat miss, 1 KiB body", chat_body(1024), ("tollgate", "nginx", "haproxy"), targets=_PLAIN),
        Workload(
            "hit",
            "chat hit, 1 KiB body (nginx: proxy_cache)",
            chat_body(1024),
            ("tollgate-cache", "nginx-cache"),
            upstream=False,
            targets={"nginx-cache": 0.5},
        ),
        Workload(
            "sse",
            f"stream, {STREAMS} at once, an event per ms each (nginx: proxy_buffering off)",
            chat_body(1024, model="mock-tokens-64:pace-1", stream=True),
            ("tollgate", "nginx", "haproxy"),
            connections=STREAMS,
            unit="event",
        ),
        Workload("big", "chat miss, 100 KiB body", chat_body(100 * 1024), ("tollgate", "nginx", "haproxy")),
        Workload(
            "store",
            "chat miss that is stored: cache on, every 1 KiB body differs (peers: plain)",
            chat_body(1024, marked=True),
            ("tollgate-cache", "nginx", "haproxy"),
            unique=True,
        ),
    )
}


@dataclasses.dataclass
class Answer:
    octets: int  # of the whole answer, head and framing included
    events: int  # 1 if it is no stream


def _events(body):
    return [line for line in body.split(b"\n") if line.startswith(b"data: ")]


def taking_part(workload, options):
    return tuple(name for name in workload.subjects if name.split("-")[0] in options.subjects)


def port_of(workload, subject):
    return subject.stream_port if workload.unit == "event" else subject.port


def told(body):
    """The octets of an answer without its id and its time."""
    return re.sub(rb'"id":"[^"]*"|"created":[0-9]*', b"", body)


def verify(workload, subject, mock):
    """Asks twice and compares with the provider's own answer: a fast wrong answer cannot win. Fills the cache."""
    with Client(mock.port) as direct:
        expected = direct.exchange(workload.body)[1]
    with Client(port_of(workload, subject)) as client:
        client.exchange(workload.body)
        before = mock.requests()
        head, body, octets = client.exchange(workload.body)
        reached = mock.requests() - before
    if not head.startswith(b"HTTP/1.1 200 "):
        raise BenchError(f"{workload.name}: {subject.name} answered:\n{head.decode()}{body.decode(errors='replace')}")
    # The mock stores nothing that differs between two answers, so the octets are the same; but for the id and the time of
    # a hit, which are its own.
    if body != expected and (reached or told(body) != told(expected)):
        shown = f"{body[:600]!r}\ninstead of\n{expected[:600]!r}"
        raise BenchError(f"{workload.name}: {subject.name} changed the answer:\n{shown}")
    wanted = 1 if workload.upstream and not workload.unique else 0
    if not workload.unique and reached != wanted:
        raise BenchError(f"{workload.name}: a repeated request of {subject.name} reached the provider {reached} times")
    return Answer(octets, max(1, len(_events(body))))
