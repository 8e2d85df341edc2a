"""The response cache, memory tier: what is a hit, what is kept, whose it is (design §10, limits-cache §3, §6)."""

import base64
import concurrent.futures
import json
import struct
import time
import unittest

from common_b import BLUE, CHAT, RED, RED_TWO, Case, access_line, bearer, chat, eventually, rendered, settings
from tollgate_test import MockProvider, Tollgate, call

EMBEDDINGS = "/v1/embeddings"
RESPONSES = "/v1/responses"
COMPLETIONS = "/v1/completions"


class CacheCase(Case):
    @classmethod
    def config(cls):
        return settings(cls.mock.url, cache={"enabled": True, "ttl": "1h", "max_entry": "64KiB"})

    def status_of(self, response):
        """Cache-Status without its changing numbers: hit, stored, miss (looked up, not kept), bypass:REASON."""
        value = response.header("cache-status")
        if value is None:
            return None
        words = [word.strip() for word in value.split(";")]
        self.assertEqual(words[0], "tollgate", value)
        if "hit" in words:
            return "hit"
        if "fwd=bypass" in words:
            return "bypass:" + next(word[7:] for word in words if word.startswith("detail="))
        return "stored" if "stored" in words else "miss"

    def assert_twice(self, expected, calls, body, **options):
        """The same request twice: Cache-Status of both, and how many reached the provider."""
        seen = [self.status_of(self.ask(body=body, **options)) for _ in expected]
        self.assertEqual(seen, expected, body)
        self.assert_calls(calls)


