"""One connection without a socket: bytes in, bytes out."""

import struct

import pytest
from small_server import KEYSPACE, TABLE, small_node

from cqlserver.connections.bounds import ANSWER_BYTES_MAX, PENDING_MAX
from cqlserver.connections.session import Session
from cqlserver.node import Node
from protocol import requests, responses
from protocol.errors import CqlSyntaxError
from protocol.frames import EnvelopeDecoder, SegmentDecoder, SegmentEncoder
from protocol.requests import Options, Query, Request, Startup
from protocol.responses import AuthSuccess, Error, Ready, Response, RowsResult, SchemaChange, Supported

STARTUP = Startup({"CQL_VERSION": "3.0.0"})
SELECT = Query("SELECT key FROM system.local")


@pytest.fixture
def node() -> Node:
    node = small_node()
    node.describe_itself()
    return node


def new_session(node: Node) -> Session:
    return Session(node, "127.0.0.1", 1)


def envelope(request: Request, version: int = 4, stream: int = 1) -> bytes:
    return requests.encode(request, version, stream)


def output(session: Session) -> bytes:
    data = session.take_later() + session.take_output()
    session.forget_served()
    return data


def answers(session: Session, version: int = 4) -> list[tuple[int, Response]]:
    """(stream, response) of everything that the session has to send, as bare envelopes."""
    envelopes = EnvelopeDecoder(version, responses=True).receive_data(output(session))
    return [(stream, responses.decode(v, flags, opcode, body).response) for v, flags, stream, opcode, body in envelopes]


def started(node: Node) -> Session:
    session = new_session(node)
    session.receive(envelope(STARTUP))
    assert answers(session) == [(1, Ready())]
    return session


def ask(session: Session, text: str) -> Response:
    session.receive(envelope(Query(text)))
    session.finish()
    ((_, response),) = answers(session)
    return response


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ALTER TABLE t ADD c 'x' static, s decimal", "Error setting type x: "),
        ("CREATE TABLE t (k int, a list<'y'>, b 'x', PRIMARY KEY (k)) WITH", "Error setting type y: "),
        ("SELECT ('x') c, d FRM t", "Error setting type x: "),
        ("ALTER TABLE t ADD c 'Int32Type', s decimal", "line 1:31 mismatched input ',' expecting EOF"),
        ("ALTER TABLE t ADD c 'x', 'y'", "Error setting type x: "),
        ("ALTER TABLE t DROP c 'x'", "line 1:21 mismatched input 'x' expecting EOF"),
        ("UPDATE t SET a = 'x' WHERE", "line 0:-1 no viable alternative at input '<EOF>'"),
    ],
)
def test_a_class_that_is_no_type_is_told_before_a_fault_behind_it(node: Node, text: str, message: str) -> None:
    response = ask(started(node), text)
    assert isinstance(response, Error)
    assert isinstance(response.error, CqlSyntaxError)
    assert response.error.message.startswith(message)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_requests_behind_startup_in_one_packet_are_answered(node: Node, piece: int) -> None:
    session = new_session(node)
    data = envelope(Options(), stream=2) + envelope(STARTUP, stream=3) + envelope(SELECT, stream=4)
    for at in range(0, len(data), piece):
        session.receive(data[at : at + piece])
    kinds = [(stream, type(response)) for stream, response in answers(session)]
    assert kinds == [(2, Supported), (3, Ready), (4, RowsResult)]


def test_in_v5_ready_is_bare_and_what_follows_comes_in_segments(node: Node) -> None:
    session = new_session(node)
    session.receive(envelope(STARTUP, 5) + SegmentEncoder().encode([envelope(SELECT, 5, 2)]))
    data = output(session)
    assert data[:9] == b"\x85\x00\x00\x01\x02\x00\x00\x00\x00"
    ((_, _, stream, _, _),) = SegmentDecoder(5, False, responses=True).receive_data(data[9:])
    assert stream == 2


