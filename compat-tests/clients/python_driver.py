"""Clusters and sessions of the DataStax Python driver, as fixtures.

One cluster for each protocol version lives as long as the test run; every test module gets a keyspace of its own, with a
random name, and sessions that use it. So modules may run side by side, against one server.
"""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cassandra.cluster import EXEC_PROFILE_DEFAULT, Cluster, ExecutionProfile, Session
from cassandra.policies import DCAwareRoundRobinPolicy, TokenAwarePolicy
from harness.runner import Address

VERSIONS = (3, 4, 5)
TIMEOUT_S = 30.0
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


def make_cluster(address: Address, version: int | None = None, **options: Any) -> Cluster:
    """A cluster that is not connected yet. `version` None: the driver negotiates. `profile`: of the default profile."""
    profile = ExecutionProfile(
        **{
            "load_balancing_policy": TokenAwarePolicy(DCAwareRoundRobinPolicy()),
            "request_timeout": TIMEOUT_S,
            **options.pop("profile", {}),
        }
    )
    if version is not None:
        options["protocol_version"] = version
    return Cluster(
        [address.host],
        port=address.port,
        execution_profiles={EXEC_PROFILE_DEFAULT: profile, **options.pop("execution_profiles", {})},
        **{
            "schema_event_refresh_window": 0,
            "topology_event_refresh_window": 0,
            "connect_timeout": TIMEOUT_S,
            "control_connection_timeout": TIMEOUT_S,
            **options,
        },
    )


@contextmanager
def connected(
    address: Address, version: int | None = None, keyspace: str | None = None, **options: Any
) -> Iterator[Session]:
    cluster = make_cluster(address, version, **options)
    try:
        yield cluster.connect(keyspace)
    finally:
        cluster.shutdown()


def wait_until(condition: Callable[[], object], what: str, timeout_s: float = 10.0) -> None:
    """Waits for what a driver's own thread is about to do and offers no event for."""
    deadline = time.monotonic() + timeout_s
    pause = threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            pytest.fail(f"not within {timeout_s} s: {what}")
        pause.wait(0.01)


def unique(prefix: str) -> str:
    return f"{prefix}_{secrets.token_hex(4)}"


@contextmanager
def new_keyspace(session: Session, prefix: str, replication: str = REPLICATION) -> Iterator[str]:
    """A keyspace with a name that begins with `prefix`, dropped at the end."""
    name = unique(prefix)
    session.execute(f"CREATE KEYSPACE {name} WITH replication = {replication}")
    try:
        yield name
    finally:
        session.execute(f"DROP KEYSPACE IF EXISTS {name}")


@pytest.fixture(scope="session")
def clusters(server_address: Address) -> Iterator[Callable[[int], Cluster]]:
    """Gives the run's cluster of a protocol version."""
    made: dict[int, Cluster] = {}

    def cluster_of(version: int) -> Cluster:
        if version not in made:
            made[version] = make_cluster(server_address, version)
        return made[version]

    yield cluster_of
    for cluster in made.values():
        cluster.shutdown()


# Sessions of a shared cluster are not shut down one by one: where the driver's own thread is still putting a connection back
# that has just brought an answer, it takes the closed connection for a failed host, and the cluster has none any more.


@pytest.fixture(scope="module")
def keyspace(clusters: Callable[[int], Cluster], request: pytest.FixtureRequest) -> Iterator[str]:
    """The module's keyspace."""
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    with new_keyspace(clusters(5).connect(), name) as keyspace:
        yield keyspace


@pytest.fixture(scope="module")
def session(clusters: Callable[[int], Cluster], keyspace: str) -> Session:
    """A session with protocol v5, which uses the module's keyspace."""
    return clusters(5).connect(keyspace)


@pytest.fixture(scope="module", params=VERSIONS, ids="v{}".format)
def any_session(clusters: Callable[[int], Cluster], keyspace: str, request: pytest.FixtureRequest) -> Session:
    """A session with each of the protocol versions, which uses the module's keyspace."""
    return clusters(request.param).connect(keyspace)
