"""DESCRIBE of what DDL here can't make yet (functions, aggregates, indexes, views), its pages, and the cluster.

The texts below are Cassandra's answers to DESCRIBE KEYSPACE for the same elements; everything else stands in ddl.txt."""

from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

import pytest

from cqlserver.describe import ClusterFacts, describe, describe_page
from cqlserver.describe.text import keyspace_text
from grammar.tree import Describe, DescribeKind
from protocol.errors import InvalidRequest
from protocol.types import INT, TEXT, MapType, TupleType
from storage.schema.metadata import (
    AggregateMetadata,
    ColumnKind,
    ColumnMetadata,
    FunctionMetadata,
    IndexMetadata,
    KeyspaceMetadata,
    KeyspaceParams,
    Schema,
    TableMetadata,
    ViewMetadata,
    ordered_columns,
)

TABLE_ID = UUID("5a1c395e-b41f-11e5-9f22-ba0be0483c29")
VIEW_ID = UUID("315c6740-e55b-11f1-a74e-5f06181ce6be")
NOBODY = ClusterFacts("Test Cluster", lambda _: {})


def column(name: str, kind: ColumnKind, position: int = -1) -> ColumnMetadata:
    return ColumnMetadata(name, kind, TEXT if name == "v" else INT, position)


def a_schema() -> Schema:
    key, clustering, regular = ColumnKind.PARTITION_KEY, ColumnKind.CLUSTERING, ColumnKind.REGULAR
    columns = [column("k", key, 0), column("c", clustering, 0), column("v", regular), column("W", regular)]
    columns.append(ColumnMetadata("m", regular, MapType(TEXT, INT, False)))
    options = {
        "i_v": ("COMPOSITES", {"target": "v"}),
        "I_m": ("COMPOSITES", {"target": "keys(m)"}),
        "i_s": ("CUSTOM", {"class_name": "sai", "target": '"W"'}),
        "i_z": ("CUSTOM", {"class_name": "sai", "target": "v", "b": "it's", "a": "1"}),
    }
    indexes = {n: IndexMetadata(n, kind, MappingProxyType(o)) for n, (kind, o) in options.items()}
    table = TableMetadata("ks", "t", TABLE_ID, ordered_columns(columns), indexes=MappingProxyType(indexes))
    view_columns = (column("c", key, 0), column("v", clustering, 0), column("k", clustering, 1))
    where = "k IS NOT NULL AND c IS NOT NULL AND v IS NOT NULL"
    view = ViewMetadata(TableMetadata("ks", "mv2", VIEW_ID, view_columns), TABLE_ID, "t", False, where)
    functions = [
        FunctionMetadata("ks", "f", ("a", "b"), (INT, TupleType((INT, TEXT))), INT, True, "java", "return a;"),
        FunctionMetadata("ks", "G", ("s", "a"), (INT, INT), INT, False, "java", "return s + a;"),
    ]
    aggregate = AggregateMetadata("ks", "agg", (INT,), INT, "G", INT, None, "0")
    params = KeyspaceParams({"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "1"})
    keyspace = KeyspaceMetadata(
        "ks",
        params,
        MappingProxyType({"t": table}),
        views=MappingProxyType({"mv2": view}),
        functions=MappingProxyType({f.signature: f for f in functions}),
        aggregates=MappingProxyType({aggregate.signature: aggregate}),
    )
    return Schema.of([keyspace])


def names_and_texts(statement: Describe, keyspace: str | None = None) -> list[tuple[str, str, str]]:
    rows = describe(a_schema(), statement, keyspace, NOBODY).rows
    return [(row[1].decode(), row[2].decode(), row[3].decode()) for row in rows]


FUNCTION = """CREATE FUNCTION ks.f(a int, b tuple<int, text>)
    CALLED ON NULL INPUT
    RETURNS int
    LANGUAGE java
    AS $$return a;$$;"""

OTHER_FUNCTION = """CREATE FUNCTION ks."G"(s int, a int)
    RETURNS NULL ON NULL INPUT
    RETURNS int
    LANGUAGE java
    AS $$return s + a;$$;"""

AGGREGATE = """CREATE AGGREGATE ks.agg(int)
    SFUNC "G"
    STYPE int
    INITCOND 0;"""

VIEW = """CREATE MATERIALIZED VIEW ks.mv2 AS
    SELECT c, v, k
    FROM ks.t
    WHERE k IS NOT NULL AND c IS NOT NULL AND v IS NOT NULL
    PRIMARY KEY (c, v, k)
 WITH ID = 315c6740-e55b-11f1-a74e-5f06181ce6be
    AND CLUSTERING ORDER BY (v ASC, k ASC)
    AND additional_write_policy = '99p'
    AND allow_auto_snapshot = true
    AND bloom_filter_fp_chance = 0.01
    AND caching = {'keys': 'ALL', 'rows_per_partition': 'NONE'}
    AND cdc = false
    AND comment = ''
    AND compaction = {'class': 'org.apache.cassandra.db.compaction.SizeTieredCompactionStrategy', """ + (
    """'max_threshold': '32', 'min_threshold': '4'}
    AND compression = {'chunk_length_in_kb': '16', 'class': 'org.apache.cassandra.io.compress.LZ4Compressor'}
    AND memtable = 'default'
    AND crc_check_chance = 1.0
    AND extensions = {}
    AND gc_grace_seconds = 864000
    AND incremental_backups = true
    AND max_index_interval = 2048
    AND memtable_flush_period_in_ms = 0
    AND min_index_interval = 128
    AND read_repair = 'BLOCKING'
    AND speculative_retry = '99p';"""
)


def test_elements_of_a_keyspace_come_in_cassandras_order() -> None:
    found = names_and_texts(Describe(DescribeKind.KEYSPACE, name="ks"))
    assert [(kind, name) for kind, name, _ in found] == [
        ("keyspace", "ks"),
        ("function", "f(int, tuple<int, text>)"),
        ("function", '"G"(int, int)'),
        ("aggregate", "agg(int)"),
        ("table", "t"),
        ("index", '"I_m"'),
        ("index", "i_s"),
        ("index", "i_v"),
        ("index", "i_z"),
        ("materialized_view", "mv2"),
    ]


@pytest.mark.parametrize(
    ("kind", "name", "text"),
    [
        (DescribeKind.FUNCTION, "f", FUNCTION),
        (DescribeKind.FUNCTION, "G", OTHER_FUNCTION),
        (DescribeKind.AGGREGATE, "agg", AGGREGATE),
        (DescribeKind.INDEX, "I_m", 'CREATE INDEX "I_m" ON ks.t (keys(m));'),
        (DescribeKind.INDEX, "i_s", "CREATE CUSTOM INDEX i_s ON ks.t (\"W\") USING 'sai';"),
        (
            DescribeKind.INDEX,
            "i_z",
            "CREATE CUSTOM INDEX i_z ON ks.t (v) USING 'sai' WITH OPTIONS = {'a': '1', 'b': 'it''s'};",
        ),
        (DescribeKind.MATERIALIZED_VIEW, "mv2", VIEW),
        (DescribeKind.ANY, "i_v", "CREATE INDEX i_v ON ks.t (v);"),
        (DescribeKind.ANY, "mv2", VIEW),
    ],
)
def test_text_is_cassandras(kind: DescribeKind, name: str, text: str) -> None:
    (found,) = names_and_texts(Describe(kind, "ks", name, with_internals=True))
    assert found[2] == text


def test_views_are_found_as_tables_are_not() -> None:
    with pytest.raises(InvalidRequest, match="Table 'mv2' not found in keyspace 'ks'"):
        names_and_texts(Describe(DescribeKind.TABLE, "ks", "mv2"))


def test_schema_leaves_out_system_keyspaces_unless_full() -> None:
    system = replace(a_schema().keyspaces["ks"], name="system_auth")
    schema = a_schema().with_keyspace(system)
    plain = describe(schema, Describe(DescribeKind.SCHEMA), None, NOBODY).rows
    full = describe(schema, Describe(DescribeKind.FULL_SCHEMA), None, NOBODY).rows
    assert len(full) == 2 * len(plain) == 20


def test_cluster_tells_who_owns_what_once_a_keyspace_is_used() -> None:
    facts = ClusterFacts("Test Cluster", lambda _: {"5": ["127.0.0.1:7000"]})
    without = describe(a_schema(), Describe(DescribeKind.CLUSTER), None, facts)
    assert without.rows == [(b"Test Cluster", b"Murmur3Partitioner", b"DynamicEndpointSnitch")]
    with_keyspace = describe(a_schema(), Describe(DescribeKind.CLUSTER), "ks", facts)
    spec = with_keyspace.columns[3]
    assert (spec.keyspace, spec.table, spec.name) == ("system", "describe", "range_ownership")
    assert spec.type.decode(with_keyspace.rows[0][3]) == {"5": ["127.0.0.1:7000"]}


def test_pages_hold_all_rows_once() -> None:
    schema = a_schema()
    rows = describe(schema, Describe(DescribeKind.KEYSPACE, name="ks"), None, NOBODY).rows
    seen: list[tuple[bytes, ...]] = []
    state: bytes | None = None
    while True:
        page, state = describe_page(rows, 4, state, schema.version)
        seen += page
        if state is None:
            break
    assert seen == rows
    assert describe_page(rows, 0, None, schema.version) == (rows, None)


def test_page_state_of_another_schema_is_refused() -> None:
    rows = [(b"a",), (b"b",)]
    _, state = describe_page(rows, 1, None, UUID(int=1))
    with pytest.raises(InvalidRequest, match="The schema has changed since the previous page"):
        describe_page(rows, 1, state, UUID(int=2))


@pytest.mark.parametrize(
    ("state", "message"),
    [(b"x", r"Invalid paging state\."), (b"\x00\x02" + bytes(24), "Incompatible paging state")],
)
def test_damaged_page_state_is_refused(state: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        describe_page([], 1, state, UUID(int=0))


@pytest.mark.parametrize(
    ("given", "as_java_has_them"),
    [
        ("dc1 dc2", "dc2 dc1"),
        ("dc2 dc1", "dc2 dc1"),
        ("us-east eu-west ap", "eu-west us-east ap"),
        ("datacenter1 datacenter2 datacenter3", "datacenter3 datacenter1 datacenter2"),
        ("a b c d e f g", "a b c d e f g"),
        (
            "London Paris Berlin Rome Madrid Oslo Wien Praha Bern Lyon Turku Nice",
            "Bern Oslo Praha Berlin Lyon Turku Wien Rome Madrid London Nice Paris",
        ),
        ("Aa BB AaAa BBBB AaBB", "Aa BB AaAa BBBB AaBB"),
    ],
)
def test_datacenters_come_in_the_order_of_javas_map(given: str, as_java_has_them: str) -> None:
    replication = {"class": "org.apache.cassandra.locator.NetworkTopologyStrategy", **dict.fromkeys(given.split(), "3")}
    text = keyspace_text(KeyspaceMetadata("ks", KeyspaceParams(replication)))
    pairs = ", ".join(f"'{name}': '3'" for name in as_java_has_them.split())
    assert text.startswith(f"CREATE KEYSPACE ks WITH replication = {{'class': 'NetworkTopologyStrategy', {pairs}}}")
