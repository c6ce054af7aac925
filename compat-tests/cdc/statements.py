"""Tables and statements whose mutations Cassandra and this server write with the same bytes: all that is random, or of now,
is given. What can't be given stands apart (`UNEQUAL`): counters hold the node's id, lists timeuuids, LWTs ballots."""

from typing import Final

KEYSPACE: Final = "cdcsamples"
NOW_S: Final = 1_700_000_000
BEGIN_US: Final = 1_699_999_990_000_000

_UUID: Final = "00000000-0000-4000-8000-000000000001"
_MANY: Final = tuple(f"v{i:02}" for i in range(70))
TABLES: Final = {
    "plain": "(k int, c int, s text static, v text, w bigint, PRIMARY KEY (k, c))",
    "descending": "(a text, b uuid, c text, d int, v blob, PRIMARY KEY ((a, b), c, d))"
    " WITH CLUSTERING ORDER BY (c ASC, d DESC)",
    "complex": "(k text PRIMARY KEY, m map<text, int>, s set<int>, f frozen<list<text>>, n set<text>)",
    "types": "(k timeuuid PRIMARY KEY, a ascii, b boolean, d decimal, e double, f float, g inet, h date, i time,"
    " j timestamp, l smallint, m tinyint, n varint, o duration, p tuple<int, text>, q vector<float, 3>)",
    "many": f"(k int PRIMARY KEY, {', '.join(f'{name} int' for name in _MANY)})",
    "keys": "(k int, c text, PRIMARY KEY (k, c))",
    "statics": "(k int, c int, s text static, t map<int, text> static, v int, PRIMARY KEY (k, c))",
    "counts": "(k int PRIMARY KEY, n counter)",
    "lists": "(k int PRIMARY KEY, l list<int>)",
}
"""By name, each with `cdc = true` besides."""

