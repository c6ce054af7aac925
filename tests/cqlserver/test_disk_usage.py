"""Writes while disks are nearly full: who is warned of it, and who is refused."""

import logging
from types import SimpleNamespace
from uuid import UUID

import pytest

from cluster.coordinator import Coordinator
from cluster.gossip.endpoint import ApplicationState, Endpoint
from cluster.ring import Node as RingNode
from cluster.ring import Ring
from cqlserver.disk_usage import TELLS_EVERY_S, DiskUsage, DiskUsageState
from cqlserver.guardrails import Guarded
from protocol.errors import InvalidRequest
from protocol.types import INT
from storage.environment.environment import Space
from storage.schema.metadata import ColumnKind, ColumnMetadata, KeyspaceMetadata, KeyspaceParams, TableMetadata

FULL = "Guardrail replica_disk_usage violated: Write request failed because disk usage exceeds failure threshold"
STUFFED = "Guardrail replica_disk_usage violated: Replica disk usage exceeds warning threshold"
TABLE = TableMetadata("ks", "t", UUID(int=1), (ColumnMetadata("k", INT, ColumnKind.PARTITION_KEY, 0),))
KEY = b"\0\0\0\1"


def node(held: int, usable: int | None, **guardrails: int) -> SimpleNamespace:
    """With so many bytes in its memtables; `usable` None: it keeps nothing on disk."""
    local = RingNode(UUID(int=1), "127.0.0.1", tokens=(0,))
    store = SimpleNamespace(memtable=SimpleNamespace(live_bytes=held), flushed=())
    disk = SimpleNamespace(space=lambda folder: Space(1 << 40, usable or 0))
    replication = {"class": "org.apache.cassandra.locator.SimpleStrategy", "replication_factor": "2"}
    return SimpleNamespace(
        config=SimpleNamespace(guardrails=guardrails, data=None if usable is None else "data"),
        engine=SimpleNamespace(stores={1: store}),
        environment=SimpleNamespace(clock=SimpleNamespace(monotonic=Clock()), disk=disk),
        member=None,
        ring_node=local,
        coordinator=Coordinator(local, Ring((local,))),
        keyspace_of=lambda table: KeyspaceMetadata("ks", KeyspaceParams(replication=replication)),
    )


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def both(warn: int, fail: int) -> dict[str, int]:
    return {"data_disk_usage_percentage_warn_threshold": warn, "data_disk_usage_percentage_fail_threshold": fail}


@pytest.mark.parametrize(
    ("held", "state"),
    [
        (500, DiskUsageState.SPACIOUS),
        (501, DiskUsageState.STUFFED),  # 50.1 %, rounded up
        (800, DiskUsageState.STUFFED),
        (801, DiskUsageState.FULL),
    ],
)
def test_the_state_follows_from_what_is_used_of_the_disk(held: int, state: DiskUsageState) -> None:
    usage = DiskUsage(node(held, 1000, **both(50, 80)))
    usage.look()
    assert usage.state is state


def test_without_thresholds_and_without_a_disk_nothing_is_known() -> None:
    for where in (node(999, 1000), node(999, None, **both(50, 80))):
        usage = DiskUsage(where)
        usage.look()
        assert usage.state is DiskUsageState.NOT_AVAILABLE


def test_the_disk_may_be_called_smaller() -> None:
    for usable in (1 << 30, None):
        usage = DiskUsage(node(90, usable, data_disk_usage_max_disk_size=100, **both(50, 80)))
        usage.look()
        assert usage.state is DiskUsageState.FULL


def test_a_full_disk_refuses_writes_and_is_told_once_in_half_an_hour(caplog: pytest.LogCaptureFixture) -> None:
    here = node(900, 1000, **both(50, 80))
    usage, warnings = DiskUsage(here), list[str]()
    guarded = Guarded({}, warnings.append)
    with caplog.at_level(logging.WARNING, "cqlserver.guardrails"):
        usage.look()
        usage.look()
    assert [record.message for record in caplog.records] == [
        "Guardrail local_data_disk_usage violated: Local data disk usage 90%(Full) exceeds failure threshold of 80%, "
        "will stop accepting writes"
    ]
    for expected in ([FULL], [FULL], [FULL, FULL]):
        with pytest.raises(InvalidRequest) as caught:
            usage.check(guarded, TABLE, (KEY,))
        assert caught.value.message == FULL
        assert warnings == expected
        here.environment.clock.monotonic.now_s += TELLS_EVERY_S / 2


def test_a_disk_with_room_again_takes_writes() -> None:
    here = node(900, 1000, **both(50, 80))
    usage = DiskUsage(here)
    usage.look()
    here.engine.stores[1].memtable.live_bytes = 100
    usage.look()
    usage.check(Guarded({}, pytest.fail), TABLE, (KEY,))


class Gossip:
    """What two nodes say."""

    def __init__(self) -> None:
        self.said: dict[Endpoint, str] = {}
        self.endpoints = (Endpoint("127.0.0.1", 7000), Endpoint("127.0.0.2", 7000))

    def say(self, states: dict[ApplicationState, str]) -> None:
        self.said[self.endpoints[0]] = states[ApplicationState.DISK_USAGE]

    def maybe_state(self, endpoint: Endpoint) -> SimpleNamespace:
        return SimpleNamespace(get=lambda key: self.said.get(endpoint))


@pytest.fixture
def pair() -> tuple[DiskUsage, Gossip]:
    here, gossip = node(600, 1000, **both(50, 80)), Gossip()
    other = RingNode(UUID(int=2), "127.0.0.2", tokens=(1 << 40,))
    here.coordinator = Coordinator(here.ring_node, Ring((here.ring_node, other)))
    here.member = SimpleNamespace(cluster=SimpleNamespace(gossiper=gossip))
    return DiskUsage(here), gossip


def test_nodes_tell_each_other_and_the_fullest_replica_counts(pair: tuple[DiskUsage, Gossip]) -> None:
    usage, gossip = pair
    warnings: list[str] = []
    guarded = Guarded({}, warnings.append)
    usage.check(guarded, TABLE, (KEY,))
    assert not warnings
    usage.look()
    assert gossip.said == {gossip.endpoints[0]: "STUFFED"}
    usage.check(guarded, TABLE, (KEY,))
    assert warnings == [STUFFED]
    gossip.said[gossip.endpoints[1]] = "FULL"
    with pytest.raises(InvalidRequest):
        usage.check(guarded, TABLE, (KEY,))
    gossip.said[gossip.endpoints[1]] = "WHATEVER"  # of a later version
    usage.check(guarded, TABLE, (KEY,))
