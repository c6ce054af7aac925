"""Requests that hold everybody up if nobody takes care: each kind once, as long as clients may make it.

A case is (name, request); what it needs is made by `ask` before it is yielded. `Sizes` says how long they are: as they
were when they were found (`Sizes()`), or a hundredth for a test (`Sizes(0.01)`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from protocol import responses
from protocol.requests import Batch, BatchEntry, Execute, Prepare, Query, QueryOptions, Request

Ask = Callable[[Request], responses.Response]
Cases = Iterator[tuple[str, Request]]

SCHEMA = (
    "CREATE KEYSPACE load WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "USE load",
    "CREATE TABLE t (k int, c int, v text, PRIMARY KEY (k, c))",
    "CREATE TABLE l (k int PRIMARY KEY, f frozen<list<int>>, l list<int>, m map<int, int>, s set<int>, t text, i varint)",
    "CREATE TABLE p (a int, b int, c int, d int, v int, PRIMARY KEY ((a, b), c, d))",
    "CREATE TABLE one (k int PRIMARY KEY, v int)",
    "INSERT INTO one (k, v) VALUES (1, 1)",
    "CREATE TABLE n (k int PRIMARY KEY, d decimal, i varint)",
)
INSERT = "INSERT INTO t (k, c, v) VALUES ({}, {}, 'x')"
ROWS_PER_BATCH, PARTITIONS_PER_BATCH = 5_000, 500
UNLIMITED = QueryOptions(page_size=-1)


@dataclass(frozen=True)
class Sizes:
    scale: float = 1.0

    def of(self, size: int) -> int:
        """`size` at full scale."""
        return max(int(size * self.scale), 10)

    def side(self, size: int) -> int:
        """Of a product, `size` at full scale."""
        return max(int(size * self.scale**0.5), 10)


class _Maker:
    """What cases have in common: how to ask, and how long things are."""

    def __init__(self, ask: Ask, sizes: Sizes) -> None:
        self._ask, self.of, self.side = ask, sizes.of, sizes.side
        self._prepared: dict[str, bytes] = {}

    def ask(self, request: Request | str) -> responses.Response:
        response = self._ask(Query(request) if isinstance(request, str) else request)
        if isinstance(response, responses.Error):
            raise response.error
        return response

    def bound(self, text: str, *values: bytes, options: QueryOptions | None = None) -> Execute:
        if text not in self._prepared:
            prepared = self.ask(Prepare(text))
            assert isinstance(prepared, responses.PreparedResult), prepared
            self._prepared[text] = prepared.statement_id
        return Execute(self._prepared[text], None, (options or QueryOptions())._replace(values=values))

    def fill(self, table: str, count: int, *, one_partition: bool) -> None:
        """Rows of `table (k int, c int, v int, PRIMARY KEY (k, c))`."""
        self.ask(f"CREATE TABLE {table} (k int, c int, v int, PRIMARY KEY (k, c))")
        text = f"INSERT INTO {table} (k, c, v) VALUES (?, ?, ?)"
        statement_id = self.bound(text).statement_id
        per_batch = ROWS_PER_BATCH if one_partition else PARTITIONS_PER_BATCH
        for start in range(0, count, per_batch):
            entries = tuple(
                BatchEntry(statement_id, (integer(1 if one_partition else n), integer(n), integer(n)))
                for n in range(start, min(start + per_batch, count))
            )
            self.ask(Batch(1, entries, QueryOptions()))


def integer(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)


def numbers(size: int, text: str = "{}") -> str:
    """Of `size` characters."""
    return ",".join(text.format(number) for number in range(max(size // len(text.format(size)), 3)))


def counted(count: int, text: str = "{}", separator: str = ",") -> str:
    return separator.join(text.format(number) for number in range(count))


def list_value(count: int, *, pairs: bool = False) -> bytes:
    item = b"\0\0\0\4"
    return integer(count) + b"".join(item + integer(n) + (item + integer(n) if pairs else b"") for n in range(count))


def _texts(maker: _Maker) -> Cases:
    """Long texts and messages."""
    size = maker.of(1_000_000)

    def batch(text: str) -> str:
        return f"BEGIN UNLOGGED BATCH {numbers(size, text + ';').replace(';,', ';')} APPLY BATCH"

    same, other = INSERT.format(1, "{0}"), INSERT.format("{0}", 1)
    statement_id = maker.bound("INSERT INTO t (k, c, v) VALUES (?, ?, 'x')").statement_id

    def entries(key: Callable[[int], int]) -> tuple[BatchEntry, ...]:
        return tuple(BatchEntry(statement_id, (integer(key(n)), integer(n))) for n in range(min(65_535, size // 16)))

    columns = f"SELECT {','.join('k' for _ in range(size // 2))} FROM t WHERE k = 1 AND c = 1"
    yield "frozen list literal", Query(f"INSERT INTO l (k, f) VALUES (1, [{numbers(size)}])")
    yield "frozen list literal of 15 MB", Query(f"INSERT INTO l (k, f) VALUES (1, [{numbers(15 * size)}])")
    yield "list literal", Query(f"INSERT INTO l (k, l) VALUES (2, [{numbers(size)}])")
    yield "set literal", Query(f"INSERT INTO l (k, s) VALUES (3, {{{numbers(size)}}})")
    yield "map literal", Query(f"INSERT INTO l (k, m) VALUES (4, {{{numbers(size, '{0}:{0}')}}})")
    yield "selected columns", Query(columns)
    yield "prepare selected columns", Prepare(columns)
    yield "batch text", Query(batch(same))
    yield "batch text of partitions", Query(batch(other))
    yield "prepare batch text", Prepare(batch(same))
    yield "batch message", Batch(1, entries(lambda n: 1), QueryOptions())
    yield "batch message of partitions", Batch(1, entries(lambda n: n), QueryOptions())
    texts = tuple(BatchEntry(same.format(n), ()) for n in range(min(65_535, size // len(same))))
    yield "batch message of texts", Batch(1, texts, QueryOptions())
    yield "string", Query(f"INSERT INTO l (k, t) VALUES (5, '{'x' * size}')")
    yield "string of quotes", Query(f"INSERT INTO l (k, t) VALUES (6, '{chr(39) * (size // 2 * 2)}')")
    yield "quotes", Query("'" * size)
    yield "unterminated string", Query(f"INSERT INTO l (k, t) VALUES (6, '{'x' * size}")
    yield "unterminated comment", Query(f"SELECT /* {'x' * size}")
    yield "unterminated name", Query(f'SELECT "{"x" * size}')
    for name, text in {
        "word": "SELECT {} FROM t", "name in quotes": 'SELECT "{}" FROM t', "comment": "SELECT /*{}*/ k FROM t",
        "string": "INSERT INTO l (k, t) VALUES (5, '{}')", "string in dollars": "INSERT INTO l (k, t) VALUES (5, $${}$$)",
        "comment to the end of the line": "SELECT --{}\n k FROM t",
    }.items():  # fmt: skip
        yield f"{name} of 15 MB", Query(text.format("x" * (15 * size)))
    yield "quotes of 15 MB", Query(f"INSERT INTO l (k, t) VALUES (5, '{chr(39) * (15 * size // 2 * 2)}')")
    yield "duration of 15 MB", Query(f"SELECT * FROM l WHERE k = {'1y' * (15 * size // 2)}")
    yield "blob of 15 MB", Query(f"SELECT * FROM l WHERE k = 0x{'1' * (15 * size)}")
    yield "PREPARE of a string of 15 MB", Prepare(f"INSERT INTO l (k, t) VALUES (5, '{'x' * (15 * size)}')")
    yield "syntax error at the end", Query(f"INSERT INTO l (k, f) VALUES (8, [{numbers(size)}")
    yield "wrong value at the end", Query(f"INSERT INTO l (k, f) VALUES (9, [{numbers(size)},'x'])")
    yield "relations", Query(f"SELECT * FROM t WHERE {' AND '.join('k = 1' for _ in range(size // 10))}")
    yield "arguments", Query(f"SELECT nothing({numbers(size)}) FROM t")
    deep = maker.of(200_000)
    yield "nested parentheses", Query(f"SELECT * FROM t WHERE k = {'(' * deep}1{')' * deep}")
    yield "nested lists", Query(f"INSERT INTO l (k, f) VALUES (1, {'[' * deep}{']' * deep})")
    yield "nested functions", Query(f"SELECT {'f(' * deep}k{')' * deep} FROM t")
    yield "nested sums", Query(f"SELECT {'(' * 300}k{'+1)' * 300} FROM t")


def _columns(maker: _Maker) -> Cases:
    """Tables and types of many columns and fields."""
    for full in (500, 1_000, 2_000, 4_000, 10_000):
        count = maker.of(full)
        maker.ask(f"CREATE TABLE w{full} (k int PRIMARY KEY, {counted(count, 'c{} int')})")
        yield f"SELECT * of {full:,} columns", Query(f"SELECT * FROM w{full}")
    count = maker.of(10_000)
    names, values = counted(count, "c{}"), counted(count)
    yield "INSERT of 10,000 columns", Query(f"INSERT INTO w10000 (k,{names}) VALUES (1,{values})")
    yield "SELECT * of 10,000 columns with a row", Query("SELECT * FROM w10000")
    yield "SELECT JSON * of 10,000 columns", Query("SELECT JSON * FROM w10000")
    yield "UPDATE of 10,000 columns", Query(f"UPDATE w10000 SET {counted(count, 'c{0}={0}')} WHERE k=2")
    yield "DELETE of 10,000 columns", Query(f"DELETE {names} FROM w10000 WHERE k=2")
    yield "PREPARE of 10,000 columns", Prepare("SELECT * FROM w10000 WHERE k = ?")
    yield "CREATE TABLE of 10,000 columns", Query(f"CREATE TABLE w1 (k int PRIMARY KEY,{counted(count, 'c{} int')})")
    count = maker.of(5_000)
    yield "ALTER TABLE ADD of 5,000 columns", Query(f"ALTER TABLE one ADD ({counted(count, 'c{} int')})")
    yield "ALTER TABLE DROP of 5,000 columns", Query(f"ALTER TABLE one DROP ({counted(count, 'c{}')})")
    yield "DROP TABLE of 10,000 columns", Query("DROP TABLE w1")
    for full in (2_000, 10_000, 70_000):
        yield f"CREATE TYPE of {full:,} fields", Query(f"CREATE TYPE t{full} ({counted(maker.of(full), 'f{} int')})")
    yield "ALTER TYPE of 10,000 fields", Query("ALTER TYPE t10000 ADD more int")
    keys = counted(count, "c{}")
    many = f"CREATE TABLE keys (k int,{counted(count, 'c{} int')}, v int, PRIMARY KEY (k,{keys}))"
    yield "CREATE TABLE of 5,000 clustering columns", Query(many)
    yield "INSERT of 5,000 clustering columns", Query(f"INSERT INTO keys (k,{keys},v) VALUES (1,{counted(count)},1)")
    yield "SELECT of 5,000 clustering columns", Query(f"SELECT * FROM keys WHERE k=1 AND ({keys}) > ({counted(count)})")
    elements = counted(maker.of(70_000), "int")
    yield "tuple of 70,000 elements", Query(f"CREATE TABLE tu (k int PRIMARY KEY, t tuple<{elements}>)")


def _numbers(maker: _Maker) -> Cases:
    """Numbers of many digits, and with huge exponents."""
    for full in (300_000, 1_000_000, 5_000_000):
        yield f"varint literal of {full:,} digits", Query(f"INSERT INTO n (k, i) VALUES (1, {'7' * maker.of(full)})")
    yield "decimal literal of 300,000 digits", Query(f"INSERT INTO n (k, d) VALUES (1, 0.{'7' * maker.of(300_000)})")
    yield "key of 1,000,000 digits", Query(f"SELECT * FROM t WHERE k = {'7' * maker.of(1_000_000)}")
    yield "JSON of 300,000 digits", Query(f"""INSERT INTO n JSON '{{"k": 1, "i": "{'7' * maker.of(300_000)}"}}'""")
    bound = "INSERT INTO n (k, i) VALUES (2, ?)"
    yield "bound varint of 2 MB", maker.bound(bound, b"\x77" * maker.of(2_000_000))
    digits = maker.of(20_000)
    maker.ask(f"INSERT INTO n (k, i, d) VALUES (3, {'7' * digits}, 0.{'7' * digits})")
    maker.ask("INSERT INTO n JSON '{\"k\": 4, \"i\": 3, \"d\": \"1e900000\"}'")
    maker.ask("INSERT INTO n JSON '{\"k\": 5, \"i\": 3, \"d\": \"1e2147483647\"}'")
    for key, shown in ((3, "20,000 digits"), (4, "1e900000"), (5, "1e2147483647")):
        for expression in (
            "sum(d)", "avg(d)", "round(d)", "d/3", "3/d", "d%7", "d+1", "d*d", "log(d)", "log10(d)", "exp(d)", "to_json(d)",
            "cast(d as text)", "cast(d as varint)", "cast(d as double)", "max(d)",
        ):  # fmt: skip
            yield f"{expression} of {shown}", Query(f"SELECT {expression} FROM n WHERE k = {key}")
    for expression in (
        "i*i", "i+d", "i*d", "i/d", "i%3", "log(i)", "log10(i)", "exp(i)", "cast(i as decimal)", "cast(i as text)",
        "to_json(i)", "cast(i as double)", "sum(i)", "avg(i)",
    ):  # fmt: skip
        yield f"{expression} of a varint of 20,000 digits", Query(f"SELECT {expression} FROM n WHERE k = 3")
    maker.ask("CREATE TABLE many (k int PRIMARY KEY, i varint, d decimal)")
    for key in range(maker.of(500)):
        maker.ask(maker.bound("INSERT INTO many (k, i) VALUES (?, ?)", integer(key), b"\x77" * (maker.of(20_000) * 2 // 5)))
    yield "i*3 of 500 varints of 20,000 digits", Query("SELECT i*3 FROM many", UNLIMITED)
    yield "to_json of 500 varints of 20,000 digits", Query("SELECT JSON * FROM many", UNLIMITED)
    yield "sum of 500 varints of 20,000 digits", Query("SELECT sum(i) FROM many", UNLIMITED)


def _collections(maker: _Maker) -> Cases:
    """Collections of many cells."""
    count = maker.of(100_000)
    one, two = list_value(count), list_value(count, pairs=True)
    yield "INSERT of a bound map", maker.bound("INSERT INTO l (k, m) VALUES (20, ?)", two)
    yield "INSERT of a bound set", maker.bound("INSERT INTO l (k, s) VALUES (20, ?)", one)
    yield "INSERT of a bound list", maker.bound("INSERT INTO l (k, l) VALUES (20, ?)", one)
    yield "INSERT of a bound frozen list", maker.bound("INSERT INTO l (k, f) VALUES (20, ?)", one)
    middle = count // 2
    for text in (
        "UPDATE l SET l = l + [1] WHERE k = 20",
        "UPDATE l SET l = [1] + l WHERE k = 20",
        f"UPDATE l SET l[{middle}] = 1 WHERE k = 20",
        "UPDATE l SET l = l - [77] WHERE k = 20",
        f"UPDATE l SET l[5] = 1 WHERE k = 20 IF l[{middle}] = {middle}",
        "DELETE l[0] FROM l WHERE k = 20",
        "UPDATE l SET m[5] = 5 WHERE k = 20",
        "UPDATE l SET m[5] = 6 WHERE k = 20 IF m[5] = 5",
        "UPDATE l SET s = s + {5} WHERE k = 20",
        "DELETE m[7] FROM l WHERE k = 20",
        "UPDATE l SET t = 'x' WHERE k = 20 IF f != null",
        "SELECT l FROM l WHERE k = 20",
        "SELECT m FROM l WHERE k = 20",
        "SELECT s FROM l WHERE k = 20",
        "SELECT m[5] FROM l WHERE k = 20",
        "SELECT m[5..9] FROM l WHERE k = 20",
        "SELECT writetime(m) FROM l WHERE k = 20",
        "SELECT writetime(m[5]) FROM l WHERE k = 20",
        "SELECT k FROM l WHERE m CONTAINS 5 ALLOW FILTERING",
        "SELECT k FROM l WHERE m CONTAINS KEY 5 ALLOW FILTERING",
        "SELECT k FROM l WHERE f CONTAINS 5 ALLOW FILTERING",
        "SELECT k FROM l WHERE m[5] = 5 ALLOW FILTERING",
        "SELECT JSON l FROM l WHERE k = 20",
        "SELECT JSON m FROM l WHERE k = 20",
        "SELECT JSON f FROM l WHERE k = 20",
        "SELECT to_json(l) FROM l WHERE k = 20",
        "SELECT collection_count(m), collection_sum(f), collection_max(s) FROM l WHERE k = 20",
        "SELECT map_keys(m), map_values(m) FROM l WHERE k = 20",
        "SELECT count(l), max(f) FROM l",
        "SELECT * FROM l WHERE k = 20",
        "DELETE l, m, s FROM l WHERE k = 20",
    ):
        yield text.replace(str(middle), "50000"), Query(text)
    read = maker.bound("SELECT * FROM l WHERE k = ?", integer(20))
    maker.ask(maker.bound("INSERT INTO l (k, m) VALUES (20, ?)", two))
    yield "EXECUTE SELECT * FROM l WHERE k = ?", read
    yield "INSERT of the same map again", maker.bound("INSERT INTO l (k, m) VALUES (20, ?)", two)
    yield "DELETE FROM l WHERE k = 20", Query("DELETE FROM l WHERE k = 20")
    text = "[" + counted(count) + "]"
    yield "INSERT JSON of a list", Query(f"""INSERT INTO l JSON '{{"k": 20, "l": {text}}}'""")
    yield "from_json of a list", Query(f"INSERT INTO l (k, l) VALUES (20, from_json('{text}'))")


def _products(maker: _Maker) -> Cases:
    """IN x IN, and relations of tuples. The larger products are refused: so many rows may no statement ask for."""
    size, side = maker.of(1_000_000), counted(maker.side(1_500))
    yield "IN", Query(f"SELECT * FROM t WHERE k IN ({numbers(size)})")
    yield "IN of 15 MB", Query(f"SELECT * FROM t WHERE k IN ({numbers(15 * size)})")
    yield "IN x IN of keys", Query(f"SELECT * FROM p WHERE a IN ({side}) AND b IN ({side})")
    yield "IN x IN of rows", Query(f"SELECT * FROM p WHERE a = 1 AND b = 1 AND c IN ({side}) AND d IN ({side})")
    small = counted(maker.side(500))
    yield "update IN x IN of keys", Query(f"UPDATE p SET v = 1 WHERE a IN ({small}) AND b IN ({small}) AND c=1 AND d=1")
    yield "update IN x IN of rows", Query(f"UPDATE p SET v = 1 WHERE a=1 AND b=1 AND c IN ({small}) AND d IN ({small})")
    yield "delete IN x IN of rows", Query(f"DELETE FROM p WHERE a=1 AND b=1 AND c IN ({small}) AND d IN ({small})")
    pairs = counted(maker.of(100_000), "({0},{0})")
    yield "IN of pairs", Query(f"SELECT * FROM p WHERE a = 1 AND b = 1 AND (c, d) IN ({pairs})")


def _freed(maker: _Maker) -> Cases:
    """What lets go of many rows."""
    count = maker.of(300_000)
    maker.fill("wide", count, one_partition=True)
    yield "DELETE of a range of 300,000 rows", Query("DELETE FROM wide WHERE k = 1 AND c >= 0")
    maker.fill("wide2", count, one_partition=True)
    yield "DELETE of a partition of 300,000 rows", Query("DELETE FROM wide2 WHERE k = 1")
    maker.fill("wide3", count, one_partition=True)
    yield "DROP TABLE of 300,000 rows", Query("DROP TABLE wide3")
    maker.fill("narrow", maker.of(400_000), one_partition=False)
    yield "DROP TABLE of 400,000 partitions", Query("DROP TABLE narrow")
    maker.fill("narrow2", maker.of(400_000), one_partition=False)
    yield "TRUNCATE of 400,000 partitions", Query("TRUNCATE narrow2")
    maker.fill("narrow3", maker.of(400_000), one_partition=False)
    maker.ask("CREATE KEYSPACE gone WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    maker.ask("CREATE TABLE gone.t (k int PRIMARY KEY)")
    yield "DROP KEYSPACE", Query("DROP KEYSPACE gone")


def _scans(maker: _Maker) -> Cases:
    """Full results and aggregates of many rows."""
    maker.fill("many_rows", maker.of(500_000), one_partition=False)
    for text in (
        "SELECT * FROM many_rows",
        "SELECT v, k + c FROM many_rows",
        "SELECT JSON * FROM many_rows",
        "SELECT count(*), sum(v), avg(v) FROM many_rows",
        "SELECT k, max(v) FROM many_rows GROUP BY k",
        "SELECT DISTINCT k FROM many_rows",
        "SELECT * FROM many_rows WHERE v = 5 ALLOW FILTERING",
    ):
        yield text, Query(text, UNLIMITED)
    keys = list_value(maker.of(300_000))
    text = "SELECT * FROM many_rows WHERE k IN ? ORDER BY c"
    yield "IN and ORDER BY of 300,000 rows", maker.bound(text, keys, options=UNLIMITED)
    maker.fill("wide_rows", maker.of(500_000), one_partition=True)
    yield "SELECT * of a partition of 500,000 rows", Query("SELECT * FROM wide_rows WHERE k = 1", UNLIMITED)
    yield "EXECUTE of the same", maker.bound("SELECT * FROM wide_rows WHERE k = ?", integer(1), options=UNLIMITED)
    yield "the same backwards", Query("SELECT * FROM wide_rows WHERE k = 1 ORDER BY c DESC", UNLIMITED)
    yield "UPDATE of 20,000 rows", Query(f"UPDATE wide_rows SET v = 1 WHERE k = 1 AND c IN ({counted(maker.of(20_000))})")
    yield "TRUNCATE of 500,000 rows", Query("TRUNCATE many_rows")


def _schemas(maker: _Maker) -> Cases:
    """A schema of many tables."""
    maker.ask("CREATE KEYSPACE large WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}")
    for number in range(maker.of(3_000)):
        maker.ask(f"CREATE TABLE large.t{number} (k int, c int, v text, w set<text>, PRIMARY KEY (k, c))")
    for text in (
        "DESCRIBE SCHEMA",
        "DESCRIBE KEYSPACE large",
        "DESCRIBE TABLES",
        "DESCRIBE FULL SCHEMA",
        "SELECT * FROM system_schema.columns",
        "SELECT * FROM system_schema.tables",
        "CREATE TABLE large.one_more (k int PRIMARY KEY)",
        "ALTER TABLE large.one_more ADD v int",
        "DROP TABLE large.one_more",
        "DROP KEYSPACE large",
    ):
        yield text, Query(text, UNLIMITED)


def _derived(maker: _Maker) -> Cases:
    """Large changes of one partition of tables with indexes and views."""
    made = {
        "index": ("CREATE INDEX ON {0} (v)",),
        "SAI": ("CREATE INDEX ON {0} (v) USING 'sai'",),
        "view": (
            "CREATE MATERIALIZED VIEW {0}_v AS SELECT * FROM {0} WHERE k IS NOT NULL AND c IS NOT NULL AND v IS NOT NULL "
            "PRIMARY KEY (v, k, c)",
        ),
    }
    count = maker.of(50_000)
    for kind, statements in made.items():
        table = f"with_{kind.lower()}"
        maker.ask(f"CREATE TABLE {table} (k int, c int, v int, PRIMARY KEY (k, c))")
        for statement in statements:
            maker.ask(statement.format(table))
        statement_id = maker.bound(f"INSERT INTO {table} (k, c, v) VALUES (1, ?, ?)").statement_id

        def batch(statement_id: bytes, value: Callable[[int], int]) -> Batch:
            entries = [BatchEntry(statement_id, (integer(n), integer(value(n)))) for n in range(count)]
            return Batch(1, tuple(entries), QueryOptions())

        yield f"batch of 50,000 rows with {kind}", batch(statement_id, lambda n: n)
        yield f"the same with other values, with {kind}", batch(statement_id, lambda n: n + 1)
        yield f"the same with one value, with {kind}", batch(statement_id, lambda n: 1)
        some = counted(maker.of(20_000))
        yield f"UPDATE of 20,000 rows with {kind}", Query(f"UPDATE {table} SET v = 7 WHERE k = 1 AND c IN ({some})")
        yield f"DELETE of 25,000 rows with {kind}", Query(f"DELETE FROM {table} WHERE k = 1 AND c < {count // 2}")
        yield f"DELETE of a partition with {kind}", Query(f"DELETE FROM {table} WHERE k = 1")


KINDS: dict[str, Callable[[_Maker], Cases]] = {
    "texts": _texts,
    "columns": _columns,
    "numbers": _numbers,
    "collections": _collections,
    "products": _products,
    "freed": _freed,
    "scans": _scans,
    "schemas": _schemas,
    "derived": _derived,
}


def cases(ask: Ask, sizes: Sizes, kinds: Sequence[str] = ()) -> Cases:
    maker = _Maker(ask, sizes)
    for name, kind in KINDS.items():
        if not kinds or name in kinds:
            yield from kind(maker)
