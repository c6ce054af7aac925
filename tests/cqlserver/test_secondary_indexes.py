"""Indexes through the whole node, without sockets: against scans that filter, across restarts, while they are built."""

import random

import pytest

from cqlserver.node import Node
from cqlserver.pending import Pending
from cqlserver.state import ClientState
from protocol.errors import InvalidRequest
from protocol.requests import Query, QueryOptions
from protocol.responses import RowsResult
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk
from tests.cqlserver.small_server import KEYSPACE, small_node
from tests.cqlserver.small_session import SmallSession

SEEDS = range(3)


class Client:
    def __init__(self, node: Node) -> None:
        self.node, self.state = node, ClientState("127.0.0.1", 1)

    def start(self, text: str) -> object:
        return self.node.statements.query(self.state, text, QueryOptions(consistency=1))

    def run(self, text: str) -> list[tuple[bytes | None, ...]]:
        result = self.start(text)
        result = result.finish() if isinstance(result, Pending) else result
        return result.rows() if isinstance(result, RowsResult) else []


def restarted(node: Node, disk: FaultyDisk, clock: ManualClock) -> Client:
    assert node.commit_log is not None
    node.commit_log.write()
    node.engine.close()
    return Client(small_node(disk, clock))


def number(value: int) -> bytes:
    return value.to_bytes(4, "big", signed=True)


@pytest.mark.parametrize("seed", SEEDS)
def test_an_index_gives_what_filtering_gives(seed: int) -> None:
    rng = random.Random(seed)
    print(f"seed {seed}")
    disk, clock = FaultyDisk(), ManualClock()
    client = Client(small_node(disk, clock))
    client.run(KEYSPACE)
    columns = "k int, c int, v int, l list<int>, m map<int, int>, s int static, PRIMARY KEY (k, c)"
    for table in ("t", "plain"):
        client.run(f"CREATE TABLE ks.{table} ({columns})")
    targets = ["v", "l", "keys(m)", "entries(m)", "s", "c"]
    for target in targets[::2]:
        client.run(f"CREATE INDEX ON ks.t ({target})")
    hits = 0
    for step in range(400):
        if step == 200:
            for target in targets[1::2]:
                client.run(f"CREATE INDEX ON ks.t ({target})")
        write = _random_write(rng)
        for table in ("t", "plain"):
            client.run(write.replace("TABLE", f"ks.{table}"))
        if step % 7 == 0 and step > 200:
            where = _random_where(rng)
            found = client.run(f"SELECT * FROM ks.t WHERE {where}")
            assert found == client.run(f"SELECT * FROM ks.plain WHERE {where} ALLOW FILTERING"), where
            hits += len(found)
        if step == 300:
            client = restarted(client.node, disk, clock)
    assert hits


def _random_write(rng: random.Random) -> str:
    k, c, v, time = rng.randrange(5), rng.randrange(5), rng.randrange(4), rng.randrange(1, 60)
    place = f"k = {k} AND c = {c}"
    return rng.choice(
        (
            f"INSERT INTO TABLE (k, c, v, l, m) VALUES ({k}, {c}, {v}, [{v}, {c}], {{{v}: {c}}})",
            f"INSERT INTO TABLE (k, c, v) VALUES ({k}, {c}, {v}) USING TIMESTAMP {time}",
            f"INSERT INTO TABLE (k, s) VALUES ({k}, {v})",
            f"UPDATE TABLE SET v = {v} WHERE {place}",
            f"UPDATE TABLE USING TIMESTAMP {time} SET v = {v} WHERE {place}",
            f"UPDATE TABLE SET m[{v}] = {c} WHERE {place}",
            f"UPDATE TABLE SET l = l + [{v}] WHERE {place}",
            f"DELETE v FROM TABLE WHERE {place}",
            f"DELETE m[{v}] FROM TABLE WHERE {place}",
            f"DELETE FROM TABLE USING TIMESTAMP {time} WHERE {place}",
            f"DELETE FROM TABLE WHERE {place}",
            f"DELETE FROM TABLE WHERE k = {k} AND c > {c}",
            f"DELETE FROM TABLE WHERE k = {k}",
            f"BEGIN BATCH UPDATE TABLE SET v = {v} WHERE {place}; UPDATE TABLE SET v = {c} WHERE {place} APPLY BATCH",
        )
    )


def _random_where(rng: random.Random) -> str:
    v, c = rng.randrange(4), rng.randrange(5)
    indexed = (f"v = {v}", f"l CONTAINS {v}", f"m CONTAINS KEY {v}", f"m[{v}] = {c}", f"s = {v}", f"c = {c}")
    return rng.choice(indexed)


def test_indexes_come_back_with_the_log_and_need_no_build() -> None:
    disk, clock = FaultyDisk(), ManualClock()
    client = Client(small_node(disk, clock))
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
    client.run("INSERT INTO ks.t (k, v) VALUES (1, 1)")
    client.run("CREATE INDEX ON ks.t (v)")
    client.run("INSERT INTO ks.t (k, v) VALUES (2, 1)")
    client = restarted(client.node, disk, clock)
    indexes = client.node.engine.stores[client.node.schema.keyspaces["ks"].tables["t"].id].indexes
    assert indexes is not None
    assert not indexes.unbuilt
    assert sorted(client.run("SELECT k FROM ks.t WHERE v = 1")) == [(number(1),), (number(2),)]
    client.run("DROP INDEX ks.t_v_idx")
    client.run("UPDATE ks.t SET v = 2 WHERE k = 1")
    client.run("CREATE INDEX t_v_idx ON ks.t (v)")
    client = restarted(client.node, disk, clock)
    assert client.run("SELECT k FROM ks.t WHERE v = 1") == [(number(2),)]
    client.run("TRUNCATE ks.t")
    client = restarted(client.node, disk, clock)
    assert client.run("SELECT k FROM ks.t WHERE v = 1") == []


