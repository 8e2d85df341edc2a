"""SIGTERM with work in hand: T10, F75, F76 at the size of a test; tests/load/drain runs the full one."""

import asyncio
import pathlib
import signal
import sys
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "load"))

from common_b import CHAT, RED, Case, bearer, chat, eventually, log_lines, rendered, settings
from drain_scenario import check_cut, check_finished, drain
from hostile import SLACK
from tollgate_test import Connection, PeerClosed, Tollgate, find_binary

# Seconds; a sanitized gateway is slow, and who is still sending when they are over has come too late.
DELAY = 2 if SLACK == 1 else 10
HUNG = "mock-tokens-30:hang-after-2"


class Load(Case):
    def drained(self, delay, timeout):
        return settings(self.mock.url, drain={"delay": delay, "timeout": timeout})

    def test_500_streams_and_300_requests_a_second_end_whole(self):
        with Tollgate(rendered(self.drained(f"{DELAY}s", "60s"))) as gateway:
            drained = asyncio.run(
                drain(
                    gateway,
                    RED,
                    streams=500,
                    stream_model="mock-tokens-25:pace-200",  # about 5 s
                    short_model="mock-plain",
                    rate=300,
                    delay=DELAY,
                )
            )
            check_finished(self, gateway, drained)

    def test_drain_timeout_tells_every_stream_before_it_closes(self):
        with Tollgate(rendered(self.drained("2s", "1s"))) as gateway:
            drained = asyncio.run(
                drain(
                    gateway,
                    RED,
                    streams=100,
                    stream_model="mock-tokens-3000:pace-200",
                    short_model="mock-plain",
                    rate=100,
                    delay=2,
                )
            )
            check_cut(self, gateway, drained)
            self.assertGreaterEqual(drained.ended_at - drained.signalled_at, 2.9)

    def test_second_signal_ends_within_a_second_or_so_and_tells_as_well(self):
        with Tollgate(rendered(self.drained("2s", "600s"))) as gateway:
            drained = asyncio.run(
                drain(
                    gateway,
                    RED,
                    streams=100,
                    stream_model="mock-tokens-3000:pace-200",
                    short_model="mock-plain",
                    rate=100,
                    delay=2,
                    second_signal_after=1.5,
                )
            )
            check_cut(self, gateway, drained)
            self.assertLess(drained.ended_at - drained.signalled_at, 2 + 10)


class SilentNameServers(Case):
    """A look-up that the system does not end holds up neither clients nor the stop."""

    NAMES = 12  # more than the resolver has threads: some look-ups have not begun

    def start(self, timeout):
        config = settings(self.mock.url, drain={"delay": "0s", "timeout": timeout})
        for i in range(self.NAMES):
            config["providers"][f"p{i}"] = {**config["providers"]["mock"], "base_url": f"http://p{i}.silent/v1"}
            del config["providers"][f"p{i}"]["default_for"]
            config["models"][f"m{i}"] = {"upstreams": [{"provider": f"p{i}"}], "timeouts": {"connect": "60s"}}
        self.gateway = self.enterContext(
            Tollgate(rendered(config), env={"LD_PRELOAD": str(find_binary("libsilent_names.so", ["tests/integration"]))})
        )
        self.connections = []
        for i in range(self.NAMES):
            connection = self.enterContext(Connection("127.0.0.1", self.gateway.api_port))
            connection.request("POST", CHAT, bearer(RED), chat(self.prompt, f"m{i}"))
            self.connections.append(connection)
        eventually(lambda: self.calls() == self.NAMES, "all of them wait for a name")

    def calls(self):
        return self.gateway.metrics().sum("tollgate_upstream_connections", state="active")

    def check_told(self):
        for connection in self.connections:
            answer = connection.read_response()
            self.assertEqual(answer.status, 503)
            self.assertEqual(answer.json()["error"]["tollgate"]["error_type"], "gateway_shutdown")
        self.assertEqual(self.gateway.child.wait(10), 0, self.gateway.log)
        lines = log_lines(self.gateway, "tollgate.access")
        logged = [line for line in lines if line.get("error.type") == "gateway_shutdown"]
        self.assertEqual(len(logged), self.NAMES, "the access log was written to its end")
        self.assertIn('"message":"stopped"', self.gateway.log)

    def test_stop_tells_who_waits_and_ends(self):
        self.start("300ms")
        self.gateway.signal(signal.SIGTERM)
        self.check_told()

    def test_second_signal_ends_it_at_once(self):
        self.start("600s")
        self.gateway.signal(signal.SIGTERM)
        eventually(lambda: "draining" in self.gateway.log, "the first was taken")
        self.gateway.signal(signal.SIGTERM)
        self.check_told()

    def test_client_that_leaves_waits_for_no_name(self):
        self.start("300ms")
        for connection in self.connections:
            connection.close()
        eventually(lambda: self.calls() == 0, "nothing of them is left")


