"""The allocator of a service that runs for weeks: what it frees goes back to the system."""

import ctypes

_ARENA_MAX, _MMAP_THRESHOLD, _TRIM_THRESHOLD = -8, -3, -1
"""As malloc.h numbers them."""
_LARGE_BYTES = 64 * 1024


def keep_flat() -> None:
    """Set glibc's `malloc` so that memory does not fray; another C library is left as it is.

    Each call to the engine has a thread. By default threads get arenas of their own, and freed
    blocks of up to 32 MiB stay in them (mallopt(3): M_ARENA_MAX, and the dynamic M_MMAP_THRESHOLD):
    some 25 KiB a trial, none of it in use. With one arena, and large blocks mapped for themselves,
    there are none. Must be called before there are threads.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_ARENA_MAX, 1)
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _LARGE_BYTES)