class MemoryHit(CacheCase):
    def test_hit_answers_with_status_age_and_the_same_answer(self):
        first, second = self.ask(), self.ask()
        self.assert_calls(1)
        self.assertEqual(first.header("cache-status"), "tollgate; fwd=miss; stored")
        self.assertRegex(second.header("cache-status"), r"^tollgate; hit; ttl=3(600|5[0-9][0-9]); detail=exact$")
        self.assertIn(second.header("age"), ("0", "1"))
        self.assertIsNone(first.header("age"))
        self.assertEqual(self.told(second), self.told(first))
        self.assertNotEqual(second.json()["id"], first.json()["id"])
        self.assertEqual(second.header("content-length"), str(len(second.body)))
        self.assertEqual(second.header("content-type"), first.header("content-type"))
        self.assertEqual(second.header("cache-control"), "private, no-store")

    def test_hit_carries_nothing_of_the_first_exchange(self):  # scenario 66
        body = chat(self.prompt, "mock-setcookie")
        first, second = self.ask(body=body), self.ask(body=body)
        self.assertEqual(self.status_of(second), "hit")
        self.assertNotEqual(second.header("x-request-id"), first.header("x-request-id"))
        for name in ("set-cookie", "transfer-encoding", "openai-processing-ms", "x-tollgate-upstream-request-id"):
            self.assertIsNone(second.header(name), name)

    def test_age_grows_and_counts_from_the_provider_answer(self):
        self.ask()
        aged = eventually(lambda: (hit := self.ask()).header("age") != "0" and hit, "an age above 0")
        self.assertIn(aged.header("age"), ("1", "2"))
        self.assertRegex(aged.header("cache-status"), r"ttl=359[0-9];")
        self.assert_calls(1)

    def test_every_cacheable_endpoint_hits(self):
        model, text = "text-embedding-3-small", self.prompt
        for path, body in (
            (EMBEDDINGS, {"model": model, "input": [text, "b"]}),
            ("/v1/moderations", {"model": "mock-moderation", "input": text}),
            (COMPLETIONS, {"model": "mock-plain", "prompt": text, "max_tokens": 64}),
            (RESPONSES, {"model": "mock-plain", "input": text, "store": False}),
        ):
            with self.subTest(path):
                self.mock.reset()
                self.assert_twice(["stored", "hit"], 1, body, path=path)

    def test_embeddings_are_known_input_by_input(self):
        model = "text-embedding-3-small"

        def embed(inputs, **fields):
            return self.ask(body={"model": model, "input": inputs, **fields}, path=EMBEDDINGS)

        a, b, c, d = (f"{self.prompt} {letter}" for letter in "abcd")
        first = embed([a, b])
        self.assertEqual(self.status_of(first), "stored")
        partial = embed([c, b, a, d])
        self.assertEqual(partial.header("cache-status"), "tollgate; fwd=partial; detail=inputs_2_of_4; stored")
        self.assertEqual(json.loads(self.mock.requests(last=1)[0]["body"])["input"], [c, d])
        self.assert_calls(2)
        vectors = [item["embedding"] for item in partial.json()["data"]]
        self.assertEqual([item["index"] for item in partial.json()["data"]], [0, 1, 2, 3])
        self.assertEqual([vectors[2], vectors[1]], [item["embedding"] for item in first.json()["data"]])
        again = embed([d, a])
        self.assertEqual(self.status_of(again), "hit")
        self.assertEqual([item["embedding"] for item in again.json()["data"]], [vectors[3], vectors[2]])
        one = embed(a)
        self.assertEqual(self.status_of(one), "hit")
        self.assertGreater(one.json()["usage"]["prompt_tokens"], 0)
        self.assertEqual(one.json()["model"], first.json()["model"])
        self.assertEqual(self.status_of(embed(a, dimensions=8)), "stored")
        self.assert_calls(3)

    def test_embeddings_in_both_forms_are_one_entry(self):
        model = "text-embedding-3-small"

        def embed(form):
            body = {"model": model, "input": [self.prompt], "encoding_format": form}
            response = self.ask(body=body, path=EMBEDDINGS)
            return self.status_of(response), response.json()["data"][0]["embedding"]

        def floats(text):
            octets = base64.b64decode(text, validate=True)
            return list(struct.unpack(f"<{len(octets) // 4}f", octets))

        stored, numbers = embed("float")
        hit, text = embed("base64")
        self.assertEqual((stored, hit), ("stored", "hit"))
        expected = list(struct.unpack(f"<{len(numbers)}f", struct.pack(f"<{len(numbers)}f", *numbers)))
        self.assertEqual(floats(text), expected)
        self.assertEqual(embed("float")[0], "hit")
        self.assert_calls(1)

    def test_tool_calls_are_data_and_hit(self):
        tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
        body = chat(f"call tool for {self.prompt}", tools=tools)
        answers = [self.ask(body=body) for _ in range(2)]
        self.assertEqual(answers[0].json()["choices"][0]["finish_reason"], "tool_calls")
        self.assertEqual(self.status_of(answers[1]), "hit")
        self.assertEqual(self.told(answers[0]), self.told(answers[1]))

    def test_hit_is_shared_by_both_workers(self):
        self.ask()
        for _ in range(16):  # each connection goes to a worker of the kernel's choice
            self.assertEqual(self.status_of(self.ask()), "hit")
        self.assert_calls(1)