def test_a_refused_startup_may_be_tried_again(node: Node) -> None:
    session = new_session(node)
    for text in ("x", "3", "3.x", "2.98.0"):
        session.receive(envelope(Startup({"CQL_VERSION": text})))
        ((_, response),) = answers(session)
        assert isinstance(response, Error)
    session.receive(envelope(SELECT))
    assert "expecting STARTUP or OPTIONS" in str(answers(session)[0][1])
    session.receive(envelope(STARTUP))
    assert answers(session) == [(1, Ready())]
    assert not session.closing


def test_a_request_before_startup_is_answered_on_stream_0(node: Node) -> None:
    """As InitialConnectionHandler.java does."""
    session = new_session(node)
    session.receive(envelope(SELECT, stream=9))
    assert answers(session)[0][0] == 0


def test_versions_of_options_and_startup_may_differ(node: Node) -> None:
    session = new_session(node)
    session.receive(envelope(Options(), 3) + envelope(STARTUP, 4) + envelope(SELECT, 4))
    data = output(session)
    assert data[0] == 0x83
    assert session.state.version == 4


def test_an_auth_response_that_nobody_asked_for_succeeds(node: Node) -> None:
    session = started(node)
    session.receive(envelope(requests.AuthResponse(b"x")))
    assert answers(session) == [(1, AuthSuccess(None))]


def test_what_is_left_at_the_deadline_waits_in_order(node: Node) -> None:
    session = started(node)
    session.receive(b"".join(envelope(SELECT, stream=n) for n in range(5)), deadline=-1.0)
    assert [stream for stream, _ in answers(session)] == [0]
    assert len(session.waiting) == 4
    session.resume()
    assert [stream for stream, _ in answers(session)] == [1, 2, 3, 4]
    assert not session.waiting


def test_answers_of_one_go_are_bounded(node: Node) -> None:
    session = started(node)
    ask(session, KEYSPACE)
    ask(session, TABLE)
    ask(session, f"INSERT INTO ks.t (k, c, v) VALUES (1, 1, '{'x' * 300_000}')")
    session.receive(envelope(Query("SELECT v FROM ks.t WHERE k = 1")) * 100)
    assert len(output(session)) < ANSWER_BYTES_MAX + 400_000
    assert session.waiting
    count = 0
    while session.waiting:
        session.resume()
        count += len(output(session))
    assert count > 90 * 300_000


def test_answers_of_one_go_are_bounded_on_the_hot_path(node: Node) -> None:
    session = started(node)
    ask(session, KEYSPACE)
    ask(session, TABLE)
    ask(session, f"INSERT INTO ks.t (k, c, v) VALUES (1, 1, '{'x' * 300_000}')")
    for _ in range(3):
        ask(session, "SELECT v FROM ks.t WHERE k = 1")
    session.receive(envelope(Query("SELECT v FROM ks.t WHERE k = 1")) * 20)
    assert len(output(session)) < ANSWER_BYTES_MAX + 400_000
    assert session.waiting


def test_scans_under_way_are_bounded(node: Node) -> None:
    session = started(node)
    ask(session, KEYSPACE)
    ask(session, TABLE)
    for number in range(1000):
        ask(session, f"INSERT INTO ks.t (k, c, v) VALUES ({number}, 1, 'x')")
    session.receive(b"".join(envelope(Query("SELECT sum(c) FROM ks.t"), stream=n) for n in range(PENDING_MAX + 5)))
    pending = session.take_pending()
    assert len(pending) == PENDING_MAX == session.pending_count
    assert len(session.waiting) == 5
    for unanswered in pending:
        while not session.step(unanswered):
            pass
    assert session.pending_count == 0
    assert [stream for stream, _ in answers(session)] == list(range(PENDING_MAX))


def test_served_again_keeps_the_keyspace_of_the_first_time(node: Node) -> None:
    session = started(node)
    for text in (KEYSPACE, TABLE, KEYSPACE.replace("ks", "other"), TABLE.replace("ks", "other"), "USE ks"):
        ask(session, text)
    ask(session, "INSERT INTO ks.t (k, c) VALUES (1, 1)")
    session.receive(envelope(Query("SELECT k FROM t")) + envelope(Query("USE other")) + envelope(Query("SELECT k FROM t")))
    first = session.take_output()
    served = session.take_served()
    session.serve_again(served)
    assert session.take_output() == first
    assert session.state.keyspace == "other"


