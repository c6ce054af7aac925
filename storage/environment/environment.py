"""What a node takes from the outside: time, randomness, disk and workers, passed in by constructor.

Two nodes, or a hundred, live in one process, and a test drives a node with a clock that stands still and a disk that
forgets. So nothing else imports time, random, uuid4 or threading, and nothing else opens a file. The disks are in
environment_disk.py (the real one) and environment_memory.py (in memory; failing on command).

Invariants: `wall_us()` never gives one value twice and never goes back, so that a DELETE followed by an INSERT of the
same microsecond keeps the insert; timeuuids of one node are strictly increasing; everything random comes from one seed.
"""

import hashlib
import random
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeVar
from uuid import UUID

from storage.environment.commands import RunCommand, run_command
from storage.environment.errands import Errand
from storage.environment.strands import Strand

T = TypeVar("T")

UUID_EPOCH_OFFSET_US = 12_219_292_800_000_000
"""Microseconds between the UUID epoch (1582-10-15) and 1970 (RFC 4122, section 4.1.4)."""

_TICKS_PER_US = 10


class Clock(Protocol):
    """The node's time. `monotonic` is for deadlines, `wall_us` for write timestamps, `now_s` for expiry."""

    def monotonic(self) -> float:
        """Seconds since some moment; never goes back."""

    def wall_us(self) -> int:
        """Microseconds since 1970, strictly increasing from call to call."""

    def now_s(self) -> int:
        """Whole seconds since 1970, the resolution of TTLs and deletion times."""


class SystemClock:
    """The machine's clock. Where it stands still or goes back, `wall_us` goes on by one microsecond a call."""

    __slots__ = ("_last_us", "monotonic")

    def __init__(self) -> None:
        self._last_us = 0
        self.monotonic: Callable[[], float] = time.monotonic

    def wall_us(self) -> int:
        now = time.time_ns() // 1000
        if now <= self._last_us:
            now = self._last_us + 1
        self._last_us = now
        return now

    def now_s(self) -> int:
        return int(time.time())


class ManualClock:
    """A clock that only moves by `advance`; `wall_us` still never repeats itself."""

    __slots__ = ("_last_us", "_now_us", "_start_us")

    def __init__(self, start_us: int = 1_700_000_000_000_000) -> None:
        self._start_us = start_us
        self._now_us = start_us
        self._last_us = 0

    def advance(self, seconds: float) -> None:
        if seconds < 0:
            raise ValueError(f"a clock does not go back: {seconds}")
        self._now_us += round(seconds * 1_000_000)

    def monotonic(self) -> float:
        return (self._now_us - self._start_us) / 1_000_000

    def wall_us(self) -> int:
        self._last_us = max(self._now_us, self._last_us + 1)
        return self._last_us

    def now_s(self) -> int:
        return self._now_us // 1_000_000


class Rng:
    """A stream of random values. `fork(label)` gives each subsystem its own, so that one drawing more does not change
    what another gets. Not for secrets unless the seed is one (`Rng.from_system`)."""

    __slots__ = ("_random", "bytes", "float", "int_below", "seed", "shuffle")

    def __init__(self, seed: bytes) -> None:
        self.seed = seed
        self._random = random.Random(seed)
        self.bytes: Callable[[int], bytes] = self._random.randbytes
        self.int_below: Callable[[int], int] = self._random.randrange
        self.float: Callable[[], float] = self._random.random
        self.shuffle: Callable[[list[object]], None] = self._random.shuffle

    @classmethod
    def from_system(cls) -> "Rng":
        """Seeded from the system's entropy."""
        return cls(secrets.token_bytes(32))

    def fork(self, label: str) -> "Rng":
        """The stream of that label: the same for the same seed, whatever was drawn before."""
        return Rng(hashlib.sha256(len(self.seed).to_bytes(2, "big") + self.seed + label.encode()).digest())

    def int64(self) -> int:
        """Uniform over the signed 64-bit integers."""
        return int.from_bytes(self.bytes(8), "big", signed=True)

    def uuid4(self) -> UUID:
        return UUID(bytes=self.bytes(16), version=4)


