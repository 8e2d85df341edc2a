"""The response cache, Redis tier: shared by processes, trusted with nothing, missed rather than waited for."""

import contextlib
import json
import pathlib
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import unittest.mock

from common_b import BLUE, RED, Case, chat, eventually, settings
from tollgate_test import Redis, free_port

TIMEOUT = 0.1  # seconds, of a Redis command
BOUND = TIMEOUT * 10  # design §15: behavioural deadlines are asserted at ten times the stated value
PREFIX = "tg:c:"


class RedisCase(Case):
    def config_for(self, url, **cache):
        redis = {"url": url, "timeout": f"{int(TIMEOUT * 1000)}ms", "use": ["cache"]}
        config = settings(self.mock.url, redis=redis, cache={"enabled": True, **cache})
        config["listen"]["workers"] = 1  # one Redis connection, so that one look-up tells whether it works
        return config

    @contextlib.contextmanager
    def gateway_on(self, redis, **cache):
        """A gateway that has reached Redis. Redis is empty afterwards."""
        with self.started(self.config_for(redis.url, **cache)) as gateway:
            self.await_connected(gateway, redis)
            yield gateway

    def await_connected(self, gateway, redis, **options):
        def has_stored():
            # One probe at a time: the entry of an earlier one must not arrive after the final FLUSHALL.
            self.ask(body=chat(f"probe {time.monotonic_ns()}"), gateway=gateway, **options)
            patience = time.monotonic() + 0.5
            while redis.command("DBSIZE") == 0 and time.monotonic() < patience:
                pass
            return redis.command("DBSIZE") > 0

        redis.command("FLUSHALL")
        eventually(has_stored, "the gateway uses Redis")
        redis.command("FLUSHALL")
        self.mock.reset()

    def hit(self, gateway, **options):
        return "hit" in (self.ask(gateway=gateway, **options).header("cache-status") or "")

    def timed_ask(self, gateway, prompt):
        begun = time.monotonic()
        self.ask(body=chat(prompt), gateway=gateway)
        return time.monotonic() - begun


