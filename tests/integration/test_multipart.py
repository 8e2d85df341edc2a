"""Uploads: forms pass octet by octet, whatever their size and the order of their parts."""

import hashlib
import unittest

from common import KEY, GatewayTest
from hostile import SLACK


class Multipart(GatewayTest):
    BOUNDARY = "----boundary.0123456789"

    def form(self, model, audio, order):
        fields = {
            "model": b'name="model"\r\n\r\n' + model,
            "file": b'name="file"; filename="a.mp3"\r\nContent-Type: audio/mpeg\r\n\r\n' + audio,
            "format": b'name="response_format"\r\n\r\njson',
        }
        mark = b"--" + self.BOUNDARY.encode()
        parts = [mark + b"\r\nContent-Disposition: form-data; " + fields[name] + b"\r\n" for name in order]
        return b"".join(parts) + mark + b"--\r\n"

    def transcribe(self, body, **headers):
        kind = {"content-type": f"multipart/form-data; boundary={self.BOUNDARY}"}
        return self.post("/v1/audio/transcriptions", body, {**kind, **headers})

    def check(self, audio):
        """Any order of parts: only the model's name changes."""
        for order in (("model", "file", "format"), ("file", "model", "format"), ("format", "file", "model")):
            self.mock.reset()
            response = self.transcribe(self.form(b"ears", audio, order))
            self.assertEqual(response.status, 200, (order, response.body))
            self.assertTrue(response.json()["text"])
            (recorded,) = self.mock.requests()
            wanted = self.form(b"whisper-1", audio, order)
            self.assertEqual(len(recorded["body"]), len(wanted), order)
            self.assertEqual(hashlib.sha256(recorded["body"]).digest(), hashlib.sha256(wanted).digest(), order)

    def test_small_file(self):
        self.check(bytes(range(256)) * 20 + b"\r\n--" + self.BOUNDARY.encode()[:-1] + b"\r\nmodel")

    def test_file_above_one_mebibyte(self):
        self.check(bytes(range(256)) * (3 << 12) + b"tail")

    def test_unchanged_name_is_byte_identical(self):
        body = self.form(b"whisper-1", b"\0" * 2_000_000, ("file", "model"))
        self.assertEqual(self.transcribe(body).status, 200)
        self.assertEqual(self.mock.requests()[0]["body"], body)

    def test_a_large_file_is_not_held_in_memory(self):
        audio = b"\xa5" * (40 << 20)
        body = self.form(b"ears", audio, ("file", "model"))
        before = self.gateway.resident_octets()
        response = self.transcribe(body)
        self.assertEqual(response.status, 200, response.body)
        grown = self.gateway.resident_octets() - before
        self.assertLess(grown, (16 << 20) * SLACK, "a spooled upload stays in its file")
        self.assertEqual(len(self.mock.requests()[0]["body"]), len(body) + len("whisper-1") - len("ears"))

    def test_chunked_upload(self):
        body = self.form(b"ears", b"abc" * 500_000, ("file", "model"))
        connection = self.connect()
        head = f"POST /v1/audio/transcriptions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {KEY}\r\n"
        head += f"Content-Type: multipart/form-data; boundary={self.BOUNDARY}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.send(head.encode())
        for at in range(0, len(body), 50_000):
            piece = body[at : at + 50_000]
            connection.send(b"%x\r\n%s\r\n" % (len(piece), piece))
        connection.send(b"0\r\n\r\n")
        self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(self.mock.requests()[0]["body"], self.form(b"whisper-1", b"abc" * 500_000, ("file", "model")))

    def test_forms_that_are_refused(self):
        good = self.form(b"ears", b"abc", ("file", "model"))
        two = self.form(b"ears", b"abc", ("model", "file", "model"))
        cases = [
            (self.form(b"ears", b"abc", ("file",)), {}, 400),
            (two, {}, 400),
            (good[:-10], {}, 400),
            (self.form(b"nothing", b"abc", ("file", "model")), {}, 404),
            (good, {"content-type": "multipart/form-data"}, 415),
            (good, {"content-type": "multipart/form-data; boundary=" + "-" * 100}, 415),
            (good, {"content-type": "text/plain"}, 415),
        ]
        for body, headers, status in cases:
            response = self.transcribe(body, **headers)
            self.assert_error(response, status)
        self.assertEqual(self.mock.stats()["requests"], 0)

    def test_image_edit(self):
        mark = b"--" + self.BOUNDARY.encode()
        body = mark + b'\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n\x89PNG\r\n'
        body += mark + b'\r\nContent-Disposition: form-data; name="model"\r\n\r\ngpt-image-1\r\n' + mark + b"--\r\n"
        kind = {"content-type": f"multipart/form-data; boundary={self.BOUNDARY}"}
        response = self.post("/v1/images/edits", body, kind)
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(self.mock.requests()[0]["body"], body)


if __name__ == "__main__":
    unittest.main()
