"""Tables of system_views and operations of the control port about what was counted."""

import pytest
import trio

from cqlserver.control.context import BadArgument, Control
from cqlserver.control.statistics import proxy_histograms, request_facts, table_histograms, thread_pools
from protocol.requests import Query
from protocol.responses import RowsResult
from storage.sstable.histograms import EstimatedHistogram
from tests.cqlserver.small_session import SmallSession

SCHEMA = (
    "CREATE KEYSPACE m WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE m.t (k int, c int, PRIMARY KEY (k, c))",
)


@pytest.fixture
def small() -> SmallSession:
    small = SmallSession(True, SCHEMA)
    for row in range(3):
        small.ask(Query(f"INSERT INTO m.t (k, c) VALUES (1, {row})"))
    small.ask(Query("SELECT * FROM m.t WHERE k = 1"))
    small.ask(Query("SELECT * FROM m.t"))
    small.ask(Query("BEGIN BATCH INSERT INTO m.t (k, c) VALUES (1, 1); INSERT INTO m.t (k, c) VALUES (2, 2); APPLY BATCH"))
    return small


def rows(small: SmallSession, text: str) -> list[dict[str, object]]:
    result = small.ask(Query(text))
    assert isinstance(result, RowsResult), result
    found, at = [], 0
    for _ in range(result.row_count):
        row = {}
        for column in result.metadata.columns:
            size = int.from_bytes(result.content[at : at + 4], "big", signed=True)
            at += 4
            row[column.name] = column.type.decode(result.content[at : at + size]) if size >= 0 else None
            at += max(size, 0)
        found.append(row)
    return found


def of_table(small: SmallSession, view: str) -> dict[str, object]:
    (row,) = rows(small, f"SELECT * FROM system_views.{view} WHERE keyspace_name = 'm' AND table_name = 't'")
    return row


@pytest.mark.parametrize("place", ["coordinator", "local"])
def test_latencies_by_table(small: SmallSession, place: str) -> None:
    for kind, count in (("read", 1), ("scan", 1), ("write", 4)):
        row = of_table(small, f"{place}_{kind}_latency")
        assert row["count"] == count
        assert 0 < row["p50th_ms"] <= row["p99th_ms"] <= row["max_ms"] < 60_000  # type: ignore[operator]


def test_rows_and_tombstones_per_read(small: SmallSession) -> None:
    assert of_table(small, "rows_per_read") == {
        "keyspace_name": "m", "table_name": "t", "count": 2, "max": 3.0, "p50th": 3.0, "p99th": 3.0,
    }  # fmt: skip
    assert of_table(small, "tombstones_per_read")["count"] == 2
    assert of_table(small, "tombstones_per_read")["max"] == 0.0


def test_batches_statements_and_pools(small: SmallSession) -> None:
    batches = {row["name"]: row["max"] for row in rows(small, "SELECT * FROM system_views.batch_metrics")}
    assert batches == {
        "partitions_per_logged_batch": 2, "partitions_per_unlogged_batch": 0, "partitions_per_counter_batch": 0,
    }  # fmt: skip
    small.execute("SELECT c FROM m.t WHERE k = ?", b"\0\0\0\1")
    statements = {row["name"]: row["value"] for row in rows(small, "SELECT * FROM system_views.cql_metrics")}
    assert statements["prepared_statements_executed"] == 1
    assert statements["regular_statements_executed"] == len(SCHEMA) + 6 + 1
    pools = {row["name"]: row["completed_tasks"] for row in rows(small, "SELECT * FROM system_views.thread_pools")}
    assert (pools["MutationStage"], pools["ReadStage"]) == (4, 3)


def test_a_table_that_nobody_asked_for_is_told_of_too(small: SmallSession) -> None:
    small.ask(Query("CREATE TABLE m.u (k int PRIMARY KEY)"))
    (row,) = rows(small, "SELECT * FROM system_views.local_read_latency WHERE keyspace_name = 'm' AND table_name = 'u'")
    assert (row["count"], row["max_ms"]) == (0, 0.0)


def test_what_nodetool_is_told(small: SmallSession) -> None:
    control = Control(small.node, None)  # type: ignore[arg-type]
    told = trio.run(lambda: table_histograms(control, keyspace="m", table="t"))
    (table,) = told["tables"]  # type: ignore[index]
    assert table["partition_bytes"] is None, "there is no SSTable"
    assert len(table["read_us"]) == 7
    assert min(table["write_us"]) > 0
    assert trio.run(proxy_histograms, control)["RangeSlice"][0] > 0  # type: ignore[index]
    assert trio.run(thread_pools, control)["pools"]  # type: ignore[index]
    with pytest.raises(BadArgument, match=r"Unknown table m\.nosuch"):
        trio.run(lambda: table_histograms(control, keyspace="m", table="nosuch"))
    store = next(store for store in small.node.engine.stores.values() if str(store.table) == "m.t")
    facts = request_facts(small.node, store)
    assert (facts["read_count"], facts["write_count"], facts["live_cells_max"]) == (1, 4, 3)
    assert facts["write_latency_ms"] is not None


def test_percentiles_of_sizes() -> None:
    histogram = EstimatedHistogram(20)
    assert histogram.percentile(0.5) == 0
    for value in (1, 2, 3, 4, 100):
        histogram.add(value)
    assert [histogram.percentile(share) for share in (0.2, 0.5, 0.8)] == [1, 3, 4]
    assert histogram.percentile(1.0) == histogram.max()
