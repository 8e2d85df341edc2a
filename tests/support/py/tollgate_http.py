"""A strict HTTP/1.1 client on raw sockets: sends any octets, reads answers without forgiving anything.

All times are nanoseconds of CLOCK_MONOTONIC, the clock the mock provider stamps its events with.
"""

import dataclasses
import json
import re
import socket
import ssl
import time
import urllib.parse

DEFAULT_TIMEOUT = 10.0  # seconds per read
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2}) [\t\x20-\x7e]*")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*?)[ \t]*")


class ProtocolError(Exception):
    """The peer broke HTTP; the message shows the octets."""


class PeerClosed(ProtocolError):
    """The connection ended inside a message."""


@dataclasses.dataclass
class Response:
    status: int
    version: str
    headers: list  # of (lower-case name, value), in order
    raw_head: bytes
    body: bytes = b""
    interim: list = dataclasses.field(default_factory=list)  # statuses of the 1xx answers before it
    first_octet_ns: int = 0
    last_octet_ns: int = 0

    def header(self, name):
        """Value of the only header of that name, None without one."""
        values = [value for key, value in self.headers if key == name.lower()]
        if len(values) > 1:
            raise ProtocolError(f"header {name} occurs {len(values)} times: {values}")
        return values[0] if values else None

    def json(self):
        return json.loads(self.body)


@dataclasses.dataclass
class SseEvent:
    event: str  # "" without an event line
    data: str
    raw: bytes
    arrived_ns: int

    def json(self):
        return json.loads(self.data)


class Connection:
    """One TCP or TLS connection. Use as a context manager."""

    def __init__(self, host, port, *, tls=None, server_name=None, timeout=DEFAULT_TIMEOUT, source=None):
        self.socket = socket.create_connection((host, port), timeout, (source, 0) if source else None)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_hostname=server_name or host)
        self.host = f"{host}:{port}"
        self.buffer = bytearray()  # received and not yet read
        self.arrived_ns = 0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self.socket.close()

    def half_close(self):
        """FIN alone: what arrives is still read as TLS where TLS is spoken, which SSLSocket.shutdown() would end."""
        socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def send(self, octets):
        self.socket.sendall(octets)

    def request(self, method, target, headers=(), body=None):
        """Sends a well-formed request; `body` is octets, or anything else to be sent as JSON."""
        headers = dict(headers)
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("content-type", "application/json")
        lines = [f"{method} {target} HTTP/1.1", f"host: {self.host}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if body is not None:
            lines.append(f"content-length: {len(body)}")
        self.send("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b""))

    def receive(self):
        """Reads once into the buffer; False at the end of the connection."""
        octets = self.socket.recv(256 * 1024)
        self.arrived_ns = time.monotonic_ns()
        self.buffer += octets
        return bool(octets)

    def _take(self, count):
        while len(self.buffer) < count:
            if not self.receive():
                raise PeerClosed(f"closed with {len(self.buffer)} of {count} octets: {bytes(self.buffer[:200])!r}")
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    def _take_until(self, mark, limit=256 * 1024):
        while (at := self.buffer.find(mark)) < 0:
            if len(self.buffer) > limit:
                raise ProtocolError(f"no {mark!r} in {limit} octets: {bytes(self.buffer[:200])!r}")
            if not self.receive():
                raise PeerClosed(f"closed before {mark!r}: {bytes(self.buffer[:200])!r}")
        return self._take(at + len(mark))

    def read_head(self):
        """The next head, interim ones included in `interim`. Its body has to be read before the next call."""
        interim = []
        while True:
            if not self.buffer and not self.receive():
                raise PeerClosed("closed before any octet of an answer")
            first = self.arrived_ns
            response = _parse_head(self._take_until(b"\r\n\r\n"))
            if response.status >= 200 or response.status == 101:
                response.interim = interim
                response.first_octet_ns = first
                response.last_octet_ns = self.arrived_ns
                return response
            interim.append(response.status)

    def read_response(self, *, method="GET"):
        """The next whole answer. Octets after it stay in `buffer`."""
        response = self.read_head()
        response.body = b"".join(piece for piece in self.body_pieces(response, method=method))
        response.last_octet_ns = self.arrived_ns
        return response

    def body_pieces(self, response, *, method="GET"):
        """The body as it arrives, without its framing."""
        coding, length = response.header("transfer-encoding"), response.header("content-length")
        if coding is not None and length is not None:
            raise ProtocolError(f"both length and transfer coding: {response.raw_head!r}")
        if method == "HEAD" or response.status in (204, 304):
            return
        if coding is not None:
            if coding != "chunked":
                raise ProtocolError(f"transfer-encoding {coding!r}")
            yield from self._chunks()
        elif length is not None:
            if not re.fullmatch(r"[0-9]+", length):
                raise ProtocolError(f"content-length {length!r}")
            yield self._take(int(length))
        else:
            while True:
                if self.buffer:
                    yield self._take(len(self.buffer))
                if not self.receive():
                    return

    def _chunks(self):
        while True:
            line = self._take_until(b"\r\n", limit=64)[:-2]
            if not re.fullmatch(rb"[0-9A-Fa-f]{1,16}", line):
                raise ProtocolError(f"chunk size {line!r}")
            size = int(line, 16)
            chunk = self._take(size)
            if (end := self._take(2)) != b"\r\n":
                raise ProtocolError(f"chunk of {size} ends with {end!r}")
            if size == 0:
                return
            yield chunk

    def sse(self, response):
        """The events of an answer, each with the time its last octet arrived. Comments come as events without data."""
        pending = b""
        for piece in self.body_pieces(response):
            pending += piece
            while (match := re.search(rb"\r\n\r\n|\n\n|\r\r", pending)) is not None:
                raw, pending = pending[: match.end()], pending[match.end() :]
                yield _parse_event(raw, self.arrived_ns)
        if pending:
            raise ProtocolError(f"stream ended inside an event: {pending[:200]!r}")

    def wait_closed(self, timeout=DEFAULT_TIMEOUT):
        """"fin" or "rst" once the peer ends the connection, None if it did not in time; octets go to `buffer`."""
        deadline = time.monotonic() + timeout
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                if not self.receive():
                    return "fin"
        except (TimeoutError, ssl.SSLWantReadError):
            return None
        except ConnectionError:
            return "rst"
        return None


def _parse_head(head):
    lines = head[:-4].split(b"\r\n")
    status = _STATUS_LINE.fullmatch(lines[0])
    if status is None:
        raise ProtocolError(f"status line {lines[0]!r}")
    headers = []
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise ProtocolError(f"header line {line!r}")
        headers.append((field[1].decode().lower(), field[2].decode("latin-1")))
    return Response(int(status[2]), f"1.{status[1].decode()}", headers, head)


def _parse_event(raw, arrived_ns):
    event, data = "", []
    for line in re.split(r"\r\n|\n|\r", raw.decode("utf-8")):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
    return SseEvent(event, "\n".join(data), raw, arrived_ns)


def call(method, url, headers=(), body=None, *, tls=None, timeout=DEFAULT_TIMEOUT):
    """One request on a connection of its own."""
    parts = urllib.parse.urlsplit(url)
    target = parts.path or "/"
    if parts.query:
        target += "?" + parts.query
    with Connection(parts.hostname, parts.port, tls=tls, timeout=timeout) as connection:
        connection.request(method, target, headers, body)
        return connection.read_response(method=method)
