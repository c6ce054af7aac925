"""Random writes of all kinds, each followed by reading what became of its partition.

A table is either written with given timestamps, often equal ones, so that ties are met, or with conditions, whose times are
the servers' own. Statements go as single ones or in batches.
"""

from collections.abc import Iterator
from dataclasses import replace
from random import Random

from protocol.types import INT, CqlType, ListType, MapType, SetType, UserType
from twins.statement import Bound, Clause, Item, Statement
from twins.tables import POOL, TIMESTAMPS, Column, Table, bound, random_table
from twins.values import random_type, random_value

CONSISTENCIES = (0, 2, 4, 5, 6, 7, 8, 9, 10, 11)
ANY, TWO = 0, 2
OPERATORS = ("=", "=", "=", "!=", "<", "<=", ">", ">=")


def dense_table(rng: Random, keyspace: str, name: str, user_types: list[UserType]) -> Table:
    """One of few rows with many collections, so that writes meet."""
    table = random_table(rng, keyspace, name, user_types)
    while table.counter:
        table = random_table(rng, keyspace, name, user_types)
    for column in table.columns:
        if column.kind in ("static", "regular") and rng.random() < 0.6:
            column.type = _multicell(rng, user_types)
            column.pool = [random_value(rng, column.type) for _ in range(POOL)]
        elif column.kind == "partition":
            del column.pool[1:]
        elif column.kind == "clustering":
            del column.pool[2:]
    return table


def _multicell(rng: Random, user_types: list[UserType]) -> CqlType:
    while not (found := random_type(rng, user_types)).is_multicell:
        pass
    return found


