"""Validation: the Merkle trees of what a table has in some ranges (repair/ValidationManager.java).

Memtables are read as they are: nothing has to be flushed first. What is written meanwhile may be in a tree or not; a range
that differs for that alone is streamed for nothing, which does no harm.
"""

from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from typing import Final
from uuid import UUID

from cluster.repair.digest import PartitionDigests
from cluster.repair.tree import DEPTH_MAX, MerkleTree, depth_for, width
from cluster.streaming.ranges import TokenRange, intervals
from storage.batches import in_order
from storage.memtable.memtable import Memtable, Position, position_token
from storage.reads import Source, Stored, TableStore
from storage.sstable.reader import SSTableReader

POINT_PARTITIONS: Final = 32
_TOKENS: Final = 1 << 64


class Looked(Enum):
    """Which data is compared: all; what was never repaired; what was; what a session of an incremental repair set apart."""

    ALL = 0
    UNREPAIRED = 1
    REPAIRED = 2
    PENDING = 3


def looked_at(store: TableStore, looked: Looked, session_id: UUID | None = None) -> list[Source]:
    """The sources that hold it, the newest first."""
    sources: list[Source] = [store.memtable, *store.flushed]
    match looked:
        case Looked.ALL:
            return sources
        case Looked.UNREPAIRED:
            return [s for s in sources if not isinstance(s, SSTableReader) or not s.repaired_at_ms]
        case Looked.REPAIRED:
            return [s for s in sources if isinstance(s, SSTableReader) and s.repaired_at_ms]
        case Looked.PENDING:
            return [s for s in sources if isinstance(s, SSTableReader) and s.pending_repair == session_id]


def trees_of(
    store: TableStore,
    sources: Sequence[Source],
    ranges: Sequence[TokenRange],
    now_s: int,
    point: Callable[[], None],
    depth_max: int = DEPTH_MAX,
) -> list[MerkleTree]:
    """One tree for each range. `point` is called where others may run. Raises CorruptionError, OSError."""
    held = sum(_partition_count(source) for source in sources)
    digests = PartitionDigests(store, now_s)
    trees = []
    for range_ in ranges:
        expected = held * width(range_) // _TOKENS + 1
        tree = MerkleTree(range_, depth_for(range_, 2 * expected, depth_max))
        number = 0
        for start, end in intervals((range_,)):
            for position, stored in _stored(store, sources, start, end):
                if not number % POINT_PARTITIONS:
                    point()
                number += 1
                found = digests.digest(position, stored)
                if found is not None:
                    tree.add(position_token(position), *found)
        point()
        trees.append(tree)
    return trees


def _partition_count(source: Source) -> int:
    return source.key_count if isinstance(source, SSTableReader) else len(source) if isinstance(source, Memtable) else 0


def _stored(
    store: TableStore, sources: Sequence[Source], start: Position, end: Position | None
) -> Iterator[tuple[Position, Stored]]:
    """What the sources have of an interval, a partition of several of them as one."""
    for items in in_order([source.batches(start) for source in sources]):
        number = 0
        while number < len(items):
            position, _, stored = items[number]
            if end is not None and position >= end:
                return
            number += 1
            if number < len(items) and items[number][0] == position:
                several = [stored]
                while number < len(items) and items[number][0] == position:
                    several.append(items[number][2])
                    number += 1
                stored = store.combined(several)
            yield position, stored
