"""What the SSTables of a comparison had in them, counted: one that met nothing proves nothing."""

from collections import Counter
from collections.abc import Iterator

from protocol.types import CqlType, ListType, MapType, SetType, TupleType, UserType, VectorType
from sstables.random_tables import types_within
from storage.mutation import LIVE, NO_LIVENESS, Cell, ComplexColumn, Row
from storage.schema.metadata import TableMetadata
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import Marker

COMPRESSORS = ("LZ4Compressor", "SnappyCompressor", "DeflateCompressor", "ZstdCompressor", "NoopCompressor", "none")
WANTED = (
    *(f"compressed by {name}" for name in COMPRESSORS),
    "counter table", "compact table", "table with statics", "table with a reversed clustering",
    "table with a dropped column", "table of more than 64 columns",
    "column of a list", "column of a set", "column of a map", "column of a user type", "column of a tuple",
    "column of a vector", "column of a duration", "column of a type three deep", "column that is not frozen",
    "partition with an index", "partition deleted", "static row", "row deleted", "row without a marker",
    "row that expires", "bound of a range tombstone", "boundary of range tombstones", "empty clustering value",
    "null clustering value",
    "cell deleted", "cell that expires", "cell of a counter", "empty value", "value over 4 KiB",
    "collection deleted", "cell of a collection", "SSTable of many chunks",
)  # fmt: skip
"""What a thousand tables have for certain."""
TYPES = {
    ListType: "list", SetType: "set", MapType: "map", UserType: "user type", TupleType: "tuple", VectorType: "vector"
}  # fmt: skip


class Coverage:
    """`counts`: by what it was."""

    def __init__(self) -> None:
        self.counts = Counter[str]()

    def missing(self) -> list[str]:
        return [name for name in WANTED if not self.counts[name]]

    def __str__(self) -> str:
        return "\n".join(f"{count:9,} {name}" for name, count in sorted(self.counts.items()))

    def add_table(self, table: TableMetadata) -> None:
        self.counts.update(set(_of_table(table)))

    def add_file(self, reader: SSTableReader) -> None:
        params = reader.compression
        self.counts[f"compressed by {params.name if params else 'none'}"] += 1
        self.counts["SSTable of many chunks"] += params is not None and reader.data_bytes > params.chunk_bytes
        self.counts["partition with an index"] += sum(len(stretch.wide) for stretch in reader.stretches())
        for _, partition in reader.partitions():
            raw = partition.raw()
            self.counts["partition deleted"] += raw.deletion != LIVE
            if raw.static is not None:
                self.counts["static row"] += 1
                self._add_row(raw.static, reader.table.is_counter)
            for _, found in raw.unfiltereds:
                if isinstance(found, Marker):
                    is_boundary = found.closing is not None and found.opening is not None
                    self.counts["boundary of range tombstones" if is_boundary else "bound of a range tombstone"] += 1
                else:
                    self._add_row(found, reader.table.is_counter, len(reader.table.clustering))

    def _add_row(self, row: Row, is_counter: bool, clustering_count: int = 0) -> None:
        counts = self.counts
        counts["row deleted"] += row.deletion != LIVE
        counts["row without a marker"] += row.liveness == NO_LIVENESS and bool(row.columns) and bool(row.clustering)
        counts["row that expires"] += bool(row.liveness.ttl_s)
        counts["empty clustering value"] += b"" in row.clustering
        counts["null clustering value"] += len(row.clustering) < clustering_count
        for column in row.columns.values():
            if isinstance(column, ComplexColumn):
                counts["collection deleted"] += column.deletion != LIVE
                counts["cell of a collection"] += len(column.cells)
                for cell in column.cells.values():
                    self._add_cell(cell, is_counter)
            else:
                self._add_cell(column, is_counter)
                counts["empty value"] += column.value == b""

    def _add_cell(self, cell: Cell, is_counter: bool) -> None:
        counts = self.counts
        counts["cell deleted"] += cell.value is None
        counts["cell that expires"] += bool(cell.ttl_s)
        counts["cell of a counter"] += is_counter
        counts["value over 4 KiB"] += cell.value is not None and len(cell.value) > 4096


def _of_table(table: TableMetadata) -> Iterator[str]:
    if table.is_counter:
        yield "counter table"
    if table.is_compact:
        yield "compact table"
    if table.statics:
        yield "table with statics"
    if any(column.reversed for column in table.clustering):
        yield "table with a reversed clustering"
    if table.dropped_columns:
        yield "table with a dropped column"
    if len(table.columns) > 64:
        yield "table of more than 64 columns"
    for column in table.columns:
        if column.type.is_multicell:
            yield "column that is not frozen"
        if depth(column.type) >= 3:
            yield "column of a type three deep"
        for each in types_within(column.type):
            if type(each) in TYPES:
                yield f"column of a {TYPES[type(each)]}"
            elif each.cql() == "duration":
                yield "column of a duration"


def depth(cql_type: CqlType) -> int:
    """0 of a native type."""
    inner = list(types_within(cql_type))[1:]
    return 1 + max(map(depth, inner)) if inner else 0
