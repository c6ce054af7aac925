"""TRUNCATE and DROP of tables that hold something flush them first, for the snapshot: a client waits for that."""

from pathlib import Path

import pytest

import cqlserver
from protocol.client import connect
from protocol.responses import Error

pytestmark = pytest.mark.slow

TIMEOUT_S = 30.0
CONFIG = "commitlog_sync: periodic\ncommitlog_sync_period: 1h\n"
KEYSPACE = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"


@pytest.mark.parametrize("removal", ["TRUNCATE ks.t", "DROP TABLE ks.t", "DROP KEYSPACE ks"])
def test_a_removal_behind_a_schema_change_does_not_wait_for_the_periodic_sync(removal: str, tmp_path: Path) -> None:
    """An SSTable waits for its schema to be durable, which the period alone would bring about in an hour."""
    config = tmp_path / "cassandra.yaml"
    config.write_text(CONFIG)
    with (
        cqlserver.start(data=tmp_path / "data", config=config) as server,
        connect(server.host, server.port, timeout_s=TIMEOUT_S) as client,
    ):
        for statement in (KEYSPACE, "CREATE TABLE ks.t (k int PRIMARY KEY)", "INSERT INTO ks.t (k) VALUES (1)", removal):
            response = client.query(statement).response
            assert not isinstance(response, Error), response
        assert list((tmp_path / "data").glob("data/ks/t-*/snapshots/*/nb-*-Data.db"))
