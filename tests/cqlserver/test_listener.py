"""The listener through real sockets: order, promises, limits, and clients that behave badly."""

import errno
import logging
import resource
import select
import socket
import struct
from collections.abc import Callable, Iterator

import pytest
import trio
from small_server import KEYSPACE, TABLE, GatedDisk, SmallServer, done, failed, serving

from cqlserver.connections.listener import _held_bytes, _rest
from protocol import requests
from protocol.client import Connection
from protocol.errors import PeerError
from protocol.requests import Query, QueryOptions
from protocol.responses import Error, RowsResult
from storage.environment.memory import FaultyDisk

INSERT = "INSERT INTO ks.t (k, c, v) VALUES (1, {}, 'x')"
WRITE_FAILED = (
    "WriteFailure: Operation failed - received 0 responses and 1 failures: UNKNOWN from /127.0.0.1:7000"
)


@pytest.fixture
def server() -> Iterator[SmallServer]:
    """All in memory, with one table."""
    with serving() as server, server.connect() as connection:
        done(connection.query(KEYSPACE))
        done(connection.query(TABLE))
        yield server


def stream_of(connection: Connection) -> socket.socket:
    stream = connection._stream
    assert isinstance(stream, socket.socket)
    return stream


def has_answer(connection: Connection) -> bool:
    return bool(select.select([stream_of(connection)], [], [], 0)[0])


def until(condition: Callable[[], bool]) -> None:
    """Asks until it is so; each time the server gets to do something, since `condition` has it answer a request."""
    for _ in range(10_000):
        if condition():
            return
    raise AssertionError("it never came to pass")


def row_count(connection: Connection, text: str) -> int:
    response = done(connection.query(text)).response
    assert isinstance(response, RowsResult)
    return response.row_count


# --- promises ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [3, 4, 5])
def test_batch_mode_answers_a_write_only_after_the_sync(version: int) -> None:
    disk = GatedDisk()
    with serving(disk, commitlog_sync="batch") as server, server.connect(version) as one, server.connect() as two:
        done(one.query(KEYSPACE))
        done(one.query(TABLE))
        disk.is_gated = True
        stream = one.send(Query(INSERT.format(1)))
        assert disk.syncing.wait(10)
        assert row_count(two, "SELECT * FROM ks.t") == 1  # reads go on
        assert not has_answer(one)
        disk.go_on.set()
        done(one.receive(stream))


def test_a_full_segment_is_synced_before_the_period_ends() -> None:
    disk, settings = GatedDisk(), {"commitlog_sync_period_ms": 3_600_000, "commitlog_segment_bytes": 1 << 14}
    with serving(disk, None, **settings) as server, server.connect() as one, server.connect() as two:
        done(one.query(KEYSPACE))
        done(one.query(TABLE))
        disk.is_gated = True
        for number in range(100):
            done(one.query(INSERT.format(number).replace("'x'", f"'{'x' * 500}'")))
        assert disk.syncing.wait(10)
        assert row_count(two, "SELECT * FROM ks.t") == 100  # meanwhile everything goes on
        disk.go_on.set()


def test_batch_mode_answers_reads_of_a_connection_whose_writes_wait() -> None:
    disk = GatedDisk()
    with serving(disk, commitlog_sync="batch") as server, server.connect() as one:
        done(one.query(KEYSPACE))
        done(one.query(TABLE))
        disk.is_gated = True
        write = one.send(Query(INSERT.format(1)))
        assert disk.syncing.wait(10)
        assert row_count(one, "SELECT * FROM ks.t") == 1
        assert not has_answer(one)
        disk.go_on.set()
        done(one.receive(write))


def test_a_schema_change_that_is_told_to_others_waits_for_its_sync_too() -> None:
    """The event was sent, and the log written for it, before the change itself counted as a write."""
    disk = GatedDisk()
    with serving(disk, commitlog_sync="batch") as server, server.connect() as one, server.connect() as two:
        done(two.register("SCHEMA_CHANGE"))
        done(one.query(KEYSPACE))
        disk.is_gated = True
        stream = one.send(Query(TABLE))
        assert disk.syncing.wait(10)
        assert row_count(two, "SELECT * FROM ks.t") == 0
        assert not has_answer(one)
        disk.go_on.set()
        done(one.receive(stream))


def test_group_mode_answers_after_the_sync() -> None:
    disk = FaultyDisk()
    with serving(disk, commitlog_sync="group", commitlog_sync_group_window_ms=1) as server, server.connect() as one:
        done(one.query(KEYSPACE))
        done(one.query(TABLE))
        for reply in [one.receive(stream) for stream in one.send_many([Query(INSERT.format(n)) for n in range(50)])]:
            done(reply)


