"""What the linker and the compiler left in the program (R43, the flags of T29), read from its file.

Some of it is in every build; the rest is what the release preset adds. Which of the two a file is, it says itself: a
development build has none of the release marks. One that has some but not all of them is a release that lost a flag.
"""

import os
import re
import subprocess
import unittest

from test_process import is_sanitized
from tollgate_test import ROOT, find_binary

RELEASE = ROOT / "build" / "release" / "gateway" / "tollgate"  # deploy/quickstart builds it
ENDBR64 = b"\xf3\x0f\x1e\xfa"


def readelf(*arguments):
    return subprocess.run(["readelf", "--wide", *arguments], capture_output=True, text=True, check=True).stdout


class Program:
    def __init__(self, path):
        self.segments = readelf("--program-headers", path)
        self.dynamic = readelf("--dynamic", path)
        self.header = readelf("--file-header", path)
        self.imports = set(re.findall(r"UND (\w+)", readelf("--dyn-syms", path)))
        self.octets = path.read_bytes()

    def release_marks(self):
        """Name of a flag → whether it is in the program. Of -fstack-clash-protection and -ftrivial-auto-var-init nothing
        can be read that code without them could not have, too."""
        return {
            "-z now": bool(re.search(r"\(FLAGS\).*BIND_NOW", self.dynamic) and re.search(r"\(FLAGS_1\).*NOW", self.dynamic)),
            "-fstack-protector-strong": "__stack_chk_fail" in self.imports,
            "-D_FORTIFY_SOURCE": "__memcpy_chk" in self.imports,
            "-fcf-protection": self.octets.count(ENDBR64) > 1000,
        }


class Flags(unittest.TestCase):
    def check_every_build(self, program):
        self.assertRegex(program.header, r"Type: +DYN \(Position-Independent Executable file\)")
        self.assertRegex(program.dynamic, r"\(FLAGS_1\).*PIE")
        self.assertIn("GNU_RELRO", program.segments)
        [stack] = re.findall(r"(?m)^ *GNU_STACK.* (R[W ][E ])", program.segments)
        self.assertEqual(stack.strip(), "RW", "the stack is not executable")
        self.assertNotRegex(program.segments, r"(?m)^ *LOAD .* RWE", "nothing is writable and executable")
        for tag in ("TEXTREL", "RPATH", "RUNPATH"):
            self.assertNotIn(tag, program.dynamic)

    def test_r43_what_every_build_has(self):
        self.check_every_build(Program(find_binary("tollgate", [".", "gateway"])))

    def test_r43_a_release_has_all_flags_and_another_build_none(self):
        marks = Program(find_binary("tollgate", [".", "gateway"])).release_marks()
        if is_sanitized():
            del marks["-D_FORTIFY_SOURCE"]  # the sanitizer's run-time calls these itself
        print(marks, flush=True)
        self.assertEqual(len(set(marks.values())), 1, marks)

    def test_r43_no_assertion_of_a_library_ends_the_process(self):
        """NDEBUG: Beast's assertions can be reached from the network (B1)."""
        if not is_sanitized():
            self.assertNotIn("__assert_fail", Program(find_binary("tollgate", [".", "gateway"])).imports)

    def test_r43_the_release_that_the_quick_start_made(self):
        if not RELEASE.exists():
            self.assertNotIn("CI", os.environ, ".ci/run builds it before the tests")
            print(f"{RELEASE} was not built: only {find_binary('tollgate', ['.', 'gateway'])} is judged", flush=True)
            return
        program = Program(RELEASE)
        self.check_every_build(program)
        self.assertEqual(set(program.release_marks().values()), {True}, program.release_marks())
        self.assertNotIn("__assert_fail", program.imports)


if __name__ == "__main__":
    unittest.main()
