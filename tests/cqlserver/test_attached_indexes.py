"""Storage-attached indexes and vector search through the whole node: against scans that filter, and across restarts."""

import random
import struct
from collections.abc import Callable

import pytest

from cqlserver.pending import Pending
from cqlserver.plans import nearest
from protocol.requests import QueryOptions
from protocol.responses import RowsResult
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk
from storage.indexes.sasi import SASI_CLASS
from storage.memtable.memtable import position_of
from tests.cqlserver.small_server import KEYSPACE, small_node
from tests.cqlserver.test_secondary_indexes import Client, number, restarted

SEEDS = range(3)


@pytest.mark.parametrize("seed", SEEDS)
def test_ranges_and_several_conditions_give_what_filtering_gives(seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")
    disk, clock = FaultyDisk(), ManualClock()
    client = Client(small_node(disk, clock))
    client.run(KEYSPACE)
    columns = "k int, c int, v int, w int, m map<int, int>, s int static, PRIMARY KEY (k, c)"
    for table in ("t", "plain"):
        client.run(f"CREATE TABLE ks.{table} ({columns})")
    for target in ("v", "w", "entries(m)", "s"):
        client.run(f"CREATE INDEX ON ks.t ({target}) USING 'sai'")
    hits = 0
    for step in range(300):
        k, c, v, w = (rng.randrange(6) for _ in range(4))
        write = rng.choice(
            (
                f"INSERT INTO TABLE (k, c, v, w, m) VALUES ({k}, {c}, {v}, {w}, {{{v}: {w}}})",
                f"INSERT INTO TABLE (k, c, v, s) VALUES ({k}, {c}, {v}, {w})",
                f"UPDATE TABLE SET w = {w} WHERE k = {k} AND c = {c}",
                f"DELETE v FROM TABLE WHERE k = {k} AND c = {c}",
                f"DELETE FROM TABLE WHERE k = {k} AND c > {c}",
                f"DELETE FROM TABLE WHERE k = {k}",
            )
        )
        for table in ("t", "plain"):
            client.run(write.replace("TABLE", f"ks.{table}"))
        if step % 5 == 0:
            where = rng.choice(
                (
                    f"v > {v}",
                    f"v >= {v} AND v < {w}",
                    f"v = {v} AND w > {w}",
                    f"m[{v}] = {w}",
                    f"s < {v}",
                    f"s = {v} AND w = {w}",
                )
            )
            found = client.run(f"SELECT * FROM ks.t WHERE {where}")
            assert found == client.run(f"SELECT * FROM ks.plain WHERE {where} ALLOW FILTERING"), where
            hits += len(found)
        if step == 150:
            client = restarted(client.node, disk, clock)
    assert hits


@pytest.mark.parametrize("function", ["cosine", "dot_product", "euclidean"])
def test_the_nearest_vectors_are_found_exactly(function: str) -> None:
    rng = random.Random(7)
    disk, clock = FaultyDisk(), ManualClock()
    client = Client(small_node(disk, clock))
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v vector<float, 4>, n int)")
    client.run("CREATE INDEX ON ks.t (n) USING 'sai'")
    vectors = {}
    for k in range(200):
        vectors[k] = struct.unpack("4f", struct.pack("4f", *(rng.uniform(-1, 1) for _ in range(4))))
        client.run(f"INSERT INTO ks.t (k, v, n) VALUES ({k}, {list(vectors[k])}, {k % 2})")
    client.run(f"CREATE INDEX ON ks.t (v) USING 'sai' WITH OPTIONS = {{'similarity_function': '{function}'}}")
    for k in range(0, 200, 7):
        del vectors[k]
        client.run(f"DELETE FROM ks.t WHERE k = {k}")
    for _ in range(2):
        wanted = [rng.uniform(-1, 1) for _ in range(4)]

        def score(k: int, wanted: list[float] = wanted) -> float:
            dot = sum(a * b for a, b in zip(vectors[k], wanted, strict=True))
            if function == "euclidean":
                return -sum((a - b) ** 2 for a, b in zip(vectors[k], wanted, strict=True))
            return dot if function == "dot_product" else dot / sum(a * a for a in vectors[k]) ** 0.5

        expected = sorted(vectors, key=score, reverse=True)
        found = client.run(f"SELECT k FROM ks.t ORDER BY v ANN OF {wanted} LIMIT 10")
        assert found == [(number(k),) for k in expected[:10]]
        odd = client.run(f"SELECT k FROM ks.t WHERE n = 1 ORDER BY v ANN OF {wanted} LIMIT 5")
        assert odd == [(number(k),) for k in expected if k % 2][:5]
        client = restarted(client.node, disk, clock)