class Writes:
    """`conditional`: writes have conditions instead of timestamps."""

    def __init__(self, rng: Random, table: Table, now_s: int, conditional: bool) -> None:
        self._rng, self._table, self._now_s, self._conditional = rng, table, now_s, conditional

    def statements(self) -> Iterator[Statement]:
        if not self._conditional and self._rng.random() < 0.25:
            yield self._batch()
        else:
            yield self._sent(self._modification(self._conditional and self._rng.random() < 0.7))
        yield self._read()

    def _sent(self, clauses: tuple[Clause, ...]) -> Statement:
        rng = self._rng
        page_size = rng.choice((0, 1, 5)) if rng.random() < 0.05 else -1
        consistency = rng.choice(CONSISTENCIES) if rng.random() < 0.05 else 1
        if self._conditional and consistency in (ANY, TWO):  # committed later; left behind (docs/compatibility.md)
            consistency = 1
        return Statement(clauses, rng.random() < 0.6, rng.choice((4, 5, 5)), page_size, None, consistency)

    # --- statements ----------------------------------------------------------------------------------------------------

    def _read(self) -> Statement:
        rng, table = self._rng, self._table
        items: list[Item] = [(column.written,) for column in table.columns]
        if not self._conditional:
            values = table.of("static", "regular")
            items += [(f"writetime({column.written})",) for column in values if rng.random() < 0.5]
        tail = f" FROM {table.full_name}"
        return Statement((Clause("SELECT ", tuple(items), tail=tail), self._where(table.of("partition"))), now_s=None)

    def _batch(self) -> Statement:
        """Its parts' clauses one behind the other; made smaller, it may be none any more, and then both refuse it."""
        rng = self._rng
        kind = rng.choice(("", "UNLOGGED "))
        clauses: list[Clause] = [Clause(f"BEGIN {kind}BATCH", (), required=True)]
        for _ in range(rng.randint(1, 4)):
            clauses += self._modification(False)
            clauses.append(Clause(";", (), required=True))
        return self._sent((*clauses, Clause("APPLY BATCH", (), required=True)))

    def _modification(self, conditional: bool) -> tuple[Clause, ...]:
        kind = self._rng.random()
        if kind < 0.35:
            return self._insert(conditional)
        return self._update(conditional) if kind < 0.8 else self._delete(conditional)

    def _insert(self, conditional: bool) -> tuple[Clause, ...]:
        rng, table = self._rng, self._table
        static_only = bool(table.of("static")) and rng.random() < 0.15
        keys = table.of("partition") if static_only else table.row_keys(rng)
        others = table.of("static") if static_only else table.of("static", "regular")
        chosen = keys + [column for column in others if rng.random() < 0.6]
        if rng.random() < 0.25 and all(column.type.has_one_form for column in keys):  # JSON has forms of its own
            return (self._json(chosen, conditional),)
        names = Clause(f"INSERT INTO {table.full_name} (", tuple((c.written,) for c in chosen), tail=")")
        values = tuple((self._value(column, column not in keys),) for column in chosen)
        tail = ") IF NOT EXISTS" if conditional else f") {self._using()}"
        return names, Clause("VALUES (", values, tail=tail)

    def _json(self, columns: list[Column], conditional: bool) -> Clause:
        rng = self._rng
        fields = []
        for column in columns:
            name = column.written.replace('"', '\\"')
            value = rng.choice(column.pool)
            is_null = column.kind in ("static", "regular") and rng.random() < 0.15
            fields.append(f'"{name}": {"null" if is_null else column.type.to_json(value)}')
        text = f"{{{', '.join(fields)}}}".replace("'", "''")
        missing = rng.choice(("", "", " DEFAULT UNSET", " DEFAULT NULL"))
        tail = " IF NOT EXISTS" if conditional else f" {self._using()}"
        return Clause(f"INSERT INTO {self._table.full_name} JSON '{text}'{missing}{tail}", (), required=True)

    def _update(self, conditional: bool) -> tuple[Clause, ...]:
        rng, table = self._rng, self._table
        others = table.of("static", "regular")
        if not others:
            return self._insert(conditional)
        chosen = rng.sample(others, min(len(others), rng.choice((1, 1, 1, 2))))
        if rng.random() < 0.2:
            chosen.append(rng.choice(chosen))
        only_static = all(column.kind == "static" for column in chosen)
        using = "" if conditional else f"{self._using()} "
        head = Clause(f"UPDATE {table.full_name} {using}SET ", tuple(map(self._assignment, chosen)))
        where = self._where(table.of("partition") if only_static else table.row_keys(rng))
        return (head, where, *self._conditions(conditional, only_static))

    def _delete(self, conditional: bool) -> tuple[Clause, ...]:
        rng, table = self._rng, self._table
        clustering = table.of("clustering")
        columns = [column for column in table.of("regular") if rng.random() < 0.4]
        using = "" if conditional else f" USING TIMESTAMP {rng.choice(TIMESTAMPS)}"
        head = Clause("DELETE ", tuple(map(self._deletion, columns)), tail=f" FROM {table.full_name}{using}", required=True)
        # which form a clustering has behind a wider deletion differs (docs/compatibility.md)
        is_of_row = columns or conditional or not all(column.type.has_one_form for column in clustering)
        given = clustering if is_of_row else clustering[: rng.randint(0, len(clustering))]
        where = self._where(table.of("partition") + given)
        if given and not is_of_row and rng.random() < 0.4:
            last = given[-1]
            slices: tuple[Item, ...] = ((f"{last.written} {rng.choice(('<', '<=', '>', '>='))} ", self._value(last, False)),)
            where = replace(where, items=where.items[:-1] + slices)
        return (head, where, *self._conditions(conditional, False))

    # --- parts ---------------------------------------------------------------------------------------------------------

    def _using(self) -> str:
        rng = self._rng
        if self._conditional:
            return ""
        ttl = f" AND TTL {rng.choice((100_000, 5_000_000))}" if rng.random() < 0.1 else ""
        return f"USING TIMESTAMP {rng.choice(TIMESTAMPS)}{ttl}"

    def _where(self, columns: list[Column]) -> Clause:
        return Clause("WHERE ", tuple((f"{c.written} = ", self._value(c, False)) for c in columns), " AND ")

    def _value(self, column: Column, nullable: bool) -> Bound:
        if nullable and self._rng.random() < 0.15:
            return Bound("null", None, self._rng.random() < 0.5)
        found = bound(self._rng, column)
        return replace(found, marked=self._rng.random() < 0.6)

    def _of_type(self, cql_type: CqlType) -> Bound:
        value = random_value(self._rng, cql_type)
        return Bound(cql_type.to_literal(value), value, True)

    def _assignment(self, column: Column) -> Item:
        rng, name = self._rng, column.written
        if not column.type.is_multicell or rng.random() < 0.25:
            return (f"{name} = ", self._value(column, True))
        match column.type:
            case UserType(field_names=names, field_types=types):
                place = rng.randrange(len(names))
                value = Bound("null", None) if rng.random() < 0.2 else self._of_type(types[place])
                return (f"{name}.{names[place]} = ", value)
            case ListType(elements=elements):
                kind = rng.random()
                if kind < 0.2:
                    return (f"{name}[", self._index(), "] = ", self._of_type(elements))
                if kind < 0.4:
                    return (f"{name} = ", self._value(column, False), f" + {name}")
                return (f"{name} = {name} {'+' if kind < 0.8 else '-'} ", self._value(column, False))
            case SetType():
                return (f"{name} = {name} {rng.choice('++-')} ", self._value(column, False))
            case MapType(keys=keys, values=values):
                kind = rng.random()
                if kind < 0.5:
                    value = Bound("null", None) if rng.random() < 0.2 else self._of_type(values)
                    return (f"{name}[", self._key(column), "] = ", value)
                if kind < 0.7:
                    return (f"{name} = {name} - ", self._of_type(SetType(keys)))
                return (f"{name} = {name} + ", self._value(column, False))
        return (f"{name} = ", self._value(column, True))

    def _index(self) -> Bound:
        number = self._rng.choice((0, 0, 1, 2))
        return Bound(str(number), INT.encode(number))

    def _key(self, column: Column) -> Bound:
        """One that may be there."""
        assert isinstance(column.type, MapType | SetType)
        element = column.type.keys if isinstance(column.type, MapType) else column.type.elements
        raw = self._rng.choice(column.pool)
        if not raw or self._rng.random() < 0.2:
            return self._of_type(element)
        found = column.type.split(raw)[0]
        key = found[0] if isinstance(found, tuple) else found
        return Bound(element.to_literal(key), key, True)

    def _deletion(self, column: Column) -> Item:
        name = column.written
        if not column.type.is_multicell or self._rng.random() < 0.3:
            return (name,)
        match column.type:
            case UserType(field_names=names):
                return (f"{name}.{self._rng.choice(names)}",)
            case ListType():
                return (f"{name}[", self._index(), "]")
        return (f"{name}[", self._key(column), "]")

    def _conditions(self, conditional: bool, only_static: bool) -> tuple[Clause, ...]:
        rng, table = self._rng, self._table
        if not conditional:
            return ()
        kinds = ("static",) if only_static else ("static", "regular")
        columns = [column for column in table.of(*kinds) if rng.random() < 0.4]
        if not columns:
            return (Clause("IF EXISTS", (), required=True),)
        if rng.random() < 0.3:
            rng.shuffle(columns)
        return (Clause("IF ", tuple(map(self._condition, columns)), " AND "),)

    def _condition(self, column: Column) -> Item:
        rng, name = self._rng, column.written
        operator = rng.choice(OPERATORS)
        if rng.random() < 0.35:
            match column.type:
                case UserType(field_names=names, field_types=types):
                    place = rng.randrange(len(names))
                    return (f"{name}.{names[place]} {operator} ", self._of_type(types[place]))
                case ListType(elements=elements):
                    return (f"{name}[", self._index(), f"] {operator} ", self._of_type(elements))
                case MapType(values=values):
                    return (f"{name}[", self._key(column), f"] {operator} ", self._of_type(values))
        if rng.random() < 0.15:
            return (f"{name} IN (", self._value(column, False), ", ", self._value(column, True), ")")
        return (f"{name} {operator} ", self._value(column, operator in ("=", "!=") or rng.random() < 0.1))
