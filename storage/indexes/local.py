"""The built-in kind of index: a hidden table (index/internal/CassandraIndex.java).

    partition key    the indexed value
    clustering       `position`: where the base partition is in token order (8 bytes of token, then its key),
                     `clustering`: the order key of the base row, empty for a static row,
                     `path`: of a list's or map's element, where one row may have a value more than once

So a value's entries come in the order in which a scan of the base table gives their rows. All of it is a table like any
other: memtable, commit log and files know nothing of indexes. An entry has the timestamp and the time to live of the cell
that it stands for, and goes with a deletion at that timestamp when another value takes the cell's place. What deletions
of partitions and ranges, and expired cells, leave behind is stale: readers look whether the row still has the value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid3

from protocol.errors import InvalidRequest
from protocol.types import BLOB
from storage.environment.strands import paused
from storage.indexes.entries import has_path, row_entries
from storage.indexes.target import IndexTarget, TargetKind, maybe_target
from storage.memtable.memtable import position_of, split_single
from storage.memtable.packed import TIMESTAMP, VALUES
from storage.memtable.partition import Partition
from storage.mutation import LIVE, NO_LIVENESS, Deletion, PartitionUpdate, RangeTombstone, Row
from storage.schema.metadata import ColumnKind, ColumnMetadata, IndexMetadata, TableMetadata

if TYPE_CHECKING:
    from storage.reads import TableStore

VALUE_BYTES_MAX: Final = 65535
TIMESTAMP_MAX: Final = (1 << 63) - 1
LOCAL_KINDS: Final = ("COMPOSITES", "KEYS")
blob_key = BLOB.order_key


def local_indexes(table: TableMetadata) -> Iterator["LocalIndex"]:
    """Those of the built-in kind."""
    for metadata in table.indexes.values():
        if metadata.kind in LOCAL_KINDS:
            target = maybe_target(table, metadata)
            if target is not None:
                yield LocalIndex(table, metadata, target)


def hidden_table(base: TableMetadata, metadata: IndexMetadata, target: IndexTarget) -> TableMetadata:
    """The table that holds the index. Its id follows from the base table's and the index's name."""
    names = ["position", "clustering", *(["path"] if has_path(target) else [])]
    columns = (
        ColumnMetadata("value", ColumnKind.PARTITION_KEY, BLOB, 0),
        *(ColumnMetadata(name, ColumnKind.CLUSTERING, BLOB, at) for at, name in enumerate(names)),
    )
    params = base.params
    if params.default_time_to_live or params.cdc:
        params = replace(params, default_time_to_live=0, cdc=False)
    return TableMetadata(base.keyspace, f"{base.name}.{metadata.name}", hidden_id(base.id, metadata.name), columns, params)


def apply_entries(hidden: "TableStore", update: PartitionUpdate) -> None:
    """Applies what a write changes in a hidden table. Entries that go are forgotten at once: a deletion is only kept where
    files may have the entry, too."""
    if hidden.flushed:
        hidden.apply(update)
        return
    kept = {}
    for ck, row in update.rows.items():
        if row.deletion == LIVE:
            kept[ck] = row
        else:
            forget_entry(hidden, update.key, ck)
    if kept:
        hidden.apply(replace(update, rows=kept))


def forget_entry(hidden: "TableStore", value: bytes, ck: bytes) -> None:
    """Takes an entry out of a hidden table's memtable. It does no harm where a reader still finds it: it is stale."""
    memtable = hidden.memtable
    found = memtable.get(value)
    if found is None:
        return
    if not isinstance(found, Partition):
        own = split_single(found)[0] if isinstance(found, bytes) else found.ck
        if own == ck:
            memtable.remove(value)
        return
    memtable.cover_ranges(value, (RangeTombstone(ck, ck + b"\0", Deletion(TIMESTAMP_MAX, 0)),))
    if not found.row_count():
        memtable.remove(value)


