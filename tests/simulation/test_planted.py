"""Faults are planted in the machines themselves, one at a time: each has to be seen by a trial within a few seeds. What is
planted in test_cluster, test_movements, test_repair and test_paxos comes on top."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final
from uuid import UUID

import pytest

from cluster.batchlog import Batchlog
from cluster.coordination.write_bundle import WriteBundle
from cluster.coordination.writing import WriteOperation
from cluster.coordinator import Coordinator
from cluster.hints import Hints
from cluster.internode.frames import Message
from cluster.internode.verbs import FailureReason
from cluster.node import ClusterNode
from cluster.paxos.messages import Accept, Prepare, Promise, Refusal
from cluster.paxos.proposer import Phase, Proposer
from cluster.paxos.replica import answered
from cluster.paxos.state import Ballot, PaxosState
from cluster.paxos.store import PaxosStore
from cluster.replica import Failed, Replica
from cluster.ring import Node
from cluster.rounds import Rounds
from cluster.streaming.streams import Streams
from simulation.test_cluster import is_healed_by_hints
from simulation.test_movements import calm
from simulation.trials import TRIALS
from storage.counters import contexts
from storage.engine import EngineOptions

pytestmark = pytest.mark.slow
Plant = Callable[[pytest.MonkeyPatch], None]
SEEDS: Final = 100


def _ballots_are_reused(patch: pytest.MonkeyPatch) -> None:
    """Of a tenth of a second, by all nodes; and who has promised one promises it again."""

    def next_ballot(self: Rounds, least: Ballot) -> Ballot:
        step_us = 100_000
        return Ballot.of(max(self._wall_us(), least.timestamp_us + step_us) // step_us * step_us, bytes(8))

    def answer(state: PaxosState, request: Any) -> Any:
        if isinstance(request, Prepare) and request.ballot == state.latest:
            return state, Promise(request.ballot, state.accepted, state.committed)
        return answered(state, request)

    patch.setattr(Rounds, "_next_ballot", next_ballot)
    patch.setattr("cluster.paxos.store.answered", answer)


def _one_acceptance_decides(patch: pytest.MonkeyPatch) -> None:
    """It is committed before a quorum has accepted."""
    receive = Proposer.receive

    def hasty(self: Proposer[Any], sender: Any, answer: Any, now_s: float) -> Any:
        if isinstance(answer, Accept) and answer.ballot == self._ballot and self.phase is Phase.PROPOSING:
            return self._accepted()
        return receive(self, sender, answer, now_s)

    patch.setattr(Proposer, "receive", hasty)


def _refusals_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """What only some have accepted is begun anew, though somebody else may finish it (CASSANDRA-6013)."""

    def maybe_unknown(self: Proposer[Any], now_s: float) -> Any:
        if len(self._acks) + len(self._refused) < len(self._replicas) or self.phase is not Phase.PROPOSING:
            return []
        return self._back_off(now_s)

    patch.setattr(Proposer, "_maybe_unknown", maybe_unknown)


def _paxos_state_expires_at_once(patch: pytest.MonkeyPatch) -> None:
    base = PaxosStore._base
    patch.setattr(PaxosStore, "_base", lambda self, table_id: base(self, table_id)._replace(ttl_us=-10_000_000))


def _unfinished_rounds_are_left(patch: pytest.MonkeyPatch) -> None:
    """What was accepted before is not told to who comes next."""

    def answer(state: PaxosState, request: Any) -> Any:
        state, told = answered(state, request)
        return state, told._replace(accepted=told.committed) if isinstance(told, Promise) else told

    patch.setattr("cluster.paxos.store.answered", answer)


def _refusals_are_taken_for_promises(patch: pytest.MonkeyPatch) -> None:
    receive = Proposer.receive

    def deaf(self: Proposer[Any], sender: Any, answer: Any, now_s: float) -> Any:
        if isinstance(answer, Refusal) and self.phase is Phase.PREPARING and answer.ballot == self._ballot:
            answer = Promise(answer.ballot, self._proposal, self._proposal)
        return receive(self, sender, answer, now_s)

    patch.setattr(Proposer, "receive", deaf)


def _commits_are_not_applied(patch: pytest.MonkeyPatch) -> None:
    """Their state is kept, and what they bring is not."""
    patch.setattr(PaxosStore, "_maybe_change", lambda self, commit: None)


def _hints_go_to_the_wrong_node(patch: pytest.MonkeyPatch) -> None:
    keep = Hints.keep

    def elsewhere(self: Hints, node: Node, mutations: Sequence[bytes]) -> bool:
        wrong = Node(UUID(int=node.host_id.int % 3 + 1), node.address, node.datacenter, node.rack, node.tokens)
        return keep(self, wrong, mutations)

    patch.setattr(Hints, "keep", elsewhere)


def _hints_are_forgotten_when_sent(patch: pytest.MonkeyPatch) -> None:
    """Whether they are taken or not."""
    send_page = Hints._send_page

    def hasty(self: Hints, node: Node) -> None:
        send_page(self, node)
        page = self._deliveries.get(node)
        if page is not None:
            self.delete(node.host_id, page._last)

    def fails_once(self: Replica, hints: Sequence[bytes]) -> None:
        if not taken:
            taken.append(True)
            raise Failed(FailureReason.UNKNOWN)
        take(self, hints)

    take, taken = Replica.take_hints, list[bool]()
    patch.setattr(Replica, "take_hints", fails_once)
    if not is_healed_by_hints(0):
        raise AssertionError("hints that fail once do not heal")
    taken.clear()
    patch.setattr(Hints, "_send_page", hasty)


def _batches_are_not_replayed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Batchlog, "replay", lambda self, age_s: None)


def _batches_are_replayed_by_halves(patch: pytest.MonkeyPatch) -> None:
    replay = Batchlog._replay
    patch.setattr(Batchlog, "_replay", lambda self, batch_id, mutations: replay(self, batch_id, mutations[:1]))


def _increments_are_led_twice(patch: pytest.MonkeyPatch) -> None:
    lead = ClusterNode._lead

    def twice(self: ClusterNode, sender: Any, message: Message) -> None:
        lead(self, sender, message)
        lead(self, sender, message)

    patch.setattr(ClusterNode, "_lead", twice)
    patch.setattr("cluster.node.nearest_first", lambda nodes, local: sorted(nodes, key=lambda node: node.host_id))


def _shards_are_added_when_they_meet(patch: pytest.MonkeyPatch) -> None:
    """What comes twice counts twice, the own shard too."""

    def added(old: bytes, new: bytes) -> bytes:
        by_node: dict[bytes, contexts.Shard] = {}
        for shard in (*contexts.shards(old), *contexts.shards(new)):
            known = by_node.get(shard.node_id)
            amount = shard.amount if known is None else known.amount + shard.amount
            by_node[shard.node_id] = shard._replace(amount=amount)
        return contexts.context_of(by_node[node_id] for node_id in sorted(by_node))

    patch.setattr("storage.counters.rows.merge_contexts", added)


def _one_node_uses_a_stale_ring(patch: pytest.MonkeyPatch) -> None:
    """It does not follow what becomes of the ring."""
    know = Coordinator.know

    def stale(self: Coordinator, topology: Any, is_alive: Any) -> None:
        is_late = self.local.host_id.int == 2 and self.topology is not None and len(self.topology.members) >= 4
        know(self, self.topology if is_late and self.topology is not None else topology, is_alive)

    patch.setattr(Coordinator, "know", stale)


def _a_range_is_never_streamed(patch: pytest.MonkeyPatch) -> None:
    fetch = Streams.fetch

    def partly(self: Streams, peer: Any, tasks: Any, reason: Any, pending_repair: Any = None) -> Any:
        less = [replace(task, ranges=task.ranges[1:]) for task in tasks]
        return fetch(self, peer, less, reason, pending_repair)

    patch.setattr(Streams, "fetch", partly)


def _nobody_asks_for_the_schema(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ClusterNode, "_maybe_ask_for_schema", lambda self, endpoint: None)


def _what_is_dropped_is_not_remembered(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("simulation.cluster_world.EngineOptions", lambda data, is_schema_shared: EngineOptions(data))


def _the_local_node_counts_twice(patch: pytest.MonkeyPatch) -> None:
    """An answer of the coordinator itself is enough for a quorum."""
    start, begin = WriteBundle.start, WriteOperation.start

    def bundled(self: WriteBundle, local: Any, is_kept: bool, deadline_s: float, send: Any) -> None:
        self._acks.required -= 1
        start(self, local, is_kept, deadline_s, send)

    def single(self: WriteOperation, local: Any, apply: Any, ask: Any) -> None:
        self._acks.required -= 1
        begin(self, local, apply, ask)

    patch.setattr(WriteBundle, "start", bundled)
    patch.setattr(WriteOperation, "start", single)


def _replicas_say_done_before_they_have_it(patch: pytest.MonkeyPatch) -> None:
    """Every tenth mutation is acknowledged, and lost."""
    apply, taken = Replica.apply, [0]

    def forgetful(self: Replica, mutations: Sequence[bytes]) -> None:
        taken[0] += 1
        if taken[0] % 10:
            apply(self, mutations)

    patch.setattr(Replica, "apply", forgetful)


PLANTS: Final[dict[str, tuple[str, Plant]]] = {
    plant.__name__[1:]: (trial, plant)
    for trial, plant in (
        ("conditional", _ballots_are_reused),
        ("conditional", _one_acceptance_decides),
        ("conditional", _refusals_are_forgotten),
        ("conditional", _paxos_state_expires_at_once),
        ("conditional", _unfinished_rounds_are_left),
        ("conditional", _refusals_are_taken_for_promises),
        ("conditional", _commits_are_not_applied),
        ("hints", _hints_go_to_the_wrong_node),
        ("hints", _hints_are_forgotten_when_sent),
        ("batches", _batches_are_not_replayed),
        ("batches", _batches_are_replayed_by_halves),
        ("counts", _increments_are_led_twice),
        ("counts", _shards_are_added_when_they_meet),
        ("movements", _one_node_uses_a_stale_ring),
        ("movements", _a_range_is_never_streamed),
        ("schema", _nobody_asks_for_the_schema),
        ("schema", _what_is_dropped_is_not_remembered),
        ("overwrites", _the_local_node_counts_twice),
        ("overwrites", _replicas_say_done_before_they_have_it),
    )
}


def caught(trial: str) -> Iterator[bool]:
    """Seed by seed."""
    for seed in range(SEEDS if trial in TRIALS else 4):
        if trial == "hints":
            yield not is_healed_by_hints(seed)
        elif trial == "movements":
            yield _is_moved_wrongly(seed)
        else:
            yield bool(TRIALS[trial](seed).faults)


def _is_moved_wrongly(seed: int) -> bool:
    try:
        return bool(calm(seed))
    except AssertionError:  # a node that can't leave for minutes is a fault, too
        return True


@pytest.mark.parametrize("name", list(PLANTS))
def test_planted_bugs_are_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, plant = PLANTS[name]
    plant(monkeypatch)
    assert any(caught(trial)), f"{name} went unnoticed"