@pytest.mark.parametrize("mode", ["periodic", "batch"])
@pytest.mark.parametrize("operation", ["write", "sync"])
def test_nothing_is_acknowledged_when_the_log_fails_and_reads_go_on(
    mode: str, operation: str, caplog: pytest.LogCaptureFixture
) -> None:
    if (mode, operation) == ("periodic", "sync"):
        pytest.skip("a periodic sync stands behind no answer")
    disk = FaultyDisk()
    caplog.set_level(logging.ERROR)
    with serving(disk, commitlog_sync=mode) as server, server.connect() as one, server.connect(4) as two:
        done(one.query(KEYSPACE))
        done(one.query(TABLE))
        done(two.query("USE ks"))
        done(one.query(INSERT.format(0)))
        disk.fail(operation, code=errno.ENOSPC)
        texts = [INSERT.format(1), "SELECT k FROM t WHERE k = 1 AND c = 0", "UPDATE t SET v = 'y' WHERE k = 1 AND c = 0"]
        texts.append("INSERT INTO t (k, c, v) VALUES (2, 2, 'x') IF NOT EXISTS")
        texts.append("CREATE TABLE ks.other (k int PRIMARY KEY)")
        replies = [two.receive(stream) for stream in two.send_many([Query(text) for text in texts])]
        assert failed(replies[0]) == WRITE_FAILED
        assert done(replies[1]).response.row_count == 1
        assert failed(replies[2]) == WRITE_FAILED
        assert failed(replies[3]) == WRITE_FAILED
        assert "no writes until it is restarted" in failed(replies[4])
        assert failed(one.query(INSERT.format(3))) == WRITE_FAILED
        assert row_count(one, "SELECT * FROM ks.t WHERE k = 1") >= 1
    assert "a bug in this server" not in caplog.text
    assert "No space left on device" in caplog.text


def test_answers_that_left_before_a_sync_failed_are_not_given_twice() -> None:
    """What one sync had released was answered again when the next one failed."""
    disk = GatedDisk()
    with serving(disk, commitlog_sync="batch") as server, server.connect() as one, server.connect() as two:
        done(one.query(KEYSPACE))
        done(one.query(TABLE))
        disk.is_gated = True
        first = one.send(Query(INSERT.format(1)))
        assert disk.syncing.wait(10)
        second = one.send(Query(INSERT.format(2)))  # waits for the next sync
        until(lambda: row_count(two, "SELECT * FROM ks.t") == 2)
        disk.fail("sync", after=1)
        disk.go_on.set()
        done(one.receive(first))
        assert failed(one.receive(second)) == WRITE_FAILED
        assert row_count(one, "SELECT * FROM ks.t") == 2
        assert not one._replies  # nothing else came


# --- clients that behave badly ------------------------------------------------------------------------------------------


def fill(connection: Connection, rows: int, size: int) -> None:
    for row in range(rows):
        done(connection.query(f"INSERT INTO ks.t (k, c, v) VALUES (1, {row}, '{'x' * size}')"))


@pytest.mark.slow
def test_a_client_that_never_reads_is_not_read_from(server: SmallServer) -> None:
    with server.connect() as setup, server.connect() as greedy:
        fill(setup, 10, 100_000)
        stream_of(greedy).setblocking(False)
        piece = greedy._encoder.encode(
            [requests.encode(Query("SELECT * FROM ks.t WHERE k = 1"), 5, stream) for stream in range(100)]
        )
        sent = 0
        with pytest.raises(BlockingIOError):
            for _ in range(10_000):
                sent += stream_of(greedy).send(piece)

        def is_refused() -> bool:
            assert row_count(setup, "SELECT * FROM ks.t") == 10  # everybody else is served
            return any(not channel.reading for channel in server.listener._channels.values())

        until(is_refused)
        channels = server.listener._channels.values()
        assert max(channel.unsent_bytes for channel in channels) < 12 << 20
        assert all(channel.unsent_bytes == sum(map(_held_bytes, channel.unsent)) for channel in channels)
        stream_of(greedy).setblocking(True)
        for stream in range(100):
            assert done(greedy.receive(stream)).response.row_count == 10


def test_of_an_answer_that_is_sent_in_pieces_at_most_twice_the_rest_is_held() -> None:
    """A slice of four megabytes held them all, however little of them was still to be sent."""
    data = memoryview(bytes(1_000))
    left = len(data)
    while left > 7:
        data = _rest(data, 7)
        left -= 7
        assert len(data) == left
        assert _held_bytes(data) <= max(2 * left, 14)


def test_many_pipelined_requests_are_all_answered(server: SmallServer) -> None:
    with server.connect(4) as connection:
        fill(connection, 1, 10)
        count = 1_500
        streams = connection.send_many([Query("SELECT v FROM ks.t WHERE k = 1 AND c = 0")] * count)
        assert sum(done(connection.receive(stream)).response.row_count for stream in streams) == count


