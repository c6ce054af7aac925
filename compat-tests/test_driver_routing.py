"""Token-aware routing: the driver's tokens, replicas and routing keys are the server's."""

import itertools

import pytest
from cassandra.cluster import Session
from cassandra.metadata import Murmur3Token
from cassandra.query import SimpleStatement

KEYS = [0, 1, -1, 200, 255, 256, 65535, 2**31 - 1, -(2**31)]
TEXTS = ["", "a", "ü", "0123456789abcdef", "0123456789abcdeü", "naïve 日本語 😀", "x" * 1000]


@pytest.fixture(scope="module")
def table(session: Session) -> str:
    session.execute("CREATE TABLE routed (a int, b text, v int, PRIMARY KEY ((a, b)))")
    return "routed"


def test_the_ring(session: Session) -> None:
    token_map = session.cluster.metadata.token_map
    assert token_map.token_class is Murmur3Token
    (host,) = session.cluster.metadata.all_hosts()
    assert len(token_map.ring) >= 1
    assert token_map.ring == sorted(token_map.ring)
    assert set(token_map.token_to_host_owner.values()) == {host}
    row = session.execute("SELECT tokens, partitioner FROM system.local").one()
    assert row.partitioner == "org.apache.cassandra.dht.Murmur3Partitioner"
    assert sorted(int(token) for token in row.tokens) == [token.value for token in token_map.ring]


def test_tokens_are_the_servers(session: Session, table: str) -> None:
    """Keys with bytes above 7f, of every length, where hashes of Murmur3 differ most easily."""
    insert = session.prepare(f"INSERT INTO {table} (v, b, a) VALUES (?, ?, ?)")
    expected = {}
    for number, key in enumerate(KEYS):
        for text in TEXTS:
            bound = insert.bind((number, text, key))
            session.execute(bound)
            expected[key, text] = Murmur3Token.from_key(bound.routing_key).value
    rows = session.execute(f"SELECT a, b, token(a, b) AS t FROM {table}").all()
    assert {(row.a, row.b): row.t for row in rows} == expected
    assert [row.t for row in rows] == sorted(expected.values())


def test_tokens_of_single_keys(session: Session) -> None:
    session.execute("CREATE TABLE single (k blob PRIMARY KEY)")
    insert = session.prepare("INSERT INTO single (k) VALUES (?)")
    keys = [bytes((start + i) % 256 for i in range(length)) for length in range(1, 34) for start in (0, 120, 250)]
    for key in keys:
        session.execute(insert, (key,))
    found = {row.k: row.t for row in session.execute("SELECT k, token(k) AS t FROM single")}
    assert found == {key: Murmur3Token.from_key(key).value for key in keys}


def test_replicas(session: Session, keyspace: str, table: str) -> None:
    metadata = session.cluster.metadata
    (host,) = metadata.all_hosts()
    insert = session.prepare(f"INSERT INTO {table} (a, b, v) VALUES (?, ?, ?)")
    for key in KEYS:
        assert metadata.get_replicas(keyspace, insert.bind((key, "x", 1)).routing_key) == [host]


def test_the_policy_takes_the_replica(session: Session, table: str) -> None:
    insert = session.prepare(f"INSERT INTO {table} (a, b, v) VALUES (?, ?, ?)")
    future = session.execute_async(insert, (7, "x", 1))
    future.result()
    assert [str(host) for host in future.attempted_hosts] == [str(host) for host in session.cluster.metadata.all_hosts()]


def test_a_routing_key_given_by_hand(session: Session, table: str) -> None:
    key = b"\x00\x04\x00\x00\x00\x09\x00\x00\x04hand\x00"
    statement = SimpleStatement(f"INSERT INTO {table} (a, b, v) VALUES (9, 'hand', 1)", routing_key=key)
    session.execute(statement)
    token = Murmur3Token.from_key(statement.routing_key).value
    assert session.execute(f"SELECT token(a, b) AS t FROM {table} WHERE a = 9 AND b = 'hand'").one().t == token
    assert session.execute(f"SELECT a FROM {table} WHERE token(a, b) = {token}").one().a == 9


def test_token_ranges_cover_every_row_once(session: Session, table: str) -> None:
    """What Spark and other readers of whole tables do: the ring's ranges, one query each."""
    everything = sorted((row.a, row.b) for row in session.execute(f"SELECT a, b FROM {table}"))
    ring = [token.value for token in session.cluster.metadata.token_map.ring]
    within = session.prepare(f"SELECT a, b FROM {table} WHERE token(a, b) > ? AND token(a, b) <= ?")
    found = [(row.a, row.b) for start, end in itertools.pairwise(ring) for row in session.execute(within, (start, end))]
    found += [(row.a, row.b) for row in session.execute(f"SELECT a, b FROM {table} WHERE token(a, b) > {ring[-1]}")]
    found += [(row.a, row.b) for row in session.execute(f"SELECT a, b FROM {table} WHERE token(a, b) <= {ring[0]}")]
    assert sorted(found) == everything
