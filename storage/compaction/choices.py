"""What strategies look at, and what they decide: values between what SSTables say of themselves and who compacts them."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from storage.memtable.memtable import Position

UNLIMITED: Final = 1 << 62
MIN_THRESHOLD: Final = 4
MAX_THRESHOLD: Final = 32
_UNITS: Final = {"": 1, "B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}


class Compactable(Protocol):
    """What is asked of an SSTable. `data_disk_bytes`: of Data.db; `created_ms`: when that was written."""

    @property
    def data_disk_bytes(self) -> int: ...
    @property
    def created_ms(self) -> int: ...
    @property
    def level(self) -> int: ...
    @property
    def first_position(self) -> Position: ...
    @property
    def last_position(self) -> Position: ...
    @property
    def min_timestamp_us(self) -> int: ...
    @property
    def max_timestamp_us(self) -> int: ...
    @property
    def max_local_deletion_s(self) -> int: ...
    @property
    def heat(self) -> float:
        """How much it is read, for its size."""
        ...

    def droppable_ratio(self, gc_before_s: int) -> float:
        """Of its cells, how many are tombstones of before that time."""
        ...


S = TypeVar("S", bound=Compactable)


class Choice(NamedTuple, Generic[S]):
    """SSTables to compact together. Outputs are of `level` and end at `sstable_bytes` on the disk, or where the ring is cut
    into `shards`. `level_bytes`: where levels follow one another in one compaction, how many bytes each may have.
    `output_bytes`: where the first outputs end, one after the other, on the disk; the last one takes the rest."""

    inputs: Sequence[S]
    level: int = 0
    sstable_bytes: int = UNLIMITED
    shards: int = 1
    level_bytes: tuple[int, ...] = ()
    output_bytes: tuple[int, ...] = ()


class Situation(NamedTuple):
    """`options`: the table's `compaction`; `flush_bytes`: about what a flush writes; `passed_by`: by level, how many
    compactions of high levels there were since one made SSTables of that one (leveled.py)."""

    options: Mapping[str, str]
    now_ms: int
    gc_before_s: int
    flush_bytes: int = 0
    passed_by: Mapping[int, int] = {}


def class_name(options: Mapping[str, str]) -> str:
    return options.get("class", "").rpartition(".")[2]


def thresholds(options: Mapping[str, str]) -> tuple[int, int]:
    return int(options.get("min_threshold", MIN_THRESHOLD)), int(options.get("max_threshold", MAX_THRESHOLD))


def size_of(text: str) -> int:
    """Bytes, of a text as `100MiB` (FBUtilities.parseHumanReadableBytes)."""
    found = re.fullmatch(r"\s*([\d.eE+-]+)\s*([KMGT]iB|B|)\s*", text)
    if found is None:
        raise ValueError(f"no size: {text}")
    return int(float(found[1]) * _UNITS[found[2]])


def total_bytes(sstables: Iterable[Compactable]) -> int:
    return sum(sstable.data_disk_bytes for sstable in sstables)


def overlapping(sstables: Iterable[S], others: Iterable[S]) -> list[S]:
    """Of the others those that touch what lies from the first key of any of the SSTables to the last one."""
    found = list(sstables)
    first = min(sstable.first_position for sstable in found)
    last = max(sstable.last_position for sstable in found)
    return [other for other in others if other.first_position <= last and other.last_position >= first]
