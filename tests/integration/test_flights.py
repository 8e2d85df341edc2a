"""One question, one call: identical requests that run at the same time share one upstream call (limits-cache §3.7,
scenarios 77 to 90)."""

import json
import unittest

from common_b import BLUE, CHAT, RED, RED_TWO, Case, access_line, bearer, chat, eventually, rendered, settings
from stage import Crowd, Stage
from tollgate_test import Metrics, Tollgate, call as http_call

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "shared"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    }
).encode()


def delta(text, role=None, finish_reason=None):
    said = {"role": role, "content": text} if role else {} if finish_reason else {"content": text}
    choice = {"index": 0, "delta": said, "finish_reason": finish_reason}
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}


class FlightCase(Case):
    """Each test has a provider of its own that answers when told, and a gateway in front of it."""

    SECTIONS = {"cache": {"enabled": True, "max_entry": "64KiB"}}

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.stage = self.enterContext(Stage())
        self.gateway = self.enterContext(Tollgate(rendered(self.config_of(self.stage.url))))
        self.crowd = self.enterContext(Crowd())
        self.prompt = f"prompt of {self.id()}"

    def config_of(self, url):
        config = settings(url, **self.SECTIONS)
        config["models"]["mock-plain"] = {"upstreams": [{"provider": "mock"}], "max_output": 64}
        return config

    def invite(self, count, key=RED, gateway=None, headers=None, **fields):
        body = chat(self.prompt, **fields)
        gateway = gateway or self.gateway
        return self.crowd.add(gateway.api_port, CHAT, {**bearer(key), **(headers or {})}, body, count)

    def await_running(self, count, gateway=None, operation="chat"):
        """So many requests are being served, so that they have joined whatever runs."""
        gateway = gateway or self.gateway
        eventually(
            lambda: self.running(gateway, operation) == count, f"{count} requests in flight; {self.crowd.summary()}", timeout=20
        )

    def running(self, gateway, operation="chat"):
        scrape = Metrics(http_call("GET", f"{gateway.metrics_url}/metrics").body.decode())
        return int(scrape.value("tollgate_requests_in_flight", operation=operation))

    def assert_all(self, guests, body, status=200):
        for guest in guests:
            self.assertEqual(guest.status, status, bytes(guest.received[:600]))
            self.assertTrue(guest.complete, bytes(guest.received[-200:]))
            self.assertEqual(guest.body, body)

    def collapsed(self, guests):
        return sum("cache-status: tollgate; fwd=miss; collapsed" in guest.head for guest in guests)


