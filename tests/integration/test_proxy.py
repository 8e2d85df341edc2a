"""What a client of the API sees, and what the provider sees of it."""

import hashlib
import json
import unittest

from common import CHAT, KEY, NARROW_KEY, UPSTREAM_KEY, GatewayTest, bearer, chat, octets, support


class Models(GatewayTest):
    def test_names_that_lead_upstream(self):
        """Own name, alias, wildcard with every kind of character, a name that is rewritten."""
        expected = {
            "gpt-4o-mini": "gpt-4o-mini",
            "small": "gpt-4o-mini",
            "renamed": "mock-tokens-3",
            "mock-plain": "mock-plain",
            "org/team:a_B.c@1": "org/team:a_B.c@1",
        }
        for asked, sent in expected.items():
            response = self.ask(asked)
            self.assertEqual(response.status, 200, response.body)
            (recorded,) = self.mock.requests(last=1)
            self.assertEqual(json.loads(recorded["body"])["model"], sent)
            self.assertEqual(response.header("x-tollgate-model"), asked)
            self.assertEqual(response.header("x-tollgate-upstream"), "mock")

    def test_unknown_model(self):
        error = self.assert_error(self.ask("gpt-4o-mimi"), 404, code="model_not_found", type="invalid_request_error")
        self.assertEqual(error["param"], "model")
        self.assertIn("Did you mean `gpt-4o-mini`?", error["message"])
        error = self.assert_error(self.ask("quite-another"), 404, code="model_not_found")
        self.assertNotIn("Did you mean", error["message"])
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_allow_list(self):
        for model in ("gpt-4o-mini", "mock-plain", "mock-plain-2"):
            self.assertEqual(self.post(CHAT, chat(model), key=NARROW_KEY).status, 200, model)
        for model in ("renamed", "mock-tokens-3", "text-davinci-003"):
            response = self.post(CHAT, chat(model), key=NARROW_KEY)
            self.assert_error(response, 403, code="model_not_found", text="#narrow-team")
            self.assertEqual(response.header("x-should-retry"), "false")
        self.assertEqual(self.mock.stats()["requests"], 3)

    def test_missing_and_malformed_model(self):
        error = self.assert_error(self.post(CHAT, {"messages": []}), 400, code="missing_required_parameter")
        self.assertEqual(error["param"], "model")
        for model in ("", "a b", "../admin", "mock-plain+x", 7, None, ["gpt-4o-mini"], "x" * 200):
            self.assert_error(self.post(CHAT, {"model": model, "messages": []}), 400)
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_list_holds_what_the_key_may_use(self):
        listed = self.get("/v1/models").json()
        self.assertEqual(listed["object"], "list")
        names = {model["id"] for model in listed["data"]}
        self.assertTrue({"gpt-4o-mini", "small", "renamed", "text-davinci-003"} <= names, names)
        self.assertEqual({model["object"] for model in listed["data"]}, {"model"})
        narrow = {model["id"] for model in self.get("/v1/models", key=NARROW_KEY).json()["data"]}
        self.assertIn("gpt-4o-mini", narrow)
        self.assertFalse({"renamed", "text-davinci-003", "tts-1"} & narrow, narrow)
        self.assertEqual({e["id"] for e in self.get("/v1/engines", key=NARROW_KEY).json()["data"]}, narrow)
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_one_model(self):
        self.assertEqual(self.get("/v1/models/gpt-4o-mini").json()["id"], "gpt-4o-mini")
        self.assertEqual(self.get("/v1/models/org%2Fteam:x").json()["id"], "org/team:x")
        self.assertEqual(self.get("/models/org/team:x").json()["id"], "org/team:x")
        self.assertEqual(self.get("/v1/engines/small").json()["object"], "engine")
        self.assert_error(self.get("/v1/models/nothing"), 404, code="model_not_found")
        self.assert_error(self.get("/v1/models/renamed", key=NARROW_KEY), 404, code="model_not_found")


