"""The tables on stdout."""

from latency import LIMITS_MS


def _verdict(met):
    return "" if met is None else "met" if met else "MISSED"


def print_workload(summary, seconds):
    used, run = summary["rounds_used"], summary["rounds_run"]
    state = ", too noisy: not to be quoted" if summary["noisy"] else ""
    print(f"\n{summary['title']}, {summary['connections']} connections: {used} of {run} rounds of {seconds} s{state}")
    if not summary["subjects"]:
        print("  no round was free of errors")
        return
    unit = summary["unit"]
    print(f"  {'':16}{'CPU us/' + unit:>16}{'min .. max':>18}{unit + 's/s':>13}{'mock us/' + unit:>18}")
    for name, row in summary["subjects"].items():
        cpu = row["cpu_us"]
        mock = f"{row['mock_us']:.2f}" if row["mock_us"] >= 0.01 else "-"
        spread = f"{cpu['min']:.1f} .. {cpu['max']:.1f}"
        print(f"  {name:16}{cpu['median']:16.2f}{spread:>18}{row['per_second']:13,.0f}{mock:>18}")
    first = next(iter(summary["subjects"]))
    for peer, ratio in summary["ratios"].items():
        verdict = "not judged" if summary["noisy"] else _verdict(ratio["met"])
        target = "" if ratio["target"] is None else f"  target <= {ratio['target']:.2f} {verdict}"
        spread = f"({ratio['min']:.2f} .. {ratio['max']:.2f})"
        print(f"  {first} / {peer}: {ratio['median']:.3f} {spread}{target}")


def _print_first_event(subjects):
    print("\nforwarding of stream events, us from the provider's write to the client's read")
    print(f"  {'':16}{'first p50':>10}{'p99':>9}{'max':>9}{'added p50':>11}{'p99':>9}", end="")
    print(f"{'every p50':>12}{'p99':>9}{'max':>9}{'added p50':>11}{'p99':>9}")
    for name, row in subjects.items():
        print(f"  {name:16}", end="")
        for kind, width in (("first", 10), ("every", 12)):
            own = row[kind]
            print(f"{own['p50_us']:{width}.0f}{own['p99_us']:9.0f}{own['max_us']:9.0f}", end="")
            print(f"{own['added_p50_us']:11.0f}{own['added_p99_us']:9.0f}", end="")
        print()


def _print_client_gone(subjects):
    print("\nclient closes mid-stream: ms until the provider sees its connection closed")
    print(f"  {'':16}{'stream':>10}{'times':>7}{'p50':>9}{'max':>9}")
    for name, kinds in subjects.items():
        for kind, row in kinds.items():
            print(f"  {name:16}{kind:>10}{row['count']:7}{row['p50_us'] / 1e3:9.2f}{row['max_us'] / 1e3:9.2f}")


def _judged(name, tollgate):
    """(what is held against the target, ms)"""
    if name == "first-event":
        return "first event: p99 adds", tollgate["first"]["added_p99_us"] / 1e3
    return "client gone: max", max(row["max_us"] for row in tollgate.values()) / 1e3


def print_latency(name, measured):
    printer = _print_first_event if name == "first-event" else _print_client_gone
    printer(measured["subjects"])
    if "tollgate" in measured["subjects"]:
        what, value = _judged(name, measured["subjects"]["tollgate"])
        met = value <= LIMITS_MS[name]
        verdict = "not judged" if measured["noisy"] and not met else _verdict(met)
        print(f"  tollgate, {what} {value:.2f} ms  target <= {LIMITS_MS[name]:.0f} ms {verdict}")
    if measured["noisy"]:
        print(f"  other programs used {measured['others']:.0%} of the machine: p99 and max are theirs too")


def print_instructions(report):
    print("\nuser instructions per request, 1 connection (callgrind, difference of 1200 and 200 requests)")
    for workload, row in report.items():
        for name, count in row.items():
            print(f"  {workload:8}{name:16}{count:12,.0f}")


def print_syscalls(report):
    print("\nsystem calls per request, 1 connection (strace)")
    for workload, row in report.items():
        for name, counted in row.items():
            calls = ", ".join(f"{call} {n:.2f}" for call, n in counted["calls"].items())
            print(f"  {workload:8}{name:16}{counted['total']:7.2f}  {calls}")


def missed(results):
    """What missed its target, in words."""
    misses = []
    for summary in results["workloads"]:
        misses += [
            f"{summary['workload']}: {ratio['median']:.3f} x {peer}, target {ratio['target']}"
            for peer, ratio in summary["ratios"].items()
            if ratio["met"] is False and not summary["noisy"]
        ]
    for name, measured in results["latencies"].items():
        if "tollgate" not in measured["subjects"] or measured["noisy"]:
            continue
        what, value = _judged(name, measured["subjects"]["tollgate"])
        if value > LIMITS_MS[name]:
            misses.append(f"{what} {value:.2f} ms, target {LIMITS_MS[name]:.0f} ms")
    return misses
