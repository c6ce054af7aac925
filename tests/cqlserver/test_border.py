"""One request, one victim: whatever is raised, wherever, ends one request or one connection, is told, and leaves nothing."""

import gc
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import pytest
from small_server import KEYSPACE, TABLE, SmallServer, done, serving

import cqlserver.connections.session as session_module
from cqlserver.audit.audit_log import AuditLog
from cqlserver.audit.logs import audit_logs_of
from cqlserver.audit.options import AuditLogOptions
from cqlserver.border import TOLD_AGAIN_S, Border
from cqlserver.connections.listener import Listener
from cqlserver.connections.session import Session
from cqlserver.metrics.meters import Metering
from cqlserver.program.cdc_settings import CdcSettings
from cqlserver.query_log.recording import QueryLog
from cqlserver.system.tracing import Trace
from protocol.client import Connection
from protocol.errors import InvalidRequest, PeerError, RequestError
from protocol.requests import Query
from protocol.responses import Error, RowsResult
from storage.cdc.capture import Capture
from storage.cdc.segments import CdcSegments
from storage.environment.environment import ManualClock
from storage.environment.memory import FaultyDisk

INSERT = "INSERT INTO ks.t (k, c, v) VALUES (1, {}, 'x')"
ROUNDS = 8
LONG = f"SELECT c FROM ks.t WHERE k IN ({', '.join(map(str, range(1000)))})"
SCHEMA_CHANGE = "CREATE TABLE IF NOT EXISTS ks.made (k int PRIMARY KEY)"
FAILURES = [ZeroDivisionError("a bug"), MemoryError(), RecursionError("deep"), InvalidRequest("no"), OSError(5, "no disk")]


class Trap:
    """Raises when what it stands for is called, `count` times; then it is as before."""

    def __init__(self, real: Callable[..., object], error: Exception, count: int = 1) -> None:
        self.real, self.error, self.left, self.sprung = real, error, count, 0

    def __call__(self, *arguments: object, **named: object) -> object:
        if self.left:
            self.left -= 1
            self.sprung += 1
            raise self.error
        return self.real(*arguments, **named)


@pytest.fixture
def server() -> Iterator[SmallServer]:
    with serving(FaultyDisk()) as server, server.connect() as connection:
        done(connection.query(KEYSPACE))
        done(connection.query(TABLE))
        yield server


def set_trap(monkeypatch: pytest.MonkeyPatch, place: object, name: str, error: Exception) -> Trap:
    trap = Trap(getattr(place, name), error)
    monkeypatch.setattr(place, name, trap)
    return trap


def of_class(monkeypatch: pytest.MonkeyPatch, place: type, name: str, error: Exception) -> Trap:
    """The same for a method."""
    real = getattr(place, name)
    trap = Trap(real, error)

    def method(self: object, *arguments: object, **named: object) -> object:
        return trap(self, *arguments, **named)

    monkeypatch.setattr(place, name, method)
    return trap


Setting = Callable[[pytest.MonkeyPatch, SmallServer, Exception], Trap]


def _observed(patch: pytest.MonkeyPatch, server: SmallServer, observer: QueryLog, error: Exception) -> Trap:
    server.node.record(observer)
    return of_class(patch, type(observer), "served", error)


def _audited(patch: pytest.MonkeyPatch, server: SmallServer, error: Exception) -> Trap:
    audit_logs_of(server.node).enable_audit(AuditLogOptions(enabled=True, audit_logs_dir="/audit"))
    return of_class(patch, AuditLog, "served", error)


