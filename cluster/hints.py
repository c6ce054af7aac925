"""Hinted handoff: what nodes missed while they were down, kept as rows of a table that only this node has, and sent when
they are up again (hints/HintsService.java).

    partition key    the host id of the node that missed it
    clustering       a timeuuid, so that they are sent in the order in which they were written
    value            when, and the mutations, one text each

The rows go the way of all writes, so a hint is kept when the commit log is written, and a crash loses none. A page of them
is sent, acknowledged, deleted; then comes the next. A page that is not acknowledged is sent again a while later.
"""

from collections.abc import Callable, Iterator, Sequence
from math import inf
from typing import Final, NamedTuple
from uuid import UUID

from cluster.coordination.requests import Requests
from cluster.hint_table import HINTS_TABLE
from cluster.internode.frames import Message
from cluster.internode.texts import decode_texts, encode_texts
from cluster.internode.verbs import Verb
from cluster.ring import Node
from protocol.errors import StorageError
from storage.engine import Engine
from storage.environment.environment import TimeUuidSource
from storage.keys import row_end
from storage.mutation import Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.reads import EVERYTHING

WINDOW_S: Final = 3 * 3600.0
"""max_hint_window: for a node that is down for longer, nothing more is kept; it has to be repaired."""
THROTTLE_BYTES_PER_S: Final = 1 << 20
"""hinted_handoff_throttle."""
PAGE_HINTS: Final = 128
PAGE_BYTES: Final = 1 << 20
PAGE_S: Final = 10.0
"""How long a page may take, and how long a node has rest that did not acknowledge one."""
_TIME_BYTES: Final = 8
_order_key = HINTS_TABLE.clustering[0].type.order_key


def encode_hint(created_us: int, mutations: Sequence[bytes]) -> bytes:
    return encode_texts((created_us.to_bytes(_TIME_BYTES, "big"), *mutations))


def decode_hint(data: bytes) -> tuple[int, list[bytes]]:
    """When it was kept, in microseconds, and the mutations. Raises PeerError."""
    created, *mutations = decode_texts(data) or [b""]
    return int.from_bytes(created, "big"), mutations


class Pending(NamedTuple):
    """What waits for one node; the times are in microseconds."""

    host_id: UUID
    hint_count: int
    oldest_us: int
    newest_us: int


class HintPage(NamedTuple):
    """`hints` are of use still; `last`: the clustering of the last one that was looked at, empty where there is none."""

    hints: list[bytes]
    last: bytes
    size: int