EQUAL: Final = (
    "INSERT INTO plain (k, c, v) VALUES (1, 1, 'one')",
    "INSERT INTO plain (k, c, v, w) VALUES (1, 2, 'two', 2)",
    "INSERT INTO plain (k, c, s) VALUES (1, 3, 'static')",
    "INSERT INTO plain (k, s) VALUES (1, 'static alone')",
    "INSERT INTO plain (k, c, v) VALUES (2, 1, 'expires') USING TTL 3600",
    "UPDATE plain SET v = 'updated' WHERE k = 1 AND c = 1",
    "UPDATE plain USING TTL 60 SET v = 'for a minute', w = 7 WHERE k = 1 AND c = 1",
    "UPDATE plain SET v = null WHERE k = 1 AND c = 1",
    "UPDATE plain SET s = 'a', v = 'b' WHERE k = 1 AND c = 9",
    "UPDATE plain SET v = '' WHERE k = 1 AND c = 1",
    "DELETE v FROM plain WHERE k = 1 AND c = 1",
    "DELETE s FROM plain WHERE k = 1",
    "DELETE FROM plain WHERE k = 1 AND c = 1",
    "DELETE FROM plain WHERE k = 1 AND c > 1 AND c <= 5",
    "DELETE FROM plain WHERE k = 1 AND c >= 10",
    "DELETE FROM plain WHERE k = 1 AND c < 0",
    "DELETE FROM plain WHERE k = 1",
    "DELETE FROM plain WHERE k IN (3, 4)",
    "BEGIN UNLOGGED BATCH INSERT INTO plain (k, c, v) VALUES (5, 2, 'b'); INSERT INTO plain (k, c, v) VALUES (5, 1, 'a');"
    " DELETE FROM plain WHERE k = 5 AND c > 5 AND c < 9; DELETE FROM plain WHERE k = 5 AND c >= 9 AND c < 12; APPLY BATCH",
    "BEGIN BATCH INSERT INTO plain (k, c, v) VALUES (6, 1, 'one key'); INSERT INTO keys (k, c) VALUES (6, 'two tables');"
    " APPLY BATCH",
    "BEGIN UNLOGGED BATCH DELETE FROM plain WHERE k = 7; INSERT INTO plain (k, c, v) VALUES (7, 1, 'a');"
    " UPDATE plain SET s = 's' WHERE k = 7; APPLY BATCH",
    f"INSERT INTO descending (a, b, c, d, v) VALUES ('a', {_UUID}, 'x', 1, 0xcafe)",
    f"INSERT INTO descending (a, b, c, d, v) VALUES ('', {_UUID}, '', 1, 0x)",
    f"DELETE FROM descending WHERE a = 'a' AND b = {_UUID} AND c = 'x' AND d > 3",
    f"DELETE FROM descending WHERE a = 'a' AND b = {_UUID} AND c = 'x' AND d <= 3 AND d > 1",
    f"DELETE FROM descending WHERE a = 'a' AND b = {_UUID} AND c >= 'x' AND c < 'y'",
    f"DELETE FROM descending WHERE a = 'a' AND b = {_UUID} AND (c, d) > ('x', 4)",
    f"BEGIN UNLOGGED BATCH INSERT INTO descending (a, b, c, d, v) VALUES ('d', {_UUID}, 'x', 1, 0x01);"
    f" INSERT INTO descending (a, b, c, d, v) VALUES ('d', {_UUID}, 'x', 9, 0x02);"
    f" INSERT INTO descending (a, b, c, d) VALUES ('d', {_UUID}, 'a', 5); APPLY BATCH",
    "INSERT INTO complex (k, m, s, f) VALUES ('k', {'b': 2, 'a': 1}, {3, -1, 2}, ['x', ''])",
    "UPDATE complex SET m = m + {'c': 3}, s = s - {2} WHERE k = 'k'",
    "UPDATE complex SET m['d'] = 4 WHERE k = 'k'",
    "UPDATE complex USING TTL 100 SET n = n + {'expires'} WHERE k = 'k'",
    "DELETE m['a'] FROM complex WHERE k = 'k'",
    "UPDATE complex SET m = {}, n = {'only', 'these'} WHERE k = 'k'",
    "DELETE m, s, f FROM complex WHERE k = 'k'",
    "INSERT INTO types (k, a, b, d, e, f, g, h, i, j, l, m, n, o, p, q) VALUES (00000000-0000-1000-8000-000000000001, 'a',"
    " true, 1.50, 2.5, 3.5, '10.0.0.1', '2020-01-02', '03:04:05', '2020-01-02T03:04:05Z', 7, -8,"
    " 123456789012345678901234567890,"
    " 1mo2d3s, (1, 't'), [1, 2, 3])",
    "INSERT INTO types (k, g) VALUES (00000000-0000-1000-8000-000000000002, '::1')",
    "INSERT INTO many (k, v00, v69) VALUES (1, 0, 69)",
    f"INSERT INTO many (k, {', '.join(_MANY)}) VALUES (2, {', '.join(str(i) for i in range(70))})",
    "BEGIN UNLOGGED BATCH INSERT INTO many (k, v03) VALUES (3, 3); UPDATE many SET v05 = 5 WHERE k = 3; APPLY BATCH",
    "INSERT INTO keys (k, c) VALUES (1, 'only a key')",
    f"INSERT INTO keys (k, c) VALUES (1, '{'long ' * 100}')",
    "BEGIN UNLOGGED BATCH INSERT INTO keys (k, c) VALUES (2, 'a'); INSERT INTO keys (k, c) VALUES (2, 'b');"
    " DELETE FROM keys WHERE k = 2 AND c = 'c'; APPLY BATCH",
    "INSERT INTO statics (k, s, t) VALUES (1, 's', {1: 'one'})",
    "UPDATE statics SET t[2] = 'two', v = 1 WHERE k = 1 AND c = 1",
    "DELETE t[1] FROM statics WHERE k = 1",
)
UNEQUAL: Final = (
    "UPDATE counts SET n = n + 1 WHERE k = 1",
    "UPDATE counts SET n = n - 3 WHERE k = 1",
    "UPDATE lists SET l = [1, 2] WHERE k = 1",
    "UPDATE lists SET l = l + [3] WHERE k = 1",
    "INSERT INTO plain (k, c, v) VALUES (20, 1, 'conditional') IF NOT EXISTS",
    "UPDATE plain SET v = 'changed' WHERE k = 20 AND c = 1 IF v = 'conditional'",
)


def create(name: str, table_id: str) -> str:
    """The statement that makes a table."""
    definition = TABLES[name]
    more = "AND" if " WITH " in definition else "WITH"
    return f"CREATE TABLE {KEYSPACE}.{name} {definition} {more} id = {table_id} AND cdc = true"


def table_id(name: str) -> str:
    return f"5a1bc9e0-7fff-11ee-8000-{list(TABLES).index(name):012x}"
