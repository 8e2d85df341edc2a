"""Reloads under load (T11, F52–F55): good and bad configurations, and the proof that no request saw two at once.

Two generations of a configuration differ in three places that one request passes one after the other: the name of the
provider (a field of the answer), its credential and the upstream model (both in what the provider received), beside
the configuration's hash in the access log. A request that read its snapshot twice would mix them.
"""

import asyncio
import copy
import dataclasses
import json
import re
import time

from common_b import RED, eventually, settings
from load_client import Load, until

GENERATIONS = ("even", "odd")
MODEL = "told-apart"
STREAM_MODEL = "mock-tokens-20:pace-100"  # about 2 s


def configuration(mock_url, number):
    """Text of generation `number`; the comment gives each its own hash."""
    name = GENERATIONS[number % 2]
    config = settings(mock_url)
    [(_, provider)] = config["providers"].items()
    provider["api_keys"] = [f"sk-account-{name}"]
    config["providers"] = {name: provider}
    upstreams = [{"provider": name}]
    config["models"] = {
        MODEL: {"upstreams": [{"provider": name, "model": f"mock-plain:{name}"}]},
        "mock-*": {"upstreams": upstreams},
    }
    return json.dumps(config, indent=1) + f"\n# generation {number}\n"


def _replace(section, **entries):
    def change(config):
        config[section].update(entries)

    return change


def _mutations():
    """Ways to get a configuration wrong: a typo must never mean "no limit" (F53). Each is an error with a place."""
    yield from (
        _replace("listen", apii="127.0.0.1:1"),
        _replace("listen", workers=-1),
        _replace("listen", api="127.0.0.1:99999"),
        _replace("listen", half_close="sometimes"),
        _replace("drain", delay="five"),
        _replace("drain", timeout="-1s"),
        _replace("store", paht="x"),
        _replace("teams", red={"limits": {"rpmm": 60}}),
        _replace("teams", red={"limits": {"rpm": -5}}),
        _replace("teams", red={"models": "mock-plain", "model": 1}),
        _replace("models", broken={"upstreams": []}),
        _replace("models", broken={"upstreams": [{"provider": "nobody"}]}),
        _replace("models", broken={"upstreams": [{"provider": "even", "provder": "odd"}, {"weight": "x"}]}),
        _replace("models", broken={"timeouts": {"idle": "1 parsec"}, "upstreams": []}),
        _replace("providers", broken={"kind": "carrier-pigeon"}),
        _replace("providers", broken={"kind": "openai", "base_url": "ftp://example.com"}),
        _replace("providers", broken={"kind": "openai", "base_url": "http://user:pw@127.0.0.1/v1", "api_keys": ["x"]}),
    )
    yield lambda config: config["keys"].append(dict(config["keys"][0]))  # a doubled id
    yield lambda config: config["keys"].append({"id": "k_new", "team": "red", "secret": RED})  # a doubled secret
    yield lambda config: config["keys"].append({"id": "k_new", "team": "red"})
    yield lambda config: config["keys"].append({"id": "k_new", "team": "red", "secret": "${env:NOT_SET_ANYWHERE}"})
    yield lambda config: config["keys"].append({"id": "k_new", "team": "red", "secret": "${file:/nonexistent}"})
    yield lambda config: config.update(version=2)
    yield lambda config: config.pop("version")
    yield lambda config: config.update(modles=config.pop("models"))


def invalid_configurations(mock_url, count):
    """`count` different texts that must all be refused."""
    texts = ["", "{", "- a\n", "\x00\x01", "version: 1\n"]
    mutations = list(_mutations())
    for index in range(count - len(texts)):
        config = json.loads(configuration(mock_url, index).rpartition("# ")[0])
        mutations[index % len(mutations)](config)
        texts.append(json.dumps(copy.deepcopy(config), indent=1) + f"\n# wrong {index}\n")
    return texts[:count]


@dataclasses.dataclass
class Reloaded:
    load: Load
    good: int
    refused: int
    alone: list  # resident octets under load in the warm-up
    resident: list  # octets, after each good reload
    seconds: float  # from the first request to the last one's start


