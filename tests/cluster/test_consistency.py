"""Levels, kinds of requests and replication against what Cassandra 5.0.8 (one node) answers.

consistency_outcomes.tsv is recorded from it: level, operation, keyspaces (s1, s3: SimpleStrategy with factor 1 and 3;
n1, n3: NetworkTopologyStrategy with datacenter1 1 and 3), outcome: ok, or code, message, and for Unavailable its fields.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from cluster.consistency import Consistency, assure_sufficient, consistency_of
from cluster.coordinator import Coordinator, RequestKind
from cluster.replication import NetworkTopologyStrategy
from cluster.ring import Node, Ring
from protocol.errors import ProtocolError, RequestError, Unavailable
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams

LOCAL = Node(UUID(int=1), "127.0.0.1", tokens=(-5, 10, 99))
OTHER = Node(UUID(int=2), "127.0.0.2", tokens=(0, 50))

SIMPLE = "org.apache.cassandra.locator.SimpleStrategy"
TOPOLOGY = "org.apache.cassandra.locator.NetworkTopologyStrategy"
KEYSPACES = {
    name: KeyspaceMetadata(name, KeyspaceParams(replication))
    for name, replication in {
        "s1": {"class": SIMPLE, "replication_factor": "1"},
        "s3": {"class": SIMPLE, "replication_factor": "3"},
        "n1": {"class": TOPOLOGY, "datacenter1": "1"},
        "n3": {"class": TOPOLOGY, "datacenter1": "3"},
    }.items()
}


def recorded() -> list[tuple[str, str, str, str]]:
    lines = Path(__file__).with_name("consistency_outcomes.tsv").read_text().splitlines()
    outcomes = []
    for line in lines:
        level, operation, keyspaces, outcome = line.split("\t")
        outcomes += [(level, operation, keyspace, outcome) for keyspace in keyspaces.split(",")]
    return outcomes


def lookup(kind: RequestKind) -> Callable[[Coordinator, KeyspaceMetadata, int], None]:
    def run(coordinator: Coordinator, keyspace: KeyspaceMetadata, level: int) -> None:
        assert coordinator.levels(keyspace, kind, "c")[level] is None

    return run


def cas(serial: Consistency) -> Callable[[Coordinator, KeyspaceMetadata, int], None]:
    def run(coordinator: Coordinator, keyspace: KeyspaceMetadata, level: int) -> None:
        coordinator.assure_cas(keyspace, serial, level, token=7)
        assert coordinator.levels(keyspace, RequestKind.CAS_COMMIT)[level] is None

    return run


OPERATIONS = {
    "write": lookup(RequestKind.WRITE),
    "read": lookup(RequestKind.READ),
    "scan": lookup(RequestKind.SCAN),
    "counter": lookup(RequestKind.COUNTER),
    "logged": lookup(RequestKind.BATCH),
    "logged1": lookup(RequestKind.BATCH),
    "unlogged": lookup(RequestKind.BATCH),
    "counterbatch": lookup(RequestKind.BATCH),
    "cas": cas(Consistency.SERIAL),
    "cas_local": cas(Consistency.LOCAL_SERIAL),
}


def outcome_of(run: Callable[[], None]) -> str:
    try:
        run()
    except Unavailable as error:
        return f"1000 {error.message} {Consistency(error.consistency).name} {error.required} {error.alive}"
    except RequestError as error:
        return f"{error.code:04x} {error.message}"
    return "ok"


def test_every_level_of_every_request_answers_as_recorded() -> None:
    outcomes = recorded()
    assert len(outcomes) == 12 * len(OPERATIONS) * len(KEYSPACES)
    coordinator = Coordinator(LOCAL, Ring([LOCAL]))
    differing = []
    for level, operation, keyspace, expected in outcomes:
        run = OPERATIONS[operation]
        found = outcome_of(lambda: run(coordinator, KEYSPACES[keyspace], Consistency[level]))  # noqa: B023
        if found != expected:
            differing.append((level, operation, keyspace, expected, found))
    assert differing == []


def test_a_number_that_is_no_level_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match="Unknown code 12 for a consistency level"):
        consistency_of(12)


def test_lookup_with_another_node_gives_a_plan_and_never_answers_alone() -> None:
    coordinator = Coordinator(LOCAL, Ring([LOCAL, OTHER]))
    plan = coordinator.levels(KEYSPACES["s1"], RequestKind.WRITE)[Consistency.ONE]
    assert plan is not None
    assert plan.to_write(10).replicas == (LOCAL,)
    assert plan.to_write(50).replicas == (OTHER,)
    both = coordinator.levels(KEYSPACES["s3"], RequestKind.WRITE)[Consistency.QUORUM]
    assert both is not None
    written = both.to_write(10)
    assert (written.live, written.required) == ((LOCAL, OTHER), 2)


def test_levels_are_worked_out_anew_when_a_node_goes_down() -> None:
    down: list[Node] = []
    coordinator = Coordinator(LOCAL, Ring([LOCAL, OTHER]), lambda node: node not in down)
    levels = coordinator.levels(KEYSPACES["s3"], RequestKind.READ)
    plan = levels[Consistency.TWO]
    assert plan is not None
    assert plan.to_read(0).required == 2
    down.append(OTHER)
    coordinator.liveness_changed()
    assert not levels
    plan = levels[Consistency.TWO]
    assert plan is not None
    with pytest.raises(Unavailable) as caught:
        plan.to_read(0)
    assert (caught.value.required, caught.value.alive) == (2, 1)


def test_each_quorum_counts_every_datacenter() -> None:
    strategy = NetworkTopologyStrategy({"datacenter1": 3, "dc2": 1})
    far = Node(UUID(int=3), "10.0.0.1", datacenter="dc2")
    assert assure_sufficient(Consistency.EACH_QUORUM, strategy, (LOCAL, OTHER, far), "datacenter1") == 3
    with pytest.raises(Unavailable, match="EACH_QUORUM in DC dc2"):
        assure_sufficient(Consistency.EACH_QUORUM, strategy, (LOCAL, OTHER), "datacenter1")


def test_local_levels_do_not_count_other_datacenters() -> None:
    strategy = NetworkTopologyStrategy({"datacenter1": 1, "dc2": 1})
    far = Node(UUID(int=3), "10.0.0.1", datacenter="dc2")
    with pytest.raises(Unavailable) as caught:
        assure_sufficient(Consistency.LOCAL_ONE, strategy, (far,), "datacenter1")
    assert (caught.value.required, caught.value.alive) == (1, 0)


def test_virtual_keyspaces_answer_at_every_read_level() -> None:
    keyspace = KeyspaceMetadata("system_views", KeyspaceParams({}), is_virtual=True)
    levels = Coordinator(LOCAL, Ring([LOCAL])).levels(keyspace, RequestKind.READ)
    assert levels[Consistency.ALL] is None
    assert levels[Consistency.THREE] is None


def test_local_levels_of_one_replica_of_three() -> None:
    coordinator = Coordinator(LOCAL, Ring([LOCAL]))
    names = {Consistency(code).name for code in coordinator.local_levels(KEYSPACES["s3"], RequestKind.WRITE)}
    assert names == {"ANY", "ONE", "LOCAL_ONE"}


def test_what_was_worked_out_outlives_new_tables_and_goes_with_its_keyspace() -> None:
    coordinator = Coordinator(LOCAL, Ring((LOCAL,)))
    keyspace = KEYSPACES["s1"]
    levels = coordinator.levels(keyspace, RequestKind.WRITE)
    with_a_table = replace(keyspace, tables={})
    assert coordinator.levels(with_a_table, RequestKind.WRITE) is levels
    counters = coordinator.levels(keyspace, RequestKind.COUNTER, "n")
    assert coordinator.levels(with_a_table, RequestKind.COUNTER, "n") is counters
    coordinator.forget_table(keyspace.name, "n")
    assert [key[1] for key in coordinator._levels] == [RequestKind.WRITE]
    altered = replace(keyspace, params=replace(keyspace.params, durable_writes=False))
    assert coordinator.levels(altered, RequestKind.WRITE) is not levels
    coordinator.forget_keyspace(keyspace.name)
    assert not coordinator._levels
    assert not coordinator._strategies
