"""What every answer used, as the access log tells it, against what the provider says that it told (scenarios 21, 31, 47,
48; api-surface §4.2, §5)."""

import json
import socket
import unittest

from common import CHAT, CONFIG, KEY, GatewayTest, chat, poll, support
from common_b import access_line, log_lines

COMPLETIONS, RESPONSES, EMBEDDINGS = "/v1/completions", "/v1/responses", "/v1/embeddings"
IMAGES, TRANSCRIPTIONS = "/v1/images/generations", "/v1/audio/transcriptions"
BOUNDARY = "----usage.0123456789"
# Bound and not listening: nobody else can be there, so a connection is refused for sure.
NOBODY = socket.socket()
NOBODY.bind(("127.0.0.1", 0))
PROMPT = "How many tokens is this? " * 8


def form(model):
    part = "--" + BOUNDARY + "\r\nContent-Disposition: form-data; "
    fields = f'{part}name="model"\r\n\r\n{model}\r\n{part}name="file"; filename="a.mp3"\r\n\r\n{"sound" * 400}\r\n'
    return (fields + f"--{BOUNDARY}--\r\n").encode()


def body_of(path, model, **extra):
    """A request that every endpoint takes."""
    if path == TRANSCRIPTIONS:
        return form(model)
    body = {
        CHAT: {"messages": [{"role": "user", "content": PROMPT}]},
        COMPLETIONS: {"prompt": PROMPT},
        RESPONSES: {"input": PROMPT, "store": False},
        EMBEDDINGS: {"input": PROMPT},
        IMAGES: {"prompt": PROMPT},
    }[path]
    return {"model": model, **body, **extra}


def events(body):
    return [event + b"\n\n" for event in body.split(b"\n\n") if event]


def tells_usage_only(event):
    return event.startswith(b"data: {") and json.loads(event[6:]).get("choices") == [] and b'"usage":{' in event


class UsageCase(GatewayTest):
    values = {"REFUSED": NOBODY.getsockname()[1]}
    # "told": its streams are asked for their usage; "mock": they are not.
    config = CONFIG.replace(
        "models:\n",
        """  told: { kind: openai, base_url: "http://127.0.0.1:@MOCK@/v1", api_keys: [ "none" ], private: true, stream_usage: true }
models:
  "told:*": { upstreams: [ { provider: told } ] }
  "half:*": { upstreams: [ { provider: told, order: 1 }, { provider: refused, order: 2 } ] }
  legacy: { upstreams: [ { provider: told, model: "mock-tokens-5", via: chat } ] }
  legacy-silent: { upstreams: [ { provider: told, model: "mock-tokens-5:nousage", via: chat } ] }
""",
        1,
    ) + "overload: { loop_lag: 1m }\n"  # a busy machine is no reason to refuse these

    def send(self, path, model, **extra):
        body = body_of(path, model, **extra)
        kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"} if isinstance(body, bytes) else {}
        self.mock.reset()
        return self.post(path, body, kind)

    def used(self, response):
        """(input, output, cached, source) of the request's line in the access log."""
        line = access_line(self.gateway, response.header("x-request-id"))
        names = ("input_tokens", "output_tokens", "cache_read.input_tokens")
        return (*(line.get("gen_ai.usage." + name) for name in names), line.get("tollgate.usage_source"))

    def told(self):
        """(input, output) as the provider counts them."""
        stats = self.mock.stats()
        return stats["prompt_tokens"], stats["completion_tokens"]

    def refused(self):
        return self.gateway.metrics().sum("tollgate_usage_rejected_total")


