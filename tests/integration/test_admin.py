"""The admin API of a running gateway: keys and limits changed live, who may ask, and what is written down about it."""

import contextlib
import json
import sqlite3
import stat
import subprocess
import unittest

from common_b import BLUE, CHAT, RED, Case, bearer, chat, eventually, find_binary, rendered, settings
from tollgate_test import Connection, Tollgate, call

API = "/admin/v1"


def configuration(mock_url, **more):
    return rendered(settings(mock_url, listen={"api": "@API@", "metrics": "@METRICS@", "admin": "@ADMIN@", "workers": 2}, **more))


class Admin:
    """One administrator of a gateway."""

    def __init__(self, gateway):
        self.gateway = gateway
        self.token = (gateway.store / "admin-token").read_text().strip()

    def ask(self, method, path, body=None, **headers):
        sent = {"authorization": f"Bearer {self.token}", **headers}
        octets = None
        if body is not None:
            octets = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        sent = {name: value for name, value in sent.items() if value is not None}
        return call(method, f"{self.gateway.admin_url}{API}{path}", headers=sent, body=octets)

    def good(self, method, path, body=None, status=200):
        answer = self.ask(method, path, body)
        if answer.status != status:
            raise AssertionError(f"{method} {path}: {answer.status} {answer.body.decode()}")
        return answer.json()

    def refusal(self, method, path, body=None, **headers):
        answer = self.ask(method, path, body, **headers)
        if answer.status < 400:
            raise AssertionError(f"{method} {path} was not refused: {answer.body.decode()}")
        return answer.status, answer.json()


class AdminCase(Case):
    def gateway(self, **more):
        return Tollgate(configuration(self.mock.url, **more))

    def ask(self, gateway, secret, model="mock-plain"):
        return call("POST", gateway.url + CHAT, headers=bearer(secret, content_type="application/json"), body=json.dumps(chat("hello", model)).encode())

    def me(self, gateway, secret):
        answer = call("GET", gateway.url + "/v1/me", headers=bearer(secret))
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json()

    def limit(self, gateway, secret, scope, limit):
        return next(row for row in self.me(gateway, secret)["limits"] if row["scope"] == scope and row["limit"] == limit)


