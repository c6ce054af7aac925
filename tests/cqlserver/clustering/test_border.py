"""One request, one victim, among nodes too: whatever is raised between them ends one request, one message, one round of a
task; the others are served, and the process lives."""

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from queue import Queue

import pytest
import trio

from cluster.coordination.bundles import Bundles
from cluster.coordination.read_bundle import ReadBundle
from cluster.coordination.reading import ReadOperation
from cluster.coordination.write_bundle import WriteBundle
from cluster.gossip.endpoint import Endpoint
from cluster.gossip.gossiper import Gossiper
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cluster.node import ClusterNode
from cluster.reading.plain import PlainReads
from cluster.replica import Replica
from cluster.streaming import session as streaming
from cluster.streaming.messages import Reason, TableRanges
from cluster.streaming.ranges import WHOLE_RING
from cluster.streaming.session import FetchSession
from cluster.streaming.source import TableSource
from cluster.streaming.streams import Streams
from cluster.streaming.target import TableTarget
from cqlserver.clustering.in_process import LocalCluster
from cqlserver.clustering.late_answers import LateAnswers
from cqlserver.clustering.node_configs import node_configs
from cqlserver.clustering.station import Station
from cqlserver.connections.session import Session
from cqlserver.program.config import Config
from protocol.client import Connection, connect
from protocol.errors import InvalidRequest, PeerError, StreamFailed
from protocol.requests import QueryOptions
from protocol.responses import Error, PreparedResult, Response, RowsResult
from storage.background import Background
from storage.engine import Engine

pytestmark = pytest.mark.slow
NODES = 3
TIMEOUT_S = 30.0
VICTIM_S = 2.0
"""The victim's client may wait for nothing."""
QUORUM = 4
LARGE = f"INSERT INTO ks.l (k, l) VALUES (1, [{', '.join(['1'] * 2_000)}])"
"""Others are asked for something long."""
FAILURES = [ZeroDivisionError("a bug"), MemoryError(), InvalidRequest("no"), OSError(5, "no disk")]
BORDERS: dict[str, tuple[type, str]] = {
    "message": (ClusterNode, "receive"),
    "tick": (ClusterNode, "tick"),
    "gossip": (Gossiper, "tick"),
    "what leaves": (Station, "_send"),
    "what is outgoing": (ClusterNode, "take_outgoing"),
    "bundles": (Bundles, "send"),
    "a bundle's write is told": (WriteBundle, "receive"),
    "a bundle's read is told": (ReadBundle, "receive"),
    "replica": (Replica, "apply_each"),
    "replica's read": (Replica, "read"),
    "replica's plain read": (PlainReads, "digests"),
    "read is told": (ReadOperation, "receive"),
    "late answer": (Session, "answer_late"),
    "late answers leave": (LateAnswers, "send"),
    "put off": (Session, "_put_off"),
    "background": (Background, "step"),
    "engine's tick": (Engine, "tick"),
}

STREAMS: dict[str, tuple[type, str]] = {
    "message": (Streams, "receive"),
    "answer": (FetchSession, "receive"),
    "next table": (FetchSession, "_next_table"),
    "source": (TableSource, "read"),
    "target": (TableTarget, "take"),
    "completing": (TableTarget, "complete"),
}


class Trap:
    """Raises once, when the method is called."""

    def __init__(self, patch: pytest.MonkeyPatch, place: type, name: str, error: Exception) -> None:
        self.error: Exception | None = error
        self.sprung = threading.Event()
        real: Callable[..., object] = getattr(place, name)

        def method(of: object, *arguments: object, **named: object) -> object:
            error, self.error = self.error, None
            if error is not None:
                self.sprung.set()
                raise error
            return real(of, *arguments, **named)

        patch.setattr(place, name, method)


@dataclass
class Running:
    cluster: LocalCluster
    token: trio.lowlevel.TrioToken

    def connect(self, number: int, timeout_s: float = TIMEOUT_S) -> Connection:
        part = self.cluster.parts[number]
        assert part.node is not None
        return connect(part.config.host, part.node.port, 4, timeout_s=timeout_s)

    def fetches(self, number: int, from_number: int) -> "Queue[StreamFailed | None]":
        """Has a node fetch table ks.s from another; where the outcome comes."""
        ended: Queue[StreamFailed | None] = Queue()

        def fetch() -> None:
            cluster, peer = self._member(number), self._member(from_number).local
            table = cluster.engine.schema.keyspaces["ks"].tables["s"]
            outcome = cluster.streams.fetch(peer, [TableRanges(table.id, (WHOLE_RING,))], Reason.REBUILD).outcome
            outcome.when_done(lambda: ended.put(outcome.error))

        self.token.run_sync_soon(fetch)
        return ended

    def _member(self, number: int) -> ClusterNode:
        node = self.cluster.parts[number].node
        assert node is not None
        assert node.member is not None
        return node.member.cluster


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    cluster = LocalCluster(node_configs(Config(port=0, data=None, control_port=None), NODES))
    started, ended = threading.Event(), trio.CancelScope()
    tokens: list[trio.lowlevel.TrioToken] = []
    failures: list[BaseException] = []

    async def main() -> None:
        tokens.append(trio.lowlevel.current_trio_token())
        with ended:
            async with trio.open_nursery() as nursery:
                await nursery.start(cluster.run)
                started.set()

    def run() -> None:
        try:
            trio.run(main)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            failures.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert started.wait(TIMEOUT_S)
    running = Running(cluster, tokens[0])
    with running.connect(0) as connection:
        for text in (
            "CREATE KEYSPACE ks WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 3}",
            "CREATE TABLE ks.t (k int PRIMARY KEY, v int)",
            "CREATE TABLE ks.l (k int PRIMARY KEY, l list<int>)",
            "CREATE TABLE ks.s (k int PRIMARY KEY, v int)",
            *(f"INSERT INTO ks.s (k, v) VALUES ({key}, 1)" for key in range(50)),
        ):
            assert not isinstance(connection.query(text).response, Error)
    yield running
    tokens[0].run_sync_soon(ended.cancel)
    thread.join(TIMEOUT_S)
    assert not failures, failures