class Endpoints(GatewayTest):
    def test_with_without_and_with_doubled_version(self):
        for path in ("/v1/chat/completions", "/chat/completions", "/v1/v1/chat/completions"):
            self.assertEqual(self.post(path, chat()).status, 200, path)
            (recorded,) = self.mock.requests(last=1)
            self.assertEqual(recorded["path"], "/v1/chat/completions")

    def test_answers_are_the_providers_octets(self):
        questions = {
            "/v1/chat/completions": chat(n=2),
            "/v1/completions": {"model": "gpt-4o-mini", "prompt": "Hello"},
            "/v1/embeddings": {"model": "text-embedding-3-small", "input": ["a", "b"], "encoding_format": "base64"},
            "/v1/moderations": {"model": "omni-moderation-latest", "input": "kill"},
            "/v1/images/generations": {"model": "gpt-image-1", "prompt": "a cat"},
            "/v1/responses": {"model": "gpt-4o-mini", "input": "Hello", "store": False},
            "/v1/audio/speech": {"model": "tts-1", "input": "Hello", "voice": "alloy"},
        }
        for path, question in questions.items():
            direct = self.direct(path, question)
            response = self.post(path, question)
            self.assertEqual(response.status, 200, (path, response.body))
            if path != "/v1/responses":  # its ids and times differ
                self.assertEqual(response.body, direct.body, path)
            self.assertEqual(response.header("content-type"), direct.header("content-type"), path)
            self.assertEqual(self.mock.requests(last=1)[0]["body"], octets(question), path)

    def test_moderation_without_a_model(self):
        response = self.post("/v1/moderations", {"input": "fine"})
        self.assertEqual((response.status, response.json()["results"][0]["flagged"]), (200, False))

    def test_binary_audio(self):
        response = self.post("/v1/audio/speech", {"model": "mock-size-300000", "input": "Hello", "voice": "alloy"})
        self.assertEqual((response.status, response.header("content-type")), (200, "audio/mpeg"))
        self.assertEqual((len(response.body), response.body[:3]), (300_000, b"ID3"))
        self.assertTrue({0, 10, 13, 255 - 1} <= set(response.body), "not text")
        direct = self.direct("/v1/audio/speech", {"model": "mock-size-300000", "input": "Hello", "voice": "alloy"})
        self.assertEqual(hashlib.sha256(response.body).digest(), hashlib.sha256(direct.body).digest())
        wav = self.post("/v1/audio/speech", {"model": "tts-1", "input": "Hello", "response_format": "wav"})
        self.assertEqual(wav.header("content-type"), "audio/wav")

    def test_engine_urls_of_old_clients(self):
        questions = {
            "/v1/engines/gpt-4o-mini/chat/completions": {"messages": [{"role": "user", "content": "Hello"}]},
            "/v1/engines/small/completions": {"prompt": "Hello"},
            "/engines/text-embedding-3-small/embeddings": {"input": "Hello"},
            "/v1/engines/org%2Fteam%3Ax/completions": {"prompt": "Hello"},
        }
        sent = []
        for path, question in questions.items():
            response = self.post(path, question)
            self.assertEqual(response.status, 200, (path, response.body))
            (recorded,) = self.mock.requests(last=1)
            sent.append((recorded["path"], json.loads(recorded["body"])["model"]))
        self.assertEqual(
            sent,
            [
                ("/v1/chat/completions", "gpt-4o-mini"),
                ("/v1/completions", "gpt-4o-mini"),
                ("/v1/embeddings", "text-embedding-3-small"),
                ("/v1/completions", "org/team:x"),
            ],
        )
        self.assert_error(self.post("/v1/engines/nothing/completions", {"prompt": "x"}), 404, code="model_not_found")

    def test_engines_that_no_model_is_called_are_judged_as_in_a_body(self):
        for written, name in (("a+b", "a+b"), ("a%20b", "a b"), ("%C3%A9", "\u00e9")):
            in_path = self.post(f"/v1/engines/{written}/completions", {"prompt": "x"})
            in_body = self.post("/v1/completions", {"model": name, "prompt": "x"})
            told = [{k: v for k, v in r.json()["error"].items() if k != "tollgate"} for r in (in_path, in_body)]
            self.assertEqual((in_path.status, told[0]), (in_body.status, told[1]))
            self.assertEqual(told[0]["param"], "model")
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_engine_urls_that_were_retired(self):
        for name in ("generate", "search"):
            answer = self.post(f"/v1/engines/davinci/{name}", {"context": "x", "query": "x"})
            self.assert_error(answer, 404, code="endpoint_retired", text=name)
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_decisions(self):
        body = {"model": "mock-plain", "input": "Is it raining?", "questions": [{"type": "predicate", "name": "rain"}]}
        answer = self.post("/v1/decisions", body)
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual((answer.json()["object"], answer.json()["answers"][0]["name"]), ("decision", "rain"))
        (recorded,) = self.mock.requests(last=1)
        self.assertEqual((recorded["path"], json.loads(recorded["body"])), ("/v1/decisions", body))

    def test_input_tokens_compaction_and_variations(self):
        question = {"model": "mock-plain", "input": "Hello"}
        counted = self.post("/v1/responses/input_tokens", question)
        self.assertEqual((counted.status, counted.json()["object"]), (200, "response.input_tokens"), counted.body)
        compacted = self.post("/v1/responses/compact", question).json()
        self.assertEqual(compacted["object"], "response.compaction")
        self.assertEqual(compacted["usage"]["input_tokens"], counted.json()["input_tokens"])
        form = "".join(f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
                       for name, value in (("model", "gpt-image-1"), ("image", "octets"))) + "--b--\r\n"  # fmt: skip
        headers = {**bearer(), "content-type": "multipart/form-data; boundary=b"}
        varied = support.call("POST", self.gateway.url + "/v1/images/variations", headers, form.encode())
        self.assertEqual((varied.status, len(varied.json()["data"])), (200, 1), varied.body)

    def test_completions_through_chat(self):
        question = {"model": "text-davinci-003", "prompt": "Hello", "max_tokens": 5, "echo": False}
        response = self.post("/v1/completions", question)
        self.assertEqual(response.status, 200, response.body)
        answer = response.json()
        self.assertEqual((answer["object"], answer["model"]), ("text_completion", "text-davinci-003"))
        self.assertEqual(len(answer["choices"][0]["text"].split()), 5)
        self.assertEqual(answer["usage"]["completion_tokens"], 5)
        (recorded,) = self.mock.requests(last=1)
        self.assertEqual(recorded["path"], "/v1/chat/completions")
        self.assertEqual(json.loads(recorded["body"])["messages"], [{"role": "user", "content": "Hello"}])

    def test_completions_through_chat_streamed(self):
        question = {"model": "text-davinci-003", "prompt": "Hello", "max_tokens": 5, "stream": True}
        connection, head = self.stream(None, path="/v1/completions", body=question)
        *events, done = connection.sse(head)
        self.assertEqual(done.data, "[DONE]")
        whole = self.post("/v1/completions", {**question, "stream": False}).json()
        texts = [event.json()["choices"][0]["text"] for event in events if event.json()["choices"]]
        self.assertEqual("".join(texts), whole["choices"][0]["text"])
        self.assertEqual({event.json()["object"] for event in events}, {"text_completion"})

    def test_a_model_behind_chat_answers_chat_and_legacy_completions_alone(self):
        model = "text-davinci-003"
        for path in (CHAT, f"/v1/engines/{model}/chat/completions"):
            answer = self.post(path, chat(model))
            self.assertEqual((answer.status, answer.json()["object"]), (200, "chat.completion"))
            (recorded,) = self.mock.requests(last=1)
            self.assertEqual((recorded["path"], json.loads(recorded["body"])["model"]), (CHAT, "gpt-4o-mini"))
        connection, head = self.stream(model)
        self.assertEqual({e.json()["object"] for e in list(connection.sse(head))[:-1]}, {"chat.completion.chunk"})
        self.assertEqual(self.post(f"/v1/engines/{model}/completions", {"prompt": "x"}).json()["object"], "text_completion")
        calls = self.mock.stats()["requests"]
        everything = {"model": model, "prompt": "x", "input": "x", "instruction": "x", "voice": "alloy"}
        for path in ("/v1/responses", "/v1/responses/input_tokens", "/v1/responses/compact", "/v1/decisions", "/v1/edits", "/v1/embeddings",
                     "/v1/moderations", "/v1/images/generations", "/v1/audio/speech"):
            error = self.assert_error(self.post(path, everything), 400, code="model_not_supported", text=model)
            self.assertIn(f"POST {path}", error["message"])
        for name in ("embeddings", "edits"):
            refused = self.post(f"/v1/engines/{model}/{name}", {"input": "x", "instruction": "x"})
            self.assert_error(refused, 400, code="model_not_supported")
        part = f'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\n{model}\r\n--b--\r\n'.encode()
        for path in ("/v1/images/edits", "/v1/images/variations", "/v1/audio/transcriptions", "/v1/audio/translations"):
            headers = {**bearer(), "content-type": "multipart/form-data; boundary=b"}
            refused = support.call("POST", self.gateway.url + path, headers, part)
            self.assert_error(refused, 400, code="model_not_supported", text=path)
        self.assertEqual(self.mock.stats()["requests"], calls)

    def test_upstreams_that_are_not_behind_chat_serve_the_rest(self):
        for _ in range(8):
            self.assertEqual(self.post("/v1/embeddings", {"model": "mixed", "input": "x"}).status, 200)
        self.assertEqual({r["path"] for r in self.mock.requests(last=8)}, {"/v1/embeddings"})
        self.assertEqual(self.post("/v1/completions", {"model": "mixed", "prompt": "x"}).status, 200)
        (recorded,) = self.mock.requests(last=1)
        self.assertEqual(recorded["path"], CHAT)

    def test_unknown_urls_and_methods(self):
        error = self.assert_error(self.post("/v1/chat/completion", chat()), 404, code="unknown_url")
        self.assertIn("Did you mean /v1/chat/completions?", error["message"])
        for path, allowed in (("/v1/embeddings", "POST"), ("/v1/files/file-1/content", "GET, HEAD")):
            response = self.get(path, method="PUT")
            self.assert_error(response, 405, code="method_not_supported", text=allowed)
            self.assertEqual(response.header("allow"), allowed)
        for path in ("/metrics", "/livez", "/admin", "/debug", "/"):  # case 274
            self.assert_error(self.get(path), 404, code="unknown_url")
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_stored_objects_are_off_unless_listed(self):
        self.assert_error(self.get("/v1/vector_stores"), 403)
        self.assert_error(self.get("/v1/responses/resp_1"), 403)
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_websocket_endpoints(self):
        upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
        for path in ("/v1/responses", "/v1/realtime?model=gpt-4o-mini"):
            response = support.call("GET", self.gateway.url + path, {**bearer(), **upgrade})
            self.assert_error(response, 501, code="websocket_not_supported")
        plain = self.get("/v1/responses")
        self.assert_error(plain, 405, code="method_not_supported", text="POST")
        self.assertEqual(plain.header("allow"), "POST")
        self.assert_error(self.get("/v1/realtime"), 501, code="websocket_not_supported")
        self.assertEqual(self.mock.stats()["requests"], 0)