class Keys(AdminCase):
    def test_a_key_is_made_used_changed_disabled_rotated_and_deleted_without_a_restart(self):
        with self.gateway() as gateway:
            admin = Admin(gateway)
            self.assertEqual(stat.S_IMODE((gateway.store / "admin-token").stat().st_mode), 0o600)
            made = admin.good("POST", "/keys", {"team": "red", "alias": "checkout", "limits": {"rpm": 100}}, status=201)
            secret, path = made["secret"], f"/keys/{made['id']}"
            self.assertRegex(secret, r"^tg_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}$")
            eventually(lambda: self.ask(gateway, secret).status == 200, "the key works", timeout=10)
            shown = admin.good("GET", path)
            self.assertNotIn("secret", shown)
            self.assertEqual((shown["alias"], shown["owner"], shown["status"]), ("checkout", "store", "active"))
            self.assertIn(made["id"], [key["id"] for key in admin.good("GET", "/keys?team=red")["data"]])

            admin.good("PATCH", path, {"disabled": True})
            eventually(lambda: self.ask(gateway, secret).status == 401, "the disabled key is refused")
            admin.good("PATCH", path, {"disabled": False})
            eventually(lambda: self.ask(gateway, secret).status == 200, "the enabled key works")

            rotated = admin.good("POST", f"{path}/rotate", {"grace": "1h"})
            eventually(lambda: self.ask(gateway, rotated["secret"]).status == 200, "the new secret works")
            self.assertEqual(self.ask(gateway, secret).status, 200)  # within its grace
            self.assertIn("former_secret_until", rotated)
            last = admin.good("POST", f"{path}/rotate")["secret"]
            eventually(lambda: self.ask(gateway, rotated["secret"]).status == 401, "the former secret is refused")
            self.assertEqual(self.ask(gateway, last).status, 200)

            admin.good("DELETE", path)
            eventually(lambda: self.ask(gateway, last).status == 401, "the deleted key is refused")
            self.assertEqual(admin.refusal("GET", path)[0], 404)

            log = admin.good("GET", "/audit")["data"]
            actions = [entry["action"] for entry in reversed(log)]
            self.assertEqual(actions, ["key.create", "key.disable", "key.enable", "key.rotate", "key.rotate", "key.delete"])
            everything = json.dumps(log) + gateway.log
            for canary in (secret, rotated["secret"], last, admin.token):
                self.assertNotIn(canary, everything)
            scrape = gateway.metrics()
            self.assertEqual(scrape.value("tollgate_audit_events_total", action="key.rotate", result="ok"), 2)
            self.assertEqual(scrape.value("tollgate_http_requests_total", listener="admin", route="/admin/v1/keys", method="POST", code="201"), 1)

    def test_what_the_file_owns_answers_with_its_line_and_can_be_disabled(self):
        with self.gateway() as gateway:
            admin = Admin(gateway)
            line = 1 + next(i for i, text in enumerate(gateway.config_path.read_text().splitlines()) if '"k_red1"' in text)
            for method, path, body in (("PATCH", "/keys/k_red1", {"limits": {"rpm": 5}}), ("DELETE", "/keys/k_red1", None), ("POST", "/keys/k_red1/rotate", {}), ("POST", "/keys", {"id": "k_red1"})):
                status, problem = admin.refusal(method, path, body)
                self.assertEqual((status, problem["code"]), (409, "owned_by_file"), path)
                name, _, number = problem["place"].rpartition(":")
                self.assertEqual(name, str(gateway.config_path))
                self.assertLessEqual(abs(int(number) - line), 1)
            admin.good("PATCH", "/keys/k_red1", {"disabled": True})
            eventually(lambda: self.ask(gateway, RED).status == 401, "the file's key is disabled")
            gateway.reload()
            eventually(lambda: gateway.metrics().sum("tollgate_config_reloads_total", result="success") == 1, "a reload")
            self.assertEqual(self.ask(gateway, RED).status, 401)
            admin.good("PATCH", "/keys/k_red1", {"disabled": False})
            eventually(lambda: self.ask(gateway, RED).status == 200, "the file's key is enabled again")
            outcomes = [entry["outcome"] for entry in admin.good("GET", "/audit")["data"]]
            self.assertEqual(sorted(outcomes), ["denied"] * 4 + ["ok"] * 2)

    def test_a_restart_keeps_keys_and_the_log(self):
        with self.gateway() as gateway:
            admin = Admin(gateway)
            kept = admin.good("POST", "/keys", {"id": "k_kept", "team": "blue", "models": ["mock-*"], "budget": {"usd": "2.50", "per": "day"}}, status=201)
            off = admin.good("POST", "/keys", {"team": "blue", "disabled": True}, status=201)
            before = admin.good("GET", "/keys")["data"]
            gateway.kill()
            gateway.start()
            gateway.await_ready(gateway.is_ready)
            self.assertEqual(Admin(gateway).token, admin.token)
            self.assertEqual(admin.good("GET", "/keys")["data"], before)
            self.assertEqual(self.ask(gateway, off["secret"]).status, 401)
            self.assertEqual(self.limit(gateway, kept["secret"], "key", "budget")["limit_usd"], "2.50")
            self.assertEqual(len(admin.good("GET", "/audit")["data"]), 2)

    def test_bodies_follow_the_rules_of_the_file(self):
        with self.gateway() as gateway:
            admin = Admin(gateway)
            for body, path, hint in (
                ({"limits": {"rmp": 5}}, "/limits/rmp", "rpm"),
                ({"limits": {"rpm": "many"}}, "/limits/rpm", ""),
                ({"budget": {"usd": 5}}, "/budget", ""),
                ({"budget": {"usd": 5, "per": "day", "timezone": "Europe/Berlim"}}, None, ""),
                ({"team": "rod"}, "/team", "red"),
                ({"secret": "mine-mine-mine"}, "/secret", "sha256"),
                ({"alias": "${file:/etc/passwd}"}, None, ""),
            ):
                status, problem = admin.refusal("POST", "/keys", body)
                self.assertEqual((status, problem["code"]), (400, "invalid_body"), body)
                if path is not None:
                    self.assertEqual(problem["errors"][0]["path"], path)
                self.assertIn(hint, json.dumps(problem))
            for octets in (b"", b"[]", b"{", b'{"id":"a","id":"b"}', b'{"team":"red"} x', b"\xff", b'{"budget":{"usd":1e2,"per":"day"}}'):
                self.assertEqual(admin.refusal("POST", "/keys", octets)[0], 400, octets)
            self.assertEqual(admin.refusal("POST", "/keys", b"{" + b" " * 70_000 + b"}")[0], 413)
            self.assertEqual(admin.good("GET", "/audit")["data"], [])
            made = admin.good("POST", "/keys", {"team": "red", "alias": "smile \U0001f600"}, status=201)
            self.assertEqual(made["alias"], "smile \U0001f600")
            self.assertEqual(admin.refusal("POST", "/keys", {"id": made["id"]})[0], 409)


