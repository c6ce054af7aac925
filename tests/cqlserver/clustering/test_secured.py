"""A cluster whose clients log in, over TLS, and that begins with --init: roles are replicated as any data is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cqlserver.launcher import Server, start
from protocol.client import Connection, connect
from protocol.errors import BadCredentials, Unauthorized
from protocol.requests import QueryOptions
from protocol.responses import Error, Response, RowsResult

pytestmark = pytest.mark.slow
QUORUM = 4
SUPERUSER = ("cassandra", "cassandra")
THREE = "{'class': 'SimpleStrategy', 'replication_factor': 3}"
AUTH = {"authenticator": "PasswordAuthenticator", "authorizer": "CassandraAuthorizer"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    init = tmp_path_factory.mktemp("init") / "first.cql"
    init.write_text(
        f"CREATE KEYSPACE ks WITH replication = {THREE}; CREATE TABLE ks.t (k int PRIMARY KEY, v int); "
        "INSERT INTO ks.t (k, v) VALUES (1, 2);"
    )
    no_caches = {f"{name}_validity": "0ms" for name in ("permissions", "roles", "credentials")}
    with start(nodes=3, init=init, settings={**AUTH, **no_caches}) as found:
        as_super(found, 1, f"ALTER KEYSPACE system_auth WITH replication = {THREE}")
        # the role itself was written while one node held it: what raises a replication factor repairs, as with Cassandra
        found.nodes[0].nodetool("repair", "--full", "system_auth")
        yield found


def logged_in(server: Server, node: int, name: str, password: str) -> Connection:
    found = server.nodes[node - 1]
    return connect(found.host, found.port, credentials=(name, password), timeout_s=30)


def asked(connection: Connection, cql: str) -> Response:
    """Raises what the node answers."""
    response = connection.query(cql, QueryOptions(consistency=QUORUM)).response
    if isinstance(response, Error):
        raise response.error
    return response


def as_super(server: Server, node: int, cql: str) -> Response:
    with logged_in(server, node, *SUPERUSER) as connection:
        return asked(connection, cql)


def test_what_init_says_is_there_at_every_node(server: Server) -> None:
    for node in (1, 2, 3):
        answer = as_super(server, node, "SELECT v FROM ks.t")
        assert isinstance(answer, RowsResult)
        assert answer.rows() == [(b"\0\0\0\2",)]


def test_a_role_that_one_node_makes_is_one_at_all_and_outlives_each(server: Server) -> None:
    as_super(server, 1, "CREATE ROLE alice WITH LOGIN = true AND PASSWORD = 'secret'")
    as_super(server, 2, "GRANT SELECT ON ks.t TO alice")
    for gone in (1, 2, 3):
        server.nodes[gone - 1].stop()
        for node in {1, 2, 3} - {gone}:
            as_super(server, node, "SELECT v FROM ks.t")
            with logged_in(server, node, "alice", "secret") as connection:
                assert isinstance(asked(connection, "SELECT v FROM ks.t"), RowsResult)
                with pytest.raises(Unauthorized, match="alice has no MODIFY permission"):
                    asked(connection, "INSERT INTO ks.t (k, v) VALUES (3, 4)")
        server.nodes[gone - 1].start()
    with pytest.raises(BadCredentials):
        logged_in(server, 3, "alice", "wrong")


def test_a_changed_password_of_the_superuser_is_read_at_quorum(server: Server) -> None:
    """The role is there from the beginning, with a password that everybody knows, also where nobody told of another one."""
    server.nodes[2].stop()
    as_super(server, 1, "CREATE ROLE admin WITH SUPERUSER = true AND LOGIN = true AND PASSWORD = 'admin'")
    with logged_in(server, 1, "admin", "admin") as connection:
        asked(connection, "ALTER ROLE cassandra WITH LOGIN = false")
    server.nodes[2].start()
    with pytest.raises(BadCredentials, match="cassandra is not permitted to log in"):
        logged_in(server, 3, *SUPERUSER)
    with logged_in(server, 3, "admin", "admin") as connection:
        asked(connection, "ALTER ROLE cassandra WITH LOGIN = true")


def test_reset_empties_all_nodes(server: Server) -> None:
    as_super(server, 2, "INSERT INTO ks.t (k, v) VALUES (9, 9)")
    server.reset()
    for node in (1, 2, 3):
        answer = as_super(server, node, "SELECT v FROM ks.t")
        assert isinstance(answer, RowsResult)
        assert answer.row_count == 0
    server.execute("INSERT INTO ks.t (k, v) VALUES (1, 2)")
    server.reset(schema=True)
    for node in (1, 2, 3):
        answer = as_super(server, node, "SELECT keyspace_name FROM system_schema.tables WHERE keyspace_name = 'ks'")
        assert isinstance(answer, RowsResult)
        assert answer.row_count == 0


def test_all_nodes_have_a_certificate_of_one_authority(tmp_path: Path) -> None:
    pytest.importorskip("trustme")
    import socket

    with start(nodes=2, tls=True) as found:
        context = found.ssl_context()
        for node in found.nodes:
            with (
                socket.create_connection((node.host, node.port), timeout=30) as plain,
                context.wrap_socket(plain, server_hostname=node.host) as encrypted,
            ):
                assert encrypted.getpeercert()