class Json(FlightCase):
    def test_a_thousand_identical_requests_are_one_call(self):  # scenario 77
        guests = self.invite(1000)
        call = self.stage.next()
        self.await_running(1000)
        call.answer(ANSWER)
        self.crowd.finish()
        self.assert_all(guests, ANSWER)
        self.assertEqual(self.stage.count, 1)
        self.assertEqual(self.collapsed(guests), 999)
        looked_up = self.gateway.metrics().value("tollgate_cache_lookups_total", tier="memory", result="collapsed")
        self.assertEqual(looked_up, 999)
        again = self.crowd.finish(self.invite(1))
        self.assertIn("cache-status: tollgate; hit", again[0].head)
        self.assertEqual(self.stage.count, 1)

    def test_followers_are_told_and_cost_nothing(self):
        guests = self.invite(2)
        call = self.stage.next()
        self.await_running(2)
        call.answer(ANSWER)
        self.crowd.finish()
        follower = next(guest for guest in guests if "collapsed" in guest.head)
        leader = next(guest for guest in guests if guest is not follower)
        self.assertIn("cache-status: tollgate; fwd=miss; stored", leader.head)
        self.assertIn("x-tollgate-cost-usd: 0.00\r\n", follower.head)
        self.assertIn("x-tollgate-upstream: mock", follower.head)
        ids = [line for guest in guests for line in guest.head.split("\r\n") if line.startswith("x-request-id")]
        self.assertEqual(len(set(ids)), 2)
        line = access_line(self.gateway, "req_" + next(i for i in ids if i in follower.head).split("_")[1].upper())
        self.assertEqual(line["tollgate.cache"], "collapsed")

    def test_other_questions_and_other_tenants_do_not_join(self):
        self.invite(1)
        self.invite(1, key=BLUE)
        self.invite(1, temperature=0.5)
        calls = [self.stage.next() for _ in range(3)]
        for call in calls:
            call.answer(ANSWER)
        self.assert_all(self.crowd.finish(), ANSWER)

    def test_identical_embeddings_share(self):
        answer = {
            "object": "list",
            "data": [{"object": "embedding", "index": i, "embedding": [0.5, i]} for i in range(2)],
            "model": "m",
            "usage": {"prompt_tokens": 4, "total_tokens": 4},
        }
        body = {"model": "text-embedding-3-small", "input": [self.prompt, "b"]}
        self.crowd.add(self.gateway.api_port, "/v1/embeddings", bearer(RED), body, 20)
        call = self.stage.next()
        self.await_running(20, operation="embeddings")
        call.answer(json.dumps(answer).encode())
        guests = self.crowd.finish()
        self.assertEqual({guest.status for guest in guests}, {200})
        self.assertEqual([guest.body_json()["data"] for guest in guests], [answer["data"]] * 20)
        self.assertEqual(self.stage.count, 1)

    def test_no_store_and_no_cache_do_not_join(self):
        self.invite(1)
        self.invite(1, headers={"cache-control": "no-store"})
        self.invite(1, headers={"cache-control": "no-cache"})
        for call in [self.stage.next() for _ in range(3)]:
            call.answer(ANSWER)
        self.assert_all(self.crowd.finish(), ANSWER)

    def test_a_bad_request_is_refused_once_for_all(self):  # scenario 85
        refusal = b'{"error":{"message":"no","type":"invalid_request_error"}}'
        guests = self.invite(20)
        call = self.stage.next()
        self.await_running(20)
        call.answer(refusal, "400 Bad Request")
        self.crowd.finish()
        self.assert_all(guests, refusal, 400)
        self.assertEqual(self.stage.count, 1)

    def test_failing_calls_are_repeated_twice_and_then_shared(self):  # scenario 84
        guests = self.invite(50)
        for turn in range(3):
            call = self.stage.next()
            if turn == 0:
                self.await_running(50)
            call.answer(b'{"error":{"message":"down"}}', "500 Internal Server Error")
        self.crowd.finish()
        self.assertEqual({guest.status for guest in guests}, {502})
        self.assertEqual(self.stage.count, 3)
        after = self.invite(1)
        self.stage.next().answer(ANSWER)  # nothing of it is remembered
        self.assert_all(self.crowd.finish(after), ANSWER)

    def test_a_call_that_fails_is_made_again_by_another(self):  # scenario 84
        guests = self.invite(10)
        first = self.stage.next()
        self.await_running(10)
        first.answer(b"{}", "503 Service Unavailable")
        self.stage.next().answer(ANSWER)
        self.crowd.finish()
        self.assertEqual(sorted(guest.status for guest in guests), [200] * 9 + [503])

    def test_what_cannot_be_kept_is_not_waited_for(self):  # scenario 86
        cut = json.loads(ANSWER)
        cut["choices"][0]["finish_reason"] = "length"
        cut = json.dumps(cut).encode()
        first = self.invite(2)
        call = self.stage.next()
        self.await_running(2)
        call.answer(cut)
        self.assert_all(self.crowd.finish(first), cut)
        guests = self.invite(20)
        calls = [self.stage.next() for _ in range(20)]  # all of them at once, none answered
        for call in calls:
            call.answer(cut)
        self.assert_all(self.crowd.finish(guests), cut)

    def test_the_leader_leaves_and_the_others_are_served(self):  # scenario 80
        leader = self.invite(1)
        call = self.stage.next()
        followers = self.invite(5)
        self.await_running(6)
        leader[0].socket.close()
        leader[0].ended = True
        call.answer(ANSWER)
        self.crowd.finish(followers)
        self.assert_all(followers, ANSWER)
        self.assertEqual(self.stage.count, 1)
        self.assertIn("cache-status: tollgate; hit", self.crowd.finish(self.invite(1))[0].head)

    def test_everybody_leaves_and_the_call_ends(self):  # scenario 81
        self.invite(1)
        call = self.stage.next()
        self.invite(4)
        self.await_running(5)
        for guest in self.crowd.guests:
            guest.socket.close()
            guest.ended = True
        self.assertTrue(call.closed_within())
        eventually(lambda: self.running(self.gateway) == 0, "no request in flight")
        again = self.invite(1)
        self.stage.next().answer(ANSWER)
        self.assert_all(self.crowd.finish(again), ANSWER)
        self.assertNotIn("hit", again[0].head)

    def test_a_follower_leaves_and_nobody_notices(self):  # scenario 82
        self.invite(1)
        call = self.stage.next()
        rest = self.invite(5)
        self.await_running(6)
        rest[0].socket.close()
        rest[0].ended = True
        eventually(lambda: self.running(self.gateway) == 5, "5 requests in flight")
        call.answer(ANSWER)
        self.crowd.finish()
        self.assert_all([guest for guest in self.crowd.guests if guest is not rest[0]], ANSWER)
        self.assertEqual(self.stage.count, 1)


