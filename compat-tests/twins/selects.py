"""Random SELECTs on a random table: mostly those that may succeed, and many that must not."""

from dataclasses import replace
from random import Random

from protocol.primitives import UNSET
from protocol.types import (
    NATIVE_TYPES,
    CqlType,
    ListType,
    MapType,
    SetType,
    UserType,
    VectorType,
)
from twins.statement import Bound, Clause, Item, Statement
from twins.tables import Column, Table
from twins.values import NATIVES, random_type, random_value

OPERATORS = ["=", "=", "=", "<", "<=", ">", ">=", "!=", "IN", "CONTAINS", "CONTAINS KEY", "LIKE", "IS NOT"]
SLICES = ["<", "<=", ">", ">="]
CONSISTENCIES = [0, 2, 4, 5, 6, 7, 8, 9, 10, 11]
NULL = Bound("null", None, True)


class Selects:
    """A generator for one table; the same `rng` state gives the same statements."""

    def __init__(self, rng: Random, table: Table, now_s: int) -> None:
        self._rng, self._table, self._now_s = rng, table, now_s
        self._marked = False

    def statement(self) -> Statement:
        rng = self._rng
        self._marked = rng.random() < 0.5
        where = self._where()
        group = self._group() if rng.random() < 0.12 else ()
        distinct = rng.random() < 0.08
        head = "SELECT " + ("JSON " if rng.random() < 0.12 else "") + ("DISTINCT " if distinct else "")
        clauses = (
            Clause(head, self._selection(distinct), tail=f" FROM {self._table.full_name}", required=True),
            Clause("WHERE ", where, " AND "),
            Clause("GROUP BY ", group),
            Clause("ORDER BY ", self._order() if rng.random() < 0.2 else ()),
            Clause("PER PARTITION LIMIT ", ((self._limit(),),) if rng.random() < 0.12 else ()),
            Clause("LIMIT ", ((self._limit(),),) if rng.random() < 0.25 else ()),
            Clause("", (("ALLOW FILTERING",),) if rng.random() < 0.45 else ()),
        )
        prepared = self._marked and rng.random() < 0.7
        made = Statement(clauses, prepared, rng.choice([4, 5]), rng.choice([-1, -1, 1, 2, 3, 5, 7, 100]))
        if rng.random() < 0.08:
            made = replace(made, consistency=rng.choice(CONSISTENCIES))
        if "ttl(" in made.text().lower() or rng.random() < 0.1:
            return replace(made, version=5, now_s=self._now_s)
        return made

    # Terms

    def _term(self, cql_type: CqlType, pool: list[bytes] | None = None) -> Bound:
        """A value for a receiver of that type: mostly a good one."""
        rng = self._rng
        luck = rng.random()
        marked = self._marked and rng.random() < 0.7
        if luck < 0.03:
            return Bound("null", None, marked)
        if luck < 0.05 and self._marked:
            return Bound(None, UNSET, True)
        if luck < 0.08 and self._marked:
            return Bound(None, rng.choice([b"", b"\0", b"\0\0\0\1", bytes(8)]), True)
        if luck < 0.1:
            wrong = random_type(rng, self._table.user_types)
            return Bound(wrong.to_literal(random_value(rng, wrong)))
        if luck < 0.12:
            calls = ["now()", "(int)1", "1 + 1", "cast(1 as bigint)", "'1'", "uuid()", "0x01", "-1", "{}", "[]", "()", "'x'"]
            return Bound(rng.choice(calls))
        value = rng.choice(pool) if pool and rng.random() < 0.85 else random_value(rng, cql_type)
        return Bound(cql_type.to_literal(value) if value else None, value, marked)

    def _limit(self) -> Bound:
        rng = self._rng
        number = rng.choice([1, 2, 3, 5, 10, 100, 0, -1])
        if rng.random() < 0.9:
            number = max(number, 1)
        marked = self._marked and rng.random() < 0.5
        if marked and rng.random() < 0.1:
            return Bound(None, rng.choice([None, UNSET, b"", b"\1"]), True)
        return Bound(str(number), (number & 0xFFFFFFFF).to_bytes(4, "big"), marked)

    # WHERE

    def _where(self) -> tuple[Item, ...]:
        rng, table = self._rng, self._table
        style = rng.random()
        if style < 0.2:
            return ()
        if style < 0.4:
            return tuple(self._relation(rng.choice(table.columns)) for _ in range(rng.randint(1, 3)))
        partition, clustering = table.of("partition"), table.of("clustering")
        made: list[Item] = []
        if style < 0.5:
            made += self._tokens()
        else:
            made += [self._equal(column) for column in partition if rng.random() < 0.96]
        made += self._clustering(clustering)
        if rng.random() < 0.25:
            made.append(self._relation(rng.choice(table.columns)))
        if rng.random() < 0.1:
            rng.shuffle(made)
        return tuple(made)

    def _clustering(self, clustering: list[Column]) -> list[Item]:
        rng = self._rng
        if not clustering or rng.random() < 0.2:
            return []
        if rng.random() < 0.25:
            start = rng.choice([0, 0, 0, 1]) % len(clustering)
            columns = clustering[start : start + rng.randint(1, len(clustering))]
            made = [self._equal(column) for column in clustering[:start]]
            made.append(self._multi(columns))
            if rng.random() < 0.35:
                made.append(self._multi(columns[: rng.randint(1, len(columns))]))
            return made
        count = rng.randint(0, len(clustering))
        made = [self._equal(column) for column in clustering[:count]]
        if count < len(clustering) and rng.random() < 0.6:
            column = clustering[count]
            made.append((f"{column.written} {rng.choice(SLICES)} ", self._term(column.type, column.pool)))
            if rng.random() < 0.4:
                made.append((f"{column.written} {rng.choice(SLICES)} ", self._term(column.type, column.pool)))
        return made

    def _equal(self, column: Column) -> Item:
        if self._rng.random() < 0.2:
            return self._in(column)
        return (f"{column.written} = ", self._term(column.type, column.pool))

    def _in(self, column: Column) -> Item:
        rng = self._rng
        if self._marked and rng.random() < 0.3:
            parts = [rng.choice(column.pool) for _ in range(rng.randint(0, 3))]
            raw = len(parts).to_bytes(4, "big") + b"".join(len(p).to_bytes(4, "big") + p for p in parts)
            return (f"{column.written} IN ", Bound(None, raw if rng.random() < 0.9 else rng.choice([None, UNSET]), True))
        terms = [self._term(column.type, column.pool) for _ in range(rng.choice([0, 1, 1, 2, 2, 3, 3]))]
        return (f"{column.written} IN (", *_joined(terms), ")")

    def _multi(self, columns: list[Column]) -> Item:
        rng = self._rng
        columns = list(columns)
        if rng.random() < 0.08:
            columns.append(rng.choice(self._table.columns))
        names = ", ".join(column.written for column in columns)
        operator = rng.choice([*SLICES, *SLICES, "=", "=", "IN", "IN", "!=", "CONTAINS", "IS NOT"])

        def row() -> list[Bound | str]:
            count = len(columns) if rng.random() < 0.95 else rng.randint(1, len(columns) + 1)
            terms = [self._term(c.type, c.pool) for c in (columns * 2)[:count]]
            return ["(", *_joined(terms), ")"]

        if operator == "IS NOT":
            return (f"({names}) IS NOT NULL",)
        if operator == "IN" and self._marked and rng.random() < 0.25:
            packed = [self._tuple(columns) for _ in range(rng.randint(0, 3))]
            raw = len(packed).to_bytes(4, "big") + b"".join(len(p).to_bytes(4, "big") + p for p in packed)
            return (f"({names}) IN ", Bound(None, raw, True))
        if operator == "IN":
            rows: list[Bound | str] = []
            for index in range(rng.randint(0, 3)):
                rows += [", "] if index else []
                rows += row()
            return (f"({names}) IN (", *rows, ")")
        if self._marked and rng.random() < 0.2:
            return (f"({names}) {operator} ", Bound(None, self._tuple(columns), True))
        return (f"({names}) {operator} ", *row())

    def _tuple(self, columns: list[Column]) -> bytes:
        """A bound one, now and then of fewer values than columns."""
        rng = self._rng
        given = columns if rng.random() < 0.8 else columns[: rng.randrange(1, len(columns) + 1)]
        return b"".join(len(p).to_bytes(4, "big") + p for p in (rng.choice(column.pool) for column in given))

    def _tokens(self) -> list[Item]:
        rng = self._rng
        partition = self._table.of("partition")
        columns = list(partition)
        if rng.random() < 0.1:
            columns = [rng.choice(self._table.columns) for _ in range(rng.randint(1, 3))]
        names = ", ".join(column.written for column in columns)

        def value() -> list[Bound | str]:
            if rng.random() < 0.5:
                number = rng.choice([0, -(1 << 63), (1 << 63) - 1, rng.randrange(-(1 << 63), 1 << 63)])
                raw = (number & ((1 << 64) - 1)).to_bytes(8, "big")
                return [Bound(str(number), raw, self._marked and rng.random() < 0.7)]
            terms = [self._term(c.type, c.pool) for c in partition]
            return ["token(", *_joined(terms), ")"]

        operators = [*SLICES, *SLICES, "=", "IN", "!="]
        count = rng.choice([1, 1, 2])
        made: list[Item] = []
        for _ in range(count):
            operator = rng.choice(operators)
            if operator == "IN":
                made.append((f"token({names}) IN (", *value(), ")"))
            else:
                made.append((f"token({names}) {operator} ", *value()))
        if rng.random() < 0.1:
            made.append(self._equal(rng.choice(partition)))
        return made

    def _relation(self, column: Column) -> Item:
        rng = self._rng
        operator = rng.choice(OPERATORS)
        cql_type = column.type
        if isinstance(cql_type, ListType | SetType | MapType) and rng.random() < 0.5:
            operator = rng.choice(["CONTAINS", "CONTAINS KEY", "["])
        if isinstance(cql_type, UserType) and rng.random() < 0.2:
            return (f"{column.written}.x = ", self._term(cql_type.field_types[0]))
        if operator == "[":
            key: CqlType = cql_type.keys if isinstance(cql_type, MapType) else NATIVE_TYPES["int"]
            value = cql_type.values if isinstance(cql_type, MapType) else NATIVE_TYPES["int"]
            at = self._term(key, _elements(cql_type, column.pool, keys=True))
            operator = rng.choice(["=", "=", "=", "<", ">=", "!="])
            return (f"{column.written}[", at, f"] {operator} ", self._term(value, _elements(cql_type, column.pool)))
        if operator == "IS NOT":
            return (f"{column.written} IS NOT NULL",)
        if operator == "IN":
            return self._in(column)
        name = column.written if rng.random() < 0.99 else "nothing"
        if operator == "CONTAINS":
            inner = _inner(cql_type)
            return (f"{name} CONTAINS ", self._term(inner, _elements(cql_type, column.pool)))
        if operator == "CONTAINS KEY":
            inner = cql_type.keys if isinstance(cql_type, MapType) else NATIVE_TYPES["int"]
            return (f"{name} CONTAINS KEY ", self._term(inner, _elements(cql_type, column.pool, keys=True)))
        return (f"{name} {operator} ", self._term(cql_type, column.pool))

    # GROUP BY, ORDER BY

    def _group(self) -> tuple[Item, ...]:
        rng = self._rng
        keys = self._table.of("partition", "clustering")
        if rng.random() < 0.75:
            minimum = len(self._table.of("partition")) if rng.random() < 0.9 else 1
            return tuple((c.written,) for c in keys[: rng.randint(minimum, len(keys))])
        made: list[Item] = []
        for column in rng.sample(self._table.columns, rng.randint(1, min(3, len(self._table.columns)))):
            choices = [column.written, f"floor({column.written}, 1h)", f"abs({column.written})", f"{column.written} + 1"]
            made.append((rng.choice([column.written, *choices]),))
        return tuple(made)

    def _order(self) -> tuple[Item, ...]:
        rng = self._rng
        clustering = self._table.of("clustering")
        if clustering and rng.random() < 0.8:
            flip = rng.random() < 0.5
            columns = clustering[: rng.randint(1, len(clustering))]
            return tuple((f"{c.written} {'DESC' if c.reversed != flip else 'ASC'}",) for c in columns)
        made: list[Item] = []
        for column in rng.sample(self._table.columns, rng.randint(1, min(2, len(self._table.columns)))):
            if rng.random() < 0.15:
                vector = VectorType(NATIVE_TYPES["float"], 2)
                made.append((f"{column.written} ANN OF ", self._term(vector)))
            else:
                made.append((f"{column.written} {rng.choice(['ASC', 'DESC', ''])}".rstrip(),))
        return tuple(made)

    # Selection

    def _selection(self, distinct: bool) -> tuple[Item, ...]:
        rng, table = self._rng, self._table
        luck = rng.random()
        if distinct and luck < 0.8:
            chosen = table.of("partition") + [c for c in table.of("static") if rng.random() < 0.5]
            return tuple((column.written,) for column in chosen)
        if luck < 0.2:
            return (("*",),)
        if luck < 0.4:
            return tuple((column.written,) for column in rng.sample(table.columns, rng.randint(1, len(table.columns))))
        made: list[Item] = []
        for _ in range(rng.randint(1, 4)):
            item = self._selector(rng.choice(table.columns))
            if rng.random() < 0.15:
                item = (*item, rng.choice([" AS a", ' AS "B c"', " AS v0"]))
            made.append(item)
        return tuple(made)

    def _selector(self, column: Column, depth: int = 2) -> Item:
        rng = self._rng
        name: Item = (column.written,)
        if depth == 0:
            return name
        kinds = [
            lambda: name,
            lambda: name,
            self._count,
            lambda: self._call(rng.choice(["min", "max", "count", "sum", "avg"]), self._selector(column, depth - 1)),
            lambda: self._call(rng.choice(["writetime", "ttl", "maxwritetime"]), self._path(column)),
            lambda: self._path(column),
            lambda: self._cast(self._selector(column, depth - 1)),
            self._token_call,
            lambda: self._function(column, depth),
            lambda: self._function(column, depth),
            lambda: self._arithmetic(column, depth),
            lambda: self._literal(column, depth),
        ]
        return rng.choice(kinds)()

    def _count(self) -> Item:
        return (self._rng.choice(["count(*)", "count(1)", "COUNT(*)"]),)

    @staticmethod
    def _call(name: str, *arguments: Item) -> Item:
        made: list[str | Bound] = [f"{name}("]
        for index, argument in enumerate(arguments):
            made += [", "] if index else []
            made += argument
        return (*made, ")")

    def _cast(self, inner: Item) -> Item:
        return ("CAST(", *inner, f" AS {self._rng.choice(NATIVES)})")

    def _token_call(self) -> Item:
        rng = self._rng
        if rng.random() < 0.7:
            return (f"token({', '.join(c.written for c in self._table.of('partition'))})",)
        return ("token(", *_joined([self._term(c.type, c.pool) for c in self._table.of("partition")]), ")")

    def _path(self, column: Column) -> Item:
        """An element, a slice or a field, mostly of what has such."""
        rng = self._rng
        cql_type = column.type
        if isinstance(cql_type, UserType):
            return (f"{column.written}.{rng.choice('xyz')}",)
        if isinstance(cql_type, MapType | SetType | ListType) or rng.random() < 0.1:
            key: CqlType = NATIVE_TYPES["int"]
            if isinstance(cql_type, MapType):
                key = cql_type.keys
            elif isinstance(cql_type, SetType):
                key = cql_type.elements
            pool = _elements(cql_type, column.pool, keys=True)
            if rng.random() < 0.3:
                left = (self._term(key, pool),) if rng.random() < 0.7 else ()
                right = (self._term(key, pool),) if rng.random() < 0.7 else ()
                return (f"{column.written}[", *left, "..", *right, "]")
            return (f"{column.written}[", self._term(key, pool), "]")
        return (column.written,)

    def _function(self, column: Column, depth: int) -> Item:
        rng = self._rng
        cql_type = column.type
        inner = self._selector(column, depth - 1)
        native = cql_type.cql()
        names = ["to_json", "toJson", f"{native}_as_blob", f"{native}AsBlob", "mask_default", "mask_null", "mask_hash"]
        if isinstance(cql_type, MapType):
            names += ["map_keys", "map_values"] * 2
        if isinstance(cql_type, ListType | SetType):
            names += ["collection_count", "collection_min", "collection_max", "collection_sum", "collection_avg"]
        if native in ("timeuuid", "timestamp", "date"):
            names += ["to_date", "to_timestamp", "to_unix_timestamp", "toDate"] * 2
        if native in ("int", "bigint", "double", "float", "decimal", "varint", "tinyint", "smallint"):
            names += ["abs", "exp", "log", "log10", "round"]
        name = rng.choice(names)
        if "<" in name:
            name = "to_json"
        if rng.random() < 0.06:
            return self._call(rng.choice(["mask_inner", "mask_outer"]), inner, ("1",), (rng.choice(["1", "null", "-1"]),))
        if rng.random() < 0.04:
            return self._call("mask_replace", inner, (self._term(cql_type, column.pool),))
        if rng.random() < 0.03:
            return self._call("nothing", inner)
        return self._call(name, inner)

    def _arithmetic(self, column: Column, depth: int) -> Item:
        rng = self._rng
        left = self._selector(column, depth - 1)
        operator = rng.choice([" + ", " - ", " * ", " / ", " % "])
        if rng.random() < 0.1:
            return ("-", *left)
        right: Item = (rng.choice(["1", "2.5", "0", "(tinyint)3", "1d", "-1", "(decimal)2", "null"]),)
        if rng.random() < 0.3:
            right = self._selector(rng.choice(self._table.columns), depth - 1)
        elif rng.random() < 0.3:
            right = (self._term(column.type, column.pool),)
        return (*left, operator, *right)

    def _literal(self, column: Column, depth: int) -> Item:
        rng = self._rng
        inner = self._selector(column, depth - 1)
        hint = f"({column.type.frozen_form().cql() if rng.random() < 0.5 else column.type.cql()})"
        choices: list[Item] = [
            ("(int, text)(", *inner, ", 'x')"),
            ("{x: ", *inner, "}"),
            (hint, *inner),
            (hint, self._term(column.type, column.pool)),
            (self._term(column.type, column.pool),),
            ("(list<int>)[", *inner, "]"),
            (f"({self._table.full_name.split('.')[0]}.ua)", "{x: ", *inner, "}"),
        ]
        if not self._names_descending(inner):
            choices += [("(", *inner, ", 1)"), ("[", *inner, "]"), ("{", *inner, "}"), ("{", *inner, ": 1}")]
        return rng.choice(choices)

    def _names_descending(self, inner: Item) -> bool:
        """A Cassandra that once made a set of such a column has all sets of its type backwards until it starts again."""
        names = [column.written for column in self._table.columns if column.reversed]
        return any(name in part for part in inner if isinstance(part, str) for name in names)


def _inner(cql_type: CqlType) -> CqlType:
    if isinstance(cql_type, MapType):
        return cql_type.values
    if isinstance(cql_type, ListType | SetType):
        return cql_type.elements
    return NATIVE_TYPES["int"]


def _elements(cql_type: CqlType, pool: list[bytes], keys: bool = False) -> list[bytes] | None:
    """What stands in the pool's collections: for a map its keys or its values."""
    if not isinstance(cql_type, ListType | SetType | MapType):
        return None
    found = []
    for raw in pool:
        at = 4
        for index in range(int.from_bytes(raw[:4], "big") * (2 if isinstance(cql_type, MapType) else 1)):
            length = int.from_bytes(raw[at : at + 4], "big")
            if not isinstance(cql_type, MapType) or (index % 2 == 0) == keys:
                found.append(raw[at + 4 : at + 4 + length])
            at += 4 + length
    return None if isinstance(cql_type, ListType) and keys else found


def _joined(terms: list[Bound]) -> list[Bound | str]:
    made: list[Bound | str] = []
    for index, term in enumerate(terms):
        made += [", ", term] if index else [term]
    return made
