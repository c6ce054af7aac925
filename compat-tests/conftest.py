"""What all compat tests share: `--contact`, and the server that they run against."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
THREE_REPLICAS = "{'class': 'SimpleStrategy', 'replication_factor': 3}"
sys.path[:0] = [path for path in (str(HERE), str(HERE.parent)) if path not in sys.path]

from clients.python_driver import any_session, clusters, keyspace, session  # noqa: E402, F401
from harness.exercised import MODES, ExercisedServer  # noqa: E402
from harness.runner import Address, Cluster  # noqa: E402


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--contact-auth", metavar="HOST:PORT", help="the same, of a server where clients log in")
    parser.addoption("--contact-guarded", metavar="HOST:PORT", help="the same, of one with cassandra-guardrails.yaml")
    parser.addoption("--contact-captured", metavar="HOST:PORT", help="the same, of one with cassandra-cdc.yaml")
    parser.addoption("--contact", metavar="HOST:PORT", help="run the compat tests against this server, not a new one")
    parser.addoption("--cluster", action="store_true", help="run the scripts on three nodes, half of them with one down")
    parser.addoption("--storage", choices=MODES, help="run the scripts on data folders, whose storage is put to work")
    # not by default: the driver and what it needs are 120 crates, over a minute of two processors when built anew
    parser.addoption("--rust", action="store_true", help="also run the Rust driver's checks")


@pytest.fixture(scope="session")
def server_address(request: pytest.FixtureRequest) -> Iterator[Address]:
    """Where the server under test listens: --contact, or one that is started for these tests and keeps all in memory."""
    contact = request.config.getoption("--contact")
    if contact:
        yield Address.parse(contact)
        return
    import cqlserver

    if request.config.getoption("--storage"):
        yield from _exercised(request, "cassandra.yaml")
        return
    with cqlserver.start(memory=True, config=HERE / "cassandra.yaml") as server:
        yield Address(server.host, server.port)


@pytest.fixture(scope="session")
def exercised() -> dict[Address, ExercisedServer]:
    """With `--storage`, the servers of the scripts by where they listen."""
    return {}


def _exercised(request: pytest.FixtureRequest, config: str) -> Iterator[Address]:
    servers = request.getfixturevalue("exercised")
    folder = request.getfixturevalue("tmp_path_factory").mktemp("data")
    server = ExercisedServer(request.config.getoption("--storage"), folder, HERE / config)
    servers[server.address] = server
    try:
        yield server.address
    finally:
        server.stop()


@pytest.fixture(scope="session")
def targets(request: pytest.FixtureRequest) -> Iterator[tuple[Address | Cluster, ...]]:
    """What scripts run on: the server, or with --cluster three nodes, and two of three."""
    if not request.config.getoption("--cluster"):
        yield (request.getfixturevalue("server_address"),)
        return
    import cqlserver

    with (
        cqlserver.start(nodes=3, memory=True, config=HERE / "cassandra.yaml") as whole,
        cqlserver.start(nodes=3, memory=True, config=HERE / "cassandra.yaml") as reduced,
    ):
        for server in (whole, reduced):  # a single copy of it would be out of reach with the node that has it
            server.execute(f"ALTER KEYSPACE system_auth WITH replication = {THREE_REPLICAS}")
        reduced.nodes[2].stop()
        yield tuple(
            Cluster(tuple(Address(node.host, node.port) for node in nodes), 3) for nodes in (whole.nodes, reduced.nodes[:2])
        )


@pytest.fixture(scope="session")
def auth_address(request: pytest.FixtureRequest) -> Iterator[Address]:
    """The same of a server where clients log in, as the superuser cassandra for example."""
    yield from _special_address(request, "--contact-auth", "cassandra-auth.yaml")


@pytest.fixture(scope="session")
def guarded_address(request: pytest.FixtureRequest) -> Iterator[Address]:
    """The same of a server with low guardrails."""
    yield from _special_address(request, "--contact-guarded", "cassandra-guardrails.yaml")


@pytest.fixture(scope="session")
def captured_address(request: pytest.FixtureRequest) -> Iterator[Address]:
    """The same of a server with change data capture, on a data folder, which has no room for any."""
    yield from _special_address(request, "--contact-captured", "cassandra-cdc.yaml", keeps=True)


def _special_address(
    request: pytest.FixtureRequest, option: str, config: str, keeps: bool = False
) -> Iterator[Address]:
    """What the option says, or a server of this configuration; none where other tests run against somebody else's."""
    contact = request.config.getoption(option)
    if contact:
        yield Address.parse(contact)
        return
    if request.config.getoption("--contact"):
        pytest.skip(f"no {option} was given")
    if request.config.getoption("--storage"):
        yield from _exercised(request, config)
        return
    import cqlserver

    data = request.getfixturevalue("tmp_path_factory").mktemp("data") if keeps else None
    with cqlserver.start(memory=data is None, data=data, config=HERE / config) as server:
        yield Address(server.host, server.port)
