"""The schema as immutable values: keyspaces, tables, columns, user types, views, indexes, functions and parameters.

A change makes a new `Schema` that shares what did not change; whoever holds an old one keeps a consistent picture.
Where the values come from and go to is schema_tables.py (rows of system_schema); what DDL may do to them is
cqlserver/ddl. Names are kept as they are stored (case-sensitive), without quotes.

Every element has a `digest`; sums of digests (mod 2^128) make the schema's version, so that a change costs no more than
its own elements, equal contents have equal versions, and the order of the changes does not matter. What changed between
two versions is found without a look at the rest (elements.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from hashlib import md5
from operator import attrgetter
from types import MappingProxyType
from typing import Final
from uuid import UUID

from protocol.types import CqlType, UserType
from storage.environment.strands import ITEMS_PER_GO_MAX, pause, paused, sorted_in_turns
from storage.schema.elements import Elements, with_element, without_element

LOCAL_SYSTEM_KEYSPACES = ("system", "system_schema")
VIRTUAL_KEYSPACES = ("system_views", "system_virtual_schema")
REPLICATED_SYSTEM_KEYSPACES = ("system_auth", "system_distributed", "system_traces")

_DIGEST_MASK = (1 << 128) - 1
_DIGEST = "known_digest"
_PART_ITEMS = 500
"""Of a long tuple that is digested: so many between two pauses."""


def is_local_system_keyspace(name: str) -> bool:
    """Kept by each node for itself, never changed by users; the virtual ones count as such."""
    return name.lower() in LOCAL_SYSTEM_KEYSPACES or name.lower() in VIRTUAL_KEYSPACES


def is_system_keyspace(name: str) -> bool:
    return is_local_system_keyspace(name) or name.lower() in REPLICATED_SYSTEM_KEYSPACES


def _digest(*parts: object) -> int:
    digest = md5(usedforsecurity=False)
    for text in _texts(parts):
        digest.update(text.encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest(), "big")


def _kept(element: object, digested: Callable[[], int]) -> int:
    """The digest of an element that does not change; found out, with pauses, when it is first asked for."""
    known: int | None = element.__dict__.get(_DIGEST)
    if known is None:
        known = element.__dict__[_DIGEST] = digested()
    return known


def _texts(parts: tuple[object, ...]) -> Iterable[str]:
    """What `repr(parts)` is, in pieces where a part is a long tuple."""
    if not any(type(part) is tuple and len(part) > ITEMS_PER_GO_MAX for part in parts):
        return (repr(parts),)
    return _pieces(parts)


def _pieces(parts: tuple[object, ...]) -> Iterator[str]:
    separator = "("
    for part in parts:
        yield separator
        separator = ", "
        if isinstance(part, tuple) and len(part) > ITEMS_PER_GO_MAX:
            yield "("
            for start in range(0, len(part), _PART_ITEMS):
                yield (", " if start else "") + ", ".join(map(repr, part[start : start + _PART_ITEMS]))
                pause()
            yield ")"
        else:
            yield repr(part)
    yield ")"


def _sorted_items(mapping: Mapping[str, object]) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(mapping.items()))


class ColumnKind(Enum):
    """The words of system_schema.columns.kind."""

    PARTITION_KEY = "partition_key"
    CLUSTERING = "clustering"
    STATIC = "static"
    REGULAR = "regular"

    __hash__ = object.__hash__  # Enum's own is a function in Python


@dataclass(frozen=True, slots=True)
class ColumnMask:
    """A dynamic data mask: the function (keyspace "system": native), and types and texts (AbstractType.getString; None:
    null) of its arguments behind the first, which is the column's value."""

    function_keyspace: str
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

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def is_primary_key(self) -> bool:
        return self.kind is ColumnKind.PARTITION_KEY or self.kind is ColumnKind.CLUSTERING

    def content(self) -> tuple[object, ...]:
        """What makes two columns the same, as plain values."""
        return (self.name, self.kind.value, self.type.cql(), self.position, self.reversed, self.mask)


@dataclass(frozen=True, slots=True)
class DroppedColumn:
    """Cells of `name` written at or before `dropped_time_us` are gone."""

    name: str
    type: CqlType
    dropped_time_us: int
    kind: ColumnKind = ColumnKind.REGULAR