class Key(CacheCase):
    def raw(self, text):
        return self.ask(body=text.encode(), headers={"content-type": "application/json"})

    def test_reserialised_json_hits(self):  # scenario 58
        text = json.dumps(self.prompt)
        forms = [
            f'{{"model":"mock-plain","messages":[{{"role":"user","content":{text}}}],"temperature":1,"top_p":0.5}}',
            f'{{ "top_p": 5e-1,\n"messages":[{{"content":{text},"role":"user"}}],'
            '"model":"mock-plain", "temperature":1.0 }',
            f'{{"model":"mock-plain","messages":[{{"r\\u006fle":"us\\u0065r","content":{text}}}],'
            '"temperature":1e0,"top_p":0.50}',
        ]
        self.assertEqual([self.status_of(self.raw(form)) for form in forms], ["stored", "hit", "hit"])
        self.assert_calls(1)

    def test_fields_that_do_not_change_the_answer_hit(self):
        self.ask()
        for extra in (
            {"user": "somebody"},
            {"metadata": {"a": "b"}},
            {"safety_identifier": "x"},
            {"prompt_cache_key": "k"},
            {"service_tier": "auto"},
            {"stream": False},
            {"store": False},
        ):
            with self.subTest(extra):
                self.assertEqual(self.status_of(self.ask(body=chat(self.prompt, **extra))), "hit")
        self.assert_calls(1)

    def test_every_changed_or_unknown_parameter_misses(self):  # scenarios 59, 60, 62
        base = chat(self.prompt)
        variants = [
            {"temperature": 0.1},
            {"temperature": 0.2},
            {"top_p": 0.9},
            {"seed": 9007199254740992},
            {"seed": 9007199254740993},
            {"n": 2},
            {"stop": ["x"]},
            {"max_tokens": 500},
            {"max_completion_tokens": 500},
            {"presence_penalty": 0.5},
            {"frequency_penalty": 0.5},
            {"logit_bias": {"50256": -100}},
            {"logprobs": True},
            {"response_format": {"type": "json_object"}},
            {"tools": [{"type": "function", "function": {"name": "f"}}]},
            {"tool_choice": "none"},
            {"reasoning_effort": "low"},
            {"a_parameter_of_next_year": 1},
            {"a_parameter_of_next_year": None},
            {"messages": [{"role": "user", "content": self.prompt + " "}]},
            {"messages": [{"role": "system", "content": self.prompt}]},
            {"messages": [{"role": "user", "content": "caf\u00e9 " + self.prompt}]},
            {"messages": [{"role": "user", "content": "cafe\u0301 " + self.prompt}]},
            {"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": self.prompt}]},
            {"messages": [{"role": "user", "content": self.prompt}, {"role": "user", "content": "a"}]},
            {"model": "mock-plain2"},
        ]
        self.ask(body=base)
        for variant in variants:
            self.assertEqual(self.status_of(self.ask(body={**base, **variant})), "stored", variant)
        self.assert_calls(1 + len(variants))

    def test_header_that_changes_the_answer_misses(self):
        self.assertEqual(self.status_of(self.ask()), "stored")
        self.assertEqual(self.status_of(self.ask(headers={"openai-beta": "assistants=v2"})), "stored")
        self.assertEqual(self.status_of(self.ask(headers={"user-agent": "other", "x-custom": "1"})), "hit")

    def test_endpoints_do_not_share(self):
        body = {"model": "mock-plain", "input": self.prompt, "store": False}
        self.assertEqual(self.status_of(self.ask(body=body, path=RESPONSES)), "stored")
        self.assertEqual(self.status_of(self.ask(body=body, path=EMBEDDINGS)), "stored")


