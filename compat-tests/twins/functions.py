"""Calls of all native functions, and arithmetic, with arguments of any type in any form."""

from dataclasses import replace
from random import Random

from protocol.primitives import UNSET
from protocol.types import NATIVE_TYPES, CqlType, UserType
from twins.statement import Bound, Clause, Item, Statement
from twins.tables import Table
from twins.values import NATIVES, random_type, random_value

_NAMES = """
abs exp log log10 round min max sum avg count to_json tojson from_json fromjson token uuid now
to_date todate to_timestamp totimestamp to_unix_timestamp tounixtimestamp dateof unixtimestampof
min_timeuuid mintimeuuid max_timeuuid maxtimeuuid floor currenttimestamp currentdate currenttime currenttimeuuid
current_timestamp current_date current_time current_timeuuid
map_keys map_values collection_count collection_min collection_max collection_sum collection_avg
mask_default mask_null mask_hash mask_inner mask_outer mask_replace
similarity_cosine similarity_euclidean similarity_dot_product blob_as_text text_as_blob varchar_as_blob blob_as_varchar
writetime ttl maxwritetime cast_as_text nothing count_rows
""".split()
NAMES = [
    *_NAMES,
    *(f"{name}_as_blob" for name in NATIVES),
    *(f"blob_as_{name}" for name in NATIVES),
    *(f"{name}AsBlob" for name in NATIVES),
    *(f"blobAs{name}" for name in NATIVES),
]
_OF_NOW = frozenset(name for name in NAMES if name.startswith("current") or name in ("uuid", "now"))
# Types with which a call of that name has some luck.
_FITTING = {
    "abs": "number", "exp": "number", "log": "number", "log10": "number", "round": "number",
    "sum": "number", "avg": "number", "floor": "time", "to_date": "time", "todate": "time",
    "to_timestamp": "time", "totimestamp": "time", "to_unix_timestamp": "time", "tounixtimestamp": "time",
    "dateof": "time", "unixtimestampof": "time", "min_timeuuid": "time", "max_timeuuid": "time",
    "mintimeuuid": "time", "maxtimeuuid": "time", "mask_inner": "text", "mask_outer": "text", "from_json": "text",
    "map_keys": "map", "map_values": "map", "collection_count": "collection", "collection_min": "collection",
    "collection_max": "collection", "collection_sum": "numbers", "collection_avg": "numbers",
    "similarity_cosine": "vector", "similarity_euclidean": "vector", "similarity_dot_product": "vector",
}  # fmt: skip
_KINDS = {
    "number": ["int", "bigint", "float", "double", "decimal", "varint", "tinyint", "smallint", "counter"],
    "time": ["timeuuid", "timestamp", "date", "time"],
    "text": ["text", "ascii"],
}


