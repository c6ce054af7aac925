"""Strict mode: statements that work in a test and hurt in production, each with its name and what to do instead.

What is found follows from the requests and the schema alone, so it is the same whatever the tables hold.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from cqlserver.query_log.entries import Entry, Part, bound_columns
from grammar import tree
from grammar.shape import shape
from protocol.primitives import Value
from protocol.requests import Batch, Prepare, Query
from storage.schema.metadata import Schema, TableMetadata, is_system_keyspace

IN_VALUES_MAX: Final = 20
UNPREPARED_MAX: Final = 10
"""Statements of one shape that one test may send without having prepared them."""


class Finding(NamedTuple):
    habit: str
    number: int
    cql: str
    advice: str


HABITS: Final[Mapping[str, str]] = {
    "allow-filtering": "it reads rows to throw them away: query by the primary key, or by an index or a table made for it",
    "full-scan": "it reads the whole table: name the partition key in WHERE, or read by token ranges",
    "multi-partition-batch": "a logged batch over several partitions costs each of its replicas a batch log: send the "
    "statements one by one, side by side, or make the batch about one partition",
    "unprepared": "the same statement came again and again without being prepared: prepare it once, and bind its values",
    "large-in": f"IN with more than {IN_VALUES_MAX} values has one coordinator read them all: send a query for each",
    "null-insert": "a null that is written is a tombstone: leave the column out, or bind UNSET",
    "equal-timestamps": "two writes of one row with the same timestamp: which of them is seen, their values decide; let the "
    "driver or the server choose timestamps",
}


class Statement(NamedTuple):
    """A part of a request, with the table that it is about."""

    entry: Entry
    part: Part
    tree: tree.Statement
    table: TableMetadata


def findings(entries: Iterable[Entry], schema: Schema) -> list[Finding]:
    """In the order of the requests; each habit of a request once."""
    statements = [found for entry in entries for found in _statements(entry, schema)]
    found: dict[tuple[str, int], Finding] = {}
    for habit, look in _LOOKS.items():
        for statement in look(statements):
            number = statement.entry.number
            text = "; ".join(part.text for part in statement.entry.parts)
            found.setdefault((habit, number), Finding(habit, number, text, HABITS[habit]))
    return sorted(found.values(), key=lambda finding: finding.number)


def _statements(entry: Entry, schema: Schema) -> Iterator[Statement]:
    if isinstance(entry.request, Prepare):
        return
    for part in entry.parts:
        whole = part.statement
        for statement in whole.statements if isinstance(whole, tree.Batch) else (whole,):
            name = getattr(statement, "table", None)
            if statement is None or not isinstance(name, tree.QualifiedName):
                continue
            table = schema.maybe_table(name.keyspace or entry.keyspace or "", name.name)
            if table is not None and not is_system_keyspace(table.keyspace):
                yield Statement(entry, part, statement, table)


def _filtering(statements: Sequence[Statement]) -> Iterator[Statement]:
    return (one for one in statements if isinstance(one.tree, tree.Select) and one.tree.allow_filtering)


def _scans(statements: Sequence[Statement]) -> Iterator[Statement]:
    for one in statements:
        if not isinstance(one.tree, tree.Select) or one.tree.allow_filtering:
            continue
        named = _named_columns(one.tree.where)
        is_by_token = any(isinstance(relation, tree.TokenRelation) for relation in one.tree.where.relations)
        is_by_index = any(column.is_primary_key is False and column.name in named for column in one.table.columns)
        if not is_by_token and not is_by_index and not {column.name for column in one.table.partition_key} <= named:
            yield one


def _named_columns(where: tree.WhereClause) -> set[str]:
    named: set[str] = set()
    for relation in where.relations:
        if isinstance(relation, tree.ColumnRelation | tree.InRelation | tree.MapEntryRelation):
            named.add(relation.column)
        elif isinstance(relation, tree.MultiColumnRelation | tree.MultiColumnInRelation):
            named.update(relation.columns)
    return named


def _batches(statements: Sequence[Statement]) -> Iterator[Statement]:
    partitions: dict[int, set[object]] = {}
    for one in statements:
        request, whole = one.entry.request, one.part.statement
        is_logged = isinstance(request, Batch) and request.type == 0
        is_logged = is_logged or (isinstance(whole, tree.Batch) and whole.kind is tree.BatchKind.LOGGED)
        if not is_logged:
            continue
        seen = partitions.setdefault(one.entry.number, set())
        seen.add((one.table.id, _partition(one)))
        if len(seen) > 1:
            yield one


def _partition(one: Statement) -> object:
    """The partition key as the statement says it; of a kind that can only be compared."""
    given = dict(bound_columns(one.tree))
    return tuple(_said(given.get(column.name), one.part.values) for column in one.table.partition_key)


def _said(expression: tree.Expression | None, values: Sequence[Value]) -> object:
    """A bound value, or the literal."""
    if isinstance(expression, tree.Marker) and expression.index < len(values):
        return values[expression.index]
    return expression


def _unprepared(statements: Sequence[Statement]) -> Iterator[Statement]:
    counts: Counter[str] = Counter()
    for one in statements:
        if one.part.is_prepared or not isinstance(one.entry.request, Query | Batch):
            continue
        cut = shape(one.part.text)
        key = cut[0] if cut is not None else one.part.text
        counts[key] += 1
        if counts[key] == UNPREPARED_MAX + 1:
            yield one


def _large_ins(statements: Sequence[Statement]) -> Iterator[Statement]:
    for one in statements:
        where = getattr(one.tree, "where", None)
        for relation in where.relations if isinstance(where, tree.WhereClause) else ():
            if isinstance(relation, tree.InRelation | tree.MultiColumnInRelation):
                values = relation.values
                if isinstance(values, tree.Marker):
                    bound = _said(values, one.part.values)
                    count = int.from_bytes(bound[:4], "big", signed=True) if isinstance(bound, bytes) else 0
                else:
                    count = len(values)
                if count > IN_VALUES_MAX:
                    yield one


def _nulls(statements: Sequence[Statement]) -> Iterator[Statement]:
    for one in statements:
        if isinstance(one.tree, tree.Insert):
            for _, value in bound_columns(one.tree):
                said = _said(value, one.part.values)
                if said is None or isinstance(said, tree.Null):
                    yield one


def _equal_timestamps(statements: Sequence[Statement]) -> Iterator[Statement]:
    seen: dict[object, int] = {}
    for one in statements:
        timestamp = _timestamp(one)
        if timestamp is None:
            continue
        given = dict(bound_columns(one.tree))
        columns = (*one.table.partition_key, *one.table.clustering)
        place = (one.table.id, tuple(_said(given.get(column.name), one.part.values) for column in columns), timestamp)
        if seen.setdefault(place, one.entry.number) != one.entry.number:
            yield one


def _timestamp(one: Statement) -> object:
    """That the client chose for a write; of a kind that can only be compared."""
    if not isinstance(one.tree, tree.Insert | tree.Update | tree.Delete):
        return None
    written = one.tree.timestamp if isinstance(one.tree, tree.Delete) else one.tree.using.timestamp
    if written is not None:
        said = _said(written, one.part.values)
        return int.from_bytes(said, "big", signed=True) if isinstance(said, bytes) else getattr(said, "text", said)
    options = one.entry.options
    return options.timestamp_us if options is not None else None


_LOOKS: Final[Mapping[str, Callable[[Sequence[Statement]], Iterable[Statement]]]] = {
    "allow-filtering": _filtering,
    "full-scan": _scans,
    "multi-partition-batch": _batches,
    "unprepared": _unprepared,
    "large-in": _large_ins,
    "null-insert": _nulls,
    "equal-timestamps": _equal_timestamps,
}