class Controls(CacheCase):  # scenario 70
    def asks(self, *controls):
        return [self.status_of(self.ask(headers={"cache-control": control} if control else {})) for control in controls]

    def test_no_store_neither_looks_nor_keeps(self):
        self.assertEqual(
            self.asks("no-store", "no-store", "", "no-store", ""),
            ["bypass:no_store", "bypass:no_store", "stored", "bypass:no_store", "hit"],
        )
        self.assert_calls(4)

    def test_no_cache_refreshes(self):
        body = chat(self.prompt, "mock-unique")  # every answer has another id
        first = self.ask(body=body)
        refreshed = self.ask(body=body, headers={"cache-control": "no-cache"})
        self.assertEqual(refreshed.header("cache-status"), "tollgate; fwd=request; stored")
        self.assertNotEqual(self.told(refreshed), self.told(first))
        self.assertEqual(self.told(self.ask(body=body)), self.told(refreshed))
        self.assert_calls(2)

    def test_max_age_and_min_fresh_bound_a_hit(self):
        self.assertEqual(
            self.asks("", "max-age=60", "min-fresh=60", "min-fresh=3600"), ["stored", "hit", "hit", "stored"]
        )
        eventually(lambda: self.ask().header("age") != "0", "an aged entry")
        self.assertEqual(self.asks("max-age=0"), ["stored"])
        self.assert_calls(3)

    def test_only_if_cached_without_entry_is_504_and_free(self):
        response = self.post(chat(self.prompt), headers={"cache-control": "only-if-cached"})
        self.assertEqual(response.status, 504, response.body)
        self.assertEqual(response.json()["error"]["code"], "not_in_cache")
        bypassed = self.post(chat(self.prompt, stream=True), headers={"cache-control": "only-if-cached"})
        self.assertEqual(bypassed.status, 504, bypassed.body)
        self.assert_calls(0)
        self.assertEqual(self.asks("", "only-if-cached", "Only-If-Cached , max-age=60"), ["stored", "hit", "hit"])
        self.assert_calls(1)

    def test_own_field_switches_halves(self):
        def seen(word):
            return self.status_of(self.ask(headers={"x-tollgate-cache": word}))

        self.assertEqual([seen("read"), seen("off"), seen("read")], ["miss", "bypass:no_store", "miss"])
        self.assertEqual([seen("write"), seen("read"), seen("write")], ["stored", "hit", "stored"])
        self.assert_calls(5)

    def test_namespace_only_separates(self):
        def seen(key=RED, **headers):
            fields = {name.replace("_", "-"): value for name, value in headers.items()}
            return self.status_of(self.ask(key=key, headers=fields))

        self.assertEqual([seen(), seen(x_tollgate_cache_namespace="a")], ["stored", "stored"])
        self.assertEqual(seen(x_tollgate_cache_namespace="a"), "hit")
        self.assertEqual(seen(x_portkey_cache_namespace="a"), "hit")
        self.assertEqual(seen(helicone_cache_seed="b"), "stored")
        self.assertEqual(seen(key=BLUE, x_tollgate_cache_namespace="a"), "stored")

    def test_time_in_the_request_only_shortens(self):
        first = self.ask(headers={"x-tollgate-cache-ttl": "120"})
        self.assertEqual(self.status_of(first), "stored")
        self.assertRegex(self.ask().header("cache-status"), r"ttl=1(20|1[0-9]);")
        again = {"cache-control": "no-cache", "cf-aig-cache-ttl": "999999"}
        self.assertEqual(self.status_of(self.ask(headers=again)), "stored")
        self.assertRegex(self.ask().header("cache-status"), r"ttl=3(600|5[0-9][0-9]);")
        nothing = {"cache-control": "no-cache", "x-tollgate-cache-ttl": "0"}
        self.assertEqual(self.status_of(self.ask(headers=nothing)), "miss")

    def test_fields_of_other_gateways_mean_the_same_and_stay_here(self):
        self.ask()
        self.assertEqual(self.status_of(self.ask(headers={"cf-aig-skip-cache": "true"})), "bypass:no_store")
        self.assertEqual(self.status_of(self.ask(headers={"helicone-cache-enabled": "false"})), "bypass:no_store")
        self.assertEqual(self.status_of(self.ask(headers={"x-openrouter-cache": "false"})), "bypass:no_store")
        every = {
            "x-portkey-cache-force-refresh": "true",
            "x-openrouter-cache-ttl": "60",
            "x-bf-cache-type": "direct",
            "cache-control": "max-age=60",
            "x-tollgate-cache": "write",
        }
        self.assertEqual(self.status_of(self.ask(headers=every)), "stored")
        self.assertNotIn("cache", self.mock.requests(last=1)[0]["raw_head"].lower())

    def test_unknown_and_malformed_directives_change_nothing(self):
        self.assertEqual(
            self.asks("", 'max-age="60"', "max-age=x", 'private="a",', ",,;"), ["stored", "hit", "hit", "hit", "hit"]
        )


class Bypass(CacheCase):
    def test_stored_completions_bypass(self):
        self.assert_twice(["bypass:stateful", "bypass:stateful"], 2, chat(self.prompt, store=True))

    def test_responses_store_by_default_and_bypass(self):
        body = {"model": "mock-plain", "input": self.prompt}
        self.assert_twice(["bypass:stateful", "bypass:stateful"], 2, body, path=RESPONSES)

    def test_previous_response_bypasses(self):
        created = self.ask(body={"model": "mock-plain", "input": self.prompt}, path=RESPONSES).json()["id"]
        body = {"model": "mock-plain", "input": "more", "previous_response_id": created, "store": False}
        self.mock.reset()
        seen = [self.status_of(self.post(body, path=RESPONSES)) for _ in range(2)]
        self.assertEqual(seen, ["bypass:stateful", "bypass:stateful"])
        self.assert_calls(2)

    def test_hosted_tools_bypass(self):
        for tool in ({"type": "web_search"}, {"type": "mcp", "server_url": "https://example.org"}):
            with self.subTest(tool):
                self.mock.reset()
                body = {"model": "mock-plain", "input": self.prompt, "store": False, "tools": [tool]}
                self.assert_twice(["bypass:tools", "bypass:tools"], 2, body, path=RESPONSES)
        self.mock.reset()
        self.assert_twice(["bypass:tools"] * 2, 2, chat(self.prompt, web_search_options={}))

    def test_remote_content_bypasses_and_inline_content_does_not(self):
        def image(url):
            return {
                "model": "mock-plain",
                "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}],
            }

        self.assert_twice(["bypass:remote_content"] * 2, 2, image("https://example.org/a.png"))
        self.mock.reset()
        self.assert_twice(["stored", "hit"], 1, image("data:image/png;base64,iVBORw0KGgo="))

    def test_uncacheable_endpoints_say_nothing(self):
        body = {"model": "mock-plain", "prompt": self.prompt}
        self.assertIsNone(self.ask(body=body, path="/v1/images/generations").header("cache-status"))


