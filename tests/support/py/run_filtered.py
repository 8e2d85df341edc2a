"""Runs a program with only the named system calls permitted, as SystemCallFilter= of a service unit would:

    python3 run_filtered.py CALL... -- PROGRAM ARGUMENT...
"""

import ctypes
import errno
import os
import sys

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM

at = sys.argv.index("--")
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_rule_add.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint]
library.seccomp_load.argtypes = [ctypes.c_void_p]
program = library.seccomp_init(REFUSE)
for name in sys.argv[1:at]:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number >= 0:  # others belong to other machines
        assert library.seccomp_rule_add(program, ALLOW, number, 0) == 0, name
assert library.seccomp_load(program) == 0
os.execv(sys.argv[at + 1], sys.argv[at + 1 :])