@pytest.mark.parametrize("looked_up_max", [0, 5_000])
def test_the_nearest_are_found_beside_conditions(looked_up_max: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through the entries of another index, and without them."""
    monkeypatch.setattr(nearest, "LOOKED_UP_MAX", looked_up_max)
    rng = random.Random(11)
    client = Client(small_node(FaultyDisk(), ManualClock()))
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int, c int, v vector<float, 2>, n int, s int static, PRIMARY KEY (k, c))")
    for target in ("v", "n", "s"):
        client.run(f"CREATE INDEX ON ks.t ({target}) USING 'sai'")
    rows = {}
    for k in range(60):
        client.run(f"INSERT INTO ks.t (k, s) VALUES ({k}, {k % 4})")
        for c in range(2):
            x, y, n = rows[k, c] = rng.random(), rng.random(), rng.randrange(5)
            client.run(f"INSERT INTO ks.t (k, c, v, n) VALUES ({k}, {c}, [{x}, {y}], {n})")

    def expected(is_met: Callable[[int, int, int], bool]) -> list[tuple[bytes, bytes]]:
        met = [(k, c) for (k, c), (_, _, n) in rows.items() if is_met(k, c, n)]
        met.sort(key=lambda at: -(rows[at][0] + rows[at][1]) / (rows[at][0] ** 2 + rows[at][1] ** 2) ** 0.5)
        return [(number(k), number(c)) for k, c in met[:6]]

    def found(where: str) -> list[tuple[bytes | None, ...]]:
        return client.run(f"SELECT k, c FROM ks.t WHERE {where} ORDER BY v ANN OF [1, 1] LIMIT 6")

    assert found("n = 3") == expected(lambda k, c, n: n == 3)
    assert found("n > 1 AND s = 2") == expected(lambda k, c, n: n > 1 and k % 4 == 2)
    assert found("k = 7") == expected(lambda k, c, n: k == 7)
    assert found("n = 9") == []


def test_like_gives_what_a_scan_gives() -> None:
    """Over overwritten and deleted rows, pages, flushes and restarts."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    disk, clock = FaultyDisk(), ManualClock()
    client = Client(small_node(disk, clock, sasi_indexes_enabled=True))
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int, c int, v text, PRIMARY KEY (k, c))")
    client.run(f"CREATE CUSTOM INDEX ON ks.t (v) USING '{SASI_CLASS}' WITH OPTIONS = {{'mode': 'CONTAINS'}}")
    rows: dict[tuple[int, int], str] = {}
    found_rows = 0
    for step in range(300):
        k, c = rng.randrange(8), rng.randrange(4)
        if rng.random() < 0.25:
            client.run(f"DELETE FROM ks.t WHERE k = {k} AND c = {c}")
            rows.pop((k, c), None)
        else:
            rows[k, c] = "".join(rng.choice("abé") for _ in range(rng.randrange(1, 6)))
            client.run(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, {c}, '{rows[k, c]}')")
        if step % 3:
            continue
        text = "".join(rng.choice("abé") for _ in range(rng.randrange(1, 4)))
        for pattern, is_met in (
            (text, text.__eq__),
            (text + "%", lambda value, text=text: value.startswith(text)),
            ("%" + text, lambda value, text=text: value.endswith(text)),
            (f"%{text}%", lambda value, text=text: text in value),
        ):
            found = client.run(f"SELECT k, c FROM ks.t WHERE v LIKE '{pattern}'")
            expected = [(number(k), number(c)) for k, c in rows if is_met(rows[k, c])]
            assert sorted(found) == sorted(expected), pattern
            one = client.run(f"SELECT c FROM ks.t WHERE k = {k} AND v LIKE '{pattern}'")
            assert one == [(number(c),) for c in sorted(c for at, c in rows if at == k and is_met(rows[at, c]))]
            found_rows += len(found)
        if step == 150:
            client = restarted(client.node, disk, clock)
    assert found_rows > 100