BORDERS: dict[str, tuple[str, Setting]] = {
    # what is asked while the trap is set, and where it is
    "receive": (INSERT, lambda patch, server, error: of_class(patch, Session, "receive", error)),
    "decode": (INSERT, lambda patch, server, error: set_trap(patch, session_module, "decode", error)),
    "parse": ("SELECT c AS a FROM ks.t", lambda patch, server, error: _in_statements(patch, "parse_shaped", error)),
    "compile": ("SELECT c AS b FROM ks.t", lambda patch, server, error: of_class(patch, _compiler(), "compile", error)),
    "execute": (INSERT, lambda patch, server, error: set_trap(patch, server.node.statements, "query", error)),
    "step": (LONG, lambda patch, server, error: of_class(patch, Session, "_work_on", error)),
    "encode": ("SELECT c AS d FROM ks.t", lambda patch, server, error: set_trap(patch, session_module, "encode", error)),
    "encode of a long one": (LONG, lambda patch, server, error: set_trap(patch, session_module, "encode", error)),
    "whole step": (LONG, lambda patch, server, error: of_class(patch, Session, "step", error)),
    "trace's begin": (INSERT, lambda patch, server, error: set_trap(patch, server.node.tracing, "begin", error)),
    "trace's end": (INSERT, lambda patch, server, error: of_class(patch, Trace, "end", error)),
    "trace's rows": (INSERT, lambda patch, server, error: of_class(patch, Trace, "_event_rows", error)),
    "trace of a long one": (LONG, lambda patch, server, error: of_class(patch, Trace, "note", error)),
    "push": (SCHEMA_CHANGE, lambda patch, server, error: of_class(patch, Session, "_push", error)),
    "encode of a push": (SCHEMA_CHANGE, lambda patch, _, error: set_trap(patch, session_module, "EventMessage", error)),
    "settle": (INSERT, lambda patch, server, error: of_class(patch, Listener, "_settle_one", error)),
    "send": (INSERT, lambda patch, server, error: of_class(patch, Session, "take_output", error)),
    "write of the log": (INSERT, lambda patch, server, error: set_trap(patch, _log(server), "write", error)),
    "close": (INSERT, lambda patch, server, error: of_class(patch, Session, "close", error)),
    "accept": (INSERT, lambda patch, server, error: of_class(patch, Listener, "_welcome", error)),
    "query log": (INSERT, lambda patch, server, error: _observed(patch, server, QueryLog({}), error)),
    "query log of a long one": (LONG, lambda patch, server, error: _observed(patch, server, QueryLog({}), error)),
    "audit log": (INSERT, _audited),
    "metrics": (INSERT, lambda patch, server, error: of_class(patch, Metering, "served", error)),
    "metrics of a long one": (LONG, lambda patch, server, error: of_class(patch, Metering, "served", error)),
    "poll": (INSERT, lambda patch, server, error: set_trap(patch, server.listener._poller, "ready", error)),
}


def _in_statements(patch: pytest.MonkeyPatch, name: str, error: Exception) -> Trap:
    import cqlserver.statements

    return set_trap(patch, cqlserver.statements, name, error)


def _compiler() -> type:
    from cqlserver.plans.compiler import Compiler

    return Compiler


def _log(server: SmallServer) -> object:
    assert server.node.commit_log is not None
    return server.node.commit_log


def works(connection: Connection) -> bool:
    return isinstance(done(connection.query("SELECT c FROM ks.t")).response, RowsResult)


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("border", BORDERS)
def test_what_is_raised_at_a_border_ends_one_request_or_one_connection(
    server: SmallServer, monkeypatch: pytest.MonkeyPatch, border: str, error: Exception
) -> None:
    text, setting = BORDERS[border]
    if border == "write of the log" and isinstance(error, OSError):
        pytest.skip("a disk that fails is no bug: test_listener.py has it")
    with ExitStack() as stack:
        second, victim = (stack.enter_context(server.connect()) for _ in range(2))
        assert works(second)
        assert works(victim)
        if text == SCHEMA_CHANGE:
            done(victim.register("SCHEMA_CHANGE"))
        error.__traceback__ = None
        trap = setting(monkeypatch, server, error)
        with suppress(PeerError, OSError):  # its connection may end
            victim.query(text.format(1), tracing="trace" in border)
        victim.close()
        with suppress(PeerError, OSError):
            server.connect().close()
        monkeypatch.undo()
        for connection in (second, stack.enter_context(server.connect())):
            for number in range(3):
                assert works(connection)
                done(connection.query(INSERT.format(number)))
    assert trap.sprung == 1
    if not isinstance(error, InvalidRequest):  # which some take for an answer, and forget
        assert error.__traceback__ is None, "the error keeps the frames of its request"


CAPTURED = "CREATE TABLE ks.captured (k int PRIMARY KEY, v text) WITH cdc = true"
WRITE_CAPTURED = "INSERT INTO ks.captured (k, v) VALUES (1, 'x')"


@pytest.mark.parametrize("error", [error for error in FAILURES if not isinstance(error, OSError)], ids=repr)
@pytest.mark.parametrize("place", [(Capture, "maybe_tracked"), (Capture, "append"), (CdcSegments, "write")], ids=str)
def test_what_is_raised_where_changes_are_captured_ends_the_request(
    monkeypatch: pytest.MonkeyPatch, place: tuple[type, str], error: Exception
) -> None:
    """A disk that fails is no bug: test_cdc_crashes.py has it."""
    with serving(FaultyDisk(), cdc=CdcSettings(enabled=True)) as server, server.connect() as other:
        for text in (KEYSPACE, TABLE, CAPTURED):
            done(other.query(text))
        error.__traceback__ = None
        trap = of_class(monkeypatch, *place, error)
        with suppress(PeerError, OSError), server.connect() as victim:
            victim.query(WRITE_CAPTURED)
        monkeypatch.undo()
        assert trap.sprung == 1
        assert works(other)
        done(other.query(WRITE_CAPTURED))
        done(other.query(INSERT.format(1)))