COMPRESSOR_PACKAGE: Final = "org.apache.cassandra.io.compress."
"""Of the compressors that a Cassandra has; the classes of others stand under the names that they were given by."""


@dataclass(frozen=True)
class TableParams:
    """WITH options of a table, defaults as in Cassandra 5.0 (schema/TableParams.java). Most tables share one object."""

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
    keeps_cdc: bool = False
    """Whether system_schema has a value of `cdc`: nodes without change data capture leave it out, as in Cassandra."""

    @cached_property
    def digest(self) -> int:
        values: list[object] = [self.cdc] if self.keeps_cdc else []
        for name in _PARAM_NAMES:
            value = getattr(self, name)
            values.append(_sorted_items(value) if isinstance(value, Mapping) else value)
        return _digest("params", *values)

    def __hash__(self) -> int:
        return hash(self.digest)


_PARAM_NAMES = tuple(name for name in TableParams.__dataclass_fields__ if name not in ("cdc", "keeps_cdc"))


DEFAULT_PARAMS: Final = TableParams()


@dataclass(frozen=True, slots=True)
class IndexMetadata:
    """A secondary index. `kind` is KEYS, CUSTOM or COMPOSITES; `options` has 'target' and, for CUSTOM, 'class_name'."""

    name: str
    kind: str
    options: Mapping[str, str]

    def content(self) -> tuple[object, ...]:
        return (self.name, self.kind, _sorted_items(self.options))


@dataclass(frozen=True, slots=True)
class TriggerMetadata:
    name: str
    java_class: str


