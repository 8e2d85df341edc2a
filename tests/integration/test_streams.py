"""Event streams: every octet of the provider's events, at once, and an honest end."""

import json
import threading
import time
import unittest

from common import CHAT, GatewayTest, bearer, chat, poll, support
from hostile import SLACK

RESPONSES = "/v1/responses"


def question(model, **extra):
    return {"model": model, "input": "Hello", "stream": True, "store": False, **extra}


class Passing(GatewayTest):
    def test_events_are_the_providers_octets(self):
        bodies = [
            (CHAT, chat("mock-tokens-50", stream=True, n=2, stream_options={"include_usage": True})),
            (CHAT, chat("mock-size-200000", stream=True)),
            ("/v1/completions", {"model": "gpt-4o-mini", "prompt": "Hello", "stream": True}),
        ]
        for path, body in bodies:
            direct = self.direct(path, body)
            connection, head = self.stream(None, path=path, body=body)
            self.assertEqual(b"".join(connection.body_pieces(head)), direct.body)
            self.assertTrue(direct.body.endswith(b"data: [DONE]\n\n"))

    def test_responses_events(self):
        connection, head = self.stream(None, path=RESPONSES, body=question("mock-tokens-20"))
        events = list(connection.sse(head))
        self.assertEqual([event.json()["sequence_number"] for event in events], list(range(len(events))))
        self.assertEqual((events[0].event, events[-1].event), ("response.created", "response.completed"))

    def test_head_of_a_stream(self):
        _, head = self.stream("mock-tokens-2")
        self.assertEqual(head.header("transfer-encoding"), "chunked")
        self.assertEqual(head.header("x-accel-buffering"), "no")
        self.assertIsNone(head.header("connection"))
        line, fields = self.head_lines(self.mock.requests()[0])
        self.assertIn(("Accept", "text/event-stream"), fields, line)

    def test_each_event_leaves_at_once(self):
        """Each arrives before the provider has sent the next one."""
        connection, head = self.stream("mock-tokens-10:pace-60:stamp")
        events = list(connection.sse(head))
        sent = self.mock.last_stream_times()["times_ns"]
        self.assertEqual(len(events), len(sent))
        for number, (event, following) in enumerate(zip(events, sent[1:-2])):
            self.assertGreater(event.arrived_ns, sent[number])
            self.assertLess(event.arrived_ns, following, f"event {number} waited for its successor")

    def test_done_and_the_end_come_together(self):
        """Newer clients leave at [DONE] and drop a connection whose end is not there yet."""
        for model in ("mock-tokens-3", "mock-tokens-3:pace-5"):
            connection, _ = self.stream(model)
            while b"[DONE]" not in connection.buffer:
                self.assertTrue(connection.receive())
            self.assertEqual(bytes(connection.buffer[-21:]), b"data: [DONE]\n\n\r\n0\r\n\r\n")

    def test_the_connections_live_on(self):
        connection = self.connect()
        for _ in range(20):
            connection.request("POST", CHAT, bearer(), chat("mock-tokens-3", stream=True))
            *_, done = connection.sse(connection.read_head())
            self.assertEqual(done.data, "[DONE]")
        self.assertLessEqual(self.mock.stats()["connections_opened"], 1, "the upstream connection is used again")

    def test_case_309_error_events_pass(self):
        model = "mock-error-after-3"
        for path, body in ((CHAT, chat(model, stream=True)), (RESPONSES, question(model))):
            connection, head = self.stream(None, path=path, body=body)
            events = list(connection.sse(head))
            self.assertEqual(len(events), 4)
            self.assertIn("error", events[-1].data)
            self.assertNotIn("tollgate", events[-1].data, "it is the provider's own")


class Broken(GatewayTest):
    def broken_stream(self, model, *, path=CHAT, body=None):
        """The events up to the end, which must not look like one."""
        connection, head = self.stream(model, path=path, body=body)
        events = []
        with self.assertRaises(support.PeerClosed, msg=f"{model}: a clean end"):
            for event in connection.sse(head):
                events.append(event)
        self.assertNotIn("[DONE]", [event.data for event in events])
        return events

    def assert_gateway_error(self, event, word, text):
        error = event.json()["error"]
        self.assertEqual(error["tollgate"]["error_type"], word, event.data)
        self.assertIn(text, error["message"])
        return error

    def test_fault_11_13_death_of_the_provider(self):
        for model in ("mock-close-after-3", "mock-badchunk-after-3:pace-20"):
            *events, last = self.broken_stream(model)
            direct = self.direct(CHAT, chat("mock-tokens-9", stream=True)).body
            self.assertEqual(len(events), 3, model)
            shapes = [event.json()["object"] for event in events]
            self.assertEqual(shapes, ["chat.completion.chunk"] * 3, direct[:100])
            self.assert_gateway_error(last, "provider_stream_broken", 'Provider "mock" broke off')
            self.assertEqual(self.mock.stats()["requests"], 0, "never a second call after the first event")

    def test_fault_11_in_the_responses_dialect(self):
        *events, last = self.broken_stream(None, path=RESPONSES, body=question("mock-close-after-3"))
        self.assertEqual(len(events), 3)
        self.assertEqual((last.event, last.json()["type"]), ("error", "error"))
        self.assert_gateway_error(last, "provider_stream_broken", "broke off")
        self.assertNotIn("response.completed", [event.event for event in events])

    def test_case_309_no_done(self):
        *events, last = self.broken_stream("mock-tokens-3:nodone")
        self.assertEqual(events[-1].json()["choices"][0]["finish_reason"], "stop")
        self.assert_gateway_error(last, "provider_stream_broken", "before the end")

    def test_fault_9_silence_names_the_idle_clock(self):
        started = time.monotonic()
        *events, last = self.broken_stream("quick:hang-after-3")
        self.assertLess(time.monotonic() - started, 4.0)
        self.assertEqual(len(events), 3)
        self.assert_gateway_error(last, "provider_timeout", "the idle timeout ran out")
        self.mock.wait(aborted=1)

    def test_fault_10_drip_ends_with_the_total_clock(self):
        *events, last = self.broken_stream("short:tokens-1000:pace-50")
        self.assertGreater(len(events), 3)
        self.assert_gateway_error(last, "provider_timeout", "the total timeout ran out")
        self.mock.wait(aborted=1)

    def test_pace_below_the_idle_clock_is_fine(self):
        connection, head = self.stream("quick:tokens-5:pace-250")
        *_, done = connection.sse(head)
        self.assertEqual(done.data, "[DONE]")