class NotKept(CacheCase):  # scenario 67
    def test_length_is_kept_only_if_the_request_set_the_maximum(self):
        self.assert_twice(["miss", "miss"], 2, chat(self.prompt, "mock-finish-length"))
        self.mock.reset()
        self.assert_twice(["stored", "hit"], 1, chat(self.prompt, "mock-finish-length", max_tokens=3))

    def test_content_filter_is_never_kept(self):
        self.assert_twice(["miss", "miss"], 2, chat(self.prompt, "mock-finish-filter"))
        self.mock.reset()
        self.assert_twice(["miss", "miss"], 2, chat(self.prompt, "mock-finish-filter", max_tokens=3))

    def test_incomplete_response_is_kept_only_with_its_own_maximum(self):
        body = {"model": "mock-finish-length", "input": self.prompt, "store": False}
        self.assert_twice(["miss", "miss"], 2, body, path=RESPONSES)
        self.mock.reset()
        self.assert_twice(["stored", "hit"], 1, {**body, "max_output_tokens": 16}, path=RESPONSES)

    def test_errors_are_not_kept(self):
        for model, status in (
            ("mock-status-400", 400),
            ("mock-status-429", 429),
            ("mock-status-500", 502),
            ("mock-html", 502),
        ):
            with self.subTest(model):
                self.mock.reset()
                for calls in (1, 2):
                    self.ask(status, body=chat(self.prompt, model))
                    self.assert_calls(calls)

    def test_truncated_answer_is_not_kept(self):
        for model in ("mock-close-after-50", "mock-badlength"):
            with self.subTest(model):
                self.mock.reset()
                for calls in (1, 2):
                    self.assertEqual(self.post(chat(self.prompt, model)).status, 502)
                    self.assertGreaterEqual(self.upstream_calls(), calls)

    def test_large_answer_passes_whole_and_is_not_kept(self):  # scenario 75
        body = chat(self.prompt, "mock-size-200000")
        answers = [self.ask(body=body) for _ in range(2)]
        self.assertEqual([self.status_of(answer) for answer in answers], ["miss", "miss"])
        self.assertGreater(len(answers[0].json()["choices"][0]["message"]["content"]), 199_000)
        self.assertEqual(answers[0].body, answers[1].body)
        self.assert_calls(2)


