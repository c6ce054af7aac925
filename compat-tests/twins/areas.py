"""The areas: each a generator of statements, schema and data first."""

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from random import Random

from protocol.types import NATIVE_TYPES, MapType, SetType, UserType, VectorType
from storage.schema.type_text import parse_type
from twins.definitions import Definitions
from twins.functions import Calls
from twins.given_schemas import GivenSchema
from twins.indexes import IndexedSelects, random_indexes
from twins.java_bodies import ARGUMENTS, Bodies
from twins.literals import Literals
from twins.roles import roles
from twins.selects import Selects
from twins.statement import Statement, StorageWork, statement
from twins.storing import COMPACT, FLUSH
from twins.tables import Column, Table, compacted, random_table, random_user_types, random_writes, user_type_definition
from twins.values import NATIVES, random_type, random_value
from twins.views import ViewedWrites
from twins.writes import Writes, dense_table

PER_TABLE = 800
PER_GIVEN = 2000
COLUMNS = 30
COMPACT_SHARE = 0.12
"""Of tables."""
STORED_SHARE = 0.02
"""Of statements that are followed by a flush or a compaction."""

Made = Iterator[Statement | StorageWork]


def _with_types(rng: Random, keyspace: str) -> Generator[Statement, None, list[UserType]]:
    """A new keyspace, and types in it."""
    yield from new_keyspace(keyspace)
    user_types = random_user_types(rng, keyspace)
    for user_type in user_types:
        yield statement(user_type_definition(user_type))
    return user_types


