"""Repair, after losses that no hint made good: replicas are equal byte for byte; and planted bugs are seen."""

import contextlib
from dataclasses import replace
from uuid import UUID

import pytest

from cluster.consistency import Consistency
from cluster.repair import job, participant, sessions
from cluster.repair.coordinator import LineKind
from cluster.repair.digest import PartitionDigests
from cluster.repair.options import Parallelism, Preview, RepairOptions
from cluster.repair.sessions import State
from cluster.repair.validation import Looked
from cluster.streaming.ranges import TokenRange
from protocol.errors import RequestError
from simulation.agreement import repaired, stored
from simulation.cluster_world import KEYSPACE, VALUES, Bugs, World, WorldNode
from simulation.network import Weather
from simulation.overwrites import put
from storage.memtable.memtable import Memtable
from storage.mutation import Deletion, PartitionUpdate
from storage.reads import Source, TableStore
from storage.sstable.reader import SSTableReader

pytestmark = pytest.mark.slow
ONE = Consistency.ONE
KEYS = 40
WRITES = 300
REPAIR_S_MAX = 300.0
STORM = Weather(delay_s_max=0.01, loss=0.3)


def differing(seed: int, flushes: float = 0.05) -> World:
    """Three nodes that missed much of what was written and deleted, some of it in SSTables, some in memtables. `flushes`:
    how many for each write."""
    world = World(seed, STORM, Bugs(hints_are_lost=True))
    rng = world.rng.fork("writes")
    for number in range(1, WRITES):
        node = world.nodes[rng.int_below(3)]
        key = b"key %d" % rng.int_below(KEYS)
        timestamp_us = number * 1_000
        update = put(key, b"%d" % number, timestamp_us)
        if rng.float() < 0.3:
            update = PartitionUpdate(VALUES.id, key, Deletion(timestamp_us, node.clock.now_s()))
        with contextlib.suppress(RequestError):
            node.write(update, ONE)
        if rng.float() < flushes:
            world.nodes[rng.int_below(3)].flush()
        if rng.float() < 0.02:
            victim = world.nodes[rng.int_below(3)]
            victim.crash()
            victim.start()
        world.run(0.05)
    world.heal(30)
    return world


def are_equal(world: World) -> bool:
    return len({stored(node) for node in world.nodes}) == 1


@pytest.mark.parametrize("parallelism", Parallelism)
@pytest.mark.parametrize("seed", range(3))
def test_replicas_are_equal_byte_for_byte_after_a_repair(seed: int, parallelism: Parallelism) -> None:
    world = differing(seed)
    assert not are_equal(world), f"seed {seed}: nothing was lost"
    command = repaired(world, world.nodes[seed % 3], RepairOptions(parallelism))
    assert command.error is None, f"seed {seed}"
    assert command.lines[-2].text == "Repair completed successfully"
    assert are_equal(world), f"seed {seed}"
    assert any(stored(node) for node in world.nodes)


@pytest.mark.parametrize("seed", range(3, 6))
def test_streams_are_fewer_where_they_are_optimised_and_replicas_are_equal(seed: int) -> None:
    world = differing(seed)
    command = repaired(world, world.nodes[0], RepairOptions(optimises_streams=True))
    assert command.error is None, f"seed {seed}"
    assert are_equal(world), f"seed {seed}"


@pytest.mark.parametrize("seed", range(6, 8))
def test_primary_ranges_of_all_nodes_are_everything(seed: int) -> None:
    world = differing(seed)
    for node in world.nodes:
        assert repaired(world, node, RepairOptions(is_primary_range=True)).error is None
    assert are_equal(world), f"seed {seed}"


def test_what_is_streamed_is_durable() -> None:
    world = differing(8)
    repaired(world, world.nodes[0], RepairOptions())
    before = [stored(node) for node in world.nodes]
    for node in world.nodes:
        node.crash()
        node.start()
    world.run(5)
    assert [stored(node) for node in world.nodes] == before
    assert are_equal(world)


def test_a_second_repair_finds_nothing() -> None:
    world = differing(9)
    repaired(world, world.nodes[0], RepairOptions())
    command = repaired(world, world.nodes[1], RepairOptions(preview=Preview.ALL, repairs_paxos=False))
    assert command.lines[-2].text == "Repair preview completed successfully; Previewed data was in sync"


