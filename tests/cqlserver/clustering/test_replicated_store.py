"""Partitions and ranges that will be wanted are asked for together, and no more than so many ahead."""

from collections.abc import Callable
from typing import cast

import pytest

from cluster.coordination.outcome import Outcome
from cluster.coordination.proxy import Proxy
from cluster.coordinator import ReplicaPlan
from cluster.reading.command import Boundary, ReadCommand
from cluster.reading.merging import Page
from cluster.reading.passing import Passing
from cluster.ring import Node
from cqlserver.clustering.store import PARTITIONS_AHEAD, ReplicatedStore
from protocol.errors import Unavailable
from storage.memtable.memtable import Position, position_of
from storage.mutation import Cell, Liveness, PartitionUpdate, Row
from storage.reads import EVERYTHING, TableStore
from tests.cluster.coordination.small_cluster import TABLE

ORDER_KEY = TABLE.clustering[0].type.order_key
NOW_S = 1_000


class Asked(Outcome[Page]):
    """Done when it is waited for."""

    def __init__(self, told: Callable[[], None]) -> None:
        super().__init__()
        self._told = told

    def wait(self) -> None:
        self._told()


class Replicas:
    """Stands for the proxy: `log` says what was begun (+) and waited for (.), `parts` where ranges of one set of replicas
    end, `down` which key can't be read."""

    def __init__(self, keys: list[bytes]) -> None:
        self.log: list[str] = []
        self.parts: list[Position] = []
        self.page_partitions = 1_000
        self.down = b""
        self.store = TableStore(TABLE)
        for key in keys:
            row = Row((b"c",), Liveness(1), columns={"v": Cell(1, b"v")})
            self.store.apply(PartitionUpdate(TABLE.id, key, rows={ORDER_KEY(b"c"): row}))

    def read(self, plans: ReplicaPlan, command: ReadCommand, passing: Passing[Node]) -> Outcome[Page]:
        if command.key == self.down:
            raise Unavailable("no", 4, 2, 1)
        return self._begun(command.key.decode(), command)

    def scan(
        self, plans: ReplicaPlan, command: ReadCommand, passing: Passing[Node]
    ) -> tuple[Outcome[Page], Position | None]:
        end = next((part for part in self.parts if part > command.start), command.end)
        if command.end is not None and (end is None or end > command.end):
            end = command.end
        name = "end" if end is None else str(self.parts.index(end))
        return self._begun(name, ReadCommand(TABLE.id, command.start, end, NOW_S, command.limit, EVERYTHING)), end

    def _begun(self, name: str, command: ReadCommand) -> Asked:
        self.log.append(f"+{name}")

        def tell() -> None:
            self.log.append(f".{name}")
            asked.settle(self._page(command))

        asked = Asked(tell)
        return asked

    def _page(self, command: ReadCommand) -> Page:
        page = TableStore(TABLE)
        page.layouts = self.store.layouts
        last = None
        for number, view in enumerate(self.store.scan(NOW_S, command.start, command.end)):
            if number == self.page_partitions:
                return Page(page, Boundary(position_of(cast(bytes, last)), None))
            last = view.key
            for ck, row in view.items():
                page.apply(PartitionUpdate(TABLE.id, view.key, rows={ck: self.store.layouts.explode(row)}))
        return Page(page, None)

    def replicated(self, settle: Callable[[bytes], None] | None = None) -> ReplicatedStore:
        return ReplicatedStore(self.store, cast(Proxy, self), cast(ReplicaPlan, None), 10, settle)


def read_all(store: ReplicatedStore, keys: list[bytes]) -> list[int]:
    """How many rows each has."""
    store.expect(keys, EVERYTHING, NOW_S)
    views = (store.read(key, EVERYTHING, NOW_S) for key in keys)
    return [0 if view is None else sum(1 for _ in view.rows()) for view in views]


def test_partitions_that_are_expected_are_under_way_together() -> None:
    replicas = Replicas([b"a", b"c"])
    assert read_all(replicas.replicated(), [b"a", b"b", b"c"]) == [1, 0, 1]
    assert replicas.log == ["+a", "+b", "+c", ".a", ".b", ".c"]


def test_no_more_than_so_many_are_under_way() -> None:
    keys = [b"%d" % number for number in range(3 * PARTITIONS_AHEAD)]
    replicas = Replicas(keys)
    assert read_all(replicas.replicated(), keys) == [1] * len(keys)
    under_way = most = 0
    for line in replicas.log:
        under_way += 1 if line.startswith("+") else -1
        most = max(most, under_way)
    assert most == PARTITIONS_AHEAD + 1


def test_what_is_not_expected_is_read_all_the_same() -> None:
    replicas = Replicas([b"a", b"b", b"x"])
    store = replicas.replicated()
    store.expect([b"b"], EVERYTHING, NOW_S)
    for key in (b"x", b"b", b"a"):
        assert store.read(key, EVERYTHING, NOW_S) is not None
    assert replicas.log == ["+x", "+b", ".x", ".b", "+a", ".a"]


def test_what_must_be_settled_first_is_read_one_after_the_other() -> None:
    replicas = Replicas([b"a", b"b"])
    settled: list[bytes] = []
    assert read_all(replicas.replicated(settled.append), [b"a", b"b"]) == [1, 1]
    assert replicas.log == ["+a", ".a", "+b", ".b"]
    assert settled == [b"a", b"b"]


def test_a_partition_that_can_not_be_read_is_told_when_it_is_wanted() -> None:
    replicas = Replicas([b"a", b"b", b"c"])
    replicas.down = b"c"
    store = replicas.replicated()
    store.expect([b"a", b"b", b"c"], EVERYTHING, NOW_S)
    assert store.read(b"a", EVERYTHING, NOW_S) is not None
    assert store.read(b"b", EVERYTHING, NOW_S) is not None
    with pytest.raises(Unavailable):
        store.read(b"c", EVERYTHING, NOW_S)


@pytest.mark.parametrize("page_partitions", [1_000, 2])
def test_ranges_are_under_way_together_more_with_each(page_partitions: int) -> None:
    keys = [b"%d" % number for number in range(40)]
    replicas = Replicas(keys)
    replicas.page_partitions = page_partitions
    positions = sorted(map(position_of, keys))
    replicas.parts = positions[5::5]
    found = [view.key for view in replicas.replicated().scan(NOW_S)]
    assert found == sorted(keys, key=position_of)
    if page_partitions == 1_000:
        assert replicas.log[:10] == ["+0", ".0", "+1", "+2", ".1", "+3", "+4", "+5", ".2", "+6"]
    else:
        assert len(replicas.log) > 40


def test_a_reader_who_has_enough_asks_for_no_more() -> None:
    keys = [b"%d" % number for number in range(40)]
    replicas = Replicas(keys)
    replicas.parts = sorted(map(position_of, keys))[5::5]
    next(replicas.replicated().scan(NOW_S))
    assert replicas.log == ["+0", ".0"]
