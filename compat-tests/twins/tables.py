"""Random tables with data: every shape of key, statics, collections, user types, counters."""

from dataclasses import dataclass, field
from random import Random

from protocol.types import (
    NATIVE_TYPES,
    CqlType,
    ListType,
    MapType,
    SetType,
    UserType,
)
from twins.statement import Bound, Clause, Item, Statement
from twins.values import random_type, random_value

ROWS = 30
WRITES = 25
POOL = 3
TIMESTAMPS = (1000, 2000, 3000)
SHORT_SHARE = 0.25
"""Of the writes of compact tables; of those of counters Cassandra's fail (docs/compatibility.md)."""


@dataclass(slots=True)
class Column:
    name: str
    type: CqlType
    kind: str  # partition, clustering, static, regular
    reversed: bool = False
    pool: list[bytes] = field(default_factory=list)

    @property
    def written(self) -> str:
        return self.name if self.name.islower() else f'"{self.name}"'


@dataclass(slots=True)
class Table:
    keyspace: str
    name: str
    columns: list[Column]
    user_types: list[UserType]
    counter: bool
    compact: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.keyspace}.{self.name}"

    def of(self, *kinds: str) -> list[Column]:
        return [column for column in self.columns if column.kind in kinds]

    def row_keys(self, rng: Random) -> list[Column]:
        """Those that an INSERT or UPDATE names: of a compact table maybe the first clustering columns alone."""
        keys = self.of("partition", "clustering")
        count = len(self.of("clustering"))
        if self.compact and not self.counter and count > 1 and rng.random() < SHORT_SHARE:
            del keys[-rng.randrange(1, count) :]
        return keys

    def definition(self) -> str:
        def shown(column: Column) -> str:
            cql = column.type.cql()
            return f"{column.written} {cql}{' static' if column.kind == 'static' else ''}"

        partition = ", ".join(column.written for column in self.of("partition"))
        clustering = self.of("clustering")
        key = ", ".join([f"({partition})", *(column.written for column in clustering)])
        order = ", ".join(f"{c.written} {'DESC' if c.reversed else 'ASC'}" for c in clustering)
        wanted = [f"CLUSTERING ORDER BY ({order})"] if order else []
        wanted += ["COMPACT STORAGE"] if self.compact else []
        options = f" WITH {' AND '.join(wanted)}" if wanted else ""
        columns = ", ".join(map(shown, self.columns))
        return f"CREATE TABLE {self.full_name} ({columns}, PRIMARY KEY ({key})){options}"


def user_type_definition(user_type: UserType) -> str:
    fields = zip(user_type.field_names, user_type.field_types, strict=True)
    shown = ", ".join(f"{name} {cql_type.cql()}" for name, cql_type in fields)
    return f"CREATE TYPE {user_type.keyspace}.{user_type.name} ({shown})"


def random_user_types(rng: Random, keyspace: str) -> list[UserType]:
    made: list[UserType] = []
    for name in ("ua", "ub"):
        types = tuple(random_type(rng, made, 1, key=True) for _ in range(rng.randint(1, 3)))
        made.append(UserType(keyspace, name, tuple("xyz"[: len(types)]), types, False))
    return made


def random_table(rng: Random, keyspace: str, name: str, user_types: list[UserType]) -> Table:
    counter = rng.random() < 0.08
    plain = rng.random() < 0.5  # simple types, so that statements have more luck

    def key_type() -> CqlType:
        if plain:
            return NATIVE_TYPES[rng.choice(["int", "text", "bigint", "timeuuid", "timestamp", "decimal"])]
        return random_type(rng, user_types, 1, key=True)

    def value_type() -> CqlType:
        return NATIVE_TYPES["counter"] if counter else random_type(rng, user_types)

    columns = [Column(f"p{i}", key_type(), "partition") for i in range(rng.choice([1, 1, 1, 2, 3]))]
    clustering = rng.choice([0, 1, 2, 2, 3])
    columns += [Column(f"c{i}", key_type(), "clustering", rng.random() < 0.4) for i in range(clustering)]
    if clustering and rng.random() < 0.5:
        columns += [Column(f"s{i}", value_type(), "static") for i in range(rng.randint(1, 2))]
    columns += [Column(n, value_type(), "regular") for n in ["v0", "v1", "V2", "v3", "v4"][: rng.randint(0, 5)]]
    for column in columns:
        column.pool = [random_value(rng, column.type) for _ in range(POOL)]
        if column.type.fixed_length is None and column.type.allows_empty and column.kind == "regular" and rng.random() < 0.1:
            column.pool.append(b"")
    return Table(keyspace, name, columns, user_types, counter)


def compacted(rng: Random, table: Table) -> Table:
    """As COMPACT STORAGE takes it: no statics, frozen values, one at most where there are clustering columns."""
    columns = table.of("partition", "clustering")
    regular = table.of("regular")[:1] if table.of("clustering") else table.of("regular")
    if not regular and not table.of("clustering"):
        regular = [Column("v0", NATIVE_TYPES["counter" if table.counter else "int"], "regular")]
    for column in regular:
        column.type = column.type.frozen_form()
        column.pool = [random_value(rng, column.type) for _ in range(POOL)]
    return Table(table.keyspace, table.name, columns + regular, table.user_types, table.counter, compact=True)


