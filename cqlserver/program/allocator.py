"""How the C library gives memory out and back (glibc's mallopt; other systems' do without).

By itself glibc gives each thread an arena of its own, and learns from the first large block that it frees to keep the next
ones: an answer of four megabytes leaves a hole of that size in one of sixteen heaps, and the next thread makes another.
Here only one thread works at a time (storage/environment/strands.py), so one arena is enough; and large blocks always go
back to the system when they are freed.
"""

import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h
LARGE_BYTES = 1 << 20
"""Blocks of this size are the system's own; getting one costs a tenth of a millisecond for each megabyte that is used."""
KEPT_BYTES = 8 << 20
"""Free at the end of the heap, and kept."""


def set_up() -> None:
    """To be called before there are threads."""
    if not sys.platform.startswith("linux"):
        return
    import ctypes  # trio has it anyway

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        for parameter, value in ((_M_ARENA_MAX, 1), (_M_MMAP_THRESHOLD, LARGE_BYTES), (_M_TRIM_THRESHOLD, KEPT_BYTES)):
            mallopt(parameter, value)
