"""Timed windows in alternating order; what is wrong or too noisy is measured again."""

import json
import pathlib
import re
import statistics
import time

from processes import Neighbours, cpu_ns, run_bounded
from subjects import CLIENT_KEY, find_program
from workloads import port_of

_LUA = pathlib.Path(__file__).resolve().parent / "wrk.lua"
MAX_STEAL = 0.02  # of the machine's time
MAX_OTHERS = 0.10  # of the machine's time, used by programs that are not ours
MAX_GAUGE = 1.3  # mock's time per request, over its own median


class Load:
    """Runs wrk against one subject."""

    def __init__(self, folder, core):
        self.folder, self.core, self.seed = pathlib.Path(folder), core, 0
        self.wrk = find_program("wrk")

    def run(self, workload, subject, seconds, connections):
        body = self.folder / f"{workload.name}.body"
        body.write_bytes(workload.body)
        self.seed += 1
        output = run_bounded(
            [self.wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", _LUA]
            + [f"http://127.0.0.1:{port_of(workload, subject)}/v1/chat/completions", "--", body, CLIENT_KEY]
            + ([str(self.seed)] if workload.unique else []),
            core=self.core,
            timeout=seconds + 20,
        )
        return json.loads(re.search(r"^result (\{.*\})$", output, re.MULTILINE).group(1))


def measure(load, workload, subject, mock, answer, seconds, connections):
    """One window as a dict; `problems` says why it does not count."""
    reached, cpu, mock_cpu = mock.requests(), cpu_ns(subject.child.pid), cpu_ns(mock.child.pid)
    neighbours = Neighbours([subject.child.pid, mock.child.pid])
    result = load.run(workload, subject, seconds, connections)
    others, steal = neighbours.shares()
    cpu, mock_cpu = cpu_ns(subject.child.pid) - cpu, cpu_ns(mock.child.pid) - mock_cpu
    reached = mock.requests() - reached
    subject.forget_log()

    # Streams that the end of the window cuts off count by the octets that arrived of them.
    units = result["bytes"] / answer.octets * answer.events if workload.unit == "event" else result["requests"]
    errors = {key: result[key] for key in ("connect", "read", "write", "status", "timeout") if result[key]}
    window = {
        "subject": subject.name,
        "requests": result["requests"],
        "units": units,
        "seconds": result["us"] / 1e6,
        "cpu_us": cpu / 1e3 / units if units else None,
        "mock_us": mock_cpu / 1e3 / units if units else None,
        "steal": steal,
        "others": others,
        "problems": [f"{count} {kind} errors" for kind, count in errors.items()],
    }
    if not units:
        window["problems"].append("no request was completed")
    # wrk counts what it saw completed: what it left in flight has reached the provider too.
    if workload.upstream and reached < result["requests"]:
        window["problems"].append(f"only {reached} of {result['requests']} requests reached the provider")
    if not workload.upstream and reached > 0:
        window["problems"].append(f"{reached} requests reached the provider instead of the cache")
    return window


def _noise(rounds, workload, gauge):
    """Adds to each round what the machine did to it; the reasons are computed anew as the medians move."""
    for one in rounds:
        one["noise"] = []
    if not gauge:
        return
    for window in (window for one in rounds for window in one["windows"]):
        window["noise"] = []
        if window["steal"] > MAX_STEAL:
            window["noise"].append(f"steal {window['steal']:.0%}")
        if window["others"] > MAX_OTHERS:
            window["noise"].append(f"other programs {window['others']:.0%}")
    if workload.upstream:
        for name in {window["subject"] for one in rounds for window in one["windows"]}:
            mine = [w for one in rounds for w in one["windows"] if w["subject"] == name and w["mock_us"]]
            usual = statistics.median(w["mock_us"] for w in mine) if mine else 0
            for window in mine:
                if window["mock_us"] > MAX_GAUGE * usual:
                    window["noise"].append(f"mock {window['mock_us'] / usual:.1f} x its median")
    for one in rounds:
        one["noise"] = [f"{w['subject']}: {reason}" for w in one["windows"] for reason in w["noise"]]


def run_rounds(load, workload, subjects, answers, mock, options, say):
    """At least options.rounds rounds, at most twice as many."""
    connections = workload.connections or options.connections
    rounds = []
    began = time.time()
    while len(rounds) < 2 * options.rounds:
        order = subjects if len(rounds) % 2 == 0 else subjects[::-1]
        windows = []
        for subject in order:
            if options.warmup:
                load.run(workload, subject, options.warmup, connections)
                subject.forget_log()
            windows.append(
                measure(load, workload, subject, mock, answers[subject.name], options.seconds, connections)
            )
        problems = [f"{w['subject']}: {problem}" for w in windows for problem in w["problems"]]
        rounds.append({"windows": windows, "problems": problems})
        _noise(rounds, workload, not options.ignore_noise)
        for problem in problems + rounds[-1]["noise"]:
            say(f"  round {len(rounds)} does not count: {problem}")
        if sum(not one["problems"] and not one["noise"] for one in rounds) >= options.rounds:
            break
    return summarize(workload, subjects, rounds, options.rounds) | {
        "connections": connections,
        "wall_seconds": round(time.time() - began, 1),
    }


def _spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarize(workload, subjects, rounds, wanted):
    """Medians over the rounds that count, and of the ratios within each of them. If too few were quiet: over all
    rounds without errors, and `noisy` is set."""
    quiet = [one for one in rounds if not one["problems"] and not one["noise"]]
    sound = [one for one in rounds if not one["problems"]]
    used = quiet if len(quiet) >= wanted else sound
    summary = {
        "workload": workload.name,
        "title": workload.title,
        "unit": workload.unit,
        "rounds_used": len(used),
        "rounds_run": len(rounds),
        "noisy": bool(used) and used is not quiet,
        "subjects": {},
        "ratios": {},
        "rounds": rounds,
    }
    if not used:
        return summary
    by_round = [{w["subject"]: w for w in one["windows"]} for one in used]
    for subject in subjects:
        mine = [windows[subject.name] for windows in by_round]
        summary["subjects"][subject.name] = {
            "cpu_us": _spread([w["cpu_us"] for w in mine]),
            "per_second": statistics.median(w["units"] / w["seconds"] for w in mine),
            "mock_us": statistics.median(w["mock_us"] for w in mine),
        }
    first = workload.subjects[0]
    for peer in workload.subjects[1:]:
        pairs = [w[first]["cpu_us"] / w[peer]["cpu_us"] for w in by_round if first in w and peer in w]
        if pairs:
            target = workload.targets.get(peer)
            ratio = _spread(pairs)
            met = None if target is None else ratio["median"] <= target
            summary["ratios"][peer] = {**ratio, "target": target, "met": met}
    return summary
