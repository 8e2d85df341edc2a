"""One completion kept, told as JSON or as events, whichever is asked for (design §10, scenarios 65-67, 75)."""

import contextlib
import copy
import json
import unittest
import urllib.parse

from common_b import RED, Case, bearer, chat, settings
from tollgate_http import Connection, ProtocolError

COMPLETIONS = "/v1/completions"
RESPONSES = "/v1/responses"
USAGE = {"include_usage": True}
TOOLS = [{"type": "function", "function": {"name": name}} for name in ("look_up", "weather")]
RICH = "mock-rich:reasoning-5:cached-3"
FRESH = ("id", "created", "created_at", "completed_at")


def add_text(message, name, text):
    if text is not None:
        message[name] = (message.get(name) or "") + text


def add_delta(message, delta):
    """As the official clients add a delta to what they have."""
    for name, value in delta.items():
        if name == "tool_calls":
            calls = message.setdefault("tool_calls", [])
            for piece in value:
                piece = copy.deepcopy(piece)
                index = piece.pop("index")
                if index == len(calls):
                    calls.append(piece)
                else:
                    calls[index]["function"]["arguments"] += piece["function"]["arguments"]
        elif name == "role" or not isinstance(value, str):
            message[name] = value if name not in message or value is not None else message[name]
        else:
            add_text(message, name, value)


def gathered(chunks):
    """The answer that chunks of chat or legacy completions are."""
    whole = {name: value for name, value in chunks[0].items() if name not in ("choices", "usage", "object")}
    choices = {}
    for chunk in chunks:
        for choice in chunk["choices"]:
            seen = choices.setdefault(choice["index"], {"index": choice["index"], "logprobs": None})
            if "text" in choice:
                add_text(seen, "text", choice["text"])
            else:
                add_delta(seen.setdefault("message", {}), choice["delta"])
            if choice.get("logprobs"):
                told = seen["logprobs"] = seen["logprobs"] or {"content": [], "refusal": None}
                told["content"] += choice["logprobs"]["content"] or []
            seen["finish_reason"] = choice["finish_reason"]
        if chunk.get("usage"):
            whole["usage"] = chunk["usage"]
    whole["choices"] = [choices[index] for index in sorted(choices)]
    return whole


def plain(answer):
    """An answer without what differs from one time to the next, or between the forms without a difference in sense."""
    whole = {name: value for name, value in answer.items() if name not in (*FRESH, "object", "usage")}
    for choice in whole.get("choices", []):
        message = choice.get("message", {})
        for name in ("refusal", "annotations"):
            if not message.get(name):
                message.pop(name, None)
        if message.get("tool_calls") or message.get("refusal"):
            message["content"] = None
    return whole


