"""drain ends the clients' connections and leaves an empty log; nothing is written after it, and a start finds everything."""

from pathlib import Path

import pytest

import cqlserver
from cqlserver.control.client import ControlError
from cqlserver.nodetool import program
from protocol.client import connect
from protocol.errors import PeerError

pytestmark = pytest.mark.slow

SCHEMA = "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}"


@pytest.mark.parametrize("mode", ["periodic", "batch"])
def test_a_drained_node_has_an_empty_log_and_takes_no_writes(mode: str, tmp_path: Path) -> None:
    config = tmp_path / "cassandra.yaml"
    config.write_text("commitlog_sync: batch\n" if mode == "batch" else "")
    data = tmp_path / "data"
    with cqlserver.start(data=data, config=config) as server:
        server.execute(f"{SCHEMA}; CREATE TABLE ks.t (k int PRIMARY KEY, v text); INSERT INTO ks.t (k, v) VALUES (1, 'a')")
        with connect(server.host, server.port) as client:
            for _ in range(2):
                assert program.main(["-p", str(server.control_port), "drain"]) == 0
            with pytest.raises(PeerError):
                client.query("INSERT INTO ks.t (k, v) VALUES (2, 'b')")
        with pytest.raises(ConnectionRefusedError):
            connect(server.host, server.port)
        with pytest.raises(ControlError):
            server.execute("INSERT INTO ks.t (k, v) VALUES (2, 'b')")
        assert not list((data / "commitlog").glob("*.log"))
    assert not list((data / "commitlog").glob("*.log"))
    with cqlserver.start(data=data, config=config) as server:
        assert server.execute("SELECT * FROM ks.t") == [{"k": 1, "v": "a"}]