class Tenancy(CacheCase):
    def test_two_teams_never_share_two_keys_of_one_do(self):  # scenario 63
        body = chat(self.prompt, "mock-unique")
        red, blue, second_red = (self.ask(body=body, key=key) for key in (RED, BLUE, RED_TWO))
        self.assertEqual([self.status_of(r) for r in (red, blue, second_red)], ["stored", "stored", "hit"])
        self.assertNotEqual(self.told(red), self.told(blue))
        self.assertEqual(self.told(red), self.told(second_red))

    def test_client_fields_cannot_name_another_scope(self):
        body = chat(self.prompt, "mock-unique")
        self.ask(body=body, key=RED)
        spoofed = {"x-tollgate-cache-namespace": "team:red", "x-tollgate-team": "red", "openai-organization": "red"}
        self.assertEqual(self.status_of(self.ask(body={**body, "user": "k_red1"}, key=BLUE, headers=spoofed)), "stored")

    def test_scope_key_separates_and_scope_org_joins(self):
        for scope, expected in (("key", ["stored", "stored", "stored"]), ("org", ["stored", "hit", "hit"])):
            with (
                self.subTest(scope),
                self.started(settings(self.mock.url, cache={"enabled": True, "scope": scope})) as gateway,
            ):
                seen = [self.status_of(self.ask(key=key, gateway=gateway)) for key in (RED, RED_TWO, BLUE)]
                self.assertEqual(seen, expected)

    def test_model_a_key_may_not_use_is_no_hit(self):
        config = settings(self.mock.url, cache={"enabled": True})
        config["keys"][1]["models"] = ["mock-other"]
        with self.started(config) as gateway:
            self.ask(gateway=gateway)
            refused = self.post(chat(self.prompt), key=RED_TWO, gateway=gateway)
            self.assertIn(refused.status, (403, 404), refused.body)
            self.assert_calls(1)