class TimeUuidSource:
    """Version 1 UUIDs, strictly increasing within a node: the clock's time and six random node bytes."""

    __slots__ = ("_clock_us", "_last_ticks", "_tail")

    def __init__(self, clock: Clock, rng: Rng) -> None:
        self._clock_us = clock.wall_us
        self._last_ticks = 0
        sequence = rng.int_below(1 << 14) | 0x8000
        node = bytearray(rng.bytes(6))
        node[0] |= 0x01  # the multicast bit: not a network card's address (RFC 4122, section 4.5)
        self._tail = sequence.to_bytes(2, "big") + bytes(node)

    def bytes(self) -> bytes:
        """The 16 bytes of the next timeuuid."""
        ticks = (self._clock_us() + UUID_EPOCH_OFFSET_US) * _TICKS_PER_US
        if ticks <= self._last_ticks:
            ticks = self._last_ticks + 1
        self._last_ticks = ticks
        time_low = ticks & 0xFFFFFFFF
        time_mid = ticks >> 32 & 0xFFFF
        time_high = ticks >> 48 & 0x0FFF | 0x1000
        return (time_low << 32 | time_mid << 16 | time_high).to_bytes(8, "big") + self._tail

    def timeuuid(self) -> UUID:
        return UUID(bytes=self.bytes())


class AppendFile(Protocol):
    """A file open for writing at its end. Failures are OSError; after one the file's tail is unknown."""

    @property
    def path(self) -> str: ...

    def write(self, data: bytes) -> None:
        """Hand all of `data` to the system; it survives the process's death, not the machine's."""

    def sync(self) -> None:
        """Make everything written durable (fdatasync). A failure is final: what was written may be lost, and a second
        sync must not be believed."""

    def leave_cache(self) -> None:
        """It won't be read or written soon: what is durable of it need not stay in memory."""

    def close(self) -> None: ...


class ReadFile(Protocol):
    """A file open for reading at any offset."""

    @property
    def size(self) -> int:
        """Bytes, when it was opened."""

    def pread(self, offset: int, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the file's end."""

    def close(self) -> None: ...


class FolderLock(Protocol):
    """A folder that this node alone uses, until `release`, or the process's death."""

    def release(self) -> None: ...


class Space(NamedTuple):
    """Of the disk that a folder is on: all of it, and what may still be written to it."""

    total_bytes: int
    usable_bytes: int


class Disk(Protocol):
    """Files by path. Failures are OSError (FileNotFoundError where there is no such file)."""

    def mkdirs(self, folder: str, durably: bool = True) -> None:
        """Make a folder and its parents, where they are missing."""

    def open_append(self, path: str) -> AppendFile:
        """Open for appending; made when missing (durable only after `sync_folder`)."""

    def open_read(self, path: str) -> ReadFile: ...

    def read_file(self, path: str) -> bytes: ...

    def write_file_atomically(self, path: str, data: bytes) -> None:
        """Put a whole file in place, durably: readers see the old content or the new, a crash leaves one of them."""

    def list(self, folder: str) -> list[str]:
        """The names in a folder, sorted; empty when it does not exist."""

    def size(self, path: str) -> int: ...

    def modified_ms(self, path: str) -> int:
        """When a file was last written to, in milliseconds since 1970."""

    def exists(self, path: str) -> bool:
        """Of a file or a folder."""

    def space(self, folder: str) -> Space: ...

    def is_folder(self, path: str) -> bool: ...

    def unlink(self, path: str) -> None: ...

    def rename(self, old: str, new: str) -> None:
        """Move a file or folder, over a file that is there; durable only after `sync_folder` of both folders."""

    def link(self, old: str, new: str) -> None:
        """Give a file a second name; durable only after `sync_folder`. FileExistsError where the name is taken."""

    def remove_folder(self, folder: str) -> None:
        """An empty one."""

    def truncate(self, path: str, size: int) -> None:
        """Cut a file to `size` bytes, durably."""

    def sync_folder(self, folder: str) -> None:
        """Make the folder's names durable: files made in it, removed from it."""

    def sync_all(self, files: Sequence[str], folders: Sequence[str]) -> None:
        """Make many files and the names in some folders durable, cheaper than one by one. All of them are of one data
        folder."""

    def lock(self, folder: str) -> FolderLock:
        """Take a folder for this node; StorageError naming the other process where one has it."""


class Workers(Protocol):
    """Who does what is too long for one go of the event loop (strands.py, errands.py)."""

    def maybe_strand(self, function: Callable[[], T], still_valid: Callable[[], bool], size: int) -> Strand[T] | None:
        """A strand that works on a request of `size` bytes; None while too many others are under way."""

    def errand(self, function: Callable[[], T]) -> Errand[T]:
        """Begins a function that lets go of the interpreter while it computes, or waits: it runs beside the loop."""

    def background(self, function: Callable[[], T]) -> Strand[T]:
        """A strand that works for nobody's request."""


@dataclass(frozen=True, slots=True)
class Environment:
    """One node's outside."""

    clock: Clock
    rng: Rng
    disk: Disk
    workers: Workers
    run_command: RunCommand = run_command
