"""What the system says of this process."""

import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Final


def resident_bytes() -> int:
    """What the process has in memory now, or at most had, where the system does not say."""
    if sys.platform == "linux":
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def open_descriptors() -> int:
    """-1 where the system does not say."""
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:
        return -1


VALUES: Final[Mapping[str, Callable[[], float]]] = {
    "process_resident_memory_bytes": resident_bytes,
    "process_cpu_seconds_total": time.process_time,
    "process_open_fds": open_descriptors,
    "process_max_fds": lambda: resource.getrlimit(resource.RLIMIT_NOFILE)[0],
}
"""By the name of their family."""