class Streams(FlightCase):
    def begin(self, followers):
        """A leader and its followers, and the call they share."""
        self.leader = self.invite(1, stream=True)[0]
        self.call = self.stage.next()
        self.followers = self.invite(followers, stream=True)
        self.await_running(followers + 1)

    def test_followers_get_the_events_as_they_come(self):  # scenario 77
        self.begin(40)
        self.call.begin_stream()
        sent = b""
        for text in ("one", "two"):
            sent += self.call.send_event(delta(text))
            self.crowd.read_until(lambda: all(guest.body == sent for guest in self.crowd.guests))
        late = self.invite(5, stream=True)  # joins a running stream and gets it from its first event
        self.crowd.read_until(lambda: all(guest.body == sent for guest in self.crowd.guests))
        sent += self.call.send_event(delta("", finish_reason="stop")) + self.call.end_stream()
        self.crowd.finish()
        self.assert_all(self.crowd.guests, sent)
        self.assertEqual(self.stage.count, 1)
        self.assertEqual(self.collapsed(self.followers + late), 45)

    def test_the_leader_leaves_in_the_middle(self):  # scenario 80
        self.begin(5)
        self.call.begin_stream()
        sent = self.call.send_event(delta("one"))
        self.crowd.read_until(lambda: all(guest.body == sent for guest in self.crowd.guests))
        self.leader.socket.close()
        self.leader.ended = True
        for _ in range(20):
            sent += self.call.send_event(delta("more"))
            self.crowd.read_until(lambda: all(guest.body == sent for guest in self.followers), self.followers)
        sent += self.call.end_stream()
        self.crowd.finish(self.followers)
        self.assert_all(self.followers, sent)
        self.assertEqual(self.stage.count, 1)

    def test_the_last_follower_leaves_after_the_leader(self):  # scenario 81
        self.begin(2)
        self.call.begin_stream()
        self.call.send_event(delta("one"))
        self.crowd.read_until(lambda: all(guest.body for guest in self.crowd.guests))
        for guest in self.crowd.guests:
            guest.socket.close()
            guest.ended = True
        self.assertTrue(self.call.closed_within())

    def test_a_broken_stream_ends_with_an_error_for_everybody(self):  # scenario 83, in one process
        self.begin(5)
        self.call.begin_stream()
        sent = self.call.send_event(delta("one"))
        self.crowd.read_until(lambda: all(guest.body == sent for guest in self.crowd.guests))
        self.call.break_off()
        self.crowd.finish()
        for guest in self.crowd.guests:
            self.assertTrue(guest.body.startswith(sent))
            self.assertIn(b'"provider_stream_broken"', guest.body)
            self.assertNotIn(b"[DONE]", guest.body)
            self.assertFalse(guest.complete)

    def test_who_does_not_read_holds_nobody_up(self):  # scenario 82
        self.begin(3)
        self.call.begin_stream()
        idle = [self.leader, self.followers[0]]
        awake = self.followers[1:]
        sent = b""
        piece = "x" * 16_000
        for _ in range(600):  # more than the kernel's buffers and the log hold
            sent += self.call.send_event(delta(piece))
            self.crowd.read_until(lambda: all(len(guest.received) >= len(sent) for guest in awake), awake)
        sent += self.call.end_stream()
        self.crowd.finish(awake)
        self.assert_all(awake, sent)
        grown = self.gateway.resident_octets()
        self.assertLess(grown, 300 << 20)
        for guest in idle:
            guest.socket.close()
            guest.ended = True

    def test_a_drain_ends_all_of_a_flight_with_an_error(self):
        self.begin(5)
        self.call.begin_stream()
        sent = self.call.send_event(delta("one"))
        self.crowd.read_until(lambda: all(guest.body == sent for guest in self.crowd.guests))
        self.gateway.signal(15)
        self.crowd.finish()
        for guest in self.crowd.guests:
            self.assertIn(b'"gateway_shutdown"', guest.body)
        self.assertEqual(self.gateway.child.wait(10), 0)


