"""Where the gateway connects, and where it never does (T25; R14 to R17; faults 7; case 304).

A trap listens on every address of this machine, IPv4 and IPv6. Whatever a configuration, a request or a provider says,
nobody may call there."""

import json
import pathlib
import selectors
import socket
import subprocess
import tempfile
import threading
import unittest

from common_b import CHAT, RED, UPSTREAM_KEY, Case, bearer, chat, find_binary, rendered, settings
from tollgate_test import Connection, ProtocolError, Tollgate

OWN_NAME = "here.self"  # this machine, by tests/support/silent_names.cpp: no check of the text can know it


def names():
    return {"LD_PRELOAD": str(find_binary("libsilent_names.so", ["tests/integration"]))}


class Trap:
    """A listener on [::]:port that takes IPv4 too; `calls` holds what each caller sent first."""

    def __init__(self):
        self.listener = socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True, backlog=128)
        self.port = self.listener.getsockname()[1]
        self.calls = []
        self.wake, self.stopped = socket.socketpair()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        with selectors.DefaultSelector() as ready:
            ready.register(self.listener, selectors.EVENT_READ)
            ready.register(self.stopped, selectors.EVENT_READ)
            while True:
                sockets = {key.fileobj for key, _ in ready.select()}
                if self.listener in sockets:
                    caller, address = self.listener.accept()
                    self.calls.append(address)
                    caller.close()
                elif self.stopped in sockets:
                    return

    def called(self):
        """The callers so far; a connection of our own before makes sure that none is still on its way."""
        with socket.create_connection(("127.0.0.1", self.port)) as own:
            mine = own.getsockname()[1]
            own.settimeout(10)
            assert own.recv(1) == b""
        assert any(address[1] == mine for address in self.calls)
        self.calls = [address for address in self.calls if address[1] != mine]
        return self.calls

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wake.close()
        self.thread.join()
        self.stopped.close()
        self.listener.close()


# Each is an address of this machine, of a private network or of a metadata service for somebody.
HOSTS = [
    "127.0.0.1", "127.0.0.2", "127.1", "127.0.1", "127.255.255.254", "0", "0.0.0.0", "0.0.0.1", "127.0.0.1.", "1.",
    "2130706433", "2852039166", "4294967295", "017700000001", "0177.0.0.1", "0177.1", "0300.0250.1.1", "00127.0.0.1",
    "0x7f000001", "0x7f.1", "0x7F.0.0.0x1", "0X7f.0x0.0x0.0x1", "0xa9fea9fe", "0xa9.0xfe.0xa9.0xfe", "169.254.43518",
    "169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200", "192.0.0.192", "168.63.129.16",
    "10.0.0.1", "10.1", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.257", "100.64.0.1", "198.18.0.1",
    "192.0.0.8", "169.254.0.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
    "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[::ffff:0:127.0.0.1]",
    "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:1:2:3:4:80ff:fffe]", "[fe80::1]",
    "[fec0::1]", "[fc00::1]", "[fd00:ec2::254]", "[ff02::1]", "[::ffff:169.254.169.254]", "[2002:a9fe:a9fe::]",
    "[fe80::1%25lo]", "[::1%lo]", "[127.0.0.1]", "[::1", "::1", "localhost", "LOCALHOST", "localhost.", "a.localhost",
    "metadata", "metadata.google.internal", "Metadata.Google.Internal.", "loc%61lhost", "ⓛocalhost", "127。0。0。1",
]  # fmt: skip
# Where a careless reader of URLs ends up at the second host.
SPELLINGS = [
    "https://api.example.com@{trap}/v1", "https://user:pw@{trap}/v1", "https://@{trap}/v1",
    "https://{trap}\\@api.example.com/v1", "https://api.example.com\\@{trap}/v1", "https://{trap}#@api.example.com/v1",
    "https://api.example.com#@{trap}/v1", "https://{trap}?@api.example.com/v1", "https:\\\\{trap}/v1",
    "https:/{trap}/v1", "https:{trap}/v1", "//{trap}/v1", "https:// {trap}/v1", "https://{trap} /v1",
    "https://{trap}\t/v1", "https://{trap}\r\nHost: x/v1", "https://{trap}%00.example.com/v1", "file:///etc/passwd",
    "gopher://{trap}/_x", "unix:/var/run/x.sock", "ftp://{trap}/", "ws://{trap}/", "https://{trap}:0/v1",
    "https://127.0.0.1:99999/v1", "https://api.example.com:80@{trap}/v1", "https://{trap}/v1/../..",
]  # fmt: skip


