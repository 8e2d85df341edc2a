"""Who asks: the four headers a key may come in, and the keys nobody has."""

import unittest

from common import CHAT, KEY, NARROW_KEY, GatewayTest, bearer, chat, support


class Credentials(GatewayTest):
    def test_each_of_the_four_headers(self):
        headers = [
            {"authorization": f"Bearer {KEY}"},
            {"authorization": f"bearer {KEY}"},
            {"x-api-key": KEY},
            {"api-key": KEY},
            {"x-goog-api-key": KEY},
            {"authorization": f"Bearer {KEY}", "x-api-key": KEY},
        ]
        for header in headers:
            response = support.call("POST", self.gateway.url + CHAT, header, chat())
            self.assertEqual(response.status, 200, (header, response.body))
        self.assertEqual(self.mock.stats()["requests"], len(headers))

    def test_case_258_two_different_keys(self):
        for other in ("x-api-key", "api-key", "x-goog-api-key"):
            response = self.post(CHAT, chat(), {other: NARROW_KEY})
            self.assert_error(response, 400, text="two different API keys")
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_case_256_257_keys_nobody_has(self):
        wrong = [
            {},
            {"authorization": "Bearer"},
            {"authorization": "Bearer "},
            {"authorization": f"Bearer  {KEY}x"},
            {"authorization": "Bearer ' OR (SELECT pg_sleep(8)) IS NOT NULL --"},
            {"authorization": f"Basic {KEY}"},
            {"authorization": f"Bearer {KEY[:-1]}"},
            {"authorization": f"Bearer {KEY}x"},
            {"authorization": "Bearer " + "k" * 8000},
            {"authorization": "Bearer caf\xe9"},
            {"x-api-key": KEY.upper()},
        ]
        for header in wrong:
            response = support.call("POST", self.gateway.url + CHAT, header, chat())
            error = self.assert_error(response, 401, type="invalid_request_error")
            self.assertNotIn(KEY, error["message"])
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_missing_and_wrong_have_openais_codes(self):
        none = support.call("POST", self.gateway.url + CHAT, {}, chat())
        self.assertIsNone(self.assert_error(none, 401)["code"])
        self.assert_error(self.post(CHAT, chat(), key="nobody-has-this-key"), 401, code="invalid_api_key")

    def test_case_259_key_in_the_query(self):
        response = support.call("POST", f"{self.gateway.url}{CHAT}?key={KEY}", {}, chat())
        self.assert_error(response, 401)
        self.assertEqual(self.mock.stats()["requests"], 0)
        self.assertNotIn(KEY, self.gateway.log)

    def test_case_243_each_request_is_authenticated_alone(self):
        connection = self.connect()
        connection.request("POST", CHAT, bearer(), chat("renamed"))
        self.assertEqual(connection.read_response().status, 200)
        connection.request("POST", CHAT, {}, chat("renamed"))
        self.assert_error(connection.read_response(), 401)
        connection.request("POST", CHAT, bearer(NARROW_KEY), chat("renamed"))
        self.assertEqual(connection.read_response().status, 403)
        self.assertEqual(self.mock.stats()["requests"], 1)


if __name__ == "__main__":
    unittest.main()
