"""Objects stored at the provider: granted, owned by a team, remembered (design §8)."""

import contextlib
import json
import signal
import sqlite3
import threading
import time
import unittest

from common_b import BLUE, CHAT, RED, RED_TWO, Case, bearer, chat, eventually, settings
from tollgate_test import Connection, call

FILES = "/v1/files"
BATCHES = "/v1/batches"
RESPONSES = "/v1/responses"
PLAIN = "sk-no-grant-canary-2f"
BOUNDARY = "----boundary-of-the-tests"


def form(content=b'{"a":1}\n', purpose="batch", filename="input.jsonl"):
    """A multipart body of one file."""
    parts = [
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\n{purpose}\r\n'.encode(),
        f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="{filename}"\r\n'.encode(),
        b"content-type: application/octet-stream\r\n\r\n" + content + f"\r\n--{BOUNDARY}--\r\n".encode(),
    ]
    return b"".join(parts)


class StatefulCase(Case):
    @classmethod
    def config(cls):
        config = settings(cls.mock.url)
        config["keys"].append({"id": "k_plain", "team": "red", "secret": PLAIN})
        return config

    def upload(self, key=RED, gateway=None, content=b'{"a":1}\n', status=200):
        headers = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
        response = self.post(form(content), path=FILES, key=key, gateway=gateway, headers=headers)
        self.assertEqual(response.status, status, response.body)
        return response.json().get("id")

    def delete(self, path, key=RED, gateway=None):
        return call("DELETE", (gateway or self.gateway).url + path, bearer(key))

    def listed(self, path=FILES, key=RED, gateway=None):
        answer = self.get(path, key=key, gateway=gateway)
        self.assertEqual(answer.status, 200, answer.body)
        return [item["id"] for item in answer.json()["data"]]