def test_partitions_of_one_row_are_found_with_the_others() -> None:
    """They are taken many at a time: rows with a TTL, of several clusterings and with nulls among them, in pages."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    rng = random.Random(seed)
    client = Client(small_node(FaultyDisk(), ManualClock()))
    client.run(KEYSPACE)
    for table in ("t", "plain"):
        client.run(f"CREATE TABLE ks.{table} (k int, c int, v int, w int, PRIMARY KEY (k, c))")
    client.run("CREATE INDEX ON ks.t (v) USING 'sai'")
    client.run("CREATE INDEX ON ks.t (w)")
    for k in range(300):
        for _ in range(rng.choice((1, 1, 1, 1, 2, 3))):
            c, v, w = rng.randrange(4), rng.randrange(5), rng.randrange(5)
            columns, values = rng.choice((("k, c, v, w", f"{k}, {c}, {v}, {w}"), ("k, c, v", f"{k}, {c}, {v}")))
            ttl = rng.choice(("", "", " USING TTL 1000"))
            for table in ("t", "plain"):
                client.run(f"INSERT INTO ks.{table} ({columns}) VALUES ({values}){ttl}")
    found_rows = 0
    for where in ("v = 1", "w = 2", "v > 2", "v = 1 AND w = 2", "v < 3 AND c = 1", "k > 100 AND v = 1"):
        text = f"SELECT k, c, v, w FROM ks.%s WHERE {where} ALLOW FILTERING"
        expected = client.run(text % "plain")
        assert client.run(text % "t") == expected
        assert client.run((text % "t").replace("ALLOW", "LIMIT 7 ALLOW")) == expected[:7]
        found, state = [], None
        while True:
            options = QueryOptions(consistency=1, page_size=5, paging_state=state)
            result = client.node.statements.query(client.state, text % "t", options)
            page = result.finish() if isinstance(result, Pending) else result
            assert isinstance(page, RowsResult)
            found += page.rows()
            state = page.paging_state
            if state is None:
                break
        assert found == expected
        found_rows += len(found)
    assert found_rows > 300


def test_partitions_at_the_end_of_the_ring_are_found() -> None:
    """The bound behind a term's entries lay before positions that begin with the greatest byte."""
    k = next(k for k in range(10_000) if position_of(number(k))[0] == 0xFF)
    client = Client(small_node(FaultyDisk(), ManualClock(), sasi_indexes_enabled=True))
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v int, w text)")
    client.run("CREATE INDEX ON ks.t (v) USING 'sai'")
    client.run(f"CREATE CUSTOM INDEX ON ks.t (w) USING '{SASI_CLASS}'")
    client.run(f"INSERT INTO ks.t (k, v, w) VALUES ({k}, 1, 'a')")
    wheres = ("v = 1", "v >= 1 AND v <= 1", "v <= 1", "v > 0", "w = 'a'", "w LIKE 'a'", "w LIKE 'a%'", f"k = {k} AND v = 1")
    for where in wheres:
        assert client.run(f"SELECT k FROM ks.t WHERE {where}") == [(number(k),)], where
