"""One question, one call, over several processes that share a Redis (limits-cache §3.7, scenarios 78, 83, 89, 90)."""

import json
import signal
import unittest

from common_b import CHAT, RED, Case, bearer, chat, eventually, rendered, settings
from stage import Crowd, Stage
from test_flights import ANSWER, delta
from tollgate_test import Redis, Tollgate


def said(guest):
    """The text of an answer in either form."""
    if b"text/event-stream" not in guest.received:
        return guest.body_json()["choices"][0]["message"]["content"]
    events = [line[6:] for line in guest.body.decode().split("\n") if line.startswith("data: ")]
    if events.pop() != "[DONE]":
        return None
    return "".join(choice["delta"].get("content") or "" for event in events for choice in json.loads(event)["choices"])


class FleetCase(Case):
    GATEWAYS = 2

    @classmethod
    def setUpClass(cls):
        pass

    def setUp(self):
        self.stage = self.enterContext(Stage())
        self.redis = self.enterContext(Redis())
        redis = {"url": self.redis.url, "timeout": "500ms", "use": ["cache", "flights"]}
        config = settings(self.stage.url, redis=redis, cache={"enabled": True}, drain={"delay": "0s", "timeout": "1s"})
        config["listen"]["workers"] = 1
        self.gateways = [self.enterContext(Tollgate(rendered(config))) for _ in range(self.GATEWAYS)]
        self.crowd = self.enterContext(Crowd())
        self.prompt = f"prompt of {self.id()}"
        eventually(lambda: self.connected() >= 2 * self.GATEWAYS, "every gateway has reached Redis, and listens")

    def connected(self):
        return self.redis.command("CLIENT", "LIST").count("\n") - 1  # without the one that asks

    def invite(self, which, count=1, headers=None, **fields):
        head = {**bearer(RED), **(headers or {})}
        return self.crowd.add(self.gateways[which].api_port, CHAT, head, chat(self.prompt, **fields), count)

    def keys(self, kind):
        return self.redis.command("KEYS", f"tg:{kind}:*")

    def await_lease(self):
        eventually(lambda: self.keys("f"), "a lease in Redis")

    def assert_all(self, guests):
        for guest in guests:
            self.assertEqual(guest.status, 200, bytes(guest.received[:600]))
            self.assertTrue(guest.complete)
            self.assertEqual(said(guest), "shared")

    def leave_out(self, guests):
        for guest in guests:
            guest.socket.close()
            guest.ended = True


class ThreeInstances(FleetCase):
    GATEWAYS = 3

    def test_a_crowd_at_three_instances_is_one_call(self):  # scenario 78
        for which in range(3):
            self.invite(which, 100)
        call = self.stage.next()
        eventually(lambda: len(self.keys("fe")) == 1, "all have asked for the lease")
        call.answer(ANSWER)
        self.assert_all(self.crowd.finish())
        self.assertEqual(self.stage.count, 1)
        eventually(lambda: not self.keys("f"), "the lease is given back")

    def test_half_of_a_thousand_ask_for_a_stream_and_the_call_is_one(self):  # scenarios 78, 79
        for which in range(3):
            self.invite(which, 167, stream=True)
            self.invite(which, 167)
        call = self.stage.next()
        eventually(lambda: self.listening() == 2, "the instances without the lease listen")
        if call.json().get("stream"):
            call.begin_stream()
            call.send_event(delta("sha", role="assistant"))
            call.send_event(delta("red"))
            call.send_event(delta("", finish_reason="stop"))
            call.send_event({**delta(""), "choices": [], "usage": json.loads(ANSWER)["usage"]})
            call.end_stream()
        else:
            call.answer(ANSWER)
        self.assert_all(self.crowd.finish())
        self.assertEqual(self.stage.count, 1)

    def listening(self):
        count = """local all = 0
            for _, channel in ipairs(redis.call('PUBSUB', 'CHANNELS')) do
                all = all + redis.call('PUBSUB', 'NUMSUB', channel)[2]
            end
            return all"""
        return self.redis.command("EVAL", count, "0")


