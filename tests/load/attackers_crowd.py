"""A crowd of slow attackers on raw sockets, and legitimate load beside it (reliability T8). One process and one epoll
loop for the crowd, one process for the load, so that neither measures the other. Standard library only."""

import dataclasses
import json
import multiprocessing
import pathlib
import random
import select
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support" / "py"))

import tollgate_test as support  # noqa: E402: found by the line above

SOURCES = [f"127.0.0.{number}" for number in range(2, 10)]
CHAT = "/v1/chat/completions"
FLOOD = "mock-tokens-100000:hang-after-2000"  # some 400 KB at once: more than anybody holds for a reader who does not read
ARRIVALS = 600  # a second, so that opening them is not what is measured
BATCH = 100  # connections opened between two looks at the others: below the listen backlog


@dataclasses.dataclass
class Numbers:
    """What one kind of attacker did and how it ended."""

    count: int = 0
    ended: int = 0
    longest: float = 0.0  # seconds from the connection to its end
    statuses: dict = dataclasses.field(default_factory=dict)


class Attacker:
    """One hostile connection. `opening` is sent once, `drip` again and again."""

    kind = ""
    opening = b""
    drip = b""
    reads = True

    def __init__(self, port, source):
        self.socket = socket.socket()
        if not self.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.bind((source, 0))
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.opened = time.monotonic()
        self.answer = b""
        self.socket.send(self.opening)

    def trickle(self):
        if not self.drip:
            return
        try:
            self.socket.send(self.drip)
        except OSError:
            pass  # its end is seen by the loop

    def over(self):
        """Whether the gateway has ended it, as far as the event tells."""
        try:
            while octets := self.socket.recv(4096):
                self.answer += octets
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def outcome(self):
        return self.answer[9:12].decode("latin-1") if self.answer else "none"


class Slowloris(Attacker):
    kind = "slowloris"
    opening = b"GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Drip: "
    drip = b"x"


