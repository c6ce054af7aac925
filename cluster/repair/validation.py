"""Validation: the Merkle trees of what a table has in some ranges (repair/ValidationManager.java).

Memtables are read as they are: nothing has to be flushed first. What is written meanwhile may be in a tree or not; a range
that differs for that alone is streamed for nothing, which does no harm.
"""

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final
from uuid import UUID

from cluster.repair.digest import PartitionDigests
from cluster.repair.tree import DEPTH_MAX, MerkleTree, depth_for, width
from cluster.streaming.ranges import TokenRange, intervals
from storage.batches import Item, in_order
from storage.memtable.memtable import Memtable, Position
from storage.reads import Source, Stored, TableStore
from storage.sstable.reader import SSTableReader

POINT_PARTITIONS: Final = 64
PARTITIONS_PER_LEAF: Final = 2
"""About: with more, more is streamed than differs; with fewer, trees take longer than what they are made of."""
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
        tree = MerkleTree(range_, depth_for(range_, max(1, expected // PARTITIONS_PER_LEAF), depth_max))
        for start, end in intervals((range_,)):
            for items in in_order([source.batches(start) for source in sources]):
                point()
                if not _add(tree, digests, store, items, end, point):
                    break
        point()
        trees.append(tree)
    return trees


def _add(
    tree: MerkleTree,
    digests: PartitionDigests,
    store: TableStore,
    items: Sequence[Item[Stored]],
    end: Position | None,
    point: Callable[[], None],
) -> bool:
    """What lies before `end`, a partition of several sources as one; whether there may be more."""
    of_single, add_single, count = digests.of_single, tree.add_at, len(items)
    number = 0
    while number < count:
        position, _, stored = items[number]
        if end is not None and position >= end:
            return False
        if not number % POINT_PARTITIONS:
            point()
        number += 1
        if number < count and items[number][0] == position:
            several = [stored]
            while number < count and items[number][0] == position:
                several.append(items[number][2])
                number += 1
            stored = store.combined(several)
        if type(stored) is bytes:
            digest = of_single(position, stored)
            if digest is not None:
                add_single(position, digest, len(stored))
                continue
        found = digests.general(position, store.general(stored))
        if found is not None:
            add_single(position, *found)
    return True


def _partition_count(source: Source) -> int:
    return source.key_count if isinstance(source, SSTableReader) else len(source) if isinstance(source, Memtable) else 0
