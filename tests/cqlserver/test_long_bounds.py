"""Slices whose bounds are longer than any clustering may be: they are deleted, flushed and read again."""

from pathlib import Path

import pytest

import cqlserver
from cqlserver.nodetool import program
from protocol.client import connect
from protocol.responses import Error, RowsResult

pytestmark = pytest.mark.slow

LONG = "61" * 70_000
SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1};"
    "CREATE TABLE ks.one (k int, c blob, PRIMARY KEY (k, c));"
    "CREATE TABLE ks.two (k int, c int, d blob, PRIMARY KEY (k, c, d))"
)


@pytest.mark.parametrize(
    ("table", "values", "deleted", "left"),
    [
        ("one", ("0x60", "0x61", "0x62"), f"c > 0x{LONG}", 2),
        ("one", ("0x60", "0x61", "0x62"), f"c < 0x{LONG}", 1),
        ("two", ("1, 0x60", "1, 0x61", "1, 0x62", "2, 0x62"), f"c = 1 AND d > 0x{LONG}", 3),
        ("two", ("0, 0x62", "1, 0x60", "1, 0x61", "1, 0x62"), f"c = 1 AND d <= 0x{LONG}", 2),
    ],
)
def test_a_flush_and_a_start_behind_it(tmp_path: Path, table: str, values: tuple[str, ...], deleted: str, left: int) -> None:
    names = "k, c" if table == "one" else "k, c, d"

    def count(server: cqlserver.Server) -> int:
        with connect(server.host, server.port) as connection:
            found = connection.query(f"SELECT {names} FROM ks.{table}").response
        assert isinstance(found, RowsResult), found
        return found.row_count

    with cqlserver.start(data=tmp_path) as server:
        server.execute(SCHEMA)
        with connect(server.host, server.port) as connection:
            for value in values:
                assert not isinstance(
                    connection.query(f"INSERT INTO ks.{table} ({names}) VALUES (1, {value})").response, Error
                )
            answer = connection.query(f"DELETE FROM ks.{table} WHERE k = 1 AND {deleted}").response
            assert not isinstance(answer, Error), answer
        assert count(server) == left
        assert program.main(["-p", str(server.control_port), "flush", "ks", table]) == 0
        assert count(server) == left
    assert list(tmp_path.glob(f"data/ks/{table}-*/nb-*-Data.db"))
    with cqlserver.start(data=tmp_path) as server:
        assert count(server) == left
