"""A partition that lies in several sources, as one: rows, range tombstones and deletions merged (as
db/rows/UnfilteredRowIterators.merge does), nothing left out but what is covered.

Reads make of it what is live (reads.py), compaction what is to be kept. Rows of one clustering meet because all sources
are sorted by order key. Where only one source has a row, packed, with nothing over it, it stays the bytes that it is.
"""

import struct
from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import chain, groupby
from operator import itemgetter
from typing import Any, Final, Protocol

from storage.batches import Item, in_order
from storage.memtable.packed import TIMESTAMP, Layouts, StoredRow, timestamp_of
from storage.memtable.range_tombstones import RangeTombstones
from storage.mutation import LIVE, Deletion, RangeTombstone, Row
from storage.reconcile import Resolve, merge_rows, uncovered_row

RawChunk = tuple[list[bytes], list[StoredRow], bool]

MERGE_CHUNK_ROWS: Final = 128
_BYTES: Final = {bytes}
_I64 = struct.Struct(">q")


class SourcePartition(Protocol):
    """A partition in one source. Its rows are free of what its own deletions cover."""

    @property
    def deletion(self) -> Deletion: ...
    @property
    def static(self) -> Row | None: ...
    def range_tombstones(self, start: bytes, end: bytes) -> Sequence[RangeTombstone]: ...
    def get(self, ck: bytes) -> StoredRow | None: ...
    def chunks(self, start: bytes, end: bytes, reverse: bool) -> Iterator[RawChunk]: ...


class MergedPartition:
    """See the module. `partitions`: two or more, the newest first."""

    __slots__ = ("_layouts", "_merges_all", "_partitions", "_resolve", "deletion")

    def __init__(self, partitions: Sequence[SourcePartition], layouts: Layouts, resolve: Resolve) -> None:
        self._partitions, self._layouts, self._resolve = partitions, layouts, resolve
        self._merges_all = resolve.keeps_clustering or layouts.are_counters
        self.deletion = max(partition.deletion for partition in partitions)

    @property
    def static(self) -> Row | None:
        statics = [partition.static for partition in self._partitions if partition.static is not None]
        return merged_row(statics, self.deletion, self._resolve)

    def range_tombstones(self, start: bytes, end: bytes) -> Sequence[RangeTombstone]:
        return self._tombstones(start, end).overlapping(start, end)

    def get(self, ck: bytes) -> StoredRow | None:
        covering = self.deletion
        versions: list[StoredRow] = []
        for partition in self._partitions:
            for tombstone in partition.range_tombstones(ck, ck + b"\0"):
                covering = max(covering, tombstone.deletion)
            row = partition.get(ck)
            if row is not None:
                versions.append(row)
        return self._merged(versions, covering)

    def chunks(self, start: bytes, end: bytes, reverse: bool) -> Iterator[RawChunk]:
        deletion = self.deletion
        tombstones = self._tombstones(start, end)
        for items in self._items(start, end, reverse):
            cks, _, rows = zip(*items, strict=True)
            if not tombstones and deletion == LIVE and len(set(cks)) == len(cks):
                yield list(cks), list(rows), set(map(type, rows)) == _BYTES
                continue
            several: dict[bytes, list[StoredRow]] = {}
            for ck, _, row in items:
                several.setdefault(ck, []).append(row)
            kept: dict[bytes, StoredRow] = {}
            for ck, versions in several.items():
                covering = max(deletion, tombstones.covering(ck)) if tombstones else deletion
                merged = self._merged(versions, covering)
                if merged is not None:
                    kept[ck] = merged
            if kept:
                yield list(kept), list(kept.values()), set(map(type, kept.values())) == _BYTES

    def _items(self, start: bytes, end: bytes, reverse: bool) -> Iterator[list[Item[StoredRow]]]:
        """(order key, number of the partition, row) of all partitions, in lists; all of one order key stand in one list."""
        sources = [partition.chunks(start, end, reverse) for partition in self._partitions]
        if not reverse:
            for items in in_order([((cks, rows) for cks, rows, _ in source) for source in sources]):
                begin = 0
                while begin < len(items):
                    stop = begin + MERGE_CHUNK_ROWS
                    while stop < len(items) and items[stop][0] == items[stop - 1][0]:
                        stop += 1
                    yield items[begin:stop]
                    begin = stop
            return
        first = itemgetter(0)
        streams = [_numbered(source, number) for number, source in enumerate(sources)]
        several: list[Item[StoredRow]] = []
        for _, group in groupby(merge(*streams, key=first, reverse=True), key=first):
            several += group
            if len(several) >= MERGE_CHUNK_ROWS:
                yield several
                several = []
        if several:
            yield several

    def _tombstones(self, start: bytes, end: bytes) -> RangeTombstones:
        found = [partition.range_tombstones(start, end) for partition in self._partitions]
        tombstones = RangeTombstones(chain.from_iterable(found))
        if tombstones and self.deletion != LIVE:
            tombstones.drop_covered(self.deletion)
        return tombstones

    def _merged(self, versions: Sequence[StoredRow], covering: Deletion) -> StoredRow | None:
        if len(versions) == 1 and type(row := versions[0]) is bytes:
            return row if timestamp_of(row) > covering.timestamp_us else None
        newest = self._maybe_newest(versions)
        if newest is not None:
            return newest if timestamp_of(newest) > covering.timestamp_us else None
        layouts = self._layouts
        merged = merged_row([layouts.explode(version) for version in versions], covering, self._resolve)
        return None if merged is None else layouts.maybe_pack(merged) or merged

    def _maybe_newest(self, versions: Sequence[Any]) -> bytes | None:
        """Of packed rows with the same columns the newest, where no two are of one time: it replaces the others."""
        if self._merges_all or not versions or set(map(type, versions)) != _BYTES:
            return None
        if len({row[:TIMESTAMP] for row in versions}) > 1:
            return None
        newest = sorted(versions, key=timestamp_of)[-2:]
        if len(newest) > 1 and timestamp_of(newest[0]) == timestamp_of(newest[1]):
            return None
        found: bytes = newest[-1]
        return found


def merged_row(versions: Sequence[Row], covering: Deletion, resolve: Resolve) -> Row | None:
    """The versions of one row from several sources, the newest first, below a deletion of any of them. Of clusterings that
    are equal in different bytes it keeps the oldest's."""
    if not versions:
        return None
    merged: Row | None = uncovered_row(versions[-1], covering)
    for version in versions[-2::-1]:
        if merged is None:
            merged = uncovered_row(version, covering)
        else:
            merged = merge_rows(merged, version, covering, resolve)
    return merged


def maybe_newer(left: object, right: object) -> bytes | None:
    """Of two partitions of one packed row each (memtable.single) the one that replaces the other: the same clustering and
    columns, and a newer timestamp. None where it is not as simple as that."""
    if type(left) is not bytes or type(right) is not bytes:
        return None
    at = 2 + TIMESTAMP + (left[0] << 8 | left[1])
    if left[:at] != right[:at]:
        return None
    left_us, right_us = _I64.unpack_from(left, at)[0], _I64.unpack_from(right, at)[0]
    if left_us == right_us:
        return None
    return left if left_us > right_us else right


def _numbered(chunks: Iterator[RawChunk], number: int) -> Iterator[Item[StoredRow]]:
    for cks, rows, _ in chunks:
        for ck, row in zip(cks, rows, strict=True):
            yield ck, number, row
