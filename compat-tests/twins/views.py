"""Random writes to a table with materialized views: of every shape, made before and between the writes, read after each."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from twins.selects import Selects
from twins.statement import Bound, Clause, Item, Statement, statement
from twins.tables import Column, Table, bound
from twins.writes import Writes

VIEWS_MAX = 3


@dataclass(slots=True)
class View:
    """A view's columns as those of a table."""

    table: Table
    definition: Statement

    @property
    def built(self) -> Statement:
        keyspace, name = self.table.keyspace, self.table.name
        text = f"SELECT view_name FROM system.built_views WHERE keyspace_name = '{keyspace}' AND view_name = '{name}'"
        return replace(statement(text), awaits_rows=True)


class ViewedWrites:
    """`conditional`: writes have conditions instead of timestamps."""

    def __init__(self, rng: Random, table: Table, now_s: int, conditional: bool) -> None:
        self._rng, self._table, self._now_s, self._conditional = rng, table, now_s, conditional
        self._writes = Writes(rng, table, now_s, conditional)
        self._views: list[View] = []
        self._made = 0

    def statements(self) -> Iterator[Statement]:
        rng = self._rng
        if not self._views or (len(self._views) < VIEWS_MAX and rng.random() < 0.05):
            yield from self._make_view()
        elif rng.random() < 0.02:
            yield self._drop(self._views.pop(rng.randrange(len(self._views))))
        elif rng.random() < 0.02:
            yield statement(f"TRUNCATE {self._table.full_name}")
        yield from self._writes.statements()
        for view in self._views:
            yield self._read(view)
            if rng.random() < 0.1:
                yield Selects(rng, view.table, self._now_s + 10).statement()

    def drops(self) -> Iterator[Statement]:
        if self._views:
            yield statement(f"DROP TABLE {self._table.full_name}")
        while self._views:
            yield self._drop(self._views.pop())
        yield statement(f"DROP TABLE {self._table.full_name}")

    def _make_view(self) -> Iterator[Statement]:
        view = self._view(self._rng.random() < 0.15)
        yield view.definition
        if view.definition.page_size == -1:  # one that should be taken
            self._views.append(view)
            yield view.built

    def _drop(self, view: View) -> Statement:
        return statement(f"DROP MATERIALIZED VIEW {view.table.full_name}")

    def _read(self, view: View) -> Statement:
        rng = self._rng
        items: list[Item] = [(column.written,) for column in view.table.columns]
        if not self._conditional:
            items += [(f"writetime({c.written})",) for c in view.table.of("regular") if rng.random() < 0.5]
        return Statement((Clause("SELECT ", tuple(items), tail=f" FROM {view.table.full_name}"),))

    # -- definitions --------------------------------------------------------------------------------------------------

    def _view(self, is_odd: bool) -> View:
        """`is_odd`: with something that is probably refused; its page size tells."""
        rng, base = self._rng, self._table
        self._made += 1
        keys = [replace(column, kind="", pool=column.pool) for column in base.of("partition", "clustering")]
        others = [c for c in base.of("regular") if not c.type.is_multicell and c.type.cql() != "duration"]
        if others and rng.random() < 0.65:
            keys.append(replace(rng.choice(others), kind=""))
        rng.shuffle(keys)
        partition = rng.choice((1, 1, 1, 2)) if len(keys) > 1 else 1
        for at, column in enumerate(keys):
            column.kind = "partition" if at < partition else "clustering"
            column.reversed = column.kind == "clustering" and (
                rng.random() < 0.3 if rng.random() < 0.5 else column.reversed
            )
        rest = [column for column in base.of("regular") if column.name not in [key.name for key in keys]]
        has_all = not base.of("static") and rng.random() < 0.5
        selected = [replace(column) for column in rest if has_all or rng.random() < 0.5]
        where = [self._restriction(column) for column in keys]
        if rest and rng.random() < 0.1:
            where.append((f"{rng.choice(rest).written} IS NOT NULL",))
        rng.shuffle(where)
        if is_odd:
            self._spoil(keys, where)
        name = f"{base.name}_m{self._made}"
        table = Table(base.keyspace, name, [*keys, *selected], base.user_types, False)
        return View(table, self._definition(table, where, has_all, is_odd))

    def _restriction(self, column: Column) -> Item:
        rng, name = self._rng, column.written
        is_of_key = column.name in [key.name for key in self._table.of("partition", "clustering")]
        if not is_of_key or rng.random() < 0.85:
            return (f"{name} IS NOT NULL",)

        def value() -> Bound:
            return replace(bound(rng, column), marked=False)

        if rng.random() < 0.4:
            return (f"{name} IN (", value(), ", ", value(), ")")
        return (f"{name} {rng.choice(('=', '<', '>=', '<=', '>'))} ", value())

    def _spoil(self, keys: list[Column], where: list[Item]) -> None:
        rng, base = self._rng, self._table
        kind = rng.randrange(6)
        if kind == 0:
            where.pop()
        elif kind == 1:
            keys.pop()
        elif kind == 2:
            keys.append(replace(rng.choice(base.columns), kind="clustering"))
        elif kind == 3:
            column = rng.choice(base.columns)
            where.append((f"{column.written} = ", replace(bound(rng, column), marked=False)))
        elif kind == 4:
            keys.append(Column("nothing", keys[0].type, "clustering"))
        else:
            where.append((f"{rng.choice(base.columns).written} IS NOT NULL",))

    def _definition(self, table: Table, where: list[Item], has_all: bool, is_odd: bool) -> Statement:
        rng = self._rng
        names = "*" if has_all else ", ".join(column.written for column in table.columns)
        head = f"CREATE MATERIALIZED VIEW {table.full_name} AS SELECT {names} FROM {self._table.full_name}"
        partition = ", ".join(column.written for column in table.of("partition"))
        clustering = table.of("clustering")
        key = ", ".join([f"({partition})", *(column.written for column in clustering)])
        order = ", ".join(f"{c.written} {'DESC' if c.reversed else 'ASC'}" for c in clustering)
        options = f" WITH CLUSTERING ORDER BY ({order})" if clustering else ""
        tail = f"PRIMARY KEY ({key}){options}"
        clauses = (Clause(head, (), required=True), Clause("WHERE ", tuple(where), " AND "), Clause(tail, (), required=True))
        return Statement(clauses, page_size=100 if is_odd else -1, version=rng.choice((4, 5)))