class Shared(RedisCase):
    def setUp(self):
        super().setUp()
        self.redis = self.enterContext(Redis())

    def stored_key(self):
        """The only cache key in Redis, as soon as it is there."""
        keys = eventually(lambda: self.redis.command("KEYS", PREFIX + "*"), "a cache entry in Redis")
        self.assertEqual(len(keys), 1, keys)
        return keys[0]

    def test_second_process_hits_what_the_first_stored(self):
        with self.gateway_on(self.redis) as first, self.gateway_on(self.redis) as second:
            answer = self.ask(gateway=first)
            self.stored_key()
            again = self.ask(gateway=second)
            self.assertIn("hit", again.header("cache-status"))
            self.assertEqual(self.told(again), self.told(answer))
            self.assertFalse(self.hit(second, key=BLUE))
        self.assert_calls(2)

    def test_age_and_ttl_survive_the_way_through_redis(self):  # scenario 72
        with self.gateway_on(self.redis, ttl="3s") as first, self.gateway_on(self.redis, ttl="3s") as second:
            begun = time.monotonic()
            self.ask(gateway=first)
            key = self.stored_key()
            self.assertLessEqual(self.redis.command("PTTL", key), 3000)
            eventually(lambda: self.ask(gateway=first).header("age") == "1", "age 1")
            self.assertEqual(self.ask(gateway=second).header("age"), "1")  # not restarted by the backfill
            eventually(lambda: not self.hit(second), "expiry in the second process", timeout=6)
            self.assertLess(time.monotonic() - begun, 5)
        self.assert_calls(2)

    def test_nothing_readable_in_redis(self):
        canary = "canary-prompt-5e0c"
        with self.gateway_on(self.redis) as gateway:
            answer = self.ask(body=chat(canary), gateway=gateway).json()
            eventually(lambda: self.redis.command("DBSIZE") > 0, "an entry")
            # What the provider answered, word by word, and everything else that names the request.
            words = answer["choices"][0]["message"]["content"].split()
            secrets = [canary, RED, "k_red1", "mock-plain", "chatcmpl", "finish_reason", "application/json", *words[:6]]
            everything = ""
            for key in self.redis.command("KEYS", "*"):
                everything += key + "\n" + self.redis.command("GET", key) + "\n"
            self.assertIn(PREFIX, everything)
            for secret in secrets:
                self.assertNotIn(secret, everything)

    def test_altered_swapped_and_foreign_values_are_misses(self):  # scenario 63
        with self.gateway_on(self.redis) as first, self.gateway_on(self.redis) as second:

            def stored(prompt):
                self.redis.command("FLUSHALL")
                self.ask(body=chat(prompt), gateway=first)
                key = self.stored_key()
                return key, self.redis.command("GET", key).encode("latin-1")

            def flipped(value, at):
                return value[:at] + bytes([value[at] ^ 1]) + value[at + 1 :]

            _, foreign = stored("another prompt")
            cases = {
                "first octet": lambda value: flipped(value, 0),
                "in the middle": lambda value: flipped(value, len(value) // 2),
                "last octet": lambda value: flipped(value, len(value) - 1),
                "cut": lambda value: value[:-1],
                "empty": lambda value: b"",
                "plaintext": lambda value: b'{"id":"chatcmpl-forged","choices":[]}',
                "another entry's": lambda value: foreign,
            }
            for name, change in cases.items():
                with self.subTest(name):
                    key, value = stored(f"{self.prompt} {name}")
                    forged = change(value)
                    self.redis.command("SET", key, forged)
                    self.mock.reset()
                    self.assertFalse(self.hit(second, body=chat(f"{self.prompt} {name}")))
                    self.assert_calls(1)
                    eventually(lambda: self.redis.command("GET", key).encode("latin-1") != forged, "stored over it")
            unchanged, value = stored(f"{self.prompt} untouched")
            self.redis.command("SET", unchanged, value)
            self.assertTrue(self.hit(second, body=chat(f"{self.prompt} untouched")))

            def counted():
                return second.metrics().sum("tollgate_cache_stores_total", tier="redis", result="error")

            eventually(lambda: counted() == len(cases), "every forgery counted")

    def test_value_of_another_type_is_a_miss(self):
        with self.gateway_on(self.redis) as first, self.gateway_on(self.redis) as second:
            self.ask(gateway=first)
            key = self.stored_key()
            self.redis.command("DEL", key)
            self.redis.command("RPUSH", key, "a")
            self.assertFalse(self.hit(second))

    def test_other_master_secret_shares_nothing(self):
        config = self.config_for(self.redis.url)
        config["secrets"]["master"] = "a quite different master secret 0123456789"
        with self.gateway_on(self.redis) as first, self.started(config) as second:
            self.await_connected(second, self.redis)
            self.ask(gateway=first)
            self.stored_key()
            self.assertFalse(self.hit(second))
            eventually(lambda: self.redis.command("DBSIZE") == 2, "an entry of each")

    def test_memory_limit_of_redis_harms_nothing(self):  # scenario 54
        self.redis.command("CONFIG", "SET", "maxmemory", "1mb")
        with self.started(self.config_for(self.redis.url)) as gateway:
            self.ask(gateway=gateway)
            self.assertTrue(self.hit(gateway))


class Unavailable(RedisCase):
    def redis_at(self, port):
        with unittest.mock.patch("tollgate_test.free_port", return_value=port):
            return self.enterContext(Redis())

    def test_absent_at_start_then_found(self):
        port = free_port()
        with self.started(self.config_for(f"redis://127.0.0.1:{port}/0")) as gateway:
            self.assertLess(self.timed_ask(gateway, self.prompt), BOUND)
            self.assertTrue(self.hit(gateway))
            self.await_connected(gateway, self.redis_at(port))

    def test_killed_and_restarted(self):  # scenario 51
        redis = self.enterContext(Redis())
        with self.gateway_on(redis) as gateway:
            self.ask(gateway=gateway)
            redis.kill()
            slowest = max(self.timed_ask(gateway, f"{self.prompt} {i}") for i in range(20))
            self.assertLess(slowest, BOUND)
            self.assertTrue(self.hit(gateway))  # memory goes on
            self.await_connected(gateway, self.redis_at(redis.port))
            self.assertEqual(gateway.metrics().sum("tollgate_errors_total"), 0)

    def test_stopped_and_continued(self):  # scenario 52
        redis = self.enterContext(Redis())
        with self.gateway_on(redis) as gateway, self.gateway_on(redis) as second:
            prompts = [f"{self.prompt} {i}" for i in range(10)]
            direct = [self.told(self.ask(body=chat(prompt), gateway=second)) for prompt in prompts]
            redis.signal(signal.SIGSTOP)
            try:
                self.assertLess(max(self.timed_ask(gateway, prompt + " stopped") for prompt in prompts), BOUND)
            finally:
                redis.signal(signal.SIGCONT)
            # A late reply handed to the next question would be the answer to another prompt.
            for prompt, expected in zip(prompts, direct):
                self.assertEqual(self.told(self.ask(body=chat(prompt), gateway=gateway)), expected)
            self.await_connected(gateway, redis)

    def test_liars_are_misses(self):
        replies = {
            "wrong type": b":1\r\n",
            "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n",
            "absurd length": b"$99999999999\r\n",
            "absurd array": b"*1000000000\r\n",
            "too many replies": b"$-1\r\n$1\r\nx\r\n$1\r\ny\r\n",
            "forged value": b"$5\r\nTGCE\x01\r\n",
            "error": b"-ERR no\r\n",
            "nothing": b"",
        }
        for name, reply in replies.items():
            with self.subTest(name), Liar(reply) as liar:
                self.mock.reset()
                with self.started(self.config_for(liar.url)) as gateway:
                    self.assertTrue(liar.greeted.wait(10))
                    prompts = [f"{self.prompt} {name} {i}" for i in range(6)]
                    self.assertLess(max(self.timed_ask(gateway, prompt) for prompt in prompts), BOUND)
                    self.assert_calls(len(prompts))
                    self.assertTrue(all(self.hit(gateway, body=chat(prompt)) for prompt in prompts))
                    self.assertIsNone(gateway.child.poll())


class Liar:
    """A server that greets as Redis does and answers every GET with `reply`."""

    def __init__(self, reply):
        self.reply, self.greeted = reply, threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self.listener.getsockname()[1]}/0"
        self.connections = []
        self.thread = threading.Thread(target=self.accept)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listener.close()

    def accept(self):
        servers = []
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                break
            self.connections.append(connection)
            servers.append(threading.Thread(target=self.serve, args=(connection,)))
            servers[-1].start()
        for server in servers:
            server.join()

    def serve(self, connection):
        with connection, contextlib.suppress(OSError):
            while octets := connection.recv(65536):
                if b"PING" in octets:
                    connection.sendall(b"+PONG\r\n")
                    self.greeted.set()
                elif b"SELECT" in octets or b"SET" in octets:
                    connection.sendall(b"+OK\r\n")
                else:
                    connection.sendall(self.reply)


