"""What a load script says at its end: one JSON line, and 0, 1 for a broken promise or 2 where the load it speaks of was
not there, or not alone on the machine."""

import json
import os
import pathlib
import resource
import time

ENOUGH = 0.95  # of the offered rate


def verdict(broken, rates, doubts=()):
    """`rates` are (what, offered, reached) in requests a second, `doubts` are figures that something else may have
    missed. A broken promise is one under any load; what holds under less load than was meant says nothing."""
    if broken:
        return "fail", list(broken)
    missed = [f"{what}: {reached:.0f} of {offered:.0f} a second" for what, offered, reached in rates if reached < ENOUGH * offered]
    missed += doubts
    return ("not_run", missed) if missed else ("pass", [])


def tell(test, broken, rates, figures, doubts=()):
    """Prints the line; returns the exit code."""
    word, why = verdict(broken, rates, doubts)
    print(json.dumps({"test": test, "verdict": word, "why": why, **figures}), flush=True)
    return {"pass": 0, "fail": 1, "not_run": 2}[word]


class Neighbours:
    """CPU that processes of others took, in cores, from here to taken(). `ours`: processes of the test that live on; those
    that it started and that have ended are counted by themselves."""

    def __init__(self, ours):
        self.ours = ours
        self.begun = self._reading()

    def taken(self):
        wall, busy, own = (now - then for now, then in zip(self._reading(), self.begun))
        return round(max(0.0, busy - own) / wall, 2)

    def _reading(self):
        user, nice, system, _, _, irq, soft, *_ = map(int, pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:])
        busy = (user + nice + system + irq + soft) / os.sysconf("SC_CLK_TCK")
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        own = sum(one.ru_utime + one.ru_stime for one in used) + sum(process.cpu_ns() for process in self.ours) / 1e9
        return time.monotonic(), busy, own
