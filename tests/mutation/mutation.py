"""T2: mutated requests through a real gateway to a recording provider.

For every input: the answers are well-formed and in order, none follows the end of the connection, and an answer of the
provider belongs to a message that a strict reader finds at that place in the input, with the same method, path and
content. At the end: as many messages at the provider as answers at clients, every one of them plain to the strict
reader, a healthy gateway, and not one descriptor more.
"""

import collections
import json
import multiprocessing
import pathlib
import re
import socket
import sys
import threading
import time
from dataclasses import dataclass, field

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("integration", "support/py")]

import strict_http  # noqa: E402: found by the line above
import tollgate_test as support  # noqa: E402
from common import KEY, poll  # noqa: E402
from inputs import VALID, input_of  # noqa: E402
from upstream import Upstream, meaning, read_json  # noqa: E402, F401: tests use it too

UPSTREAM_KEY = "upstream-account-key-of-the-mutations"
CONFIG = """
version: 1
listen: { api: "@API@", metrics: "@METRICS@", workers: 2, half_close: serve, limits: { failed_keys: 1M } }
store: { path: "@STORE@" }
providers:
  recorder: { kind: openai, base_url: "http://127.0.0.1:@RECORDER@/base", api_keys: [ "@UPSTREAM_KEY@" ], private: true }
models:
  gpt-4o-mini: { aliases: [ small ], upstreams: [ { provider: recorder, model: gpt-4o-mini } ] }
  renamed: { upstreams: [ { provider: recorder, model: "another/model:1" } ] }
  whisper-1: { upstreams: [ { provider: recorder } ] }
  text-embedding-3-small: { upstreams: [ { provider: recorder } ] }
  omni-moderation-latest: { upstreams: [ { provider: recorder } ] }
  "mock-*": { upstreams: [ { provider: recorder } ] }
keys:
  - { id: k_open, secret: "@KEY@" }
"""
RENAMED = {"small": "gpt-4o-mini", "renamed": "another/model:1"}
DEFAULTS = {"/base/moderations": "omni-moderation-latest"}
SEEN = re.compile(rb'"seen": (\{[^{}]*\})')
PROCESSES, THREADS = 2, 6
ANSWER_TIMEOUT = 30.0


@dataclass
class Tally:
    inputs: int = 0
    octets: int = 0
    answers: int = 0
    statuses: collections.Counter = field(default_factory=collections.Counter)
    serials: list = field(default_factory=list)
    violations: list = field(default_factory=list)  # (input number, what)

    def add(self, other):
        self.inputs += other.inputs
        self.octets += other.octets
        self.answers += other.answers
        self.statuses += other.statuses
        self.serials += other.serials
        self.violations += other.violations


