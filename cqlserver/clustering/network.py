"""How messages pass between nodes of one process: a queue, emptied by a task. Ways can be cut, and nodes be deaf."""

from collections import deque
from collections.abc import Iterable, Sequence

import trio

from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cqlserver.clustering.station import Carry, Station
from cqlserver.clustering.traffic import Traffic


class LocalNetwork:
    """See the module."""

    def __init__(self) -> None:
        self._stations: dict[Endpoint, Station] = {}
        self._queue: deque[tuple[Endpoint, Endpoint, Sequence[Message]]] = deque()
        self._wanted = trio.Event()
        self._traffic: dict[Endpoint, Traffic] = {}
        self._cut: dict[tuple[Endpoint, Endpoint], None] = {}
        self._paused: dict[Endpoint, list[tuple[Endpoint, Sequence[Message]]]] = {}

    def carrier(self, sender: Endpoint, traffic: Traffic) -> Carry:
        """How a node sends; what is lost on the way is counted in `traffic`."""
        self._traffic[sender] = traffic

        def carry(receiver: Endpoint, messages: Sequence[Message]) -> None:
            if not self._queue:
                self._wanted.set()
            self._queue.append((sender, receiver, messages))

        return carry

    def connect(self, station: Station) -> None:
        self._stations[station.endpoint] = station

    def disconnect(self, endpoint: Endpoint) -> None:
        """What is sent to it is lost."""
        self._stations.pop(endpoint, None)
        self._paused.pop(endpoint, None)

    def pause(self, endpoint: Endpoint) -> None:
        """What is sent to it waits."""
        self._paused.setdefault(endpoint, [])

    def resume(self, endpoint: Endpoint) -> None:
        for sender, messages in self._paused.pop(endpoint, ()):
            self._queue.append((sender, endpoint, messages))
        self._wanted.set()

    def partition(self, one: Iterable[Endpoint], other: Iterable[Endpoint]) -> None:
        """Nothing passes between these any more."""
        others = tuple(other)
        for left in one:
            for right in others:
                self._cut[left, right] = self._cut[right, left] = None

    def heal(self) -> None:
        self._cut.clear()

    @property
    def has_messages(self) -> bool:
        return bool(self._queue)

    async def run(self) -> None:
        """Delivers until cancelled."""
        while True:
            if not self._queue:
                self._wanted = trio.Event()
                await self._wanted.wait()
            self._deliver()
            await trio.lowlevel.checkpoint()

    def _deliver(self) -> None:
        """What there is now: the log is written once for all that a node gets."""
        touched: dict[Station, None] = {}
        for _ in range(len(self._queue)):
            sender, receiver, messages = self._queue.popleft()
            station = self._stations.get(receiver)
            if station is None or (sender, receiver) in self._cut:
                self._traffic[sender].lose(messages)
                continue
            if receiver in self._paused:
                self._paused[receiver].append((sender, messages))
                continue
            station.take(sender, messages)
            touched[station] = None
        for station in touched:
            station.flush()