def test_a_build_that_a_stop_interrupted_begins_anew_with_the_first_read() -> None:
    disk, clock = FaultyDisk(), ManualClock()
    client = Client(small_node(disk, clock))
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
    for k in range(300):
        client.run(f"INSERT INTO ks.t (k, v) VALUES ({k}, {k % 3})")
    building = client.start("CREATE INDEX ON ks.t (v)")
    assert isinstance(building, Pending)
    for _ in range(2):
        assert not building.step()
    building.close()
    client = restarted(client.node, disk, clock)
    assert client.run('SELECT * FROM system."IndexInfo"') == []
    client.run("INSERT INTO ks.t (k, v) VALUES (1000, 1)")
    assert len(client.run("SELECT k FROM ks.t WHERE v = 1")) == 101
    assert len(client.run('SELECT * FROM system."IndexInfo"')) == 1


def test_writes_between_the_steps_of_a_build_are_found() -> None:
    client = Client(small_node())
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v int)")
    for k in range(300):
        client.run(f"INSERT INTO ks.t (k, v) VALUES ({k}, 1)")
    building = client.start("CREATE INDEX ON ks.t (v)")
    assert isinstance(building, Pending)
    k = 0
    while not building.step():
        client.run(f"UPDATE ks.t SET v = 2 WHERE k = {k}")
        client.run(f"UPDATE ks.t SET v = 2 WHERE k = {299 - k}")
        k += 1
    assert k > 1
    assert len(client.run("SELECT k FROM ks.t WHERE v = 2")) == 2 * k
    assert len(client.run("SELECT k FROM ks.t WHERE v = 1")) == 300 - 2 * k


def test_a_value_that_is_too_large_for_an_index_is_refused_and_not_written() -> None:
    client = Client(small_node())
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int PRIMARY KEY, v text)")
    client.run("CREATE INDEX ON ks.t (v)")
    with pytest.raises(InvalidRequest, match="Cannot index value of size 65536 for index t_v_idx"):
        client.run(f"INSERT INTO ks.t (k, v) VALUES (1, '{'x' * 65536}')")
    assert client.run("SELECT * FROM ks.t") == []
    with pytest.raises(InvalidRequest, match="Index expression values may not be larger than 64K"):
        client.run(f"SELECT * FROM ks.t WHERE v = '{'x' * 65536}'")


def test_an_expired_entry_is_gone_and_one_of_a_key_column_stays() -> None:
    clock = ManualClock()
    client = Client(small_node(clock=clock))
    client.run(KEYSPACE)
    client.run("CREATE TABLE ks.t (k int, c int, v int, w int, PRIMARY KEY (k, c))")
    client.run("CREATE INDEX ON ks.t (v)")
    client.run("CREATE INDEX ON ks.t (c)")
    client.run("INSERT INTO ks.t (k, c, v) VALUES (1, 1, 1) USING TTL 10")
    client.run("UPDATE ks.t SET w = 1 WHERE k = 1 AND c = 1")
    assert len(client.run("SELECT * FROM ks.t WHERE v = 1")) == 1
    clock.advance(11)
    assert client.run("SELECT * FROM ks.t WHERE v = 1") == []
    assert len(client.run("SELECT * FROM ks.t WHERE c = 1")) == 1


@pytest.mark.parametrize("using", ["", " USING 'sai'"])
def test_the_short_way_of_writing_leaves_what_the_long_way_leaves(using: str) -> None:
    rng = random.Random(5)
    table = [KEYSPACE, "CREATE TABLE ks.t (a int, b int, c int, v int, w int, PRIMARY KEY ((a, b), c))"]
    indexes = [f"CREATE INDEX ON ks.t ({column}){using}" for column in ("b", "c", "v", "w")]
    indexed, plain = SmallSession(True, table + indexes), SmallSession(False, table)
    texts = [
        "INSERT INTO ks.t (a, b, c, v, w) VALUES (?, ?, ?, ?, ?)",
        "INSERT INTO ks.t (a, b, c, v) VALUES (?, ?, ?, ?)",
    ]
    for select in [f"SELECT * FROM ks.t WHERE v = {n}" for n in range(3)]:  # attached indexes begin
        indexed.rows(select)
    for step in range(300):
        text, timestamp_us = rng.choice(texts), rng.choice((step, step, 100))
        values = [number(rng.randrange(3)) for _ in range(text.count("?"))]
        where = f"a = {rng.randrange(3)} AND b = {rng.randrange(3)} AND c = {rng.randrange(3)}"
        for session in (indexed, plain):
            session.execute(text, *values, timestamp_us=timestamp_us)
            if step % 20 == 0:
                session.ask(Query(f"DELETE FROM ks.t USING TIMESTAMP {step} WHERE {where}"))
    assert any(indexed.taken)
    found = 0
    for select in [f"SELECT * FROM ks.t WHERE {column} = {n}" for column in ("b", "c", "v", "w") for n in range(3)]:
        rows = indexed.rows(select)
        assert rows == plain.rows(f"{select} ALLOW FILTERING"), select
        found += len(rows[0]) > 0
    assert found > 6