class Mixed(FlightCase):
    def config_of(self, url):
        config = super().config_of(url)
        config["providers"]["mock"]["stream_usage"] = True
        return config

    def told(self, guest):
        """The text of an answer of either form."""
        self.assertEqual(guest.status, 200, bytes(guest.received[:600]))
        self.assertTrue(guest.complete, bytes(guest.received[-200:]))
        if "application/json" in guest.head:
            return guest.body_json()["choices"][0]["message"]["content"]
        datas = [line[6:] for line in guest.body.decode().split("\n") if line.startswith("data: ")]
        self.assertEqual(datas.pop(), "[DONE]")
        chunks = [json.loads(data) for data in datas]
        return "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])

    def play(self, call):
        call.begin_stream()
        call.send_event(delta("", role="assistant"))
        for text in ("sha", "red"):
            call.send_event(delta(text))
        call.send_event(delta("", finish_reason="stop"))
        usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
        call.send_event({**delta(""), "choices": [], "usage": usage})
        call.end_stream()

    def test_a_thousand_half_of_them_streams_are_one_call(self):  # scenario 79
        self.invite(500)
        call = self.stage.next()
        self.invite(500, stream=True)
        self.await_running(1000)
        call.answer(ANSWER)
        guests = self.crowd.finish()
        self.assertEqual({self.told(guest) for guest in guests}, {"shared"})
        self.assertEqual(sum("text/event-stream" in guest.head for guest in guests), 500)
        self.assertEqual(self.stage.count, 1)

    def test_json_is_made_of_a_stream_that_others_follow_live(self):  # scenario 79
        streams = self.invite(1, stream=True)
        call = self.stage.next()
        streams += self.invite(20, stream=True)
        whole = self.invite(20)
        self.await_running(41)
        self.play(call)
        self.crowd.finish()
        self.assertEqual({self.told(guest) for guest in self.crowd.guests}, {"shared"})
        self.assertEqual(len({guest.body for guest in streams}), 1)
        self.assertNotIn(b'"usage"', streams[0].body)  # none of them asked for it
        for guest in whole:
            self.assertEqual(guest.body_json()["usage"]["total_tokens"], 5)
            self.assertEqual(guest.body_json()["object"], "chat.completion")
        self.assertEqual(self.stage.count, 1)

    def test_a_stream_with_usage_and_one_without_share(self):
        self.invite(1, stream=True)
        call = self.stage.next()
        asked = self.invite(5, stream=True, stream_options={"include_usage": True})
        self.await_running(6)
        self.play(call)
        self.crowd.finish()
        self.assertEqual({self.told(guest) for guest in self.crowd.guests}, {"shared"})
        for guest in asked:
            self.assertIn(b'"total_tokens":5', guest.body.replace(b" ", b""))
        self.assertEqual(self.stage.count, 1)

    def test_who_cannot_be_told_in_its_form_asks_for_itself(self):
        leader = self.invite(1, stream=True)
        call = self.stage.next()
        whole = self.invite(1)
        self.await_running(2)
        call.begin_stream()
        call.send_event(delta("unfinished"))  # no finish_reason: nothing that JSON could say
        call.end_stream()
        self.crowd.finish(leader)
        self.stage.next().answer(ANSWER)
        self.assert_all(self.crowd.finish(whole), ANSWER)

    def test_an_error_is_json_for_all(self):  # scenario 85
        self.invite(1, stream=True)
        call = self.stage.next()
        self.invite(5)
        self.invite(5, stream=True)
        self.await_running(11)
        refusal = b'{"error":{"message":"no","type":"invalid_request_error"}}'
        call.answer(refusal, "400 Bad Request")
        self.crowd.finish()
        self.assert_all(self.crowd.guests, refusal, 400)


class MixedWithoutUsage(FlightCase):
    """A provider that is not said to tell a stream's usage: what it streams is no answer to who asked for JSON."""

    def test_those_who_ask_for_json_share_a_second_call(self):  # scenario 79
        streams = self.invite(1, stream=True)
        first = self.stage.next()
        streams += self.invite(20, stream=True)
        whole = self.invite(20)
        self.await_running(41)
        first.begin_stream()
        first.send_event(delta("sha", role="assistant"))
        second = self.stage.next()
        self.assertFalse(second.json().get("stream"))
        second.answer(ANSWER)
        self.assert_all(self.crowd.finish(whole), ANSWER)
        first.send_event(delta("", finish_reason="stop"))
        first.end_stream()
        self.crowd.finish(streams)
        self.assertEqual(self.stage.count, 2)


