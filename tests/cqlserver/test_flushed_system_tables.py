"""What clients read when they connect, of system tables that were flushed."""

from kept_node import Kept

from cqlserver.state import ClientState
from protocol.requests import QueryOptions
from protocol.responses import RowsResult
from storage.environment.memory import FaultyDisk


def test_what_clients_read_of_system_local_is_what_was_there_before_it_was_flushed() -> None:
    node = Kept(FaultyDisk())

    def rows() -> list[bytes]:
        local = "SELECT * FROM system.local"
        texts = (local, f"{local} WHERE key = 'local'", "SELECT * FROM system.peers_v2")
        answers = [node.node.statements.query(ClientState("127.0.0.1", 0), text, QueryOptions()) for text in texts]
        return [answer.content for answer in answers if isinstance(answer, RowsResult)]

    (store,) = (store for store in node.node.engine.stores.values() if str(store.table) == "system.local")
    before = rows()
    assert len(before) == 3
    for _ in range(2):
        node.node.engine.flush([store.table.id])
        node.finish()
        assert not store.memtable
        assert all("batches" in vars(reader) for reader in store.flushed)
        assert rows() == before
        node.ask("UPDATE system.local SET cluster_name = 'another' WHERE key = 'local'")
        after = rows()
        assert b"another" in after[0]
        assert b"another" in after[1]
        before = after
