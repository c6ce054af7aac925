"""A row of 16 MB, which is about what a message, or half a segment of the log, may be: written, flushed, compacted, read."""

import pytest

from protocol.requests import Execute, Prepare, QueryOptions
from protocol.responses import Error, PreparedResult, Response
from storage.environment.memory import FaultyDisk
from tests.cqlserver.test_long_requests import Client, client, integer, new_node

LARGE_BYTES = 16_000_000
TABLE = "CREATE TABLE ks.large (k int, c int, v blob, w blob, PRIMARY KEY (k, c)) WITH compression = {}"
LZ4 = "{'class': 'LZ4Compressor'}"
NONE = "{'enabled': 'false'}"


def insert(session: Client, c: int, v: bytes, w: bytes = b"") -> Response:
    prepared = session.ask(Prepare("INSERT INTO ks.large (k, c, v, w) VALUES (1, ?, ?, ?)"))
    assert isinstance(prepared, PreparedResult), prepared
    return session.ask(Execute(prepared.statement_id, None, QueryOptions(values=(integer(c), v, w))))


def values(session: Client) -> list[bytes | None]:
    """Row by row: two would be more than a client takes."""
    rows = [session.rows(f"SELECT v FROM ks.large WHERE k = 1 AND c = {c}") for c in range(5)]
    return [value for row in rows for (value,) in row]


def settled(session: Client, task: str) -> None:
    engine = session.session.node.engine
    tasks = getattr(engine, task)()
    engine.background.finish()
    assert tasks
    assert all(each.error is None for each in tasks)


@pytest.mark.slow
@pytest.mark.parametrize("compression", [LZ4, NONE], ids=["lz4", "plain"])
def test_a_row_of_16_mb_is_what_was_written(compression: str) -> None:
    disk = FaultyDisk()
    session = client(hasty=False, disk=disk)
    assert not isinstance(session.ask(TABLE.format(compression)), Error)
    first, second = (bytes((number,)) * (LARGE_BYTES // 2) + b"." * (LARGE_BYTES // 2) for number in (1, 2))
    assert not isinstance(insert(session, 1, first), Error)
    settled(session, "flush")
    for c, value in ((2, second), (3, b"small")):
        assert not isinstance(insert(session, c, value), Error)
    settled(session, "flush")
    expected = [first, second, b"small"]
    assert values(session) == expected
    settled(session, "compact")
    assert values(session) == expected
    assert session.rows("SELECT v FROM ks.large WHERE k = 1 AND c < 3 ORDER BY c DESC LIMIT 1") == [(second,)]
    session.session.node.engine.close()
    assert values(Client(new_node(hasty=False, disk=disk))) == expected
