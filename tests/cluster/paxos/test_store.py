"""What a replica remembers of Paxos, in system.paxos: what it was told last, and nothing of before."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from cluster.paxos.encoding import PaxosKey
from cluster.paxos.messages import Commit, Prepare, Promise, Propose, Refusal
from cluster.paxos.state import NO_BALLOT, Ballot, Proposal
from cluster.paxos.store import PaxosStore
from cqlserver.system.definitions import stored_system_keyspaces
from storage.engine import Engine, EngineOptions
from storage.environment.environment import Environment, ManualClock, Rng
from storage.environment.memory import MemoryDisk
from storage.environment.strands import InlineWorkers
from storage.mutation import Cell, Liveness, PartitionUpdate, Row
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams, Schema
from tests.cluster.coordination.small_cluster import SIMPLE_3, TABLE

ABOUT = PaxosKey(TABLE.id.bytes, b"k")
ROW = Row((b"c",), Liveness(1), columns={"v": Cell(1, b"v")})
UPDATE = PartitionUpdate(TABLE.id, b"k", rows={TABLE.clustering[0].type.order_key(b"c"): ROW}).encode()


def ballot(number: int) -> Ballot:
    return Ballot.of(1_700_000_000_000_000 + number, bytes(8))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def paxos(clock: ManualClock) -> PaxosStore:
    environment = Environment(clock, Rng(b"paxos"), MemoryDisk(), InlineWorkers())
    engine = Engine(environment, EngineOptions("data"), stored_system_keyspaces())
    engine.start()
    tables = MappingProxyType({TABLE.name: TABLE})
    keyspace = KeyspaceMetadata("ks", KeyspaceParams(MappingProxyType(SIMPLE_3)), tables)
    engine.change_schema(Schema.of((*engine.schema.keyspaces.values(), keyspace)), [])
    return PaxosStore(engine)


def promised(paxos: PaxosStore, number: int) -> Promise:
    answer = paxos.answer(ABOUT, Prepare(ballot(number)))
    assert isinstance(answer, Promise), answer
    return answer


def test_what_was_accepted_and_committed_is_told_to_who_comes_next(paxos: PaxosStore) -> None:
    assert promised(paxos, 1) == Promise(ballot(1), Proposal(NO_BALLOT, b""), Proposal(NO_BALLOT, b""))
    paxos.answer(ABOUT, Propose(Proposal(ballot(1), UPDATE)))
    assert promised(paxos, 2).accepted == Proposal(ballot(1), UPDATE)
    paxos.answer(ABOUT, Commit(Proposal(ballot(1), UPDATE)))
    assert promised(paxos, 3).committed == Proposal(ballot(1), UPDATE)


def test_a_proposal_of_no_change_does_not_bring_back_the_one_before(paxos: PaxosStore) -> None:
    """The old change stood behind the new ballot: it was proposed and committed once more, before each next operation."""
    promised(paxos, 1)
    paxos.answer(ABOUT, Propose(Proposal(ballot(1), UPDATE)))
    paxos.answer(ABOUT, Commit(Proposal(ballot(1), UPDATE)))
    promised(paxos, 2)
    paxos.answer(ABOUT, Propose(Proposal(ballot(2), b"")))
    found = promised(paxos, 3)
    assert found.accepted == Proposal(ballot(2), b"")
    assert found.committed == Proposal(ballot(1), UPDATE)


def flush(paxos: PaxosStore) -> None:
    paxos._engine.flush()
    paxos._engine.background.finish()
    assert paxos._store.flushed


@pytest.mark.parametrize("keeps_three_hours", [True, False])
def test_a_short_grace_counts_where_three_hours_are_not_kept(
    paxos: PaxosStore, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, keeps_three_hours: bool
) -> None:
    paxos.keeps_three_hours = keeps_three_hours
    table = paxos._engine.stores[TABLE.id].table
    short = replace(table, params=replace(table.params, gc_grace_seconds=60))
    monkeypatch.setattr(paxos._engine.stores[TABLE.id], "table", short)
    promised(paxos, 2)
    clock.advance(59)
    assert isinstance(paxos.answer(ABOUT, Prepare(ballot(1))), Refusal)
    clock.advance(2)
    assert isinstance(paxos.answer(ABOUT, Prepare(ballot(1))), Refusal) is keeps_three_hours


def test_what_is_older_than_the_tables_grace_is_not_known_any_more_and_swept(paxos: PaxosStore, clock: ManualClock) -> None:
    """By this node's own time: the ballots are far in its future."""
    promised(paxos, 1)
    clock.advance(TABLE.params.gc_grace_seconds - 10)
    assert isinstance(paxos.answer(ABOUT, Prepare(ballot(1))), Refusal)
    assert paxos.sweep() == 0
    promised(paxos, 5)
    flush(paxos)
    clock.advance(20)
    assert isinstance(paxos.answer(ABOUT, Prepare(ballot(2))), Refusal)  # the promise before is a moment old
    clock.advance(TABLE.params.gc_grace_seconds)
    assert paxos.sweep() == 1
    promised(paxos, 1)
    flush(paxos)
    assert isinstance(paxos.answer(ABOUT, Prepare(ballot(1))), Refusal)
    assert paxos.sweep() == 0
