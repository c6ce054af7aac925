"""The batch log: a logged batch is kept by two other nodes before its first write, and forgotten when all have been
acknowledged. Whoever finds one that is left over does its writes again (batchlog/BatchlogManager.java): in the end all of it
is there.

A batch is a row of system.batches, so the commit log keeps it as it keeps everything else.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from cluster.consistency import Consistency, unavailable
from cluster.coordination.outcome import Outcome
from cluster.internode.texts import decode_texts, encode_texts
from cluster.ring import Node
from protocol.errors import CorruptionError, Unavailable
from protocol.types.uuids import timeuuid_unix_100ns
from storage.engine import Engine
from storage.environment.environment import Rng
from storage.mutation import LIVE, Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row

COPIES: Final = 2
VERSION: Final = 12
"""MessagingService.current_version, as Cassandra writes it there."""
REPLAY_S: Final = 10.0
"""How often is looked whether one is left over."""


def keepers(nodes: Sequence[Node], local: Node, rng: Rng) -> tuple[Node, ...]:
    """Who keeps a batch: live nodes of the coordinator's datacenter, but not itself where there are others, of other racks
    where there are such (ReplicaPlans.filterBatchlogEndpoints)."""
    others: list[object] = [node for node in nodes if node != local and node.datacenter == local.datacenter]
    if not others:
        return (local,)
    rng.shuffle(others)
    mixed = [node for node in others if isinstance(node, Node)]
    return tuple(sorted(mixed, key=lambda node: node.rack == local.rack)[:COPIES])


def assure_keepers(nodes: Sequence[Node], live: Sequence[Node], local: Node, level: int) -> None:
    """Before anything else of a logged batch is looked at: the coordinator keeps it itself only where it is the only node of
    its datacenter. Raises Unavailable (ReplicaPlans.forBatchlogWrite)."""

    def others(among: Sequence[Node]) -> bool:
        return any(node != local and node.datacenter == local.datacenter for node in among)

    if not others(nodes) or others(live):
        return
    if level == Consistency.ANY:
        raise unavailable(Consistency.TWO, COPIES, 1)
    told = f"Cannot achieve consistency level TWO for batchlog in local DC, required:{COPIES}, available:0"
    raise Unavailable(told, Consistency.TWO, COPIES, 0)


def encode_batch(batch_id: bytes, mutations: Sequence[bytes]) -> bytes:
    return encode_texts((batch_id, *mutations))


class Batchlog:
    """One node's. `write_again` does a mutation's writes; its outcome comes when nothing of it is under way any more."""

    def __init__(self, engine: Engine, write_again: Callable[[bytes], Outcome[None]]) -> None:
        self._engine, self._write_again = engine, write_again
        table = engine.schema.maybe_table("system", "batches")
        assert table is not None, "system.batches is built in"
        self._table = table
        self._replaying: dict[bytes, None] = {}

    def store(self, body: bytes) -> None:
        """What `encode_batch` made. Raises StorageError, PeerError."""
        batch_id, *mutations = decode_texts(body)
        self._engine.apply(self.update_of(batch_id, mutations))

    def update_of(self, batch_id: bytes, mutations: Sequence[bytes]) -> PartitionUpdate:
        """What keeps a batch, to be logged and applied."""
        now_us = self._engine.environment.clock.wall_us()
        cells = {batch_id[:8] + at.to_bytes(8, "big"): Cell(now_us, mutation) for at, mutation in enumerate(mutations)}
        columns: dict[str, Cell | ComplexColumn] = {
            "mutations": ComplexColumn(LIVE, cells),
            "version": Cell(now_us, VERSION.to_bytes(4, "big")),
        }
        row = Row((), Liveness(now_us), columns=columns)
        return PartitionUpdate(self._table.id, batch_id, rows={b"": row})

    def remove(self, batch_id: bytes) -> None:
        """Raises StorageError."""
        now_us = self._engine.environment.clock.wall_us()
        self._engine.apply(PartitionUpdate(self._table.id, batch_id, Deletion(now_us, now_us // 1_000_000)))

    def replay(self, age_s: float) -> None:
        """Does the writes of those again that are older, and forgets them when that is done."""
        for batch_id, mutations in list(self._older_than(age_s)):
            if batch_id not in self._replaying:
                self._replay(batch_id, mutations)

    def _older_than(self, age_s: float) -> Iterator[tuple[bytes, list[bytes]]]:
        clock = self._engine.environment.clock
        before_us = clock.wall_us() - int(age_s * 1_000_000)
        store = self._engine.stores[self._table.id]
        for view in store.scan(clock.now_s()):
            for stored in view.rows():
                row = store.layouts.explode(stored)
                kept = row.columns.get("mutations")
                if row.liveness.timestamp_us < before_us and isinstance(kept, ComplexColumn):
                    yield view.key, [cell.value or b"" for _, cell in sorted(kept.cells.items())]

    def _replay(self, batch_id: bytes, mutations: Sequence[bytes]) -> None:
        self._replaying[batch_id] = None
        wanted = [mutation for mutation in mutations if self._is_wanted(mutation, batch_id)]
        left = len(wanted)

        def one_done() -> None:
            nonlocal left
            left -= 1
            if left <= 0:
                self._replaying.pop(batch_id, None)
                self.remove(batch_id)

        if not wanted:
            one_done()
        for mutation in wanted:
            self._write_again(mutation).when_done(one_done)

    def _is_wanted(self, mutation: bytes, batch_id: bytes) -> bool:
        """Whether its table is there, and was not truncated since."""
        try:
            table_id = PartitionUpdate.decode(mutation).table_id
        except CorruptionError:
            return False
        truncation = self._engine.truncations.get(table_id)
        return table_id in self._engine.stores and (truncation is None or truncation.timestamp_us < _written_us(batch_id))


def _written_us(batch_id: bytes) -> int:
    return timeuuid_unix_100ns(batch_id) // 10