class Configured(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.binary = find_binary("tollgate", [".", "gateway"])
        self.trap = self.enterContext(Trap())

    def refusal(self, base_url, **fields):
        """What `config check` says against that provider; fails the test if it says nothing."""
        config = settings("https://api.example.com")
        config["listen"] = {"api": "127.0.0.1:8080"}
        config["store"] = {"path": "./store"}
        config["providers"]["mock"].update(base_url=base_url, **fields)
        (self.folder / "file.yaml").write_text(rendered(config))
        command = [self.binary, "config", "check", "file.yaml"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, cwd=self.folder)
        self.assertEqual(done.returncode, 1, f"{base_url!r} {fields} {done.stdout} {done.stderr}")
        return done.stderr

    def test_hosts_that_are_not_public(self):
        for host in HOSTS:
            for scheme in ("https", "http"):
                self.assertRegex(self.refusal(f"{scheme}://{host}:{self.trap.port}/v1", private=False), r"error\[E0[12]")
        self.assertEqual(self.trap.called(), [])

    def test_metadata_services_even_where_private_is_allowed(self):
        for host in ("169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]", "[64:ff9b:1::a9fe:a9fe]",
                     "168.63.129.16", "metadata", "metadata.google.internal."):  # fmt: skip
            self.assertIn("E0217", self.refusal(f"http://{host}/v1", private=True))
            self.assertIn("E0217", self.refusal(f"http://{host}/v1", private=True, cidr=["0.0.0.0/0", "::/0"]))

    def test_spellings_that_hide_a_host(self):
        for spelling in SPELLINGS:
            url = spelling.format(trap=f"127.0.0.1:{self.trap.port}")
            self.assertRegex(self.refusal(url, private=False), r"error\[E0[12]")
        self.assertEqual(self.trap.called(), [])

    def test_plain_http_needs_a_private_network(self):
        self.assertIn("E0215", self.refusal("http://api.example.com/v1", private=False))

    def test_own_listener_is_a_loop(self):
        for host in ("127.0.0.1", "0.0.0.0", "localhost", "[::ffff:127.0.0.1]"):
            self.assertIn("E0225", self.refusal(f"http://{host}:8080/v1", private=True), host)


class Connecting(Case):
    """What no check of the text can see: the address a name turns out to have."""

    def setUp(self):
        super().setUp()
        self.trap = self.enterContext(Trap())

    def assert_forbidden(self, config, **options):
        with self.started(config, **options) as gateway:
            for body in (chat(self.prompt), chat(self.prompt, stream=True)):
                response = self.post(body, gateway=gateway)
                self.assert_error(response, 502, "provider_connection_failed")
                self.assertEqual(response.json()["error"]["code"], "upstream_address_forbidden")
                self.assertNotIn(b"127.0.0", response.body, "addresses are for the log")
            self.assertIn("refused_address", gateway.log)
            self.assertNotIn(UPSTREAM_KEY, gateway.log)
        self.assertEqual(self.trap.called(), [])
        return gateway

    def test_name_outside_its_cidr(self):
        config = settings(f"http://localhost:{self.trap.port}")
        config["providers"]["mock"]["cidr"] = ["10.0.0.0/8", "fd00::/8", "127.0.0.2/32"]
        self.assert_forbidden(config)

    def test_name_inside_its_cidr(self):
        config = settings(f"http://localhost:{self.mock.port}")
        config["providers"]["mock"]["cidr"] = ["127.0.0.0/8", "::1/128"]
        with self.started(config) as gateway:
            self.ask(gateway=gateway)

    def test_name_of_this_machine_without_private(self):
        config = settings(f"https://{OWN_NAME}:{self.trap.port}")
        config["providers"]["mock"]["private"] = False
        self.assert_forbidden(config, env=names())

    def test_own_listener_under_a_name(self):
        config = settings(f"http://{OWN_NAME}:@API_PORT@")
        with Tollgate(rendered(config), wait=False, API_PORT=1) as unused:
            port = unused.api_port
        config["listen"]["api"] = f"0.0.0.0:{port}"
        with Tollgate(rendered(config), API_PORT=port, env=names()) as gateway:
            gateway.url = f"http://127.0.0.1:{port}"
            response = self.post(chat(self.prompt), gateway=gateway)
            self.assert_error(response, 502, "provider_connection_failed")
            accepted = gateway.metrics().sum("tollgate_listener_accepts_total", result="ok")
            self.assertEqual(accepted, 1, "nobody but this test connected")


class Requested(Case):
    """Nothing in a request chooses a host (R14): the mock provider is the only one that is called."""

    @classmethod
    def config(cls):
        return settings(cls.mock.url)

    def setUp(self):
        super().setUp()
        self.trap = self.enterContext(Trap())
        self.connects = self.mock.stats()["connections_opened"]

    def targets(self):
        trap = f"127.0.0.1:{self.trap.port}"
        return [f"http://{trap}/v1", f"https://{trap}", f"http://[::1]:{self.trap.port}/", f"//{trap}/",
                f"http://0x7f.1:{self.trap.port}/x.png", f"http://2130706433:{self.trap.port}/x.png",
                f"http://api.openai.com@{trap}/", f"gopher://{trap}/_", "http://169.254.169.254/latest/meta-data/",
                "file:///etc/passwd"]  # fmt: skip

    def assert_only_the_provider(self, responses):
        """Refused here or answered there, and nobody else was called."""
        answered = 0
        for response in responses:
            self.assertIn(response.status, (200, 400, 404), response.body)
            answered += response.status == 200
        self.assertEqual(self.upstream_calls(), answered)
        self.assertEqual(self.trap.called(), [])
        return answered

    def test_fields_that_name_an_endpoint(self):
        names = ("api_base", "base_url", "api_key", "api_version", "custom_llm_provider", "extra_headers", "proxy",
                 "user_config", "model_list", "endpoint", "url", "host", "deployment", "azure_endpoint", "webhook_url")  # fmt: skip
        responses = []
        for name in names:
            for target in self.targets():
                for nested in (None, "litellm_params", "metadata", "extra_body"):
                    fields = {name: target} if nested is None else {nested: {name: target}}
                    responses.append(self.post(chat(self.prompt, **fields)))
        self.assert_only_the_provider(responses)

    def test_content_that_names_a_place(self):
        responses = []
        for target in self.targets():
            parts = [{"type": "text", "text": self.prompt}, {"type": "image_url", "image_url": {"url": target}},
                     {"type": "file", "file": {"file_url": target}}, {"type": "input_audio", "input_audio": target}]  # fmt: skip
            for part in parts[1:]:
                message = {"role": "user", "content": [parts[0], part]}
                responses.append(self.post({"model": "mock-plain", "messages": [message]}))
            for part in ({"type": "input_image", "image_url": target}, {"type": "input_file", "file_url": target}):
                body = {"model": "mock-plain", "input": [{"role": "user", "content": [part]}], "store": False}
                responses.append(self.post(body, path="/v1/responses"))
            for tool in ({"type": "mcp", "server_label": "x", "server_url": target},
                         {"type": "web_search", "filters": {"allowed_domains": [target]}}):  # fmt: skip
                body = {"model": "mock-plain", "input": self.prompt, "tools": [tool], "store": False}
                responses.append(self.post(body, path="/v1/responses"))
        self.assertGreater(self.assert_only_the_provider(responses), 0, "as data such places pass")

    def test_headers_that_name_a_place(self):
        names = ("x-base-url", "x-api-base", "helicone-target-url", "x-portkey-custom-host", "x-upstream-url",
                 "x-forwarded-host", "forwarded", "x-original-url", "x-rewrite-url", "x-host", "proxy",
                 "x-tollgate-upstream", "location", "referer", "origin", "x-forwarded-server", "via")  # fmt: skip
        responses = []
        for name in names:
            for target in self.targets():
                responses.append(self.post(chat(self.prompt), headers={name: target}))
        self.assertEqual(self.assert_only_the_provider(responses), len(responses))

    def test_targets_that_name_a_place(self):
        body = json.dumps(chat(self.prompt)).encode()
        trap = f"127.0.0.1:{self.trap.port}"
        for target in (f"http://{trap}{CHAT}", f"https://{trap}{CHAT}", f"//{trap}{CHAT}", f"{CHAT}?api_base=http://{trap}",
                       f"/v1/@{trap}/chat/completions", f"/v1/chat/completions/../../{trap}", f"{CHAT}#@{trap}",
                       f"http://gateway@{trap}{CHAT}"):  # fmt: skip
            for host in ("gateway", trap, "169.254.169.254"):
                lines = [f"POST {target} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {RED}",
                         "Content-Type: application/json", f"Content-Length: {len(body)}", "", ""]  # fmt: skip
                with Connection("127.0.0.1", self.gateway.api_port) as connection:
                    connection.send("\r\n".join(lines).encode() + body)
                    try:
                        self.assertIn(connection.read_response().status, (200, 400, 404, 405, 421), target)
                    except ProtocolError as odd:
                        self.fail(f"{target} {host} {odd}")
        with Connection("127.0.0.1", self.gateway.api_port) as connection:
            connection.send(f"CONNECT {trap} HTTP/1.1\r\nHost: {trap}\r\n\r\n".encode())
            self.assertIn(connection.read_response().status, (400, 404, 405, 501))
        self.assertEqual(self.trap.called(), [])


class Redirected(Case):
    """Case 304: a provider that sends us elsewhere is a provider that failed."""

    def test_no_redirect_is_followed_or_told(self):
        with Trap() as trap, socket.create_server(("127.0.0.1", 0)) as listener:
            statuses = [300, 301, 302, 303, 304, 305, 307, 308]
            places = [f"http://127.0.0.1:{trap.port}/x", f"//127.0.0.1:{trap.port}", "http://169.254.169.254/latest/"]
            asked = []

            def redirect():
                for status in statuses:
                    for place in places:
                        caller, _ = listener.accept()
                        with caller:
                            caller.settimeout(10)
                            asked.append(caller.recv(65536))
                            caller.sendall(f"HTTP/1.1 {status} Moved\r\nLocation: {place}\r\nRefresh: 0; url={place}\r\n"
                                           "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())  # fmt: skip

            server = threading.Thread(target=redirect)
            server.start()
            with self.started(settings(f"http://127.0.0.1:{listener.getsockname()[1]}")) as gateway:
                for status in statuses:
                    for _ in places:
                        response = self.post(chat(self.prompt), gateway=gateway)
                        self.assertEqual(response.status, 502, (status, response.body))
                        self.assertIsNone(response.header("location"))
                        self.assertIsNone(response.header("refresh"))
                        self.assertNotIn(b"169.254", response.body)
            server.join()
            self.assertEqual(len(asked), len(statuses) * len(places), "each was asked once")
            self.assertEqual(trap.called(), [])


if __name__ == "__main__":
    unittest.main()
