"""What deploy/ ships, checked as far as one machine without a container engine can: R20's Redis user, R40, R45's pinned
images, F75's drain arithmetic. The service unit is judged by systemd's own tools and its system call filter is put around a running gateway."""

import functools
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile
import unittest

import yaml

from common_b import Case, chat, eventually, settings
from test_admin import Admin
from test_process import is_sanitized
from tollgate_test import ROOT, Process, Tollgate, find_binary, free_port

DEPLOY = ROOT / "deploy"
UNIT = DEPLOY / "systemd" / "tollgate.service"
COMPOSE = DEPLOY / "compose" / "compose.yaml"
DOCKERFILE = DEPLOY / "container" / "Dockerfile"
EXPOSURE = 15  # tenths: 1.5
REDIS_FLOORS = {(6, 2): 24, (7, 2): 16, (7, 4): 11, (8, 2): 9}  # CVE-2026-81934 and all before it (reliability I19)
KILL_AFTER = 5  # seconds between the end of the drain and the moment a supervisor may kill (reliability §4)


def binary():
    return find_binary("tollgate", [".", "gateway"])


def run(*arguments, **options):
    return subprocess.run([str(argument) for argument in arguments], capture_output=True, text=True, check=False, **options)


def unit_values(name):
    """All values of a directive, in order."""
    return re.findall(rf"(?m)^{name}=(.*)$", UNIT.read_text())


