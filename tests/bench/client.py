"""A client on one kept-alive socket that adds little time of its own to what it measures."""

import re
import socket
import time

from processes import BenchError
from subjects import CLIENT_KEY

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding: *chunked\r\n", re.IGNORECASE)
_CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.IGNORECASE)
_LAST_CHUNK = b"\r\n0\r\n\r\n"


def request_octets(port, body):
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {CLIENT_KEY}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Client:
    """Connects again where a server announced that it closes: some do after so many requests."""

    def __init__(self, port, timeout=10.0):
        self.port, self.timeout = port, timeout
        self._connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def _connect(self):
        self.socket = socket.create_connection(("127.0.0.1", self.port), timeout=self.timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.closing = False

    def close(self):
        self.socket.close()

    def send(self, body):
        if self.closing:
            self.close()
            self._connect()
        self.socket.sendall(request_octets(self.port, body))

    def receive(self):
        """The next octets and the moment they were here, in ns of CLOCK_MONOTONIC."""
        octets = self.socket.recv(65536)
        now = time.monotonic_ns()
        if not octets:
            raise BenchError(f"the server at port {self.port} closed the connection inside an answer")
        return octets, now

    def exchange(self, body):
        """(head, body without chunk framing, octets of the whole answer) of one request."""
        self.send(body)
        answer = b""
        while True:
            answer += self.receive()[0]
            head, blank, rest = answer.partition(b"\r\n\r\n")
            if not blank:
                continue
            head += b"\r\n"
            self.closing = bool(_CLOSE.search(head))
            length = _LENGTH.search(head)
            if length and len(rest) >= int(length.group(1)):
                return head, rest, len(answer)
            if _CHUNKED.search(head) and answer.endswith(_LAST_CHUNK):
                return head, dechunk(rest), len(answer)

    def stream(self, body):
        """Sends the request, then yields (octets, arrival) until the last chunk is here."""
        self.send(body)
        octets, now = self.receive()
        if not octets.startswith(b"HTTP/1.1 200 "):
            raise BenchError(f"the server at port {self.port} answered: {octets.decode(errors='replace')}")
        self.closing = bool(_CLOSE.search(octets))
        yield octets, now
        tail = octets[-16:]
        while not tail.endswith(_LAST_CHUNK):
            octets, now = self.receive()
            tail = (tail + octets)[-16:]
            yield octets, now


def dechunk(octets):
    body = b""
    while octets:
        size, _, octets = octets.partition(b"\r\n")
        count = int(size.split(b";")[0], 16)
        body += octets[:count]
        octets = octets[count + 2 :]
    return body