@dataclass(frozen=True)
class TableMetadata:
    """A table (or view, or virtual table). `columns` in Cassandra's order: partition key and clustering by position,
    then statics, then regulars, each of these two sorted by name (by UTF-8 bytes).

    `is_dense` and not `is_compound` are the two ways of COMPACT STORAGE; a table that CQL alone made is compound and
    not dense. A compact table without clustering columns has hidden columns (`column1`, `value`) and its visible ones
    are static, as in Cassandra.

    `needs_liveness`: a row lives with its marker alone, whatever its cells are (a view's whose key has a regular column of
    its base table, of which the marker tells; TableMetadata.enforceStrictLiveness)."""

    keyspace: str
    name: str
    id: UUID
    columns: tuple[ColumnMetadata, ...]
    params: TableParams = DEFAULT_PARAMS
    is_counter: bool = False
    is_virtual: bool = False
    is_view: bool = False
    needs_liveness: bool = field(default=False, compare=False)  # follows from the base table
    is_dense: bool = False
    is_compound: bool = True
    dropped_columns: Mapping[str, DroppedColumn] = field(default_factory=lambda: MappingProxyType({}))
    indexes: Mapping[str, IndexMetadata] = field(default_factory=lambda: MappingProxyType({}))
    triggers: Mapping[str, TriggerMetadata] = field(default_factory=lambda: MappingProxyType({}))

    def __hash__(self) -> int:
        return hash((self.id, self.name))

    @cached_property
    def by_name(self) -> Mapping[str, ColumnMetadata]:
        return MappingProxyType({c.name: c for c in self.columns})

    @cached_property
    def partition_key(self) -> tuple[ColumnMetadata, ...]:
        return self._parted()["partition_key"]

    @cached_property
    def clustering(self) -> tuple[ColumnMetadata, ...]:
        return self._parted()["clustering"]

    @cached_property
    def statics(self) -> tuple[ColumnMetadata, ...]:
        return self._parted()["statics"]

    @cached_property
    def regulars(self) -> tuple[ColumnMetadata, ...]:
        return self._parted()["regulars"]

    def _parted(self) -> dict[str, tuple[ColumnMetadata, ...]]:
        """The columns by kind; who asks for one kind will ask for the others (cached_property keeps its value there)."""
        parts = {
            name: tuple([c for c in self.columns if c.kind is kind])
            for name, kind in (
                ("partition_key", ColumnKind.PARTITION_KEY),
                ("clustering", ColumnKind.CLUSTERING),
                ("statics", ColumnKind.STATIC),
                ("regulars", ColumnKind.REGULAR),
            )
        }
        self.__dict__.update(parts)
        return parts

    @cached_property
    def has_masks(self) -> bool:
        return any(column.mask is not None for column in self.columns)

    @property
    def is_compact(self) -> bool:
        """WITH COMPACT STORAGE."""
        return self.is_dense or not self.is_compound

    @property
    def is_static_compact(self) -> bool:
        """COMPACT STORAGE without clustering columns of its own."""
        return not self.is_dense and not self.is_compound

    @property
    def needs_clustering_value(self) -> bool:
        """COMPACT STORAGE with one clustering column: an empty value there is refused (cql3/UpdateParameters.newRow)."""
        return self.is_dense and not self.is_compound

    @cached_property
    def hidden_columns(self) -> frozenset[str]:
        """Columns of a compact table that clients never see."""
        if self.is_static_compact:
            return frozenset(c.name for c in self.clustering + self.regulars)
        if self.is_compact:
            return frozenset(c.name for c in self.regulars if c.type.cql() == "empty")
        return frozenset()

    @cached_property
    def visible_columns(self) -> tuple[ColumnMetadata, ...]:
        """Those that statements may name."""
        hidden = self.hidden_columns
        return tuple(c for c in self.columns if c.name not in hidden) if hidden else self.columns

    @cached_property
    def visible_by_name(self) -> Mapping[str, ColumnMetadata]:
        return MappingProxyType({c.name: c for c in self.visible_columns}) if self.hidden_columns else self.by_name

    @property
    def flags(self) -> tuple[str, ...]:
        """The words of system_schema.tables.flags, sorted."""
        named = (("compound", self.is_compound), ("counter", self.is_counter), ("dense", self.is_dense))
        return tuple(word for word, is_set in named if is_set)

    @property
    def digest(self) -> int:
        return _kept(self, self._digested)  # a cached_property holds a lock, and may not pause

    def _digested(self) -> int:
        # Milliseconds: system_schema keeps no more, and a restart must not change the version.
        dropped = [
            (d.name, d.type.cql(), d.dropped_time_us // 1000, d.kind.value) for d in paused(self.dropped_columns.values())
        ]
        return _digest(
            "table",
            self.keyspace,
            self.name,
            self.id.int,
            self.flags,
            self.params.digest,
            tuple([c.content() for c in paused(self.columns)]),
            tuple(sorted_in_turns(dropped)),
            tuple(sorted(i.content() for i in self.indexes.values())),
            tuple(sorted((t.name, t.java_class) for t in self.triggers.values())),
        )

    def __str__(self) -> str:
        return f"{self.keyspace}.{self.name}"


def ordered_columns(columns: Iterable[ColumnMetadata]) -> tuple[ColumnMetadata, ...]:
    """Columns in the order that `TableMetadata.columns` promises."""
    keyed = [(_KIND_RANKS[c.kind], max(c.position, 0), c.name.encode(), at, c) for at, c in paused(enumerate(columns))]
    return tuple([column for *_, column in sorted_in_turns(keyed)])


_KIND_RANKS = {kind: rank for rank, kind in enumerate(ColumnKind)}


@dataclass(frozen=True)
class ViewMetadata:
    """A materialized view: a table of its own, filled from its base. `where_clause` is CQL without the WHERE."""

    table: TableMetadata
    base_table_id: UUID
    base_table_name: str
    include_all_columns: bool
    where_clause: str

    @staticmethod
    def of(table: TableMetadata, base: TableMetadata, include_all_columns: bool, where_clause: str) -> "ViewMetadata":
        """`table`: the view's columns and parameters."""
        base_keys = {column.name for column in (*base.partition_key, *base.clustering)}
        needs_liveness = any(column.name not in base_keys for column in (*table.partition_key, *table.clustering))
        table = replace(table, is_view=True, needs_liveness=needs_liveness)
        return ViewMetadata(table, base.id, base.name, include_all_columns, where_clause)

    @property
    def name(self) -> str:
        return self.table.name

    @cached_property
    def digest(self) -> int:
        base = (self.base_table_id.int, self.base_table_name)
        return _digest("view", self.table.digest, *base, self.include_all_columns, self.where_clause)


@dataclass(frozen=True, slots=True)
class FunctionMetadata:
    """A user-defined function; overloads of one name differ in their argument types."""

    keyspace: str
    name: str
    argument_names: tuple[str, ...]
    argument_types: tuple[CqlType, ...]
    return_type: CqlType
    called_on_null_input: bool
    language: str
    body: str

    @property
    def signature(self) -> tuple[str, tuple[str, ...]]:
        return self.name, tuple(t.cql() for t in self.argument_types)

    @property
    def digest(self) -> int:
        rest = (self.return_type.cql(), self.called_on_null_input, self.language, self.body)
        return _digest("function", self.keyspace, self.signature, self.argument_names, rest)


@dataclass(frozen=True, slots=True)
class AggregateMetadata:
    """A user-defined aggregate; `initcond` is a CQL literal of the state's type."""

    keyspace: str
    name: str
    argument_types: tuple[CqlType, ...]
    return_type: CqlType
    state_function: str
    state_type: CqlType
    final_function: str | None = None
    initcond: str | None = None

    @property
    def signature(self) -> tuple[str, tuple[str, ...]]:
        return self.name, tuple(t.cql() for t in self.argument_types)

    @property
    def function_signatures(self) -> "tuple[Signature, ...]":
        """Of the state function, and of the final function if there is one."""
        types = (self.state_type.cql(), *(t.cql() for t in self.argument_types))
        if self.final_function is None:
            return ((self.state_function, types),)
        return ((self.state_function, types), (self.final_function, (self.state_type.cql(),)))

    @property
    def digest(self) -> int:
        state = (self.state_function, self.state_type.cql(), self.final_function, self.initcond)
        return _digest("aggregate", self.keyspace, self.signature, self.return_type.cql(), state)


Signature = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class KeyspaceParams:
    """`replication` holds 'class' in its full Java name and the strategy's options."""

    replication: Mapping[str, str]
    durable_writes: bool = True


def _type_digest(user_type: UserType) -> int:
    field_types = tuple([t.cql() for t in paused(user_type.field_types)])
    return _digest("type", user_type.keyspace, user_type.name, tuple(user_type.field_names), field_types)


_digest_of = attrgetter("digest")


@dataclass(frozen=True)
class KeyspaceMetadata:
    """`types` hold each user type in its frozen form."""

    name: str
    params: KeyspaceParams
    tables: Mapping[str, TableMetadata] = field(default_factory=lambda: MappingProxyType({}))
    types: Mapping[str, UserType] = field(default_factory=lambda: MappingProxyType({}))
    is_virtual: bool = False
    views: Mapping[str, ViewMetadata] = field(default_factory=lambda: MappingProxyType({}))
    functions: Mapping[Signature, FunctionMetadata] = field(default_factory=lambda: MappingProxyType({}))
    aggregates: Mapping[Signature, AggregateMetadata] = field(default_factory=lambda: MappingProxyType({}))

    def __hash__(self) -> int:
        return hash(self.name)

    def with_table(self, table: TableMetadata) -> "KeyspaceMetadata":
        before = self.tables.get(table.name)
        change = table.digest - (before.digest if before is not None else 0)
        return self._changed(with_element(self.tables, table.name, table), self.types, change)

    def without_table(self, name: str) -> "KeyspaceMetadata":
        before = self.tables.get(name)
        change = -before.digest if before is not None else 0
        return self._changed(without_element(self.tables, name), self.types, change)

    def _changed(
        self, tables: Mapping[str, TableMetadata], types: Mapping[str, UserType], digest_change: int
    ) -> "KeyspaceMetadata":
        changed = KeyspaceMetadata(
            self.name, self.params, tables, types, self.is_virtual, self.views, self.functions, self.aggregates
        )
        # Known without adding up all elements again.
        changed.__dict__[_DIGEST] = (self.digest + digest_change) & _DIGEST_MASK
        return changed

    def with_type(self, user_type: UserType) -> "KeyspaceMetadata":
        before = self.types.get(user_type.name)
        change = _type_digest(user_type) - (_type_digest(before) if before is not None else 0)
        return self._changed(self.tables, with_element(self.types, user_type.name, user_type), change)

    def without_type(self, name: str) -> "KeyspaceMetadata":
        before = self.types.get(name)
        change = -_type_digest(before) if before is not None else 0
        return self._changed(self.tables, without_element(self.types, name), change)

    def with_function(self, function: FunctionMetadata) -> "KeyspaceMetadata":
        return replace(self, functions=with_element(self.functions, function.signature, function))

    def without_function(self, signature: Signature) -> "KeyspaceMetadata":
        return replace(self, functions=without_element(self.functions, signature))

    def with_aggregate(self, aggregate: AggregateMetadata) -> "KeyspaceMetadata":
        return replace(self, aggregates=with_element(self.aggregates, aggregate.signature, aggregate))

    def without_aggregate(self, signature: Signature) -> "KeyspaceMetadata":
        return replace(self, aggregates=without_element(self.aggregates, signature))

    def with_view(self, view: ViewMetadata) -> "KeyspaceMetadata":
        return replace(self, views=with_element(self.views, view.name, view))

    def without_view(self, name: str) -> "KeyspaceMetadata":
        return replace(self, views=without_element(self.views, name))

    def views_of(self, table: TableMetadata) -> tuple[ViewMetadata, ...]:
        return tuple(v for v in self.views.values() if v.base_table_id == table.id)

    @property
    def digest(self) -> int:
        return _kept(self, self._digested)

    def _digested(self) -> int:
        total = _digest("keyspace", self.name, _sorted_items(self.params.replication), self.params.durable_writes)
        for elements in (self.tables, self.views, self.functions, self.aggregates):
            total += sum(map(_digest_of, elements.values()))
        return (total + sum(map(_type_digest, self.types.values()))) & _DIGEST_MASK


@dataclass(frozen=True)
class Schema:
    """All keyspaces, virtual ones too. `digest` is the sum of theirs; keyspaces that each node keeps for itself stay out of
    it."""

    keyspaces: Mapping[str, KeyspaceMetadata]
    digest: int = 0

    @cached_property
    def version(self) -> UUID:
        """What nodes compare to know that they agree."""
        return version_of(self.digest)

    @staticmethod
    def of(keyspaces: Iterable[KeyspaceMetadata]) -> "Schema":
        """A schema of these keyspaces, with the version of its contents."""
        by_name = Elements((k.name, k) for k in keyspaces)
        digest = sum(k.digest for k in by_name.values() if not is_local_system_keyspace(k.name)) & _DIGEST_MASK
        return Schema(by_name, digest)

    def with_keyspace(self, keyspace: KeyspaceMetadata) -> "Schema":
        """The schema with this keyspace added, or in place of that of the same name."""
        return self._changed(with_element(self.keyspaces, keyspace.name, keyspace), keyspace.name)

    def without_keyspace(self, name: str) -> "Schema":
        return self._changed(without_element(self.keyspaces, name), name)

    def _changed(self, keyspaces: Mapping[str, KeyspaceMetadata], name: str) -> "Schema":
        digest = self.digest
        if not is_local_system_keyspace(name):
            before, after = self.keyspaces.get(name), keyspaces.get(name)
            digest += (after.digest if after else 0) - (before.digest if before else 0)
            digest &= _DIGEST_MASK
        return Schema(keyspaces, digest)

    def maybe_table(self, keyspace: str, table: str) -> TableMetadata | None:
        """The table or materialized view of that name."""
        found = self.keyspaces.get(keyspace)
        if found is None:
            return None
        if table in found.tables:
            return found.tables[table]
        view = found.views.get(table)
        return view.table if view else None


def version_of(digest: int) -> UUID:
    """A name-based (version 3) UUID, as Cassandra's schema versions are."""
    return UUID(bytes=md5(digest.to_bytes(16, "big"), usedforsecurity=False).digest(), version=3)


def system_table_id(keyspace: str, table: str) -> UUID:
    """The fixed id of a system table: the name-based UUID of keyspace and name (TableId.forSystemTable)."""
    return UUID(bytes=md5(f"{keyspace}{table}".encode(), usedforsecurity=False).digest(), version=3)