class Reported(UsageCase):
    def test_answers(self):
        for path in (CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, IMAGES, TRANSCRIPTIONS):
            with self.subTest(path):
                response = self.send(path, "mock-tokens-12")
                self.assertEqual(response.status, 200, response.body)
                used = self.used(response)
                self.assertEqual((used[:2], used[3]), (self.told(), "upstream"))
                self.assertGreater(used[0], 0)

    def test_streams_of_clients_who_ask(self):
        for model in ("mock-tokens-12:cached-3", "told:tokens-12:cached-3"):
            for path in (CHAT, COMPLETIONS):
                with self.subTest((path, model)):
                    options = {"stream": True, "stream_options": {"include_usage": True}}
                    response = self.send(path, model, **options)
                    self.assertEqual(self.used(response), (*self.told(), 3, "upstream"))
                    self.assertEqual(response.body, self.direct(path, body_of(path, model, **options)).body)

    def test_streams_of_clients_who_do_not(self):
        for path in (CHAT, COMPLETIONS, RESPONSES):
            with self.subTest(path):
                response = self.send(path, "told:tokens-12:cached-2", stream=True)
                self.assertEqual(self.used(response), (*self.told(), 2, "upstream"))

    def test_completions_served_by_chat(self):
        for extra in ({}, {"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}):
            with self.subTest(extra):
                response = self.send(COMPLETIONS, "legacy", **extra)
                self.assertEqual(response.status, 200, response.body)
                used = self.used(response)
                self.assertEqual((used[:2], used[3]), (self.told(), "upstream"))
                if extra:
                    shown = [event for event in events(response.body) if tells_usage_only(event)]
                    self.assertEqual(len(shown), len(extra) - 1)

    def test_usage_behind_ten_mebibytes(self):
        """The report follows the vectors, far outside of anything that is held."""
        inputs = [f"text number {number}" for number in range(200)]
        response = self.send(EMBEDDINGS, "mock-plain", input=inputs, dimensions=8192)
        self.assertGreater(len(response.body), 10 << 20)
        self.assertEqual(self.used(response), (response.json()["usage"]["prompt_tokens"], 0, None, "upstream"))
        self.assertEqual(self.used(response)[0], self.told()[0])

    def test_sound_that_is_billed_by_its_length_has_no_tokens(self):
        self.mock.reset()
        body = form("whisper-1").replace(b"--" + BOUNDARY.encode() + b"--", b"--" + BOUNDARY.encode() +
                                         b'\r\nContent-Disposition: form-data; name="response_format"\r\n\r\n'
                                         b"verbose_json\r\n--" + BOUNDARY.encode() + b"--")
        kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        response = self.post(TRANSCRIPTIONS, body, kind)
        self.assertEqual(response.json()["usage"]["type"], "duration")
        self.assertEqual(self.used(response), (0, 0, None, "upstream"))

    def test_records_are_counted_by_their_source(self):
        counter = "tollgate_usage_records_total"
        before = self.gateway.metrics()
        self.send(CHAT, "mock-tokens-4")
        self.send(CHAT, "mock-tokens-4", stream=True)
        after = self.gateway.metrics()
        for labels in ({"source": "upstream", "stream": "false"}, {"source": "estimated", "stream": "true"}):
            self.assertEqual(after.value(counter, **labels) - before.value(counter, **labels), 1, labels)

    def test_what_uses_nothing_has_no_figures(self):
        for path, body in ((CHAT, chat("mock-status-400")), (CHAT, chat("mock-status-500")), (CHAT, chat("dead:x")),
                           (CHAT, chat("half:status-500")),
                           ("/v1/moderations", {"model": "omni-moderation-latest", "input": "x"})):
            with self.subTest(body["model"]):
                self.assertEqual(self.used(self.post(path, body)), (None, None, None, None))


class Unreported(UsageCase):
    WORDS = 30

    def assert_estimated(self, response, least):
        self.assertEqual(response.status, 200, response.body)
        given, output, _, source = self.used(response)
        self.assertEqual(source, "estimated")
        self.assertGreater(given, 0)
        self.assertLess(given, 10_000)
        self.assertGreaterEqual(output, least)
        self.assertLess(output, 10 * self.WORDS + 100)

    # Scenario 47.
    def test_missing_usage_is_estimated(self):
        model = f"told:tokens-{self.WORDS}:nousage"
        for path in (CHAT, COMPLETIONS, RESPONSES):
            for extra in ({}, {"stream": True}):
                with self.subTest((path, extra)):
                    limit = {"max_tokens": 1000} if path == COMPLETIONS else {}
                    response = self.send(path, model, **limit, **extra)
                    self.assert_estimated(response, self.WORDS)
        self.assert_estimated(self.send(COMPLETIONS, "legacy-silent", stream=True), 5)
        self.assert_estimated(self.send(EMBEDDINGS, "mock-nousage"), 0)

    def test_streams_nobody_asks_for_their_usage_are_estimated(self):
        self.assert_estimated(self.send(CHAT, f"mock-tokens-{self.WORDS}", stream=True), self.WORDS)

    def test_transcript_as_text_counts_what_it_says(self):
        body = form("mock-tokens-30").replace(b'name="file"', b'name="response_format"\r\n\r\ntext\r\n--' +
                                              BOUNDARY.encode() + b'\r\nContent-Disposition: form-data; name="file"')
        response = self.post(TRANSCRIPTIONS, body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}"})
        self.assertEqual(response.status, 200, response.body)
        self.assertGreaterEqual(self.used(response)[1], 30)
        self.assertNotEqual(self.used(response)[3], "upstream")

    # Scenario 21.
    def test_figures_that_cannot_be_are_refused_and_counted(self):
        refused = self.refused()
        for fault in ("usage-negative", "usage-absurd"):
            for path in (CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS):
                for extra in ({}, {"stream": True}) if path != EMBEDDINGS else ({},):
                    with self.subTest((fault, path, extra)):
                        limit = {"max_tokens": 1000} if path == COMPLETIONS else {}
                        response = self.send(path, f"told:tokens-{self.WORDS}:{fault}", **limit, **extra)
                        self.assert_estimated(response, 0 if path == EMBEDDINGS else self.WORDS)
                        refused += 1
                        self.assertEqual(self.refused(), refused)

    def test_streams_that_break_off_are_charged_for_what_came(self):
        for path in (CHAT, RESPONSES):
            for how in ("close-after-20", "error-after-20", "badchunk-after-20"):
                with self.subTest((path, how)):
                    model = f"told:tokens-{self.WORDS}:{how}"
                    connection, head = self.stream(None, path=path, body=body_of(path, model, stream=True))
                    while b"0\r\n\r\n" not in connection.buffer and connection.receive():
                        pass
                    self.assert_estimated(head, 14)
                    self.assertLess(self.used(head)[1], 10 * 20)

    def test_an_answer_cut_in_its_middle_is_charged_for_what_came(self):
        connection = self.connect()
        size = 400_000
        connection.request("POST", CHAT, {"authorization": f"Bearer {KEY}"},
                           body_of(CHAT, f"mock-size-{size}:close-after-200000"))
        head = connection.read_head()
        line = access_line(self.gateway, head.header("x-request-id"))
        self.assertEqual(line["tollgate.usage_source"], "estimated")
        output = line["gen_ai.usage.output_tokens"]
        self.assertGreater(output, 200_000 // 8, "no less than a token for eight octets")
        self.assertLess(output, size // 2)

    # Scenario 48.
    def test_clients_that_leave_are_charged_for_what_they_got(self):
        for path in (CHAT, RESPONSES):
            with self.subTest(path):
                self.mock.reset()
                connection, head = self.stream(None, path=path,
                                               body=body_of(path, "told:tokens-2000:pace-5", stream=True))
                while connection.buffer.count(b'"delta":') < 40:
                    connection.receive()
                connection.close()
                self.mock.wait(aborted=1)
                line = access_line(self.gateway, head.header("x-request-id"))
                self.assertEqual(line["tollgate.outcome"], "client_cancelled")
                self.assertEqual(line["tollgate.usage_source"], "estimated")
                self.assertGreaterEqual(line["gen_ai.usage.output_tokens"], 38)
                self.assertLess(line["gen_ai.usage.output_tokens"], 2000, "not all that it might have been")
                self.assertGreater(line["gen_ai.usage.input_tokens"], 0)

    def test_a_client_that_leaves_before_the_answer_is_charged_for_its_question(self):
        connection = self.connect()
        connection.request("POST", CHAT, {"authorization": f"Bearer {KEY}"}, chat("mock-hang", PROMPT))
        self.mock.wait(requests=1)
        connection.close()
        self.mock.wait(aborted=1)

        def lines():
            found = log_lines(self.gateway, "tollgate.access")
            return [line for line in found if line["gen_ai.request.model"] == "mock-*" and
                    line["tollgate.outcome"] == "client_cancelled"]

        (line,) = poll(lines, "the line")
        self.assertEqual((line["gen_ai.usage.output_tokens"], line["tollgate.usage_source"]), (0, "estimated"))
        self.assertGreaterEqual(line["gen_ai.usage.input_tokens"], len(PROMPT) // 5)

    def test_a_request_that_broke_before_its_answer_is_settled_once(self):
        response = self.post(CHAT, chat("quick:hang"))
        self.assertEqual(response.status, 504, response.body)
        given, output, _, source = self.used(response)
        self.assertEqual((output, source), (0, "estimated"))
        self.assertGreater(given, 0)
        self.assertTrue(poll(lambda: self.mock.stats()["requests"] == 1, "the call"))


class Settled(UsageCase):
    """Who has an answer's last octets finds it settled, at once: nothing here waits."""

    def settled(self):
        scrape = support.Metrics(support.call("GET", self.gateway.metrics_url + "/metrics").body.decode())
        return scrape.sum("tollgate_usage_records_total")

    def test_before_the_last_octets(self):
        for path in (CHAT, COMPLETIONS, RESPONSES, EMBEDDINGS, IMAGES, TRANSCRIPTIONS):
            for extra in ({}, {"stream": True}) if path in (CHAT, COMPLETIONS, RESPONSES) else ({},):
                for words in ("tokens-12", "tokens-12:nousage", "size-300000"):
                    with self.subTest((path, extra, words)):
                        before = self.settled()
                        response = self.send(path, f"told:{words}", **extra)
                        self.assertEqual((response.status, self.settled()), (200, before + 1))

    def test_before_a_terminal_event_after_which_the_connection_stays(self):
        """A response is over for its client although the provider's connection is not: seven events and the words."""
        before = self.settled()
        connection, _ = self.stream(None, path=RESPONSES,
                                    body=body_of(RESPONSES, "told:tokens-5:hang-after-13", stream=True))
        while b"event: response.completed" not in connection.buffer:
            connection.receive()
        self.assertEqual(self.settled(), before + 1)

    def test_before_the_error_that_ends_a_broken_stream(self):
        for words in ("close-after-5", "badchunk-after-5", "nodone"):
            with self.subTest(words):
                before = self.settled()
                connection, _ = self.stream(f"told:tokens-9:{words}")
                while b'"error_type"' not in connection.buffer:
                    connection.receive()
                self.assertEqual(self.settled(), before + 1)

    def test_before_an_error_of_ours(self):
        for model in ("quick:hang", "quick:close", "quick:html"):
            with self.subTest(model):
                before = self.settled()
                self.assertGreaterEqual(self.post(CHAT, chat(model)).status, 500)
                self.assertEqual(self.settled(), before + 1)

    def test_once_for_clients_that_leave(self):
        before = self.settled()
        connection, _ = self.stream("told:tokens-2000:pace-5")
        connection.receive()
        connection.close()
        self.mock.wait(aborted=1)
        self.assertEqual(poll(lambda: self.settled() - before, "the settlement"), 1)
        self.assertEqual(self.gateway.metrics().sum("tollgate_usage_records_total"), before + 1)


class Asked(UsageCase):
    def sent_body(self):
        (request,) = self.mock.requests()
        return request["body"]

    def test_the_option_is_added_and_nothing_else_changed(self):
        for given, wanted in (
            ('"stream":true', '"stream_options":{"include_usage":true},"stream":true'),
            ('"stream":true,"stream_options":null', '"stream":true,"stream_options":{"include_usage":true}'),
            ('"stream":true,"stream_options":{"include_usage" : false, "include_obfuscation":false}',
             '"stream":true,"stream_options":{"include_usage" : true, "include_obfuscation":false}'),
        ):
            rest = ', "model" : "told:tokens-2", "messages":[{"role":"user","content":"\\u00e4 {\\"stream_options\\":1}"}] }'
            self.mock.reset()
            response = self.post(CHAT, ("{" + given + rest).encode(), {"content-type": "application/json"})
            self.assertEqual(response.status, 200, response.body)
            self.assertEqual(self.sent_body().decode(), "{" + wanted + rest)
            self.assertFalse([event for event in events(response.body) if tells_usage_only(event)])
            self.assertTrue(response.body.endswith(b"data: [DONE]\n\n"))

    def test_nothing_is_added_where_nobody_wants_it(self):
        for body in (chat("told:tokens-2"), chat("mock-tokens-2", stream=True),
                     chat("told:tokens-2", stream=True, stream_options={"include_usage": True})):
            self.mock.reset()
            self.assertEqual(self.post(CHAT, body).status, 200)
            self.assertEqual(json.loads(self.sent_body()), body)

    def test_only_the_usage_chunk_is_missing(self):
        for words in ("tokens-40", "tokens-9:pace-3", "size-200000", "tokens-0"):
            for path in (CHAT, COMPLETIONS):
                for extra in ({}, {"n": 3}):
                    with self.subTest((words, path, extra)):
                        model = f"told:{words}"
                        response = self.send(path, model, stream=True, **extra)
                        asked = body_of(path, model, stream=True, stream_options={"include_usage": True}, **extra)
                        whole = events(self.direct(path, asked).body)
                        left = [event for event in whole if not tells_usage_only(event)]
                        self.assertEqual(len(left), len(whole) - 1)
                        self.assertEqual(response.body, b"".join(left))

    def test_end_of_the_stream_leaves_in_one_write(self):
        """`[DONE]` and the framing's end together, also where the chunk before them was taken out."""
        for words in ("tokens-3", "tokens-3:pace-20"):
            connection, _ = self.stream(f"told:{words}")
            while b"[DONE]" not in connection.buffer:
                connection.receive()
            self.assertEqual(bytes(connection.buffer[-21:]), b"data: [DONE]\n\n\r\n0\r\n\r\n")
            self.assertNotIn(b'"usage":{', connection.buffer)

def tearDownModule():
    NOBODY.close()


if __name__ == "__main__":
    unittest.main()