class SlowReader(GatewayTest):
    SIZE = 100_000_000
    ROOM = 16 << 20  # octets the gateway may grow by; both kernels' socket buffers are not its own

    def sent_so_far(self):
        return len(self.mock.last_stream_times()["times_ns"])

    def standstill(self):
        """Waits until the provider cannot send any more."""
        seen = [-1]

        def quiet():
            before = self.sent_so_far()
            time.sleep(0.1)  # the length of the observation, not a wait for a condition
            seen.append(before)
            return before == self.sent_so_far() > 0 and before

        return poll(quiet, "the upstream is held back", timeout=20)

    def test_fault_72_case_235_bounded_and_resumed(self):
        before = self.gateway.resident_octets()
        connection, head = self.stream(f"mock-size-{self.SIZE}", timeout=60)
        pieces = connection.body_pieces(head)
        next(pieces)
        paused_at = self.standstill()
        self.assertLess(paused_at, self.SIZE // 1024 // 2, "most is not sent yet")
        self.assertLess(self.gateway.resident_octets() - before, self.ROOM * SLACK)
        other = self.ask("mock-plain")
        self.assertEqual(other.status, 200, "others are served meanwhile")
        total, tail = 0, b""
        for piece in pieces:
            total += len(piece)
            tail = (tail + piece)[-40:]
        self.assertGreater(total, self.SIZE)
        self.assertTrue(tail.endswith(b"data: [DONE]\n\n"), tail)
        self.assertLess(self.gateway.resident_octets() - before, self.ROOM * SLACK)

    def test_a_slow_reader_that_leaves(self):
        connection, _ = self.stream(f"mock-size-{self.SIZE}")
        self.standstill()
        left = time.monotonic_ns()
        connection.reset()
        self.assertLess(self.mock.wait(aborted=1)["last_abort_ns"] - left, 500_000_000)

    def test_large_answer_without_a_stream(self):
        before = self.gateway.resident_octets()
        response = self.ask("mock-size-40000000")
        self.assertEqual(response.status, 200)
        self.assertEqual(len(response.json()["choices"][0]["message"]["content"]), 40_000_000)
        self.assertLess(self.gateway.resident_octets() - before, self.ROOM * SLACK)


class Load(GatewayTest):
    def run_all(self, count, work):
        failures = []

        def guarded(number):
            try:
                work(number)
            except Exception as failure:  # noqa: BLE001: whatever it is, it is shown
                failures.append(f"{number}: {failure!r}")

        threads = [threading.Thread(target=guarded, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])

    def test_two_hundred_streams_at_once(self):
        def one(number):
            connection, head = self.stream("mock-tokens-20:pace-25", content=f"question {number}", timeout=60)
            *events, done = connection.sse(head)
            answers[number] = "".join(e.json()["choices"][0]["delta"].get("content", "") for e in events)
            assert done.data == "[DONE]", done

        answers = {}
        self.run_all(200, one)
        self.assertEqual(self.mock.stats()["completed"], 200)
        self.assertEqual(len(set(answers.values())), 200, "nobody got another one's answer")
        gauge = poll(lambda: self.gateway.metrics().sum("tollgate_streams_open") == 0, "no stream is open")
        self.assertTrue(gauge)

    def test_thousand_requests_on_fifty_connections(self):
        def one(number):
            with support.Connection("127.0.0.1", self.gateway.api_port, timeout=60) as connection:
                for turn in range(20):
                    stream = turn % 4 == 0
                    body = chat(f"mock-tokens-{number + 1}", content=f"{number} {turn}", stream=stream)
                    connection.request("POST", CHAT, bearer(), body)
                    if stream:
                        events = list(connection.sse(connection.read_head()))
                        assert (len(events), events[-1].data) == (number + 4, "[DONE]"), events
                        continue
                    response = connection.read_response()
                    assert response.status == 200, response
                    assert json.loads(response.body)["usage"]["completion_tokens"] == number + 1, response.body

        self.run_all(50, one)
        stats = self.mock.stats()
        self.assertEqual((stats["requests"], stats["completed"], stats["aborted"]), (1000, 1000, 0))
        self.assertLessEqual(stats["connections_opened"], 50)


if __name__ == "__main__":
    unittest.main()
