"""Load on one gateway from one thread: open streams, and short requests at a steady rate over kept connections.

The client behaves as a well-made one behind a load balancer: it honours `Connection: close` by reconnecting, and sends
nothing new once it was told that the instance leaves (`leave()`).
"""

import asyncio
import dataclasses
import json
import time

CHAT = "/v1/chat/completions"


@dataclasses.dataclass
class Answer:
    """What one request got. `failure` is empty if it was answered whole."""

    request_id: str = ""
    status: int = 0
    upstream: str = ""  # x-tollgate-upstream
    closes: bool = False  # Connection: close
    done: bool = False  # ended with [DONE]
    error_event: dict = None
    events: int = 0
    ended_at: float = 0.0  # time.monotonic()
    failure: str = ""


class Load:
    def __init__(self, port, key):
        self.port = port
        self.key = key
        self.streams = []
        self.shorts = []
        self.streams_started = 0
        self.left_at = None

    def leave(self):
        """No new request from now on; what runs is read to its end."""
        if self.left_at is None:
            self.left_at = time.monotonic()

    @property
    def failures(self):
        return [answer.failure for answer in self.streams + self.shorts if answer.failure]

    def _octets(self, body):
        text = json.dumps(body).encode()
        head = (
            f"POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
        )
        return head.encode() + text

    async def stream(self, model, prompt, into=None):
        """One stream on a connection of its own, to its end."""
        answer = Answer()
        writer = None
        body = {"model": model, "stream": True, "messages": [{"role": "user", "content": prompt}]}
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(self._octets(body))
            await _read_head(reader, answer)
            if answer.status != 200:
                answer.failure = f"a stream was answered {answer.status}"
            else:
                self.streams_started += 1
                await self._events(reader, answer)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
            answer.failure = f"stream: {error!r}"
        finally:
            answer.ended_at = time.monotonic()
            (self.streams if into is None else into).append(answer)
            if writer is not None:
                writer.close()
        return answer

    async def _events(self, reader, answer):
        """Until the end of the message or of the connection. An error event is no failure of the transport."""
        async for piece in _chunks(reader, answer):
            for line in piece.split(b"\n"):
                if not line.startswith(b"data: "):
                    continue
                answer.events += 1
                if line == b"data: [DONE]":
                    answer.done = True
                elif line.startswith(b'data: {"error"'):
                    answer.error_event = json.loads(line[6:])["error"]
        if not answer.done and answer.error_event is None:
            answer.failure = answer.failure or "a stream ended without [DONE] and without an error event"

    async def endless_streams(self, model, prompt):
        """One stream after the other until leave()."""
        number = 0
        while self.left_at is None:
            await self.stream(model, f"{prompt} {number}")
            number += 1

    async def short_requests(self, model, prompt, period):
        """One request every `period` seconds over one connection, a new one where the old one closes, until leave()."""
        reader = writer = None
        due = time.monotonic()
        number = 0
        try:
            while self.left_at is None:
                due = max(due + period, time.monotonic())
                answer = Answer()
                number += 1
                body = {"model": model, "messages": [{"role": "user", "content": f"{prompt} {number}"}]}
                try:
                    if writer is None:
                        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.write(self._octets(body))
                    await _read_head(reader, answer)
                    await _read_body(reader, answer)
                    if answer.status != 200:
                        answer.failure = f"a short request was answered {answer.status}"
                except (OSError, asyncio.IncompleteReadError, ValueError) as error:
                    answer.failure = f"short request {number} of {prompt}: {error!r}"
                answer.ended_at = time.monotonic()
                self.shorts.append(answer)
                if (answer.closes or answer.failure) and writer is not None:
                    writer.close()
                    writer = None
                await asyncio.sleep(max(0.0, due - time.monotonic()))
        finally:
            if writer is not None:
                writer.close()


async def _read_head(reader, answer):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    answer.status = int(lines[0].split(" ")[1])
    answer.headers = {}
    for line in lines[1:-2]:
        name, _, value = line.partition(": ")
        answer.headers[name.lower()] = value
    answer.request_id = answer.headers.get("x-request-id", "")
    answer.upstream = answer.headers.get("x-tollgate-upstream", "")
    answer.closes = answer.headers.get("connection") == "close"


async def _read_body(reader, answer):
    if "content-length" in answer.headers:
        return await reader.readexactly(int(answer.headers["content-length"]))
    return b"".join([piece async for piece in _chunks(reader, answer)])


async def _chunks(reader, answer):
    """Without the end of the message, an error event must have said why; anything else is a failure."""
    while True:
        line = await reader.readline()
        if not line.endswith(b"\r\n"):
            if answer.error_event is None:
                answer.failure = "the connection closed inside a message"
            return
        size = int(line, 16)
        piece = await reader.readexactly(size + 2)
        if size == 0:
            return
        yield piece[:-2]


async def until(condition, what, timeout=30.0):
    """Polls without blocking the load."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        await asyncio.sleep(0.01)


async def readiness(port):
    """Status of /readyz."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"GET /readyz HTTP/1.1\r\nhost: gateway\r\nconnection: close\r\n\r\n")
        return int((await reader.readline()).split(b" ")[1])
    finally:
        writer.close()
