"""Attached indexes that would take more memory than all may are let go; reads give the same without them."""

import logging
import random
import struct

import pytest

from protocol.errors import InvalidRequest, Overloaded
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk
from storage.indexes.attached import AttachedIndex
from storage.indexes.reading import terms_of
from storage.indexes.sorted_terms import SortedTerms
from storage.indexes.vectors import VectorPostings
from tests.cqlserver.small_server import KEYSPACE, small_node
from tests.cqlserver.test_secondary_indexes import Client

ROWS = 400


def flooded(bytes_max: int, *tables: str) -> Client:
    client = Client(small_node(FaultyDisk(), ManualClock()))
    client.node.engine.indexed.budget.bytes_max = bytes_max
    for text in (KEYSPACE, *tables):
        client.run(text)
    return client


def index_of(client: Client, name: str, table: str = "t") -> AttachedIndex:
    store = client.node.engine.stores[client.node.schema.keyspaces["ks"].tables[table].id]
    assert store.indexes is not None
    return store.indexes.attached[name]


def held(client: Client) -> int:
    return sum(index.postings.held_bytes for index in client.node.engine.indexed._attached())


def test_a_flood_of_writes_stays_within_the_bound_and_reads_give_the_same(caplog: pytest.LogCaptureFixture) -> None:
    client = flooded(
        40_000,
        "CREATE TABLE ks.t (k int PRIMARY KEY, v int, w text)",
        "CREATE INDEX iv ON ks.t (v) USING 'sai'",
        "CREATE INDEX iw ON ks.t (w) USING 'sai'",
    )
    for where in ("v = 1", "w = 'a'"):  # from now on they follow writes
        client.run(f"SELECT k FROM ks.t WHERE {where}")
    with caplog.at_level(logging.WARNING, "cqlserver.indexes"):
        for k in range(ROWS):
            client.run(f"INSERT INTO ks.t (k, v, w) VALUES ({k}, {k % 7}, '{'x' * 60}{k % 5}')")
            assert held(client) <= 40_000 * 9 // 8
    assert index_of(client, "iw").is_let_go
    assert "The index iw would take more memory than all indexes may" in caplog.text
    for k in range(7):
        assert len(client.run(f"SELECT k FROM ks.t WHERE v = {k}")) == len(range(k, ROWS, 7))
    for k in range(5):
        assert len(client.run(f"SELECT k FROM ks.t WHERE w = '{'x' * 60}{k}'")) == ROWS // 5
    assert len(client.run(f"SELECT k FROM ks.t WHERE w = '{'x' * 60}0' AND v > 2")) == sum(
        k % 7 > 2 for k in range(0, ROWS, 5)
    )


def test_a_build_that_grows_too_large_ends_and_a_truncated_table_begins_anew() -> None:
    client = flooded(20_000, "CREATE TABLE ks.t (k int, c int, v int, PRIMARY KEY (k, c))")
    for c in range(ROWS):
        client.run(f"INSERT INTO ks.t (k, c, v) VALUES (1, {c}, {c % 3})")
    client.run("CREATE INDEX iv ON ks.t (v) USING 'sai'")
    assert index_of(client, "iv").is_let_go
    assert held(client) == 0
    assert len(client.run("SELECT c FROM ks.t WHERE v = 1")) == len(range(1, ROWS, 3))
    client.run("ALTER TABLE ks.t ADD w int")
    assert index_of(client, "iv").is_let_go
    client.run("TRUNCATE ks.t")
    client.run("INSERT INTO ks.t (k, c, v) VALUES (1, 1, 1)")
    assert client.run("SELECT c FROM ks.t WHERE v = 1") == [(b"\0\0\0\1",)]
    assert not index_of(client, "iv").is_let_go
    assert index_of(client, "iv").postings.size == 1


def test_vectors_for_which_there_is_no_room_are_no_longer_searched() -> None:
    client = flooded(
        30_000,
        "CREATE TABLE ks.t (k int PRIMARY KEY, v vector<float, 16>)",
        "CREATE INDEX iv ON ks.t (v) USING 'sai'",
    )
    nearest = f"SELECT k FROM ks.t ORDER BY v ANN OF [{', '.join(['1'] * 16)}] LIMIT 3"
    for k in range(5):
        client.run(f"INSERT INTO ks.t (k, v) VALUES ({k}, [{', '.join([str(k + 1)] * 16)}])")
    assert len(client.run(nearest)) == 3
    for k in range(ROWS):
        client.run(f"INSERT INTO ks.t (k, v) VALUES ({k}, [{', '.join([str(k + 1)] * 16)}])")
    with pytest.raises(InvalidRequest, match=r"The index iv holds no vectors: .* \(sai_options.segment_write_buffer_size\)"):
        client.run(nearest)
    assert len(client.run("SELECT k FROM ks.t")) == ROWS


def test_a_read_whose_index_goes_meanwhile_is_to_be_asked_again() -> None:
    client = flooded(
        1 << 20, "CREATE TABLE ks.t (k int PRIMARY KEY, v int)", "CREATE INDEX iv ON ks.t (v) USING 'sai'"
    )
    client.run("INSERT INTO ks.t (k, v) VALUES (1, 1)")
    assert len(client.run("SELECT k FROM ks.t WHERE v = 1")) == 1
    index = index_of(client, "iv")
    postings, index.is_let_go = index.postings, True
    with pytest.raises(Overloaded, match="ask again"):
        terms_of(index)
    index.is_let_go = False
    assert terms_of(index) is postings


def test_what_is_reckoned_follows_what_comes_and_goes() -> None:
    rng = random.Random(5)
    terms, there = SortedTerms(), set()
    for _ in range(2_000):
        entry = (bytes([rng.randrange(1, 9)]) * rng.randrange(1, 9), b"p" * rng.randrange(9), b"c")
        if rng.random() < 0.5:
            terms.add(entry)
            there.add(entry)
        else:
            terms.discard(entry)
            there.discard(entry)
    alone = SortedTerms()
    for entry in there:
        alone.add(entry)
    assert terms.size == len(there) > 0
    assert terms.held_bytes == alone.held_bytes
    vectors = VectorPostings(4)
    for number in range(10):
        vectors.add((struct.pack(">4f", 1, 2, 3, 4), b"p%d" % number, b""))
    before = vectors.held_bytes
    vectors.discard((struct.pack(">4f", 1, 2, 3, 4), b"p1", b""))
    vectors.add((struct.pack(">4f", 1, 2, 3, 4), b"p1", b""))
    assert vectors.held_bytes == before  # its place is taken again
