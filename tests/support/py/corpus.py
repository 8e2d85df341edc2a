"""Reads tests/corpus: messages as they go over the wire, and what must become of them (tests/corpus/README.md)."""

import dataclasses
import pathlib
import re

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "corpus"
OCTET_LIMIT = 64 * 1024  # octets sent one by one; the rest of a larger case follows in one write

_ESCAPE = re.compile(rb"\\(x[0-9a-f]{2}|[rnt\\#])")
_PLAIN = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"\\": b"\\"}


@dataclasses.dataclass
class Case:
    name: str  # as the file: "007", "18b"
    keys: dict  # the head; `repeat` is expanded and gone
    octets: bytes

    @property
    def about(self):
        return f"case {self.name} ({self.keys['about']}): {self.octets[:300]!r}"

    @property
    def answers(self):
        """One set of allowed statuses per answer; None stands for any of 2xx."""
        words = [word for word in self.keys["must"].split() if word != "close"]
        return [None if word == "ok" else {int(status) for status in word.split("|")} for word in words]

    @property
    def closes(self):
        return self.keys["must"].endswith("close")

    @property
    def upstream(self):
        return int(self.keys.get("upstream", 0))


def read(folder):
    """All cases of requests, json or responses, in the order of their names."""
    cases = [_read(path) for path in sorted((FOLDER / folder).glob("*.case"))]
    if not cases:
        raise FileNotFoundError(f"no cases in {FOLDER / folder}")
    return cases


def numbers(cases):
    return {int(re.match("[0-9]+", case.name)[0]) for case in cases}


def _read(path):
    head, mark, octets = path.read_bytes().partition(b"\n--\n")
    if not mark:
        raise ValueError(f"{path}: no line of two dashes")
    keys = {}
    for line in head.split(b"\n"):
        key, colon, value = line.partition(b": ")
        if not colon:
            raise ValueError(f"{path}: {line!r} is no `key: value`")
        if key == b"repeat":
            octets = _repeat(octets, value)
        elif (name := key.decode()) in keys:
            raise ValueError(f"{path}: {name} twice")
        else:
            keys[name] = value.decode()
    if keys.get("case", "").lstrip("0") != path.stem.lstrip("0"):
        raise ValueError(f"{path} calls itself case {keys.get('case')}")
    return Case(path.stem, keys, octets)


def _repeat(octets, directive):
    mark, count, text = directive.split(b" ", 2)
    if b"\\#" in text:
        filled = b"".join(_plain(text, index) for index in range(int(count)))
    else:
        filled = _plain(text, 0) * int(count)
    return octets.replace(mark, filled)


def _plain(text, index):
    def one(match):
        word = match[1]
        if word == b"#":
            return b"%d" % index
        return bytes([int(word[1:], 16)]) if word.startswith(b"x") else _PLAIN[word]

    return _ESCAPE.sub(one, text)


def in_one_write(octets):
    return [octets]


def after_each_crlf(octets):
    return re.findall(rb".*?\r\n|.+", octets, re.DOTALL)


def octet_by_octet(octets):
    pieces = [octets[at : at + 1] for at in range(min(len(octets), OCTET_LIMIT))]
    return pieces + [octets[OCTET_LIMIT:]] if len(octets) > OCTET_LIMIT else pieces


SEGMENTATIONS = {"one write": in_one_write, "after each CRLF": after_each_crlf, "octet by octet": octet_by_octet}