def bound(rng: Random, column: Column) -> Bound:
    value = rng.choice(column.pool)
    return Bound(column.type.to_literal(value) if value else None, value)


def random_writes(rng: Random, table: Table, now_s: int, ttls_meet: bool = True) -> list[Statement]:
    """Inserts, updates, deletes, with given timestamps, so that both servers hold the same. `ttls_meet`: one with a TTL may
    have the timestamp of another write."""
    if table.counter:
        return [made for made in (_increment(rng, table, now_s) for _ in range(ROWS)) if made]
    made = [_insert(rng, table, now_s, ttls_meet) for _ in range(ROWS)]
    made += [_write(rng, table, now_s, ttls_meet) for _ in range(WRITES)]
    return made


def _using(rng: Random, ttls_meet: bool) -> str:
    timestamp = rng.choice(TIMESTAMPS)
    if rng.random() < 0.8:
        return f"USING TIMESTAMP {timestamp}"
    timestamp += 0 if ttls_meet else rng.randrange(1, 400)
    return f"USING TIMESTAMP {timestamp} AND TTL {rng.choice([100000, 5000000])}"


def _assigned(rng: Random, column: Column) -> Bound:
    return Bound("null", None, True) if rng.random() < 0.15 else bound(rng, column)


def _insert(rng: Random, table: Table, now_s: int, ttls_meet: bool) -> Statement:
    static_only = bool(table.of("static")) and rng.random() < 0.1
    keys = table.of("partition") if static_only else table.row_keys(rng)
    others = table.of("static") if static_only else table.of("static", "regular")
    chosen = keys + [column for column in others if rng.random() < 0.7]
    values = [bound(rng, column) if column in keys else _assigned(rng, column) for column in chosen]
    names = Clause(f"INSERT INTO {table.full_name} (", tuple((c.written,) for c in chosen), tail=")")
    items = tuple((Bound(value.literal, value.value, True),) for value in values)
    return Statement((names, Clause("VALUES (", items, tail=") " + _using(rng, ttls_meet))), now_s=now_s, prepared=True)


def _where(rng: Random, columns: list[Column]) -> Clause:
    return Clause("WHERE ", tuple((f"{c.written} = ", _marked(bound(rng, c))) for c in columns), " AND ")


def _marked(value: Bound) -> Bound:
    return Bound(value.literal, value.value, True)


def _increment(rng: Random, table: Table, now_s: int) -> Statement | None:
    counters = table.of("static", "regular")
    if not counters:
        return None
    column = rng.choice(counters)
    keys = table.of("partition") if column.kind == "static" else table.row_keys(rng)
    head = f"UPDATE {table.full_name} SET {column.written} = {column.written} + {rng.randint(-3, 9)}"
    return Statement((Clause(head, (), required=True), _where(rng, keys)), prepared=True, now_s=now_s)


def _write(rng: Random, table: Table, now_s: int, ttls_meet: bool) -> Statement:
    kind = rng.random()
    partition, clustering = table.of("partition"), table.of("clustering")
    others = table.of("static", "regular")
    if kind < 0.65 and others:
        column = rng.choice(others)
        keys = partition if column.kind == "static" else table.row_keys(rng)
        head = Clause(f"UPDATE {table.full_name} {_using(rng, ttls_meet)} SET ", (_assignment(rng, column),))
        return Statement((head, _where(rng, keys)), prepared=True, now_s=now_s)
    prefix = clustering[: rng.randint(0, len(clustering))] if rng.random() < 0.3 else clustering
    what: tuple[Item, ...] = ()
    regular = table.of("regular")
    if prefix == clustering and regular and rng.random() < 0.6:
        what = ((rng.choice(regular).written,),)
    head = Clause("DELETE ", what, tail=f" FROM {table.full_name} USING TIMESTAMP 1500", required=True)
    return Statement((head, _where(rng, partition + prefix)), prepared=True, now_s=now_s)


def _assignment(rng: Random, column: Column) -> Item:
    value = _marked(bound(rng, column))
    if column.type.is_multicell and isinstance(column.type, ListType | SetType | MapType) and value.value:
        if isinstance(column.type, MapType) and rng.random() < 0.5:
            key, element = _entry(column.type, value.value)
            return (f"{column.written}[", key, "] = ", element)
        if not isinstance(column.type, ListType):
            return (f"{column.written} = {column.written} + ", value)
    return (f"{column.written} = ", value)


def _entry(map_type: MapType, raw: bytes) -> tuple[Bound, Bound]:
    key_length = int.from_bytes(raw[4:8], "big")
    key = raw[8 : 8 + key_length]
    at = 8 + key_length
    value = raw[at + 4 : at + 4 + int.from_bytes(raw[at : at + 4], "big")]
    return Bound(None, key, True), Bound(None, value, True)