class ReplayCase(Case):
    @classmethod
    def config(cls):
        config = settings(cls.mock.url, cache={"enabled": True, "ttl": "1h", "max_entry": "64KiB"})
        config["models"]["gpt-3.5-turbo-instruct"] = {
            "upstreams": [{"provider": "mock", "model": "mock-plain", "via": "chat"}]
        }
        return config

    @contextlib.contextmanager
    def streaming(self, body, path):
        where = urllib.parse.urlsplit(self.gateway.url)
        with Connection(where.hostname, where.port) as connection:
            headers = {**bearer(RED), "content-type": "application/json"}
            connection.request("POST", path, headers, json.dumps({**body, "stream": True}).encode())
            response = connection.read_head()
            self.assertEqual(response.status, 200)
            yield response, list(connection.sse(response))

    def stream(self, body, path="/v1/chat/completions"):
        """Cache-Status word and the events of the same request as a stream."""
        with self.streaming(body, path) as (response, events):
            self.assertEqual(response.header("content-type"), "text/event-stream; charset=utf-8")
            for name in ("set-cookie", "content-encoding"):
                self.assertIsNone(response.header(name))
            # A stream that came whole was kept before its head left, another one after that.
            status = (response.header("cache-status") or "").removesuffix("; stored")
            return ("hit" if "hit" in status else status.rpartition("fwd=")[2]), events

    def chunks(self, body, path="/v1/chat/completions"):
        status, events = self.stream(body, path)
        self.assertEqual(events[-1].data, "[DONE]")
        self.assertFalse(any(event.event for event in events))
        chunks = [json.loads(event.data) for event in events[:-1]]
        self.assertEqual({(chunk["id"], chunk["created"]) for chunk in chunks}, {(chunks[0]["id"], chunks[0]["created"])})
        return status, chunks

    def json_of(self, body, path="/v1/chat/completions"):
        response = self.ask(body=body, path=path)
        return ("hit" if "hit" in response.header("cache-status") else "miss"), response.json()

    def assert_both_ways(self, body, path="/v1/chat/completions"):
        """Kept from a stream and told as JSON, kept from JSON and told as a stream: the same, from one call each."""
        asked = {**body, "stream_options": USAGE}
        for first in ("stream", "json"):
            with self.subTest(path=path, first=first):
                self.mock.reset()
                body = {**body, "seed": 1 if first == "stream" else 2}
                asked = {**body, "stream_options": USAGE}
                if first == "stream":
                    direct_status, direct_chunks = self.chunks(asked, path)
                    told_status, told = self.json_of(body, path)
                    direct = gathered(direct_chunks)
                else:
                    direct_status, direct = self.json_of(body, path)
                    told_status, chunks = self.chunks(asked, path)
                    told = gathered(chunks)
                self.assertEqual((direct_status, told_status), ("miss", "hit"))
                self.assertEqual(plain(copy.deepcopy(told)), plain(copy.deepcopy(direct)))
                self.assertEqual(told["usage"], direct["usage"])
                self.assertNotEqual(told["id"], direct["id"])
                self.assertEqual(told["id"].partition("-")[0], direct["id"].partition("-")[0])
                self.assertGreater(told["created"], direct["created"])
                # And in the form in which it came.
                again_status, again = self.chunks(asked, path)
                self.assertEqual(again_status, "hit")
                self.assertEqual(plain(gathered(again)), plain(copy.deepcopy(direct)))
                self.assert_calls(1)
        return direct


