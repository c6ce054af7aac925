"""Prepared SELECTs: statements and the values that they are executed with, and a recorder for what Cassandra says.

python tests/cqlserver/data/prepared_selects.py HOST:PORT     writes prepared_selects.txt
"""

import socket
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from protocol.client import Connection
from protocol.primitives import UNSET, Value
from protocol.responses import ColumnSpec, Error, PreparedResult, RowsResult

HERE = Path(__file__).parent
KEYSPACE = "prepared_golden"

SCHEMA = [
    "CREATE TYPE ut (x int, y text)",
    "CREATE TABLE t (k int, c int, v int, m map<text,int>, l list<int>, u ut, st set<int>, "
    "f frozen<map<text,int>>, s int static, "
    "tu tuple<int,text>, fu frozen<ut>, ve vector<float, 2>, PRIMARY KEY (k, c))",
    "CREATE TABLE d (a int, b int, c int, d int, e text, PRIMARY KEY ((a, b), c, d)) "
    "WITH CLUSTERING ORDER BY (c DESC, d ASC)",
    "INSERT INTO t (k, c, v) VALUES (1, 1, 1) USING TIMESTAMP 5",
    "INSERT INTO t (k, c, v) VALUES (1, 2, 1) USING TIMESTAMP 5",
    "INSERT INTO d (a, b, c, d, e) VALUES (1, 1, 2, 3, 'x') USING TIMESTAMP 5",
]


def _int(number: int) -> bytes:
    return number.to_bytes(4, "big", signed=True)


def _tuple(*items: bytes | None) -> bytes:
    return b"".join(_int(-1) if item is None else _int(len(item)) + item for item in items)


def _list(*items: bytes | None) -> bytes:
    return _int(len(items)) + _tuple(*items)


