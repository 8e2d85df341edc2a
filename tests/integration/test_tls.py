"""TLS on both sides: the api listener, and providers whose certificate has to be right (design §6)."""

import contextlib
import json
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

    def test_case_240_all_of_a_refused_body_is_sent_before_the_answer_is_read(self):
        for _ in range(10):
            with self.connect() as connection:
                connection.request("POST", CHAT, {**bearer(RED), "content-type": "application/json"}, b"x" * 34_000_000)
                self.assertEqual(connection.read_response().status, 413)

    def test_versions_before_1_2_are_refused(self):
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.load_verify_locations(self.root)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            self.connect(old)
        eventually(lambda: self.handshakes("error") == 1, "the failed handshake in the metrics")

    def test_case_247_old_client_is_told_why(self):
        old = ssl.create_default_context(cafile=self.root)
        old.set_ciphers("ALL:@SECLEVEL=0")
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises(ssl.SSLError) as refusal:
            self.connect(old)
        self.assertIn("PROTOCOL_VERSION", refusal.exception.reason)

    def test_case_250_only_http_2(self):
        context = ssl.create_default_context(cafile=self.root)
        context.set_alpn_protocols(["h2"])
        with self.assertRaises(ssl.SSLError) as refusal:
            self.connect(context)
        self.assertRegex(str(refusal.exception), "(?i)no.application.protocol")  # RFC 7301 §3.2
        context.set_alpn_protocols(["h2", "http/1.1"])
        with self.connect(context) as connection:
            self.assertEqual(connection.socket.selected_alpn_protocol(), "http/1.1")
        with self.connect() as connection:  # speaks HTTP/2 without asking
            connection.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))
            self.assertIn(connection.read_response().status, (400, 505))
            self.assertEqual(connection.wait_closed(), "fin")

    def test_case_251_end_without_close_notify_is_no_end_of_a_body(self):
        body = json.dumps(chat(self.prompt)).encode()
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {RED}\r\nContent-Type: application/json\r\n"
        chunk = b"%x\r\n%s\r\n" % (len(body), body)
        for framed in (f"Content-Length: {len(body) + 1}\r\n\r\n".encode() + body,
                       b"Transfer-Encoding: chunked\r\n\r\n" + chunk):  # fmt: skip
            with self.connect() as connection:
                connection.send(head.encode() + framed)
                socket.socket.shutdown(connection.socket, socket.SHUT_WR)  # below TLS
                with contextlib.suppress(PeerClosed, OSError):
                    self.assertGreaterEqual(connection.read_response().status, 400)
        eventually(
            lambda: self.gateway.metrics().sum("tollgate_listener_connections", state="active") == 0, "both are gone"
        )
        self.assert_calls(0)

    def test_case_234_handshake_deadline(self):
        """The first octets of a ClientHello, then silence."""
        with Connection("127.0.0.1", self.gateway.api_port) as silent, Connection("127.0.0.1", self.gateway.api_port) as mute:
            silent.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32))
            for connection in (silent, mute):
                self.assertIsNotNone(connection.wait_closed(100), "10 s, ten times over")
        eventually(lambda: self.handshakes("error") == 2, "both in the metrics")

    def begin(self, count, source="127.0.0.1", octets=b"\x16"):
        """Connections that begin a handshake and leave it at that."""
        begun = []
        for _ in range(count):
            connection = socket.create_connection(("127.0.0.1", self.gateway.api_port), source_address=(source, 0))
            self.addCleanup(connection.close)
            connection.sendall(octets)
            begun.append(connection)
        return begun

    def test_who_is_silent_takes_no_handshake_from_others(self):
        self.begin(1100, octets=b"")
        with self.connect() as connection:
            connection.request("GET", "/v1/models", bearer(RED))
            self.assertEqual(connection.read_response().status, 200)
        self.assertEqual(self.handshakes("refused"), 0)

    def test_one_source_has_a_quarter_of_the_handshakes(self):
        self.begin(300, source="127.0.0.66")
        eventually(lambda: self.handshakes("refused") == 300 - 256, "the surplus")
        with self.connect() as connection:  # from 127.0.0.1
            connection.request("GET", "/v1/models", bearer(RED))
            self.assertEqual(connection.read_response().status, 200)

    def test_t30_handshakes_are_bounded(self):
        """Those beyond the bound are closed at once; connections that are open do not notice."""
        with self.connect() as open_one:
            silent = [one for n in range(5) for one in self.begin(220, source=f"127.0.0.{60 + n}")]
            eventually(lambda: self.handshakes("refused") == 1100 - 1024, "the surplus")
            open_one.request("GET", "/v1/models", bearer(RED))
            self.assertEqual(open_one.read_response().status, 200)
            for connection in silent:
                connection.close()
        eventually(lambda: self.handshakes("error") == 1024, "the rest gave up")
        with self.connect() as connection:
            connection.request("GET", "/v1/models", bearer(RED))
            self.assertEqual(connection.read_response().status, 200)

    def test_certificate_end_is_a_metric(self):
        with self.connect() as connection:
            end = ssl.cert_time_to_seconds(connection.socket.getpeercert()["notAfter"])
        name = "tollgate_tls_certificate_not_after_timestamp_seconds"
        found = [(labels, value) for sample, labels, value in self.gateway.metrics().samples if sample == name]
        self.assertEqual(found, [({"name": "api"}, end)])

    def test_reload_under_load(self):
        """F57: new connections get the new certificate, open ones live on, a bad file changes nothing."""
        failures, serials, stop = [], set(), threading.Event()

        def ask():
            with self.connect() as kept:
                while not stop.is_set():
                    try:
                        kept.request("GET", "/v1/models", bearer(RED))
                        with self.connect() as fresh:
                            serials.add(fresh.socket.getpeercert()["serialNumber"])
                            fresh.request("GET", "/v1/models", bearer(RED))
                            statuses = fresh.read_response().status, kept.read_response().status
                        if statuses != (200, 200):
                            failures.append(statuses)
                    except Exception as failure:  # noqa: BLE001: whatever it is, it is a failed request
                        failures.append(repr(failure))
                        return

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        reloads = lambda result: self.gateway.metrics().sum("tollgate_config_reloads_total", result=result)  # noqa: E731
        for turn in range(1, 6):
            for source, target in zip(make_certificate(self.folder, f"turn{turn}", signer="root"), (self.cert, self.key)):
                fresh = target.with_suffix(".next")
                shutil.copy(source, fresh)
                fresh.rename(target)
            before = len(serials)
            self.gateway.reload()
            eventually(lambda: reloads("success") == turn, "a reload")  # noqa: B023
            eventually(lambda: len(serials) > before, "a client that saw the new certificate")  # noqa: B023
            good = self.cert.read_bytes()
            self.cert.write_bytes(b"-----BEGIN CERTIFICATE-----\nnot one\n-----END CERTIFICATE-----\n")
            self.gateway.reload()
            eventually(lambda: reloads("failure") == turn, "a refusal")  # noqa: B023
            self.cert.write_bytes(good)
        stop.set()
        for thread in threads:
            thread.join()
        self.assertEqual(failures, [])
        self.assertIn("certificate", self.gateway.log)

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


