"""How fast SSTables move between two nodes: processor time of both together, without a network between them.

    benchmarks/streaming.py [--rows 300000] [--bytes 100]

Prints MB of SSTables (plain bytes) a second of processor time: of both, of the source, of the target; a whole table, and
half of the ring in ranges of 16 tokens.
"""

import argparse
import tempfile
from collections import deque
from pathlib import Path
from time import process_time
from types import MappingProxyType
from uuid import UUID

from cluster.coordination.requests import Requests
from cluster.internode.frames import Message
from cluster.internode.verbs import STREAM_VERBS
from cluster.replica import Replica
from cluster.ring import Node, Ring, random_tokens
from cluster.streaming.messages import Reason, TableRanges
from cluster.streaming.ranges import WHOLE_RING, TokenRange
from cluster.streaming.streams import Streams
from protocol.types import BLOB, INT
from storage.engine import Engine, EngineOptions
from storage.environment.disk import RealDisk
from storage.environment.environment import Environment, Rng, SystemClock
from storage.environment.strands import InlineWorkers
from storage.packed_writes import PackedRowWrite
from storage.schema.metadata import (
    ColumnKind,
    ColumnMetadata,
    KeyspaceMetadata,
    KeyspaceParams,
    Schema,
    TableMetadata,
    TableParams,
)
from storage.schema.tables import schema_mutations

TABLE = TableMetadata(
    "ks",
    "t",
    UUID(int=7),
    (ColumnMetadata("k", ColumnKind.PARTITION_KEY, INT, 0), ColumnMetadata("v", ColumnKind.REGULAR, BLOB)),
    TableParams(),
)
REPLICATION = {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "2"}
SSTABLES = 2


class Half:
    """One node; `busy_s` is its processor time."""

    def __init__(self, number: int, folder: str, queue: "deque[tuple[Node, Message]]") -> None:
        self.node, self.busy_s = Node(UUID(int=number), f"10.0.0.{number}"), 0.0
        clock = SystemClock()
        environment = Environment(clock, Rng(bytes([number])), RealDisk(), InlineWorkers())
        self.engine = Engine(environment, EngineOptions(folder, compaction_bytes_per_s=0, memtable_bytes=1 << 30))
        self.engine.start()
        keyspace = KeyspaceMetadata("ks", KeyspaceParams(MappingProxyType(REPLICATION)), MappingProxyType({"t": TABLE}))
        schema = Schema.of((keyspace,))
        self.engine.change_schema(schema, schema_mutations(self.engine.schema, schema, 1))
        self.requests = Requests(lambda node, verb, number, body: queue.append((node, Message(verb, number, body))))
        ids = Rng(bytes([number])).uuid4
        self.streams = Streams(self.engine, Replica(self.engine), self.requests, clock.monotonic, ids, lambda: None)

    def receive(self, sender: Node, message: Message) -> None:
        began = process_time()
        if message.verb in STREAM_VERBS:
            self.streams.receive(sender, message)
        else:
            self.requests.receive(sender, message, 0.0)
        self.engine.background.finish()
        self.busy_s += process_time() - began

    def fill(self, rows: int, size: int) -> None:
        store = self.engine.stores[TABLE.id]
        layout = store.layouts.maybe_layout(("v",), True)
        assert layout is not None
        value = size.to_bytes(4, "big") + Rng(b"values").bytes(size)
        assert self.engine.commit_log is not None
        for key in range(rows):
            body = key.to_bytes(8, "big") + value
            self.engine.apply_packed_all([PackedRowWrite(store, layout, key.to_bytes(4, "big"), b"", body)])
            if key % (rows // SSTABLES) == rows // SSTABLES - 1:
                self.engine.commit_log.write()
                self.engine.flush([TABLE.id])
                self.engine.background.finish()


def moved(source: Half, folder: str, ranges: tuple[TokenRange, ...], queue: "deque[tuple[Node, Message]]") -> str:
    target = Half(2, folder, queue)
    source.busy_s = 0.0
    session = target.streams.fetch(source.node, [TableRanges(TABLE.id, ranges)], Reason.BOOTSTRAP)
    while queue:
        receiver, message = queue.popleft()
        half = target if receiver == target.node else source
        half.receive(source.node if half is target else target.node, message)
    assert session.outcome.result is None
    megabytes = session.progress[0].done / 1e6
    both = source.busy_s + target.busy_s
    target.engine.close()
    return (
        f"{megabytes:.0f} MB, {megabytes / both:.0f} MB/s of both, {megabytes / source.busy_s:.0f} of the source, "
        f"{megabytes / target.busy_s:.0f} of the target"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--bytes", type=int, default=100)
    options = parser.parse_args()
    queue: deque[tuple[Node, Message]] = deque()
    with tempfile.TemporaryDirectory() as folder:
        source = Half(1, str(Path(folder) / "source"), queue)
        source.fill(options.rows, options.bytes)
        print("whole:", moved(source, str(Path(folder) / "whole"), (WHOLE_RING,), queue))
        ring = Ring([Node(UUID(int=number), str(number), tokens=random_tokens(Rng(bytes([number])))) for number in (1, 2)])
        half = tuple(TokenRange(start, end) for start, end, owner in ring.ranges() if owner.host_id.int == 1)
        print(f"{len(half)} ranges:", moved(source, str(Path(folder) / "half"), half, queue))


if __name__ == "__main__":
    main()
