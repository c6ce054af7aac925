"""Partitions that are read and written most: what is told while somebody looks on, and that nobody is asked otherwise."""

import re
from itertools import count
from pathlib import Path

import pytest
from small_session import SmallSession

from cqlserver.metrics.profile import AlreadySampling, Largest, Profile, StreamSummary
from cqlserver.metrics.samplers import SAMPLERS
from cqlserver.nodetool.sampled import formatted
from protocol.primitives import Value
from protocol.requests import Batch, BatchEntry, Query, QueryOptions
from storage.schema.metadata import TableMetadata

SCHEMA = (
    "CREATE KEYSPACE profiled WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
    "CREATE TABLE profiled.t (k int, c int, v text, PRIMARY KEY (k, c))",
    "CREATE TABLE profiled.u (a text, b int, v text, PRIMARY KEY ((a, b)))",
)
STATEMENTS = (
    *(f"INSERT INTO profiled.t (k,c,v) VALUES ({k},{c},'{'x' * (10 * k + 1)}')" for k in range(5) for c in range(k + 1)),
    *(f"SELECT * FROM profiled.t WHERE k={k}" for k in range(4) for _ in range(k + 1)),
    "SELECT v FROM profiled.t WHERE k=4 AND c=2",
    "SELECT c, v FROM profiled.t WHERE k=4 AND c>1 LIMIT 2",
    "SELECT c, v FROM profiled.t WHERE k IN (1,2) AND c>=1",
    "SELECT * FROM profiled.t WHERE v='x' ALLOW FILTERING",
    "INSERT INTO profiled.u (a,b,v) VALUES ('one',7,'x')",
    "SELECT * FROM profiled.u WHERE a='one' AND b=7",
    "DELETE FROM profiled.t WHERE k=4 AND c=1",
    "SELECT * FROM profiled.t WHERE k=4",
    "INSERT INTO profiled.u (a,b,v) VALUES ('one',8,'x') IF NOT EXISTS",
)
"""Of which Cassandra told cassandra_profile.txt (`nodetool profileload profiled * 25000`)."""


class Profiled:
    def __init__(self) -> None:
        self.small = SmallSession(True, SCHEMA)
        self.node = self.small.node
        self.node.sessions[self.small.session] = None
        self.now_s = 0.0
        self.profile = self.node.profile = Profile(lambda: self.now_s, self.node.engine.stores.__getitem__)
        tables = self.node.schema.keyspaces["profiled"].tables
        self.tables: list[TableMetadata] = [tables["t"], tables["u"]]

    def begin(self, capacity: int = 256) -> None:
        self.profile.begin(self.tables, SAMPLERS, capacity, 10)
        self.node.choose_paths()

    def finish(self, count: int = 10) -> dict[str, list[tuple[str, int]]]:
        found = self.profile.finish(self.tables, SAMPLERS, count)
        self.node.choose_paths()
        self.samples = {name: [sample._asdict() for sample in samples] for name, samples in found.items()}
        return {name: [(sample.value, sample.number) for sample in samples] for name, samples in found.items()}


def test_it_tells_what_cassandra_does() -> None:
    profiled = Profiled()
    profiled.begin()
    for text in STATEMENTS:
        profiled.small.ask(Query(text, QueryOptions(page_size=5_000)))
    profiled.finish()
    text = formatted(profiled.samples, SAMPLERS, is_first=True)
    cassandra = (Path(__file__).parent / "cassandra_profile.txt").read_text()
    parts, expected = (dict(re.findall(r"^(\S.*?):\n(.*?)\n(?=\n)", one + "\n\n", re.M | re.S)) for one in (text, cassandra))
    queries = "Longest read query times"
    for name in expected.keys() - {queries}:
        assert sorted(parts[name].splitlines()) == sorted(expected[name].splitlines()), name  # ties come in any order
    assert list(parts) == list(expected)
    # how long they took is each server's own
    numbers = [int(line.split()[-1]) for line in parts[queries].splitlines()[1:]]
    assert numbers == sorted(numbers, reverse=True)


