"""The code that servers run, under loss, partitions, crashes and skewed clocks: no acknowledged write is lost, reads never
go back, conditional writes are linearizable, counters are exact; and the checkers see planted bugs."""

from dataclasses import replace

import pytest

from cluster.consistency import Consistency
from cluster.coordination.write_bundle import WriteBundle
from cluster.coordinator import RequestKind
from cluster.reading.command import ReadCommand
from cluster.ring import Node
from protocol.errors import RequestError
from simulation.cluster_world import COUNTS, KEYSPACE, Bugs, World, WorldNode, value_of
from simulation.conditional import INITIAL, Register
from simulation.linearizable import Operation, Undecided, is_linearizable
from simulation.network import Weather
from simulation.overwrites import Overwrites, Searches, put
from storage.counters.contexts import total
from storage.mutation import Cell, PartitionUpdate, Row
from storage.token import token

pytestmark = pytest.mark.slow
QUORUM, ALL = Consistency.QUORUM, Consistency.ALL
STORM = Weather(delay_s_max=0.02, loss=0.03)
SECONDS = 8.0


# --- one register, overwritten --------------------------------------------------------------------------------------------


def overwritten(seed: int, bugs: Bugs | None = None) -> tuple[World, list[Overwrites]]:
    world = World(seed, STORM, bugs)
    overwrites = [Overwrites(world, number) for number in range(3)]
    world.trouble(world.schedule.now_s + SECONDS)
    world.run(SECONDS)
    return world, overwrites


@pytest.mark.parametrize("seed", range(12))
def test_no_acknowledged_write_is_lost_and_no_read_goes_back(seed: int) -> None:
    world, overwrites = overwritten(seed)
    assert [fault for one in overwrites for fault in one.faults] == [], f"seed {seed}"
    assert all(one.acknowledged > 5 and one.reads > 10 for one in overwrites)
    assert sum(node.agreed for node in world.nodes) > 10
    assert sum(node.differed for node in world.nodes)
    assert world.crashes
    assert world.network.lost


def searched(seed: int) -> list[Searches]:
    world = World(seed, STORM)
    searches = [Searches(world, number) for number in range(3)]
    world.trouble(world.schedule.now_s + SECONDS)
    world.run(SECONDS)
    return searches


@pytest.mark.parametrize("seed", range(8))
def test_filters_of_replicas_find_what_is_there_and_nothing_that_was(seed: int) -> None:
    searches = searched(seed)
    assert [fault for one in searches for fault in one.faults] == [], f"seed {seed}"
    assert all(one.found for one in searches)


def test_answers_of_filters_that_are_not_completed_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.reading.protection.Protection.wanted", lambda self: {})
    caught = (fault for seed in range(40) for one in searched(seed) for fault in one.faults)
    assert next(caught, None) is not None


def is_healed_by_hints(seed: int, bugs: Bugs | None = None) -> bool:
    """Whether writes while a node is down are there, on all three, some time after it is back, without any read."""
    world = World(seed, Weather(0.002), bugs)
    world.nodes[2].crash()
    world.run(25)  # the others have found out
    for number in range(20):
        node = world.nodes[number % 2]
        write = node.write if number < 10 else node.write_plain
        assert not write(put(b"%d" % number, b"v", number + 1), QUORUM).is_done
    world.run(1)
    world.nodes[2].start()
    world.heal(30)
    keys = [b"%d" % number for number in range(20)]
    return all(len({node.cluster.replica.read(node.command(key)).digest for node in world.nodes}) == 1 for key in keys)


def test_hints_bring_what_a_node_missed() -> None:
    assert is_healed_by_hints(1)
    assert not is_healed_by_hints(1, Bugs(hints_are_lost=True))


# --- compare-and-set --------------------------------------------------------------------------------------------------


def lived(seed: int, bugs: Bugs | None = None) -> Register:
    world = World(seed, STORM, bugs)
    register = Register(world, 3)
    world.trouble(world.schedule.now_s + SECONDS)
    world.run(SECONDS)
    world.heal(4)
    return register


def is_fine(history: list[Operation]) -> bool:
    try:
        return is_linearizable(history, INITIAL)
    except Undecided:
        return True


@pytest.mark.parametrize("seed", range(8))
def test_conditional_writes_are_linearizable(seed: int) -> None:
    register = lived(seed)
    history = register.history
    assert sum(operation.applied is True for operation in history) > 5
    assert register.fast > 5, f"seed {seed}: {register.fast} fast, {register.slow} slow"
    assert is_fine(history), f"seed {seed}: {history}"


# --- counters ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_counters_have_all_that_was_acknowledged_and_nothing_that_nobody_asked_for(seed: int) -> None:
    world = World(seed, STORM)
    rng = world.rng.fork("counts")
    acknowledged = attempted = 0

    def count() -> None:
        nonlocal attempted
        world.schedule.after(0.02 + rng.float() * 0.1, count)
        node = world.any_up(rng)
        if node is None or world.schedule.now_s > end_s:
            return
        attempted += 1
        row = Row((), columns={"v": Cell(node.clock.wall_us(), (1).to_bytes(8, "big"))})
        update = PartitionUpdate(COUNTS.id, b"k", rows={b"": row})
        try:
            outcome = node.cluster.count("ks", token(b"k"), [update.encode()], QUORUM)
        except RequestError:
            return
        node.settle()

        def done() -> None:
            nonlocal acknowledged
            acknowledged += outcome.error is None

        outcome.when_done(done)

    end_s = world.schedule.now_s + SECONDS
    world.schedule.after(0.1, count)
    world.trouble(end_s)
    world.run(SECONDS)
    world.heal(10)
    found = [counted(world, node) for node in world.nodes]
    assert len(set(found)) == 1, f"seed {seed}: {found}"
    assert 10 < acknowledged <= found[0] <= attempted, f"seed {seed}"