async def reload(gateway, mock, *, good, bad, seconds, rate, streams, warm_up=0.0):
    """`good` reloads over `seconds` with `bad` invalid configurations between them, under load. Every signal is waited
    for until it was judged, so that each configuration is read. The load runs for `warm_up` seconds before, through
    either generation once."""
    load = Load(gateway.api_port, RED)
    workers = 20
    begun = time.monotonic()
    tasks = [asyncio.create_task(load.short_requests(MODEL, f"short {i}", workers / rate)) for i in range(workers)]
    tasks += [asyncio.create_task(load.endless_streams(STREAM_MODEL, f"stream {i}")) for i in range(streams)]
    await until(lambda: len(load.shorts) > workers, "short requests")
    alone = [gateway.resident_octets()]
    for number in (-1, 0) if warm_up else ():  # each generation has its own pool of upstream connections
        await _sampled(gateway, alone, warm_up / 3)
        await _judged(gateway, configuration(mock.url, number), "the configuration was reloaded")
    await _sampled(gateway, alone, warm_up / 3)
    wrong = invalid_configurations(mock.url, bad)
    resident = []
    pause = seconds / (good + bad)
    for number in range(1, good + 1):
        await _judged(gateway, configuration(mock.url, number), "the configuration was reloaded")
        resident.append(gateway.resident_octets())
        await asyncio.sleep(pause)
        for text in wrong[(number - 1) * bad // good : number * bad // good]:
            await _judged(gateway, text, "the configuration was not reloaded")
            await asyncio.sleep(pause)
    load.leave()
    lasted = load.left_at - begun
    await asyncio.gather(*tasks)
    return Reloaded(load, good + (2 if warm_up else 0), bad, alone, resident, lasted)


async def _sampled(gateway, resident, seconds):
    until_then = time.monotonic() + seconds
    while time.monotonic() < until_then:
        await asyncio.sleep(0.5)
        resident.append(gateway.resident_octets())


async def _judged(gateway, text, verdict):
    with gateway.log_path.open("rb") as log:
        log.seek(0, 2)
        gateway.write_config(text)
        gateway.reload()
        seen = bytearray()

        def found():
            seen.extend(log.read())
            return verdict.encode() in seen

        await until(found, f"{verdict!r} for {text[-40:]!r}")


def check(test, gateway, mock, reloaded):
    """No failed request, every bad configuration refused with its place, every request of one generation only."""
    test.assertEqual(reloaded.load.failures, [])
    test.assertTrue(all(answer.done for answer in reloaded.load.streams))
    count = len(reloaded.load.shorts + reloaded.load.streams)
    eventually(lambda: gateway.log.count('"tollgate.access"') >= count, "a line for each request")
    lines = [json.loads(line) for line in gateway.log.splitlines() if line.startswith("{")]
    check_refusals(test, lines, reloaded)
    check_generations(test, lines, mock, reloaded)


def check_refusals(test, lines, reloaded):
    """Each refusal names file, line and column."""
    refusals = [line for line in lines if line["message"].startswith("the configuration was not reloaded")]
    test.assertGreaterEqual(len(refusals), reloaded.refused)
    for line in refusals:
        test.assertRegex(line.get("place", ""), r"tollgate\.yaml:[1-9][0-9]*:[1-9][0-9]*$", line)
    accepted = [line for line in lines if line["message"] == "the configuration was reloaded"]
    test.assertEqual(len(accepted), reloaded.good)


def check_generations(test, lines, mock, reloaded):
    """Hash → generation from the log, provider from the answer, credential and model from what the provider got."""
    access = [line for line in lines if line["event.dataset"] == "tollgate.access"]
    answers = reloaded.load.shorts + reloaded.load.streams
    test.assertEqual(len(access), len(answers))
    named = {answer.request_id: answer.upstream for answer in answers}
    of_hash = {}
    for line in access:
        test.assertEqual(line["tollgate.upstream"], named[line["tollgate.request_id"]])
        of_hash.setdefault(line["tollgate.config_hash"], set()).add(line["tollgate.upstream"])
    test.assertGreater(len(of_hash), 2, "several configurations served")
    for generations in of_hash.values():
        test.assertEqual(len(generations), 1, "one configuration, two generations")
    seen = 0
    for request in mock.requests():
        account = re.search(r"sk-account-(\w+)", request["raw_head"])[1]
        model = json.loads(request["body"])["model"]
        if model.startswith("mock-plain"):
            test.assertEqual(model, f"mock-plain:{account}")
            seen += 1
    test.assertGreater(seen, 10)
