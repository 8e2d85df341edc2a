"""Budget alerts: each threshold once per period, as metric, log line and webhook, off the request path (limits-cache §2.3,
scenario 42; R15 to R17 for webhooks)."""

import hashlib
import hmac
import http.server
import json
import pathlib
import re
import ssl
import subprocess
import tempfile
import threading
import unittest

from common_b import eventually, find_binary, log_lines, rendered, settings
from test_addresses import HOSTS, SPELLINGS, Trap
from test_budgets import OUTPUT_ONLY, BudgetCase
from test_tls import make_certificate
from tollgate_test import free_port

SECRET = "webhook-secret-canary-3c9d7e51"
TOKEN = "webhook-token-canary-88aa10"
PATIENCE = 60.0  # for what comes after pauses of 1 s, 2 s, 4 s …
PASSED = "a budget has passed a threshold"


class Webhook(http.server.ThreadingHTTPServer):
    """Records every POST. `statuses` are used up one by one, then 200; while `open` is not set nobody is answered."""

    daemon_threads = True

    def __init__(self, port=0, statuses=(), headers=()):
        self.statuses, self.headers = list(statuses), headers
        self.received = []
        self.open = threading.Event()
        self.open.set()
        self.lock = threading.Lock()
        super().__init__(("127.0.0.1", port), Receiver)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hooks/1?token={TOKEN}"
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def __exit__(self, *_):
        self.open.set()
        self.shutdown()
        self.thread.join()
        self.server_close()

    def alerts(self):
        return [json.loads(body) for _, _, body in self.received]

    def handle_error(self, *_):
        pass  # a gateway that was killed or stopped waiting


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        with self.server.lock:
            self.server.received.append((self.path, self.headers, body))
            status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.open.wait()
        self.send_response(status)
        for name, value in self.server.headers:
            self.send_header(name, value)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


class AlertCase(BudgetCase):
    def alerting(self, url, usd="0.0002", **webhook):
        """Every request costs half of team red's budget, unless `usd` says otherwise. No calendar may end meanwhile."""
        budget = {"budget": {"usd": usd, "per": "lifetime", "mode": "soft"}}
        config = self.limited(team=budget, price=OUTPUT_ONLY)
        if url:
            config["alerts"] = {"webhook": {"url": url, "private": True, **webhook}}
        return config

    def spend(self, gateway):
        return self.ask(gateway=gateway, body=self.body("mock-tokens-100", max_tokens=100))

    def passed(self, gateway, **labels):
        return gateway.metrics().sum("tollgate_budget_alerts_total", **labels)

    def deliveries(self, gateway, result):
        return gateway.metrics().value("tollgate_alert_deliveries_total", result=result)

    def lines(self, gateway, message=PASSED):
        return [line for line in log_lines(gateway, "tollgate.log") if line["message"] == message]

    def awaited(self, gateway, count=1):
        return eventually(lambda: len(self.lines(gateway)) >= count and self.lines(gateway), "the alert's line")

    def delivered(self, gateway, count=1):
        eventually(lambda: self.deliveries(gateway, "delivered") >= count, "the delivery", PATIENCE)
        self.assertEqual(self.deliveries(gateway, "delivered"), count)

    def restart(self, gateway):
        gateway.start()
        gateway.await_ready(gateway.is_ready)


