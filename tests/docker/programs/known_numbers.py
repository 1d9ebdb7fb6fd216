"""Where libseccomp knows a call by another number than the first argument says; JSON by ABI."""

import ctypes
import json
import sys

ARCHITECTURES = {"x86-64": 0xC000003E, "i386": 0x40000003, "arm64": 0xC00000B7}

resolve = ctypes.CDLL("libseccomp.so.2").seccomp_syscall_resolve_name_arch
resolve.argtypes = (ctypes.c_uint32, ctypes.c_char_p)
for abi, numbers in json.loads(sys.argv[1]).items():
    known = {name: resolve(ARCHITECTURES[abi], name.encode()) for name in numbers}
    known = {name: number for name, number in known.items() if number >= 0}
    wrong = [name for name, number in known.items() if number != numbers[name]]
    print(abi, len(known), *wrong, file=sys.stderr)
