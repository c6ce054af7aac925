"""An SSTable as JSON, as sstabledump prints it (tools/JsonTransformer.java): what the file holds, nothing left out or
merged.

The table is made up from the file's own header, as sstabledump does, so no schema is needed; key and clustering columns
have no names there.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

from protocol.types import CqlType, ListType, MapType, SetType, UserType, parse_java, quoted_identifier
from storage.keys import split_key
from storage.mutation import LIVE, NO_TIMESTAMP, Cell, ComplexColumn, Deletion, Liveness, Row
from storage.schema.metadata import ColumnKind, ColumnMetadata, TableMetadata
from storage.sstable.constants import KINDS_BEFORE, KINDS_BOUNDARY
from storage.sstable.encoder import path_order
from storage.sstable.header import SerializationHeader
from storage.sstable.partition import SSTablePartition
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import Marker

_COMPOSITE: Final = "org.apache.cassandra.db.marshal.CompositeType("
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NO_ID: Final = UUID(int=0)


def table_of(header: SerializationHeader) -> TableMetadata:
    """A table with the columns that a file says it has."""
    columns = [
        ColumnMetadata(f"PartitionKey{i}", ColumnKind.PARTITION_KEY, type_, i)
        for i, type_ in enumerate(key_types(header))
    ]
    columns += (
        ColumnMetadata(f"clustering{i}", ColumnKind.CLUSTERING, type_, i, is_reversed)
        for i, (type_, is_reversed) in enumerate(zip(header.clustering, header.reversed, strict=True))
    )
    for found, kind in ((header.static_columns, ColumnKind.STATIC), (header.regular_columns, ColumnKind.REGULAR)):
        columns += (ColumnMetadata(column.name, kind, column.type) for column in found)
    return TableMetadata("keyspace", "table", _NO_ID, tuple(columns))


def key_types(header: SerializationHeader) -> list[CqlType]:
    """Of the partition key's columns."""
    text = header.key_type
    if not text.startswith(_COMPOSITE):
        return [parse_java(text)]
    found, depth, start = [], 0, len(_COMPOSITE)
    for at in range(start, len(text)):
        char = text[at]
        if depth == 0 and char in ",)":
            found.append(parse_java(text[start:at]))
            start = at + 1
        depth += (char == "(") - (char == ")")
    return found


