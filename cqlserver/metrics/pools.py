"""What goes on as Cassandra's thread pools tell it, for `nodetool tpstats` and system_views.thread_pools. There are no such
threads here: each pool's numbers are those of the work that Cassandra has it for. Nothing is ever blocked: who has too much
under way is not read from."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple, Protocol

from cqlserver.metrics.meters import Kind, Metering
from storage.background import Lane
from storage.engine import Engine


class Pool(NamedTuple):
    """`limit`: how many of its tasks may go on at once, as Cassandra has it with default settings on two cores."""

    name: str
    limit: int
    active: int = 0
    pending: int = 0
    completed: int = 0


class Pooled(Protocol):
    """A node. `sessions`: with what they have `waiting`, and how much is under way in steps (`pending_count`)."""

    engine: Engine
    metering: Metering

    @property
    def sessions(self) -> Iterable[object]: ...


_Numbers = tuple[int, int, int]
"""(active, pending, completed)."""
_READS: Final = frozenset((Kind.READ, Kind.RANGE, Kind.CAS_READ))


def _nothing(node: Pooled) -> _Numbers:
    return 0, 0, 0


def _lane(lane: Lane) -> Callable[[Pooled], _Numbers]:
    def numbers(node: Pooled) -> _Numbers:
        background = node.engine.background
        pending = len(background.waiting(lane))
        active = sum(task.lane is lane for task in background.tasks) - pending
        ended = sum(count for (of, _), count in background.tallies.items() if of is lane)
        return active, pending, ended

    return numbers


def _requests(is_read: bool) -> Callable[[Pooled], _Numbers]:
    def numbers(node: Pooled) -> _Numbers:
        return 0, 0, sum(meter.count for meter in node.metering.meters() if (meter.kind in _READS) == is_read)

    return numbers


def _clients(node: Pooled) -> _Numbers:
    sessions = list(node.sessions)
    active = sum(getattr(session, "pending_count", 0) for session in sessions)
    pending = sum(len(getattr(session, "waiting", ())) for session in sessions)
    return active, pending, node.metering.native_count


_POOLS: Final[tuple[tuple[str, int, Callable[[Pooled], _Numbers]], ...]] = (
    # in the order in which nodetool tells of them, which is that of a Java hash map
    ("RequestResponseStage", 2, _nothing),
    ("MutationStage", 32, _requests(is_read=False)),
    ("ReadStage", 32, _requests(is_read=True)),
    ("CompactionExecutor", 2, _lane(Lane.COMPACTION)),
    ("SecondaryIndexExecutor", 2, _nothing),
    ("MemtableReclaimMemory", 1, _lane(Lane.FLUSH)),
    ("PendingRangeCalculator", 1, _nothing),
    ("GossipStage", 1, _nothing),
    ("SecondaryIndexManagement", 1, _nothing),
    ("HintsDispatcher", 2, _nothing),
    ("StatusPropagationExecutor", 1, _nothing),
    ("MigrationStage", 1, _nothing),
    ("MemtablePostFlush", 1, _lane(Lane.FLUSH)),
    ("PerDiskMemtableFlushWriter_0", 2, _lane(Lane.FLUSH)),
    ("ValidationExecutor", 2, _nothing),
    ("Sampler", 1, _nothing),
    ("ViewBuildExecutor", 1, _lane(Lane.VIEW_BUILD)),
    ("MemtableFlushWriter", 2, _lane(Lane.FLUSH)),
    ("CacheCleanupExecutor", 1, _nothing),
    ("Native-Transport-Auth-Requests", 4, _nothing),
    ("Native-Transport-Requests", 128, _clients),
)


def pools(node: Pooled) -> Iterator[Pool]:
    for name, limit, numbers in _POOLS:
        yield Pool(name, limit, *numbers(node))