class Tenants(RedisCase):
    def test_fifty_tenants_and_shuffled_values_never_cross(self):  # scenario 63
        redis = self.enterContext(Redis())
        config = self.config_for(redis.url)
        names = [f"team{i}" for i in range(50)]
        config["teams"] = {name: {} for name in names}
        config["keys"] = [{"id": f"k_{name}", "team": name, "secret": f"sk-{name}-canary-0123456789"} for name in names]
        prompts = [f"{self.prompt} {i}" for i in range(3)]

        def ask(gateway, name, prompt):
            # Every answer of mock-unique has another fingerprint: whose it is can be told.
            response = self.post(chat(prompt, "mock-unique"), key=f"sk-{name}-canary-0123456789", gateway=gateway)
            self.assertEqual(response.status, 200, response.body)
            return response, json.dumps(self.told(response))

        with self.started(config) as gateway:
            self.await_connected(gateway, redis, key="sk-team0-canary-0123456789")
            own = {(name, prompt): ask(gateway, name, prompt)[1] for name in names for prompt in prompts}
            self.assertEqual(len(set(own.values())), len(own))
            eventually(lambda: len(redis.command("KEYS", PREFIX + "*")) == len(own), "every entry in Redis")
        keys = sorted(redis.command("KEYS", PREFIX + "*"))
        values = [redis.command("GET", key) for key in keys]
        self.mock.reset()
        with self.started(config) as gateway:  # an empty memory
            self.await_connected(gateway, redis, key="sk-team0-canary-0123456789")
            for key, value in zip(keys, values[1:] + values[:1], strict=True):  # nobody has its own any more
                redis.command("SET", key, value.encode("latin-1") if isinstance(value, str) else value)
            self.mock.reset()
            others = {}
            for name, prompt in own:
                answer, told = ask(gateway, name, prompt)
                self.assertNotIn("hit", answer.header("cache-status"))
                self.assertNotIn(told, own.values())
                others[name, prompt] = told
            self.assert_calls(len(own))
            eventually(
                lambda: gateway.metrics().sum("tollgate_cache_stores_total", tier="redis", result="error") >= len(own),
                "the alarm",
            )
            for (name, prompt), told in others.items():
                self.assertEqual(ask(gateway, name, prompt)[1], told)