class Files(StatefulCase):
    def test_without_grant_every_route_is_403(self):
        mine = self.upload()
        calls = self.upstream_calls()
        refusals = [
            self.get(FILES, key=PLAIN),
            self.get(f"{FILES}/{mine}", key=PLAIN),
            self.get(f"{FILES}/{mine}/content", key=PLAIN),
            self.delete(f"{FILES}/{mine}", key=PLAIN),
            self.post({"input_file_id": mine}, path=BATCHES, key=PLAIN),
            self.post(
                form(), path=FILES, key=PLAIN, headers={"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
            ),
        ]
        for refusal in refusals:
            self.assert_error(refusal, 403, "policy_access_denied")
        self.assert_calls(calls)

    def test_a_model_list_of_everything_restricts_no_batches(self):
        config = self.config()
        config["teams"] = {"red": {"models": ["*"]}, "blue": {"models": ["mock-*"]}}
        with self.started(config) as gateway:
            body = {"input_file_id": self.upload(gateway=gateway), "endpoint": CHAT, "completion_window": "24h"}
            self.assertEqual(self.post(body, path=BATCHES, gateway=gateway).status, 200)
            body["input_file_id"] = self.upload(BLUE, gateway=gateway)
            self.assert_error(self.post(body, path=BATCHES, key=BLUE, gateway=gateway), 403, "policy_access_denied")

    def test_group_not_granted_is_403(self):
        self.assertEqual(self.get("/v1/vector_stores").status, 403)
        self.assertEqual(self.get("/v1/fine_tuning/jobs").status, 403)

    def test_whole_life_of_a_file(self):
        content = bytes(range(256)) * 64
        mine = self.upload(content=content)
        got = self.get(f"{FILES}/{mine}")
        self.assertEqual((got.status, got.json()["bytes"]), (200, len(content)))
        downloaded = self.get(f"{FILES}/{mine}/content")
        self.assertEqual((downloaded.status, downloaded.body), (200, content))
        self.assertIn(mine, self.listed())
        self.assertEqual(self.delete(f"{FILES}/{mine}").json()["deleted"], True)
        self.assertEqual(self.get(f"{FILES}/{mine}").status, 404)
        self.assertEqual(self.delete(f"{FILES}/{mine}").status, 404)
        self.assertNotIn(mine, self.listed())

    def test_head_of_an_object(self):
        mine = self.upload()
        answer = call("HEAD", self.gateway.url + f"{FILES}/{mine}", bearer(RED))
        self.assertEqual((answer.status, answer.header("content-type"), answer.body), (200, "application/json", b""))
        self.assertEqual(self.mock.requests(last=1)[0]["method"], "HEAD")
        self.assertEqual(call("HEAD", self.gateway.url + f"{FILES}/{mine}", bearer(BLUE)).status, 404)

    def test_head_that_the_provider_does_not_know_is_405(self):
        batch = self.post({"input_file_id": self.upload()}, path=BATCHES).json()["id"]
        answer = call("HEAD", f"{self.gateway.url}{BATCHES}/{batch}", bearer(RED))
        self.assertEqual((answer.status, answer.header("allow"), answer.body), (405, "GET", b""))
        self.assertEqual(self.get(f"{BATCHES}/{batch}").status, 200)

    def test_large_file_goes_through_unaltered(self):
        content = bytes(range(251)) * 12_000  # above what is held in memory
        mine = self.upload(content=content)
        self.assertEqual(self.get(f"{FILES}/{mine}/content").body, content)

    def test_foreign_file_is_404_on_every_way(self):
        mine = self.upload()
        calls = self.upstream_calls()
        for refusal in (
            self.get(f"{FILES}/{mine}", key=BLUE),
            self.get(f"{FILES}/{mine}/content", key=BLUE),
            self.delete(f"{FILES}/{mine}", key=BLUE),
        ):
            self.assertEqual(refusal.status, 404, refusal.body)
        self.assertEqual(self.upstream_calls(), calls)
        self.assertEqual(self.get(f"{FILES}/{mine}").status, 200)

    def test_foreign_and_absent_look_the_same(self):
        mine = self.upload()
        foreign = self.get(f"{FILES}/{mine}", key=BLUE).json()["error"]
        absent = self.get(f"{FILES}/file-0000", key=BLUE).json()["error"]
        for error in (foreign, absent):
            del error["tollgate"]["request_id"]
        self.assertEqual(str(foreign).replace(mine, "ID"), str(absent).replace("file-0000", "ID"))

    def test_encoded_id_does_not_slip_past(self):
        mine = self.upload()
        for disguise in (
            mine.replace("-", "%2D"),
            mine.replace("file", "%66ile"),
            f"{mine}%00",
            f"../files/{mine}",
            f"{mine}?",
            f"{mine}/",
        ):
            answer = self.get(f"{FILES}/{disguise}", key=BLUE)
            self.assertIn(answer.status, (400, 404), disguise)

    def test_list_holds_only_the_teams_own(self):
        red, blue, second = self.upload(), self.upload(BLUE), self.upload(RED_TWO)
        self.assertEqual(set(self.listed()), {red, second})
        self.assertEqual(self.listed(key=RED_TWO), self.listed())
        answer = self.get(FILES, key=BLUE).json()
        self.assertEqual([item["id"] for item in answer["data"]], [blue])
        self.assertEqual((answer["first_id"], answer["last_id"]), (blue, blue))

    def test_list_without_own_objects_is_empty(self):
        self.upload()
        answer = self.get(FILES, key=BLUE).json()
        self.assertEqual((answer["data"], answer["first_id"], answer["last_id"]), ([], None, None))


class OtherObjects(StatefulCase):
    def test_graders_need_the_grant_and_spend_nothing_that_a_budget_counts(self):
        config = self.config()
        config["keys"][0]["routes"] = ["fine_tuning"]
        config["keys"][2] |= {"routes": ["fine_tuning"], "budget": {"usd": 1, "per": "day", "mode": "strict"}}
        grader = {"grader": {"type": "string_check", "name": "same"}, "model_sample": "x"}
        runs, validates = (f"/v1/fine_tuning/alpha/graders/{name}" for name in ("run", "validate"))
        with self.started(config) as gateway:
            ask = lambda path, key: self.post(grader, path=path, key=key, gateway=gateway)  # noqa: E731
            self.assertEqual(ask(runs, RED).json()["reward"], 0.5)
            self.assertEqual(ask(validates, RED).json()["grader"], grader["grader"])
            for path, key in ((runs, PLAIN), (validates, PLAIN), (runs, BLUE)):
                self.assert_error(ask(path, key), 403, "policy_access_denied")
            self.assertEqual(ask(validates, BLUE).status, 200)

    def batch(self, file, key=RED):
        body = {"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"}
        return self.post(body, path=BATCHES, key=key)

    def test_batch_of_a_foreign_file_is_404(self):
        mine = self.upload()
        calls = self.upstream_calls()
        self.assertEqual(self.batch(mine, BLUE).status, 404)
        self.assertEqual(self.upstream_calls(), calls)
        self.assertEqual(self.batch(mine).status, 200)

    def test_batch_belongs_to_its_team(self):
        mine = self.batch(self.upload()).json()["id"]
        self.assertEqual(self.get(f"{BATCHES}/{mine}", key=RED_TWO).status, 200)
        self.assertEqual(self.get(f"{BATCHES}/{mine}", key=BLUE).status, 404)
        self.assertEqual(self.post(None, path=f"{BATCHES}/{mine}/cancel", key=BLUE).status, 404)
        self.assertEqual(self.listed(BATCHES), [mine])
        self.assertEqual(self.listed(BATCHES, key=BLUE), [])
        self.assertEqual(self.post(None, path=f"{BATCHES}/{mine}/cancel").json()["status"], "cancelling")

    def answered(self, key=RED, **fields):
        return self.post({"model": "mock-plain", "input": "hello", **fields}, path=RESPONSES, key=key)

    def test_previous_response_of_another_team_is_404(self):
        first = self.answered().json()["id"]
        self.assertEqual(self.answered(previous_response_id=first).status, 200)
        self.assertEqual(self.answered(RED_TWO, previous_response_id=first).status, 200)
        calls = self.upstream_calls()
        self.assertEqual(self.answered(BLUE, previous_response_id=first).status, 404)
        self.assertEqual(self.get(f"{RESPONSES}/{first}", key=BLUE).status, 404)
        self.assertEqual(self.delete(f"{RESPONSES}/{first}", key=BLUE).status, 404)
        self.assertEqual(self.upstream_calls(), calls)
        self.assertEqual(self.get(f"{RESPONSES}/{first}").status, 200)

    def test_previous_response_needs_the_grant(self):
        first = self.answered().json()["id"]
        for stored in ({"previous_response_id": first}, {"conversation": "conv_1"}, {"background": True}):
            refused = self.answered(PLAIN, **stored)
            self.assert_error(refused, 403, "policy_access_denied")
            for word in (next(iter(stored)), '"stored" in its routes'):
                self.assertIn(word, refused.json()["error"]["message"])

    def test_a_response_stored_by_a_key_without_the_grant_is_its_teams(self):
        whole = self.answered(PLAIN)
        self.assertEqual(whole.status, 200, whole.body)
        streamed = self.post({"model": "mock-tokens-4", "input": "x", "stream": True}, path=RESPONSES, key=PLAIN)
        created = next(line for line in streamed.body.decode().splitlines() if line.startswith("data: "))
        for mine in (whole.json()["id"], json.loads(created.removeprefix("data: "))["response"]["id"]):
            self.assertEqual(self.get(f"{RESPONSES}/{mine}", key=PLAIN).status, 403)
            self.assertEqual(self.get(f"{RESPONSES}/{mine}", key=BLUE).status, 404)
            self.assertEqual(self.get(f"{RESPONSES}/{mine}").status, 200)
            self.assertEqual(self.delete(f"{RESPONSES}/{mine}").status, 200)
        unstored = self.answered(PLAIN, store=False).json()["id"]
        self.assertEqual(self.get(f"{RESPONSES}/{unstored}").status, 404)

    def test_conversation_is_owned(self):
        mine = self.post({"metadata": {}}, path="/v1/conversations").json()["id"]
        self.assertEqual(self.get(f"/v1/conversations/{mine}/items", key=RED_TWO).json()["data"], [])
        self.assertEqual(self.answered(conversation=mine).status, 200)
        self.assertEqual(self.answered(BLUE, conversation=mine).status, 404)
        self.assertEqual(self.get(f"/v1/conversations/{mine}", key=BLUE).status, 404)
        self.assertEqual(self.delete(f"/v1/conversations/{mine}").status, 200)
        self.assertEqual(self.get(f"/v1/conversations/{mine}").status, 404)

    def test_storing_a_completion_needs_the_grant(self):
        calls = self.upstream_calls()
        refused = self.post(chat("hello", store=True), key=PLAIN)
        self.assert_error(refused, 403, "policy_access_denied")
        self.assertIn('it needs "stored" in its routes', refused.json()["error"]["message"])
        self.assertEqual(self.upstream_calls(), calls)
        self.ask(body=chat("hello", store=False), key=PLAIN)

    def test_a_stored_completion_that_was_streamed_is_owned(self):
        streamed = self.ask(body=chat("hello", store=True, stream=True)).body.decode()
        mine = json.loads(streamed.partition("\n")[0].removeprefix("data: "))["id"]
        calls = self.upstream_calls()
        self.assertEqual(self.get(f"{CHAT}/{mine}", key=BLUE).status, 404)
        self.assert_calls(calls)
        self.assertEqual(self.get(f"{CHAT}/{mine}").status, 200)

    def test_streamed_response_is_owned_before_the_client_knows_its_id(self):
        body = {"model": "mock-tokens-4", "input": "hello", "stream": True}
        with Connection("127.0.0.1", self.gateway.api_port) as connection:
            connection.request("POST", RESPONSES, bearer(RED), body)
            events = connection.sse(connection.read_head())
            mine = next(events).json()["response"]["id"]
            self.assertEqual(self.answered(BLUE, previous_response_id=mine).status, 404)
            self.assertEqual([event.event for event in events][-1], "response.completed")
        self.assertEqual(self.get(f"{RESPONSES}/{mine}").status, 200)
        self.assertEqual(self.get(f"{RESPONSES}/{mine}", key=BLUE).status, 404)

    def test_stored_completion_is_owned(self):
        mine = self.ask(body=chat("hello", store=True)).json()["id"]
        self.assertEqual(self.get(f"{CHAT}/{mine}").status, 200)
        self.assertEqual(self.get(f"{CHAT}/{mine}", key=BLUE).status, 404)

    def test_file_inside_a_prompt_has_to_be_the_teams(self):
        mine = self.upload()
        body = chat("x", messages=[{"role": "user", "content": [{"type": "file", "file": {"file_id": mine}}]}])
        self.assertEqual(self.post(body, key=BLUE).status, 404)
        self.assertEqual(self.post(body).status, 200)


class Store(StatefulCase):
    def test_ownership_survives_a_restart(self):
        with self.started(settings(self.mock.url)) as first:
            mine, gone = self.upload(gateway=first), self.upload(gateway=first)
            self.delete(f"{FILES}/{gone}", gateway=first)
            self.assertEqual(first.stop(), 0)
            with self.started(settings(self.mock.url), store=first.store) as second:
                self.assertEqual(self.get(f"{FILES}/{mine}", gateway=second).status, 200)
                self.assertEqual(self.get(f"{FILES}/{mine}", key=BLUE, gateway=second).status, 404)
                self.assertEqual(self.listed(gateway=second), [mine])

    def test_ownership_survives_sigkill(self):
        with self.started(settings(self.mock.url)) as first:
            mine = self.upload(gateway=first)
            first.kill()
            with self.started(settings(self.mock.url), store=first.store) as second:
                self.assertEqual(self.get(f"{FILES}/{mine}/content", gateway=second).status, 200)

    @contextlib.contextmanager
    def database(self, gateway):
        with contextlib.closing(sqlite3.connect(gateway.store / "tollgate.db", isolation_level=None)) as database:
            yield database

    def test_store_that_fails_answers_503_and_the_rest_goes_on(self):
        with self.started(self.config()) as gateway:
            mine = self.upload(gateway=gateway)
            with self.database(gateway) as database:
                database.execute("ALTER TABLE objects RENAME TO away")
                calls = self.upstream_calls()
                for refusal in (
                    self.get(f"{FILES}/{mine}", gateway=gateway),
                    self.delete(f"{FILES}/{mine}", gateway=gateway),
                ):
                    self.assert_error(refusal, 503, "gateway_internal")
                self.assertEqual(self.upstream_calls(), calls)
                self.assert_error(self.get(FILES, gateway=gateway), 503, "gateway_internal")
                self.upload(gateway=gateway, status=503)
                self.ask(gateway=gateway)
                self.assertIn("the store failed", gateway.log)
                question = {"model": "mock-plain", "input": "hello"}
                answered = self.post(question, path=RESPONSES, gateway=gateway, key=PLAIN)
                self.assertEqual(answered.status, 200, answered.body)
                eventually(lambda: answered.json()["id"] in gateway.log, "the object that nobody owns is logged")
                self.assertNotIn("no such table", self.get(FILES, gateway=gateway).body.decode())
                database.execute("ALTER TABLE away RENAME TO objects")
            self.assertEqual(self.listed(gateway=gateway), [mine])

    def test_locked_store_delays_only_its_own_routes(self):
        with self.started(settings(self.mock.url)) as gateway, self.database(gateway) as database:
            database.execute("BEGIN IMMEDIATE")
            statuses = []
            writer = threading.Thread(target=lambda: statuses.append(self.upload(gateway=gateway, status=503)))
            writer.start()
            self.mock.wait(completed=1)
            begun = time.monotonic()
            self.ask(gateway=gateway)
            self.assertLess(time.monotonic() - begun, 0.9)  # the store's own patience is one second
            writer.join()
            self.assertEqual(len(statuses), 1)
            database.execute("ROLLBACK")
            self.upload(gateway=gateway)

    def test_stop_while_the_store_is_waited_for(self):
        with self.started(settings(self.mock.url)) as gateway, self.database(gateway) as database:
            database.execute("BEGIN IMMEDIATE")
            with Connection("127.0.0.1", gateway.api_port) as connection:
                connection.request(
                    "POST", FILES, bearer(RED, content_type=f"multipart/form-data; boundary={BOUNDARY}"), form()
                )
                self.mock.wait(completed=1)
                gateway.signal(signal.SIGTERM)
                gateway.signal(signal.SIGINT)
                self.assertEqual(gateway.child.wait(10), 0, gateway.log[-2000:])


if __name__ == "__main__":
    unittest.main()
