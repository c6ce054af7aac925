"""The schema written as rows of system_schema and read back, and its version."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import CorruptionError
from protocol.types import BIGINT, INT, TEXT, ListType, MapType, TupleType, UserType, VectorType
from storage.mutation import PartitionUpdate
from storage.reads import TableStore
from storage.schema.definitions import schema_tables
from storage.schema.loading import load_schema
from storage.schema.metadata import (
    AggregateMetadata,
    ColumnKind,
    ColumnMask,
    ColumnMetadata,
    DroppedColumn,
    FunctionMetadata,
    IndexMetadata,
    KeyspaceMetadata,
    KeyspaceParams,
    Schema,
    TableMetadata,
    TableParams,
    TriggerMetadata,
    ViewMetadata,
    ordered_columns,
    system_table_id,
)
from storage.schema.tables import schema_mutations
from storage.schema.type_text import parse_type
from storage.schema.writes import SchemaWrite, apply_schema_write, schema_record
from storage.stored_values import stored_values

SIMPLE = KeyspaceParams({"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"})
EMPTY = Schema.of([])


class Stores:
    """system_schema in memory tables."""

    def __init__(self) -> None:
        self.by_id = {table.id: TableStore(table) for table in schema_tables().values()}
        self.now_us = 1_700_000_000_000_000
        self.schema = EMPTY

    def take(self, schema: Schema) -> list[SchemaWrite]:
        """What the change writes, deletions by way of their records."""
        self.now_us += 10
        writes = schema_mutations(self.schema, schema, self.now_us)
        for write in writes:
            store = self.by_id[write.table_id]
            if isinstance(write, PartitionUpdate):
                apply_schema_write(PartitionUpdate.decode(schema_record(write, store)), store)
            else:
                apply_schema_write(write, store)
        self.schema = schema
        return writes

    def rows_of(self, name: str) -> Iterable[Mapping[str, bytes | None]]:
        return stored_values(self.by_id[schema_tables()[name].id], self.now_us // 1_000_000)

    def loaded(self) -> Schema:
        return load_schema(self.rows_of)


def column(name: str, kind: ColumnKind = ColumnKind.REGULAR, **more: object) -> ColumnMetadata:
    return replace(ColumnMetadata(name, kind, INT), **more)  # type: ignore[arg-type]


def table(name: str, *columns: ColumnMetadata, keyspace: str = "ks", **more: object) -> TableMetadata:
    key = column("k", ColumnKind.PARTITION_KEY, position=0)
    made = TableMetadata(keyspace, name, system_table_id(keyspace, name), ordered_columns([key, *columns]))
    return replace(made, **more)  # type: ignore[arg-type]


def keyspace(*tables: TableMetadata, **more: object) -> KeyspaceMetadata:
    made = KeyspaceMetadata("ks", SIMPLE, MappingProxyType({t.name: t for t in tables}))
    return replace(made, **more)  # type: ignore[arg-type]


def everything() -> KeyspaceMetadata:
    inner = UserType("ks", "inner", ("x", "Y y"), (INT, ListType(TEXT, False)), True)
    outer = UserType("ks", "a_outer", ("i",), (inner,), True)
    full = table(
        "full",
        column("c", ColumnKind.CLUSTERING, position=0, reversed=True, type=TEXT),
        column("s", ColumnKind.STATIC, type=MapType(TEXT, inner, False)),
        column("u", type=replace(outer, frozen=False)),
        column("v", type=VectorType(INT, 3)),
        column("t", type=TupleType((INT, outer))),
        column("m", mask=ColumnMask("system", "mask_replace", ("int",), (None,))),
        params=TableParams(
            allow_auto_snapshot=False,
            incremental_backups=False,
            bloom_filter_fp_chance=0.1,
            comment="it's",
            extensions=MappingProxyType({"e": b"\x01"}),
            read_repair="NONE",
        ),
        dropped_columns=MappingProxyType({"d": DroppedColumn("d", BIGINT, 5_000, ColumnKind.STATIC)}),
        indexes=MappingProxyType({"i": IndexMetadata("i", "COMPOSITES", MappingProxyType({"target": "v"}))}),
        triggers=MappingProxyType({"g": TriggerMetadata("g", "org.example.T")}),
    )
    view = ViewMetadata.of(table("view", column("v", ColumnKind.CLUSTERING, position=0)), full, True, "k > 0")
    function = FunctionMetadata("ks", "f", ("a",), (inner,), INT, False, "java", "return 1;")
    aggregate = AggregateMetadata("ks", "g", (INT,), INT, "f", INT, None, "0")
    counter = table("n", is_counter=True)
    compact = table("o", is_dense=True, is_compound=False)
    return replace(
        keyspace(full, counter, compact),
        types=MappingProxyType({t.name: t for t in (outer, inner)}),
        views=MappingProxyType({"view": view}),
        functions=MappingProxyType({function.signature: function}),
        aggregates=MappingProxyType({aggregate.signature: aggregate}),
    )


def test_everything_survives_as_rows() -> None:
    stores = Stores()
    stores.take(Schema.of([everything()]))
    loaded = stores.loaded()
    assert loaded.keyspaces == {"ks": everything()}
    assert loaded.version == stores.schema.version


def test_change_writes_only_what_changed() -> None:
    stores = Stores()
    stores.take(Schema.of([everything()]))
    before = stores.schema.keyspaces["ks"]
    after = before.with_table(table("new", column("v")))
    writes = stores.take(stores.schema.with_keyspace(after))
    names = {schema_tables()[n].id: n for n in schema_tables()}
    assert {names[w.table_id]: len(w.rows) for w in writes} == {"tables": 1, "columns": 2}
    assert stores.loaded().keyspaces["ks"] == after


def test_same_schema_writes_nothing() -> None:
    schema = Schema.of([everything()])
    assert schema_mutations(schema, schema, 1) == []
    assert schema_mutations(schema, Schema.of([everything()]), 1) == []


@pytest.mark.parametrize("emptied", ["tables", "views", "functions", "aggregates", "types"])
def test_dropped_elements_are_gone(emptied: str) -> None:
    stores = Stores()
    stores.take(Schema.of([everything()]))
    change: dict[str, object] = {emptied: MappingProxyType({})}
    if emptied == "types":
        change |= {"tables": MappingProxyType({}), "functions": MappingProxyType({})}
    if "tables" in change:
        change["views"] = MappingProxyType({})
    after = replace(everything(), **change)  # type: ignore[arg-type]
    stores.take(Schema.of([after]))
    assert stores.loaded().keyspaces["ks"] == after


def test_dropped_keyspace_leaves_no_rows() -> None:
    stores = Stores()
    stores.take(Schema.of([everything()]))
    stores.take(EMPTY)
    assert all(list(stores.rows_of(name)) == [] for name in schema_tables())


def test_altered_table_forgets_parts_and_optional_params() -> None:
    stores = Stores()
    stores.take(Schema.of([everything()]))
    none: Mapping[str, object] = MappingProxyType({})
    full = everything().tables["full"]
    columns = tuple(replace(c, mask=None) for c in full.columns if c.name != "v")
    plain = replace(full, columns=columns, params=TableParams(), indexes=none, triggers=none)  # type: ignore[arg-type]
    after = everything().with_table(plain)
    stores.take(stores.schema.with_keyspace(after))
    assert stores.loaded().keyspaces["ks"] == after


def test_table_made_anew_under_its_name_keeps_nothing_of_the_old() -> None:
    stores = Stores()
    stores.take(Schema.of([everything()]))
    anew = replace(table("full", column("z")), id=UUID(int=7))
    stores.take(stores.schema.with_keyspace(everything().with_table(anew)))
    assert stores.loaded().keyspaces["ks"].tables["full"] == anew


def test_stored_keyspaces_win_over_built_in_ones_unless_local() -> None:
    stores = Stores()
    stores.take(Schema.of([replace(everything(), name="system_auth"), replace(everything(), name="system")]))
    built_in = [KeyspaceMetadata("system", SIMPLE), KeyspaceMetadata("system_auth", SIMPLE)]
    loaded = load_schema(stores.rows_of, built_in)
    assert loaded.keyspaces["system"].tables == {}
    assert "full" in loaded.keyspaces["system_auth"].tables


def test_table_without_partition_key_is_corruption() -> None:
    stores = Stores()
    broken = replace(table("t"), columns=(column("v"),))
    stores.take(Schema.of([keyspace(broken)]))
    with pytest.raises(CorruptionError, match=r"No partition columns found for table ks\.t"):
        stores.loaded()


def test_rows_of_another_form_are_corruption() -> None:
    def rows_of(name: str) -> Iterator[Mapping[str, bytes | None]]:
        if name == "keyspaces":
            yield {"keyspace_name": b"ks", "durable_writes": b"\x01", "replication": b"\x00\x00\x00\x09"}

    with pytest.raises(CorruptionError):
        load_schema(rows_of)


def test_version_follows_contents_not_history() -> None:
    a, b = table("a", column("v")), table("b")
    one = Schema.of([keyspace(a)]).with_keyspace(keyspace(a, b))
    other = Schema.of([keyspace(b)]).with_keyspace(keyspace(b, a))
    assert one.version == other.version == Schema.of([keyspace(a, b)]).version
    assert one.version.version == 3
    assert one.version != Schema.of([keyspace(a)]).version
    assert one.without_keyspace("ks").version == EMPTY.version
    assert Schema.of([KeyspaceMetadata("system", SIMPLE)]).version == EMPTY.version


CHANGES: Mapping[str, TableParams] = {
    "comment": TableParams(comment="x"),
    "compaction": TableParams(compaction=MappingProxyType({"class": "x"})),
    "gc_grace": TableParams(gc_grace_seconds=1),
}


@pytest.mark.parametrize("name", CHANGES)
def test_version_sees_each_parameter(name: str) -> None:
    plain, changed = table("t"), replace(table("t"), params=CHANGES[name])
    assert Schema.of([keyspace(plain)]).version != Schema.of([keyspace(changed)]).version


@cache
def variants() -> tuple[KeyspaceMetadata, ...]:
    full = everything()
    return (
        full,
        keyspace(),
        keyspace(table("a", column("v"))),
        keyspace(table("a", column("v", type=TEXT)), table("b")),
        full.without_table("full"),
        replace(full, params=replace(SIMPLE, durable_writes=False)),
        replace(full, views=MappingProxyType({}), functions=MappingProxyType({})),
    )


@settings(derandomize=True, max_examples=30, deadline=None)
@given(st.lists(st.integers(-1, 6), min_size=1, max_size=6))
def test_rows_follow_any_sequence_of_changes(steps: list[int]) -> None:
    stores = Stores()
    for step in steps:
        stores.take(Schema.of([variants()[step]]) if step >= 0 else EMPTY)
    assert stores.loaded().keyspaces == stores.schema.keyspaces
    assert stores.loaded().version == stores.schema.version


TYPES = [
    "int",
    "list<int>",
    "frozen<set<text>>",
    "map<text, frozen<list<int>>>",
    "frozen<tuple<int, frozen<tuple<text, blob>>>>",
    "vector<float, 3>",
    "vector<frozen<list<int>>, 2>",
    "frozen<inner>",
    "inner",
    'list<frozen<"My Type">>',
    "'org.apache.cassandra.db.marshal.DynamicCompositeType(a=>org.apache.cassandra.db.marshal.BytesType)'",
]


@pytest.mark.parametrize("text", TYPES)
def test_type_texts_are_read_as_they_are_printed(text: str) -> None:
    inner = UserType("ks", "inner", ("x",), (INT,), True)
    quoted = UserType("ks", "My Type", ("x",), (INT,), True)
    assert parse_type(text, {"inner": inner, "My Type": quoted}).cql() == text


@pytest.mark.parametrize("text", ["", "unheard", "list<", "list<int", "list<int>>", "map<int>", "vector<int, x>", "<"])
def test_broken_type_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Invalid type|Unknown type"):
        parse_type(text)
