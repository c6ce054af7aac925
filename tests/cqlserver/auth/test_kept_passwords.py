"""No password is kept in the clear where statements are: not in the query log, in traces, in system tables, in logs."""

import logging
from pathlib import Path

import pytest
from auth_server import AuthSession, auth_node

from cqlserver.node import Node
from cqlserver.program.init_files import SeedError, run_path
from cqlserver.query_log.entries import described, entries
from cqlserver.query_log.recording import QueryLog
from protocol import requests, responses
from protocol.frames import EnvelopeDecoder
from protocol.requests import Batch, BatchEntry, Prepare, Query, QueryOptions, Request
from protocol.types import TEXT

SECRET = "OpenSesame"
ROLE = f"CREATE ROLE alice WITH PASSWORD = '{SECRET}' AND LOGIN = true"
HIDDEN = "CREATE ROLE alice WITH PASSWORD = '*******' AND LOGIN = true"
REQUESTS: tuple[Request, ...] = (
    Query(ROLE),
    Query(ROLE),  # already exists
    Query(f"ALTER USER alice WITH PASSWORD '{SECRET}'"),
    Query(f"CREATE ROLE carl WITH HASHED PASSWORD = '$2a$10$JSJEMFm6GeaW9XxT5JIheuEtPvat6i7uKbnTcxX3c1wshIIsGyUtG{SECRET}'"),
    Query(f"ALTER ROLE nobody WITH PASSWORD = $${SECRET}$$"),
    Query(f"CREAT ROLE bob WITH PASSWORD = '{SECRET}'"),
    Query(f"CREATE ROLE bob WITH PASSWORD = {SECRET}"),
    Query(f"/* a */ CREATE ROLE bob WITH PASSWORD = '{SECRET}' /*{' long' * 1000}*/"),
    Query(f"CREAT ROLE bob WITH PASSWORD = '{SECRET}' /*{' long' * 5000}*/"),
    Query(f"SELECT {'(' * 2000} 1 FROM x WHERE password = '{SECRET}'"),
    Prepare(f"ALTER ROLE alice WITH PASSWORD = '{SECRET}'"),
    Prepare(f"ALTER ROLE alice WITH PASSWORD = {SECRET}"),
    Batch(0, (BatchEntry(f"ALTER ROLE alice WITH PASSWORD = '{SECRET}'"),), QueryOptions()),
    Batch(0, (BatchEntry(f"ALTE ROLE alice WITH PASSWORD = '{SECRET}'"),), QueryOptions()),
)


def recorded() -> tuple[Node, QueryLog]:
    node = auth_node()
    log = QueryLog(node.statements.prepared_texts())
    node.record(log)
    return node, log


def kept(log: QueryLog) -> bytes:
    goes = log.goes(0)
    assert goes
    return b"".join(envelope[4] + answer for go in goes for envelope, answer in go.exchanges) + repr(log.prepared()).encode()


def test_the_query_log_keeps_no_password() -> None:
    node, log = recorded()
    session = AuthSession(node, "cassandra", "cassandra")
    assert b"\0cassandra" not in kept(log)
    asked = [session.ask(request) for request in REQUESTS]
    assert isinstance(asked[0], responses.VoidResult)
    assert any(isinstance(answer, responses.Error) and SECRET in answer.error.message for answer in asked)
    assert SECRET.encode() not in kept(log)
    told = [described(entry, node.schema) for entry in entries(log, 0)]
    assert len(told) == len(REQUESTS)
    assert told[0]["cql"] == told[1]["cql"] == HIDDEN
    assert told[1]["error"] == {"code": "InvalidRequest", "message": "alice already exists"}
    assert told[5]["cql"] == "CREAT ROLE bob WITH PASSWORD *******"


def test_statements_with_columns_of_that_name_are_kept_as_they_are() -> None:
    node, log = recorded()
    session = AuthSession(node, "cassandra", "cassandra")
    text = "INSERT INTO ks.users (name, password) VALUES ('a', 'visible')"
    session.query(text)
    assert [described(entry, node.schema)["cql"] for entry in entries(log, 0)] == [text]


def test_what_was_prepared_before_the_log_is_on() -> None:
    node = auth_node()
    session = AuthSession(node, "cassandra", "cassandra")
    session.done(ROLE)
    node.environment.clock.advance(6)  # type: ignore[attr-defined]
    statement_id = session.prepare(f"ALTER ROLE alice WITH PASSWORD = '{SECRET}'")
    log = QueryLog(node.statements.prepared_texts())
    node.sessions[session.session] = None
    node.record(log)
    assert isinstance(session.execute(statement_id), responses.VoidResult)
    assert described(next(entries(log, 0)), node.schema)["cql"] == "ALTER ROLE alice WITH PASSWORD = '*******'"


def test_traces_and_system_tables_keep_no_password(caplog: pytest.LogCaptureFixture) -> None:
    node, _ = recorded()
    session = AuthSession(node, "cassandra", "cassandra")
    with caplog.at_level(logging.DEBUG, "cqlserver"):
        for request in REQUESTS:
            traced(session, request)
        statement_id = session.prepare(f"ALTER ROLE alice WITH PASSWORD = '{SECRET}'")
        traced(session, requests.Execute(statement_id, None, QueryOptions()))
    assert SECRET not in caplog.text
    queries = texts(session, "SELECT parameters['query'] FROM system_traces.sessions")
    assert HIDDEN in queries
    assert f"Parsing {HIDDEN}" in texts(session, "SELECT activity FROM system_traces.events")
    for keyspace in node.schema.keyspaces.values():
        for table in keyspace.tables.values():
            answer = session.query(f"SELECT * FROM {keyspace.name}.{table.name}")
            if isinstance(answer, responses.RowsResult):
                assert SECRET.encode() not in answer.content or (table.name, keyspace.name) == ("roles", "system_auth")


def test_a_seed_that_fails_does_not_tell_a_password(tmp_path: Path) -> None:
    node = auth_node()
    for text in (ROLE + ";" + ROLE, f"CREATE ROLE r WITH PASSWORD = {SECRET}", f"CREAT ROLE r WITH PASSWORD = '{SECRET}'"):
        file = tmp_path / "roles.cql"
        file.write_text(text)
        with pytest.raises(SeedError) as raised:
            run_path(node, file)
        assert "*******" in str(raised.value)
        assert SECRET not in str(raised.value)


def traced(session: AuthSession, request: Request) -> None:
    session.session.receive(requests.encode(request, 4, 0, True))
    session.session.finish()
    data = session.session.take_later() + session.session.take_output()
    ((version, flags, _, opcode, body),) = EnvelopeDecoder(4, responses=True).receive_data(data)
    reply = responses.decode(version, flags, opcode, body)
    is_answered = not isinstance(reply.response, responses.Error) or SECRET in reply.response.error.message
    assert reply.tracing_id is not None or not is_answered


def texts(session: AuthSession, query: str) -> list[str]:
    answer = session.query(query)
    assert isinstance(answer, responses.RowsResult)
    return [TEXT.decode(text) for (text,) in answer.rows() if text is not None]