def test_clients_wait_after_each_of_their_turns_while_they_are_held_up(
    server: SmallServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits = 0
    sleep = trio.sleep

    async def counted_sleep(seconds: float) -> None:
        nonlocal waits
        waits += seconds == 0.25
        await (trio.lowlevel.checkpoint() if seconds == 0.25 else sleep(seconds))

    monkeypatch.setattr(trio, "sleep", counted_sleep)
    server.listener.after_go = lambda: server.clock.advance(0.01)
    with server.connect() as connection:
        done(connection.query(INSERT.format(1)))
        assert not waits
        server.listener.hold_up(0.25)
        for c in range(3):
            done(connection.query(INSERT.format(c)))
        server.listener.hold_up(0.0)
        done(connection.query(INSERT.format(1)))
        held = waits
        done(connection.query(INSERT.format(1)))
    assert 2 <= held <= 4
    assert waits == held


def test_scans_beyond_the_limit_wait_for_their_turn(server: SmallServer) -> None:
    with server.connect() as connection:
        fill(connection, 1000, 1)
        count = 40
        streams = connection.send_many([Query("SELECT sum(c) FROM ks.t")] * count)
        for stream in streams:
            reply = connection.receive(stream)
            assert done(reply).response.row_count == 1
            assert reply.warnings == ("Aggregation query used without partition key",)


def test_a_scan_whose_client_left_is_given_up(server: SmallServer) -> None:
    with server.connect() as setup:
        fill(setup, 1000, 1)
        leaving = server.connect()
        leaving.send_many([Query("SELECT sum(c) FROM ks.t")] * 30)
        stream_of(leaving).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        leaving.close()
        assert row_count(setup, "SELECT sum(c) FROM ks.t") == 1
        with server.connect() as after:  # perhaps on the descriptor of the one that left
            assert row_count(after, "SELECT sum(c) FROM ks.t") == 1
            assert not after._replies


def test_a_traced_scan_tells_its_trace(server: SmallServer) -> None:
    with server.connect() as connection:
        fill(connection, 1000, 1)
        reply = connection.query("SELECT sum(c) FROM ks.t", tracing=True)
        assert reply.tracing_id is not None
        assert row_count(connection, f"SELECT * FROM system_traces.sessions WHERE session_id = {reply.tracing_id}") == 1


def test_a_reset_ends_only_that_connection(server: SmallServer) -> None:
    with server.connect() as setup:
        fill(setup, 10, 100_000)
        for _ in range(5):
            leaving = server.connect()
            leaving.send_many([Query("SELECT * FROM ks.t")] * 20)
            stream_of(leaving).recv(1000)
            stream_of(leaving).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            leaving.close()
        assert row_count(setup, "SELECT * FROM ks.t") == 10


def test_a_half_closed_connection_closes(server: SmallServer) -> None:
    with server.connect() as connection:
        stream_of(connection).shutdown(socket.SHUT_WR)
        with pytest.raises(PeerError):
            connection.receive(0)


def test_garbage_closes_the_connection_that_sent_it(server: SmallServer) -> None:
    for garbage in (b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\xff" * 70_000, b"\x16\x03\x01\x02\x00\x01\x00"):
        with socket.create_connection(("127.0.0.1", server.node.port), timeout=10) as stream:
            stream.sendall(garbage)
            try:
                while stream.recv(1 << 16):
                    pass
            except ConnectionResetError:
                pass  # bytes that we had not read when we closed
    with server.connect() as connection:
        assert row_count(connection, "SELECT * FROM ks.t") == 0


def test_out_of_descriptors_those_who_are_here_are_served(server: SmallServer) -> None:
    """The socket that listens stayed ready, and accepting failed at full speed."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with server.connect() as connection:
        stream = socket.socket()
        stream.settimeout(10)
        resource.setrlimit(resource.RLIMIT_NOFILE, (stream.fileno() + 1, limits[1]))
        try:
            stream.connect(("127.0.0.1", server.node.port))
            assert row_count(connection, "SELECT * FROM ks.t") == 0
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
        late = Connection(stream)  # accepted after the pause
        assert row_count(late, "SELECT * FROM ks.t") == 0
        late.close()


def test_events_that_a_client_does_not_read_do_not_stop_the_others(server: SmallServer) -> None:
    with server.connect() as deaf, server.connect() as connection:
        done(deaf.register("SCHEMA_CHANGE"))
        for number in range(20):
            done(connection.query(f"CREATE TABLE ks.n{number} (k int PRIMARY KEY)"))
        assert [deaf.next_event().name for _ in range(20)] == [f"n{number}" for number in range(20)]


def test_closed_connections_leave_nothing_behind(server: SmallServer) -> None:
    with server.connect() as stays:
        for _ in range(20):
            with server.connect() as connection:
                done(connection.register("SCHEMA_CHANGE"))

        def are_closed() -> bool:
            done(stays.query("SELECT * FROM ks.t"))
            return len(server.node.sessions) == 2  # that of the fixture and ours

        until(are_closed)
        assert len(server.listener._channels) == 2


def test_a_statement_beyond_the_frame_limit_is_refused_and_the_connection_lives() -> None:
    with serving(frame_bytes_max=100_000) as server, server.connect(4) as connection:
        text = failed(connection.query("SELECT " + "x" * 100_000))
        assert text.startswith("InvalidRequest: Request is too big: length 1000")
        assert not isinstance(connection.query("SELECT * FROM system.local", QueryOptions()).response, Error)