class Client:
    """Prepared reads and writes, which take the fast ways, and texts, which do not, at QUORUM."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._prepared = [
            connection.prepare(text).response
            for text in ("INSERT INTO ks.t (k, v) VALUES (?, ?)", "SELECT v FROM ks.t WHERE k = ?")
        ]

    def all(self, key: int) -> list[Response]:
        connection, value = self._connection, key.to_bytes(4, "big")
        level = QueryOptions(consistency=QUORUM)
        insert, select = self._prepared
        assert isinstance(insert, PreparedResult)
        assert isinstance(select, PreparedResult)
        return [
            connection.execute(insert, (value, value), level).response,
            connection.execute(select, (value,), level).response,
            connection.query(f"SELECT * FROM ks.t WHERE k IN ({key}, 0)", level).response,
        ]


@pytest.mark.parametrize("error", FAILURES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("border", BORDERS)
def test_what_is_raised_between_nodes_ends_one_request_or_message(
    running: Running, monkeypatch: pytest.MonkeyPatch, border: str, error: Exception
) -> None:
    error.__traceback__ = None
    with running.connect(1) as second:
        others = Client(second)
        others.all(1)
        trap = Trap(monkeypatch, *BORDERS[border], error)
        with suppress(PeerError, OSError), running.connect(0, VICTIM_S) as connection:
            victim = Client(connection)
            for key in range(3):
                victim.all(key)
            if border == "background":
                connection.query(LARGE, QueryOptions(consistency=QUORUM))
        assert trap.sprung.wait(TIMEOUT_S)
        monkeypatch.undo()
        check(others)
        for number in range(NODES):
            with running.connect(number) as another:
                check(Client(another))


def test_a_message_that_raises_takes_neither_others_nor_the_connection_along(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those behind it are of other clients."""
    real, taken = ClusterNode.receive, []

    def receive(node: ClusterNode, sender: Endpoint, message: Message) -> None:
        if message.id == 1 << 60:
            raise ZeroDivisionError("a bug")
        if message.id == 1 << 61 and message.verb == Verb.SCHEMA_WANTED:  # its answer has the id, too
            taken.append(message)
        real(node, sender, message)

    monkeypatch.setattr(ClusterNode, "receive", receive)
    messages = [Message(Verb.SCHEMA_WANTED, 1 << 60, b""), Message(Verb.SCHEMA_WANTED, 1 << 61, b"")]
    answers: Queue[bool] = Queue()
    station, peer = running.cluster.parts[0].station, running.cluster.parts[1].endpoint
    assert station is not None
    running.token.run_sync_soon(lambda: answers.put(station.take(peer, messages)))
    assert answers.get(timeout=TIMEOUT_S)
    assert taken == messages[1:]


@pytest.mark.parametrize("error", FAILURES[::3], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("border", STREAMS)
def test_what_is_raised_in_a_stream_ends_the_stream_at_most(
    running: Running, monkeypatch: pytest.MonkeyPatch, border: str, error: Exception
) -> None:
    """A node fetches a table from another; the next time it gets it, and clients are served meanwhile."""
    error.__traceback__ = None
    monkeypatch.setattr(streaming, "ANSWER_S", 0.2)  # so soon is asked again
    trap = Trap(monkeypatch, *STREAMS[border], error)
    ended = running.fetches(1, 2)
    assert trap.sprung.wait(TIMEOUT_S)
    with running.connect(0) as connection:
        check(Client(connection))
    outcome = ended.get(timeout=TIMEOUT_S)
    assert outcome is None or isinstance(outcome, StreamFailed), outcome
    monkeypatch.undo()
    assert running.fetches(1, 2).get(timeout=TIMEOUT_S) is None
    for number in range(NODES):
        with running.connect(number) as another:
            check(Client(another))


def check(client: Client) -> None:
    written, read, by_text = client.all(5)
    assert not isinstance(written, Error), written
    assert isinstance(read, RowsResult), read
    assert read.row_count == 1
    assert isinstance(by_text, RowsResult), by_text