class Idempotency(FlightCase):
    NAMED = {"idempotency-key": "order-7"}

    def test_a_retry_joins_the_call_of_a_client_that_left(self):
        leader = self.invite(1, headers=self.NAMED)
        call = self.stage.next()
        leader[0].socket.close()
        leader[0].ended = True
        back = self.invite(1, headers=self.NAMED)
        self.await_running(2)
        call.answer(ANSWER)
        self.assert_all(self.crowd.finish(back), ANSWER)
        again = self.crowd.finish(self.invite(1, headers=self.NAMED))
        self.assertIn("cache-status: tollgate; hit", again[0].head)
        self.assertEqual(self.stage.count, 1)

    def test_nobody_comes_back_and_the_call_ends_after_ten_seconds(self):
        leader = self.invite(1, headers=self.NAMED)
        call = self.stage.next()
        leader[0].socket.close()
        leader[0].ended = True
        self.assertTrue(call.closed_within(100))

    def test_another_body_is_refused(self):
        first = self.invite(1, headers=self.NAMED)
        self.stage.next().answer(ANSWER)
        self.assert_all(self.crowd.finish(first), ANSWER)
        other = self.crowd.finish(self.invite(1, headers=self.NAMED, temperature=0.25))
        self.assertEqual(other[0].status, 422)
        self.assertEqual(other[0].body_json()["error"]["code"], "idempotency_key_reused")
        stream = self.crowd.finish(self.invite(1, headers=self.NAMED, temperature=0.25, stream=True))
        self.assertEqual(stream[0].status, 422)
        self.invite(1, key=BLUE, headers=self.NAMED, temperature=0.25)  # of another team
        self.stage.next().answer(ANSWER)
        self.crowd.finish()
        self.assertEqual(self.stage.count, 2)


class Permissions(FlightCase):
    def config_of(self, url):
        config = super().config_of(url)
        config["keys"][0]["budget"] = {"usd": "0.000001", "per": "day"}
        config["models"]["mock-plain"]["price"] = {"input": "1", "output": "1000"}
        config["keys"].append({"id": "k_red3", "team": "red", "secret": "sk-red-three-canary", "models": ["text-*"]})
        config["keys"].append(
            {"id": "k_red4", "team": "red", "secret": "sk-red-four-canary", "limits": {"rpm": {"limit": 1, "burst": 1}}}
        )
        return config

    def test_a_leader_without_budget_blocks_nobody(self):  # scenario 87
        poor = self.invite(3, key=RED)
        self.crowd.finish(poor)
        self.assertEqual({guest.status for guest in poor}, {429})
        rich = self.invite(2, key=RED_TWO)
        call = self.stage.next()
        self.await_running(2)
        joined = self.invite(2, key=RED)  # costs nothing
        self.await_running(4)
        call.answer(ANSWER)
        self.crowd.finish()
        self.assert_all(rich + joined, ANSWER)
        self.assertEqual(self.stage.count, 1)
        scrape = self.gateway.metrics()
        self.assertGreater(scrape.sum("tollgate_saved_usd_total", source="coalesced"), 0)

    def test_a_follower_is_asked_for_permission_and_request_limit(self):  # scenario 88
        self.invite(1, key=RED_TWO)
        call = self.stage.next()
        stranger = self.crowd.finish(self.invite(1, key="sk-red-three-canary"))
        self.assertIn(stranger[0].status, (403, 404))
        self.invite(1, key="sk-red-four-canary")
        self.await_running(2)
        self.assertEqual(self.crowd.finish(self.invite(1, key="sk-red-four-canary"))[0].status, 429)
        call.answer(ANSWER)
        self.crowd.finish()
        self.assertEqual(self.stage.count, 1)

    def test_a_follower_that_leads_counts_one_request(self):
        self.invite(1, key=RED_TWO)
        call = self.stage.next()
        promoted = self.invite(1, key="sk-red-four-canary")
        self.await_running(2)
        call.answer(b"{}", "500 Internal Server Error")
        self.stage.next().answer(ANSWER)
        self.crowd.finish()
        self.assert_all(promoted, ANSWER)


class Off(FlightCase):
    SECTIONS = {"cache": {"enabled": True}, "flights": {"enabled": False}}

    def test_each_goes_by_itself(self):
        self.invite(3)
        for call in [self.stage.next() for _ in range(3)]:
            call.answer(ANSWER)
        self.assert_all(self.crowd.finish(), ANSWER)


class Linger(FlightCase):
    SECTIONS = {"cache": {"enabled": True}, "flights": {"linger": "30s"}}

    def test_a_call_goes_on_for_who_comes_back(self):
        leader = self.invite(1)
        call = self.stage.next()
        leader[0].socket.close()
        leader[0].ended = True
        back = self.invite(1)
        self.await_running(2)
        call.answer(ANSWER)
        self.assert_all(self.crowd.finish(back), ANSWER)
        self.assertEqual(self.stage.count, 1)


if __name__ == "__main__":
    unittest.main()