def test_longest_queries() -> None:
    profiled = Profiled()
    for text in STATEMENTS[:20]:
        profiled.small.ask(Query(text))
    profiled.begin()
    profiled.profile.clock = count(0, 0.01).__next__  # each look at it is 10 ms
    scan = "SELECT * FROM profiled.t WHERE v='x' ALLOW FILTERING"
    for text in ("SELECT v FROM profiled.t WHERE k=4 AND c=2 LIMIT 7", scan):
        profiled.small.ask(Query(text, QueryOptions(page_size=5_000)))
    told = profiled.finish()["LOCAL_READ_TIME"]
    assert {query for query, _ in told} == {
        "SELECT v FROM profiled.t WHERE k = 4 AND c = 2 LIMIT 7 ALLOW FILTERING",
        "SELECT * FROM profiled.t WHERE v = 'x' LIMIT 5000 ALLOW FILTERING",
    }
    assert all(microseconds >= 10_000 for _, microseconds in told)


def test_prepared_statements_and_batches_count_as_others_do() -> None:
    insert, select = "INSERT INTO profiled.t (k,c,v) VALUES (?,?,?)", "SELECT * FROM profiled.t WHERE k=?"
    one: Value = (1).to_bytes(4, "big")
    profiled = Profiled()
    small = profiled.small
    small.execute(insert, one, one, b"x")
    profiled.begin()
    small.is_fast = False  # as the session has it
    for _ in range(3):
        small.execute(insert, one, one, b"x")
        small.execute(select, one)
    small.ask(Batch(1, (BatchEntry(small.ids[insert], (one, one, b"x")),), QueryOptions()))
    small.ask(Query("UPDATE profiled.t SET v = 'y' WHERE k = 1 AND c = 1 IF v = 'x'"))
    found = profiled.finish()
    assert found["WRITES"] == [("1", 5)]
    assert found["READS"] == [("1", 4)]


def test_sessions_have_no_fast_paths_meanwhile_and_have_them_again() -> None:
    profiled = Profiled()
    session = profiled.small.session
    before = session._fast, session._fast_query, session._fast_batch
    profiled.begin()
    assert session._fast == {}
    assert session._fast_query(b"", None) is None
    assert SmallSession(True, ()).node.profile is None
    profiled.finish()
    assert (session._fast, session._fast_query, session._fast_batch) == before


def test_nothing_counts_behind_the_end_and_nobody_samples_twice() -> None:
    profiled = Profiled()
    profiled.begin()
    with pytest.raises(AlreadySampling, match="Sampling already in progress"):
        profiled.profile.begin(profiled.tables[:1], ["READS"], 10, 1)
    profiled.now_s = 11
    profiled.small.ask(Query(STATEMENTS[0]))
    assert profiled.finish()["WRITES"] == []
    assert not profiled.profile


def test_sstables_that_have_a_partition(tmp_path: Path) -> None:
    profiled = Profiled()
    store = profiled.node.engine.stores[profiled.tables[0].id]
    profiled.small.ask(Query(STATEMENTS[0]))

    class Source:
        def maybe_partition(self, key: bytes) -> object:
            return key if key == b"\0\0\0\0" else None

    profiled.begin()
    store.flushed = (Source(), Source(), *store.flushed)  # type: ignore[assignment]
    profiled.profile.read(profiled.tables[0], b"\0\0\0\0", 1, 0)
    profiled.profile.read(profiled.tables[0], b"\0\0\0\1", 1, 0)
    assert profiled.finish()["READ_SSTABLE_COUNT"] == [("0", 2)]


def test_a_summary_of_more_than_it_holds_says_how_wrong_it_may_be() -> None:
    summary = StreamSummary(3)
    for item in "aaabbcdddd":
        summary.offer(item, 1)
    # d took the place of c, which came once
    assert summary.top(3) == [("d", 5, 1), ("a", 3, 0), ("b", 2, 0)]
    many = StreamSummary(10)
    for index in range(10_000):
        many.offer(str(index % 1_000), 1)
        many.offer("often", 1)
    (item, number, error), *_ = many.top(1)
    assert item == "often"
    assert number - error <= 10_000 <= number


def test_the_largest_are_kept_however_many_come() -> None:
    largest = Largest(5)
    for value in range(1_000):
        largest.offer(f"item {value % 7}", value)
    assert [value for _, value, _ in largest.top(3)] == [999, 998, 997]
    assert len(largest._items) < 10
