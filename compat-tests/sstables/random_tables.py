"""Random tables with what is written to them, in parts between which one flushes: deep types, long values, columns that are
dropped and made again, types that get another field."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import chain
from random import Random

from twins.statement import Bound, Clause, Item, Statement, statement
from twins.tables import Column, Table, compacted, random_table, random_user_types, random_writes, user_type_definition
from twins.values import random_type, random_value
from twins.writes import Writes, dense_table

from protocol.types import INT, CqlType, ListType, MapType, SetType, TupleType, UserType, VectorType

COMPRESSIONS = (
    "{'class': 'LZ4Compressor'}",
    "{'class': 'LZ4Compressor', 'chunk_length_in_kb': 4}",
    "{'class': 'LZ4Compressor', 'min_compress_ratio': 1.5, 'chunk_length_in_kb': 4}",
    "{'class': 'LZ4Compressor', 'lz4_compressor_type': 'high', 'lz4_high_compressor_level': 12}",
    "{'enabled': false}",
    "{'class': 'SnappyCompressor'}",
    "{'class': 'DeflateCompressor', 'chunk_length_in_kb': 8}",
    "{'class': 'ZstdCompressor'}",
    "{'class': 'ZstdCompressor', 'compression_level': 19, 'chunk_length_in_kb': 64}",
    "{'class': 'NoopCompressor'}",
)
LENGTHS = (127, 128, 5000, 40_000)
"""Of long values: a length takes one byte more, several chunks, several blocks of an index."""
MANY_COLUMNS = 70
"""More than 64: which of them a row has is said otherwise."""
WIDE_ROUNDS = 4
WIDE_POOL = 12
NEWEST_US, DROP_US, LATER_US = 3000, 4000, 5000
"""What is written before a column is dropped is older, all of it: of newer cells Cassandra's own reads fail. Of what is
written later some is newer. Whole milliseconds, as Cassandra keeps the time of a drop."""
SHORT_TTL_S = 1


@dataclass(slots=True)
class RandomTable:
    """`create`: its types, if it is the first, and itself. `parts`: writes, and changes of the table at the begin of one."""

    table: Table
    options: str
    create: list[Statement] = field(default_factory=list)
    parts: list[list[Statement]] = field(default_factory=list)

    @property
    def name(self) -> str:
        return self.table.name

    def definition(self) -> str:
        """For a report."""
        changes = [each.text() for part in self.parts for each in part if each.text().startswith("ALTER")]
        return "; ".join([f"{self.table.definition()}{self.options}", *changes])


def random_tables(rng: Random, keyspace: str, count: int, parts: int = 2, has_changes: bool = True) -> Iterator[RandomTable]:
    """Types come with the first table, and get another field with its last part."""
    user_types = random_user_types(rng, keyspace)
    for number in range(count):
        is_dense = rng.random() < 0.5
        make = dense_table if is_dense else random_table
        table = make(rng, keyspace, f"t{number}", user_types)
        if rng.random() < 0.25:
            table = compacted(rng, table)
        elif not table.counter:
            _elaborate(rng, table)
        is_wide = not is_dense and rng.random() < 0.5
        if is_wide:
            _widen(rng, table)
        for column in table.of("clustering"):  # of equal ones in several files either may be the row's
            column.pool = list({column.type.order_key(value): value for value in column.pool}.values())
        made = RandomTable(table, _options(rng, table))
        if not number:
            made.create += [statement(user_type_definition(each)) for each in user_types]
        made.create.append(statement(f"{table.definition()}{made.options}"))
        is_changed = False
        for part in range(parts):
            written = []
            if part and has_changes:
                if not number and part == parts - 1:
                    written += [statement(f"ALTER TYPE {keyspace}.{each.name} ADD later int") for each in user_types]
                if not is_changed and rng.random() < 0.3:
                    changes, table = _changed(rng, table)
                    written += changes
                    is_changed = True
            written += _some_writes(rng, table, is_dense, is_wide, is_changed, parts)
            made.parts.append(written)
        yield made


def _some_writes(rng: Random, table: Table, is_dense: bool, is_wide: bool, is_changed: bool, parts: int) -> list[Statement]:
    if is_dense:
        writes = Writes(rng, table, int(time.time()), False)
        pairs = chain.from_iterable(writes.statements() for _ in range(40 // parts))
        made = [each for each in pairs if not each.text().startswith("SELECT")]
    else:
        rounds = max(1, WIDE_ROUNDS // parts) if is_wide else 1
        made = list(chain.from_iterable(random_writes(rng, table, None) for _ in range(rounds)))  # type: ignore[arg-type]
        # no time: it is now
    if is_changed:
        made = [_replaced(each, f"TIMESTAMP {NEWEST_US}", f"TIMESTAMP {LATER_US}") for each in made]
    if is_dense:  # of a list's elements the one at an index would depend on who is asked first
        return made
    return [_replaced(each, "TTL 100000", f"TTL {SHORT_TTL_S}") if rng.random() < 0.3 else each for each in made]


def _replaced(wanted: Statement, old: str, new: str) -> Statement:
    clauses = (replace(each, head=each.head.replace(old, new), tail=each.tail.replace(old, new)) for each in wanted.clauses)
    return replace(wanted, clauses=tuple(clauses))


def _elaborate(rng: Random, table: Table) -> None:
    """Deeper types, longer values and more columns than statements usually have."""
    values = table.of("static", "regular")
    for column in values:
        if rng.random() < 0.2:
            column.type = random_type(rng, table.user_types, 4)
            column.pool = [random_value(rng, column.type) for _ in column.pool]
        elif rng.random() < 0.15 and not column.type.is_multicell and column.type.cql() in ("text", "blob", "ascii"):
            column.pool += [b"x" * length for length in LENGTHS]
    if rng.random() < 0.04:
        table.columns += [Column(f"w{n:02}", INT, "regular", pool=[INT.encode(n)]) for n in range(MANY_COLUMNS)]
    for column in table.of("clustering"):
        if column.type.allows_empty and rng.random() < 0.2:
            column.pool.append(b"")
        elif column.type.cql() in ("text", "blob", "ascii") and rng.random() < 0.2:
            column.pool += [b"y" * length for length in LENGTHS[:3]]


def _widen(rng: Random, table: Table) -> None:
    """Few partitions and many rows, so that they have an index where `column_index_size` is small."""
    for column in table.of("partition"):
        del column.pool[1:]
    for column in table.of("clustering"):
        column.pool += [random_value(rng, column.type) for _ in range(WIDE_POOL)]


def _changed(rng: Random, table: Table) -> tuple[list[Statement], Table]:
    """A column dropped, and maybe made again; one that is new."""
    made, columns = [], list(table.columns)
    values = table.of("static", "regular")
    if table.compact or not values:
        return [], table
    if rng.random() < 0.8:
        gone = rng.choice(values)
        made.append(
            f"ALTER TABLE {table.full_name} DROP {gone.written}{'' if table.counter else f' USING TIMESTAMP {DROP_US}'}"
        )
        if rng.random() < 0.4 and not table.counter:
            made.append(f"ALTER TABLE {table.full_name} ADD {_shown(gone)}")
        else:
            columns.remove(gone)
    if not table.counter and rng.random() < 0.6:
        kind = "static" if table.of("clustering") and rng.random() < 0.3 else "regular"
        new = Column("n0", random_type(rng, table.user_types), kind)
        new.pool = [random_value(rng, new.type) for _ in range(3)]
        made.append(f"ALTER TABLE {table.full_name} ADD {_shown(new)}")
        columns.append(new)
    return [statement(each) for each in made], replace(table, columns=columns)


def _shown(column: Column) -> str:
    return f"{column.written} {column.type.cql()}{' static' if column.kind == 'static' else ''}"


def _options(rng: Random, table: Table) -> str:
    word = "AND" if " WITH " in table.definition() else "WITH"
    caching = " AND bloom_filter_fp_chance = 1.0" if rng.random() < 0.1 else ""
    return f" {word} compression = {rng.choice(COMPRESSIONS)}{caching}"


def random_queries(rng: Random, table: Table) -> list[Statement]:
    """All of a table, and parts of one partition, forward and backward: what reads a file by its index."""
    everything = Clause(f"SELECT * FROM {table.full_name}", (), required=True)
    made = [Statement((everything,))]
    clustering = table.of("clustering")
    partition = Clause("WHERE ", tuple(_equal(rng, column) for column in table.of("partition")), " AND ")
    made.append(Statement((everything, partition), prepared=True))
    if not clustering:
        return made
    order = ", ".join(f"{each.written} {'ASC' if each.reversed else 'DESC'}" for each in clustering)
    backward = Clause(f"ORDER BY {order}", (), required=True)
    made.append(Statement((everything, partition, backward), prepared=True))
    for operator in ("<", "<=", ">", ">="):
        equal = clustering[: rng.randrange(len(clustering))]
        bounded = clustering[len(equal)]
        items = (*partition.items, *(_equal(rng, each) for each in equal), _compared(rng, bounded, operator))
        where = replace(partition, items=items)
        limit = Clause("LIMIT 3", (), required=True)
        tail = rng.choice(((), (backward,), (limit,), (backward, limit)))
        made.append(Statement((everything, where, *tail), prepared=True))
    return made


def _equal(rng: Random, column: Column) -> Item:
    return _compared(rng, column, "=")


def _compared(rng: Random, column: Column, operator: str) -> Item:
    return (f"{column.written} {operator} ", Bound(None, rng.choice(column.pool), True))


def types_within(cql_type: CqlType) -> Iterator[CqlType]:
    """A type and all that it is made of."""
    yield cql_type
    inner: tuple[CqlType, ...] = ()
    match cql_type:
        case ListType() | SetType():
            inner = (cql_type.elements,)
        case MapType():
            inner = (cql_type.keys, cql_type.values)
        case TupleType() | UserType():
            inner = tuple(cql_type.referenced_types)
        case VectorType():
            inner = (cql_type.elements,)
    for each in inner:
        yield from types_within(each)