def exchange(port, data, source):
    """Sends the octets and the end of sending; returns what came back until the gateway closed."""
    with socket.socket() as connection:
        connection.settimeout(ANSWER_TIMEOUT)
        connection.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT: ports are shared by destinations
        connection.bind((source, 0))
        connection.connect(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        received = []
        try:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
        except ConnectionError:
            pass  # refused before the end; the answer says why
        try:
            while piece := connection.recv(65536):
                received.append(piece)
        except ConnectionResetError:
            pass
        return b"".join(received)


def begins_with_head(data, messages):
    """What follows the whole messages is a HEAD request: however broken, its refusal has no body."""
    rest = data[messages[-1].end if messages else 0 :]
    return rest.lstrip(b"\r\n").startswith(b"HEAD ")


def answers_in(octets, data, messages):
    """The final answers, each whole; nothing may follow one that ends the connection."""
    found, at = [], 0
    while at < len(octets):
        whole = len(found) < len(messages)
        to_head = messages[len(found)].start[0] == "HEAD" if whole else begins_with_head(data, messages)
        answer = strict_http.take_answer(octets, at, to_head, whole and messages[len(found)].start[2] == 0)
        at = answer.end
        if answer.start[0] < 200:
            continue
        found.append(answer)
        if answer.ends_connection() and at != len(octets):
            raise strict_http.Malformed(f"octets behind the last answer: {octets[at:at + 200]!r}")
    return found


def path_of(target):
    """What a client asked for, without authority, query, and version prefix, which some clients send twice."""
    path = re.sub(r"^https?://[^/]*", "", target, flags=re.IGNORECASE).partition("?")[0]
    return path.removeprefix("/v1").removeprefix("/v1")


def compare(seen, message):
    """Why the provider's account of a request is not the request; nothing if it is."""
    method, target, _ = message.start
    if seen["method"] != method:
        return f"method {seen['method']} instead of {method}"
    path, _, query = seen["target"].partition("?")
    if path != "/base" + path_of(target):
        return f"target {seen['target']} instead of {target}"
    asked = target.partition("?")[2].split("&")
    if query and not set(query.split("&")) <= set(asked):
        return f"query {query} instead of {asked}"
    if seen["meaning"] != meaning(message.body):
        return f"another body than {message.body[:500]!r}"
    if seen["model"] is not None:
        model = json.loads(message.body).get("model", DEFAULTS.get(path))
        if seen["model"] != RENAMED.get(model, model):
            return f"model {seen['model']} for {model}"
    if seen["model"] is None and seen["size"] != len(message.body):
        return "a body of another length"
    return None


def judge(data, octets, tally):
    """What is wrong with the answers to one input, if anything is."""
    messages = strict_http.requests_in(data)
    try:
        answers = answers_in(octets, data, messages)
    except (strict_http.Malformed, strict_http.Incomplete) as error:
        return f"answers are malformed ({error or 'incomplete'}): {octets[:1000]!r}"
    tally.answers += len(answers)
    for place, answer in enumerate(answers):
        status = answer.start[0]
        tally.statuses[status] += 1
        if status >= 500 and status not in (501, 505):
            return f"answer {place + 1} is {status}: {answer.body[:500]!r}"
        if status >= 300:
            continue
        if place >= len(messages):
            return f"answer {place + 1} is {status}, but the input holds {len(messages)} messages"
        for found in SEEN.findall(answer.body):
            seen = json.loads(found)
            tally.serials.append(seen["serial"])
            if problem := compare(seen, messages[place]):
                return f"message {place + 1} arrived as another: {problem}"
        if len(SEEN.findall(answer.body)) > 1:
            return f"answer {place + 1} holds two answers"
    return None


def send_some(port, seed, numbers, source):
    tally = Tally()
    for number in numbers:
        data = input_of(seed, number)
        tally.inputs += 1
        tally.octets += len(data)
        try:
            problem = judge(data, exchange(port, data, source), tally)
        except TimeoutError:
            problem = f"no end of the connection within {ANSWER_TIMEOUT} s"
        except OSError as error:
            problem = f"no connection: {error}"
        if problem:
            tally.violations.append((number, f"{problem}\n  input: {data[:3000]!r}"))
            if len(tally.violations) >= 20:
                break
    return tally


def sender(port, seed, numbers, base, pipe):
    """One process: several threads, because most of the time is waiting."""
    parts = [None] * THREADS

    def run(place):
        parts[place] = send_some(port, seed, numbers[place::THREADS], f"127.0.0.{base + place}")

    threads = [threading.Thread(target=run, args=(place,)) for place in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    total = Tally()
    for part in parts:
        if part is None:
            total.violations.append((-1, "a sender ended in an exception"))
        else:
            total.add(part)
    pipe.send(total)


def send_all(port, seed, numbers):
    total, running = Tally(), []
    for place in range(PROCESSES):
        pipe, other = multiprocessing.Pipe(duplex=False)
        mine = numbers[place::PROCESSES]
        process = multiprocessing.Process(target=sender, args=(port, seed, mine, 2 + place * THREADS, other), daemon=True)
        process.start()
        other.close()
        running.append((process, pipe))
    for process, pipe in running:
        try:
            total.add(pipe.recv())
        except EOFError:
            total.violations.append((-1, "a sender died"))
        process.join()
    return total


class Bench:
    """A gateway before the recording provider."""

    def __init__(self):
        self.upstream = Upstream(UPSTREAM_KEY)
        self.gateway = support.Tollgate(CONFIG, RECORDER=self.upstream.port, UPSTREAM_KEY=UPSTREAM_KEY, KEY=KEY)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.gateway.__exit__(*unused)
        self.upstream.stop()

    def descriptors(self):
        """Of the gateway, without those of connections to the provider."""
        _, connections, _ = self.upstream.report()
        return len(list(pathlib.Path(f"/proc/{self.gateway.pid}/fd").iterdir())) - connections

    def is_healthy(self):
        return exchange(self.gateway.api_port, VALID[0], "127.0.0.1").startswith(b"HTTP/1.1 200 ")

    def at_rest(self):
        """Descriptors once they stay the same."""
        readings = []

        def same():
            readings.append(self.descriptors())
            time.sleep(0.02)
            return len(readings) >= 5 and len(set(readings[-5:])) == 1

        poll(same, "the gateway's descriptors stay the same")
        return readings[-1]

    def settled(self, wanted):
        """Descriptors after the last client has left; polled, because its end is noticed a moment later."""
        try:
            poll(lambda: self.descriptors() <= wanted, "the gateway's descriptors go back", timeout=20)
        except AssertionError:
            pass
        return self.descriptors()


def run(count, seed, *, only=None):
    """Returns the tally and its figures; violations are in the tally."""
    with Bench() as bench:
        for number in range(20):  # pools and logs have what they need from here on
            exchange(bench.gateway.api_port, VALID[number % len(VALID)], "127.0.0.1")
        before = bench.at_rest()
        memory = bench.gateway.resident_octets()
        already = bench.upstream.report()[0]
        bench.upstream.unanswered(())
        begun = time.monotonic()
        tally = send_all(bench.gateway.api_port, seed, [only] if only is not None else range(count))
        seconds = time.monotonic() - begun
        after = bench.settled(before)
        messages, _, violations = bench.upstream.report()
        messages -= already
        tally.violations += [(-1, f"upstream: {violation}") for violation in violations]
        serials = set(tally.serials)
        if len(serials) != len(tally.serials):
            tally.violations.append((-1, "one upstream message answered two requests"))
        if messages != len(serials):
            tally.violations.append((-1, f"{messages} upstream messages for {len(serials)} answers, also "
                                         f"{bench.upstream.unanswered(serials)}"))
        if after > before:
            tally.violations.append((-1, f"{after} descriptors, {before} before"))
        if not bench.is_healthy():
            tally.violations.append((-1, "the gateway does not answer a plain request any more"))
        figures = {
            "seed": seed, "inputs": tally.inputs, "seconds": round(seconds, 1), "octets": tally.octets, "answers": tally.answers,
            "upstream_messages": messages, "statuses": dict(sorted(tally.statuses.items())), "violations": len(tally.violations),
            "descriptors": [before, after], "resident_mib": [memory >> 20, bench.gateway.resident_octets() >> 20],
        }
        bench.gateway.check_series()
        if (code := bench.gateway.stop()) != 0:
            tally.violations.append((-1, f"the gateway ended with {code}: {bench.gateway.log[-3000:]}"))
    return tally, figures
