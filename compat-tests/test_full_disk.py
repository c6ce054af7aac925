"""A disk that takes no more: the node refuses writes, says why, keeps reading; the next start has all it acknowledged.

The limit is the process's own (RLIMIT_FSIZE), so that no disk has to be filled for it.
"""

import resource
import sys
from pathlib import Path

import pytest

import cqlserver
from protocol.client import Connection, connect
from protocol.errors import WriteFailure
from protocol.requests import QueryOptions
from protocol.responses import Error, PreparedResult, RowsResult, VoidResult

SCHEMA = (
    "CREATE KEYSPACE diskfull WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE diskfull.t (k int PRIMARY KEY, v text)",
)
ROOM_BYTES = 20_000
WRITE_FAILURE = 0x1500

pytestmark = pytest.mark.skipif(not hasattr(resource, "prlimit"), reason=f"{sys.platform} has no prlimit")


def keys(connection: Connection) -> set[int]:
    response = connection.query("SELECT k FROM diskfull.t").response
    assert isinstance(response, RowsResult), response
    return {int.from_bytes(k or b"", "big") for (k,) in response.rows()}


@pytest.mark.slow
@pytest.mark.parametrize("sync", ["periodic\ncommitlog_sync_period: 10s", "batch"], ids=["periodic", "batch"])
def test_a_full_disk_refuses_writes_and_keeps_reading(sync: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--contact"):
        pytest.skip("needs a server of its own")
    config = tmp_path / "cassandra.yaml"
    config.write_text(f"commitlog_sync: {sync}\n")
    data = tmp_path / "data"
    acknowledged: set[int] = set()
    with cqlserver.start(data=data, config=config) as server:
        with connect(server.host, server.port, timeout_s=20) as connection:
            for statement in SCHEMA:
                assert not isinstance(connection.query(statement).response, Error)
            size = max(file.stat().st_size for file in (data / "commitlog").iterdir())
            limit = (size + ROOM_BYTES, resource.RLIM_INFINITY)
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, limit)  # type: ignore[attr-defined,unused-ignore]
            insert = connection.prepare("INSERT INTO diskfull.t (k, v) VALUES (?, ?)").response
            assert isinstance(insert, PreparedResult)
            failed = None
            for k in range(100):
                response = connection.execute(insert, (k.to_bytes(4, "big"), b"x" * 1000)).response
                if isinstance(response, Error):
                    failed = response.error
                    break
                assert isinstance(response, VoidResult)
                acknowledged.add(k)
            assert isinstance(failed, WriteFailure), failed
            assert failed.message.startswith("Operation failed - received 0 responses and 1 failures: UNKNOWN from /")
            assert (failed.received, failed.block_for, failed.write_type) == (0, 1, "SIMPLE")
            assert len(acknowledged) > 10
            assert acknowledged <= keys(connection)
            for statement in (
                "INSERT INTO diskfull.t (k, v) VALUES (500, 'x')",
                "TRUNCATE diskfull.t",
                "DROP TABLE diskfull.t",
            ):
                assert isinstance(connection.query(statement, QueryOptions()).response, Error), statement
            assert acknowledged <= keys(connection)
        assert "this node takes no writes until it is restarted" in server.log
    with (
        cqlserver.start(data=data, config=config) as server,
        connect(server.host, server.port, timeout_s=20) as connection,
    ):
        assert acknowledged <= keys(connection)
        assert 500 not in keys(connection)
