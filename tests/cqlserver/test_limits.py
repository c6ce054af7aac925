"""What all clients together may have: what happens at each bound, and that what was held is given back."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from small_server import KEYSPACE, TABLE, SmallServer, done, serving

from cqlserver.plans import gathered as bounds
from cqlserver.plans.gathered import Gathered
from protocol import requests, responses
from protocol.client import Connection, connect
from protocol.envelopes import EnvelopeDecoder, pack_envelope
from protocol.errors import Overloaded, PeerError
from protocol.requests import Query, QueryOptions, Startup
from protocol.responses import Error, RowsResult
from protocol.segments import SegmentEncoder

LIMITS = {"in_flight_bytes_max": 1_000_000, "in_flight_per_ip_bytes_max": 900_000}
LARGE = Query(f"SELECT key FROM system.local /* {'x' * 600_000} */")


@pytest.fixture
def server() -> Iterator[SmallServer]:
    with serving(**LIMITS) as server:
        yield server


def hello(server: SmallServer, version: int, **options: str) -> socket.socket:
    stream = socket.create_connection(("127.0.0.1", server.node.port), 10)
    stream.sendall(requests.encode(Startup({"CQL_VERSION": "3.0.0", **options}), version, 0))
    assert stream.recv(100)
    return stream


def begun(server: SmallServer, version: int) -> socket.socket:
    """A client that has sent most of a large message, and waits."""
    stream = hello(server, version)
    data = requests.encode(LARGE, version, 1)
    stream.sendall((SegmentEncoder().encode([data]) if version >= 5 else data)[:400_000])
    return stream


def until_in_flight(server: SmallServer, other: Connection, least: int) -> None:
    for _ in range(1000):
        done(other.options())
        if server.node.limits.in_flight >= least:
            return
    raise AssertionError(f"{server.node.limits.in_flight} in flight")


@pytest.mark.parametrize("version", [4, 5])
def test_a_large_message_waits_for_room_and_small_ones_do_not(server: SmallServer, version: int) -> None:
    with begun(server, version) as first, server.connect(version) as second, server.connect(version) as other:
        until_in_flight(server, other, 400_000)
        stream = second.send(LARGE)
        for _ in range(20):
            done(other.query("SELECT key FROM system.local"))
        assert [session.is_stalled for session in server.listener.sessions].count(True) == 1
        first.close()  # gives its place to the second
        done(second.receive(stream))
        done(other.options())
        assert server.node.limits.in_flight == 0


def test_a_client_that_asked_for_it_gets_overloaded_exceptions(server: SmallServer) -> None:
    with begun(server, 5), server.connect() as other, hello(server, 4, THROW_ON_OVERLOAD="1") as throwing:
        until_in_flight(server, other, 400_000)
        throwing.sendall(requests.encode(LARGE, 4, 3) + requests.encode(Query("SELECT key FROM system.local"), 4, 4))
        decoder = EnvelopeDecoder(4, responses=True)
        answers = {}
        while len(answers) < 2:
            for version, flags, stream, opcode, body in decoder.receive_data(throwing.recv(1 << 16)):
                answers[stream] = responses.decode(version, flags, opcode, body).response
        assert isinstance(answers[4], RowsResult)
        assert isinstance(answers[3], Error)
        assert isinstance(answers[3].error, Overloaded)
        assert answers[3].error.message.startswith("Request breached limit on bytes in flight. (Using ")


def test_what_a_frame_claims_to_decompress_to_waits_too(server: SmallServer) -> None:
    from protocol.compression import Lz4Compressor

    body = requests.encode(LARGE, 4, 1)[9:]
    compressed = Lz4Compressor().compress(body)
    assert len(compressed) < 10_000
    with begun(server, 4) as first, server.connect(4) as other, hello(server, 4, COMPRESSION="lz4") as second:
        until_in_flight(server, other, 400_000)
        second.sendall(pack_envelope(4, 1, 7, 7, compressed))
        for _ in range(20):
            done(other.query("SELECT key FROM system.local"))
        assert [session.is_stalled for session in server.listener.sessions].count(True) == 1
        first.close()
        assert second.recv(100)[:5] == b"\x84\x01\x00\x07\x08"


def test_many_segments_that_decompress_to_much_are_served_bit_by_bit(server: SmallServer) -> None:
    with server.connect(5, "lz4") as connection:
        query = Query(f"SELECT key FROM system.local /* {'x' * 100_000} */")
        envelopes = [requests.encode(query, 5, stream) for stream in range(60)]
        encoder = SegmentEncoder(True)
        connection.send_bytes(b"".join(encoder.encode([envelope]) for envelope in envelopes))
        for stream in range(60):
            done(connection.receive(stream))


@pytest.mark.parametrize("setting", ["connections_max", "connections_per_ip_max"])
def test_connections_are_bounded(setting: str, caplog: pytest.LogCaptureFixture) -> None:
    with serving(**{setting: 2}) as server, ExitStack() as stack:
        first, _ = (stack.enter_context(server.connect()) for _ in range(2))
        for _ in range(3):
            with pytest.raises((PeerError, OSError)):
                connect("127.0.0.1", server.node.port, 5, None, timeout_s=10)
        done(first.options())
        first.close()
        for _ in range(100):  # until the server has noticed
            try:
                with connect("127.0.0.1", server.node.port, 5, None, timeout_s=10) as third:
                    done(third.options())
                break
            except (PeerError, OSError):
                continue
        else:
            raise AssertionError("no place was given back")
    assert caplog.text.count("Exceeded maximum native connection limit") == 1


def test_before_startup_only_short_messages_are_taken(server: SmallServer) -> None:
    with socket.create_connection(("127.0.0.1", server.node.port), 10) as stream:
        stream.sendall(requests.encode(Query("x" * 100_000), 4, 1))
        assert b"Request is too big" in stream.recv(1000)


def test_statements_of_too_many_tokens_and_combinations_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grammar.parser.TOKENS_MAX", 5_000)
    monkeypatch.setattr("cqlserver.restrictions.combinations.COMBINATIONS_MAX", 5_000)
    with serving() as server, server.connect() as connection:
        done(connection.query(KEYSPACE))
        done(connection.query(TABLE))
        numbers = ",".join(map(str, range(100)))
        texts = {
            f"SELECT v FROM ks.t WHERE k IN ({','.join(['1'] * 20_000)})": "has more than 5000 words, numbers and signs",
            f"DELETE v FROM ks.t WHERE k IN ({numbers}) AND c IN ({numbers})": "produces 10000 values, this exceeds",
        }
        for text, message in texts.items():
            reply = connection.query(text).response
            assert isinstance(reply, Error)
            assert message in reply.error.message


def test_what_clients_may_take_is_told_as_a_sum(server: SmallServer) -> None:
    assert server.node.limits.told().startswith("Clients may take up to ")


def test_answers_that_nobody_pages_wait_for_those_that_began_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "GATHERED_TOTAL_MAX", 1_000)
    gathered = Gathered()
    sizes = [0, 0]

    def steps(number: int, count: int) -> Iterator[None]:
        for _ in range(count):
            sizes[number] += 300
            yield

    first, second = (gathered.bounded(steps(n, 4), lambda n=n: sizes[n]) for n in range(2))  # type: ignore[misc]
    for _ in range(2):
        next(first)
        next(second)
    for _ in range(20):
        next(second)
    assert sizes == [600, 600]
    assert gathered.total == 1_200
    assert sum(1 for _ in first) == 2
    assert gathered.total == 600
    second.close()
    assert gathered.total == 0


def test_an_answer_that_fits_into_no_message_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "ANSWER_BYTES_MAX", 10_000)
    with serving() as server, server.connect() as connection:
        done(connection.query(KEYSPACE))
        done(connection.query(TABLE))
        for start in range(0, 2_000, 100):
            rows = " ".join(f"INSERT INTO ks.t (k, c, v) VALUES (1, {c}, 'x')" for c in range(start, start + 100))
            done(connection.query(f"BEGIN UNLOGGED BATCH {rows} APPLY BATCH"))
        reply = connection.query("SELECT * FROM ks.t", QueryOptions(page_size=-1)).response
        assert isinstance(reply, Error)
        assert reply.error.message == "The result is longer than 10000 bytes: it has to be paged"
        assert server.node.gathered.total == 0
        done(connection.query("SELECT * FROM ks.t", QueryOptions(page_size=50)))
