"""Mutations as Cassandra's messages and commit log have them (db/Mutation.java, db/partitions/PartitionUpdate.java,
db/rows/UnfilteredRowIteratorSerializer.java).

    mutation  vint count, updates
    update    table id, vint length and key, flags; vint smallest timestamp, local deletion time and TTL from their epochs;
              [names of the static columns] names of the regular ones; [partition deletion] [static row] vint rows;
              rows and markers in clustering order, 01

Rows and markers are those of SSTables without their sizes, and relative to the smallest numbers of the update. The columns
are those that the update has something of, be it deleted by another part of it or not.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from storage.environment.strands import paused
from storage.keys import clustering_order_key
from storage.memtable.range_tombstones import RangeTombstones
from storage.mutation import LIVE, NO_TIMESTAMP, Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.reconcile import uncovered_row
from storage.schema.metadata import TableMetadata
from storage.sstable.constants import DELETION_EPOCH_S, EXTENSION, IS_MARKER, IS_STATIC, TIMESTAMP_EPOCH_US
from storage.sstable.encoder import Bases, ColumnsByName, ContentsEncoder, by_name
from storage.sstable.header import HeaderColumn
from storage.sstable.prefixes import Prefix, PrefixCodec
from storage.sstable.unfiltered import Marker, interleaved
from storage.sstable.vints import unsigned, unsigned32

IS_EMPTY: Final = 0x01
HAS_PARTITION_DELETION: Final = 0x04
HAS_STATIC_ROW: Final = 0x08
HAS_ROW_ESTIMATE: Final = 0x10

_END: Final = b"\x01"


class UpdateEncoder:
    """Of one table, as long as it does not change."""

    def __init__(self, table: TableMetadata, has_uint_deletion_times: bool) -> None:
        self._table_id = table.id.bytes
        self._has_uint_deletion_times = has_uint_deletion_times
        self._codec = PrefixCodec([column.type for column in table.clustering])
        self._order_key = clustering_order_key(table)
        self._columns = {c.name: HeaderColumn(c.name, c.type) for c in (*table.statics, *table.regulars)}

    def encode(self, update: PartitionUpdate) -> bytes:
        head = self._table_id + unsigned(len(update.key)) + update.key
        update = _without_empty_rows(update)
        if update.is_empty():
            return head + bytes((IS_EMPTY,))
        flags = HAS_ROW_ESTIMATE
        tombstones = RangeTombstones(update.range_tombstones)
        bases = _bases(update, tombstones)
        contents = ContentsEncoder(bases, self._has_uint_deletion_times)
        out: list[bytes] = []
        statics, regulars = self._used(update.static), self._used(*update.rows.values())
        static = None if update.static is None else uncovered_row(update.static, update.deletion)
        if static is not None:
            flags |= HAS_STATIC_ROW
            out.append(_names(statics))
        out.append(_names(regulars))
        if update.deletion != LIVE:
            flags |= HAS_PARTITION_DELETION
            out.append(contents.deletion(update.deletion))
        if static is not None:
            _row(out, static, statics, contents, bytes((IS_STATIC,)), b"")
        out.append(unsigned(len(update.rows)))
        for _, unfiltered in paused(interleaved(_uncovered(update, tombstones), tombstones, self._order_key)):
            if type(unfiltered) is Marker:
                self._marker(out, unfiltered, contents)
            else:
                assert isinstance(unfiltered, Row)
                _row(out, unfiltered, regulars, contents, b"", self._codec.encode_clustering(unfiltered.clustering))
        return b"".join((head, bytes((flags,)), _encoded_bases(bases), *out, _END))

    def _used(self, *rows: Row | None) -> ColumnsByName:
        """The columns that rows have something of."""
        names = dict.fromkeys(name for row in rows if row is not None for name in row.columns)
        columns = [self._columns[name] for name in names if name in self._columns]
        return by_name(sorted(columns, key=_column_order))

    def _marker(self, out: list[bytes], marker: Marker, contents: ContentsEncoder) -> None:
        out += (bytes((IS_MARKER,)), self._codec.encode_bound(Prefix(marker.kind, marker.values)))
        out += (contents.deletion(deletion) for deletion in (marker.closing, marker.opening) if deletion is not None)


def _without_empty_rows(update: PartitionUpdate) -> PartitionUpdate:
    """Where nothing is set, nothing is written: but that there was a mutation."""
    if all(map(_has_something, update.rows.values())) and (update.static is None or _has_something(update.static)):
        return update
    static = update.static if update.static is not None and _has_something(update.static) else None
    return replace(update, static=static, rows={ck: row for ck, row in update.rows.items() if _has_something(row)})


def _has_something(row: Row) -> bool:
    return bool(row.columns) or row.liveness.timestamp_us != NO_TIMESTAMP or row.deletion != LIVE


def _uncovered(update: PartitionUpdate, tombstones: RangeTombstones) -> Iterator[tuple[bytes, Row]]:
    """The rows in order, without what other parts of the update delete: Cassandra's iterators leave that out, too."""
    rows = sorted(update.rows.items())
    if update.deletion == LIVE and not len(tombstones):
        yield from rows
        return
    for ck, row in rows:
        left = uncovered_row(row, max(update.deletion, tombstones.covering(ck)))
        if left is not None:
            yield ck, left