class BothForms(ReplayCase):  # scenario 65
    def test_text(self):
        self.assert_both_ways(chat(self.prompt))

    def test_parallel_tool_calls(self):
        answer = self.assert_both_ways(chat(f"call tools for {self.prompt}", tools=TOOLS))
        self.assertEqual(len(answer["choices"][0]["message"]["tool_calls"]), 2)

    def test_reasoning_annotations_logprobs_and_usage_details(self):
        answer = self.assert_both_ways(chat(self.prompt, RICH, logprobs=True))
        message = answer["choices"][0]["message"]
        self.assertIn("\U0001f600", message["content"])
        self.assertEqual(message["reasoning_content"], "Let me think \U0001f914.")
        self.assertEqual(message["annotations"][0]["type"], "url_citation")
        told = "".join(entry["token"] for entry in answer["choices"][0]["logprobs"]["content"])
        self.assertEqual(told, message["content"])
        self.assertEqual(answer["usage"]["completion_tokens_details"]["reasoning_tokens"], 5)

    def test_refusal(self):
        answer = self.assert_both_ways(chat(self.prompt, "mock-refuse"))
        self.assertEqual(answer["choices"][0]["message"]["refusal"], "I can't help with that.")

    def test_several_choices(self):
        self.assertEqual(len(self.assert_both_ways(chat(self.prompt, RICH, n=2))["choices"]), 2)

    def test_characters_cut_between_chunks_of_the_body(self):
        self.assert_both_ways(chat(self.prompt, "mock-rich:trickle:tokens-3"))

    def test_legacy_completions(self):
        self.assert_both_ways({"model": "mock-plain", "prompt": self.prompt, "max_tokens": 64, "n": 2}, COMPLETIONS)

    def test_legacy_completions_by_a_chat_model(self):
        body = {"model": "gpt-3.5-turbo-instruct", "prompt": self.prompt, "max_tokens": 64}
        self.assert_both_ways(body, COMPLETIONS)

    def test_stream_that_did_not_say_its_usage_answers_streams_that_do_not_ask(self):
        body = chat(self.prompt)
        self.assertEqual([self.chunks(body)[0] for _ in range(2)], ["miss", "hit"])
        self.assert_calls(1)
        status, answer = self.json_of(body)
        self.assertEqual(status, "miss")
        self.assertTrue(answer["usage"])
        self.assertEqual(self.chunks({**body, "stream_options": USAGE})[0], "hit")  # kept with its usage now
        self.assert_calls(2)

    def test_usage_is_asked_for_where_the_provider_is_said_to_know_it(self):
        config = self.config()
        config["providers"]["mock"]["stream_usage"] = True
        with self.started(config) as gateway:
            first = self.ask(body=chat(self.prompt, stream=True), gateway=gateway)
            self.assertNotIn(b'"usage":{', first.body)
            again = self.ask(body=chat(self.prompt), gateway=gateway)
        self.assertIn("hit", again.header("cache-status"))
        self.assertTrue(again.json()["usage"])
        self.assert_calls(1)

    def test_usage_only_where_it_is_asked_for(self):
        direct = self.json_of(chat(self.prompt))[1]
        status, chunks = self.chunks(chat(self.prompt))
        self.assertEqual(status, "hit")
        self.assertFalse([chunk for chunk in chunks if "usage" in chunk])
        status, chunks = self.chunks(chat(self.prompt, stream_options=USAGE))
        self.assertEqual((status, chunks[-1]["choices"], chunks[-1]["usage"]), ("hit", [], direct["usage"]))
        self.assertEqual({chunk["usage"] for chunk in chunks[:-1]}, {None})
        self.assert_calls(1)

    def test_long_texts_come_in_pieces(self):
        body = chat(self.prompt, "mock-tokens-400")
        content = self.json_of(body)[1]["choices"][0]["message"]["content"]
        chunks = self.chunks(body)[1]
        pieces = [chunk["choices"][0]["delta"].get("content", "") for chunk in chunks]
        self.assertEqual("".join(pieces), content)
        self.assertLessEqual(max(map(len, pieces)), 256)
        self.assertGreaterEqual(len(pieces), len(content) // 256)


class Responses(ReplayCase):  # scenario 65
    def body(self, **fields):
        return {"model": "mock-plain", "input": self.prompt, "store": False, **fields}

    def events(self, body):
        status, events = self.stream(body, RESPONSES)
        told = [json.loads(event.data) for event in events]
        self.assertEqual([event.event for event in events], [data["type"] for data in told])
        self.assertEqual([data["sequence_number"] for data in told], list(range(len(told))))
        return status, told

    def types(self, events):
        """In the order in which they came; deltas of one text count as one."""
        kinds = [event["type"] for event in events]
        return [kind for i, kind in enumerate(kinds) if i == 0 or kind != kinds[i - 1]]

    def test_both_ways(self):
        tools = [{"type": "function", "name": name} for name in ("look_up", "weather")]
        for name, fields in (("text", {}), ("calls", {"input": f"call tools for {self.prompt}", "tools": tools})):
            for first in ("stream", "json"):
                with self.subTest(name, first=first):
                    self.mock.reset()
                    body = self.body(**fields, top_p=0.5 if first == "stream" else 0.6)
                    if first == "stream":
                        seen, direct = self.events(body)
                        status, told = self.json_of(body, RESPONSES)
                        direct_types, direct = self.types(direct), direct[-1]["response"]
                    else:
                        seen, direct = self.json_of(body, RESPONSES)
                        status, events = self.events(body)
                        told = events[-1]["response"]
                        direct_types = None
                    self.assertEqual((seen == "hit", status), (False, "hit"))
                    self.assertEqual(plain(told), plain(direct))
                    self.assertEqual(told["usage"], direct["usage"])
                    self.assertNotEqual(told["id"], direct["id"])
                    again, events = self.events(body)
                    self.assertEqual(again, "hit")
                    self.assertEqual(events[0]["response"]["status"], "in_progress")
                    self.assertEqual(events[0]["response"]["id"], events[-1]["response"]["id"])
                    if direct_types:
                        self.assertEqual(self.types(events), direct_types)
                    self.assert_calls(1)


class NotKept(ReplayCase):  # scenario 67
    def assert_not_kept(self, model, prompt=None, **fields):
        with self.subTest(model):
            self.mock.reset()
            body = chat(prompt or self.prompt, model, **fields)
            for calls in (1, 2):
                with contextlib.suppress(ProtocolError):  # the end of the body may be missing, too
                    self.assertEqual(self.stream(body)[0], "miss")
                self.assertGreaterEqual(self.upstream_calls(), calls)

    def test_streams_that_did_not_end_well(self):
        for model in ("mock-nodone", "mock-error-after-3"):
            self.assert_not_kept(model)

    def test_streams_that_end_in_another_way(self):
        for model in ("mock-finish-length", "mock-finish-filter", "mock-tokens-0"):
            self.assert_not_kept(model)
        self.assert_not_kept("mock-cut-call", f"call tools for {self.prompt}", tools=TOOLS)

    def test_json_answers_by_the_same_rules(self):
        for body in (
            chat(self.prompt, "mock-tokens-0"),
            chat(f"call tools for {self.prompt}", "mock-cut-call", tools=TOOLS),
        ):
            self.mock.reset()
            self.assertEqual([self.json_of(body)[0] for _ in range(2)], ["miss", "miss"])
            self.assert_calls(2)

    def test_length_is_kept_if_the_request_set_the_maximum(self):
        body = chat(self.prompt, max_tokens=3)
        asked = {**body, "stream_options": USAGE}
        self.assertEqual([self.chunks(asked)[0], self.chunks(asked)[0], self.json_of(body)[0]], ["miss", "hit", "hit"])
        self.assert_calls(1)

    def test_large_streams_pass_whole(self):  # scenario 75
        body = chat(self.prompt, "mock-size-200000")
        answers = [self.chunks(body) for _ in range(2)]
        self.assertEqual([status for status, _ in answers], ["miss", "miss"])
        content = gathered(answers[0][1])["choices"][0]["message"]["content"]
        self.assertGreater(len(content), 199_000)
        self.assertEqual(gathered(answers[1][1])["choices"][0]["message"]["content"], content)
        self.assert_calls(2)


class Passing(ReplayCase):
    def test_what_is_kept_leaves_as_it_came(self):
        """A stream that is put together on its way has the provider's octets."""
        body = chat(self.prompt, RICH, stream_options=USAGE)
        _, events = self.stream(body)
        where = urllib.parse.urlsplit(self.gateway.url)
        with Connection(where.hostname, where.port) as connection:
            headers = {**bearer(RED), "content-type": "application/json", "cache-control": "no-store"}
            payload = json.dumps({**body, "stream": True}).encode()
            connection.request("POST", "/v1/chat/completions", headers, payload)
            bypassed = list(connection.sse(connection.read_head()))
        self.assertEqual([event.raw for event in events], [event.raw for event in bypassed])

    def test_hits_carry_nothing_of_the_first_exchange(self):  # scenario 66
        body = chat(self.prompt, "mock-setcookie", stream_options=USAGE)
        self.assertEqual([self.stream(body)[0], self.stream(body)[0], self.json_of(body)[0]], ["miss", "hit", "hit"])

    def test_a_connection_serves_on_after_a_told_stream(self):
        body = json.dumps({**chat(self.prompt), "stream": True}).encode()
        self.json_of(chat(self.prompt))
        where = urllib.parse.urlsplit(self.gateway.url)
        headers = {**bearer(RED), "content-type": "application/json"}
        with Connection(where.hostname, where.port) as connection:
            for _ in range(3):
                connection.request("POST", "/v1/chat/completions", headers, body)
                response = connection.read_head()
                self.assertIn("hit", response.header("cache-status"))
                self.assertEqual(list(connection.sse(response))[-1].data, "[DONE]")
        self.assert_calls(1)


if __name__ == "__main__":
    unittest.main()
