"""What the process-level tests share: one configuration as a Python value, one mock provider, one gateway."""

import contextlib
import copy
import json
import pathlib
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support" / "py"))

from tollgate_test import MockProvider, Tollgate, call, find_binary  # noqa: E402, F401

MASTER = "master-secret-of-the-tests-0123456789abcdef"
UPSTREAM_KEY = "sk-upstream-canary-51b7c0de"
RED = "sk-red-one-canary-7d1e"
RED_TWO = "sk-red-two-canary-90ab"
BLUE = "sk-blue-one-canary-44cd"
CHAT = "/v1/chat/completions"
GROUPS = ["files", "batches", "stored"]
PATIENCE = 10.0  # seconds until a condition counts as failed


def settings(mock_url, **sections):
    """A complete configuration; `sections` replace or add top-level ones. Teams: red with two keys, blue with one."""
    config = {
        "version": 1,
        "listen": {"api": "@API@", "metrics": "@METRICS@", "workers": 2},
        "store": {"path": "@STORE@"},
        "secrets": {"master": MASTER},
        "providers": {
            "mock": {
                "kind": "openai",
                "base_url": f"{mock_url}/v1",
                "api_keys": [UPSTREAM_KEY],
                "private": True,
                "default_for": ["*"],
            }
        },
        "models": {"mock-*": {"upstreams": [{"provider": "mock"}]}, "text-*": {"upstreams": [{"provider": "mock"}]}},
        "teams": {"red": {}, "blue": {}},
        "keys": [
            {"id": "k_red1", "team": "red", "secret": RED, "routes": GROUPS},
            {"id": "k_red2", "team": "red", "secret": RED_TWO, "routes": GROUPS},
            {"id": "k_blue1", "team": "blue", "secret": BLUE, "routes": GROUPS},
        ],
        "drain": {"delay": "0s", "timeout": "5s"},
    }
    config.update(copy.deepcopy(sections))
    return config


def rendered(config):
    """YAML that the gateway reads: JSON is a part of YAML."""
    return json.dumps(config, indent=1)


def bearer(secret, **more):
    return {"authorization": f"Bearer {secret}", **{name.replace("_", "-"): value for name, value in more.items()}}


def chat(prompt, model="mock-plain", **fields):
    return {"model": model, "messages": [{"role": "user", "content": prompt}], **fields}


def eventually(probe, what, timeout=PATIENCE):
    """Polls until `probe` returns something true, which is returned."""
    deadline = time.monotonic() + timeout
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}; last seen: {found!r}")
        time.sleep(0.01)


def log_lines(process, dataset):
    """The process's JSON log lines of one kind: tollgate.access or tollgate.log. Every line has to be JSON."""
    whole = process.log.rpartition("\n")[0]
    lines = [json.loads(line) for line in whole.splitlines()]
    return [line for line in lines if line["event.dataset"] == dataset]


def access_line(process, request_id):
    """The access-log line of one request, as soon as it is written."""

    def find():
        found = [line for line in log_lines(process, "tollgate.access") if line["tollgate.request_id"] == request_id]
        if len(found) > 1:
            raise AssertionError(f"{len(found)} lines for one request: {found}")
        return found[0] if found else None

    return eventually(find, f"an access line for {request_id}")


class Case(unittest.TestCase):
    """Tests that share a mock provider and, where the class says so, a gateway of configuration `config()`."""

    gateway = None
    maxDiff = None

    @classmethod
    def config(cls):
        """None: each test starts its own gateway."""
        return None

    @classmethod
    def setUpClass(cls):
        cls.mock = cls.enterClassContext(MockProvider())
        config = cls.config()
        if config is not None:
            cls.gateway = cls.enterClassContext(Tollgate(rendered(config)))

    def setUp(self):
        self.mock.reset()
        self.prompt = f"prompt of {self.id()}"

    @contextlib.contextmanager
    def started(self, config, **options):
        with Tollgate(rendered(config), **options) as gateway:
            yield gateway

    def post(self, body, path=CHAT, key=RED, gateway=None, headers=None, **options):
        gateway = gateway or self.gateway
        return call("POST", gateway.url + path, {**bearer(key), **(headers or {})}, body, **options)

    def get(self, path, key=RED, gateway=None, **options):
        return call("GET", (gateway or self.gateway).url + path, bearer(key), **options)

    def ask(self, status=200, **options):
        """A chat request about this test's prompt; returns the answer after checking its status."""
        body = options.pop("body", None) or chat(self.prompt)
        response = self.post(body, **options)
        self.assertEqual(response.status, status, response.body[:500])
        return response

    def told(self, response):
        """What a JSON answer says, but for what makes it this answer: its id and when it was made."""
        fresh = ("id", "created", "created_at", "completed_at")
        return {name: value for name, value in response.json().items() if name not in fresh}

    def upstream_calls(self):
        return self.mock.stats()["requests"]

    def assert_calls(self, count):
        stats = self.mock.stats()
        self.assertEqual(stats["requests"], count, stats)

    def assert_error(self, response, status, error_type):
        self.assertEqual(response.status, status, response.body[:500])
        self.assertEqual(response.json()["error"]["tollgate"]["error_type"], error_type, response.body)