def test_a_preview_tells_what_differs_and_changes_nothing() -> None:
    world = differing(10)
    before = [stored(node) for node in world.nodes]
    command = repaired(world, world.nodes[0], RepairOptions(preview=Preview.ALL, repairs_paxos=False))
    told = next(line.text for line in command.lines if line.kind is LineKind.NOTIFICATION)
    assert told.startswith("Preview complete\nTotal estimated streaming: ")
    assert "    /10.0.0.1:7000 -> /10.0.0.2:7000: " in told
    assert [stored(node) for node in world.nodes] == before


def test_a_pull_repair_changes_this_node_alone() -> None:
    world = differing(11)
    before = [stored(node) for node in world.nodes]
    first = world.nodes[0]
    for start, end, _ in first.coordinator.ring.ranges():
        ranges = (TokenRange(start, end),)
        options = RepairOptions(hosts=("10.0.0.1", "10.0.0.2"), ranges=ranges, pulls=True)
        assert repaired(world, first, options).error is None
    assert [stored(node) for node in world.nodes[1:]] == before[1:]
    assert stored(first) != before[0]
    keys = {PartitionUpdate.decode(encoded).key for encoded in stored(first)}
    assert keys >= {PartitionUpdate.decode(encoded).key for encoded in before[1]}


def test_a_node_that_is_down_is_left_out_where_that_is_asked_for() -> None:
    world = differing(12)
    world.nodes[2].crash()
    world.run(30)
    command = repaired(world, world.nodes[0], RepairOptions())
    assert str(command.error) == "Endpoint not alive: /10.0.0.3:7000"
    command = repaired(world, world.nodes[0], RepairOptions(is_forced=True))
    assert command.error is None
    assert stored(world.nodes[0]) == stored(world.nodes[1])


def test_a_node_that_dies_meanwhile_ends_it_with_an_error() -> None:
    world = differing(13)
    command = world.nodes[0].cluster.repairs.begin(KEYSPACE, RepairOptions())
    assert command is not None
    world.nodes[2].crash()
    world.nodes[0].settle()
    world.run(120)
    assert command.is_over
    assert str(command.error) == "Some repair failed"
    assert any("Endpoint /10.0.0.3:7000 died" in line.text for line in command.lines)


@pytest.mark.parametrize("seed", range(14, 18))
def test_messages_that_are_lost_are_sent_again(seed: int) -> None:
    world = differing(seed)
    world.network.weather = Weather(delay_s_max=0.05, loss=0.1, duplicate=0.1)
    lost = world.network.lost
    assert repaired(world, world.nodes[0], RepairOptions()).error is None, f"seed {seed}"
    assert world.network.lost > lost
    assert are_equal(world), f"seed {seed}"


# --- planted bugs ----------------------------------------------------------------------------------------------------------


