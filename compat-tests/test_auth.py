"""Logging in through stock clients: the Python driver's PlainTextAuthProvider, and cqlsh -u -p with COPY."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from cassandra import Unauthorized
from cassandra.auth import PlainTextAuthProvider
from cassandra.cluster import NoHostAvailable, Session
from clients.cqlsh import run_cqlsh
from clients.python_driver import VERSIONS, connected, new_keyspace
from harness.runner import Address

SUPERUSER = PlainTextAuthProvider("cassandra", "cassandra")
PASSWORD = "it's a secret"


@pytest.fixture(scope="module")
def superuser(auth_address: Address) -> Iterator[Session]:
    with connected(auth_address, auth_provider=SUPERUSER) as session:
        yield session


@pytest.fixture(scope="module")
def auth_keyspace(superuser: Session) -> Iterator[str]:
    with new_keyspace(superuser, "auth") as name:
        superuser.execute(f"CREATE TABLE {name}.t (k int PRIMARY KEY, v text)")
        yield name


@pytest.fixture
def role(superuser: Session) -> Iterator[str]:
    """A role that may log in, and nothing else."""
    name = f"role_{secrets.token_hex(4)}"
    superuser.execute(f"CREATE ROLE {name} WITH LOGIN = true AND PASSWORD = %s", (PASSWORD,))
    yield name
    superuser.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_role_does_what_it_may(
    auth_address: Address, superuser: Session, auth_keyspace: str, role: str, version: int
) -> None:
    with connected(auth_address, version, auth_provider=PlainTextAuthProvider(role, PASSWORD)) as session:
        insert = session.prepare(f"INSERT INTO {auth_keyspace}.t (k, v) VALUES (?, ?)")
        with pytest.raises(Unauthorized, match=f"User {role} has no MODIFY permission on <table {auth_keyspace}.t>"):
            session.execute(insert, (version, "a"))
        superuser.execute(f"GRANT MODIFY ON {auth_keyspace}.t TO {role}")
        for number in range(20):
            session.execute(insert, (number, "a"))
        with pytest.raises(Unauthorized, match="has no SELECT permission"):
            session.execute(f"SELECT * FROM {auth_keyspace}.t")
        superuser.execute(f"GRANT SELECT ON KEYSPACE {auth_keyspace} TO {role}")
        assert len(session.execute(f"SELECT * FROM {auth_keyspace}.t").all()) == 20


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("provider", "message"),
    [
        (None, "Remote end requires authentication"),
        (PlainTextAuthProvider("cassandra", "wrong"), "Provided username cassandra and/or password are incorrect"),
        (PlainTextAuthProvider("nobody", "x"), "Provided username nobody and/or password are incorrect"),
    ],
)
def test_who_is_refused(
    auth_address: Address, version: int, provider: PlainTextAuthProvider | None, message: str
) -> None:
    with pytest.raises(NoHostAvailable) as error, connected(auth_address, version, auth_provider=provider):
        pass
    [cause] = error.value.errors.values()
    assert message in str(cause)


def test_events_come_to_those_who_logged_in(auth_address: Address, superuser: Session, auth_keyspace: str) -> None:
    with connected(auth_address, auth_provider=SUPERUSER) as session:
        superuser.execute(f"CREATE TABLE {auth_keyspace}.told (k int PRIMARY KEY)")
        session.cluster.refresh_schema_metadata()
        assert "told" in session.cluster.metadata.keyspaces[auth_keyspace].tables


def test_cqlsh_logs_in_and_copies(
    auth_address: Address, superuser: Session, auth_keyspace: str, role: str, tmp_path: Path
) -> None:
    superuser.execute(f"CREATE TABLE {auth_keyspace}.c (k int PRIMARY KEY, v text)")
    superuser.execute(f"GRANT SELECT ON {auth_keyspace}.c TO {role}")
    superuser.execute(f"GRANT MODIFY ON {auth_keyspace}.c TO {role}")
    rows = tmp_path / "rows.csv"
    rows.write_text("".join(f"{number},value {number}\n" for number in range(100)))
    who = ("-u", role, "-p", PASSWORD)
    taken = run_cqlsh(auth_address, tmp_path, *who, "-e", f"COPY {auth_keyspace}.c (k, v) FROM '{rows}'")
    assert "100 rows imported" in taken.stdout, taken
    copy = tmp_path / "copy.csv"
    given = run_cqlsh(auth_address, tmp_path, *who, "-e", f"COPY {auth_keyspace}.c (k, v) TO '{copy}'")
    assert "100 rows exported" in given.stdout, given
    assert sorted(copy.read_text().split("\n")) == sorted(rows.read_text().split("\n"))
    refused = run_cqlsh(auth_address, tmp_path, *who, "-e", f"DROP TABLE {auth_keyspace}.c")
    assert f"User {role} has no DROP permission on <table {auth_keyspace}.c>" in refused.stderr


def test_cqlsh_without_the_password(auth_address: Address, role: str, tmp_path: Path) -> None:
    refused = run_cqlsh(auth_address, tmp_path, "-u", role, "-p", "wrong", "-e", "LIST ROLES")
    assert refused.returncode != 0
    assert f"Provided username {role} and/or password are incorrect" in refused.stderr
