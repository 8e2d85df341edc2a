"""The recording provider of the mutation test: reads every message strictly, counts it, and says in its answer what it
read, so that whoever sent it can compare."""

import asyncio
import hashlib
import json
import multiprocessing
import socket

import strict_http

FIELDS = {b"host", b"authorization", b"accept", b"accept-encoding", b"user-agent", b"via", b"content-type", b"content-length",
          b"openai-beta"}


def unique_members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key twice in one object")
    return members


def read_json(body):
    return json.loads(body.decode("utf-8"), object_pairs_hook=unique_members,
                      parse_constant=lambda word: (_ for _ in ()).throw(ValueError(word)))


def meaning(body):
    """A digest of a JSON body without its model; of any other body as it is."""
    try:
        value = read_json(body)
        value.pop("model", None)
        body = json.dumps(value, sort_keys=True).encode()
    except (ValueError, AttributeError):
        pass
    return hashlib.sha256(body).hexdigest()


class Record:
    def __init__(self, authority, key):
        self.authority, self.key = authority.encode(), key.encode()
        self.messages = 0
        self.received = {}  # serial -> how the message began
        self.open = 0
        self.violations = []


class Peer(asyncio.Protocol):
    def __init__(self, record):
        self.record = record
        self.received = b""

    def connection_made(self, transport):
        self.transport = transport
        self.record.open += 1

    def connection_lost(self, error):
        self.record.open -= 1
        if self.received:
            self.violation("the connection ended inside a message")

    def violation(self, what):
        self.record.violations.append(f"{what}: {self.received[:2000]!r}")

    def data_received(self, data):
        self.received += data
        try:
            message = strict_http.take_request(self.received)
        except strict_http.Incomplete:
            return
        except strict_http.Malformed as error:
            self.violation(f"malformed: {error}")
            self.received = b""
            self.transport.abort()
            return
        self.check(message)
        self.record.messages += 1
        self.record.received[self.record.messages] = self.received[:1500]
        self.transport.write(self.answer(message))
        self.received = b""

    def check(self, message):
        if message.end != len(self.received):
            self.violation("octets behind the message")
        names = [name for name, _ in message.fields]
        if len(set(names)) != len(names) or not set(names) <= FIELDS:
            self.violation(f"fields {names}")
        if message.values(b"host") != [self.record.authority]:
            self.violation("another Host")
        if message.values(b"authorization") != [b"Bearer " + self.record.key]:
            self.violation("another Authorization")
        if message.start[2] != 1 or not message.start[1].startswith("/base/"):
            self.violation("another request line")
        if self.received.startswith(b"\r\n"):
            self.violation("an empty line first")
        if message.body and message.values(b"content-type") == [b"application/json"]:
            try:
                read_json(message.body)
            except ValueError as error:
                self.violation(f"a body that is not JSON ({error})")

    def answer(self, message):
        try:
            value = read_json(message.body)
        except ValueError:
            value = {}
        seen = {"serial": self.record.messages, "meaning": meaning(message.body), "size": len(message.body),
                "method": message.start[0], "target": message.start[1], "model": value.get("model")}
        stream = value.get("stream") is True
        choice = {"index": 0, "message": {"role": "assistant", "content": "ok"}, "finish_reason": "stop"}
        if stream:
            choice = {"index": 0, "delta": {"content": "ok"}, "finish_reason": "stop"}
        body = {"seen": seen, "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
        text = json.dumps(body).encode()
        kind = b"application/json"
        if stream:
            text, kind = b"data: " + text + b"\n\ndata: [DONE]\n\n", b"text/event-stream"
        return b"HTTP/1.1 200 OK\r\nContent-Type: " + kind + b"\r\nContent-Length: %d\r\n\r\n" % len(text) + text


def serve(listener, pipe, key):
    record = Record("127.0.0.1:%d" % listener.getsockname()[1], key)

    async def run():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: Peer(record), sock=listener)
        done = loop.create_future()

        def asked():
            try:
                question = pipe.recv()
            except EOFError:
                question = "stop"
            if question == "stop":
                done.set_result(None)
            elif isinstance(question, set):
                pipe.send([octets for serial, octets in record.received.items() if serial not in question][:5])
                record.received.clear()
            else:
                pipe.send((record.messages, record.open, record.violations))

        loop.add_reader(pipe.fileno(), asked)
        await done
        server.close()

    asyncio.run(run())


class Upstream:
    """The provider as a process of its own; `report()` gives messages, open connections and violations so far."""

    def __init__(self, key):
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listener.getsockname()[1]
        self.pipe, other = multiprocessing.Pipe()
        self.process = multiprocessing.Process(target=serve, args=(listener, other, key), daemon=True)
        self.process.start()
        listener.close()
        other.close()

    def unanswered(self, serials):
        """How the messages began that none of these serials stands for; a few of them. Forgets all of them."""
        return self.ask(set(serials))

    def report(self):
        return self.ask("report")

    def ask(self, question):
        self.pipe.send(question)
        if not self.pipe.poll(30):
            raise TimeoutError("the recording provider does not answer")
        return self.pipe.recv()

    def stop(self):
        self.pipe.send("stop")
        self.process.join(10)
        if self.process.is_alive():
            self.process.kill()