class Alerts(AlertCase):
    def test_scenario_42_a_hundred_settlements_across_80_percent_are_one_alert(self):
        with Webhook() as webhook, self.started(self.alerting(webhook.url, "0.0125", secret=SECRET)) as gateway:
            self.assertEqual(len(gateway.metrics().matching("tollgate_budget_alerts_total")), 7 * 4)
            statuses = self.together(gateway, 100, self.body("mock-slow-300:tokens-100", max_tokens=100), connections=100)
            self.assertEqual(statuses.count(200), 100)
            self.delivered(gateway, 2)
            first, second = sorted(webhook.alerts(), key=lambda alert: alert["percent"])
            self.assertEqual((first["percent"], second["percent"]), (50, 80))
            for percent in (50, 80):
                self.assertEqual(self.passed(gateway, scope="team", threshold=str(percent)), 1)
            self.assertEqual(self.passed(gateway), 2)
            self.assertEqual(len(self.awaited(gateway, 2)), 2)
            self.assertEqual(second["spent_usd"], "0.01")
            self.check_message(gateway, *webhook.received[-1])

    def check_message(self, gateway, path, headers, body):
        self.assertEqual(path, f"/hooks/1?token={TOKEN}")
        self.assertEqual(headers["content-type"], "application/json")
        self.assertRegex(headers["user-agent"], r"^tollgate/")
        time, signature = re.fullmatch(r"t=(\d+),v1=([0-9a-f]{64})", headers["x-tollgate-signature"]).groups()
        expected = hmac.new(SECRET.encode(), f"{time}.".encode() + body, hashlib.sha256).hexdigest()
        self.assertEqual(signature, expected)
        alert = json.loads(body)
        self.assertEqual(
            sorted(alert),
            ["at", "id", "limit_usd", "percent", "period", "scope", "spent_usd", "text", "type", "window"],
        )
        self.assertEqual(alert["type"], "budget_threshold")
        self.assertRegex(alert["id"], r"^alert_[0-9a-f]{32}$")
        self.assertRegex(alert["at"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(alert["scope"], {"kind": "team", "name": "red"})
        self.assertEqual((alert["window"], alert["period"]), ("lifetime", "lifetime"))
        self.assertEqual(alert["limit_usd"], "0.0125")
        self.assertNotIn(TOKEN, gateway.log)
        self.assertNotIn(SECRET, gateway.log)

    def test_without_a_webhook_metric_and_log_say_it(self):
        with self.started(self.alerting(None)) as gateway:
            for _ in range(3):
                self.spend(gateway)
            self.assertEqual([line["percent"] for line in self.awaited(gateway, 4)], ["50", "80", "90", "100"])
            self.assertEqual(self.passed(gateway, scope="team"), 4)
            self.assertEqual(gateway.metrics().sum("tollgate_alert_deliveries_total"), 0)

    def test_a_webhook_that_comes_back_gets_each_alert_once(self):
        port = free_port()
        with self.started(self.alerting(f"http://127.0.0.1:{port}/")) as gateway:
            self.spend(gateway)
            eventually(lambda: self.deliveries(gateway, "failed") >= 2, "two attempts", PATIENCE)
            with Webhook(port) as webhook:
                self.delivered(gateway)
                self.spend(gateway)
                self.delivered(gateway, 4)
                self.assertEqual([alert["percent"] for alert in webhook.alerts()], [50, 80, 90, 100])
                self.assertEqual(self.passed(gateway), 4)

    def test_what_is_not_taken_is_sent_again_with_the_same_id(self):
        with Webhook(statuses=[500, 429]) as webhook, self.started(self.alerting(webhook.url)) as gateway:
            self.spend(gateway)
            self.delivered(gateway)
            self.assertEqual(self.deliveries(gateway, "failed"), 2)
            self.assertEqual(len(webhook.received), 3)
            self.assertEqual(len({body for _, _, body in webhook.received}), 1)
            self.assertTrue(all(headers["x-tollgate-signature"] is None for _, headers, _ in webhook.received))

    def test_a_kill_between_crossing_and_delivery_loses_nothing_and_repeats_nothing(self):
        port = free_port()
        with self.started(self.alerting(f"http://127.0.0.1:{port}/")) as gateway:
            self.spend(gateway)
            alert = self.awaited(gateway)[0]["alert"]
            gateway.kill()
            with Webhook(port) as webhook:
                self.restart(gateway)
                self.delivered(gateway)
                self.assertEqual([one["id"] for one in webhook.alerts()], [alert])
                self.assertEqual(len(self.lines(gateway)), 1)
                self.assertEqual(self.passed(gateway), 0)
                gateway.kill()
                self.restart(gateway)
                self.spend(gateway)  # what comes next comes alone
                self.delivered(gateway, 3)
                self.assertEqual([one["percent"] for one in webhook.alerts()], [50, 80, 90, 100])

    def test_what_only_the_ledger_remembers_is_told_at_the_start(self):
        with Webhook() as webhook, self.started(self.alerting(None)) as gateway:
            self.spend(gateway)
            self.awaited(gateway)
            gateway.kill()
            for file in gateway.store.glob("alerts.db*"):
                file.unlink()
            gateway.write_config(rendered(self.alerting(webhook.url)))
            self.restart(gateway)
            self.delivered(gateway)
            self.assertEqual([one["percent"] for one in webhook.alerts()], [50])

    def test_a_slow_webhook_delays_no_request_and_no_stop(self):
        with Webhook() as webhook, self.started(self.alerting(webhook.url, timeout="5m")) as gateway:
            webhook.open.clear()
            self.spend(gateway)
            eventually(lambda: webhook.received, "the delivery")
            for _ in range(20):
                self.spend(gateway)
            self.assertEqual(len(self.awaited(gateway, 4)), 4)
            self.assertEqual((len(webhook.received), gateway.metrics().sum("tollgate_alert_deliveries_total")), (1, 0))
            self.assertEqual(gateway.stop(), 0)
            webhook.open.set()
            self.restart(gateway)
            self.delivered(gateway, 4)
            self.assertEqual(len({one["id"] for one in webhook.alerts()}), 4)

    def test_a_reload_sends_what_is_undelivered_to_the_new_address(self):
        with Webhook() as webhook, self.started(self.alerting(f"http://127.0.0.1:{free_port()}/")) as gateway:
            self.spend(gateway)
            eventually(lambda: self.deliveries(gateway, "failed") >= 1, "an attempt", PATIENCE)
            gateway.write_config(rendered(self.alerting(webhook.url)))
            gateway.reload()
            self.delivered(gateway)
            self.assertEqual([one["percent"] for one in webhook.alerts()], [50])


class Addresses(AlertCase):
    """Webhooks are called under the rules for providers (R15 to R17, T25)."""

    def failed(self, gateway):
        eventually(lambda: self.deliveries(gateway, "failed") >= 1, "an attempt", PATIENCE)
        self.assertEqual(self.deliveries(gateway, "delivered"), 0)

    def test_a_name_with_an_address_that_is_not_permitted_is_not_called(self):
        with Trap() as trap:
            config = self.alerting(f"http://localhost:{trap.port}/", cidr=["10.0.0.0/8"])
            with self.started(config) as gateway:
                self.spend(gateway)
                self.failed(gateway)
                self.assertEqual(trap.called(), [])
                line = self.lines(gateway, "a budget alert could not be delivered")[0]
                self.assertIn("must not be connected to", line["error"])

    def test_its_certificate_has_to_be_right(self):
        with tempfile.TemporaryDirectory() as folder:
            root, _ = make_certificate(pathlib.Path(folder), "root")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*make_certificate(pathlib.Path(folder), "hook", signer="root"))
            with Webhook() as webhook:
                webhook.socket = context.wrap_socket(webhook.socket, server_side=True)
                url = webhook.url.replace("http:", "https:")
                with self.started(self.alerting(url)) as gateway:
                    self.spend(gateway)
                    self.failed(gateway)
                    self.assertEqual(webhook.received, [])
                    gateway.write_config(rendered(self.alerting(url, ca_file=str(root))))
                    gateway.reload()
                    self.delivered(gateway)

    def test_redirects_are_not_followed(self):
        with Trap() as trap:
            location = [("location", f"http://127.0.0.1:{trap.port}/")]
            with Webhook(statuses=[307], headers=location) as webhook, self.started(self.alerting(webhook.url)) as gateway:
                self.spend(gateway)
                self.delivered(gateway)
                self.assertEqual(len(webhook.received), 2)
                self.assertEqual(trap.called(), [])

    def test_addresses_that_are_not_public_are_refused_in_the_configuration(self):
        binary = find_binary("tollgate", [".", "gateway"])
        urls = [f"https://{host}:{9}/hook" for host in HOSTS] + [url.format(trap="127.0.0.1:9") for url in SPELLINGS]
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, "file.yaml")
            for url in urls:
                config = settings("https://api.example.com")
                config["listen"], config["store"] = {"api": "127.0.0.1:8080"}, {"path": "./store"}
                config["providers"]["mock"]["private"] = False
                config["alerts"] = {"webhook": {"url": url}}
                file.write_text(rendered(config))
                done = subprocess.run([binary, "config", "check", file], capture_output=True, text=True, timeout=10)
                self.assertEqual(done.returncode, 1, f"{url!r} {done.stdout} {done.stderr}")
                self.assertRegex(done.stderr, r"error\[E0[12]", url)
                self.assertIn("alerts", done.stderr, url)


if __name__ == "__main__":
    unittest.main()