class ClientCertificates(TlsCase):
    """listen.tls.client_ca: who has no certificate of that authority is no client."""

    def setUp(self):
        super().setUp()
        self.people, _ = make_certificate(self.folder, "people")
        config = settings(self.mock.url)
        config["listen"]["tls"] = {"cert": str(self.cert), "key": str(self.key), "client_ca": str(self.people)}
        self.gateway = self.enterContext(self.started(config))

    def context(self, name=None, signer=None):
        context = ssl.create_default_context(cafile=self.root)
        if name is not None:
            context.load_cert_chain(*make_certificate(self.folder, name, host="client.example", signer=signer))
        return context

    def status(self, context):
        """Of an answer; None where there was no connection. With TLS 1.3 the refusal is seen at the first read."""
        try:
            with Connection("127.0.0.1", self.gateway.api_port, tls=context) as connection:
                connection.request("GET", "/v1/models", bearer(RED))
                return connection.read_response().status
        except (ssl.SSLError, PeerClosed, ConnectionError):
            return None

    def test_only_certificates_of_the_authority_connect(self):
        make_certificate(self.folder, "strangers")
        known = self.context("ann", signer="people")
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            for context, expected in (
                (known, 200),
                (self.context(), None),
                (self.context("self-made"), None),
                (self.context("bob", signer="strangers"), None),
                (self.context("server-side", signer="root"), None),
            ):
                context.minimum_version = context.maximum_version = version
                self.assertEqual(self.status(context), expected)
        refused = lambda: self.gateway.metrics().sum("tollgate_tls_handshakes_total", result="error")  # noqa: E731
        eventually(lambda: refused() == 8, "eight failed handshakes")
        requests = self.gateway.metrics().sum("tollgate_http_requests_total", listener="api")
        self.assertEqual(requests, 2, "nothing of the others was read")

    def test_reload_takes_another_authority(self):
        others, _ = make_certificate(self.folder, "others")
        ann, ben = self.context("ann2", signer="people"), self.context("ben", signer="others")
        self.assertEqual((self.status(ann), self.status(ben)), (200, None))
        shutil.copy(others, self.people)
        self.gateway.reload()
        eventually(lambda: self.status(ben) == 200, "the other authority")
        self.assertIsNone(self.status(ann))


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

    def expired(self):
        key, cert = self.folder / "expired.key", self.folder / "expired.crt"
        request = self.folder / "expired.csr"
        names = self.folder / "expired.ext"
        names.write_text("subjectAltName=IP:127.0.0.1\n")
        command = [*NEW_KEY, "-new", "-keyout", key, "-out", request, "-subj", "/CN=expired"]
        subprocess.run(command, check=True, capture_output=True)
        subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", self.root, "-CAkey", self.folder / "root.key",
                        "-days", "-1", "-extfile", names, "-out", cert], check=True, capture_output=True)  # fmt: skip
        return key, cert

    def test_expired_certificate_is_502(self):
        key, cert = self.expired()
        self.assert_refused(self.provider(cert, key), self.root)

    def test_key_is_never_written_to_a_provider_that_is_not_proven(self):
        """Fault 4, seen from inside the other end: no octet of a request comes out of TLS."""
        make_certificate(self.folder, "foreign-root")
        key, cert = self.expired()
        for cert, key in (
            make_certificate(self.folder, "alone"),
            make_certificate(self.folder, "foreign", signer="foreign-root"),
            make_certificate(self.folder, "misnamed", host="elsewhere.example", signer="root"),
            (cert, key),
        ):
            server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            server.load_cert_chain(cert, key)
            with socket.create_server(("127.0.0.1", 0)) as listener:
                seen = []

                def accept():
                    for _ in range(2):
                        caller, _ = listener.accept()  # noqa: B023
                        caller.settimeout(10)
                        try:
                            with server.wrap_socket(caller, server_side=True) as secured:  # noqa: B023
                                seen.append(secured.recv(65536))  # noqa: B023
                        except (ssl.SSLError, ConnectionError) as refusal:
                            seen.append(refusal)  # noqa: B023

                thread = threading.Thread(target=accept)
                thread.start()
                response = self.asked(listener.getsockname()[1], self.root)
                thread.join()
            self.assert_error(response, 502, "provider_connection_failed")
            self.assertEqual(len(seen), 2)
            for what in seen:
                self.assertTrue(isinstance(what, Exception) or what == b"", what)

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
