"""Two nodes and more with streams between them, without a ring: each with an engine, on a disk or in memory alone."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import MappingProxyType
from uuid import UUID

from cluster.coordination.requests import Requests
from cluster.internode.frames import Message
from cluster.internode.verbs import STREAM_VERBS
from cluster.reading.execution import encoded_partition
from cluster.replica import Replica
from cluster.ring import Node
from cluster.streaming.messages import TableRanges
from cluster.streaming.ranges import WHOLE_RING
from cluster.streaming.session import Session
from cluster.streaming.streams import Streams
from protocol.types import BLOB
from storage.engine import Engine, EngineOptions
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers
from storage.mutation import Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.reads import TableStore
from storage.schema.metadata import (
    KeyspaceMetadata,
    KeyspaceParams,
    Schema,
    TableMetadata,
)
from storage.schema.tables import schema_mutations
from tests.cluster.coordination.small_cluster import TABLE

_REPLICATION = MappingProxyType({"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "2"})
WHOLE = (TableRanges(TABLE.id, (WHOLE_RING,)),)


class Bug(Exception):
    """What a test has raised at a place that should not raise."""


class PairNode:
    def __init__(self, pair: "Pair", number: int, table: TableMetadata, keeps: bool) -> None:
        self.pair, self.keeps = pair, keeps
        self.node = Node(UUID(int=number), f"10.0.0.{number}")
        self.disk = FaultyDisk()
        self.table = table
        self.start()

    def start(self) -> None:
        environment = Environment(self.pair.clock, Rng(self.node.host_id.bytes), self.disk, InlineWorkers())
        self.engine = Engine(environment, EngineOptions("data" if self.keeps else None))
        self.engine.start()
        if "ks" not in self.engine.schema.keyspaces:
            tables = MappingProxyType({self.table.name: self.table})
            keyspace = KeyspaceMetadata("ks", KeyspaceParams(_REPLICATION), tables)
            schema = Schema.of((keyspace,))
            self.engine.change_schema(schema, schema_mutations(self.engine.schema, schema, 1))
        requests = Requests(self._send)
        self.requests = requests
        clock = self.pair.clock.monotonic
        new_id = Rng(self.node.host_id.bytes).uuid4
        self.streams = Streams(self.engine, Replica(self.engine), requests, clock, new_id)

    def crash(self) -> None:
        """Everything but the disk is forgotten."""
        lock = self.engine._lock
        if lock is not None:
            lock.release()
        self.start()

    def _send(self, node: Node, verb: int, operation_id: int, body: bytes) -> None:
        self.pair.queue.append((self.node, node, Message(verb, operation_id, body)))

    def receive(self, sender: Node, message: Message) -> None:
        if message.verb in STREAM_VERBS:
            self.streams.receive(sender, message)
        else:
            self.requests.receive(sender, message, self.pair.clock.monotonic())
        self.work()

    def work(self) -> None:
        if self.engine.commit_log is not None:
            self.engine.commit_log.write()
        self.engine.background.finish()

    # --- data ------------------------------------------------------------------------------------------------------------

    @property
    def store(self) -> TableStore:
        return self.engine.stores[TABLE.id]

    def apply(self, *updates: PartitionUpdate) -> None:
        for update in updates:
            self.engine.apply(update)

    def flush(self) -> None:
        self.engine.flush([TABLE.id])
        self.engine.background.finish()

    def contents(self) -> dict[bytes, bytes]:
        """By key all that is stored of a partition, tombstones too."""
        return dict(_contents(self.store))

    @property
    def sstables(self) -> int:
        return len(self.engine.files.readers_of(TABLE.id))


def _contents(store: TableStore) -> Iterator[tuple[bytes, bytes]]:
    for position, partition in store.stored_partitions():
        rows = [pair for cks, rows, _ in partition.chunks(b"", b"\xff", False) for pair in zip(cks, rows, strict=True)]
        tombstones = list(partition.range_tombstones(b"", b"\xff"))
        key = position[8:]
        encoded = encoded_partition(store, key, partition.deletion, partition.static, rows, tombstones)
        assert encoded is not None
        yield key, encoded


class Pair:
    """`source` and `target`. `is_lost` is asked of each message."""

    def __init__(self, keeps: bool = True, table: TableMetadata = TABLE, target_table: TableMetadata | None = None) -> None:
        self.clock = ManualClock()
        self.queue: deque[tuple[Node, Node, Message]] = deque()
        self.source = PairNode(self, 1, table, keeps)
        self.target = PairNode(self, 2, target_table or table, keeps)
        self.is_lost: Callable[[Message], bool] = lambda message: False
        self.delivered: list[int] = []

    def deliver(self, at_most: int = 1 << 30) -> None:
        while self.queue and at_most:
            at_most -= 1
            _, receiver, message = found = self.queue.popleft()
            if not self.is_lost(message):
                self.delivered.append(message.verb)
                to = self.source if receiver == self.source.node else self.target
                with suppress(Bug):  # it ends one message, as a node's border has it
                    to.receive(found[0], message)

    def run(self, session: Session, seconds: float = 300) -> None:
        """Until it has ended."""
        end_s = self.clock.monotonic() + seconds
        while True:
            self.deliver()
            if session.is_over:
                return
            assert self.clock.monotonic() < end_s, "the session does not end"
            self.clock.advance(1)
            for node in (self.source, self.target):
                with suppress(Bug):
                    node.requests.tick(self.clock.monotonic())
                node.work()


def put(key: bytes, ck: bytes, value: bytes, timestamp_us: int = 100) -> PartitionUpdate:
    order_key = BLOB.order_key(ck)
    row = Row((ck,), Liveness(timestamp_us), columns={"v": Cell(timestamp_us, value)})
    return PartitionUpdate(TABLE.id, key, rows={order_key: row})


def remove(key: bytes, timestamp_us: int = 200) -> PartitionUpdate:
    return PartitionUpdate(TABLE.id, key, Deletion(timestamp_us, 1_700_000_000))


def remove_range(key: bytes, start: bytes, end: bytes, timestamp_us: int = 200) -> PartitionUpdate:
    low, high = BLOB.order_key(start), BLOB.order_key(end)
    tombstone = RangeTombstone(low, high, Deletion(timestamp_us, 1_700_000_000), (start,), (end,))
    return PartitionUpdate(TABLE.id, key, range_tombstones=(tombstone,))


def static(key: bytes, value: bytes, timestamp_us: int = 100) -> PartitionUpdate:
    return PartitionUpdate(TABLE.id, key, static=Row((), columns={"s": Cell(timestamp_us, value)}))


def some_data(node: PairNode, flushes: bool) -> None:
    """In two SSTables that overlap and a memtable, or in the memtable alone."""
    for number in range(300):
        node.apply(put(b"key %d" % number, b"a", b"first %d" % number))
    node.apply(*(put(b"wide", b"%04d" % number, bytes(200)) for number in range(1_000)))
    if flushes:
        node.flush()
    for number in range(200, 500):
        node.apply(put(b"key %d" % number, b"b", b"second %d" % number, 150))
    node.apply(remove(b"key 10"), static(b"key 11", b"of all"), remove_range(b"wide", b"0100", b"0200"))
    if flushes:
        node.flush()
    node.apply(*(put(b"key %d" % number, b"a", b"third", 300) for number in range(0, 500, 7)), remove(b"key 300", 400))


