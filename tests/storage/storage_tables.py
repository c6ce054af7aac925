"""Tables for the storage tests."""

from uuid import UUID

from protocol.types import BIGINT, BLOB, COUNTER, INT, TEXT, CqlType, ListType, MapType
from storage.schema.metadata import ColumnKind, ColumnMetadata, DroppedColumn, TableMetadata


def column(name: str, kind: ColumnKind, column_type: CqlType, position: int = -1, reversed: bool = False) -> ColumnMetadata:
    return ColumnMetadata(name, kind, column_type, position, reversed)


def wide_table(dropped: dict[str, DroppedColumn] | None = None) -> TableMetadata:
    """k | c | s static | a, b, m map<text, int>."""
    return TableMetadata(
        keyspace="ks",
        name="wide",
        id=UUID(int=7),
        columns=(
            column("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
            column("c", ColumnKind.CLUSTERING, INT, 0),
            column("s", ColumnKind.STATIC, TEXT),
            column("a", ColumnKind.REGULAR, INT),
            column("b", ColumnKind.REGULAR, BLOB),
            column("m", ColumnKind.REGULAR, MapType(TEXT, INT, False)),
        ),
        dropped_columns=dropped or {},
    )


def narrow_table() -> TableMetadata:
    """k | c int, l list<int>, s text, v blob."""
    return TableMetadata(
        keyspace="ks",
        name="narrow",
        id=UUID(int=8),
        columns=(
            column("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
            column("c", ColumnKind.REGULAR, INT),
            column("l", ColumnKind.REGULAR, ListType(INT, False)),
            column("s", ColumnKind.REGULAR, TEXT),
            column("v", ColumnKind.REGULAR, BLOB),
        ),
    )


def counter_table() -> TableMetadata:
    return TableMetadata(
        keyspace="ks",
        name="counts",
        id=UUID(int=9),
        columns=(
            column("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
            column("n", ColumnKind.REGULAR, COUNTER),
        ),
        is_counter=True,
    )


def wide_counter_table() -> TableMetadata:
    return TableMetadata(
        keyspace="ks",
        name="wide_counts",
        id=UUID(int=10),
        columns=(
            column("k", ColumnKind.PARTITION_KEY, BIGINT, 0),
            column("c", ColumnKind.CLUSTERING, INT, 0),
            column("m", ColumnKind.REGULAR, COUNTER),
            column("n", ColumnKind.REGULAR, COUNTER),
        ),
        is_counter=True,
    )


def int_value(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)


def bigint_value(number: int) -> bytes:
    return number.to_bytes(8, "big", signed=True)
