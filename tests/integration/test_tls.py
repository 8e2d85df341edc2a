"""TLS on both sides: the api listener, and providers whose certificate has to be right (design §6)."""

import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from common_b import CHAT, RED, Case, bearer, chat, eventually, rendered, settings
from tollgate_test import Connection, MockProvider, PeerClosed

NEW_KEY = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def make_certificate(folder, name, host="127.0.0.1", signer=None, days=30):
    """A key and a certificate for that address or name; without signer it is a root of its own."""
    key, cert = folder / f"{name}.key", folder / f"{name}.crt"
    kind = "IP" if host[0].isdigit() else "DNS"
    basics = "CA:TRUE" if signer is None else "CA:FALSE"
    command = [*NEW_KEY, "-x509", "-keyout", key, "-out", cert, "-days", str(days), "-subj", f"/CN={name}"]
    command += ["-addext", f"subjectAltName={kind}:{host}", "-addext", f"basicConstraints=critical,{basics}"]
    if signer is not None:
        command += ["-CA", folder / f"{signer}.crt", "-CAkey", folder / f"{signer}.key"]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


class TlsCase(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.folder = pathlib.Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        cls.root, _ = make_certificate(cls.folder, "root")
        cls.cert, cls.key = make_certificate(cls.folder, "server", signer="root")


class Listener(TlsCase):
    def setUp(self):
        super().setUp()
        config = settings(self.mock.url)
        config["listen"]["tls"] = {"cert": str(self.cert), "key": str(self.key)}
        self.settings = config
        self.gateway = self.enterContext(self.started(config))
        self.client = ssl.create_default_context(cafile=self.root)

    def connect(self, context=None):
        return Connection("127.0.0.1", self.gateway.api_port, tls=context or self.client)

    def handshakes(self, result):
        return self.gateway.metrics().sum("tollgate_tls_handshakes_total", listener="api", result=result)

    def test_json_stream_and_keep_alive_over_tls(self):
        with self.connect() as connection:
            self.assertIn(connection.socket.version(), ("TLSv1.2", "TLSv1.3"))
            for _ in range(3):
                connection.request("POST", CHAT, bearer(RED), chat(self.prompt))
                self.assertEqual(connection.read_response().status, 200)
            connection.request("POST", CHAT, bearer(RED), chat(self.prompt, "mock-tokens-20:pace-5", stream=True))
            events = [event.data for event in connection.sse(connection.read_head())]
            self.assertEqual((len(events) > 20, events[-1]), (True, "[DONE]"))
        self.assertEqual(self.handshakes("ok"), 1)

    def test_large_bodies_over_tls(self):
        with self.connect() as connection:
            connection.request("POST", CHAT, bearer(RED), chat("x" * 3_000_000, "mock-size-2000000"))
            answer = connection.read_response()
        self.assertEqual(answer.status, 200)
        self.assertGreater(len(answer.body), 1_990_000)
        self.assertGreater(len(self.mock.requests(last=1)[0]["body"]), 3_000_000)

    def test_versions_before_1_2_are_refused(self):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(self.root)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(old)
        eventually(lambda: self.handshakes("error") == 1, "the failed handshake in the metrics")

    def test_each_of_1_2_and_1_3_is_served(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = ssl.create_default_context(cafile=self.root)
            context.minimum_version = context.maximum_version = version
            with self.subTest(version), self.connect(context) as connection:
                connection.request("GET", "/v1/models", bearer(RED))
                self.assertEqual(connection.read_response().status, 200)

    def test_plain_http_gets_no_answer_and_harms_nobody(self):
        with Connection("127.0.0.1", self.gateway.api_port) as connection:
            connection.request("GET", "/v1/models", bearer(RED))
            with self.assertRaises((PeerClosed, ConnectionError)):
                connection.read_response()
        with self.connect() as connection:
            connection.request("GET", "/v1/models", bearer(RED))
            self.assertEqual(connection.read_response().status, 200)

    def test_client_that_leaves_mid_stream_ends_the_upstream_call(self):
        with self.connect() as connection:
            connection.request("POST", CHAT, bearer(RED), chat(self.prompt, "mock-hang-after-2", stream=True))
            next(connection.sse(connection.read_head()))
        self.mock.wait(aborted=1)

    def test_reload_takes_the_new_certificate(self):
        def serial():
            with self.connect() as connection:
                return connection.socket.getpeercert()["serialNumber"]

        before = serial()
        fresh = make_certificate(self.folder, "fresh", signer="root")
        for source, target in zip(fresh, (self.cert, self.key)):
            shutil.copy(source, target)
        self.gateway.reload()
        eventually(lambda: serial() != before, "another certificate")
        self.assertEqual(self.gateway.metrics().sum("tollgate_config_reloads_total", result="success"), 1)

    def test_key_of_another_certificate_is_refused_at_start_and_on_reload(self):
        _, other = make_certificate(self.folder, "other", signer="root")
        self.settings["listen"]["tls"]["key"] = str(other)
        self.gateway.write_config(rendered(self.settings))
        self.gateway.reload()
        eventually(
            lambda: self.gateway.metrics().sum("tollgate_config_reloads_total", result="failure") == 1, "the refusal"
        )
        with self.connect() as connection:
            connection.request("GET", "/v1/models", bearer(RED))
            self.assertEqual(connection.read_response().status, 200)
        with self.started(self.settings, wait=False) as second:
            self.assertEqual(second.child.wait(10), 1, second.log)


class Upstream(TlsCase):
    def provider(self, cert, key):
        """A mock provider that speaks TLS. Its control needs TLS as well."""
        mock = self.enterContext(MockProvider("--tls-cert", cert, "--tls-key", key))
        mock.tls = ssl.create_default_context()
        mock.tls.check_hostname, mock.tls.verify_mode = False, ssl.CERT_NONE
        return mock

    def asked(self, port, ca_file, host="127.0.0.1"):
        """The answer of a gateway in front of that provider, and what it logged."""
        config = settings(f"https://{host}:{port}")
        if ca_file:
            config["providers"]["mock"]["ca_file"] = str(ca_file)
        with self.started(config) as gateway:
            response = self.post(chat(self.prompt), gateway=gateway)
            again = self.post(chat(self.prompt, stream=True), gateway=gateway)
            self.assertEqual(response.status, again.status, again.body)
            return response

    def test_verified_with_its_authority(self):
        provider = self.provider(self.cert, self.key)
        response = self.asked(provider.port, self.root)
        self.assertEqual(response.status, 200, response.body)
        self.assertEqual(provider.stats()["requests"], 2)

    def assert_refused(self, provider, ca_file, host="127.0.0.1"):
        response = self.asked(provider.port, ca_file, host)
        self.assert_error(response, 502, "provider_connection_failed")
        self.assertEqual(provider.stats()["requests"], 0)
        return response.json()["error"]["message"]

    def test_unknown_authority_is_502(self):
        self.assertIn("tls", self.assert_refused(self.provider(self.cert, self.key), None))

    def test_other_authority_is_502(self):
        other, _ = make_certificate(self.folder, "other-root")
        self.assert_refused(self.provider(self.cert, self.key), other)

    def test_wrong_name_is_502(self):
        wrong = make_certificate(self.folder, "elsewhere", host="elsewhere.example", signer="root")
        self.assertIn("tls", self.assert_refused(self.provider(*wrong), self.root))

    def test_wrong_address_is_502(self):
        wrong = make_certificate(self.folder, "address", host="127.0.0.9", signer="root")
        self.assert_refused(self.provider(*wrong), self.root)

    def test_name_is_verified_and_sent_as_sni(self):
        named = make_certificate(self.folder, "named", host="localhost", signer="root")
        provider = self.provider(*named)
        self.assertEqual(self.asked(provider.port, self.root, host="localhost").status, 200)

    def test_expired_certificate_is_502(self):
        key, cert = self.folder / "expired.key", self.folder / "expired.crt"
        request = self.folder / "expired.csr"
        names = self.folder / "expired.ext"
        names.write_text("subjectAltName=IP:127.0.0.1\n")
        command = [*NEW_KEY, "-new", "-keyout", key, "-out", request, "-subj", "/CN=expired"]
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self.folder / "root.key",
                        "-days", "-1", "-extfile", names, "-out", cert], check=True, capture_output=True)  # fmt: skip
        self.assert_refused(self.provider(cert, key), self.root)

    def test_plain_provider_behind_https_is_502(self):
        def answer_in_the_clear(listener):
            for _ in range(2):
                with listener.accept()[0] as connection:
                    connection.recv(4096)
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")

        with socket.create_server(("127.0.0.1", 0)) as plain:
            server = threading.Thread(target=answer_in_the_clear, args=(plain,))
            server.start()
            response = self.asked(plain.getsockname()[1], self.root)
            server.join()
        self.assert_error(response, 502, "provider_connection_failed")

    def test_silent_provider_runs_into_the_connect_clock(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            config = settings(f"https://127.0.0.1:{silent.getsockname()[1]}")
            config["models"]["mock-*"]["timeouts"] = {"connect": "1s"}
            with self.started(config) as gateway:
                response = self.post(chat(self.prompt), gateway=gateway)
        self.assertIn(response.status, (502, 504), response.body)
        self.assertIn("connect", response.json()["error"]["message"])


if __name__ == "__main__":
    unittest.main()
