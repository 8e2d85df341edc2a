"""Inputs of the mutation test: input number i of a seed is always the same octets."""

import json
import pathlib
import random
import re
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parents[1] / name) for name in ("integration", "support/py")]

import corpus  # noqa: E402: found by the line above
from common import KEY  # noqa: E402

AUTHORIZATION = f"Authorization: Bearer {KEY}\r\n"


def post(path, body, *, extra="", version="1.1", kind="application/json"):
    head = f"POST {path} HTTP/{version}\r\nHost: gateway\r\n{AUTHORIZATION}Content-Type: {kind}\r\n{extra}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def chunked(path, body, sizes, *, trailer=b""):
    head = f"POST {path} HTTP/1.1\r\nHost: gateway\r\n{AUTHORIZATION}Content-Type: application/json\r\n"
    out, at = [head.encode() + b"Transfer-Encoding: chunked\r\n\r\n"], 0
    for size in sizes:
        piece = body[at : at + size]
        if piece:
            out.append(b"%x\r\n%s\r\n" % (len(piece), piece))
        at += size
    rest = body[at:]
    return b"".join(out) + (b"%x\r\n%s\r\n" % (len(rest), rest) if rest else b"") + b"0\r\n" + trailer + b"\r\n"


def chat(model="gpt-4o-mini", **more):
    return json.dumps({"model": model, "messages": [{"role": "user", "content": "mutate me"}], **more}).encode()


def form(*parts):
    out = []
    for head, value in parts:
        out.append(f'--B0undary\r\nContent-Disposition: form-data; {head}\r\n\r\n{value}\r\n')
    return "".join(out).encode() + b"--B0undary--\r\n"


CHAT = "/v1/chat/completions"
AUDIO = form(('name="model"', "whisper-1"), ('name="file"; filename="a.wav"\r\nContent-Type: audio/wav', "RIFF\r\n-"))

VALID = [
    post(CHAT, chat()),
    post(CHAT, chat(temperature=0.5, n=1, stop=["a"], user="u", unknown={"a": [1, 2.5e3, None, True, "\\u00e9"]})),
    post(CHAT, chat("small")),  # an alias: the model is replaced
    post(CHAT, chat("renamed", metadata={"model": "small"})),
    post(CHAT, chat(stream=True)),
    post(CHAT, chat(stream=True, stream_options={"include_usage": True})),
    chunked(CHAT, chat(), [5, 40]),
    chunked(CHAT, chat("renamed"), [1, 1, 1, 30], trailer=b"X-Trailer: t\r\n"),
    post("/chat/completions", chat()),
    post(CHAT + "?api-version=1&api_key=hidden", chat()),
    post("/v1/embeddings", json.dumps({"model": "text-embedding-3-small", "input": ["a", "b"]}).encode()),
    post("/v1/moderations", json.dumps({"model": "omni-moderation-latest", "input": "x"}).encode()),
    post("/v1/responses", json.dumps({"model": "gpt-4o-mini", "input": "x", "store": False}).encode()),
    post("/v1/audio/transcriptions", AUDIO, kind="multipart/form-data; boundary=B0undary"),
    post(CHAT, chat(), extra="Expect: 100-continue\r\n"),
    post(CHAT, chat(), version="1.0"),
    post(CHAT, chat(), version="1.0", extra="Connection: keep-alive\r\n"),
    post(CHAT, chat(), extra="Connection: close\r\n"),
    f"GET /v1/models HTTP/1.1\r\nHost: gateway\r\n{AUTHORIZATION}\r\n".encode(),
    f"GET http://gateway/v1/models HTTP/1.1\r\nHost: gateway\r\n{AUTHORIZATION}\r\n".encode(),
]
SHORT = 3000  # octets: longer cases are about their length, which a mutation seldom changes
CATALOGUE = [case.octets for case in corpus.read("requests") if len(case.octets) < SHORT]
BODIES = [
    post(case.keys.get("path", CHAT), case.octets, kind=case.keys.get("type", "application/json"))
    for case in corpus.read("json") if len(case.octets) < SHORT
]
SEEDS = (VALID, CATALOGUE, BODIES)

