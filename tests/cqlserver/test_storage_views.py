"""Tables of system_views about files, indexes, statements and clients, asked of a whole node."""

from small_server import KEYSPACE, TABLE, small_node

from cqlserver.connections.session import Session
from cqlserver.node import Node
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from protocol.requests import Query
from storage.background import Lane, Task
from storage.environment.memory import FaultyDisk

VERSION = 4


class Asker:
    """A client of a node that keeps its files in memory."""

    def __init__(self) -> None:
        self.node: Node = small_node(FaultyDisk())
        self.node.describe_itself()
        self.session = Session(self.node, "127.0.0.1", 1)
        self.node.sessions[self.session] = None
        self._ask(requests.Startup({"CQL_VERSION": "3.0.0"}))

    def _ask(self, request: requests.Request) -> responses.Response:
        self.session.receive(requests.encode(request, VERSION, 0))
        self.session.finish()
        self.session.forget_served()
        output = self.session.take_later() + self.session.take_output()
        version, flags, _, opcode, body = EnvelopeDecoder(VERSION, responses=True).receive_data(output)[0]
        return responses.decode(version, flags, opcode, body).response

    def done(self, *texts: str) -> None:
        for text in texts:
            response = self._ask(Query(text))
            assert not isinstance(response, responses.Error), response

    def view(self, text: str) -> list[dict[str, object]]:
        found = self._ask(Query(f"SELECT * FROM system_views.{text}"))
        assert isinstance(found, responses.RowsResult), found
        specs = found.metadata.columns
        return [
            {spec.name: None if value is None else spec.type.decode(value) for spec, value in zip(specs, row, strict=True)}
            for row in found.rows()
        ]


def test_sizes_of_tables_are_those_of_their_files_in_whole_mebibytes() -> None:
    asker = Asker()
    asker.done(KEYSPACE, TABLE, *(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, 1, 'x')" for k in range(10)))
    names = ("disk_usage", "max_sstable_size", "max_partition_size")
    assert [asker.view(f"{name} WHERE keyspace_name = 'ks'")[0]["mebibytes"] for name in names] == [0, 0, 0]
    asker.node.engine.flush()
    asker.node.engine.background.finish()
    assert [asker.view(f"{name} WHERE keyspace_name = 'ks'")[0]["mebibytes"] for name in names] == [1, 1, 1]
    (found,) = asker.view("max_sstable_duration WHERE keyspace_name = 'ks'")
    assert found["table_name"] == "t"


def test_storage_attached_indexes_are_listed_with_what_they_make_of_texts() -> None:
    asker = Asker()
    asker.done(
        KEYSPACE,
        "CREATE TABLE ks.s (k int PRIMARY KEY, a text, b int, m map<text, int>)",
        "CREATE INDEX plain ON ks.s (b)",
        "CREATE INDEX number ON ks.s (b) USING 'sai'",
        "CREATE CUSTOM INDEX word ON ks.s (a) USING 'StorageAttachedIndex' WITH OPTIONS = {'case_sensitive': 'false'}",
        "CREATE INDEX keys ON ks.s (keys(m)) USING 'sai'",
    )
    rows = asker.view("sai_column_indexes")
    found = {row["index_name"]: (row["column_name"], row["is_string"], row["analyzer"]) for row in rows}
    assert found == {
        "number": ("b", False, "NoOpAnalyzer"),
        "word": ("a", True, "NonTokenizingAnalyzer{caseSensitive=false, normalized=false, ascii=false}"),
        "keys": ("m", True, "NoOpAnalyzer"),
    }


def test_tasks_tell_how_far_they_are() -> None:
    asker = Asker()
    asker.done(KEYSPACE, TABLE)
    assert not asker.view("sstable_tasks")
    task = Task(Lane.COMPACTION, "Compaction", "ks.t", lambda task: None, total=200, completed=50)
    asker.node.engine.background.add(task)
    asker.node.engine.background.add(Task(Lane.FLUSH, "Flush", "ks.t", lambda task: None))
    (found,) = asker.view("sstable_tasks")
    assert (found["table_name"], found["kind"], found["progress"], found["total"]) == ("t", "compaction", 50, 200)
    assert found["completion_ratio"] == 0.25


def test_clients_tell_how_many_requests_they_sent() -> None:
    asker = Asker()
    before = asker.view("clients")[0]["request_count"]
    asker.done(KEYSPACE, TABLE)
    assert asker.view("clients")[0]["request_count"] == int(str(before)) + 3  # with the one that asked before


def test_prepared_statements_are_counted() -> None:
    asker = Asker()

    def count() -> object:
        return next(row["value"] for row in asker.view("cql_metrics") if row["name"] == "prepared_statements_count")

    assert count() == 0.0
    assert isinstance(asker._ask(requests.Prepare("SELECT * FROM system.local")), responses.PreparedResult)
    assert count() == 1.0
