"""The Python driver connects: versions, compression, keyspaces, heartbeats, events, many requests at once."""

import logging
import threading
from collections.abc import Callable

import pytest
from cassandra import ConsistencyLevel, DriverException, ProtocolVersion
from cassandra.cluster import Cluster, ExecutionProfile, NoHostAvailable, Session
from cassandra.concurrent import execute_concurrent, execute_concurrent_with_args
from cassandra.connection import locally_supported_compressions
from cassandra.policies import (
    ConstantReconnectionPolicy,
    ConstantSpeculativeExecutionPolicy,
    FallthroughRetryPolicy,
    HostStateListener,
    RoundRobinPolicy,
)
from cassandra.pool import Host
from cassandra.query import SimpleStatement, tuple_factory
from clients.python_driver import VERSIONS, connected, make_cluster, unique, wait_until
from harness.runner import Address

ECHO = "SELECT release_version, cql_version, native_protocol_version FROM system.local"


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_connects(server_address: Address, version: int) -> None:
    with connected(server_address, version) as session:
        row = session.execute(ECHO).one()
        assert row == ("5.0.8", "3.4.7", "5")
        assert session.cluster.protocol_version == version


def test_negotiation_ends_at_the_highest_version_of_both(server_address: Address, caplog: pytest.LogCaptureFixture) -> None:
    """The driver begins with DSE's versions, which are to be refused in such a way that it tries the next lower."""
    with caplog.at_level(logging.WARNING, "cassandra"), connected(server_address) as session:
        assert session.cluster.protocol_version == ProtocolVersion.V5
        assert session.execute(ECHO).one().release_version == "5.0.8"
    assert "Downgrading core protocol version from 66 to 65" in caplog.text
    assert "Downgrading core protocol version from 65 to 5" in caplog.text


@pytest.mark.parametrize("version", [1, 2, 6, 65, 66])
def test_a_version_asked_for_and_not_there_is_an_error(server_address: Address, version: int) -> None:
    cluster = make_cluster(server_address, version)
    try:
        with pytest.raises((NoHostAvailable, DriverException)) as caught:
            cluster.connect()
        message = f"while using explicitly set client protocol_version {version}"
        beta = "Beta version of the protocol used (6/v6-beta), but USE_BETA flag is unset"
        assert (beta if version == 6 else message) in str(caught.value)
    finally:
        cluster.shutdown()


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("compression", ["lz4", "snappy", False])
def test_compression(server_address: Address, version: int, compression: str | bool) -> None:
    """v5 has LZ4 only; the driver asks for it there whatever it was told, or goes without."""
    if compression == "snappy" and version == 5:
        pytest.skip("protocol v5 has no Snappy")
    if compression and compression not in locally_supported_compressions:
        pytest.skip(f"the driver finds no module for {compression}")
    with connected(server_address, version, compression=compression) as session:
        rows = session.execute("SELECT column_name, type FROM system_schema.columns WHERE keyspace_name = 'system'").all()
        assert len(rows) > 100
        assert ("peer", "inet") in rows
        connection = next(iter(session._pools.values()))._connection
        assert (connection.compressor is not None) == bool(compression)


def test_keyspace_given_at_connect(session: Session, server_address: Address, keyspace: str) -> None:
    session.execute("CREATE TABLE at_connect (k int PRIMARY KEY)")
    with connected(server_address, keyspace=keyspace) as own:
        assert own.keyspace == keyspace
        assert own.execute("SELECT * FROM at_connect").all() == []
        own.execute("USE system")
        assert own.keyspace == "system"
        assert own.execute("SELECT key FROM local").one().key == "local"
        own.set_keyspace(keyspace)
        assert own.execute("SELECT * FROM at_connect").all() == []


