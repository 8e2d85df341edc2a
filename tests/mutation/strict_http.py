"""HTTP/1.1 read strictly, by rules written down here and shared with nobody: the oracle of the mutation test.

Reads what a client sent (which messages could a careful server have seen in these octets?) and what a gateway sent
upstream (is it exactly one message, by everybody's reading?).
"""

import re
from dataclasses import dataclass

TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
REQUEST_LINE = re.compile(rb"(" + TOKEN + rb") ([!-~]+) HTTP/1\.([01])")
STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t -~\x80-\xff]*)")
FIELD = re.compile(rb"(" + TOKEN + rb"):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*")
CHUNK_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t -~]*)?")
DIGITS = re.compile(rb"[0-9]+")


class Malformed(Exception):
    pass


class Incomplete(Exception):
    pass


@dataclass
class Message:
    start: tuple  # (method, target, minor) or (status,)
    fields: list  # of (name in lower case, value)
    body: bytes = b""
    end: int = 0  # offset behind the message

    def values(self, name):
        return [value for found, value in self.fields if found == name]

    def ends_connection(self):
        words = b",".join(self.values(b"connection")).lower().split(b",")
        options = {word.strip(b" \t") for word in words}
        old = len(self.start) == 3 and self.start[2] == 0
        return b"close" in options or (old and b"keep-alive" not in options)


def take_line(octets, at):
    end = octets.find(b"\r\n", at)
    if end < 0:
        if b"\n" in octets[at:]:
            raise Malformed("LF without CR")
        raise Incomplete
    line = octets[at:end]
    if b"\r" in line or b"\n" in line or b"\0" in line:
        raise Malformed("a control octet in a line")
    return line, end + 2


def take_fields(octets, at):
    fields = []
    while True:
        line, at = take_line(octets, at)
        if not line:
            return fields, at
        found = FIELD.fullmatch(line)
        if not found:
            raise Malformed(f"field line {line[:80]!r}")
        fields.append((found[1].lower(), found[2]))


def take_chunks(octets, at):
    body = []
    while True:
        line, at = take_line(octets, at)
        found = CHUNK_LINE.fullmatch(line)
        if not found:
            raise Malformed(f"chunk line {line[:80]!r}")
        size = int(found[1], 16)
        if size == 0:
            _, at = take_fields(octets, at)
            return b"".join(body), at
        if at + size + 2 > len(octets):
            raise Incomplete
        body.append(octets[at : at + size])
        if octets[at + size : at + size + 2] != b"\r\n":
            raise Malformed("a chunk without its CRLF")
        at += size + 2


def take_body(message, octets, at):
    codings, lengths = message.values(b"transfer-encoding"), message.values(b"content-length")
    if len(codings) + len(lengths) > 1:
        raise Malformed("more than one framing")
    if codings:
        if codings[0].lower() != b"chunked":
            raise Malformed("a coding that is not chunked")
        return take_chunks(octets, at)
    if not lengths:
        return b"", at
    if not DIGITS.fullmatch(lengths[0]):
        raise Malformed("a length that is no number")
    size = int(lengths[0])
    if at + size > len(octets):
        raise Incomplete
    return octets[at : at + size], at + size


def take_request(octets, at=0):
    for _ in range(2):
        if octets[at : at + 2] == b"\r\n":
            at += 2
    line, at = take_line(octets, at)
    found = REQUEST_LINE.fullmatch(line)
    if not found:
        raise Malformed(f"request line {line[:80]!r}")
    message = Message((found[1].decode(), found[2].decode(), int(found[3])), [])
    message.fields, at = take_fields(octets, at)
    if len(message.values(b"host")) != 1 and message.start[2] == 1:
        raise Malformed("not exactly one Host")
    if message.start[2] == 0 and message.values(b"transfer-encoding"):
        raise Malformed("chunks in HTTP/1.0")
    message.body, message.end = take_body(message, octets, at)
    return message


def requests_in(octets):
    """All messages that a strict server could read, up to the first octet that is no part of one."""
    found, at = [], 0
    while at < len(octets):
        try:
            found.append(take_request(octets, at))
        except (Malformed, Incomplete):
            break
        at = found[-1].end
        if found[-1].ends_connection():
            break
    return found


def take_answer(octets, at, to_head, to_old=False):
    """`to_old`: HTTP/1.0 asked, so the end of the connection may be the end of the answer."""
    line, at = take_line(octets, at)
    found = STATUS_LINE.fullmatch(line)
    if not found:
        raise Malformed(f"status line {line[:80]!r}")
    message = Message((int(found[1]),), [])
    message.fields, at = take_fields(octets, at)
    status = message.start[0]
    if to_head or status < 200 or status in (204, 304):
        message.end = at
        return message
    if not message.values(b"content-length") and not message.values(b"transfer-encoding"):
        if to_old and message.ends_connection():
            message.body, message.end = octets[at:], len(octets)
            return message
        raise Malformed("an answer without framing")
    message.body, message.end = take_body(message, octets, at)
    return message
