"""The events of traced requests: Cassandra's words for what is really done; none of others' requests."""

import re

import pytest
from test_modifications import Client

from protocol.requests import Batch, BatchEntry, Execute, Query, QueryOptions, Request, encode
from protocol.responses import Reply, decode
from protocol.types import INT


class TracingClient(Client):
    def traced(self, request: Request | str, *values: bytes) -> list[str]:
        if isinstance(request, str):
            request = Query(request, QueryOptions(values=values))
        reply = self._traced(request)
        assert reply.tracing_id is not None
        rows = self.run(f"SELECT activity FROM system_traces.events WHERE session_id = {reply.tracing_id}")
        sessions = self.run(f"SELECT duration FROM system_traces.sessions WHERE session_id = {reply.tracing_id}")
        assert len(sessions) == 1
        return [activity.decode() for (activity,) in rows if activity is not None]

    def _traced(self, request: Request) -> Reply:
        self._session.receive(encode(request, 4, 1, True))
        self._session.finish()
        data = self._session.take_later() + self._session.take_output()
        ((version, flags, _, opcode, body),) = self._decoder.receive_data(data)
        return decode(version, flags, opcode, body)


@pytest.fixture
def client() -> TracingClient:
    client = TracingClient()
    client.run("CREATE TABLE t (k int, c int, v int, PRIMARY KEY (k, c))")
    for c in range(5):
        client.run(f"INSERT INTO t (k, c, v) VALUES (1, {c}, {c})")
    return client


def test_writes_tell_of_replicas_and_memtables(client: TracingClient) -> None:
    insert = "INSERT INTO t (k, c, v) VALUES (2, 3, 4)"
    written = ["Determining replicas for mutation", "Adding to t memtable"]
    assert client.traced(insert) == [f"Parsing {insert}", "Preparing statement", *written]
    prepared = client.prepare("UPDATE t SET v = ? WHERE k = 1 AND c = 1")
    assert client.traced(Execute(prepared.statement_id, None, QueryOptions(values=(INT.encode(1),)))) == written
    batch = Batch(0, (BatchEntry(insert, ()), BatchEntry(insert.replace("(2", "(3"), ())), QueryOptions())
    in_batch = ["Determining replicas for atomic batch", "Adding to t memtable", "Adding to t memtable"]
    assert client.traced(batch) == in_batch


def test_reads_tell_what_they_found(client: TracingClient) -> None:
    client.run("DELETE FROM t WHERE k = 1 AND c = 2")
    client.run("DELETE v FROM t WHERE k = 1 AND c = 3")
    asked = (
        "Executing single-partition query on t",
        "Acquiring sstable references",
        "Skipped 0/0 non-slice-intersecting sstables, included 0 due to tombstones",
    )
    read = *asked, "Merged data from memtables and 0 sstables"
    found = "Read 4 live rows and 2 tombstone cells"
    assert client.traced("SELECT * FROM t WHERE k = 1")[2:] == [*read, found]
    assert client.traced("SELECT c, count(v) FROM t WHERE k = 1 GROUP BY c")[2:] == [*read, found]
    nothing = [*asked, "Read 0 live rows and 0 tombstone cells"]
    assert client.traced("SELECT * FROM t WHERE k IN (1, 7)")[2:] == [*read, found, *nothing]
    scan = "Executing seq scan across 0 sstables for (min(-9223372036854775808), min(-9223372036854775808)]"
    assert client.traced("SELECT * FROM t")[2:] == ["Computing ranges to query", scan, found]


def test_reads_through_indexes_tell_which(client: TracingClient) -> None:
    client.run("CREATE INDEX by_v ON t (v)")
    computing, using = "Computing ranges to query", "Executing read on ks.t using index by_v"
    assert client.traced("SELECT * FROM t WHERE v = 3")[2:] == [computing, using, "Read 1 live rows and 0 tombstone cells"]
    client.run("ALTER TABLE t ADD w int")
    none = client.traced("SELECT * FROM t WHERE w = 3 ALLOW FILTERING")
    assert none[2:4] == ["No applicable indexes found", computing]


def test_conditional_writes_tell_whether_they_were_applied(client: TracingClient) -> None:
    reading = "Reading existing values for CAS precondition"
    applied = [reading, "Adding to t memtable", "CAS applied successfully"]
    assert client.traced("UPDATE t SET v = 9 WHERE k = 1 AND c = 1 IF v = 1")[2:] == applied
    refused = [reading, "CAS precondition does not match current values"]
    assert client.traced("UPDATE t SET v = 9 WHERE k = 1 AND c = 1 IF v = 1")[2:] == refused


def test_faults_end_a_trace_where_they_are_found(client: TracingClient) -> None:
    assert client.traced("SELEC") == ["Parsing SELEC"]
    assert client.traced("SELECT nope FROM t") == ["Parsing SELECT nope FROM t", "Preparing statement"]


def test_what_follows_a_traced_request_is_not_traced(client: TracingClient) -> None:
    client.traced("SELECT * FROM t WHERE k = 1")
    before = client.run("SELECT count(*) FROM system_traces.events")
    client.run("SELECT * FROM t WHERE k = 1")
    assert client.run("SELECT count(*) FROM system_traces.events") == before


def test_times_of_a_trace_grow(client: TracingClient) -> None:
    client.traced("SELECT * FROM t")
    times = [time for (time,) in client.run("SELECT source_elapsed FROM system_traces.events")]
    assert times == sorted(times, key=lambda time: time or b"")
    assert re.fullmatch(
        rb"Native-Transport-Requests-\d+", client.run("SELECT thread FROM system_traces.events")[0][0] or b""
    )