def test_unknown_keyspace_at_connect(server_address: Address, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(NoHostAvailable), connected(server_address, keyspace="no_such_keyspace"):
        pass
    assert "Keyspace 'no_such_keyspace' does not exist" in caplog.text


def test_keyspace_with_capitals_is_quoted(session: Session, server_address: Address) -> None:
    name = unique("MixedCase")
    session.execute(f"CREATE KEYSPACE \"{name}\" WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    try:
        with connected(server_address, keyspace=name) as own:
            own.execute('CREATE TABLE "Table" ("Key" int PRIMARY KEY, "select" text)')
            own.execute('INSERT INTO "Table" ("Key", "select") VALUES (%s, %s)', (1, "x"))
            row = own.execute('SELECT * FROM "Table"').one()
            assert row._asdict() == {"Key": 1, "select": "x"}
            assert name in own.cluster.metadata.keyspaces
    finally:
        session.execute(f'DROP KEYSPACE "{name}"')


def test_the_connection_answers_options(server_address: Address) -> None:
    cluster = make_cluster(server_address, 5)
    try:
        cluster.connect()
        connection = cluster.connection_factory(cluster.metadata.all_hosts()[0].endpoint, is_control_connection=True)
        assert connection.cql_version == "3.4.7"
        connection.close()
    finally:
        cluster.shutdown()


def test_heartbeats_keep_idle_connections(server_address: Address) -> None:
    """The driver sends OPTIONS on a connection that was idle; the interval has seconds as its smallest unit."""
    with connected(server_address, 5, idle_heartbeat_interval=0.2, idle_heartbeat_timeout=5) as session:
        pool = next(iter(session._pools.values()))
        before = pool._connection
        answered = threading.Event()
        send = before.send_msg

        def observed(message: object, request_id: int, cb: Callable[..., None], *args: object, **options: object) -> object:
            def callback(*results: object, **more: object) -> None:
                cb(*results, **more)
                answered.set()

            return send(message, request_id, callback, *args, **options)

        before.send_msg = observed
        assert answered.wait(10)
        assert not before.is_defunct
        assert session.execute(ECHO).one().release_version == "5.0.8"


class Hosts(HostStateListener):  # type: ignore[misc]
    """Notes what the driver says of hosts."""

    def __init__(self) -> None:
        self.up: list[str] = []
        self.added: list[str] = []
        self.down: list[str] = []

    def on_up(self, host: Host) -> None:
        self.up.append(host.address)

    def on_add(self, host: Host) -> None:
        self.added.append(host.address)

    def on_down(self, host: Host) -> None:
        self.down.append(host.address)

    def on_remove(self, host: Host) -> None:
        self.down.append(host.address)


def test_the_host_is_known_and_up(server_address: Address) -> None:
    cluster = make_cluster(server_address, 5)
    listener = Hosts()
    cluster.register_listener(listener)
    try:
        cluster.connect()
        (host,) = cluster.metadata.all_hosts()
        assert (host.address, host.endpoint.port) == (server_address.host, server_address.port)
        assert host.is_up
        assert host.release_version == "5.0.8"
        assert (host.datacenter, host.rack) == ("datacenter1", "rack1")
        assert host.host_id is not None
        assert host.broadcast_rpc_address == server_address.host
        assert listener.down == []
    finally:
        cluster.shutdown()


def test_reconnects_after_its_connections_were_cut(server_address: Address) -> None:
    with connected(server_address, 5, reconnection_policy=ConstantReconnectionPolicy(0.05)) as session:
        pool = next(iter(session._pools.values()))
        pool._connection.close()
        session.cluster.control_connection._connection.close()

        def answers() -> bool:
            try:
                return bool(session.execute(ECHO).one())
            except NoHostAvailable:
                return False

        wait_until(answers, "the session answers again")


@pytest.mark.slow
def test_five_thousand_requests_at_once(session: Session) -> None:
    session.execute("CREATE TABLE concurrent (k int PRIMARY KEY, v text)")
    insert = session.prepare("INSERT INTO concurrent (k, v) VALUES (?, ?)")
    written = execute_concurrent_with_args(session, insert, [(i, f"value {i}") for i in range(5000)], concurrency=200)
    assert all(success for success, _ in written)
    select = session.prepare("SELECT v FROM concurrent WHERE k = ?")
    read = execute_concurrent_with_args(session, select, [(i,) for i in range(5000)], concurrency=200)
    assert [result.one().v for _, result in read] == [f"value {i}" for i in range(5000)]


def test_answers_find_their_requests_when_slow_and_quick_mix(any_session: Session) -> None:
    version = any_session.cluster.protocol_version
    any_session.execute(f"CREATE TABLE mixed_{version} (k int, c int, v int, PRIMARY KEY (k, c))")
    insert = any_session.prepare(f"INSERT INTO mixed_{version} (k, c, v) VALUES (?, ?, ?)")
    execute_concurrent_with_args(any_session, insert, [(k, c, k * c) for k in range(4) for c in range(100)])
    wide = SimpleStatement(f"SELECT * FROM mixed_{version} WHERE k = %s", fetch_size=10)
    narrow = any_session.prepare(f"SELECT v FROM mixed_{version} WHERE k = ? AND c = ?")
    requests = [(wide, (i % 4,)) if i % 3 == 0 else (narrow, (i % 4, i % 100)) for i in range(300)]
    for i, (success, result) in enumerate(execute_concurrent(any_session, requests)):
        assert success
        if i % 3 == 0:
            assert [(row.k, row.c) for row in result] == [(i % 4, c) for c in range(100)]
        else:
            assert result.one().v == (i % 4) * (i % 100)


@pytest.mark.parametrize("compression", ["lz4", False])
def test_a_value_of_a_megabyte(
    any_session: Session, server_address: Address, keyspace: str, compression: str | bool
) -> None:
    """Above 128 KiB an envelope spans several v5 segments."""
    version = any_session.cluster.protocol_version
    any_session.execute(f"CREATE TABLE IF NOT EXISTS big_{version} (k text PRIMARY KEY, v blob)")
    repetitive, mixed = b"\x00abc" * 262144, bytes(i * i * 31 % 251 for i in range(1 << 20))
    with connected(server_address, version, keyspace, compression=compression) as own:
        insert = own.prepare(f"INSERT INTO big_{version} (k, v) VALUES (?, ?)")
        own.execute(insert, ("repetitive", repetitive))
        own.execute(insert, ("mixed", mixed))
        own.execute(f"INSERT INTO big_{version} (k, v) VALUES ('literal', %s)", (mixed,))
        select = own.prepare(f"SELECT v FROM big_{version} WHERE k = ?")
        assert own.execute(select, ("repetitive",)).one().v == repetitive
        assert own.execute(select, ("mixed",)).one().v == mixed
        assert own.execute(select, ("literal",)).one().v == mixed


def test_execution_profiles(server_address: Address) -> None:
    profiles = {
        "tuples": ExecutionProfile(load_balancing_policy=RoundRobinPolicy(), row_factory=tuple_factory),
        "all": ExecutionProfile(
            load_balancing_policy=RoundRobinPolicy(),
            consistency_level=ConsistencyLevel.ALL,
            serial_consistency_level=ConsistencyLevel.LOCAL_SERIAL,
            retry_policy=FallthroughRetryPolicy(),
            speculative_execution_policy=ConstantSpeculativeExecutionPolicy(0.5, 2),
        ),
    }
    with connected(server_address, 5, execution_profiles=profiles) as session:
        assert session.execute(ECHO, execution_profile="tuples").one() == ("5.0.8", "3.4.7", "5")
        statement = SimpleStatement(ECHO, is_idempotent=True)
        assert session.execute(statement, execution_profile="all").one().cql_version == "3.4.7"
        future = session.execute_async(statement, execution_profile="all")
        future.result()
        assert len(future.attempted_hosts) >= 1


def test_two_clusters_do_not_mix(clusters: Callable[[int], Cluster], keyspace: str) -> None:
    first, second = clusters(4).connect(keyspace), clusters(5).connect("system")
    assert first.execute("SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = %s", (keyspace,)).one()
    assert second.execute("SELECT key FROM local").one().key == "local"
    assert (first.keyspace, second.keyspace) == (keyspace, "system")