def gone_entry(table_id: UUID, value: bytes, ck: bytes, clustering: tuple[bytes, ...], before: object) -> PartitionUpdate:
    """That the entry of a packed row goes, at that row's timestamp."""
    assert isinstance(before, bytes), before
    timestamp_us = int.from_bytes(before[TIMESTAMP:VALUES], "big", signed=True)
    row = Row(clustering, NO_LIVENESS, Deletion(timestamp_us, max(timestamp_us // 1_000_000, 0) & 0x7FFFFFFF))
    return PartitionUpdate(table_id, value, LIVE, None, {ck: row})


def hidden_id(base_id: UUID, index_name: str) -> UUID:
    return uuid3(base_id, index_name)


class LocalIndex:
    """One index of a table: its hidden table, and what a change of a base row changes there."""

    __slots__ = ("_entries", "_is_of_partition_key", "has_path", "metadata", "table", "target")

    def __init__(self, base: TableMetadata, metadata: IndexMetadata, target: IndexTarget) -> None:
        self.metadata, self.target = metadata, target
        self.table = hidden_table(base, metadata, target)
        self.has_path = has_path(target)
        self._entries = row_entries(base, target)
        self._is_of_partition_key = target.column.kind is ColumnKind.PARTITION_KEY

    def holds(self, is_static: bool) -> bool:
        """Whether rows of this kind have entries."""
        return self._is_of_partition_key or is_static is (self.target.column.kind is ColumnKind.STATIC)

    @property
    def kind(self) -> TargetKind:
        return self.target.kind

    def add_changes(
        self,
        changes: dict[bytes, dict[bytes, Row]],
        key: bytes,
        ck: bytes,
        rows: tuple[Row | None, Row | None],
        now_s: int,
    ) -> None:
        """Adds what a row's change from `rows[0]` to `rows[1]` changes: by hidden key, by hidden order key. Raises
        InvalidRequest for values that are too large."""
        before = self._entries(key, rows[0]) if rows[0] is not None else {}
        after = self._entries(key, rows[1]) if rows[1] is not None else {}
        if before == after:
            return
        deleted_us = rows[1].deletion.timestamp_us if rows[1] is not None else 0
        is_of_key = self.target.column.is_primary_key
        for entry, liveness in paused(before.items()):
            if entry not in after and (not is_of_key or deleted_us >= liveness.timestamp_us):
                self._put(changes, key, ck, entry, Row((), NO_LIVENESS, Deletion(liveness.timestamp_us, now_s)))
        for entry, liveness in paused(after.items()):
            if before.get(entry) != liveness:
                if len(entry[0]) > VALUE_BYTES_MAX:
                    raise self._too_large(len(entry[0]))
                self._put(changes, key, ck, entry, Row((), liveness))

    def has_entry(self, key: bytes, row: Row | None, entry: tuple[bytes, bytes]) -> bool:
        """Whether a row has it: (value, path)."""
        return row is not None and entry in self._entries(key, row)

    def _put(
        self, changes: dict[bytes, dict[bytes, Row]], key: bytes, ck: bytes, entry: tuple[bytes, bytes], row: Row
    ) -> None:
        value, path = entry
        clustering = (position_of(key), ck, path) if self.has_path else (position_of(key), ck)
        hidden_ck = b"".join([blob_key(part) for part in clustering])
        changes.setdefault(value, {})[hidden_ck] = row._replace(clustering=clustering)

    def _too_large(self, size: int) -> InvalidRequest:
        base = self.table.keyspace, self.table.name[: -len(self.metadata.name) - 1]
        return InvalidRequest(
            f"Cannot index value of size {size} for index {self.metadata.name} on {base[0]}.{base[1]}"
            f"({self.target.column.name}) (maximum allowed size={VALUE_BYTES_MAX})"
        )

    def updates(self, changes: Mapping[bytes, Mapping[bytes, Row]]) -> Sequence[PartitionUpdate]:
        return [PartitionUpdate(self.table.id, value, LIVE, None, rows) for value, rows in paused(changes.items())]
