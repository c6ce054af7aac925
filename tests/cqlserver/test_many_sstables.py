"""Tables that lie in many SSTables."""

from collections.abc import Callable
from typing import TypeVar

import pytest
from kept_node import Kept, insert
from small_server import KEYSPACE, TABLE, done, serving

from protocol.responses import RowsResult
from storage.batches import SOURCES_PER_GO_MAX
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers

T = TypeVar("T")


def test_a_scan_of_many_sstables_is_no_work_for_a_go_of_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first batch of each was read in one go."""
    disk = FaultyDisk()
    kept = Kept(disk)
    kept.ask(KEYSPACE, f"{TABLE} WITH compaction = {{'class': 'SizeTieredCompactionStrategy', 'enabled': 'false'}}")
    for k in range(SOURCES_PER_GO_MAX + 3):
        kept.ask(insert(k, f"value {k}"))
        kept.flush()
    kept.node.engine.close()
    strands: list[int] = []
    maybe_strand = InlineWorkers.maybe_strand

    def counted(workers: InlineWorkers, function: Callable[[], T], still_valid: Callable[[], bool], size: int) -> object:
        strands.append(size)
        return maybe_strand(workers, function, still_valid, size)

    monkeypatch.setattr(InlineWorkers, "maybe_strand", counted)
    with serving(disk) as server, server.connect() as connection:
        for number, text in enumerate(("SELECT * FROM ks.t", "SELECT count(*) FROM ks.t", "SELECT k FROM ks.t LIMIT 50")):
            response = done(connection.query(text)).response
            assert isinstance(response, RowsResult)
            assert response.row_count == (1 if "count" in text else SOURCES_PER_GO_MAX + 3)
            assert len(strands) == number + 1
