"""The schema as immutable values: keyspaces, tables, columns, user types and their parameters.

A change makes a new `Schema` that shares what did not change; whoever holds an old one keeps a consistent picture.
Where the values come from and go to is schema_tables.py (rows of system_schema); what DDL may do to them is
cqlserver/ddl. Names are kept as they are stored (case-sensitive), without quotes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from types import MappingProxyType
from uuid import UUID

from protocol.types import CqlType, UserType


class ColumnKind(Enum):
    """The words of system_schema.columns.kind."""

    PARTITION_KEY = "partition_key"
    CLUSTERING = "clustering"
    STATIC = "static"
    REGULAR = "regular"


@dataclass(frozen=True, slots=True)
class ColumnMask:
    """A dynamic data mask: the function (keyspace None: native) and the literals of its arguments behind the first."""

    function_keyspace: str | None
    function_name: str
    argument_types: tuple[str, ...] = ()
    argument_values: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnMetadata:
    """A column. `position` counts within the partition key or the clustering, and is -1 elsewhere, as in
    system_schema.columns; `reversed` is CLUSTERING ORDER DESC."""

    name: str
    kind: ColumnKind
    type: CqlType
    position: int = -1
    reversed: bool = False
    mask: ColumnMask | None = None

    @property
    def is_primary_key(self) -> bool:
        return self.kind in (ColumnKind.PARTITION_KEY, ColumnKind.CLUSTERING)


@dataclass(frozen=True, slots=True)
class DroppedColumn:
    """Cells of `name` written at or before `dropped_time_us` are gone."""

    name: str
    type: CqlType
    dropped_time_us: int
    kind: ColumnKind = ColumnKind.REGULAR


@dataclass(frozen=True, slots=True)
class TableParams:
    """WITH options of a table, defaults as in Cassandra 5.0 (schema/TableParams.java)."""

    additional_write_policy: str = "99p"
    allow_auto_snapshot: bool = True
    bloom_filter_fp_chance: float = 0.01
    caching: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType({"keys": "ALL", "rows_per_partition": "NONE"})
    )
    cdc: bool = False
    comment: str = ""
    compaction: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {
                "class": "org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy",
                "max_threshold": "32",
                "min_threshold": "4",
            }
        )
    )
    compression: Mapping[str, str] = field(
        default_factory=lambda: MappingProxyType(
            {"chunk_length_in_kb": "16", "class": "org.apache.cassandra.io.compress.LZ4Compressor"}
        )
    )
    crc_check_chance: float = 1.0
    default_time_to_live: int = 0
    extensions: Mapping[str, bytes] = field(default_factory=lambda: MappingProxyType({}))
    gc_grace_seconds: int = 864000
    incremental_backups: bool = True
    max_index_interval: int = 2048
    memtable: str = "default"
    memtable_flush_period_in_ms: int = 0
    min_index_interval: int = 128
    read_repair: str = "BLOCKING"
    speculative_retry: str = "99p"


@dataclass(frozen=True)
class TableMetadata:
    """A table (or view, or virtual table). `columns` in Cassandra's order: partition key and clustering by position,
    then statics, then regulars, each of these two sorted by name (by UTF-8 bytes)."""

    keyspace: str
    name: str
    id: UUID
    columns: tuple[ColumnMetadata, ...]
    params: TableParams = field(default_factory=TableParams)
    is_counter: bool = False
    is_virtual: bool = False
    is_compact: bool = False
    dropped_columns: Mapping[str, DroppedColumn] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def by_name(self) -> Mapping[str, ColumnMetadata]:
        return MappingProxyType({c.name: c for c in self.columns})

    def _of_kind(self, kind: ColumnKind) -> tuple[ColumnMetadata, ...]:
        return tuple(c for c in self.columns if c.kind is kind)

    @cached_property
    def partition_key(self) -> tuple[ColumnMetadata, ...]:
        return self._of_kind(ColumnKind.PARTITION_KEY)

    @cached_property
    def clustering(self) -> tuple[ColumnMetadata, ...]:
        return self._of_kind(ColumnKind.CLUSTERING)

    @cached_property
    def statics(self) -> tuple[ColumnMetadata, ...]:
        return self._of_kind(ColumnKind.STATIC)

    @cached_property
    def regulars(self) -> tuple[ColumnMetadata, ...]:
        return self._of_kind(ColumnKind.REGULAR)

    def __str__(self) -> str:
        return f"{self.keyspace}.{self.name}"


def ordered_columns(columns: Iterator[ColumnMetadata] | tuple[ColumnMetadata, ...]) -> tuple[ColumnMetadata, ...]:
    """Columns in the order that `TableMetadata.columns` promises."""
    ranks = {kind: rank for rank, kind in enumerate(ColumnKind)}
    return tuple(sorted(columns, key=lambda c: (ranks[c.kind], max(c.position, 0), c.name.encode())))


@dataclass(frozen=True, slots=True)
class KeyspaceParams:
    """`replication` holds 'class' in its full Java name and the strategy's options."""

    replication: Mapping[str, str]
    durable_writes: bool = True


@dataclass(frozen=True, slots=True)
class KeyspaceMetadata:
    name: str
    params: KeyspaceParams
    tables: Mapping[str, TableMetadata] = field(default_factory=lambda: MappingProxyType({}))
    types: Mapping[str, UserType] = field(default_factory=lambda: MappingProxyType({}))
    is_virtual: bool = False

    def with_table(self, table: TableMetadata) -> "KeyspaceMetadata":
        return replace(self, tables=MappingProxyType({**self.tables, table.name: table}))

    def without_table(self, name: str) -> "KeyspaceMetadata":
        return replace(self, tables=MappingProxyType({n: t for n, t in self.tables.items() if n != name}))


@dataclass(frozen=True, slots=True)
class Schema:
    """All keyspaces, virtual ones too, and the version that nodes compare to know that they agree."""

    keyspaces: Mapping[str, KeyspaceMetadata]
    version: UUID

    def maybe_table(self, keyspace: str, table: str) -> TableMetadata | None:
        found = self.keyspaces.get(keyspace)
        return found.tables.get(table) if found else None