def seconds(text):
    number, unit = re.fullmatch(r"([0-9]+)(ms|s|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def drain_of(config_file):
    drain = yaml.safe_load(config_file.read_text()).get("drain", {})
    return seconds(drain.get("delay", "5s")) + seconds(drain.get("timeout", "300s"))


class ConfigFiles(unittest.TestCase):
    """The configurations that come along are valid, with stand-ins for the secrets they name."""

    def check(self, file):
        with tempfile.TemporaryDirectory() as folder:
            text = file.read_text()
            names = set(re.findall(r"\$\{file:[^}]*/([^/}]+)\}", text))
            for name in names:
                (pathlib.Path(folder) / name).write_text(f"stand-in-for-{name}-0123456789abcdef\n")
            adapted = pathlib.Path(folder) / "tollgate.yaml"
            adapted.write_text(re.sub(r"\$\{file:[^}]*/([^/}]+)\}", rf"${{file:{folder}/\1}}", text))
            environment = {name: f"stand-in-{name}" for name in re.findall(r"\$\{env:(\w+)\}", text)}
            done = run(binary(), "config", "check", adapted, env={**os.environ, **environment})
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(done.stderr, "")

    def test_all_are_valid(self):
        files = sorted(DEPLOY.rglob("tollgate.yaml"))
        self.assertEqual(len(files), 3)
        for file in files:
            with self.subTest(file.relative_to(ROOT)):
                self.check(file)

    def test_prometheus_configurations_are_valid(self):
        for file in (DEPLOY / "prometheus.yml", DEPLOY / "compose" / "prometheus.yml"):
            done = run("promtool", "check", "config", file)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


@unittest.skipUnless(shutil.which("systemd-analyze"), "deploy/install-deps test installs systemd")
class ServiceUnit(Case):
    def verified(self, arguments, folder):
        """The unit with its program where this build has it, for tools that look."""
        adapted = pathlib.Path(folder) / "tollgate.service"
        adapted.write_text(UNIT.read_text().replace("/usr/local/bin/tollgate", str(binary())))
        return run(*arguments, adapted)

    def test_systemd_accepts_every_line(self):
        with tempfile.TemporaryDirectory() as folder:
            done = self.verified(["systemd-analyze", "verify", "--man=no"], folder)
            about_us = [line for line in done.stderr.splitlines() if "tollgate" in line]
            self.assertEqual((done.returncode, about_us), (0, []), done.stderr)

    def test_exposure_is_at_most_1_5(self):
        done = run("systemd-analyze", "security", "--no-pager", "--offline=true", f"--threshold={EXPOSURE}", UNIT)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_it_stops_later_than_it_drains(self):
        [stop] = unit_values("TimeoutStopSec")
        self.assertGreaterEqual(seconds(stop), drain_of(DEPLOY / "systemd" / "tollgate.yaml") + KILL_AFTER)

    def test_every_credential_is_loaded_and_used(self):
        loaded = {value.partition(":")[0] for value in unit_values("LoadCredential")}
        text = (DEPLOY / "systemd" / "tollgate.yaml").read_text()
        self.assertEqual(set(re.findall(r"\$\{file:/run/credentials/tollgate\.service/([^}]+)\}", text)), loaded)

    def test_the_gateway_serves_within_the_unit_s_system_call_filter(self):
        allowed = allowed_calls(unit_values("SystemCallFilter"))
        self.assertNotIn("bpf", allowed)
        if is_sanitized():
            allowed |= {"ptrace"}  # LeakSanitizer's own, when the process ends
        wrapper = ROOT / "tests" / "support" / "py" / "run_filtered.py"
        with tempfile.TemporaryDirectory() as folder:
            script = pathlib.Path(folder) / "tollgate"
            script.write_text(f'#!/bin/sh\nexec python3 {wrapper} {" ".join(sorted(allowed))} -- {binary()} "$@"\n')
            script.chmod(0o755)
            config = settings(self.mock.url.replace("127.0.0.1", "localhost"), cache={"enabled": True})
            with Tollgate(json.dumps(config), binary=script) as gateway:
                self.ask(gateway=gateway)
                stored = {"model": "mock-plain", "input": "x", "store": True}
                self.assertEqual(self.post(stored, path="/v1/responses", gateway=gateway).status, 200)
                gateway.reload()
                eventually(
                    lambda: gateway.metrics().sum("tollgate_config_reloads_total", result="success") == 1, "a reload"
                )
                self.ask(gateway=gateway)
                self.assertEqual(gateway.stop(), 0, gateway.log)


@functools.cache
def call_set(name):
    """The calls of one of systemd's groups, groups inside it resolved."""
    done = run("systemd-analyze", "syscall-filter", "--no-pager", name)
    assert done.returncode == 0, done.stderr
    calls = set()
    for line in done.stdout.splitlines()[1:]:
        word = line.strip()
        if word.startswith("@"):
            calls |= call_set(word)
        elif word and not word.startswith("#"):
            calls.add(word)
    return frozenset(calls)


def allowed_calls(filters):
    allowed = set()
    for value in filters:
        denies = value.startswith("~")
        for word in value.lstrip("~").split():
            calls = call_set(word) if word.startswith("@") else {word}
            allowed = allowed - calls if denies else allowed | calls
    return allowed | call_set("@default")  # always permitted


class Image(unittest.TestCase):
    def setUp(self):
        self.lines = [line for line in DOCKERFILE.read_text().splitlines() if line and not line.startswith("#")]
        self.text = "\n".join(self.lines)

    def values(self, instruction):
        return [line.split(" ", 1)[1] for line in self.lines if line.startswith(instruction + " ")]

    def test_last_stage_holds_no_system_and_no_root(self):
        self.assertEqual(self.values("FROM")[-1], "scratch")
        user, group = self.values("USER")[-1].split(":")
        self.assertTrue(int(user) > 0 and int(group) > 0)
        last = self.text.rpartition("FROM scratch")[2]
        self.assertNotIn("RUN", last)
        for instruction in ("ENTRYPOINT", "CMD"):
            self.assertRegex(self.values(instruction)[-1], r'^\[".*"\]$', "no shell is there to read another form")
        self.assertIn('CMD ["/tollgate", "health"]', last)

    def test_base_images_have_a_version(self):
        for image in self.values("FROM")[:-1]:
            self.assert_pinned(image.split(" ")[0])

    def assert_pinned(self, image):
        self.assertRegex(image, r"^[a-z0-9./-]+:v?[0-9]+\.[0-9]+(\.[0-9]+)?$", "an image without its version")

    def test_copied_files_exist(self):
        for line in self.values("COPY"):
            words = [word for word in line.split() if not word.startswith("--")]
            if "--from=build" in line:
                continue
            for source in words[:-1]:
                self.assertTrue((ROOT / source).exists(), source)

    def test_copied_files_are_all_the_build_needs(self):
        """What the build stage copies is enough to configure, which names every source file."""
        with tempfile.TemporaryDirectory() as folder:
            for line in self.values("COPY"):
                *sources, target = (word for word in line.split() if not word.startswith("--"))
                if "--from=build" in line or target.startswith("/"):
                    continue
                place = pathlib.Path(folder) / target
                for source in (ROOT / name for name in sources):
                    if source.is_dir():
                        shutil.copytree(source, place)
                    else:
                        into = place if target.endswith("/") else place.parent
                        into.mkdir(parents=True, exist_ok=True)
                        shutil.copy(source, into if target.endswith("/") or target == "./" else place)
            done = run("cmake", "--preset", "release", cwd=folder)
            self.assertEqual(done.returncode, 0, done.stdout[-2000:] + done.stderr[-2000:])

    def test_root_folder_is_enough_to_run_the_program(self):
        """The image's whole content, made by the script the Dockerfile runs, entered with chroot."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder) / "root"
            done = run(DEPLOY / "container" / "make-rootfs", binary(), root)
            self.assertEqual(done.returncode, 0, done.stderr)
            programs = [
                path for path in root.rglob("*")
                if path.is_file() and not path.is_symlink() and ".so" not in path.name and path.stat().st_mode & 0o111
            ]
            self.assertEqual([path.relative_to(root).as_posix() for path in programs], ["tollgate"])
            self.assertEqual(stat.S_IMODE((root / "var/lib/tollgate").stat().st_mode), 0o700)
            self.assertGreater((root / "etc/ssl/certs/ca-certificates.crt").stat().st_size, 1000)
            (root / "etc/tollgate").mkdir()
            shutil.copy(DEPLOY / "container" / "tollgate.yaml", root / "etc/tollgate/tollgate.yaml")
            if os.geteuid() != 0 or is_sanitized():
                return  # entering it takes root, and sanitizers want a /proc; what is outside was seen above
            inside = ["chroot", "--userspec=65532:65532", root, "/tollgate"]
            environment = {"OPENAI_API_KEY": "stand-in", "PATH": os.environ["PATH"]}
            checked = run(*inside, "config", "check", "/etc/tollgate/tollgate.yaml", env=environment)
            self.assertEqual(checked.returncode, 0, checked.stderr)
            health = run(*inside, "health", "--url", "http://localhost:1/readyz", env=environment)
            self.assertEqual(health.returncode, 1)
            self.assertIn("cannot connect", health.stderr)  # the name was resolved


class Compose(unittest.TestCase):
    def setUp(self):
        self.compose = yaml.safe_load(COMPOSE.read_text())
        self.services = self.compose["services"]

    def test_images_have_a_version(self):
        for name, service in self.services.items():
            self.assertRegex(service["image"], r":v?[0-9]+\.[0-9]+\.[0-9]+$", name)

    def test_redis_has_the_fixes(self):
        major, minor, patch = map(int, self.services["redis"]["image"].removeprefix("redis:").split("."))
        self.assertIn((major, minor), REDIS_FLOORS)
        self.assertGreaterEqual(patch, REDIS_FLOORS[major, minor])

    def test_redis_and_the_gateway_have_the_same_password_from_a_secret(self):
        url = yaml.safe_load((COMPOSE.parent / "tollgate.yaml").read_text())["redis"]["url"]
        self.assertRegex(url, r"^redis://tollgate:\$\{file:/run/secrets/redis-password\}@redis:")
        redis = self.services["redis"]
        self.assertEqual(redis["command"], ["sh", "/start-redis", "/run/secrets/redis-password"])
        self.assertEqual(redis["secrets"], ["redis-password"])
        self.assertNotIn("ports", redis)

    def test_referenced_files_exist(self):
        build = self.services["tollgate"]["build"]
        self.assertEqual((COMPOSE.parent / build["context"]).resolve(), ROOT)
        self.assertTrue((ROOT / build["dockerfile"]).is_file())
        seen = 0
        for service in self.services.values():
            for volume in service.get("volumes", []):
                source, target = volume.split(":")[:2]
                if source.startswith("."):
                    self.assertTrue((COMPOSE.parent / source).exists(), source)
                    self.assertTrue(volume.endswith(":ro"), volume)
                    seen += 1
                else:
                    self.assertIn(source, self.compose["volumes"])
                self.assertTrue(target.startswith("/"))
        self.assertGreaterEqual(seen, 5)

    def test_secrets_networks_and_dependencies_are_declared(self):
        text = (COMPOSE.parent / "tollgate.yaml").read_text()
        used = set(re.findall(r"\$\{file:/run/secrets/([^}]+)\}", text))
        self.assertEqual(used, set(self.services["tollgate"]["secrets"]))
        self.assertEqual(used, set(self.compose["secrets"]))
        for name, service in self.services.items():
            self.assertLessEqual(set(service["networks"]), set(self.compose["networks"]), name)
            self.assertLessEqual(set(service.get("depends_on", [])), set(self.services), name)

    def test_names_in_the_configurations_are_services(self):
        config = yaml.safe_load((COMPOSE.parent / "tollgate.yaml").read_text())
        self.assertEqual(re.search(r"@(\w+):", config["redis"]["url"])[1], "redis")
        targets = yaml.safe_load((COMPOSE.parent / "prometheus.yml").read_text())["scrape_configs"][0]["static_configs"]
        service, port = targets[0]["targets"][0].split(":")
        self.assertIn(service, self.services)
        self.assertTrue(config["listen"]["metrics"].endswith(":" + port))
        [source] = yaml.safe_load((COMPOSE.parent / "datasource.yml").read_text())["datasources"]
        self.assertEqual(source["url"], "http://prometheus:9090")
        shipped = DEPLOY / "grafana" / "provisioning" / "datasources" / "tollgate.yml"
        self.assertEqual({**source, "url": ""}, {**yaml.safe_load(shipped.read_text())["datasources"][0], "url": ""})

    def test_gateway_runs_with_nothing_it_does_not_need(self):
        gateway = self.services["tollgate"]
        self.assertTrue(gateway["read_only"])
        self.assertNotIn("user", gateway, "the image's own user is not root")
        for name, service in self.services.items():
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertIn("no-new-privileges:true", service["security_opt"], name)
            self.assertFalse(service.get("privileged", False))
            for port in service.get("ports", []):
                self.assertTrue(port.startswith("127.0.0.1:"), port)
        self.assertEqual(gateway["healthcheck"]["test"][:3], ["CMD", "/tollgate", "health"])

    def test_it_is_killed_later_than_it_drains(self):
        grace = seconds(self.services["tollgate"]["stop_grace_period"])
        self.assertGreaterEqual(grace, drain_of(COMPOSE.parent / "tollgate.yaml") + KILL_AFTER)


class ComposeRedis(Case):
    """The Redis of compose.yaml by the script that starts it there."""

    PASSWORD = "canary-password-of-redis-5d2c"

    def setUp(self):
        super().setUp()
        file = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory())) / "redis-password"
        file.write_text(self.PASSWORD + "\n")
        self.port = free_port()
        judge = "user judge on nopass allkeys allchannels +@all"
        script = COMPOSE.parent / "start-redis"
        self.redis = self.enterContext(
            Process(["sh", script, file, f"port {self.port}", "bind 127.0.0.1", judge], name="redis")
        )
        self.redis.await_ready(lambda: self.command("judge", "PING") == "PONG")
        config = yaml.safe_load((COMPOSE.parent / "tollgate.yaml").read_text())
        url = config["redis"]["url"].replace("/run/secrets/redis-password", str(file))
        self.url = url.replace("@redis:6379", f"@127.0.0.1:{self.port}")

    def command(self, user, *words):
        access = ["--user", user, "-a", self.PASSWORD, "--no-auth-warning"] if user else []
        done = run("redis-cli", "-p", self.port, *access, *words)
        return (done.stdout + done.stderr).strip()

    def gateway(self):
        redis = {"url": self.url, "timeout": "500ms", "use": ["cache", "flights"]}
        listen = {"api": "@API@", "metrics": "@METRICS@", "admin": "@ADMIN@", "workers": 1}
        return self.started(settings(self.mock.url, redis=redis, listen=listen, cache={"enabled": True}))

    def is_hit(self, gateway):
        return "hit" in (self.ask(gateway=gateway).header("cache-status") or "")

    def test_its_user_may_do_what_the_gateway_does(self):
        def stored():
            self.ask(gateway=first, body=chat(f"{self.prompt} {len(asked)}"))
            asked.append(1)
            return self.command("judge", "KEYS", "tg:c:*")

        asked = []
        with self.gateway() as first, self.gateway() as second:
            eventually(stored, "an entry in Redis")
            eventually(lambda: self.is_hit(first) and self.is_hit(second), "a hit at both")
            calls = self.upstream_calls()
            Admin(first).good("POST", "/cache/purge", {"team": "red"})
            eventually(lambda: not self.is_hit(second), "the purge reaches the other")
            self.assertEqual(self.upstream_calls(), calls + 1)
            self.assertEqual(self.command("judge", "ACL", "LOG"), "", "nothing was refused")

    def test_its_user_may_do_nothing_else_and_nobody_else_anything(self):
        self.assertEqual(self.command("tollgate", "SET", "tg:x", "1"), "OK")
        for words in (["GET", "other"], ["PUBLISH", "other", "x"], ["KEYS", "*"], ["FLUSHALL"], ["CONFIG", "GET", "*"],
                      ["EVAL", "return redis.call('KEYS', '*')", "0"], ["ACL", "LIST"], ["SHUTDOWN"]):
            self.assertRegex(self.command("tollgate", *words), "^NOPERM|can't run this command", words)
        self.assertIn("NOAUTH", self.command(None, "PING"))
        self.assertIn("NOAUTH", self.command(None, "GET", "tg:x"))

    def test_its_password_is_no_argument_and_no_variable(self):
        process = pathlib.Path(f"/proc/{self.redis.pid}")
        self.assertIn(b"redis-server", (process / "cmdline").read_bytes())
        for name in ("cmdline", "environ"):
            self.assertNotIn(self.PASSWORD.encode(), (process / name).read_bytes())

    def test_its_health_check_knows_it(self):
        kind, line = yaml.safe_load(COMPOSE.read_text())["services"]["redis"]["healthcheck"]["test"]
        self.assertEqual(kind, "CMD-SHELL")
        here = line.replace("$$", "$").replace("redis-cli", f"redis-cli -p {self.port}")
        file = re.search(r"file:([^}]*)\}", self.url)[1]
        self.assertEqual(run("sh", "-c", here.replace("/run/secrets/redis-password", file)).returncode, 0)
        pathlib.Path(file).write_text("another")
        self.assertNotEqual(run("sh", "-c", here.replace("/run/secrets/redis-password", file)).returncode, 0)


class Health(Case):
    """`tollgate health`, which the image's HEALTHCHECK runs."""

    def health(self, url):
        return run(binary(), "health", "--url", url)

    def test_says_what_the_page_says(self):
        with self.started(settings(self.mock.url, drain={"delay": "60s", "timeout": "1s"})) as gateway:
            self.assertEqual(self.health(gateway.metrics_url + "/readyz").returncode, 0)
            self.assertEqual(self.health(gateway.metrics_url + "/nothing").returncode, 1)
            gateway.signal(15)
            eventually(lambda: self.health(gateway.metrics_url + "/readyz").returncode == 1, "not ready")
            self.assertEqual(self.health(gateway.metrics_url + "/livez").returncode, 0)
            gateway.signal(15)
            gateway.child.wait(10)
            done = self.health(gateway.metrics_url + "/readyz")
            self.assertEqual(done.returncode, 1)
            self.assertIn("cannot connect", done.stderr)

    def test_refuses_what_is_no_health_page(self):
        for url in ("", "https://127.0.0.1:1/", "http://127.0.0.1/readyz", "http://:1/", "http://127.0.0.1:1/ x"):
            with self.subTest(url):
                done = self.health(url)
                self.assertEqual(done.returncode, 1)
                self.assertIn("http://HOST:PORT/PATH", done.stderr)


if __name__ == "__main__":
    unittest.main()
