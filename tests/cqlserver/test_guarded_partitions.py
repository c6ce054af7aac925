"""Guardrails of partitions that are written to SSTables: they are for everybody, and only the log hears of them."""

import logging
from collections.abc import Callable
from uuid import UUID

import pytest
from kept_node import insert
from small_server import small_node

from cqlserver.node import Node
from cqlserver.state import SYSTEM, ClientState
from protocol.requests import QueryOptions
from storage.environment.memory import FaultyDisk

SCHEMA = (
    "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))",
)


class Told:
    """A node with these settings, and what its log is told of guardrails."""

    def __init__(self, caplog: pytest.LogCaptureFixture, **guardrails: object) -> None:
        self._caplog = caplog
        self.node: Node = small_node(FaultyDisk(), guardrails=guardrails)
        self.node.describe_itself()
        self.ask(*SCHEMA)

    def ask(self, *texts: str) -> None:
        state = ClientState("127.0.0.1", 0, version=5, user=SYSTEM)
        for text in texts:
            self.node.statements.query(state, text, QueryOptions())

    def flush(self) -> list[tuple[int, str]]:
        """Levels and messages of what it tells meanwhile of ks.t."""
        return self._told(lambda table_id: self.node.engine.flush([table_id]))

    def compact(self) -> list[tuple[int, str]]:
        return self._told(lambda table_id: self.node.engine.files.compact([table_id]))

    def _told(self, begin: Callable[[UUID], object]) -> list[tuple[int, str]]:
        (store,) = (store for store in self.node.engine.stores.values() if str(store.table) == "ks.t")
        self._caplog.clear()
        begin(store.table.id)
        self.node.engine.background.finish()
        found = [record for record in self._caplog.records if record.name == "cqlserver.guardrails"]
        return [(record.levelno, record.getMessage()) for record in found if " ks.t:" in record.getMessage()]


def test_a_partition_that_is_too_large_is_told_where_it_is_written(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(caplog, partition_size_warn_threshold=200, partition_size_fail_threshold=1_000)
    told.ask(insert(1, "x"), insert(2, "x" * 300), insert(3, "x" * 2_000))
    found = told.flush()
    assert sorted(level for level, _ in found) == [logging.WARNING, logging.ERROR]
    (warning,) = (text for level, text in found if level == logging.WARNING)
    head, _, tail = warning.partition(" on sstable /data/data/ks/t-")
    assert head == "Guardrail partition_size violated: Partition ks.t:2"
    size = int(tail.split(" has size ")[1].split(",")[0])
    assert 300 < size < 400
    reason = "Too large partitions can cause performance problems."
    assert tail.endswith(f"-Data.db has size {size}, this exceeds the warning threshold of 200. {reason}")
    (failure,) = (text for level, text in found if level == logging.ERROR)
    assert "Partition ks.t:3 on sstable" in failure
    assert "this exceeds the failure threshold of 1000." in failure
    # both are told again where a compaction copies them as bytes, or merges them with others
    told.ask(insert(3, "y" * 2_000))
    assert len(told.flush()) == 1
    assert sorted(level for level, _ in told.compact()) == [logging.WARNING, logging.ERROR]


def test_tombstones_of_a_partition_are_counted_alone(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(caplog, partition_tombstones_warn_threshold=3)
    told.ask(*(f"DELETE FROM ks.t WHERE k = {k} AND c = {c}" for k in range(2) for c in range(3)))
    told.ask("DELETE v FROM ks.t WHERE k = 1 AND c = 9")
    ((level, text),) = told.flush()
    assert level == logging.WARNING
    assert text.startswith("Guardrail partition_tombstones violated: Partition ks.t:1 on sstable ")
    assert " has 4 tombstones, this exceeds the warning threshold of 3. Partitions with too many tombstones " in text


def test_nobody_is_told_where_nothing_is_set(caplog: pytest.LogCaptureFixture) -> None:
    told = Told(caplog, tables_warn_threshold=100)
    told.ask(insert(1, "x" * 5_000))
    assert told.flush() == []
    assert told.node.engine.files._partition_written is None