@pytest.fixture(params=["tombstones are ignored", "one way only", "the memtable is skipped"])
def bug(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    match request.param:
        case "tombstones are ignored":
            monkeypatch.setattr(PartitionDigests, "_heads", lambda self, partition: iter(()))
        case "one way only":
            flows = job.pairwise_flows
            monkeypatch.setattr(job, "pairwise_flows", lambda trees: flows(trees)[::2])
        case _:
            looked_at = participant.looked_at

            def without_memtables(store: TableStore, looked: Looked, session_id: object = None) -> list[Source]:
                return [source for source in looked_at(store, looked) if not isinstance(source, Memtable)]

            monkeypatch.setattr(participant, "looked_at", without_memtables)
    return str(request.param)


def test_planted_bugs_are_seen(bug: str) -> None:
    seen = []
    for seed in range(4):
        # what differs in SSTables, too, brings what is in memtables along
        world = differing(seed, 0.0 if bug == "the memtable is skipped" else 0.05)
        repaired(world, world.nodes[0], RepairOptions())
        seen.append(not are_equal(world))
    assert any(seen), bug


def test_options_are_told_as_cassandra_does() -> None:
    options = replace(RepairOptions(), tables=("t",), is_primary_range=True)
    assert options.told(4) == (
        "repair options (parallelism: parallel, primary range: true, incremental: false, job threads: 1, "
        "ColumnFamilies: [t], dataCenters: [], hosts: [], previewKind: NONE, # of ranges: 4, pull repair: false, force "
        "repair: false, optimise streams: false, ignore unreplicated keyspaces: false, repairPaxos: true, paxosOnly: false)"
    )


# --- incremental -----------------------------------------------------------------------------------------------------------

INCREMENTAL = RepairOptions(is_incremental=True)


def sstables(world: World) -> list[list[SSTableReader]]:
    """Of each node."""
    return [list(node.engine.files.readers_of(VALUES.id)) for node in world.nodes]


@pytest.mark.parametrize("seed", range(20, 24))
def test_what_an_incremental_repair_compared_is_repaired_everywhere(seed: int) -> None:
    world = differing(seed)
    command = repaired(world, world.nodes[0], INCREMENTAL)
    assert command.error is None, f"seed {seed}: {command.lines}"
    assert are_equal(world), f"seed {seed}"
    for readers in sstables(world):
        assert readers, f"seed {seed}"
        assert all(reader.repaired_at_ms and reader.pending_repair is None for reader in readers), f"seed {seed}"
    command = repaired(world, world.nodes[1], RepairOptions(preview=Preview.REPAIRED, repairs_paxos=False))
    assert command.lines[-2].text == "Repair preview completed successfully; Repaired data is in sync"
    for node in world.nodes:
        states = [session.state for session in node.cluster.repairs.participant.sessions.all.values()]
        assert states == [State.FINALIZED]


def test_the_next_one_compares_what_is_new_and_compactions_keep_it_apart() -> None:
    world = differing(24)
    repaired(world, world.nodes[0], INCREMENTAL)
    for number in range(20):
        node = world.nodes[number % 3]
        node.engine.apply(put(b"new %d" % number, b"v", 10_000_000 + number))
    for node in world.nodes:
        node.flush()
        node.engine.compact([VALUES.id])
        node.settle()
    assert [sorted(bool(reader.repaired_at_ms) for reader in readers) for readers in sstables(world)] == [[False, True]] * 3
    told = repaired(world, world.nodes[2], RepairOptions(preview=Preview.REPAIRED, repairs_paxos=False))
    assert told.lines[-2].text.endswith("Repaired data is in sync")
    told = repaired(world, world.nodes[2], RepairOptions(preview=Preview.UNREPAIRED, repairs_paxos=False))
    assert "Preview complete" in told.lines[-2].text
    assert repaired(world, world.nodes[2], INCREMENTAL).error is None
    assert are_equal(world)
    assert all(reader.repaired_at_ms for readers in sstables(world) for reader in readers)


@pytest.mark.parametrize("seed", range(25, 28))
def test_sstables_are_parted_where_only_some_ranges_are_repaired(seed: int) -> None:
    world = differing(seed)
    for node in world.nodes:
        node.flush()
    options = replace(INCREMENTAL, is_primary_range=True)
    assert repaired(world, world.nodes[0], options).error is None, f"seed {seed}"
    kinds = {bool(reader.repaired_at_ms) for readers in sstables(world) for reader in readers}
    assert kinds == {True, False}, f"seed {seed}"
    before = [stored(node) for node in world.nodes]
    for node in world.nodes:
        node.crash()
        node.start()
    world.run(5)
    assert [stored(node) for node in world.nodes] == before, f"seed {seed}"
    for node in world.nodes[1:]:
        assert repaired(world, node, options).error is None, f"seed {seed}"
    assert are_equal(world), f"seed {seed}"
    assert all(reader.repaired_at_ms for readers in sstables(world) for reader in readers)


def test_one_that_fails_leaves_everything_unrepaired() -> None:
    world = differing(28)
    command = world.nodes[0].cluster.repairs.begin(KEYSPACE, INCREMENTAL)
    assert command is not None
    world.nodes[2].crash()
    world.nodes[0].settle()
    world.run(120)
    assert command.is_over
    assert command.error is not None
    world.nodes[2].start()
    world.run(60)
    for readers in sstables(world)[:2]:
        assert all(not reader.repaired_at_ms and reader.pending_repair is None for reader in readers)
    assert repaired(world, world.nodes[0], INCREMENTAL).error is None
    assert are_equal(world)


@pytest.mark.parametrize("seed", range(29, 32))
def test_participants_may_crash_and_come_back_meanwhile(seed: int) -> None:
    world = differing(seed)
    world.network.weather = Weather(delay_s_max=0.05, loss=0.1)
    command = world.nodes[0].cluster.repairs.begin(KEYSPACE, INCREMENTAL)
    assert command is not None
    world.nodes[0].settle()
    rng = world.rng.fork("crashes")
    for _ in range(6):
        world.run(rng.float())
        victim = world.nodes[1 + rng.int_below(2)]
        victim.crash()
        victim.start()
    world.run(200)
    assert command.is_over, f"seed {seed}"
    world.heal(30)
    assert repaired(world, world.nodes[0], INCREMENTAL).error is None, f"seed {seed}"
    assert are_equal(world), f"seed {seed}"
    assert all(reader.pending_repair is None for readers in sstables(world) for reader in readers), f"seed {seed}"


# --- incremental ones that nobody ends -------------------------------------------------------------------------------------


def states(world: World) -> list[list[State]]:
    """Of the sessions that each node knows."""
    return [[s.state for s in node.cluster.repairs.participant.sessions.all.values()] for node in world.nodes if node.is_up]


def are_apart(node: WorldNode) -> bool:
    """Whether the node has SSTables that wait for the end of a session."""
    return any(reader.pending_repair is not None for reader in node.engine.files.readers_of(VALUES.id))


def stuck(seed: int, state: State, asked_s: int, failed_s: int, patch: pytest.MonkeyPatch) -> World:
    """The third node has come to a state of a repair that the first one leads, and hears nothing more of it."""
    patch.setattr(sessions, "ASKED_AFTER_S", asked_s)
    patch.setattr(sessions, "FAILED_AFTER_S", failed_s)
    patch.setattr(sessions, "LOOKED_AT_S", 5.0)
    world = differing(seed)
    first, third = world.nodes[0], world.nodes[2]
    cut = [False]

    def cut_off() -> None:
        world.network.partition([third.endpoint], [node.endpoint for node in world.nodes[:2]])

    become = sessions.LocalSessions._become

    def watched(self: sessions.LocalSessions, session_id: UUID, reached: State) -> None:
        become(self, session_id, reached)
        if reached is state and self is third.cluster.repairs.participant.sessions and not cut[0]:
            cut[0] = True
            world.schedule.after(0.0, cut_off)

    patch.setattr(sessions.LocalSessions, "_become", watched)
    assert first.cluster.repairs.begin(KEYSPACE, INCREMENTAL) is not None
    first.settle()
    until_s = world.schedule.now_s + 30
    while not cut[0]:
        world.run(0.05)
        assert world.schedule.now_s < until_s
    world.run(5)
    assert states(world)[2] == [state]
    assert are_apart(third)
    return world


def test_a_session_whose_coordinator_starts_again_fails_everywhere() -> None:
    world = differing(33)
    first = world.nodes[0]
    assert first.cluster.repairs.begin(KEYSPACE, INCREMENTAL) is not None
    first.settle()
    while not any(State.PREPARED in found for found in states(world)[1:]):
        world.run(0.001)
    first.crash()
    world.run(1)
    assert [state.is_over for [state] in states(world)] == [False, False]
    first.start()
    world.run(30)
    assert states(world) == [[State.FAILED]] * 3
    assert not any(map(are_apart, world.nodes))


def test_a_session_that_is_never_ended_fails_and_its_sstables_are_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = stuck(34, State.PREPARED, 1_000, 60, monkeypatch)
    third = world.nodes[2]
    world.run(80)
    assert states(world)[2] == [State.FAILED]
    assert not are_apart(third)
    third.crash()
    third.start()
    world.run(15)
    assert states(world)[2] == [State.FAILED]
    assert not are_apart(third)


def test_who_has_promised_and_missed_the_end_asks_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    world = stuck(35, State.FINALIZE_PROMISED, 20, 10_000, monkeypatch)
    third = world.nodes[2]
    third.crash()
    third.start()
    world.heal(60)
    (ended,) = {state for found in states(world) for state in found}
    assert ended.is_over
    assert not any(map(are_apart, world.nodes))
    repaired_ats = {reader.repaired_at_ms for node in world.nodes for reader in node.engine.files.readers_of(VALUES.id)}
    assert (0 not in repaired_ats) == (ended is State.FINALIZED)


def test_sessions_that_are_over_are_forgotten_when_later_ones_have_repaired_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sessions, "FORGOTTEN_AFTER_S", 30)
    monkeypatch.setattr(sessions, "LOOKED_AT_S", 5.0)
    world = differing(36)
    assert repaired(world, world.nodes[0], INCREMENTAL).error is None
    world.run(60)
    assert states(world) == [[State.FINALIZED]] * 3
    assert repaired(world, world.nodes[1], INCREMENTAL).error is None
    last = [max(node.cluster.repairs.participant.sessions.all) for node in world.nodes]
    world.run(60)
    assert states(world) == [[State.FINALIZED]] * 3
    assert [list(node.cluster.repairs.participant.sessions.all) for node in world.nodes] == [[each] for each in last]


def test_sessions_that_nobody_looks_after_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    world = stuck(34, State.PREPARED, 1_000, 60, monkeypatch)
    monkeypatch.setattr(sessions.LocalSessions, "tick", lambda self, ask: None)
    world.run(80)
    assert are_apart(world.nodes[2])