def test_an_event_that_can_not_be_sent_ends_the_connection_that_wants_it(
    server: SmallServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with server.connect() as listening, server.connect() as other:
        done(listening.register("SCHEMA_CHANGE"))
        set_trap(monkeypatch, session_module, "EventMessage", ZeroDivisionError("a bug"))
        done(other.query("CREATE TABLE ks.u (k int PRIMARY KEY)"))
        with pytest.raises((PeerError, OSError)):
            listening.query("SELECT c FROM ks.t")
        assert works(other)
    assert "a bug in this server: a bug" in caplog.text


@pytest.mark.parametrize("error", [error for error in FAILURES if not isinstance(error, OSError)], ids=repr)
def test_a_sync_that_raises_does_not_end_the_task(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    with serving(FaultyDisk(), commitlog_sync="batch") as server, server.connect() as other:
        done(other.query(KEYSPACE))
        done(other.query(TABLE))
        trap = set_trap(monkeypatch, _log(server), "sync", error)
        with server.connect() as victim, pytest.raises((PeerError, OSError)):
            victim.query(INSERT.format(1))
        assert trap.sprung == 1
        done(other.query(INSERT.format(2)))


@pytest.mark.parametrize("how", ["events", "text", "log"])
def test_a_trace_that_is_too_large_is_cut_or_lost(how: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    settings = {"commitlog_segment_bytes": 1 << 14} if how == "log" else {}
    with serving(FaultyDisk(), **settings) as server, server.connect() as connection:
        done(connection.query(KEYSPACE))
        done(connection.query(TABLE))
        many = ", ".join(map(str, range(700)))
        text = LONG.replace("IN (", f"IN ({many}, ") if how == "events" else f"/* {'x' * 300_000} */ {LONG}"
        reply = done(connection.query(text, tracing=True))
        assert isinstance(reply.response, RowsResult)
        assert reply.tracing_id is not None
        told = connection.query(f"SELECT activity FROM system_traces.events WHERE session_id = {reply.tracing_id}").response
        assert isinstance(told, RowsResult)
        assert {"events": "a trace is cut", "text": "", "log": "a trace is lost"}[how] in caplog.text
        assert (told.row_count > 10) is (how != "log")
        assert "a bug" not in caplog.text


def test_a_bug_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    border = Border(clock.monotonic)

    def fail() -> None:
        raise ZeroDivisionError("here")

    for _ in range(5):
        assert not border.attempt(fail)
    assert caplog.text.count("a bug in this server: here") == 1
    clock.advance(TOLD_AGAIN_S)
    border.attempt(fail)
    assert "here (4 more since" in caplog.text


def test_an_error_that_is_kept_lets_go_of_what_its_request_had() -> None:
    class Large:
        pass

    def fail() -> None:
        large = Large()
        try:
            raise KeyError(large is None)
        except KeyError as error:
            raise InvalidRequest("no") from error

    border = Border(ManualClock().monotonic)
    gc.collect()
    gc.disable()
    try:
        kept: list[RequestError | Error] = []
        for _ in range(3):
            try:
                fail()
            except Exception as error:  # noqa: BLE001 - what this is about
                kept.append(Error(border.answer_to(error)))
        del error  # type: ignore[name-defined]
    except NameError:
        pass
    finally:
        alive = sum(isinstance(one, Large) for one in gc.get_objects())
        gc.enable()
    assert len(kept) == 3
    assert alive == 0


def test_nothing_of_a_request_outlives_its_answer(server: SmallServer) -> None:
    """What refused, failed, given up and finished long requests leave behind is counted, without a collection."""
    connection = server.connect()
    many = ", ".join(map(str, range(900)))
    texts = [
        LONG,
        f"SELECT c FROM ks.t WHERE k IN ({many}, 'x')",
        f"SELECT c FROM ks.nothing WHERE k IN ({many})",
        f"INSERT INTO ks.t (k, c, v) VALUES (1, 1, '{'x' * 4000}'",
        f"INSERT INTO ks.t (k, c, v) VALUES (1, 'x', '{'y' * 4000}')",
    ]

    def alive() -> Counter[str]:
        """Of what is made for a request: trees, plans, sessions, frames."""
        classes = Counter(type(one) for one in gc.get_objects())
        named = {one: f"{one.__module__}.{one.__qualname__}" for one in classes}
        ours = ("grammar.", "cqlserver.", "builtins.frame", "builtins.traceback")
        return Counter({name: classes[one] for one, name in named.items() if name.startswith(ours)})

    def ask() -> None:
        for text in texts:
            connection.query(text)
        leaving = server.connect()
        leaving.send(Query(LONG))
        leaving.close()

    for _ in range(5):
        ask()
    gc.collect()
    gc.disable()
    try:
        before = alive()
        for _ in range(ROUNDS):
            ask()
        for _ in range(1000):
            if len(server.listener.sessions) == 2 and not server.listener._steps:  # those who left are gone
                break
            done(connection.query(f"SELECT key FROM system.local /* {server.node.port} */"))
        grown = alive() - before
    finally:
        gc.enable()
    connection.close()
    assert not [name for name, count in grown.items() if count >= ROUNDS], grown
