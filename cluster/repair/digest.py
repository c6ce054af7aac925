"""A partition's digest, equal where replicas have the same, whatever memtables and SSTables it lies in (db/Digest.java).

What any replica may have purged already is left out, by a `now` that all of them are given; so is what dropped columns held.
Rows come by order key, their columns by name: nothing hangs on how a node stores a row.
"""

import struct
from collections.abc import Iterable
from typing import Final

from mmh3 import hash_bytes

from cluster.reading.execution import by_column_name, packed_by_name
from storage.compaction.purging import Purger
from storage.dropped import DroppedFilter
from storage.memtable.memtable import TIMESTAMP_MAX_US, Position
from storage.memtable.packed import TIMESTAMP, StoredRow
from storage.merged import SourcePartition
from storage.mutation import LIVE, Deletion, PartitionUpdate, RangeTombstone, Row
from storage.reads import Stored, TableStore

_DELETION = struct.Struct(">cqq")
_RANGE = struct.Struct(">cHHqq")
_LENGTH = struct.Struct(">H")
_OF_PARTITION, _OF_RANGE, _OF_STATIC = b"d", b"t", b"s"
_CK_LENGTH_BYTES: Final = 2
_from_bytes = int.from_bytes


class PartitionDigests:
    """Of one table's partitions, as of `now_s`."""

    def __init__(self, store: TableStore, now_s: int) -> None:
        self._store, self._layouts = store, store.layouts
        gc_before_s = now_s - store.table.params.gc_grace_seconds
        self._purger = Purger(store.layouts, now_s, gc_before_s, TIMESTAMP_MAX_US)
        self._kept = DroppedFilter(store.table, store.layouts)
        self._prefixes: dict[bytes, bytes | None] = {}

    def digest(self, position: Position, stored: Stored) -> tuple[int, int] | None:
        """(digest, about how many bytes the content has); None where nothing of it counts."""
        if type(stored) is bytes:
            digest = self.of_single(position, stored)
            if digest is not None:
                return digest, len(stored)
        return self.general(position, self._store.general(stored))

    def of_single(self, position: Position, stored: bytes) -> int | None:
        """Of a partition of one packed row (memtable.single); None where it has to be taken apart first."""
        at = _CK_LENGTH_BYTES + (stored[0] << 8 | stored[1])
        head = stored[at : at + TIMESTAMP]
        prefixes = self._prefixes
        prefix = prefixes[head] if head in prefixes else self._prefix(head)
        if prefix is None:
            return None
        return _from_bytes(hash_bytes(position + stored[:at] + prefix + stored[at + TIMESTAMP :]), "big")

    def _prefix(self, head: bytes) -> bytes | None:
        """What stands for a packed row's layout; None where its row has to be taken apart first."""
        layout = self._layouts.of(head)
        is_plain = layout.columns == tuple(sorted(layout.columns)) and not self._store.table.dropped_columns
        prefix = self._prefixes[head] = layout.record_prefix if is_plain else None
        return prefix

    def general(self, position: Position, partition: SourcePartition) -> tuple[int, int] | None:
        pieces = [*self._heads(partition)]
        for cks, rows, _ in partition.chunks(b"", b"\xff", False):
            for ck, row in self._purger.rows(self._kept.rows(zip(cks, rows, strict=True))):
                pieces += (_LENGTH.pack(len(ck)), ck, self._row(row))
        if not pieces:
            return None
        content = position + b"".join(pieces)
        return _from_bytes(hash_bytes(content), "big"), len(content) - len(position)

    def _heads(self, partition: SourcePartition) -> Iterable[bytes]:
        """What a partition has beside its rows."""
        deletion = self._purger.deletion(partition.deletion)
        if deletion != LIVE:
            yield _DELETION.pack(_OF_PARTITION, *deletion)
        static = self._kept.static(partition.static)
        static = None if static is None else self._purger.row(static)
        if static is not None:
            yield _OF_STATIC + self._encoded(static)
        for tombstone in self._purger.tombstones(partition.range_tombstones(b"", b"\xff")):
            yield _range_piece(tombstone)

    def _row(self, row: StoredRow) -> bytes:
        packed = packed_by_name(self._layouts, row)
        if packed is None:
            return self._encoded(self._layouts.explode(row))
        return self._layouts.of(packed).record_prefix + packed[TIMESTAMP:]

    def _encoded(self, row: Row) -> bytes:
        return PartitionUpdate(self._store.table.id, b"", rows={b"": by_column_name(row)}).encode()


def _range_piece(tombstone: RangeTombstone) -> bytes:
    deletion: Deletion = tombstone.deletion
    head = _RANGE.pack(_OF_RANGE, len(tombstone.start), len(tombstone.end), *deletion)
    return head + tombstone.start + tombstone.end