class Guard(AdminCase):
    def test_only_the_bearer_of_the_token_and_no_web_page_may_ask(self):
        """R8 to R12, case 264."""
        with self.gateway() as gateway:
            admin = Admin(gateway)
            every = [("GET", "/keys"), ("POST", "/keys"), ("GET", "/keys/k_red1"), ("PATCH", "/keys/k_red1"), ("DELETE", "/keys/k_red1"), ("POST", "/keys/k_red1/rotate")]
            every += [(method, f"/{kind}") for kind in ("teams/red", "orgs/default", "models/mock-plain") for method in ("GET", "PATCH")]
            every += [("GET", "/usage"), ("GET", "/audit"), ("POST", "/reload")]
            attempts = [None, "Bearer", "Bearer ", "Bearer wrong", f"Bearer {RED}", f"Basic {admin.token}", admin.token, f"Bearer {admin.token}x"]
            refused = 0
            for method, path in every:
                for given in attempts[: 1 + refused % len(attempts)]:
                    status, problem = admin.refusal(method, path, {} if method in ("POST", "PATCH") else None, authorization=given)
                    refused += 1
                    self.assertEqual(status, 401 if refused <= 30 else 429, (method, path, given))
            self.assertGreater(refused, 30)  # so that the throttle was seen, which does not touch who has the token
            admin.good("GET", "/keys")
            for host, status in (("evil.example", 421), (f"127.0.0.1.evil.example:{gateway.admin_port}", 421), ("127.0.0.1:1", 421), (f"localhost:{gateway.admin_port}", 200), ("[::1]", 200)):
                with Connection("127.0.0.1", gateway.admin_port) as connection:
                    connection.host = host
                    connection.request("GET", f"{API}/keys", headers=bearer(admin.token))
                    self.assertEqual(connection.read_response().status, status, host)
            for origin in ("http://evil.example", "null"):
                self.assertEqual(admin.refusal("GET", "/keys", origin=origin)[0], 403)
            for kind in ("text/plain", "application/x-www-form-urlencoded", None):
                self.assertEqual(admin.refusal("POST", "/keys", {}, **{"content-type": kind})[0], 415, kind)
            answer = admin.ask("OPTIONS", "/keys", origin="http://evil.example")
            self.assertEqual(answer.status, 403)
            self.assertEqual([name for name, _ in answer.headers if name.lower().startswith("access-control")], [])
            self.assertEqual(admin.refusal("PUT", "/keys")[0], 405)
            for path in ("/keys/", "/keys/a,b", "/nothing", "/keys/k_red1/rotate/x", "/models/"):
                self.assertEqual(admin.refusal("GET", path)[0], 404, path)
            self.assertEqual(call("GET", f"{gateway.url}{API}/keys", headers=bearer(admin.token)).status, 404)
            self.assertEqual(call("GET", f"{gateway.metrics_url}{API}/keys", headers=bearer(admin.token)).status, 404)

    def test_a_token_that_others_may_read_is_refused_at_the_start(self):
        with self.gateway() as gateway:
            gateway.stop()
            (gateway.store / "admin-token").chmod(0o644)
            gateway.start()
            eventually(lambda: gateway.child.poll() is not None, "the start is refused")
            self.assertIn("admin-token may be read", gateway.log)