class Cut(Case):
    """What each kind of request is told when drain.timeout runs out."""

    def setUp(self):
        super().setUp()
        self.gateway = self.enterContext(
            Tollgate(rendered(settings(self.mock.url, drain={"delay": "0s", "timeout": "300ms"})))
        )

    def open(self, path, body, *, raw=None):
        connection = self.enterContext(Connection("127.0.0.1", self.gateway.api_port))
        if raw is None:
            connection.request("POST", path, bearer(RED), body)
        else:
            connection.send(raw)
        return connection

    def stop(self):
        self.gateway.signal(signal.SIGTERM)
        self.assertEqual(self.gateway.child.wait(10), 0, self.gateway.log)

    def events_until_cut(self, connection):
        head = connection.read_head()
        self.assertEqual(head.status, 200)
        events = []
        with self.assertRaises(PeerClosed):  # the message is not ended: the answer is not whole
            for event in connection.sse(head):
                events.append(event)
        return events

    def test_chat_and_completions_streams_get_the_data_form(self):
        streams = {
            path: self.open(path, body)
            for path, body in (
                (CHAT, chat(self.prompt, HUNG, stream=True)),
                ("/v1/completions", {"model": HUNG, "prompt": self.prompt, "stream": True}),
            )
        }
        self.mock.wait(requests=2)
        eventually(lambda: self.gateway.metrics().sum("tollgate_streams_open") == 2, "two streams")
        self.stop()
        for path, connection in streams.items():
            with self.subTest(path):
                events = self.events_until_cut(connection)
                self.assertGreater(len(events), 1)
                self.assertEqual(events[-1].event, "")
                error = events[-1].json()["error"]
                self.assertEqual(error["tollgate"]["error_type"], "gateway_shutdown")
                self.assertEqual(error["type"], "server_error")
                self.assertNotIn("[DONE]", [event.data for event in events])
                self.assertNotIn('"finish_reason":"stop"', "".join(event.data for event in events))

    def test_responses_streams_get_the_event_form(self):
        connection = self.open(
            "/v1/responses", {"model": HUNG, "input": self.prompt, "stream": True, "store": False}
        )
        self.mock.wait(requests=1)
        eventually(lambda: self.gateway.metrics().sum("tollgate_streams_open") == 1, "a stream")
        self.stop()
        events = self.events_until_cut(connection)
        self.assertEqual(events[-1].event, "error")
        self.assertEqual(events[-1].json()["error"]["tollgate"]["error_type"], "gateway_shutdown")
        self.assertNotIn("response.completed", [event.event for event in events])

    def test_requests_that_wait_or_are_still_being_sent_get_an_answer(self):
        waiting = self.open(CHAT, chat(self.prompt, "mock-hang"))
        self.mock.wait(requests=1)
        head = f"POST {CHAT} HTTP/1.1\r\nhost: g\r\nauthorization: Bearer {RED}\r\ncontent-type: application/json\r\n"
        sending = self.open(CHAT, None, raw=f"{head}content-length: 1000\r\n\r\n{{".encode())
        chunked = self.open(CHAT, None, raw=f"{head}transfer-encoding: chunked\r\n\r\n1\r\n{{\r\n".encode())
        eventually(lambda: self.gateway.metrics().sum("tollgate_listener_connections", listener="api") == 3, "three connections")
        self.stop()
        for connection in (waiting, sending, chunked):
            response = connection.read_response()
            self.assert_error(response, 503, "gateway_shutdown")
            self.assertEqual(response.header("connection"), "close")
            self.assertEqual(response.header("retry-after"), "1")
        lines = log_lines(self.gateway, "tollgate.access")
        self.assertEqual(
            [(line["error.type"], line["http.response.status_code"]) for line in lines], [("gateway_shutdown", 503)] * 3
        )

    def test_client_that_does_not_read_holds_nothing_up(self):
        connection = self.open(CHAT, chat(self.prompt, "mock-tokens-3000000", stream=True))
        eventually(lambda: self.gateway.metrics().sum("tollgate_streams_open") == 1, "a stream")
        begun = time.monotonic()
        self.stop()
        self.assertLess(time.monotonic() - begun, 10)
        [line] = log_lines(self.gateway, "tollgate.access")
        self.assertEqual((line["error.type"], line["tollgate.outcome"]), ("gateway_shutdown", "gateway_error"))
        connection.close()


if __name__ == "__main__":
    unittest.main()