def selects(rng: Random, keyspace: str, count: int) -> Made:
    now_s = int(time.time())
    user_types = yield from _with_types(rng, keyspace)
    for number in range(max(1, count // PER_TABLE)):
        table = _maybe_compact(rng, random_table(rng, keyspace, f"t{number}", user_types))
        yield statement(table.definition())
        yield from _stored(rng, table, random_writes(rng, table, now_s))
        made = Selects(rng, table, now_s + 10)
        for _ in range(min(count, PER_TABLE)):
            yield made.statement()


def writes(rng: Random, keyspace: str, count: int) -> Made:
    now_s = int(time.time())
    user_types = yield from _with_types(rng, keyspace)
    for number in range(max(1, count // PER_TABLE)):
        table = _maybe_compact(rng, dense_table(rng, keyspace, f"t{number}", user_types))
        yield statement(table.definition())
        made = Writes(rng, table, now_s, rng.random() < 0.4)
        for _ in range(PER_TABLE // 2):
            yield from _stored(rng, table, made.statements())


def indexes(rng: Random, keyspace: str, count: int) -> Made:
    now_s = int(time.time())
    user_types = yield from _with_types(rng, keyspace)
    for number in range(max(1, count // PER_TABLE)):
        table = random_table(rng, keyspace, f"t{number}", user_types)
        while any(isinstance(c.type, VectorType) for c in table.of("partition", "clustering")):  # docs/compatibility.md
            table = random_table(rng, keyspace, f"t{number}", user_types)
        yield statement(table.definition())
        yield from random_indexes(rng, table)
        # a value that is written again at its timestamp, with another TTL, is lost to Cassandra's built-in indexes
        yield from _stored(rng, table, random_writes(rng, table, now_s, ttls_meet=False))
        made = IndexedSelects(rng, table, now_s + 10)
        for _ in range(min(count, PER_TABLE)):
            yield made.statement()


def _maybe_compact(rng: Random, table: Table) -> Table:
    return compacted(rng, table) if rng.random() < COMPACT_SHARE else table


def _stored(rng: Random, table: Table, statements: Iterable[Statement]) -> Made:
    """With flushes and compactions in between. Which of two equal forms of a value stays depends on them
    (docs/compatibility.md), so tables whose keys have such are left alone."""
    has_settled_forms = all(_is_settled(column) for column in table.columns)
    for each in statements:
        yield each
        if has_settled_forms and not each.reads and rng.random() < STORED_SHARE:
            yield StorageWork(rng.choice((FLUSH, FLUSH, COMPACT)), table.keyspace, table.name)


def _is_settled(column: Column) -> bool:
    if column.kind == "clustering":
        return column.type.has_one_form
    match column.type:
        case SetType(elements=elements, frozen=False):
            return elements.has_one_form
        case MapType(keys=keys, frozen=False):
            return keys.has_one_form
    return True


def views(rng: Random, keyspace: str, count: int) -> Made:
    now_s = int(time.time())
    user_types = yield from _with_types(rng, keyspace)
    for number in range(max(1, count // PER_TABLE)):
        table = dense_table(rng, keyspace, f"t{number}", user_types)
        while not all(column.type.has_one_form for column in table.columns):  # a build flushes, after which forms differ
            table = dense_table(rng, keyspace, f"t{number}", user_types)
        yield statement(table.definition())
        made = ViewedWrites(rng, table, now_s, rng.random() < 0.3)
        for _ in range(PER_TABLE // 3):
            yield from _stored(rng, table, made.statements())
        yield from made.drops()


def functions(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    for number in range(max(1, count // (PER_TABLE * 4))):
        table = yield from _wide_table(rng, keyspace, number)
        now_s = int(time.time())
        yield from random_writes(rng, table, now_s)
        made = Calls(rng, table, now_s + 10)
        for _ in range(min(count, PER_TABLE * 4)):
            yield made.statement()


def literals(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    for number in range(max(1, count // (PER_TABLE * 4))):
        table = yield from _wide_table(rng, keyspace, number)
        made = Literals(rng, table)
        for _ in range(min(count, PER_TABLE * 4)):
            yield made.statement()


def definitions(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    yield from new_keyspace(keyspace)
    made = Definitions(rng, keyspace)
    for _ in range(count):
        yield from made.statements()


def user_functions(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    """Functions with random bodies, called with the values of a few rows."""
    yield from new_keyspace(keyspace)
    columns = ", ".join(f"{name} {type_}" for name, type_ in ARGUMENTS.items())
    yield statement(f"CREATE TABLE {keyspace}.t (k int PRIMARY KEY, {columns})")
    types = [parse_type(type_) for type_ in ARGUMENTS.values()]
    for key in range(6):
        values = ", ".join(t.to_literal(random_value(rng, t)) for t in types)
        yield statement(f"INSERT INTO {keyspace}.t (k, {', '.join(ARGUMENTS)}) VALUES ({key}, {values})")
    yield statement(f"INSERT INTO {keyspace}.t (k, i, x) VALUES (6, 1, 'some')")
    made = Bodies(rng)
    for _ in range(count // 2):
        returns, body = made.body()
        nulls = "RETURNS NULL" if rng.random() < 0.5 else "CALLED"
        name = f"{keyspace}.f_{returns.replace('<', '_').replace('>', '')}_{nulls[0]}".lower()
        yield statement(
            f"CREATE OR REPLACE FUNCTION {name} ({columns}) {nulls} ON NULL INPUT RETURNS {returns} LANGUAGE java "
            f"AS $${body}$$"
        )
        yield statement(f"SELECT {name}({', '.join(ARGUMENTS)}) AS r FROM {keyspace}.t WHERE k = {rng.randrange(7)}")


def _wide_table(rng: Random, keyspace: str, number: int) -> Iterator[Statement]:
    """A keyspace with a table of many types; returns the table."""
    user_types = yield from _with_types(rng, keyspace)
    types = [NATIVE_TYPES[name] for name in NATIVES]
    while len(types) < len(NATIVES) + COLUMNS:
        found = random_type(rng, user_types)
        if found not in types:
            types.append(found)
    columns = [Column("k", NATIVE_TYPES["int"], "partition")]
    columns += [Column(f"v{index}", cql_type, "regular") for index, cql_type in enumerate(types)]
    for column in columns:
        column.pool = [random_value(rng, column.type) for _ in range(3)]
    table = Table(keyspace, f"t{number}", columns, user_types, False)
    yield statement(table.definition())
    return table


def new_keyspace(keyspace: str) -> Iterator[Statement]:
    """Tables are not dropped one by one: that takes a Cassandra a second, in which it flushes everything that it has."""
    yield statement(f"DROP KEYSPACE IF EXISTS {keyspace}")
    yield statement(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")


def given_schema(area: str, changes: float, indexes: int = 0) -> Callable[[Random, str, int], Made]:
    """An area of given_schemas.py."""

    def made(rng: Random, keyspace: str, count: int) -> Made:
        yield from new_keyspace(keyspace)
        for number in range(max(1, count // PER_GIVEN)):
            given = GivenSchema(rng, keyspace, f"t{number}", area, changes, indexes)
            yield from given.statements(PER_GIVEN, has_setup=not number)

    return made


def roles_and_permissions(rng: Random, keyspace: str, count: int) -> Made:
    yield from new_keyspace(keyspace)
    yield from roles(rng, keyspace, count)


AREAS: Mapping[str, Callable[[Random, str, int], Made]] = {
    "select": selects,
    "ddl": definitions,
    "aggregates": given_schema("aggregates", 0.03),
    "alters": given_schema("alters", 0.04),
    "counters": given_schema("counters", 0.002),
    "functions": functions,
    "indexes": indexes,
    "literals": literals,
    "roles": roles_and_permissions,
    "sasi": given_schema("sasi", 0.001, indexes=3),
    "search": given_schema("search", 0.001, indexes=9),
    "user_functions": user_functions,
    "views": views,
    "writes": writes,
}

WEIGHTS: Mapping[str, int] = {
    "select": 3,
    "writes": 4,
    "indexes": 3,
    "search": 4,
    "sasi": 1,
    "aggregates": 2,
    "alters": 1,
    "counters": 1,
    "views": 2,
    "functions": 2,
    "literals": 1,
    "ddl": 1,
    "user_functions": 1,
}
