"""The areas: each a generator of statements, schema and data first."""

import time
from collections.abc import Callable, Iterator, Mapping
from random import Random

from twins.selects import Selects
from twins.statement import Statement, statement
from twins.tables import random_table, random_user_types, random_writes, user_type_definition

PER_TABLE = 250


def selects(rng: Random, keyspace: str, count: int) -> Iterator[Statement]:
    now_s = int(time.time())
    yield from new_keyspace(keyspace)
    user_types = random_user_types(rng, keyspace)
    for user_type in user_types:
        yield statement(user_type_definition(user_type))
    for number in range(max(1, count // PER_TABLE)):
        table = random_table(rng, keyspace, f"t{number}", user_types)
        yield statement(table.definition())
        yield from random_writes(rng, table, now_s)
        made = Selects(rng, table, now_s + 10)
        for _ in range(min(count, PER_TABLE)):
            yield made.statement()
        yield statement(f"DROP TABLE {table.full_name}")


def new_keyspace(keyspace: str) -> Iterator[Statement]:
    yield statement(f"DROP KEYSPACE IF EXISTS {keyspace}")
    yield statement(f"CREATE KEYSPACE {keyspace} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")


AREAS: Mapping[str, Callable[[Random, str, int], Iterator[Statement]]] = {"select": selects}