class Forwarding(GatewayTest):
    # Spaces, escapes, order, unknown members, numbers no double holds: nothing of it may change on the way.
    ODD = (
        b' {\r\n\t"unknown" : [1e300, -0.0, 18446744073709551615, null],"messages":[{"role":"user","content":'
        b'"\\u00e9\\ud83d\\ude00\xc3\xa9 \\/"}] ,%s "temperature":0.10000000000000000001 , "user":"\\n"}\n '
    )

    def send(self, body, headers=None):
        response = self.post(CHAT, body, {"content-type": "application/json", **(headers or {})})
        self.assertEqual(response.status, 200, response.body)
        return self.mock.requests(last=1)[0]

    def test_body_is_forwarded_octet_by_octet(self):
        body = self.ODD % b'"model":"gpt-4o-mini",'
        self.assertEqual(self.send(body)["body"], body)

    def test_alias_is_replaced_and_nothing_else(self):
        for asked in (b'"model" : "small",', b'"model":\r\n"sma\\u006cl",', b'"\\u006dodel":"small",'):
            sent = self.send(self.ODD % asked)["body"]
            value = asked[asked.index(b":") + 1 : -1].strip()
            self.assertEqual(sent, self.ODD % asked.replace(value, b'"gpt-4o-mini"'))

    def test_large_body(self):
        body = octets(chat(content="x" * 3_000_000, model="renamed"))
        sent = self.send(body)["body"]
        wanted = body.replace(b"renamed", b"mock-tokens-3")
        self.assertEqual(hashlib.sha256(sent).digest(), hashlib.sha256(wanted).digest())

    def test_upstream_head_is_built_from_nothing(self):
        leaks = {
            "cookie": "session=1",
            "x-forwarded-for": "10.0.0.1",
            "forwarded": "for=10.0.0.1",
            "x-real-ip": "10.0.0.1",
            "accept-encoding": "gzip, br",
            "accept": "text/evil",
            "user-agent": "OpenAI/Python 1.0",
            "x-tollgate-tenant": "other",
            "x-stainless-lang": "python",
            "origin": "https://evil.invalid",
            "referer": "https://evil.invalid/",
            "proxy-authorization": "Basic eA==",
            "x-api-key": KEY,
            "openai-organization": "org-client",
            "openai-project": "proj-client",
            "x-http-method-override": "DELETE",
            "x-original-url": "/admin",
            "baggage": "a=b",
            "range": "bytes=0-1",
            "if-none-match": "*",
            "te": "trailers",
            "connection": "keep-alive, authorization",
            "via": "1.1 somebody",
            "idempotency-key": "client-chosen",
            "openai-beta": "assistants=v2",
        }
        recorded = self.send(octets(chat()), leaks)
        line, fields = self.head_lines(recorded)
        self.assertEqual(line, "POST /v1/chat/completions HTTP/1.1")
        sent = {name.lower(): value for name, value in fields}
        self.assertEqual(len(sent), len(fields), fields)
        via = sent.pop("via")
        self.assertRegex(via, r"^1\.1 [A-Za-z0-9_.-]+$")
        self.assertRegex(sent.pop("user-agent"), r"^tollgate/[0-9.]+$")
        self.assertEqual(
            sent,
            {
                "host": f"127.0.0.1:{self.mock.port}",
                "authorization": f"Bearer {UPSTREAM_KEY}",
                "accept": "application/json",
                "accept-encoding": "identity",
                "content-type": "application/json",
                "content-length": str(len(recorded["body"])),
                "openai-beta": "assistants=v2",
            },
        )

    def test_query_is_forwarded_without_credentials(self):
        for query, sent in (("?a=b&c", "?a=b&c"), ("?api_key=x&a=1&KEY=y&token=z", "?a=1"), ("?", "")):
            self.assertEqual(self.post(CHAT + query, chat()).status, 200, query)
            self.assertEqual(self.mock.requests(last=1)[0]["path"], CHAT + sent)

    def test_own_pseudonym_in_via_is_a_loop(self):
        recorded = self.send(octets(chat()))
        via = dict((name.lower(), value) for name, value in self.head_lines(recorded)[1])["via"]
        response = self.post(CHAT, chat(), {"via": via})
        self.assert_error(response, 508)
        self.assertEqual(self.mock.stats()["requests"], 1)

    def test_case_312_answer_head_passes_an_allow_list(self):
        response = self.ask("mock-setcookie:bigheader")
        self.assertEqual(response.status, 200)
        names = [name for name, _ in response.headers]
        self.assertEqual(len(names), len(set(names)), names)
        self.assertEqual(
            set(names),
            {
                "date", "x-request-id", "content-type", "content-length", "cache-control", "x-content-type-options",
                "server-timing", "openai-processing-ms", "openai-version", "x-tollgate-upstream-request-id",
                "x-tollgate-model", "x-tollgate-upstream",
            },
        )
        self.assertEqual(response.header("x-tollgate-upstream-request-id"), "req_mock")
        self.assertEqual(response.header("cache-control"), "private, no-store")
        self.assertNotIn(b"mock-cookie", response.raw_head)

    def test_request_ids(self):
        first, second = (self.post(CHAT, chat(), {"x-client-request-id": "client-1"}) for _ in range(2))
        self.assertNotEqual(first.header("x-request-id"), second.header("x-request-id"))
        self.assertEqual(first.header("x-client-request-id"), "client-1")
        foreign = self.post(CHAT, chat(), {"x-client-request-id": "a" * 200})  # case 267
        self.assertIsNone(foreign.header("x-client-request-id"))
        error = self.assert_error(self.ask("nothing"), 404)
        self.assertRegex(error["tollgate"]["request_id"], r"^[A-Za-z0-9_.-]{8,}$")