def body_request(key, length, body=b""):
    return (
        f"POST {CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    ).encode() + body


class Rudy(Attacker):
    """Announces ten megabytes and sends one octet at a time."""

    kind = "rudy"
    drip = b" "

    def __init__(self, port, source, key):
        self.opening = body_request(key, 10_000_000)
        super().__init__(port, source)


class ZeroWindow(Attacker):
    """Asks for an endless stream and never reads: ends by the gateway's reset."""

    kind = "zero_window"
    reads = False

    def __init__(self, port, source, key):
        body = json.dumps({"model": FLOOD, "messages": [{"role": "user", "content": "x"}], "stream": True}).encode()
        self.opening = body_request(key, len(body), body)
        super().__init__(port, source)

    def over(self):
        return True  # only an error or the end wakes it

    def outcome(self):
        return "reset"


class Crowd:
    """`counts` attackers of each kind at a time; who is ended within the first `sustain` seconds comes back."""

    def __init__(self, port, key, counts, drip_every, sustain=0.0):
        self.drip_every, self.sustain = drip_every, sustain
        self.makers = {
            "slowloris": lambda source: Slowloris(port, source),
            "rudy": lambda source: Rudy(port, source, key),
            "zero_window": lambda source: ZeroWindow(port, source, key),
        }
        self.waiting = [kind for kind, count in counts.items() for _ in range(count)]
        random.Random(1).shuffle(self.waiting)
        self.numbers = {kind: Numbers() for kind in counts}
        self.opened = 0
        self.alive = {}  # descriptor -> attacker
        self.poll = select.epoll()

    def run(self, patience):
        deadline = time.monotonic() + patience
        self.begun = time.monotonic()
        self.until = time.monotonic() + self.sustain
        drip_due = time.monotonic() + self.drip_every
        while (self.waiting or self.alive) and time.monotonic() < deadline:
            self.open_some()
            for descriptor, events in self.poll.poll(0.01):
                attacker = self.alive[descriptor]
                if events & (select.EPOLLERR | select.EPOLLHUP) or attacker.over():
                    attacker.over()
                    self.bury(descriptor)
            if time.monotonic() >= drip_due:
                drip_due += self.drip_every
                for attacker in self.alive.values():
                    attacker.trickle()
        for attacker in self.alive.values():
            attacker.socket.close()
        return {kind: dataclasses.asdict(numbers) for kind, numbers in self.numbers.items()}

    def open_some(self):
        due = int((time.monotonic() - self.begun) * ARRIVALS) - self.opened
        for kind in [self.waiting.pop() for _ in range(min(BATCH, due, len(self.waiting)))]:
            attacker = self.makers[kind](SOURCES[self.opened % len(SOURCES)])
            self.opened += 1
            self.numbers[kind].count += 1
            self.alive[attacker.socket.fileno()] = attacker
            self.poll.register(attacker.socket, (select.EPOLLIN if attacker.reads else 0) | select.EPOLLRDHUP)

    def bury(self, descriptor):
        attacker = self.alive.pop(descriptor)
        numbers = self.numbers[attacker.kind]
        numbers.ended += 1
        numbers.longest = max(numbers.longest, time.monotonic() - attacker.opened)
        outcome = attacker.outcome()
        numbers.statuses[outcome] = numbers.statuses.get(outcome, 0) + 1
        self.poll.unregister(descriptor)
        attacker.socket.close()
        if time.monotonic() < self.until:
            self.waiting.append(attacker.kind)


class Load:
    """Requests at fixed times, whatever the answers do: half JSON, half streams. A latency runs from the moment the
    request was due, so that waiting for a free connection counts."""

    THREADS = 12

    def __init__(self, port, key, rate, seconds):
        self.port, self.key, self.rate = port, key, rate
        self.total = int(rate * seconds)
        self.lock = threading.Lock()
        self.next = 0
        self.latencies = []
        self.failures = {}

    def run(self):
        self.begun = time.monotonic() + 0.1
        threads = [threading.Thread(target=self.work) for _ in range(self.THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        per_second = round(self.total / (time.monotonic() - self.begun), 1)
        ordered = sorted(self.latencies)
        at = lambda part: round(ordered[min(len(ordered) - 1, int(len(ordered) * part))] * 1000, 3)  # noqa: E731
        return {"sent": self.total, "good": len(ordered), "failures": self.failures, "per_second": per_second,
                "p50_ms": at(0.5), "p99_ms": at(0.99)}

    def work(self):
        connection = None
        while True:
            with self.lock:
                number, self.next = self.next, self.next + 1
            if number >= self.total:
                break
            due = self.begun + number / self.rate
            time.sleep(max(0.0, due - time.monotonic()))
            try:
                connection = connection or support.Connection("127.0.0.1", self.port, timeout=30)
                closes = self.ask(connection, stream=number % 2 == 1)
                with self.lock:
                    self.latencies.append(time.monotonic() - due)
            except (OSError, ValueError, support.ProtocolError) as failure:
                closes = True
                with self.lock:
                    self.failures[repr(failure)[:200]] = self.failures.get(repr(failure)[:200], 0) + 1
            if closes and connection is not None:
                connection.close()
                connection = None
        if connection is not None:
            connection.close()

    def ask(self, connection, stream):
        """One request, checked; returns whether the connection ends."""
        body = {"model": "mock-tokens-8", "messages": [{"role": "user", "content": "Hello"}], "stream": stream}
        connection.request("POST", CHAT, {"authorization": f"Bearer {self.key}"}, body)
        response = connection.read_response()
        if response.status != 200:
            raise ValueError(f"{response.status} {response.body[:120]!r}")
        whole = response.body.endswith(b"data: [DONE]\n\n") if stream else response.json()["choices"][0]["message"]
        if not whole:
            raise ValueError(f"an answer that is not whole: {response.body[-120:]!r}")
        return response.header("connection") == "close"


class Apart:
    """Runs `make().run(*arguments)` in a process of its own; result() waits for what it returns."""

    def __init__(self, make, *arguments):
        context = multiprocessing.get_context("fork")
        self.receiver, sender = context.Pipe(duplex=False)
        self.child = context.Process(target=self.main, args=(sender, make, arguments))
        self.child.start()
        sender.close()

    @staticmethod
    def main(sender, make, arguments):
        sender.send(make().run(*arguments))
        sender.close()

    def result(self, timeout):
        try:
            if not self.receiver.poll(timeout):
                raise TimeoutError(f"no result within {timeout} s")
            return self.receiver.recv()
        finally:
            self.child.kill()
            self.child.join()