class Limits(AdminCase):
    def test_limits_of_a_key_change_live_and_keep_what_was_used(self):
        """limits-cache scenarios 13 and 14."""
        models = {"mock-*": {"upstreams": [{"provider": "mock"}], "max_output": 1000, "price": {"input": "1", "output": "1"}}}
        with self.gateway(models=models) as gateway:
            admin = Admin(gateway)
            made = admin.good("POST", "/keys", {"team": "red", "limits": {"rpm": {"limit": 5, "burst": 5}}}, status=201)
            secret, path = made["secret"], f"/keys/{made['id']}"
            statuses = [self.ask(gateway, secret).status for _ in range(7)]
            self.assertEqual(statuses[:5], [200] * 5)
            self.assertIn(429, statuses)
            admin.good("PATCH", path, {"limits": {"rpm": 1000}})
            eventually(lambda: self.ask(gateway, secret).status == 200, "the raised limit is in force")

            made = admin.good("POST", "/keys", {"team": "red", "budget": {"usd": "100", "per": "month"}, "limits": {"rpm": 100}}, status=201)
            secret, path = made["secret"], f"/keys/{made['id']}"
            for _ in range(50):
                self.assertEqual(self.ask(gateway, secret).status, 200)
            used = self.limit(gateway, secret, "key", "rpm")["used"]
            self.assertGreater(used, 10)
            admin.good("PATCH", path, {"limits": {"rpm": 200}})
            eventually(lambda: self.limit(gateway, secret, "key", "rpm")["limit_value"] == 200, "the raised limit is in force")
            row = self.limit(gateway, secret, "key", "rpm")
            self.assertEqual(row["remaining"], 200 - row["used"])
            self.assertGreater(row["used"], 10)
            spent = self.limit(gateway, secret, "key", "budget")["spent_usd"]
            self.assertNotEqual(spent, "0.00")
            admin.good("PATCH", path, {"limits": {"rpm": 10}, "budget": {"usd": "7", "per": "month"}})
            eventually(lambda: self.limit(gateway, secret, "key", "rpm")["limit_value"] == 10, "the lowered limit is in force")
            self.assertEqual(self.limit(gateway, secret, "key", "rpm")["remaining"], 0)
            self.assertEqual(self.ask(gateway, secret).status, 429)
            budget = self.limit(gateway, secret, "key", "budget")
            self.assertEqual((budget["limit_usd"], budget["spent_usd"]), ("7.00", spent))

    def test_limits_of_teams_orgs_and_models_are_added_live_and_the_file_keeps_its_own(self):
        teams = {"red": {"limits": {"rpm": 40}, "budget": {"usd": "10", "per": "month"}}, "blue": {}}
        with self.gateway(teams=teams) as gateway:
            admin = Admin(gateway)
            status, problem = admin.refusal("PATCH", "/teams/red", {"limits": {"rpm": 50}})
            self.assertEqual((status, problem["code"]), (409, "owned_by_file"))
            self.assertRegex(problem["place"], r"tollgate\.yaml:[0-9]+$")
            self.assertEqual(admin.refusal("PATCH", "/teams/red", {"budget": [{"usd": "20", "per": "month"}]})[0], 409)
            admin.good("PATCH", "/teams/red", {"limits": {"rpm": {"raise": {"by": 60, "until": "2099-01-01"}}, "concurrency": 7}})
            admin.good("PATCH", "/teams/red", {"budget": [{"per": "month", "raise": {"by": "5", "until": "2099-01-01"}}, {"usd": "1", "per": "day"}]})
            eventually(lambda: self.limit(gateway, RED, "team", "rpm")["limit_value"] == 100, "the raise is in force")
            self.assertEqual(self.limit(gateway, RED, "team", "concurrency")["limit_value"], 7)
            budgets = [row["limit_usd"] for row in self.me(gateway, RED)["limits"] if row["limit"] == "budget"]
            self.assertEqual(sorted(budgets), ["1.00", "15.00"])
            admin.good("PATCH", "/orgs/default", {"limits": {"rpm": 3}})
            eventually(lambda: self.limit(gateway, BLUE, "org", "rpm")["limit_value"] == 3, "the org's limit is in force")
            self.assertIn(429, [self.ask(gateway, BLUE).status for _ in range(5)])
            admin.good("PATCH", "/orgs/default", {"limits": None})
            eventually(lambda: self.ask(gateway, BLUE).status == 200, "the org's limit is gone")
            admin.good("PATCH", "/models/mock-*", {"limits": {"rpm": 1}})
            eventually(lambda: self.ask(gateway, BLUE).status == 429, "the model's limit is in force")
            gateway.kill()
            gateway.start()
            gateway.await_ready(gateway.is_ready)
            self.assertEqual(self.limit(gateway, RED, "team", "rpm")["limit_value"], 100)
            self.assertIn("changed", admin.good("GET", "/teams/red"))
            self.assertEqual(admin.refusal("PATCH", "/teams/nobody", {"limits": {"rpm": 1}})[0], 404)
            self.assertEqual(admin.refusal("PATCH", "/teams/red", {"org": "other"})[0], 400)

    def test_a_running_stream_is_settled_against_the_changed_counter(self):
        with self.gateway() as gateway:
            admin = Admin(gateway)
            made = admin.good("POST", "/keys", {"team": "red", "limits": {"concurrency": 5}}, status=201)
            secret, path = made["secret"], f"/keys/{made['id']}"
            with Connection("127.0.0.1", gateway.api_port) as connection:
                connection.request("POST", CHAT, headers=bearer(secret, content_type="application/json"), body=json.dumps(chat("x", "mock-slow-60000", stream=True)).encode())
                eventually(lambda: self.limit(gateway, secret, "key", "concurrency")["used"] == 1, "the stream runs")
                admin.good("PATCH", path, {"limits": {"concurrency": 1}})
                eventually(lambda: self.limit(gateway, secret, "key", "concurrency")["limit_value"] == 1, "the limit is lowered")
                self.assertEqual(self.ask(gateway, secret).status, 429)
            eventually(lambda: self.limit(gateway, secret, "key", "concurrency")["used"] == 0, "the stream's slot is free again")
            eventually(lambda: self.ask(gateway, secret).status == 200, "one request at once")


