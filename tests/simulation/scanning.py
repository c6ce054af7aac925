"""A workload: rows of a few partitions are written once, some of them deleted, at QUORUM, while others read the whole table
page by page, each page through any node: what was there when a scan began is found once, in order; what was gone is not."""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from cluster.consistency import Consistency
from cluster.coordination.outcome import Outcome
from cluster.coordinator import RequestKind
from cluster.reading.command import ReadCommand
from cluster.reading.merging import Page
from protocol.errors import RequestError
from protocol.types import INT
from simulation.agreement import disagreements
from simulation.cluster_world import ROWS, Bugs, World, WorldNode
from simulation.network import Weather
from simulation.storms import Storm
from storage.memtable.memtable import Position, position_of
from storage.mutation import NO_LIVENESS, Cell, Deletion, Liveness, PartitionUpdate, Row

QUORUM: Final = Consistency.QUORUM
PARTITIONS: Final = 7
PAGE_ROWS: Final = 5
DELETED_SHARE: Final = 0.3
ATTEMPTS_MAX: Final = 5
"""Of a page, each through another node."""
FIRST: Final[Position] = b"\0" * 8
Place = tuple[Position, bytes]


class Scans:
    """`scans` have come to their end, of `pages`; `there` and `gone` are acknowledged."""

    def __init__(self, world: World) -> None:
        self.world, self.rng = world, world.rng.fork("scans")
        self.there: dict[Place, bytes] = {}  # with their clustering
        self.gone: dict[Place, None] = {}
        self.written = self.scans = self.pages = self.rows = 0
        self.is_over = False
        self.faults: list[str] = []
        world.schedule.after(0.05, self._write)
        for _ in range(2):
            world.schedule.after(self.rng.float(), self._scan)

    def _write(self) -> None:
        self.world.schedule.after(0.01 + self.rng.float() * 0.1, self._write)
        node = self.world.any_up(self.rng)
        if node is None or self.is_over:
            return
        if self.there and self.rng.float() < DELETED_SHARE:
            self._delete(node)
            return
        self.written += 1
        key, clustering = b"%d" % self.rng.int_below(PARTITIONS), INT.encode(self.written)
        ck, at = INT.order_key(clustering), self.written
        row = Row((clustering,), Liveness(at), columns={"v": Cell(at, b"v")})
        place = position_of(key), ck
        self._send(node, PartitionUpdate(ROWS.id, key, rows={ck: row}), lambda: self.there.setdefault(place, clustering))

    def _delete(self, node: WorldNode) -> None:
        places = list(self.there)
        place = places[self.rng.int_below(len(places))]
        clustering = self.there.pop(place)  # from now on nobody knows
        position, ck = place
        self.written += 1
        deletion = Deletion(self.written, node.clock.now_s())
        row = Row((clustering,), NO_LIVENESS, deletion)
        update = PartitionUpdate(ROWS.id, position[8:], rows={ck: row})
        self._send(node, update, lambda: self.gone.setdefault(place))

    def _send(self, node: WorldNode, update: PartitionUpdate, acknowledged: Callable[[], object]) -> None:
        try:
            outcome = node.write(update, QUORUM)
        except RequestError:
            return
        node.tell_when(outcome, lambda: acknowledged() if outcome.error is None else None)

    def _scan(self) -> None:
        self.world.schedule.after(0.3 + self.rng.float() * 0.5, self._scan)
        if not self.is_over:
            Scan(self).go_on()

    def judge(self) -> None:
        """After healing: a last scan, in good weather; then replicas are repaired."""
        before = self.scans
        Scan(self).go_on()
        self.world.run(5)
        if self.scans == before:
            self.faults.append("the last scan does not end")
        self.faults += disagreements(self.world, ROWS)


class Scan:
    """One that is under way."""

    def __init__(self, scans: Scans) -> None:
        self._scans, self._there, self._gone = scans, dict(scans.there), dict(scans.gone)
        self._found: list[Place] = []
        self._attempts = 0
        self._command = ReadCommand(ROWS.id, FIRST, None, 0, PAGE_ROWS)

    def go_on(self) -> None:
        scans = self._scans
        self._attempts += 1
        node = scans.world.any_up(scans.rng)
        if node is None or self._attempts > ATTEMPTS_MAX:
            return
        command = replace(self._command, now_s=node.clock.now_s())
        kind = RequestKind.READ if command.is_of_partition else RequestKind.SCAN
        try:
            plans = node.coordinator.levels(scans.world.keyspace, kind)[QUORUM]
            assert plans is not None
            if command.is_of_partition:
                outcome, part_end = node.cluster.proxy.read(plans, command), None
            else:
                outcome, part_end = node.cluster.proxy.scan(plans, command)
        except RequestError:
            self.go_on()
            return
        node.settle()
        node.tell_when(outcome, lambda: self._came(node, command, outcome, part_end))

    def _came(self, node: WorldNode, command: ReadCommand, outcome: Outcome[Page], part_end: Position | None) -> None:
        if outcome.error is not None:
            self.go_on()
            return
        self._attempts = 0
        page = outcome.result
        self._scans.pages += 1
        for view in page.store.scan(command.now_s):
            self._found += [(position_of(view.key), ck) for ck, _ in view.items()]
        if page.end is not None:
            rest = command.behind(page.end)
            self._command = rest if rest.slices else _behind(page.end.position)
        elif command.is_of_partition:
            self._command = _behind(command.start)
        elif part_end is not None:
            self._command = replace(command, start=part_end, end=None)
        else:
            self._end()
            return
        self.go_on()

    def _end(self) -> None:
        scans, found = self._scans, self._found
        scans.scans += 1
        scans.rows += len(found)
        if found != sorted(set(found)):
            scans.faults.append(f"rows twice, or out of order: {found}")
        known = set(found)
        still_there = [place for place in self._there if place in scans.there]
        scans.faults += [f"{place} was there, and is not found" for place in still_there if place not in known]
        scans.faults += [f"{place} was deleted, and is found" for place in self._gone if place in known]


def _behind(position: Position) -> ReadCommand:
    return ReadCommand(ROWS.id, position + b"\0", None, 0, PAGE_ROWS)


def scanned(seed: int, bugs: Bugs | None = None, seconds: float = 8.0) -> Scans:
    world = World(seed, Weather(delay_s_max=0.02, loss=0.03, duplicate=0.02), bugs)
    scans = Scans(world)
    Storm(world, world.schedule.now_s + seconds)
    world.run(seconds)
    scans.is_over = True
    world.heal(12)
    scans.judge()
    return scans