class TwoInstances(FleetCase):
    def test_the_leaders_instance_is_killed_and_another_takes_over(self):  # scenario 83
        dead = self.invite(0)
        self.stage.next()
        self.await_lease()
        rest = self.invite(1, 20)
        self.gateways[0].kill()
        self.leave_out(dead)
        self.stage.next(timeout=60).answer(ANSWER)
        self.assert_all(self.crowd.finish(rest))
        self.assertEqual(self.stage.count, 2)

    def test_what_a_paused_leader_brings_late_is_not_kept(self):  # scenario 89
        late = self.invite(0)
        old = self.stage.next()
        self.await_lease()
        self.gateways[0].signal(signal.SIGSTOP)
        try:
            rest = self.invite(1, 5)
            self.stage.next(timeout=60).answer(ANSWER)
            self.assert_all(self.crowd.finish(rest))
            (name,) = eventually(lambda: self.keys("c"), "the answer is kept")
            life = self.redis.command("PEXPIRETIME", name)
        finally:
            self.gateways[0].signal(signal.SIGCONT)
        old.answer(ANSWER)
        self.assert_all(self.crowd.finish(late))
        again = self.crowd.finish(self.invite(0))
        self.assert_all(again)
        self.assertEqual(self.redis.command("PEXPIRETIME", name), life)
        self.assertEqual(self.stage.count, 2)

    def test_redis_is_lost_and_nobody_waits_for_it(self):  # scenario 90
        first = self.invite(0)
        call = self.stage.next()
        self.await_lease()
        second = self.invite(1, 5)
        self.redis.kill()
        self.stage.next(timeout=60).answer(ANSWER)
        self.assert_all(self.crowd.finish(second))
        call.answer(ANSWER)
        self.assert_all(self.crowd.finish(first))
        self.assertEqual(self.stage.count, 2)

    def test_a_retry_at_another_instance_joins_the_call(self):
        name = {"idempotency-key": "order-1"}
        first = self.invite(0, headers=name)
        call = self.stage.next()
        self.await_lease()
        self.leave_out(first)
        again = self.invite(1, headers=name)
        call.answer(ANSWER)
        self.assert_all(self.crowd.finish(again))
        self.assertEqual(self.stage.count, 1)
        other = self.invite(1, headers=name, temperature=1)
        self.assertEqual(self.crowd.finish(other)[0].status, 422)
        self.prompt += " and another"
        another = self.invite(0, headers=name)
        self.assertEqual(self.crowd.finish(another)[0].status, 422)

    def test_a_name_used_at_one_instance_is_known_at_the_other(self):
        name = {"idempotency-key": "order-2"}
        first = self.invite(0, headers=name)
        self.stage.next().answer(ANSWER)
        self.assert_all(self.crowd.finish(first))
        other = self.invite(1, headers=name, temperature=1)
        self.assertEqual(self.crowd.finish(other)[0].status, 422)
        self.assertEqual(self.stage.count, 1)

    def test_answers_that_are_not_kept_free_the_question(self):  # scenario 86
        first = self.invite(0)
        call = self.stage.next()
        self.await_lease()
        rest = self.invite(1)
        eventually(lambda: self.connected() >= 4, "both listen")
        cut = json.loads(ANSWER)
        cut["choices"][0]["finish_reason"] = "content_filter"
        filtered = json.dumps(cut).encode()
        call.answer(filtered)
        self.assert_all(self.crowd.finish(first))
        self.stage.next().answer(filtered)
        self.assert_all(self.crowd.finish(rest))
        more = [*self.invite(0), *self.invite(1)]
        calls = [self.stage.next(), self.stage.next()]  # at the same time
        for each in calls:
            each.answer(filtered)
        self.assert_all(self.crowd.finish(more))

    def test_who_waits_for_another_instance_is_told_that_its_own_stops(self):
        first = self.invite(0)
        call = self.stage.next()
        self.await_lease()
        waiting = self.invite(1, 5)
        eventually(lambda: self.running(1) == 5, "they wait")
        self.assertEqual(self.gateways[1].stop(), 0)
        for guest in self.crowd.finish(waiting):
            self.assertEqual(guest.status, 503, bytes(guest.received[:300]))
        call.answer(ANSWER)
        self.assert_all(self.crowd.finish(first))

    def test_a_client_that_leaves_while_it_waits_is_no_leader(self):
        first = self.invite(0)
        call = self.stage.next()
        self.await_lease()
        waiting = self.invite(1)
        eventually(lambda: self.running(1) == 1, "it waits")
        self.leave_out(waiting)
        eventually(lambda: self.running(1) == 0, "it is gone")
        call.answer(b"{}", "500 Internal Server Error")
        self.assertEqual(self.crowd.finish(first)[0].status, 502)
        self.assertEqual(self.stage.count, 1)

    def running(self, which):
        return int(self.gateways[which].metrics().value("tollgate_requests_in_flight", operation="chat"))

    def test_a_leader_that_fails_hands_over(self):  # scenario 84
        first = self.invite(0)
        call = self.stage.next()
        self.await_lease()
        second = self.invite(1)
        call.answer(b"{}", "500 Internal Server Error")
        self.assertEqual(self.crowd.finish(first)[0].status, 502)
        self.stage.next().answer(ANSWER)
        self.assert_all(self.crowd.finish(second))


if __name__ == "__main__":
    unittest.main()
