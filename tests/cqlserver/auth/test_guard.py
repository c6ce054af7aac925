"""Statements are executed by those who may, on the fast paths too, and changes of permissions are seen at once."""

import pytest
from auth_server import SETTINGS, AuthSession, auth_node

from cqlserver.auth.guard import CLEARED_MAX
from cqlserver.node import Node
from cqlserver.program.guardrail_changes import changed
from protocol.responses import Error, RowsResult, VoidResult
from storage.environment.environment import ManualClock

INT = b"\0\0\0\1"
REFUSED = "User alice has no {} permission on <table ks.t> or any of its parents"


@pytest.fixture
def node() -> Node:
    node = auth_node(clock=ManualClock())
    AuthSession(node, "cassandra", "cassandra").done(
        "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
        "CREATE TABLE ks.t (k int PRIMARY KEY, v int)",
        "CREATE ROLE alice WITH PASSWORD = 'a' AND LOGIN = true",
    )
    return node


def message(answer: object) -> str:
    assert isinstance(answer, Error), answer
    return answer.error.message


def test_prepared_statements_take_their_fast_path_only_when_granted(node: Node) -> None:
    superuser, alice = AuthSession(node, "cassandra", "cassandra"), AuthSession(node, "alice", "a")
    insert, select = alice.prepare("INSERT INTO ks.t (k, v) VALUES (?, ?)"), alice.prepare("SELECT * FROM ks.t WHERE k = ?")
    assert message(alice.execute(insert, INT, INT)) == REFUSED.format("MODIFY")
    superuser.done("GRANT MODIFY ON ks.t TO alice")
    assert alice.session._fast.get(insert) is None
    assert isinstance(alice.execute(insert, INT, INT), VoidResult)
    assert alice.session._fast.get(insert) is not None
    assert message(alice.execute(select, INT)) == REFUSED.format("SELECT")
    superuser.done("GRANT SELECT ON KEYSPACE ks TO alice", "REVOKE MODIFY ON ks.t FROM alice")
    assert alice.session._fast.get(insert) is None
    assert message(alice.execute(insert, INT, INT)) == REFUSED.format("MODIFY")
    answer = alice.execute(select, INT)
    assert isinstance(answer, RowsResult)
    assert answer.rows() == [(INT, INT)]


def test_what_was_granted_is_asked_again_after_a_while(node: Node) -> None:
    clock = node.environment.clock
    assert isinstance(clock, ManualClock)
    superuser, alice = AuthSession(node, "cassandra", "cassandra"), AuthSession(node, "alice", "a")
    superuser.done("GRANT SELECT ON ks.t TO alice")
    select = alice.prepare("SELECT * FROM ks.t WHERE k = ?")
    alice.execute(select, INT)
    assert alice.session._fast.get(select) is not None
    # a change that no statement about permissions made is seen when the caches are not believed any more
    superuser.done("DELETE FROM system_auth.role_permissions WHERE role = 'alice' AND resource = 'data/ks/t'")
    assert isinstance(alice.execute(select, INT), RowsResult)
    clock.advance(SETTINGS.permissions.validity_ms / 1000 + 0.001)
    assert alice.session._fast.get(select) is None
    assert message(alice.execute(select, INT)) == REFUSED.format("SELECT")


def test_what_is_remembered_of_a_connection_is_bounded(node: Node) -> None:
    AuthSession(node, "cassandra", "cassandra").done("GRANT SELECT ON ks.t TO alice")
    alice = AuthSession(node, "alice", "a")
    for number in range(CLEARED_MAX + 1):
        alice.done(f"SELECT v AS v{number} FROM ks.t WHERE k = 1")
    assert 1 <= len(alice.session.state.cleared) <= CLEARED_MAX


def test_a_table_and_its_permissions_go_together(node: Node) -> None:
    superuser, alice = AuthSession(node, "cassandra", "cassandra"), AuthSession(node, "alice", "a")
    superuser.done("GRANT CREATE ON KEYSPACE ks TO alice")
    alice.done("CREATE TABLE ks.own (k int PRIMARY KEY)", "INSERT INTO ks.own (k) VALUES (1)", "DROP TABLE ks.own")
    superuser.done("CREATE TABLE ks.own (k int PRIMARY KEY)")
    assert alice.error("SELECT * FROM ks.own") == (
        "User alice has no SELECT permission on <table ks.own> or any of its parents"
    )


def test_a_keyspace_and_all_permissions_in_it_go_together(node: Node) -> None:
    superuser = AuthSession(node, "cassandra", "cassandra")
    superuser.done("GRANT SELECT ON ks.t TO alice", "GRANT ALTER ON ALL TABLES IN KEYSPACE ks TO alice", "DROP KEYSPACE ks")
    assert superuser.query("LIST ALL PERMISSIONS OF alice") == VoidResult()


def test_large_values_of_indexes_are_refused_on_fast_paths_too(node: Node) -> None:
    superuser, alice = AuthSession(node, "cassandra", "cassandra"), AuthSession(node, "alice", "a")
    superuser.done(
        "CREATE TABLE ks.i (k int PRIMARY KEY, v text)",
        "CREATE INDEX i ON ks.i (v) USING 'sai'",
        "GRANT MODIFY ON KEYSPACE ks TO alice",
    )
    insert = alice.prepare("INSERT INTO ks.i (k, v) VALUES (?, ?)")
    assert isinstance(alice.execute(insert, INT, b"x"), VoidResult)
    assert alice.session._fast.get(insert) is not None
    assert isinstance(alice.execute(insert, INT, b"x" * 1024), VoidResult)
    violated = "Guardrail sai_string_term_size violated: Value of column 'v' has size 9000, this exceeds the failure"
    assert message(alice.execute(insert, INT, b"x" * 9000)).startswith(violated)
    by_superuser = superuser.prepare("INSERT INTO ks.i (k, v) VALUES (?, ?)")
    assert isinstance(superuser.execute(by_superuser, INT, b"x" * 9000), VoidResult)


def test_guardrails_that_are_set_while_the_server_runs_hold_at_once(node: Node) -> None:
    superuser, alice = AuthSession(node, "cassandra", "cassandra"), AuthSession(node, "alice", "a")
    superuser.done("GRANT MODIFY ON ks.t TO alice")
    insert = alice.prepare("INSERT INTO ks.t (k, v) VALUES (?, ?)")
    alice.execute(insert, INT, INT)
    node.sessions[alice.session] = None
    assert alice.session._fast.get(insert) is not None
    node.set_guardrails(changed(node.config, "write_consistency_levels_disallowed", ["ONE"]))
    assert alice.session._fast.get(insert) is None
    assert "not allowed for write consistency levels" in message(alice.execute(insert, INT, INT))
    node.set_guardrails(changed(node.config, "write_consistency_levels_disallowed", ["null"]))
    assert isinstance(alice.execute(insert, INT, INT), VoidResult)
