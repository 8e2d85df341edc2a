"""What a load script says at its end: one JSON line, and 0, 1 for a broken promise or 2 where the load it speaks of was
not there."""

import json

ENOUGH = 0.95  # of the offered rate


def verdict(broken, rates):
    """`rates` are (what, offered, reached) in requests a second. A broken promise is one under any load; what holds
    under less load than was meant says nothing."""
    if broken:
        return "fail", list(broken)
    missed = [f"{what}: {reached:.0f} of {offered:.0f} a second" for what, offered, reached in rates if reached < ENOUGH * offered]
    return ("not_run", missed) if missed else ("pass", [])


def tell(test, broken, rates, figures):
    """Prints the line; returns the exit code."""
    word, why = verdict(broken, rates)
    print(json.dumps({"test": test, "verdict": word, "why": why, **figures}), flush=True)
    return {"pass": 0, "fail": 1, "not_run": 2}[word]