class Calls:
    """SELECTs of calls from a table whose columns have all sorts of types."""

    def __init__(self, rng: Random, table: Table, now_s: int) -> None:
        self._rng, self._table, self._now_s = rng, table, now_s
        self._marked = False

    def statement(self) -> Statement:
        rng = self._rng
        self._marked = rng.random() < 0.4
        chosen = tuple(self._any() for _ in range(rng.choice([1, 1, 1, 2])))
        clauses = [Clause("SELECT ", chosen, tail=f" FROM {self._table.full_name}", required=True)]
        if rng.random() < 0.8:
            clauses.append(Clause("", (("LIMIT 3",),)))
        made = Statement(tuple(clauses), self._marked and rng.random() < 0.8, rng.choice([4, 5]))
        return replace(made, version=5, now_s=self._now_s) if "ttl(" in made.text().lower() else made

    def _any(self) -> Item:
        rng = self._rng
        luck = rng.random()
        if luck < 0.25:
            left, right = self._argument("number"), self._argument("number")
            if rng.random() < 0.2:
                left = self._argument("time")
                right = self._argument("duration") if rng.random() < 0.7 else right
            if rng.random() < 0.15:
                return ("-", *left)
            if rng.random() < 0.2:
                return (
                    *left,
                    rng.choice([" + ", " - ", " * "]),
                    *right,
                    rng.choice([" + ", " / ", " % "]),
                    *self._argument("number"),
                )
            return (*left, rng.choice([" + ", " - ", " * ", " / ", " % "]), *right)
        if luck < 0.35:
            return ("CAST(", *self._argument("any"), f" AS {rng.choice([*NATIVES, 'varchar', 'counter', 'list<int>'])})")
        return self._call(rng.choice(list(_FITTING)) if rng.random() < 0.5 else rng.choice(NAMES), 2)

    def _call(self, name: str, depth: int) -> Item:
        rng = self._rng
        kind = _FITTING.get(name, "any")
        if name.endswith(("_as_blob", "AsBlob")) and rng.random() < 0.8:
            kind = name.replace("_as_blob", "").replace("AsBlob", "")
        if name.startswith(("blob_as", "blobAs")) and rng.random() < 0.8:
            kind = "blob"
        count = 1 if rng.random() < 0.85 else rng.choice([0, 2])
        if name in ("uuid", "now") or name.startswith("current"):
            count = 0 if rng.random() < 0.9 else 1
        arguments = [self._argument(kind, depth - 1) for _ in range(count)]
        if name in ("mask_inner", "mask_outer") and rng.random() < 0.95:
            numbers = ["0", "1", "2", "-1", "null", "100", "(int)null"]
            arguments += [(rng.choice(numbers),), (rng.choice(numbers),)]
            if rng.random() < 0.4:
                arguments.append((rng.choice(["'#'", "'##'", "''", "null", "1"]),))
        elif name == "mask_replace":
            arguments.append(self._argument(kind, depth - 1))
        elif name == "mask_hash" and rng.random() < 0.5:
            arguments.append((rng.choice(["'MD5'", "'SHA-256'", "'SHA-1'", "'sha-512'", "'x'", "null"]),))
        elif name == "floor":
            arguments.append((rng.choice(["1h", "2d", "1mo", "3m", "1y", "PT5M", "1ms", "-1h", "1us", "1h30m"]),))
            if rng.random() < 0.3:
                arguments.append(self._argument("time", depth - 1))
        elif name.startswith("similarity") and rng.random() < 0.9:
            arguments.append(arguments[0] if arguments and rng.random() < 0.4 else self._argument(kind, depth - 1))
        shown: list[str | Bound] = [f"{rng.choice(['system.', '', '', ''])}{name}("]
        for index, argument in enumerate(arguments):
            shown += [", "] if index else []
            shown += argument
        return (*shown, ")")

    def _argument(self, kind: str, depth: int = 1) -> Item:
        rng = self._rng
        luck = rng.random()
        if depth > 0 and luck < 0.1:
            return self._call(rng.choice([name for name in NAMES if name not in _OF_NOW]), depth)
        if luck < 0.5:
            fitting = [column for column in self._table.columns if _fits(column.type, kind)]
            if fitting:
                return (rng.choice(fitting).written,)
        if luck < 0.55:
            return (
                rng.choice(
                    ["null", "1", "'a'", "0x", "1.5", "true", "[1]", "{1}", "{1: 2}", "(1, 2)", "[]", "{}", "NaN", "1h"]
                ),
            )
        cql_type = self._type(kind)
        if luck < 0.57 and self._marked:
            return (f"({cql_type.cql()})", Bound(None, UNSET, True))
        value = random_value(rng, cql_type)
        empty = luck < 0.6 and self._marked
        bound = Bound(cql_type.to_literal(value), b"" if empty else value, self._marked and rng.random() < 0.6)
        if empty:
            bound = Bound(None, b"", True)
        if rng.random() < 0.6 or empty:
            return (f"({cql_type.cql()})", bound)
        return (bound,)

    def _type(self, kind: str) -> CqlType:
        rng = self._rng
        if rng.random() < 0.1:
            kind = "any"
        if kind in _KINDS:
            return NATIVE_TYPES[rng.choice([name for name in _KINDS[kind] if name != "counter"])]
        if kind in NATIVE_TYPES:
            return NATIVE_TYPES[kind]
        for _ in range(30):
            found = random_type(rng, self._table.user_types)
            if _fits(found, kind):
                return found
        return NATIVE_TYPES["int"]


def _fits(cql_type: CqlType, kind: str) -> bool:
    name = cql_type.cql()
    if kind in _KINDS:
        return name in _KINDS[kind]
    if kind == "any":
        return True
    if kind in ("map", "vector"):
        return f"{kind}<" in name[:14]
    if kind in ("collection", "numbers"):
        return any(f"{one}<" in name[:12] for one in ("list", "set", "map")) and not isinstance(cql_type, UserType)
    return name == kind
