"""What pytest sees: options, the marker, fixtures, and what a report says of the server.

    def test_orders(cassandra, cassandra_session): ...

    @pytest.mark.cassandra(schema="schema.cql", data=["shop.orders.csv"], settings={"num_tokens": 4}, reset="all")
    def test_more(cassandra): ...

Each option of the command line has a setting of the same name in pytest's ini file. docs/testing.md tells it all.
"""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from cqlserver.running import Running
    from cqlserver.testing.servers import Lease, Servers

_SERVERS: "pytest.StashKey[Servers]" = pytest.StashKey()
_LEASE: "pytest.StashKey[Lease]" = pytest.StashKey()
_SHARED = "cqlserver_control_port"

_MARKER = (
    "cassandra(schema=..., data=..., settings=..., reset='data', allow=...): what the fixture `cassandra` has for this "
    "test: files (or text) of CQL, files of rows, settings of cassandra.yaml; whether 'data', 'all' (the schema too) or "
    "'none' is as before behind the test; which faults of strict mode are none here"
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cassandra", "Cassandra in tests (cqlserver)")
    lists = {
        "schema": "file or folder of CQL that every test starts with; repeatable",
        "data": "file or folder of rows (CSV, JSON, YAML) or CQL that every test starts with; repeatable",
        "settings": "NAME=VALUE, a setting of cassandra.yaml; repeatable",
    }
    for name, text in lists.items():
        group.addoption(f"--cassandra-{name}", action="append", metavar="PATH", help=text)
        parser.addini(f"cassandra_{name}", text, type="linelist")
    words = {
        "reset": ("data", "what is as before behind each test: data, all (the schema too) or none"),
        "keyspace": ("test", "the keyspace of names without one"),
        "real": ("", "HOST:PORT of a real Cassandra to run the tests against, in keyspaces of their own"),
        "real-forbidden": ("(?i)prod|live", "a real cluster whose name this pattern is found in is refused"),
        "strict": ("off", "what bad habits do to a test: off, warn or fail"),
    }
    for name, (default, text) in words.items():
        group.addoption(f"--cassandra-{name}", metavar="WORD", help=f"{text} (default: {default or 'none'})")
        parser.addini(f"cassandra_{name.replace('-', '_')}", text, default=default)
    group.addoption(
        "--cassandra-shared",
        action="store_true",
        default=None,
        help="one server for all workers of pytest-xdist, with a keyspace for each of them",
    )
    parser.addini("cassandra_shared", "the same as --cassandra-shared", type="bool", default=False)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", _MARKER)


def pytest_unconfigure(config: pytest.Config) -> None:
    servers = config.stash.get(_SERVERS, None)
    if servers is not None:
        servers.close()
        del config.stash[_SERVERS]


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # xdist's hook, in the process that hands out the tests
    from cqlserver.testing.options import Options

    options = Options.of(node.config)
    if options.is_shared and options.real is None:
        node.workerinput[_SHARED] = _servers(node.config).shared_control_port()


def _servers(config: pytest.Config) -> "Servers":
    servers = config.stash.get(_SERVERS, None)
    if servers is None:
        from cqlserver.testing.options import Options
        from cqlserver.testing.servers import Servers

        worker: dict[str, Any] = getattr(config, "workerinput", {})
        servers = Servers(Options.of(config), worker.get("workerid"), worker.get(_SHARED))
        config.stash[_SERVERS] = servers
    return servers


@pytest.fixture(scope="session")
def cassandra_server(pytestconfig: pytest.Config) -> "Running":
    """The server of the whole session: `host`, `port`, `log`, and the verbs. Nothing is reset behind a test that uses it
    alone."""
    return _servers(pytestconfig).default()


@pytest.fixture
def cassandra(request: pytest.FixtureRequest) -> "Iterator[Running]":
    """The server with the schema and the data that this test asked for; they are as before when it has ended."""
    lease = _servers(request.config).lease(request.node)
    request.node.stash[_LEASE] = lease
    yield lease.server
    lease.end()


@pytest.fixture
def cassandra_keyspace(request: pytest.FixtureRequest, cassandra: "Running") -> str:
    """The name of the keyspace that is this test's to use."""
    return _servers(request.config).keyspace


@pytest.fixture
def cassandra_session(request: pytest.FixtureRequest, cassandra: "Running", cassandra_keyspace: str) -> Any:
    """The Python driver's Session, connected to the test's server and keyspace; it lives as long as the server."""
    return request.node.stash[_LEASE].session()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    lease = item.stash.get(_LEASE, None)
    if lease is not None:
        lease.report(report)
    return report
