"""Logging in: the messages, who gets in, and what is remembered of passwords."""

import pytest
from auth_server import AuthSession, auth_node

from cqlserver.auth.login import credentials
from protocol.errors import BadCredentials, ProtocolError
from protocol.requests import Query
from protocol.responses import Authenticate, AuthSuccess, Error


def test_a_connection_is_asked_who_it_is() -> None:
    session = AuthSession(auth_node())
    assert session.greeting == Authenticate("org.apache.cassandra.auth.PasswordAuthenticator")
    refused = session.ask(Query("SELECT key FROM system.local"))
    assert isinstance(refused, Error)
    assert isinstance(refused.error, ProtocolError)
    assert refused.error.message == "Unexpected message QUERY, expecting SASL_RESPONSE"
    assert session.log_in("cassandra", "cassandra") == AuthSuccess(None)
    session.done("SELECT key FROM system.local")


def test_who_is_refused_may_try_again() -> None:
    session = AuthSession(auth_node())
    for name, password in (("cassandra", "wrong"), ("nobody", "cassandra")):
        refused = session.log_in(name, password)
        assert isinstance(refused, Error)
        assert isinstance(refused.error, BadCredentials)
        assert refused.error.message == f"Provided username {name} and/or password are incorrect"
    assert session.log_in("cassandra", "cassandra") == AuthSuccess(None)


def test_a_role_has_to_be_allowed_to_log_in() -> None:
    node = auth_node()
    AuthSession(node, "cassandra", "cassandra").done("CREATE ROLE alice WITH PASSWORD = 'secret'")
    refused = AuthSession(node).log_in("alice", "secret")
    assert isinstance(refused, Error)
    assert refused.error.message == "alice is not permitted to log in"


def test_the_second_login_needs_no_hash() -> None:
    node = auth_node()
    AuthSession(node, "cassandra", "cassandra")
    checked: list[str] = []
    node.access.passwords.check = lambda password, salted_hash: checked.append(password)  # type: ignore[method-assign, assignment, return-value]
    AuthSession(node, "cassandra", "cassandra")
    assert not checked


def test_a_changed_password_is_asked_for_at_once() -> None:
    node = auth_node()
    superuser = AuthSession(node, "cassandra", "cassandra")
    superuser.done("CREATE ROLE alice WITH PASSWORD = 'one' AND LOGIN = true")
    AuthSession(node, "alice", "one")
    assert superuser.error("ALTER ROLE alice WITH PASSWORD = 'two'").startswith("Password for role alice can only")
    node.environment.clock.advance(6)  # type: ignore[attr-defined]
    superuser.done("ALTER ROLE alice WITH PASSWORD = 'two'")
    AuthSession(node, "alice", "two")
    assert isinstance(AuthSession(node).log_in("alice", "one"), Error)


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (b"\0name\0password", ("name", "password")),
        (b"other\0name\0password", ("name", "password")),
        (b"\0n\xc3\xa4me\0p", ("näme", "p")),
    ],
)
def test_tokens(token: bytes, expected: tuple[str, str]) -> None:
    assert credentials(token) == expected


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (b"", "Password must not be null"),
        (b"\0name\0", "Password must not be null"),
        (b"\0\0password", "Authentication ID must not be null"),
        (b"\0password", "Authentication ID must not be null"),
        (b"a\0name\0pass\0word", "Credential format error: username or password is empty or contains NUL(\\0) character"),
    ],
)
def test_malformed_tokens(token: bytes, message: str) -> None:
    with pytest.raises(BadCredentials) as error:
        credentials(token)
    assert error.value.message == message


def test_large_messages_are_for_those_who_have_logged_in() -> None:
    session = AuthSession(auth_node())
    refused = session.log_in("cassandra", "x" * 100_000)
    assert isinstance(refused, Error)
    assert "exceeds maximum allowed length" in refused.error.message
    assert session.log_in("cassandra", "cassandra") == AuthSuccess(None)
    session.done("SELECT key FROM system.local" + " " * 100_000)