CASES: list[tuple[str, list[tuple[Value, ...]]]] = [
    (
        "SELECT v FROM t WHERE k = ? AND c = ?",
        [
            (_int(1), _int(1)),
            (None, _int(1)),
            (_int(1), None),
            (UNSET, _int(1)),
            (_int(1), UNSET),
            (b"\1", _int(1)),
            (b"", _int(1)),
            (_int(1), b""),
        ],
    ),
    (
        "SELECT v FROM t WHERE k IN ?",
        [(_list(_int(1), _int(2)),), (None,), (UNSET,), (_list(_int(1), None),), (b"\0",), (_list(b"\1"),)],
    ),
    ("SELECT v FROM t WHERE k IN (?, ?)", [(_int(1), _int(2)), (_int(1), None), (UNSET, _int(1))]),
    (
        "SELECT v FROM t WHERE k = ? AND c IN ?",
        [(_int(1), _list(_int(2), _int(1), _int(1))), (_int(1), None), (_int(1), UNSET)],
    ),
    (
        "SELECT v FROM t WHERE k = ? AND c > ? AND c <= ?",
        [(_int(1), _int(1), _int(2)), (_int(1), None, _int(2)), (_int(1), UNSET, _int(2))],
    ),
    (
        "SELECT v FROM t WHERE k = ? LIMIT ?",
        [(_int(1), _int(1)), (_int(1), None), (_int(1), UNSET), (_int(1), _int(0)), (_int(1), b"\1")],
    ),
    (
        "SELECT v FROM t WHERE k = ? PER PARTITION LIMIT ? LIMIT ?",
        [(_int(1), _int(1), _int(1)), (_int(1), _int(-1), _int(1))],
    ),
    (
        "SELECT e FROM d WHERE a = ? AND b = ? AND (c, d) = ?",
        [(_int(1), _int(1), _tuple(_int(2), _int(3))), (_int(1), _int(1), UNSET), (_int(1), _int(1), _tuple(_int(2), None))],
    ),
    (
        "SELECT e FROM d WHERE a = ? AND b = ? AND (c, d) = (?, ?)",
        [(_int(1), _int(1), _int(2), _int(3)), (_int(1), _int(1), _int(2), None), (_int(1), _int(1), _int(2), UNSET)],
    ),
    (
        "SELECT e FROM d WHERE a = ? AND b = ? AND (c, d) IN ?",
        [(_int(1), _int(1), _list(_tuple(_int(2), _int(3)))), (_int(1), _int(1), None), (_int(1), _int(1), UNSET)],
    ),
    (
        "SELECT e FROM d WHERE a = ? AND b = ? AND (c, d) IN (?, ?)",
        [(_int(1), _int(1), _tuple(_int(2), _int(3)), _tuple(_int(2), _int(4)))],
    ),
    (
        "SELECT e FROM d WHERE a = ? AND b = ? AND (c, d) IN ((?, ?), (1, ?))",
        [(_int(1), _int(1), _int(2), _int(3), _int(3)), (_int(1), _int(1), _int(2), None, _int(3))],
    ),
    (
        "SELECT e FROM d WHERE a = ? AND b = ? AND (c, d) > (?, ?)",
        [(_int(1), _int(1), _int(1), _int(3)), (_int(1), _int(1), None, _int(3)), (_int(1), _int(1), UNSET, _int(3))],
    ),
    (
        "SELECT e FROM d WHERE a = ? AND b = ? AND (c, d) > ?",
        [(_int(1), _int(1), _tuple(_int(1), _int(3))), (_int(1), _int(1), _tuple(_int(1)))],
    ),
    (
        "SELECT e FROM d WHERE token(a, b) > ? AND token(a, b) < token(?, ?)",
        [((5).to_bytes(8, "big"), _int(1), _int(1)), (None, _int(1), _int(1))],
    ),
    ("SELECT v FROM t WHERE v = ? ALLOW FILTERING", [(_int(1),), (None,), (UNSET,)]),
    ("SELECT v FROM t WHERE v > ? ALLOW FILTERING", [(_int(0),), (None,), (UNSET,)]),
    ("SELECT v FROM t WHERE v IN ? ALLOW FILTERING", [(_list(_int(1)),), (None,), (UNSET,)]),
    (
        "SELECT v FROM t WHERE m CONTAINS ? AND m CONTAINS KEY ? AND m[?] = ? ALLOW FILTERING",
        [
            (_int(1), b"a", b"b", _int(3)),
            (None, b"a", b"b", _int(3)),
            (_int(1), UNSET, b"b", _int(3)),
            (_int(1), b"a", None, _int(3)),
            (_int(1), b"a", b"b", UNSET),
        ],
    ),
    ("SELECT v FROM t WHERE st CONTAINS ? AND l CONTAINS ? ALLOW FILTERING", [(_int(1), _int(1))]),
    ("SELECT v FROM t WHERE f = ? ALLOW FILTERING", [(_list(b"a", _int(1)),)]),
    ("SELECT v FROM t WHERE f = {'a': ?} ALLOW FILTERING", []),
    ("SELECT v FROM t WHERE tu = (?, ?) ALLOW FILTERING", [(_int(1), b"x"), (UNSET, b"x")]),
    ("SELECT v FROM t WHERE tu = ? ALLOW FILTERING", [(_tuple(_int(1), b"x"),), (b"\1",)]),
    ("SELECT v FROM t WHERE fu = {x: ?, y: ?} ALLOW FILTERING", [(_int(1), b"x"), (UNSET, b"x")]),
    ("SELECT v FROM t WHERE ve = [?, ?] ALLOW FILTERING", [(b"\0" * 4, b"\0" * 4), (None, b"\0" * 4)]),
    ("SELECT v FROM t WHERE k = :key AND c = :key", [(_int(1), _int(1))]),
    ('SELECT v FROM t WHERE k = :key AND c > :"From"', [(_int(1), _int(1))]),
    ("SELECT ? FROM t", []),
    ("SELECT (int)? FROM t", [(_int(1),), (None,), (UNSET,)]),
    (
        "SELECT m[?], st[?..?] FROM t WHERE k = 1",
        [(b"a", _int(1), _int(2)), (UNSET, _int(1), _int(2)), (b"a", UNSET, _int(2))],
    ),
    ("SELECT intAsBlob(?), v + (int)? FROM t WHERE k = 1", [(_int(1), _int(2)), (UNSET, _int(1))]),
    ("SELECT v + ? FROM t WHERE k = 1", [(_int(1),)]),
    ("SELECT v FROM t WHERE k = (int)?", [(_int(1),)]),
    ("SELECT v FROM t WHERE k = ? + 1", [(_int(0),)]),
    ("SELECT v FROM t WHERE k = ? + ?", [(_int(0), _int(1))]),
    ("SELECT v FROM t WHERE k = blobAsInt(?)", [(_int(1),), (UNSET,), (None,), (b"\1",)]),
    ("SELECT v FROM t WHERE k = token(?)", []),
    ("SELECT token(?) FROM t", [(_int(1),)]),
    ("SELECT v FROM t WHERE k = 1 AND c = ? AND s = ? ALLOW FILTERING", [(_int(1), _int(1))]),
    ("SELECT v FROM t WHERE u = ? ALLOW FILTERING", []),
    ("SELECT v FROM t WHERE k = ? AND c < ?", [(_int(1), None)]),
]


def spec_lines(specs: Sequence[ColumnSpec], indexes: Sequence[int]) -> Iterator[str]:
    for spec in specs:
        yield f"  {spec.keyspace}.{spec.table} {spec.name} {spec.type.cql()}"
    yield f"  key {list(indexes)}"


def row_lines(rows: Sequence[Sequence[bytes | None]]) -> str:
    return "; ".join(" ".join("null" if value is None else f"={value.hex()}" for value in row) for row in rows)


def record(connection: Connection) -> Iterator[str]:
    for text, executions in CASES:
        yield f"> {text}"
        prepared = connection.prepare(text).response
        if isinstance(prepared, Error):
            yield f"  {type(prepared.error).__name__}: {prepared.error.message}"
            continue
        assert isinstance(prepared, PreparedResult)
        yield from spec_lines(prepared.metadata.columns, prepared.metadata.partition_key_indexes)
        for values in executions:
            response = connection.execute(prepared, values).response
            if isinstance(response, Error):
                yield f"  {type(response.error).__name__}: {response.error.message}"
            else:
                assert isinstance(response, RowsResult)
                yield f"  rows {row_lines(response.rows())}"


def main() -> None:
    host, port = sys.argv[1].split(":")
    connection = Connection(socket.create_connection((host, int(port))), 4)
    connection.query(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    connection.query(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {replication}")
    connection.query(f"USE {KEYSPACE}")
    for text in SCHEMA:
        connection.query(text)
    (HERE / "prepared_selects.txt").write_text("\n".join(record(connection)) + "\n")
    connection.query(f"DROP KEYSPACE {KEYSPACE}")


if __name__ == "__main__":
    main()