class Topologies(RedisCase):
    def node(self, *options):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        return self.enterContext(Redis("--dir", folder, *options))

    def cluster(self):
        """Three primaries that know each other."""
        ports = [free_port() for _ in range(3)]
        nodes = [self.node("--cluster-enabled", "yes", "--cluster-port", port) for port in ports]
        for node, first, last in zip(nodes, (0, 5461, 10923), (5460, 10922, 16383), strict=True):
            node.command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node, port in zip(nodes[1:], ports[1:], strict=True):
            nodes[0].command("CLUSTER", "MEET", "127.0.0.1", node.port, port)

        def agree():
            return all(
                "cluster_state:ok" in node.command("CLUSTER", "INFO") and len(node.command("CLUSTER", "SLOTS")) == 3
                for node in nodes
            )

        eventually(agree, "the cluster is complete", timeout=30)
        return nodes

    def config_of(self, mode, ports):
        hosts = ",".join(f"127.0.0.1:{port}" for port in ports)
        config = self.config_for(f"redis://{hosts}/0")
        config["redis"]["mode"] = mode
        return config

    def test_cluster_spreads_the_entries_and_purges_reach_all(self):
        nodes = self.cluster()
        config = self.config_of("cluster", [free_port(), nodes[1].port])  # one of those named is not there
        bodies = [chat(f"{self.prompt} {i}") for i in range(30)]
        with self.started(config) as first, self.started(config) as second:

            def stored(node):
                return len(node.command("KEYS", PREFIX + "*"))

            def all_stored():
                for body in bodies:
                    self.ask(gateway=first, body=body, headers={"cache-control": "no-cache"})
                return all(stored(node) > 0 for node in nodes) and sum(map(stored, nodes)) == len(bodies)

            eventually(all_stored, "every node has some")

            def used(node):  # connections that have been greeted, this one not counted
                lines = node.command("CLIENT", "LIST").splitlines()
                return sum("cmd=client" not in line and "cmd=NULL" not in line for line in lines)

            eventually(lambda: all(used(node) == 2 for node in nodes), "both are connected to every node")
            eventually(lambda: self.hit(second, body=bodies[0]), "the second process reads the cluster")
            calls = self.upstream_calls()
            self.assertTrue(all(self.hit(second, body=body) for body in bodies))
            self.assertEqual(self.upstream_calls(), calls)
            for node in nodes:
                with contextlib.suppress(RuntimeError):  # MOVED: not the one that has it
                    node.command("ZADD", "tg:purges", 2_000_000_000_000, "all")
            eventually(lambda: not self.hit(second, body=bodies[0]), "the purge")

    def test_sentinels_tell_who_the_primary_is_and_who_it_is_then(self):
        primary, replica = self.node(), self.node()
        replica.command("REPLICAOF", "127.0.0.1", primary.port)
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        port = free_port()
        file = folder / "sentinel.conf"
        file.write_text(
            f"port {port}\ndir {folder}\nsentinel monitor main 127.0.0.1 {primary.port} 1\n"
            "sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n"
        )
        sentinel = subprocess.Popen(["redis-server", str(file), "--sentinel"], stdout=subprocess.DEVNULL)
        self.addCleanup(sentinel.wait)
        self.addCleanup(sentinel.kill)
        at_sentinel = Redis.__new__(Redis)
        at_sentinel.port = port

        def knows_replica():
            try:
                return len(at_sentinel.command("SENTINEL", "replicas", "main")) == 1
            except (OSError, RuntimeError):
                return False

        eventually(knows_replica, "the sentinel has found the replica", timeout=30)
        config = self.config_of("sentinel", [free_port(), port])
        config["redis"]["primary"] = "main"
        with self.started(config) as gateway:

            def told(node, *words):
                try:
                    return node.command(*words)
                except (OSError, RuntimeError):  # a node whose role changes closes its connections
                    return None

            def stored_at(node):
                self.ask(body=chat(f"probe {time.monotonic_ns()}"), gateway=gateway)
                return (told(node, "DBSIZE") or 0) > 0

            eventually(lambda: stored_at(primary), "entries at the primary", timeout=30)
            eventually(lambda: "state=online" in primary.command("INFO", "replication"), "the replica is online", 30)
            at_sentinel.command("SENTINEL", "FAILOVER", "main")
            eventually(
                lambda: "role:master" in (told(replica, "INFO", "replication") or ""), "the replica is promoted", 60
            )
            eventually(lambda: told(replica, "FLUSHALL"), "the new primary is empty", 60)
            eventually(lambda: stored_at(replica), "entries at the new primary", timeout=60)


if __name__ == "__main__":
    unittest.main()