class Configured(CacheCase):
    def test_off_by_default_and_silent(self):
        with self.started(settings(self.mock.url)) as gateway:
            self.assertEqual([self.ask(gateway=gateway).header("cache-status") for _ in range(2)], [None, None])
        self.assert_calls(2)

    def test_entry_expires(self):  # scenario 72
        with self.started(settings(self.mock.url, cache={"enabled": True, "ttl": "1s"})) as gateway:
            stored_at = time.monotonic()
            self.assertEqual(self.status_of(self.ask(gateway=gateway)), "stored")
            eventually(lambda: self.status_of(self.ask(gateway=gateway)) == "stored", "a miss after the ttl", timeout=5)
            self.assertGreaterEqual(time.monotonic() - stored_at, 1.0)
        self.assert_calls(2)

    def stale_config(self, **cache):
        return settings(self.mock.url, cache={"enabled": True, "ttl": "1s", **cache})

    def await_stale(self, gateway, **options):
        """The first answer for which the TTL is over."""
        return eventually(
            lambda: "ttl=-" in ((response := self.ask(gateway=gateway, **options)).header("cache-status") or "")
            and response,
            "a stale answer",
            timeout=5,
        )

    def test_stale_is_served_while_one_call_renews_it(self):  # scenario 71
        body = chat(self.prompt, "mock-slow-1500:unique")
        with self.started(self.stale_config(stale_while_revalidate="1h")) as gateway:
            first = self.ask(body=body, gateway=gateway)
            begun = time.monotonic()
            stale = self.await_stale(gateway, body=body)
            self.assertRegex(stale.header("cache-status"), r"^tollgate; hit; ttl=-\d+; detail=stale_while_revalidate$")
            self.assertGreaterEqual(int(stale.header("age")), 1)
            with concurrent.futures.ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda _: self.ask(body=body, gateway=gateway), range(100)))
            during = [answer for answer in answers if self.told(answer) == self.told(first)]
            self.assertGreater(len(during), 0)
            renewed = eventually(
                lambda: self.told(now := self.ask(body=body, gateway=gateway)) != self.told(first) and now, "the renewed answer"
            )
            self.assertIn("hit", renewed.header("cache-status"))
            # One call for each time that the entry had become stale, however many asked meanwhile.
            self.assertLessEqual(self.upstream_calls(), 2 + int((time.monotonic() - begun) / 1.0))
            metrics = gateway.metrics()
            self.assertEqual(metrics.sum("tollgate_requests_in_flight"), 0)

    def test_a_stale_answer_costs_its_client_no_wait(self):  # scenario 71
        with self.started(self.stale_config(stale_while_revalidate="1h")) as gateway:
            self.ask(gateway=gateway)
            eventually(lambda: self.ask(gateway=gateway, headers={"cache-control": "only-if-cached"}), "a hit")
            self.await_stale(gateway)
            eventually(lambda: self.upstream_calls() >= 2, "the call that renews")

    def test_request_may_refuse_or_accept_stale(self):
        with self.started(self.stale_config(stale_if_error="1h")) as gateway:
            self.ask(gateway=gateway)

            def seen(control):
                return self.ask(gateway=gateway, headers={"cache-control": control}).header("cache-status")

            stale = eventually(lambda: "ttl=-" in (value := seen("max-stale, only-if-cached")) and value, "stale")
            self.assertRegex(stale, r"detail=max_stale$")
            self.assert_calls(1)
            self.assertEqual(seen("max-stale=0"), "tollgate; fwd=stale; stored")
            self.assert_calls(2)

    def test_stale_in_place_of_an_error(self):  # scenario 71
        config = self.stale_config(stale_if_error="1h")
        config["models"]["fixed"] = {"upstreams": [{"provider": "mock", "model": "mock-plain"}]}
        body = chat(self.prompt, "fixed")
        mock = self.enterContext(MockProvider())
        config["providers"]["mock"]["base_url"] = f"{mock.url}/v1"
        with self.started(config) as gateway:
            first = self.ask(body=body, gateway=gateway)
            mock.stop()
            answer = eventually(
                lambda: "fwd=stale" in (r := self.post(body, gateway=gateway)).header("cache-status") and r, "stale"
            )
            self.assertEqual((answer.status, self.told(answer)), (200, self.told(first)))
            self.assertRegex(
                answer.header("cache-status"), r"^tollgate; fwd=stale; fwd-status=502; detail=stale_if_error$"
            )
            refused = self.post(body, gateway=gateway, headers={"cache-control": "stale-if-error=0"})
            self.assertEqual(refused.status, 502, refused.body)
            other = self.post(chat(self.prompt + "other", "fixed"), gateway=gateway)
            self.assertEqual(other.status, 502, other.body)
            line = access_line(gateway, answer.header("x-request-id"))
            self.assertEqual((line["tollgate.cache"], line["tollgate.cache_reason"]), ("stale", "stale_if_error"))

    def test_only_deterministic_requests_with_sampled_off(self):  # scenario 69, without buckets
        with self.started(settings(self.mock.url, cache={"enabled": True, "sampled": False})) as gateway:

            def seen(body, path=CHAT):
                return [self.status_of(self.ask(body=body, path=path, gateway=gateway)) for _ in range(2)]

            self.assertEqual(seen(chat(self.prompt)), ["bypass:sampled"] * 2)
            self.assertEqual(seen(chat(self.prompt, temperature=0)), ["stored", "hit"])
            self.assertEqual(seen(chat(self.prompt, seed=7)), ["stored", "hit"])
            self.assertEqual(
                seen({"model": "text-embedding-3-small", "input": self.prompt}, EMBEDDINGS), ["stored", "hit"]
            )

    def test_model_switch_overrides_and_alias_shares(self):
        config = settings(self.mock.url, cache={"enabled": True})
        upstream = [{"provider": "mock", "model": "mock-plain"}]
        config["models"] = {
            "fixed": {"aliases": ["short"], "upstreams": upstream},
            "never": {"upstreams": upstream, "cache": {"enabled": False}},
        }
        with self.started(config) as gateway:
            models = ("fixed", "short", "never")
            seen = [self.status_of(self.ask(body=chat(self.prompt, model), gateway=gateway)) for model in models]
            self.assertEqual(seen, ["stored", "hit", None])

    def test_model_pointed_elsewhere_misses_at_once(self):  # scenario 64
        config = settings(self.mock.url, cache={"enabled": True})
        config["models"] = {"fixed": {"upstreams": [{"provider": "mock", "model": "mock-plain"}]}}
        with Tollgate(rendered(config)) as gateway:

            def ask():
                return call("POST", gateway.url + CHAT, bearer(RED), chat(self.prompt, "fixed"))

            self.assertEqual([self.status_of(ask()) for _ in range(2)], ["stored", "hit"])
            config["models"]["fixed"]["upstreams"][0]["model"] = "mock-unique"
            gateway.write_config(rendered(config))
            gateway.reload()
            eventually(
                lambda: gateway.metrics().sum("tollgate_config_reloads_total", result="success") == 1, "the reload"
            )
            self.assertEqual([self.status_of(ask()) for _ in range(2)], ["stored", "hit"])
        self.assert_calls(2)


if __name__ == "__main__":
    unittest.main()