class Reading(AdminCase):
    def test_usage_and_reload(self):
        with self.gateway() as gateway:
            admin = Admin(gateway)
            self.assertEqual(self.ask(gateway, BLUE).status, 200)
            rows = eventually(lambda: admin.good("GET", "/usage?by=team,key&since=1d")["data"], "the request is in the table")
            self.assertEqual((rows[0]["team"], rows[0]["key"], rows[0]["requests"]), ("blue", "k_blue1", 1))
            self.assertEqual(admin.good("GET", "/usage?by=team&team=red")["data"], [])
            self.assertEqual(admin.refusal("GET", "/usage?tem=red")[0], 400)
            self.assertEqual(admin.refusal("GET", "/usage?by=nothing")[0], 400)
            self.assertTrue(admin.good("POST", "/reload")["ok"])
            gateway.write_config("version: 7\n")
            status, problem = admin.refusal("POST", "/reload")
            self.assertEqual(status, 422)
            self.assertIn("tollgate.yaml:1", problem["detail"])
            self.assertEqual(self.ask(gateway, BLUE).status, 200)


class CommandLine(AdminCase):
    """`tollgate keys` and `tollgate audit`, beside a gateway and without one."""

    def run_command(self, gateway, *words, code=0):
        done = subprocess.run([find_binary("tollgate", [".", "gateway"]), *words[:2], "-c", gateway.config_path, *words[2:]], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def as_json(self, gateway, *words):
        return json.loads(self.run_command(gateway, *words, "-o", "json").stdout)

    def walk_through(self, gateway, use):
        """Makes, lists, rotates, disables, enables and deletes a key; `use(secret)` is the status a request gets."""
        made = self.run_command(gateway, "keys", "create", "--id", "k_cli", "--team", "blue", "--rpm", "500", "--budget", "5/day", "--model", "mock-*", "--alias", "from a shell")
        secret = made.stdout.strip()
        self.assertRegex(secret, r"^tg_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}$")
        self.assertNotIn(secret, made.stderr)
        shown = self.as_json(gateway, "keys", "show", "k_cli")
        self.assertEqual((shown["limits"], shown["budget"][0]["usd"], shown["models"]), ({"rpm": {"limit": 500}}, "5", ["mock-*"]))
        self.assertIn("k_cli", [key["id"] for key in self.as_json(gateway, "keys", "list", "--team", "blue")])
        self.assertRegex(self.run_command(gateway, "keys", "list").stdout, r"(?m)^k_cli +blue +active +store +from a shell")
        use(secret, 200)
        rotated = self.as_json(gateway, "keys", "rotate", "k_cli")["secret"]
        use(rotated, 200)
        use(secret, 401)
        self.run_command(gateway, "keys", "disable", "k_cli")
        use(rotated, 401)
        self.run_command(gateway, "keys", "enable", "k_cli")
        use(rotated, 200)
        refused = self.run_command(gateway, "keys", "rotate", "k_red1", code=1)
        self.assertRegex(refused.stderr, r"tollgate\.yaml:[0-9]+")
        self.assertIn("did you mean", self.run_command(gateway, "keys", "create", "--settings", '{"aliass":"x"}', code=1).stderr)
        self.run_command(gateway, "keys", "create", "--budget", "5", code=2)
        self.run_command(gateway, "keys", "delete", "k_cli")
        use(rotated, 401)
        self.run_command(gateway, "keys", "show", "k_cli", code=1)

    def test_a_running_gateway_does_what_the_command_line_asks(self):
        models = {"mock-*": {"upstreams": [{"provider": "mock"}], "max_output": 1000, "price": {"input": "1", "output": "1"}}}
        with self.gateway(models=models) as gateway:

            def use(secret, status):
                eventually(lambda: self.ask(gateway, secret).status == status, f"a request gets {status}")

            self.walk_through(gateway, use)
            self.assertIn("6 entries, none altered", self.run_command(gateway, "audit", "verify").stdout)

    def test_without_a_gateway_the_store_is_changed_and_the_next_start_knows(self):
        with self.gateway() as gateway:
            gateway.stop()
            self.walk_through(gateway, lambda secret, status: None)
            kept = self.run_command(gateway, "keys", "create", "--team", "red").stdout.strip()
            self.run_command(gateway, "keys", "disable", "k_blue1")
            gateway.start()
            gateway.await_ready(gateway.is_ready)
            self.assertEqual(self.ask(gateway, kept).status, 200)
            self.assertEqual(self.ask(gateway, BLUE).status, 401)
            actors = {entry["actor"]["type"] for entry in Admin(gateway).good("GET", "/audit")["data"]}
            self.assertEqual(actors, {"cli"})

    def test_a_gateway_without_an_admin_listener_keeps_its_store(self):
        with Tollgate(rendered(settings(self.mock.url))) as gateway:
            self.assertIn("in use by process", self.run_command(gateway, "keys", "list", code=1).stderr)
            self.assertFalse((gateway.store / "admin-token").exists())

    def test_tampering_with_the_log_is_found(self):
        with self.gateway() as gateway:
            self.assertIn("0 entries", self.run_command(gateway, "audit", "verify").stdout)
            admin = Admin(gateway)
            for alias in ("a", "b", "c"):
                admin.good("POST", "/keys", {"alias": alias}, status=201)
            last = admin.good("GET", "/audit?limit=1")["data"][0]["hash"]
            self.assertIn(last, self.run_command(gateway, "audit", "verify").stdout)
            gateway.stop()
            with contextlib.closing(sqlite3.connect(gateway.store / "tollgate.db")) as database:
                database.execute("UPDATE audit SET record = replace(record, '\"ok\"', '\"no\"') WHERE number = 2")
                database.execute("DELETE FROM audit WHERE number = 3")
                database.commit()
            found = self.run_command(gateway, "audit", "verify", code=1)
            self.assertIn("entry 2 is not what was written", found.stdout)
            self.assertIn("ends with entry 2, its head is of entry 3", found.stdout)


if __name__ == "__main__":
    unittest.main()