def encode_mutation(updates: Sequence[bytes]) -> bytes:
    """Encoded updates of one key, each of another table."""
    return unsigned(len(updates)) + b"".join(updates)


def _row(
    out: list[bytes], row: Row, columns: ColumnsByName, contents: ContentsEncoder, extension: bytes, clustering: bytes
) -> None:
    body: list[bytes] = []
    flags = contents.row(body, row, columns)
    out += (bytes((flags | EXTENSION if extension else flags,)), extension, clustering, *body)


def _column_order(column: HeaderColumn) -> tuple[bool, bytes]:
    return column.is_complex, column.name.encode()


def _names(columns: ColumnsByName) -> bytes:
    raw = [name.encode() for name in columns]
    return unsigned(len(raw)) + b"".join(unsigned(len(name)) + name for name in raw)


# -- encoding stats (db/rows/EncodingStats.java) ----------------------------------------------------------------------

_NO_BASES: Final = Bases(TIMESTAMP_EPOCH_US, DELETION_EPOCH_S, 0)
_Times = Liveness | Cell | Deletion


def _bases(update: PartitionUpdate, tombstones: Iterable[RangeTombstone]) -> Bases:
    timestamps, deletions, ttls = [], [], []
    for times in _times(update, tombstones):
        timestamps.append(times.timestamp_us)
        if isinstance(times, Deletion):
            deletions.append(times.local_deletion_s)
        elif times.ttl_s:
            ttls.append(times.ttl_s)
            deletions.append(times.local_deletion_s)
        elif isinstance(times, Cell) and times.value is None:
            deletions.append(times.local_deletion_s)
    return Bases(
        min(timestamps, default=_NO_BASES.timestamp_us),
        min(deletions, default=_NO_BASES.deletion_s),
        min(ttls, default=_NO_BASES.ttl_s),
    )


def _times(update: PartitionUpdate, tombstones: Iterable[RangeTombstone]) -> Iterator[_Times]:
    """All that has a timestamp."""
    if update.deletion != LIVE:
        yield update.deletion
    yield from (tombstone.deletion for tombstone in tombstones)
    for row in paused((*update.rows.values(), *((update.static,) if update.static is not None else ()))):
        if row.liveness.timestamp_us != NO_TIMESTAMP:
            yield row.liveness
        if row.deletion != LIVE:
            yield row.deletion
        for data in row.columns.values():
            if isinstance(data, Cell):
                yield data
            else:
                if data.deletion != LIVE:
                    yield data.deletion
                yield from data.cells.values()


def _encoded_bases(bases: Bases) -> bytes:
    timestamp_us, deletion_s, ttl_s = bases
    return unsigned(timestamp_us - TIMESTAMP_EPOCH_US) + unsigned32(deletion_s - DELETION_EPOCH_S) + unsigned32(ttl_s)
