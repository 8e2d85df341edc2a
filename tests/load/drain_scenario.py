"""SIGTERM under load (T10, F75, F76): what a drain promises, measured from outside."""

import asyncio
import dataclasses
import json
import signal
import time

from load_client import Load, readiness, until


@dataclasses.dataclass
class Drained:
    load: Load
    exit_code: int
    signalled_at: float
    unready_at: float
    ended_at: float
    late: list  # short answers that began after readiness was off


async def drain(gateway, key, *, streams, stream_model, short_model, rate, delay, second_signal_after=None):
    """Opens the streams, keeps `rate` short requests a second going, sends SIGTERM once all streams run, and stops
    sending half-way through `drain.delay`, as clients of a load balancer that watches readiness do."""
    load = Load(gateway.api_port, key)
    workers = 20
    shorts = [asyncio.create_task(load.short_requests(short_model, f"short {i}", workers / rate)) for i in range(workers)]
    open_streams = []
    for index in range(streams):
        open_streams.append(asyncio.create_task(load.stream(stream_model, f"stream {index}")))
        if index % 25 == 24:
            await asyncio.sleep(0)  # the short requests go on meanwhile
    await until(lambda: load.streams_started + len(load.streams) >= streams, "all streams running", 60)
    await until(lambda: len(load.shorts) >= workers, "short requests")
    signalled_at = time.monotonic()
    gateway.signal(signal.SIGTERM)
    while await readiness(gateway.metrics_port) != 503:
        await asyncio.sleep(0.005)
    unready_at = time.monotonic()
    while time.monotonic() < unready_at + delay / 2:
        await asyncio.sleep(0.01)
    load.leave()
    await asyncio.gather(*shorts)
    if second_signal_after is not None:
        await asyncio.sleep(second_signal_after)
        gateway.signal(signal.SIGTERM)
    await asyncio.gather(*open_streams)
    await until(lambda: gateway.child.poll() is not None, "the gateway's end", 120)
    late = [answer for answer in load.shorts if answer.ended_at > unready_at]
    return Drained(load, gateway.child.returncode, signalled_at, unready_at, time.monotonic(), late)


def access_lines(gateway):
    lines = [json.loads(line) for line in gateway.log.splitlines() if '"tollgate.access"' in line]
    return {line["tollgate.request_id"]: line for line in lines}, len(lines)


def check_finished(test, gateway, drained):
    """Nothing failed, nothing was reset, every stream is whole, every request has its line."""
    load = drained.load
    test.assertEqual(load.failures, [])
    test.assertTrue(all(answer.done and answer.error_event is None for answer in load.streams))
    test.assertTrue(drained.late, "requests after readiness went off must be served")
    test.assertTrue(all(answer.closes for answer in drained.late[20:]), "answers of a draining gateway close")
    test.assertEqual(drained.exit_code, 0, gateway.log[-2000:])
    check_lines(test, gateway, load)


def check_lines(test, gateway, load):
    by_id, count = access_lines(gateway)
    asked = {answer.request_id for answer in load.streams + load.shorts}
    test.assertEqual(count, len(load.streams) + len(load.shorts))
    test.assertEqual(set(by_id), asked)


def check_cut(test, gateway, drained):
    """Every stream that was cut says so in its dialect, nothing is invented, and it is settled like any other."""
    cut = [answer for answer in drained.load.streams if not answer.done]
    test.assertEqual(drained.load.failures, [])
    test.assertEqual(len(cut), len(drained.load.streams))
    for answer in cut:
        test.assertEqual(answer.error_event["tollgate"]["error_type"], "gateway_shutdown")
        test.assertGreater(answer.events, 1)
    test.assertEqual(drained.exit_code, 0, gateway.log[-2000:])
    check_lines(test, gateway, drained.load)
    by_id, _ = access_lines(gateway)
    for answer in cut:
        line = by_id[answer.request_id]
        test.assertEqual((line["error.type"], line["tollgate.outcome"]), ("gateway_shutdown", "gateway_error"))


__all__ = ["access_lines", "check_cut", "check_finished", "check_lines", "drain"]