def counted(world: World, node: WorldNode) -> int:
    plans = node.coordinator.levels(KEYSPACE, RequestKind.READ)[ALL]
    assert plans is not None
    command = ReadCommand.of_partition(COUNTS.id, b"k", node.clock.now_s(), 10)
    outcome = node.cluster.proxy.read(plans, command)
    node.settle()
    world.run(2)
    row = outcome.result.store.row_at(b"k", b"", node.clock.now_s())
    assert row is not None
    cell = outcome.result.store.layouts.explode(row).columns["v"]
    assert isinstance(cell, Cell)
    assert cell.value is not None
    return total(cell.value)


# --- logged batches ---------------------------------------------------------------------------------------------------


def half_done(seed: int, bugs: Bugs | None = None) -> tuple[list[int], int]:
    """Batches of which, in the end, one key is there and another one is not; how many there are in all."""
    world = World(seed, STORM, bugs, count=5)  # of which each key has three
    rng = world.rng.fork("batches")
    begun = 0

    def write() -> None:
        nonlocal begun
        world.schedule.after(0.05 + rng.float() * 0.2, write)
        node = world.any_up(rng)
        if node is None or world.schedule.now_s > end_s:
            return
        begun += 1
        updates = [put(b"%d %d" % (begun, part), b"v", begun) for part in range(3)]
        try:
            node.write_batch(updates, QUORUM)
        except RequestError:
            return
        if rng.float() < 0.3:  # in the midst of it
            world.crashes += 1
            node.crash()
            world.schedule.after(0.5, lambda: None if node.is_up else node.start())

    end_s = world.schedule.now_s + SECONDS
    world.schedule.after(0.1, write)
    world.trouble(end_s)
    world.run(SECONDS)
    world.heal(60)
    found = [[is_there(world, b"%d %d" % (number, part)) for part in range(3)] for number in range(1, begun + 1)]
    assert any(all(parts) for parts in found)
    return [number for number, parts in enumerate(found, 1) if any(parts) and not all(parts)], len(found)


def is_there(world: World, key: bytes) -> bool:
    node = world.nodes[0]
    outcome = node.read(key, ALL)
    world.run(0.1)
    return value_of(outcome.result, key, node.clock.now_s()) is not None


@pytest.mark.parametrize("seed", range(6))
def test_logged_batches_are_done_wholly_or_not_at_all(seed: int) -> None:
    halves, count = half_done(seed)
    assert halves == [], f"seed {seed}"
    assert count > 10


@pytest.mark.parametrize("bug", ["batches_are_not_logged", "the_ring_is_forgotten"])
def test_planted_bugs_of_batches_are_caught(bug: str) -> None:
    assert any(half_done(seed, Bugs(**{bug: True}))[0] for seed in range(30)), f"{bug} went unnoticed"


# --- the checkers are checked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bug",
    [
        "quorum_is_one",
        "nothing_is_repaired",
        "digests_are_ignored",
        "the_log_is_not_written",
        "acknowledgements_count_twice",
        "records_are_not_taken",
        "digests_of_plain_reads_are_ignored",
    ],
)
def test_planted_bugs_of_reads_and_writes_are_caught(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(bug, monkeypatch)
    caught = (fault for seed in range(60) for one in overwritten(seed, bugs_of(bug))[1] for fault in one.faults)
    assert next(caught, None) is not None, f"{bug} went unnoticed"


def bugs_of(name: str) -> Bugs:
    return replace(Bugs(), **({name: True} if name in Bugs.__dataclass_fields__ else {}))


def plant(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are in the machines themselves."""
    if bug == "nothing_is_repaired":
        monkeypatch.setattr("cluster.coordination.reading.ReadOperation._repair", lambda self, node, lacking: None)
    if bug == "acknowledgements_count_twice":
        count = WriteBundle._count

        def twice(self: WriteBundle, node: Node, failed: dict[int, int]) -> None:
            for counted in (node, *list(self._waited_for)[:1]):
                count(self, counted, failed)

        monkeypatch.setattr(WriteBundle, "_count", twice)
    if bug == "digests_of_plain_reads_are_ignored":
        monkeypatch.setattr("cluster.reading.plain.Digests.of", lambda self, rows: bytes(16))
    if bug == "records_are_not_taken":
        monkeypatch.setattr("cluster.replica.Replica.apply_each", lambda self, records: [])
    if bug == "digests_are_ignored":
        monkeypatch.setattr("cluster.reading.answer.DataAnswer.digest", b"")
        monkeypatch.setattr("cluster.replica.Replica._read_digest", lambda self, body: (16, b""))


def test_forgotten_promises_are_caught() -> None:
    assert any(not is_fine(lived(seed, Bugs(promises_are_forgotten=True)).history) for seed in range(40))


def test_the_same_seed_is_the_same_run() -> None:
    traces = [overwritten(seed)[0].schedule.trace for seed in (3, 3, 4)]
    assert traces[0] == traces[1] != traces[2]