class Hints:
    """One node's. `timeuuids` and the engine's clock say when; `clock` is the monotonic one."""

    def __init__(self, engine: Engine, requests: Requests, clock: Callable[[], float], timeuuids: TimeUuidSource) -> None:
        self._engine, self._requests, self._clock, self._timeuuids = engine, requests, clock, timeuuids
        self._store = engine.stores[HINTS_TABLE.id]
        self._down_since_s: dict[Node, float] = {}
        self._deliveries: dict[Node, _Page] = {}
        self.is_enabled = True
        self.is_paused = False
        """Nothing is sent; what nodes miss is kept all the same."""
        self.window_s = WINDOW_S
        self.bytes_per_s = THROTTLE_BYTES_PER_S
        """To one node; 0: as fast as it takes them."""
        self.kept_count = 0

    # --- kept ------------------------------------------------------------------------------------------------------------

    def keep(self, node: Node, mutations: Sequence[bytes]) -> bool:
        """Whether it is."""
        down_since_s = self._down_since_s.get(node)
        if not self.is_enabled or (down_since_s is not None and self._clock() - down_since_s > self.window_s):
            return False
        now_us = self._engine.environment.clock.wall_us()
        hint_id = self._timeuuids.bytes()
        row = Row((hint_id,), Liveness(now_us), columns={"hint": Cell(now_us, encode_hint(now_us, mutations))})
        try:
            self._engine.apply(PartitionUpdate(HINTS_TABLE.id, node.host_id.bytes, rows={_order_key(hint_id): row}))
        except StorageError:
            return False
        self.kept_count += 1
        return True

    def keep_for(self, host_id: UUID, hints: Sequence[bytes]) -> None:
        """What another node has kept, who leaves; with the times at which it was. Raises PeerError, StorageError."""
        rows: dict[bytes, Row] = {}
        now_us = self._engine.environment.clock.wall_us()
        for hint in hints:
            decode_hint(hint)
            hint_id = self._timeuuids.bytes()
            rows[_order_key(hint_id)] = Row((hint_id,), Liveness(now_us), columns={"hint": Cell(now_us, hint)})
        self._engine.apply(PartitionUpdate(HINTS_TABLE.id, host_id.bytes, rows=rows))

    def host_ids(self) -> Iterator[UUID]:
        """The nodes that some wait for."""
        for view in self._store.scan(self._engine.environment.clock.now_s()):
            host_id = UUID(bytes=view.key)
            if self.has_any(host_id):
                yield host_id

    def count(self, host_id: UUID) -> int:
        """How many wait for a node."""
        return sum(1 for _ in self._hints_of(host_id))

    def pending(self) -> list[Pending]:
        """Of each node that some wait for."""
        found: list[Pending] = []
        for host_id in self.host_ids():
            times = [decode_hint(hint)[0] for _, hint in self._hints_of(host_id)]
            found.append(Pending(host_id, len(times), min(times), max(times)))
        return found

    def has_any(self, host_id: UUID) -> bool:
        """Whether some wait for a node."""
        return next(self._hints_of(host_id), None) is not None

    def forget(self, host_id: UUID) -> None:
        """What it missed is sent to it no more."""
        now_us = self._engine.environment.clock.wall_us()
        gone = Deletion(now_us, now_us // 1_000_000)
        self._engine.apply(PartitionUpdate(HINTS_TABLE.id, host_id.bytes, gone))

    def _hints_of(self, host_id: UUID) -> Iterator[tuple[bytes, bytes]]:
        view = self._store.read(host_id.bytes, EVERYTHING, self._engine.environment.clock.now_s())
        if view is None:
            return
        for ck, row in view.items():
            cell = self._store.layouts.explode(row).columns["hint"]
            assert isinstance(cell, Cell)
            yield ck, cell.value or b""

    # --- sent ------------------------------------------------------------------------------------------------------------

    def node_went_down(self, node: Node) -> None:
        self._down_since_s.setdefault(node, self._clock())

    def node_came_up(self, node: Node) -> None:
        """Begins to send what it missed."""
        self._down_since_s.pop(node, None)
        if node not in self._deliveries:
            self._send_page(node)

    def tick(self, live: Sequence[Node]) -> None:
        """From time to time: what was written in the meantime for nodes that are up, but were too slow."""
        for node in live:
            if node not in self._deliveries:
                self._send_page(node)

    def _send_page(self, node: Node) -> None:
        if self.is_paused:
            return
        hints, last, size = self.page(node.host_id)
        if not hints:
            if last:
                self.delete(node.host_id, last)
            return
        operation_id, now_s = self._requests.next_id(), self._clock()
        rested_s = now_s + size / self.bytes_per_s if self.bytes_per_s else now_s
        page = self._deliveries[node] = _Page(self, node, last, now_s + PAGE_S, rested_s)
        self._requests.send(node, Verb.HINTS, operation_id, encode_texts(hints))
        self._requests.begun(operation_id, page)

    def page(self, host_id: UUID) -> "HintPage":
        """The oldest of a node's."""
        hints: list[bytes] = []
        last, size = b"", 0
        for ck, hint in self._hints_of(host_id):
            last = ck
            size += len(hint)
            if self._is_of_use(hint):
                hints.append(hint)
            if len(hints) >= PAGE_HINTS or size >= PAGE_BYTES:
                break
        return HintPage(hints, last, size)

    def _is_of_use(self, hint: bytes) -> bool:
        """Whether its tables are there still, and remember deletions for as long as it has waited."""
        created_us, mutations = decode_hint(hint)
        age_s = self._engine.environment.clock.now_s() - created_us // 1_000_000
        for mutation in mutations:
            store = self._engine.stores.get(PartitionUpdate.decode(mutation).table_id)
            if store is None or store.table.params.gc_grace_seconds < age_s:
                return False
        return True

    def page_taken(self, node: Node, last: bytes) -> None:
        self.delete(node.host_id, last)

    def page_ended(self, node: Node, is_taken: bool) -> None:
        """The next one may be sent, where a page was taken."""
        del self._deliveries[node]
        if is_taken:
            self._send_page(node)

    def delete(self, host_id: UUID, last: bytes) -> None:
        """Those up to this one."""
        now_us = self._engine.environment.clock.wall_us()
        sent = RangeTombstone(b"", row_end(last), Deletion(now_us, now_us // 1_000_000))
        self._engine.apply(PartitionUpdate(HINTS_TABLE.id, host_id.bytes, range_tombstones=(sent,)))


class _Page:
    """Hints under way to a node: until they are acknowledged, and until the next ones may follow."""

    def __init__(self, hints: Hints, node: Node, last: bytes, deadline_s: float, rested_s: float) -> None:
        self._hints, self._node, self._last, self._rested_s = hints, node, last, rested_s
        self._is_taken = False
        self.wake_s = deadline_s
        self.is_over = False

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender != self._node or self.is_over or self._is_taken:
            return
        if message.verb != Verb.DONE:
            self._end()
            return
        self._is_taken = True
        self._hints.page_taken(self._node, self._last)
        if now_s >= self._rested_s:
            self._end()
        else:
            self.wake_s = self._rested_s

    def tick(self, now_s: float) -> None:
        self._end()

    def _end(self) -> None:
        self.is_over, self.wake_s = True, inf
        self._hints.page_ended(self._node, self._is_taken)