LINES = [line.encode("latin-1") for line in (
    "Transfer-Encoding: chunked", "Transfer-Encoding: identity", "Transfer-Encoding:\tchunked", "transfer-encoding: chunked ",
    "Transfer-Encoding : chunked", "Transfer-Encoding: chunked, chunked", "Transfer-Encoding: \x0bchunked", "Transfer_Encoding: chunked",
    "Content-Length: 0", "Content-Length: 5", "Content-Length: 43", "Content-Length: +5", "Content-Length: 5, 5", "Content-Length: 0x2b",
    "Content-Length : 43", "Content-Length:", "content_length: 43", "Content-Length: 00043", "Connection: close", "Connection: keep-alive",
    "Connection: Content-Length", "Connection: Transfer-Encoding, Host", "Proxy-Connection: keep-alive", "Upgrade: h2c",
    "Expect: 100-continue", "Expect: x", "TE: trailers", "Trailer: Content-Length", "Host: evil", "Host:", "Content-Type: text/plain",
    "Content-Encoding: gzip", "X-Forwarded-For: 127.0.0.1", "OpenAI-Beta: assistants=v2", "X: a\rb", "X: a\x00b", " folded", "\tfolded",
    "X-HTTP-Method-Override: GET", "X-Original-URL: /admin", "Authorization: Bearer other", "x-api-key: other", "Cookie: a=b",
)]
OCTETS = b"\r\n\0\t :;,\"\\{}[]0159afxAZ%/?#@\x0b\x0c\x7f\x80\xff"
PIECES = [b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"\r\n ", b"\0", b" ", b"\t", b"0\r\n\r\n", b"0\r\n", b"1\r\nx\r\n", b";a=b", b"HTTP/1.1",
          b" HTTP/1.1\r\n", b"http://evil", b"%0d%0a", b"%00", b"/../", b"?", b"#", b"\\", b"\"", b",", b"\xef\xbb\xbf", b"\\u0000"]


def mutate_once(rng, data):
    at = rng.randrange(len(data) + 1)
    kind = rng.randrange(14)
    if kind == 0 and data:  # one bit
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]
    if kind == 1 and data:  # one octet
        at = rng.randrange(len(data))
        return data[:at] + bytes([rng.choice(OCTETS)]) + data[at + 1 :]
    if kind == 2:
        return data[:at] + rng.choice(PIECES) + data[at:]
    if kind == 3:
        return data[:at] + data[at + rng.randrange(1, 40) :]
    if kind == 4:
        return data[:at] + data[max(0, at - rng.randrange(1, 120)) :]
    if kind == 5:  # splice of two messages
        other = rng.choice(rng.choice(SEEDS))
        return data[:at] + other[rng.randrange(len(other)) :]
    if kind == 6:
        return data + rng.choice(rng.choice(SEEDS))
    if kind in (7, 8):  # a line more in the head
        lines = data.split(b"\r\n")
        lines.insert(rng.randrange(1, max(2, min(len(lines), 9))), rng.choice(LINES))
        return b"\r\n".join(lines)
    if kind == 9:  # a line of its own again, somewhere else
        lines = data.split(b"\r\n")
        lines.insert(rng.randrange(len(lines)), rng.choice(lines))
        return b"\r\n".join(lines)
    if kind in (10, 11):  # lengths and chunk sizes
        found = list(re.finditer(rb"(?<=Content-Length: )[0-9]+|(?<=\r\n)[0-9A-Fa-f]{1,4}(?=\r\n)", data))
        if not found:
            return data
        number = rng.choice(found)
        old = number[0]
        new = rng.choice([b"0", b"1", old + b"0", b"0" + old, b"0" * 17 + old, b"-" + old, b"+" + old, b" " + old, old + b" ", b"0x" + old,
                          b"%d" % (int(old, 16) + rng.randrange(-3, 4)), b"%x" % max(0, int(old, 16) + rng.randrange(-3, 4)),
                          old + b";x=y", old + b";" + rng.choice(PIECES), b"ffffffffffffffff", b"7fffffffffffffff"])
        return data[: number.start()] + new + data[number.end() :]
    if kind == 12:  # letter case of one line
        lines = data.split(b"\r\n")
        chosen = rng.randrange(len(lines))
        lines[chosen] = lines[chosen].swapcase()
        return b"\r\n".join(lines)
    return data[:at]  # cut off


def input_of(seed, number):
    rng = random.Random(f"{seed}:{number}")
    [seeds] = rng.choices(SEEDS, (6, 3, 2))
    data = rng.choice(seeds)
    while rng.random() < 0.25:
        data += rng.choice(VALID)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5))):
        data = mutate_once(rng, data)
    return data[:65536] or b"\r\n"
