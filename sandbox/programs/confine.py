"""Puts a list of system calls on itself, then becomes the program in its other arguments.

For runtimes that leave it off what an `exec` starts. The first argument is the list in the
engine's format (`sandbox/seccomp.py`). libseccomp, which Debian's apt needs, makes a filter of it;
names that this machine has not are left out, as the engine leaves them out.
"""

import ctypes
import json
import os
import sys
from typing import Any

ALLOW, ERRNO, EPERM = 0x7FFF0000, 0x00050000, 1
OPERATIONS = {"SCMP_CMP_EQ": 4, "SCMP_CMP_MASKED_EQ": 7}


class Comparison(ctypes.Structure):
    """`struct scmp_arg_cmp` of `seccomp.h`, 2.5."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("value", ctypes.c_uint64),
        ("value_two", ctypes.c_uint64),
    )


def confine(listed: dict[str, Any]) -> None:
    """Load the list for this process and what it becomes. Raises OSError."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    filters = ctypes.c_void_p(library.seccomp_init(ERRNO | EPERM))
    for entry in listed["syscalls"]:
        allowed = entry["action"] == "SCMP_ACT_ALLOW"
        action = ALLOW if allowed else ERRNO | entry["errnoRet"]
        compared = [
            Comparison(
                test["index"], OPERATIONS[test["op"]], test["value"], test.get("valueTwo", 0)
            )
            for test in entry.get("args", ())
        ]
        array = (Comparison * len(compared))(*compared)
        for name in entry["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:
                check(
                    library.seccomp_rule_add_array(
                        filters, ctypes.c_uint32(action), number, len(compared), array
                    )
                )
    check(library.seccomp_load(filters))


def check(code: int) -> None:
    """libseccomp answers with an error's number below zero."""
    if code < 0:
        raise OSError(-code, os.strerror(-code))


confine(json.loads(sys.argv[1]))
os.execv(sys.argv[2], sys.argv[2:])