class Dump:
    """Of one open SSTable. `raw_times`: numbers instead of dates (sstabledump -t); `now_s`: what has expired."""

    def __init__(self, reader: SSTableReader, now_s: int, raw_times: bool = False) -> None:
        self._reader, self._now_s, self._raw = reader, now_s, raw_times
        header = reader.statistics.header
        self._keys = key_types(header)
        self._clustering = header.clustering
        self._types = {column.name: column.type for column in (*header.static_columns, *header.regular_columns)}

    def partitions(self) -> Iterator[str]:
        """Each as the text of a JSON object, on one line."""
        for _, partition in self._reader.partitions():
            yield self._partition(partition)

    def _partition(self, partition: SSTablePartition) -> str:
        raw = partition.raw()
        values = split_key(partition.key, len(self._keys))
        key = ",".join(json.dumps(type_.to_text(value)) for type_, value in zip(self._keys, values, strict=True))
        deletion = "" if raw.deletion == LIVE else f",{self._deletion(raw.deletion)}"
        rows = []
        if raw.static is not None:
            rows.append(self._row(raw.static, raw.rows_at, "static_block"))
        for position, unfiltered in raw.unfiltereds:
            if isinstance(unfiltered, Marker):
                rows.append(self._marker(unfiltered))
            else:
                rows.append(self._row(unfiltered, position, "row"))
        head = f'"table kind":"REGULAR","partition":{{"key":[{key}],"position":{raw.rows_at}{deletion}}}'
        return f'{{{head},"rows":[{",".join(rows)}]}}'

    def _row(self, row: Row, position: int, kind: str) -> str:
        parts = [f'"type":"{kind}","position":{position}']
        if kind == "row" and row.clustering:
            parts.append(self._clustering_text(row.clustering, "null"))  # at which sstabledump itself fails
        liveness = row.liveness
        if liveness.timestamp_us != NO_TIMESTAMP:
            times = f'"tstamp":{self._us(liveness.timestamp_us)}'
            if liveness.ttl_s:
                expired = json.dumps(liveness.local_deletion_s < self._now_s)
                times += f',"ttl":{liveness.ttl_s},"expires_at":{self._s(liveness.local_deletion_s)},"expired":{expired}'
            parts.append(f'"liveness_info":{{{times}}}')
        if row.deletion != LIVE:
            parts.append(self._deletion(row.deletion))
        cells = ",".join(cell for name in self._types if name in row.columns for cell in self._column(name, row))
        parts.append(f'"cells":[{cells}]')
        return f"{{{','.join(parts)}}}"

    def _column(self, name: str, row: Row) -> Iterator[str]:
        data, type_ = row.columns[name], self._types[name]
        label = f'"name":{json.dumps(quoted_identifier(name))}'
        if type(data) is Cell:
            yield f"{{{label},{self._cell(data, type_, row.liveness)}}}"
            return
        assert type(data) is ComplexColumn, data
        if data.deletion != LIVE:
            yield f"{{{label},{self._deletion(data.deletion)}}}"
        for path in sorted(data.cells, key=path_order(type_)):
            text, value_type = _path(type_, path)
            yield f'{{{label},"path":[{json.dumps(text)}],{self._cell(data.cells[path], value_type, row.liveness)}}}'

    def _cell(self, cell: Cell, type_: CqlType, liveness: Liveness) -> str:
        timestamp_us, value, ttl_s, local_s = cell
        if value is None:
            parts = [f'"deletion_info":{{"local_delete_time":{self._s(local_s)}}}']
        else:
            parts = [f'"value":{type_.to_json(value)}']
        if timestamp_us != liveness.timestamp_us:
            parts.append(f'"tstamp":{self._us(timestamp_us)}')
        if ttl_s and ttl_s != liveness.ttl_s:
            expired = json.dumps(local_s <= self._now_s)
            parts.append(f'"ttl":{ttl_s},"expires_at":{self._s(local_s)},"expired":{expired}')
        return ",".join(parts)

    def _marker(self, marker: Marker) -> str:
        kind, values = marker.kind, marker.values
        is_before = kind in KINDS_BEFORE
        bounds = []
        if marker.opening is not None:
            bounds.append(self._bound("start", is_before, values, marker.opening))
        if marker.closing is not None:
            bounds.append(self._bound("end", not is_before, values, marker.closing))
        name = "range_tombstone_boundary" if kind in KINDS_BOUNDARY else "range_tombstone_bound"
        return f'{{"type":"{name}",{",".join(bounds)}}}'

    def _bound(self, side: str, is_inclusive: bool, values: tuple[bytes, ...], deletion: Deletion) -> str:
        parts = [f'"type":"{"inclusive" if is_inclusive else "exclusive"}"']
        if values:
            parts.append(self._clustering_text(values))
        parts.append(self._deletion(deletion))
        return f'"{side}":{{{",".join(parts)}}}'

    def _clustering_text(self, values: tuple[bytes, ...], missing: str = '"*"') -> str:
        texts = [type_.to_json(value) for type_, value in zip(self._clustering, values, strict=False)]
        texts += [missing] * (len(self._clustering) - len(values))
        return f'"clustering":[{",".join(texts)}]'

    def _deletion(self, deletion: Deletion) -> str:
        times = f'"marked_deleted":{self._us(deletion.timestamp_us)}'
        times += f',"local_delete_time":{self._s(deletion.local_deletion_s)}'
        return f'"deletion_info":{{{times}}}'

    def _us(self, timestamp_us: int) -> str:
        return f'"{timestamp_us}"' if self._raw else f'"{_instant(timestamp_us)}"'

    def _s(self, seconds: int) -> str:
        return f'"{seconds}"' if self._raw else f'"{_instant(seconds * 1_000_000)}"'


def _instant(timestamp_us: int) -> str:
    """Instant.toString: no more groups of three decimals than there are."""
    try:
        moment = _EPOCH + timedelta(microseconds=timestamp_us)
    except OverflowError:
        return str(timestamp_us)
    text = moment.strftime("%Y-%m-%dT%H:%M:%S")
    if moment.microsecond == 0:
        return text + "Z"
    digits = f"{moment.microsecond:06d}"
    return f"{text}.{digits.removesuffix('000')}Z"


def _path(type_: CqlType, path: bytes) -> tuple[str, CqlType]:
    """The text of a cell's path, and the type of its value."""
    if isinstance(type_, UserType):
        index = int.from_bytes(path, "big")
        return type_.field_names[index], type_.field_types[index]
    if isinstance(type_, SetType):
        from protocol.types import EMPTY

        return type_.elements.to_text(path), EMPTY
    if isinstance(type_, MapType):
        return type_.keys.to_text(path), type_.values
    assert isinstance(type_, ListType), type_
    from protocol.types import TIMEUUID

    return TIMEUUID.to_text(path), type_.elements