def test_events_overtake_nothing_and_are_not_lost_when_requests_are_served_again(node: Node) -> None:
    session = started(node)
    session.receive(envelope(requests.Register(("SCHEMA_CHANGE",))))
    assert answers(session) == [(1, Ready())]
    session.receive(envelope(SELECT))
    session.push(SchemaChange("CREATED", "KEYSPACE", "ks"))
    session.take_output()
    session.serve_again(session.take_served())
    assert [stream for stream, _ in answers(session)] == [-1, 1]


def test_a_traced_statement_is_answered_though_its_trace_is_lost(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    from storage.commitlog.log import CommitLogFailed

    def fail(updates: object) -> None:
        raise CommitLogFailed("no disk")

    session = started(node)
    monkeypatch.setattr(node.engine, "apply_all", fail)
    session.receive(requests.encode(SELECT, 4, 1, True))
    assert isinstance(answers(session)[0][1], RowsResult)


@pytest.mark.parametrize("opcode", [0x05, 0x07, 0x09, 0x0A, 0x0B, 0x0D, 0x0F])
@pytest.mark.parametrize("body", [b"", b"\x00", b"\xff" * 9, bytes(40), b"\x00\x00\x00\x05abc", b"\x7f\xff\xff\xff\x00"])
def test_wrong_bodies_are_answered_and_the_connection_lives(
    node: Node, opcode: int, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    session = started(node)
    session.receive(struct.pack(">BBhBI", 4, 0, 7, opcode, len(body)) + body)
    session.finish()  # of the first syntax error
    assert [stream for stream, _ in answers(session)] == [7]
    session.receive(envelope(SELECT))
    assert isinstance(answers(session)[0][1], RowsResult)
    assert "a bug in this server" not in caplog.text


def test_a_new_table_forgets_no_plans_of_others_and_makes_refused_shapes_possible(node: Node) -> None:
    session = started(node)
    for text in (KEYSPACE, TABLE):
        ask(session, text)
    insert = "INSERT INTO ks.t (k, c, v) VALUES (1, 1, 'x')"
    new_insert = "INSERT INTO ks.new (k) VALUES (1)"
    assert isinstance(ask(session, new_insert), Error)
    session.receive(envelope(requests.Prepare("SELECT * FROM ks.t")))
    ((_, prepared),) = answers(session)
    assert isinstance(prepared, responses.PreparedResult)
    ask(session, insert)
    shapes = node.statements._shapes
    kept = list(shapes.values())
    ask(session, "CREATE TABLE ks.new (k int PRIMARY KEY)")
    assert list(shapes.values()) == kept
    assert node.statements.maybe_prepared(prepared.statement_id) is not None
    assert isinstance(ask(session, new_insert), responses.VoidResult)
    ask(session, "DROP TABLE ks.new")
    assert list(shapes.values()) == kept
    assert isinstance(ask(session, new_insert), Error)
    ask(session, "DROP KEYSPACE ks")
    assert not len(shapes)
    assert node.statements.maybe_prepared(prepared.statement_id) is None


def test_prepared_reads_of_system_local_see_the_schema_of_the_moment(node: Node) -> None:
    session = started(node)
    session.receive(envelope(requests.Prepare("SELECT schema_version FROM system.local WHERE key = ?")))
    ((_, prepared),) = answers(session)
    assert isinstance(prepared, responses.PreparedResult)
    versions = set()
    for text in (KEYSPACE, TABLE, "DROP TABLE ks.t", "CREATE TABLE ks.u (k int PRIMARY KEY)"):
        ask(session, text)
        options = requests.QueryOptions(values=(b"local",))
        session.receive(envelope(requests.Execute(prepared.statement_id, None, options)))
        ((_, rows),) = answers(session)
        assert isinstance(rows, RowsResult)
        assert rows.content[4:] == node.schema.version.bytes
        versions.add(rows.content)
    assert len(versions) == 3
