"""The code that servers run, under loss, partitions, crashes and skewed clocks: no acknowledged write is lost, reads never
go back, conditional writes are linearizable, counters are exact; and the checkers see planted bugs."""

from dataclasses import replace

import pytest

from cluster.consistency import Consistency
from cluster.coordination.write_bundle import WriteBundle
from cluster.ring import Node
from simulation.batching import batched
from simulation.cluster_world import Bugs, World
from simulation.conditional import INITIAL, conditional
from simulation.counting import counted
from simulation.linearizable import Operation, Undecided, is_linearizable
from simulation.network import Weather
from simulation.overwrites import Searches, overwritten, put
from simulation.schema_changes import changed
from simulation.storms import Storm

pytestmark = pytest.mark.slow
QUORUM, ALL = Consistency.QUORUM, Consistency.ALL
STORM = Weather(delay_s_max=0.02, loss=0.03)
SECONDS = 8.0


# --- one register, overwritten --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_no_acknowledged_write_is_lost_and_no_read_goes_back(seed: int) -> None:
    world, overwrites = overwritten(seed)
    assert [fault for one in overwrites for fault in one.faults] == [], f"seed {seed}"
    assert all(one.acknowledged > 5 and one.reads > 10 for one in overwrites)
    assert sum(node.agreed for node in world.nodes) > 10
    assert sum(node.differed for node in world.nodes)
    assert sum(world.happened.values()) > 3
    assert world.network.lost


def searched(seed: int) -> list[Searches]:
    world = World(seed, STORM)
    searches = [Searches(world, number) for number in range(3)]
    Storm(world, world.schedule.now_s + SECONDS)
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


def is_fine(history: list[Operation]) -> bool:
    try:
        return is_linearizable(history, INITIAL)
    except Undecided:
        return True


@pytest.mark.parametrize("seed", range(8))
def test_conditional_writes_are_linearizable(seed: int) -> None:
    register = conditional(seed)
    history = register.history
    assert sum(operation.applied is True for operation in history) > 5
    assert register.fast > 5, f"seed {seed}: {register.fast} fast, {register.slow} slow"
    assert is_fine(history), f"seed {seed}: {history}"


# --- counters, batches, the schema -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_counters_have_all_that_was_acknowledged_and_nothing_that_nobody_asked_for(seed: int) -> None:
    counts = counted(seed)
    assert counts.faults == [], f"seed {seed}"
    assert counts.acknowledged > 10
    assert counts.fast > 5


@pytest.mark.parametrize("seed", range(6))
def test_logged_batches_are_done_wholly_or_not_at_all(seed: int) -> None:
    batches = batched(seed)
    assert batches.faults == [], f"seed {seed}"
    assert batches.whole > 5


@pytest.mark.parametrize("seed", range(4))
def test_nodes_agree_on_the_schema_and_never_have_half_a_table(seed: int) -> None:
    changes = changed(seed)
    assert changes.faults == [], f"seed {seed}"
    assert len(changes.made) > 5


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
    assert any(not is_fine(conditional(seed, Bugs(promises_are_forgotten=True)).history) for seed in range(40))


def test_the_same_seed_is_the_same_run() -> None:
    traces = [overwritten(seed)[0].schedule.trace for seed in (3, 3, 4)]
    assert traces[0] == traces[1] != traces[2]
