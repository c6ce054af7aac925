"""The areas: each a generator of statements, schema and data first."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from random import Random

from protocol.types import NATIVE_TYPES, UserType
from storage.schema.type_text import parse_type
from twins.definitions import Definitions
from twins.functions import Calls
from twins.indexes import IndexedSelects, random_indexes
from twins.java_bodies import ARGUMENTS, Bodies
from twins.literals import Literals
from twins.selects import Selects
from twins.statement import Statement, statement
from twins.tables import Column, Table, random_table, random_user_types, random_writes, user_type_definition
from twins.values import NATIVES, random_type, random_value
from twins.views import ViewedWrites
from twins.writes import Writes, dense_table

PER_TABLE = 250
COLUMNS = 30


def _with_types(rng: Random, keyspace: str) -> Generator[Statement, None, list[UserType]]:
    """A new keyspace, and types in it."""
    yield from new_keyspace(keyspace)
    user_types = random_user_types(rng, keyspace)
    for user_type in user_types:
        yield statement(user_type_definition(user_type))
    return user_types


def selects(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    now_s = int(time.time())
    user_types = yield from _with_types(rng, keyspace)
    for number in range(max(1, count // PER_TABLE)):
        table = random_table(rng, keyspace, f"t{number}", user_types)
        yield statement(table.definition())
        yield from random_writes(rng, table, now_s)
        made = Selects(rng, table, now_s + 10)
        for _ in range(min(count, PER_TABLE)):
            yield made.statement()
        yield statement(f"DROP TABLE {table.full_name}")


def writes(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    now_s = int(time.time())
    user_types = yield from _with_types(rng, keyspace)
    for number in range(max(1, count // PER_TABLE)):
        table = dense_table(rng, keyspace, f"t{number}", user_types)
        yield statement(table.definition())
        made = Writes(rng, table, now_s, rng.random() < 0.4)
        for _ in range(PER_TABLE // 2):
            yield from made.statements()
        yield statement(f"DROP TABLE {table.full_name}")


def indexes(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    now_s = int(time.time())
    user_types = yield from _with_types(rng, keyspace)
    for number in range(max(1, count // PER_TABLE)):
        table = random_table(rng, keyspace, f"t{number}", user_types)
        yield statement(table.definition())
        yield from random_indexes(rng, table)
        yield from random_writes(rng, table, now_s)
        made = IndexedSelects(rng, table, now_s + 10)
        for _ in range(min(count, PER_TABLE)):
            yield made.statement()
        yield statement(f"DROP TABLE {table.full_name}")


def views(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    now_s = int(time.time())
    user_types = yield from _with_types(rng, keyspace)
    for number in range(max(1, count // PER_TABLE)):
        table = dense_table(rng, keyspace, f"t{number}", user_types)
        while not all(column.type.has_one_form for column in table.columns):  # a build flushes, after which forms differ
            table = dense_table(rng, keyspace, f"t{number}", user_types)
        yield statement(table.definition())
        made = ViewedWrites(rng, table, now_s, rng.random() < 0.3)
        for _ in range(PER_TABLE // 3):
            yield from made.statements()
        yield from made.drops()


def functions(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    for number in range(max(1, count // (PER_TABLE * 4))):
        table = yield from _wide_table(rng, keyspace, number)
        yield from random_writes(rng, table, int(time.time()))
        made = Calls(rng, table)
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
    yield statement(f"DROP KEYSPACE IF EXISTS {keyspace}")
    yield statement(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")


AREAS: Mapping[str, Callable[[Random, str, int], Iterator[Statement]]] = {
    "select": selects,
    "ddl": definitions,
    "functions": functions,
    "indexes": indexes,
    "literals": literals,
    "user_functions": user_functions,
    "views": views,
    "writes": writes,
}