class ProviderErrors(GatewayTest):
    def test_bodies_the_client_is_meant_to_read(self):
        for status, seen in ((400, 400), (404, 404), (409, 400), (413, 413), (422, 422)):
            direct = self.direct(CHAT, chat(f"mock-status-{status}"))
            self.assertEqual(direct.status, status)
            response = self.ask(f"mock-status-{status}")
            self.assertEqual((response.status, response.body), (seen, direct.body), status)
            self.assertEqual(self.mock.stats()["requests"], 1, "the client's fault is not tried again")

    def test_case_305_refusals_of_our_own_account(self):
        for status, word in ((401, "provider_auth_failed"), (403, "provider_auth_failed"), (402, "provider_billing")):
            response = self.ask(f"mock-status-{status}")
            error = self.assert_error(response, 502, type="server_error", word=word, text='Provider "mock"')
            self.assertNotIn(UPSTREAM_KEY, json.dumps(error))

    def test_rate_limit_of_the_provider(self):
        response = self.ask("mock-status-429")
        self.assert_error(response, 429, code="rate_limit_exceeded", word="provider_rate_limited")
        self.assertEqual((response.header("retry-after"), response.header("retry-after-ms")), ("2", "2000"))

    def test_failures_of_the_provider(self):
        expected = {500: (502, "provider_server_error"), 502: (502, "provider_server_error"),
                    503: (503, "provider_overloaded"), 504: (504, "provider_timeout"), 524: (504, "provider_timeout"),
                    529: (503, "provider_overloaded"), 418: (502, "provider_bad_response")}
        for status, (seen, word) in expected.items():
            self.assert_error(self.ask(f"mock-status-{status}"), seen, word=word)

    def test_case_304_306_answers_that_are_none(self):
        for model in ("mock-html", "mock-redirect", "mock-status-304"):
            response = self.ask(model)
            self.assert_error(response, 502, word="provider_bad_response")
            self.assertIsNone(response.header("location"))
            self.assertNotIn(b"It works", response.body)

    def test_errors_of_a_stream_that_has_not_begun(self):
        for model, status in (("mock-status-400", 400), ("mock-status-500", 502), ("mock-html", 502)):
            response = self.ask(model, stream=True)
            self.assert_error(response, status)
            self.assertIsNotNone(response.header("content-length"))


if __name__ == "__main__":
    unittest.main()
