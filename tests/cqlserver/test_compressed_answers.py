"""Long answers to clients that compress are encoded beside the loop, others with it."""

import pytest

from cqlserver.connections.apart import APART_BYTES
from cqlserver.connections.session import Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests
from protocol.frames import EnvelopeDecoder, negotiated
from protocol.requests import Execute, Prepare, Query, QueryOptions, Request, Startup
from protocol.responses import Error, PreparedResult, Response, RowsResult, decode
from protocol.segments import SegmentEncoder
from storage.environment.environment import Environment, Rng, SystemClock
from storage.environment.memory import FaultyDisk
from storage.environment.strands import ThreadWorkers

SELECT = "SELECT v FROM ks.t"
ROWS = 6
VALUE = "".join(chr(97 + number * 7 % 26) for number in range(100_000))


class CompressingClient:
    def __init__(self, version: int, compression: str) -> None:
        environment = Environment(SystemClock(), Rng(b"test"), FaultyDisk(), ThreadWorkers(SystemClock().monotonic))
        self.node = open_node(Config(port=0), environment)
        self.node.describe_itself()
        self.session, self.version = Session(self.node, "127.0.0.1", 1), version
        self.session.receive(requests.encode(Startup({"CQL_VERSION": "3.0.0", "COMPRESSION": compression}), version, 0))
        self.session.take_later()
        self._decoder = negotiated(EnvelopeDecoder(version, responses=True), version, compression)
        for text in (
            "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
            "CREATE TABLE ks.t (k int PRIMARY KEY, v text)",
            *(f"INSERT INTO ks.t (k, v) VALUES ({number}, '{VALUE}')" for number in range(ROWS)),
        ):
            self.ask(Query(text))

    def send(self, request: Request, tracing: bool = False) -> None:
        data = requests.encode(request, self.version, 1, tracing)
        if self.version >= 5:
            data = SegmentEncoder(True).encode([data])
        self.session.receive(data)
        while self.session.has_rest:
            self.session.resume()

    def ask(self, request: Request, tracing: bool = False) -> Response:
        self.send(request, tracing)
        for unanswered in self.session.take_pending():
            while not self.session.step(unanswered):
                if unanswered.awaited is not None:
                    unanswered.awaited.wait()
        output = self.session.take_later() + self.session.take_output()
        self.session.forget_served()
        ((version, flags, _, opcode, body),) = self._decoder.receive_data(output)
        return decode(version, flags, opcode, body).response


@pytest.fixture(params=[(4, "lz4"), (4, "snappy"), (5, "lz4")], ids=str)
def client(request: pytest.FixtureRequest) -> CompressingClient:
    return CompressingClient(*request.param)


def values(response: Response) -> list[bytes]:
    assert isinstance(response, RowsResult), response
    return [row[0] for row in response.rows()]


def noted(client: CompressingClient, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How long the answers were that were encoded apart."""
    from cqlserver.connections import unanswered

    lengths: list[int] = []
    real = unanswered.encoded_apart

    def note(node, encoder, answer):  # type: ignore[no-untyped-def]
        lengths.append(len(answer))
        return real(node, encoder, answer)

    monkeypatch.setattr(unanswered, "encoded_apart", note)
    return lengths


def test_a_long_answer_is_encoded_apart(client: CompressingClient, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = noted(client, monkeypatch)
    assert values(client.ask(Query(SELECT))) == [VALUE.encode()] * ROWS
    assert len(lengths) == 1
    assert lengths[0] > APART_BYTES
    assert values(client.ask(Query(f"{SELECT} LIMIT 1"))) == [VALUE.encode()]
    assert len(lengths) == 1
    assert client.node.limits.unsent == 0


def test_a_long_answer_of_the_hot_path_is_encoded_apart(
    client: CompressingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.ask(Query(f"INSERT INTO ks.t (k, v) VALUES (7, '{VALUE * 3}')"))
    prepared = client.ask(Prepare(f"{SELECT} WHERE k = ?"))
    assert isinstance(prepared, PreparedResult)
    lengths = noted(client, monkeypatch)
    for _ in range(3):
        metadata_id = prepared.result_metadata_id if client.version >= 5 else None
        execute = Execute(prepared.statement_id, metadata_id, QueryOptions(values=(b"\0\0\0\7",)))
        assert values(client.ask(execute)) == [VALUE.encode() * 3]
    assert len(lengths) == 3
    assert prepared.statement_id in client.session._fast


def test_an_answer_with_a_write_behind_it_goes_with_others(
    client: CompressingClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = noted(client, monkeypatch)
    assert values(client.ask(Query(SELECT), tracing=True)) == [VALUE.encode()] * ROWS
    assert lengths == []


def test_what_can_not_be_encoded_is_refused(client: CompressingClient, monkeypatch: pytest.MonkeyPatch) -> None:
    real = type(client.session._encoder).encode
    errors = [ZeroDivisionError("a bug")]

    def encode(self: object, answers: list[bytes]) -> bytes:
        if any(len(answer) > APART_BYTES for answer in answers) and errors:
            raise errors.pop()
        return real(self, answers)  # type: ignore[arg-type]

    monkeypatch.setattr(type(client.session._encoder), "encode", encode)
    answer = client.ask(Query(SELECT))
    assert isinstance(answer, Error)
    assert "a bug" in str(answer.error)
    assert values(client.ask(Query(SELECT))) == [VALUE.encode()] * ROWS
    assert client.node.limits.unsent == 0


def test_of_a_client_that_leaves_nothing_counts_any_more(client: CompressingClient) -> None:
    client.send(Query(SELECT))
    (unanswered,) = client.session.take_pending()
    while unanswered.answer is None:
        assert not client.session.step(unanswered)
    assert client.node.limits.unsent > APART_BYTES
    client.session.close()
    assert unanswered.leave(0.0)
    assert client.node.limits.unsent == 0
