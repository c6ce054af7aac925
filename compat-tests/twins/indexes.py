"""Random statements on tables with indexes: of one kind or the other, on random columns, asked for what they answer and for
what they don't."""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from protocol.types import INET, ListType, MapType, SetType, VectorType
from twins.selects import Selects
from twins.statement import Bound, Item, Statement, statement
from twins.tables import Column, Table

INDEXES_MAX = 4
_CONTAINS = " CONTAINS "


def random_indexes(rng: Random, table: Table) -> Iterator[Statement]:
    """Made while the table is empty, so that nobody has to wait for them."""
    using = rng.choice(("", "", " USING 'sai'"))
    for column in rng.sample(table.columns, min(len(table.columns), rng.randint(1, INDEXES_MAX))):
        yield statement(f"CREATE INDEX ON {table.full_name} ({_target(rng, column)}){using}")


def _target(rng: Random, column: Column) -> str:
    if rng.random() < 0.05:
        return f"{rng.choice(('keys', 'values', 'entries', 'full'))}({column.written})"
    if not isinstance(column.type, ListType | SetType | MapType):
        return column.written
    if not column.type.is_multicell:
        return f"full({column.written})"
    if isinstance(column.type, MapType):
        return f"{rng.choice(('keys', 'values', 'entries'))}({column.written})"
    return column.written


class IndexedSelects(Selects):
    """SELECTs that restrict any columns, by values that are there."""

    def _where(self) -> tuple[Item, ...]:
        rng, table = self._rng, self._table
        made: list[Item] = []
        if rng.random() < 0.25:
            made += [self._equal(column) for column in table.of("partition")]
        elif rng.random() < 0.1:
            made += self._tokens()
        count = rng.choice((1, 1, 1, 2, 2, 3))
        made += [self._sought(column) for column in rng.sample(table.columns, min(count, len(table.columns)))]
        return tuple(made)

    def statement(self) -> Statement:
        """Vectors and addresses are tested once more behind the index: Cassandra ends the pages with one that fails."""
        made = super().statement()
        where = next((clause.items for clause in made.clauses if clause.head == "WHERE "), ())
        twice = [
            column.written for column in self._table.columns if isinstance(column.type, VectorType) or column.type == INET
        ]
        is_twice = any(str(item[0]).split(" ")[0] in twice for item in where)
        return replace(made, page_size=-1) if is_twice else made

    def _sought(self, column: Column) -> Item:
        rng, name, type_ = self._rng, column.written, column.type
        raw = rng.choice(column.pool)
        if isinstance(type_, ListType | SetType | MapType) and type_.is_multicell and raw and (parts := type_.split(raw)):
            part = rng.choice(parts)
            if not isinstance(type_, MapType):
                assert isinstance(part, bytes)
                return (f"{name} CONTAINS ", self._given(type_.elements.to_literal(part), part))
            key, value = part
            kind = rng.randrange(3)
            if kind == 0:
                return (f"{name} CONTAINS KEY ", self._given(type_.keys.to_literal(key), key))
            if kind == 1:
                return (f"{name} CONTAINS ", self._given(type_.values.to_literal(value), value))
            return (
                f"{name}[",
                self._given(type_.keys.to_literal(key), key),
                "] = ",
                self._given(type_.values.to_literal(value), value),
            )
        if rng.random() < 0.15:
            return self._relation(column)
        operator = rng.choice(("=", "=", "=", "=", "<", "<=", ">", ">="))
        return (f"{name} {operator} ", self._given(type_.to_literal(raw) if raw else None, raw))

    def _relation(self, column: Column) -> Item:
        """No CONTAINS of frozen collections, of which Cassandra finds none beside a storage-attached index."""
        while _CONTAINS in (found := super()._relation(column))[0] and not column.type.is_multicell:
            pass
        return found

    def _given(self, literal: str | None, value: bytes) -> Bound:
        return Bound(literal, value, self._marked and self._rng.random() < 0.7)
