"""`tollgate config check`: every problem with file, line and column; exit codes scripts can rely on (design §12)."""

import json
import pathlib
import subprocess
import tempfile
import unittest

from common_b import find_binary

GOOD = """\
version: 1
listen: { api: "127.0.0.1:8080", metrics: "127.0.0.1:9091" }
store: { path: ./data }
providers:
  mock: { kind: openai, base_url: "http://127.0.0.1:9/v1", api_keys: [ "sk-secret-of-provider" ], private: true }
models:
  plain: { upstreams: [ { provider: mock } ] }
teams:
  red: { limits: { rpm: 60 } }
keys:
  - { id: k_one, team: red, secret: "sk-a-secret-that-is-long-enough" }
cache: { enabled: true, ttl: 1h }
drain: { delay: 1s, timeout: 5s }
"""

# What is wrong: (old text, new text, the place of the problem as line:column, a word of the message).
BAD = {
    "unknown key": ("teams:", "teems:", "8:1", "teams"),
    "unknown nested key": ("rpm: 60", "rmp: 60", "9:20", "rpm"),
    "wrong version": ("version: 1", "version: 2", "1:10", "version"),
    "bad duration": ("ttl: 1h", "ttl: 1 fortnight", "12:30", "ttl"),
    "negative number": ("rpm: 60", "rpm: -60", "9:25", "rpm"),
    "zero limit": ("rpm: 60", "rpm: 0", "9:25", "rpm"),
    "not a boolean": ("enabled: true", "enabled: maybe", "12:19", "enabled"),
    "bad port": ("127.0.0.1:8080", "127.0.0.1:80800", "2:16", "listen.api"),
    "name as address": ("127.0.0.1:8080", "localhost:8080", "2:16", "listen.api"),
    "same port twice": ("127.0.0.1:9091", "127.0.0.1:8080", "2:", "8080"),
    "unknown provider": ("provider: mock", "provider: mosk", "7:", "mosk"),
    "unknown team": ("team: red", "team: rod", "11:", "rod"),
    "unknown kind": ("kind: openai", "kind: opemai", "5:17", "opemai"),
    "bad url": ("http://127.0.0.1:9/v1", "ftp://127.0.0.1:9/v1", "5:", "ftp"),
    "http without private": (", private: true", "", "5:", "private"),
    "missing variable": ("sk-a-secret-that-is-long-enough", "${env:TOLLGATE_TEST_UNSET}", "11:", "TOLLGATE_TEST_UNSET"),
    "broken yaml": ("teams:", "teams: {", "10:1", "YAML"),
    "duplicate key": ("cache:", "version: 1\\ncache:", "12:1", "version"),
    "empty": (GOOD, "", "", ""),
}


class Check(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.binary = find_binary("tollgate", [".", "gateway"])

    def run_with(self, *arguments, **options):
        return subprocess.run(
            [self.binary, *arguments], capture_output=True, text=True, timeout=10, cwd=self.folder, **options
        )

    def check(self, text):
        (self.folder / "file.yaml").write_text(text)
        return self.run_with("config", "check", "file.yaml")

    def test_good_file_is_0_and_silent_on_stderr(self):
        done = self.check(GOOD)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout, "file.yaml is valid: 1 provider, 1 model, 1 key\n")

    def test_every_kind_of_problem_is_1_with_its_place(self):
        for name, (old, new, place, word) in BAD.items():
            with self.subTest(name):
                self.assertIn(old, GOOD)
                done = self.check(GOOD.replace(old, new.replace("\\n", "\n"), 1))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertEqual(done.stdout, "")
                self.assertIn(f"file.yaml:{place}", done.stderr)
                self.assertIn(word, done.stderr)

    def test_all_problems_are_said_at_once(self):
        text = GOOD
        for name in ("unknown nested key", "unknown provider", "unknown team", "not a boolean", "bad port"):
            old, new, _, _ = BAD[name]
            text = text.replace(old, new, 1)
        done = self.check(text)
        self.assertIn("5 errors in file.yaml", done.stderr)

    def test_secrets_are_never_shown(self):
        for old, new in (
            ("team: red", "team: rod"),
            ("provider: mock", "provider: mosk"),
            ("private: true", "privat: true"),
            ("secret:", "sekret:"),
        ):
            done = self.check(GOOD.replace(old, new, 1))
            self.assertEqual(done.returncode, 1)
            for secret in ("sk-a-secret-that-is-long-enough", "sk-secret-of-provider"):
                self.assertNotIn(secret, done.stderr + done.stdout)

    def test_the_example_of_limits_is_valid(self):
        page = (pathlib.Path(__file__).resolve().parents[2] / "docs" / "limits.md").read_text()
        example = page.split("```yaml\n")[1].split("```")[0]
        (self.folder / "limits.yaml").write_text(example)
        done = self.run_with("config", "check", "limits.yaml")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("is valid: 1 provider, 2 models, 1 key", done.stdout)

    def test_a_time_zone_nobody_has_and_a_file_without_prices_are_1(self):
        (self.folder / "zone.yaml").write_text(
            GOOD + "orgs: { o: { budget: { usd: 1, per: day, timezone: Europe/Berlni } } }\n")
        done = self.run_with("config", "check", "zone.yaml")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"zone\.yaml:14:52: `Europe/Berlni` is not the IANA name of a time zone")
        (self.folder / "prices.json").write_text("[]")
        (self.folder / "prices.yaml").write_text(GOOD + "prices: { import: [ prices.json ] }\n")
        done = self.run_with("config", "check", "prices.yaml")
        self.assertEqual(done.returncode, 1)
        self.assertIn("the price list prices.json holds no price", done.stderr)

    def test_missing_file_is_1(self):
        done = self.run_with("config", "check", "absent.yaml")
        self.assertEqual(done.returncode, 1)
        self.assertIn("absent.yaml", done.stderr)

    def test_run_with_a_bad_file_is_1(self):
        (self.folder / "file.yaml").write_text(GOOD.replace("version: 1", "version: 2"))
        done = self.run_with("run", "-c", "file.yaml")
        self.assertEqual(done.returncode, 1)
        self.assertIn("file.yaml:1:10", done.stderr)

    def test_usage_errors_are_2(self):
        for arguments in (
            [],
            ["fly"],
            ["run", "--no-such-option"],
            ["config"],
            ["config", "check", "a", "b"],
            ["run", "-c"],
        ):
            with self.subTest(arguments):
                self.assertEqual(self.run_with(*arguments).returncode, 2)

    def test_help_is_0(self):
        done = self.run_with("--help")
        self.assertEqual(done.returncode, 0)
        self.assertIn("tollgate run -c", done.stdout)

    def test_schema_is_json_and_the_reference_names_its_keys(self):
        schema = json.loads(self.run_with("config", "schema").stdout)
        reference = self.run_with("config", "reference").stdout
        for key in schema["properties"]:
            self.assertIn(f"`{key}", reference)


if __name__ == "__main__":
    unittest.main()
