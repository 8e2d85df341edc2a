"""A provider that answers when the test says so, and a crowd of clients that ask it through the gateway."""

import json
import queue
import selectors
import socket
import threading
import time

from tollgate_http import Connection

PATIENCE = 20.0  # seconds


class Call:
    """One request that reached the provider, unanswered."""

    def __init__(self, connection):
        self.connection = connection
        head = connection._take_until(b"\r\n\r\n")
        length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0)
        self.body = connection._take(length)

    def json(self):
        return json.loads(self.body)

    def answer(self, body, status="200 OK", content_type="application/json"):
        head = f"HTTP/1.1 {status}\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n"
        self.connection.send(head.encode() + b"connection: close\r\n\r\n" + body)

    def begin_stream(self):
        self.connection.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n"
            b"connection: close\r\n\r\n"
        )

    def send_event(self, data):
        data = data if isinstance(data, str) else json.dumps(data)
        octets = f"data: {data}\n\n".encode()
        self.connection.send(b"%x\r\n%s\r\n" % (len(octets), octets))
        return octets

    def end_stream(self):
        octets = self.send_event("[DONE]")
        self.connection.send(b"0\r\n\r\n")
        return octets

    def break_off(self):
        self.connection.close()

    def closed_within(self, seconds=PATIENCE):
        """Whether the gateway closes the call."""
        self.connection.socket.settimeout(seconds)
        try:
            return self.connection.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True


class Stage:
    """Listens as a provider; every request it gets waits as a Call for the test. Use as a context manager."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.arrived = queue.Queue()
        self.count = 0
        self.calls = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
        for call in self.calls:
            call.connection.close()

    def _accept(self):
        while True:
            try:
                accepted, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(accepted,), daemon=True).start()

    def _serve(self, accepted):
        connection = Connection.__new__(Connection)
        connection.socket, connection.buffer, connection.arrived_ns, connection.host = accepted, bytearray(), 0, ""
        accepted.settimeout(None)
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            call = Call(connection)
        except Exception:  # noqa: BLE001: a connection that ends without a request is none
            accepted.close()
            return
        self.count += 1
        self.calls.append(call)
        self.arrived.put(call)

    def next(self, timeout=PATIENCE):
        """The next request that has arrived. Every connection serves one."""
        return self.arrived.get(timeout=timeout)

    def nothing_arrived(self):
        return self.arrived.empty()


class Guest:
    """One client of a crowd: what it has received, and when its first octet came."""

    def __init__(self, port, octets):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request = octets
        self.received = bytearray()
        self.first_ns = 0
        self.ended = False

    def read(self):
        try:
            octets = self.socket.recv(256 * 1024)
        except OSError:
            octets = b""
        if octets and not self.first_ns:
            self.first_ns = time.monotonic_ns()
        self.received += octets
        self.ended = not octets

    @property
    def status(self):
        return int(self.received[9:12]) if len(self.received) >= 12 else 0

    @property
    def head(self):
        return bytes(self.received).partition(b"\r\n\r\n")[0].decode("latin-1").lower()

    @property
    def complete(self):
        """The message ended as its framing says."""
        head, _, body = bytes(self.received).partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head.lower():
            return body.endswith(b"0\r\n\r\n")
        lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        return bool(lengths) and len(body) == int(lengths[0].split(b":")[1])

    @property
    def body(self):
        head, _, body = bytes(self.received).partition(b"\r\n\r\n")
        if b"transfer-encoding: chunked" not in head.lower():
            return body
        out = bytearray()
        while body:
            size, _, rest = body.partition(b"\r\n")
            if not size or int(size, 16) == 0:
                break
            out += rest[: int(size, 16)]
            body = rest[int(size, 16) + 2 :]
        return bytes(out)

    def body_json(self):
        return json.loads(self.body)


class Crowd:
    """Many requests at once, each on a connection of its own that ends with its answer."""

    def __init__(self):
        self.guests = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for guest in self.guests:
            guest.socket.close()

    def add(self, port, path, headers, body, count=1):
        """Connects and sends; the guests that came."""
        octets = json.dumps(body).encode()
        lines = [f"POST {path} HTTP/1.1", f"host: 127.0.0.1:{port}", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += ["connection: close", f"content-length: {len(octets)}"]
        request = "\r\n".join(lines).encode() + b"\r\n\r\n" + octets
        new = [Guest(port, request) for _ in range(count)]
        for guest in new:
            guest.socket.sendall(request)
        self.guests += new
        return new

    def read_until(self, condition, guests=None, timeout=PATIENCE):
        """Reads whatever comes until `condition()` holds; fails after `timeout` seconds."""
        waiting = [guest for guest in (self.guests if guests is None else guests) if not guest.ended]
        deadline = time.monotonic() + timeout
        with selectors.DefaultSelector() as selector:
            for guest in waiting:
                selector.register(guest.socket, selectors.EVENT_READ, guest)
            while not condition():
                if time.monotonic() > deadline:
                    raise AssertionError(f"not within {timeout} s; {self.summary()}")
                for key, _ in selector.select(0.05):
                    key.data.read()
                    if key.data.ended:
                        selector.unregister(key.fileobj)

    def finish(self, guests=None, timeout=PATIENCE):
        guests = self.guests if guests is None else guests
        self.read_until(lambda: all(guest.ended for guest in guests), guests, timeout)
        return guests

    def summary(self):
        statuses = {}
        for guest in self.guests:
            statuses[guest.status, guest.ended] = statuses.get((guest.status, guest.ended), 0) + 1
        return f"guests by (status, ended): {statuses}"
