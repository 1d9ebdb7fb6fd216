"""Which of the calls in the first argument are not refused, in every ABI of this machine.

The argument is a JSON object: by ABI a list of name, number and arguments. The answer is one
JSON line on stderr: `<name> (<ABI>)` for each call that was answered.
"""

import ctypes
import errno
import json
import mmap
import os
import signal
import sys
from collections.abc import Callable, Sequence

libc = ctypes.CDLL(None, use_errno=True)

REFUSED = (errno.EPERM, errno.ENOSYS)
Door = Callable[[int, Sequence[int]], int]
"""Makes a system call by number and arguments: the error's number, or minus what it returned."""


def call(number: int, arguments: Sequence[int]) -> int:
    """A system call by the native door."""
    result = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    return ctypes.get_errno() if result == -1 else -int(result)


def call_x32(number: int, arguments: Sequence[int]) -> int:
    """The same by the door for 32-bit pointers in 64-bit programs."""
    return call(number | 0x40000000, arguments)


def call_i386(number: int, arguments: Sequence[int]) -> int:
    """The same by `int 0x80`, where numbers are those of i386."""
    ebx, ecx, edx, esi, edi = ([argument & 0xFFFFFFFF for argument in arguments] + [0] * 5)[:5]
    code = b"\x53"  # push rbx, which belongs to the caller
    for opcode, value in (
        (b"\xb8", number), (b"\xbb", ebx), (b"\xb9", ecx),
        (b"\xba", edx), (b"\xbe", esi), (b"\xbf", edi),
    ):  # fmt: skip
        code += opcode + value.to_bytes(4, "little")
    code += b"\xcd\x80\x5b\xc3"  # int 0x80; pop rbx; ret
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    address = ctypes.addressof(ctypes.c_char.from_buffer(page))
    enter = ctypes.CFUNCTYPE(ctypes.c_int)(address)
    return -int(enter())


ABIS = {
    # Machine: by ABI the table that has its numbers, and its door.
    "x86_64": {
        "x86-64": ("x86-64", call),
        "x32": ("x86-64", call_x32),
        "i386": ("i386", call_i386),
    },
    "aarch64": {"arm64": ("arm64", call)},
}


def answered(door: Door, calls: Sequence[tuple[str, int, Sequence[int]]]) -> list[str]:
    """The names of calls that are answered: one that is refused or ends the caller is not.

    A child makes them one after the other, and says so before each; where one ends it, the next
    child goes on behind it, for to fork takes long under some kernels.
    """
    found, done = [], 0
    while done < len(calls):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            for _, number, arguments in calls[done:]:
                os.write(writer, b"!")
                signal.alarm(2)  # a call that waits has been answered
                answer = door(number, arguments)
                # Without a descriptor no call succeeds: 0 says that it was not made.
                made = answer not in REFUSED and (answer, arguments[0]) != (0, -1)
                os.write(writer, b"1" if made else b"0")
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as said:
            results = said.read().split(b"!")[1:]
        status = os.waitpid(child, 0)[1]
        # SIGSYS: the list; SIGSEGV: the kernel has no such door.
        shut = os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGSYS, signal.SIGSEGV)
        for (name, _, _), result in zip(calls[done:], results, strict=False):
            if result == b"1" or (not result and not shut):
                found.append(name)
        done += len(results)
    return found


def main() -> None:
    tables = json.loads(sys.argv[1])
    found = []
    for abi, (table, door) in ABIS[os.uname().machine].items():
        found += [f"{name} ({abi})" for name in answered(door, tables[table])]
    print(json.dumps(found), file=sys.stderr)


main()
