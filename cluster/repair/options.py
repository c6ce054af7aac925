"""What a repair is asked for (repair/messages/RepairOption.java)."""

from dataclasses import dataclass
from enum import Enum

from cluster.repair.asking import RepairFailed
from cluster.repair.validation import Looked
from cluster.streaming.ranges import TokenRange

JOB_THREADS_MAX = 4


class Parallelism(Enum):
    """Which replicas build trees at the same time: all, one, or one of each datacenter."""

    PARALLEL = "parallel"
    SEQUENTIAL = "sequential"
    DATACENTER_AWARE = "dc_parallel"


class Preview(Enum):
    """Whether differences are only told, and of which data."""

    NONE = "NONE"
    ALL = "ALL"
    UNREPAIRED = "UNREPAIRED"
    REPAIRED = "REPAIRED"

    @property
    def looked(self) -> Looked:
        return _LOOKED[self]


_LOOKED = {
    Preview.NONE: Looked.ALL,
    Preview.ALL: Looked.ALL,
    Preview.UNREPAIRED: Looked.UNREPAIRED,
    Preview.REPAIRED: Looked.REPAIRED,
}


@dataclass(frozen=True, slots=True)
class RepairOptions:
    """`tables` (), `ranges` (): all that the node has. `pulls`: only this node gets what it lacks. `is_forced`: without
    those that are down."""

    parallelism: Parallelism = Parallelism.PARALLEL
    is_primary_range: bool = False
    is_incremental: bool = False
    job_threads: int = 1
    tables: tuple[str, ...] = ()
    datacenters: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    preview: Preview = Preview.NONE
    ranges: tuple[TokenRange, ...] = ()
    pulls: bool = False
    is_forced: bool = False
    optimises_streams: bool = False
    ignores_unreplicated: bool = False
    repairs_paxos: bool = True
    is_paxos_only: bool = False

    def check(self) -> None:
        """Raises RepairFailed for what can't be together."""
        if self.job_threads > JOB_THREADS_MAX:
            raise RepairFailed(f"Too many job threads. Max is {JOB_THREADS_MAX}")
        if self.datacenters and self.hosts:
            raise RepairFailed("Cannot combine -dc and -hosts options.")
        if self.is_primary_range and (len(self.datacenters) > 1 or self.hosts):
            raise RepairFailed("You need to run primary range repair on all nodes in the cluster.")
        if self.pulls and len(self.hosts) != 2:
            raise RepairFailed(
                "Pull repair can only be performed between two hosts. Please specify two hosts, one of which must be this "
                "host."
            )
        if self.pulls and not self.ranges:
            raise RepairFailed(
                "Token ranges must be specified when performing pull repair. Please specify at least one token range which "
                "both hosts have in common."
            )

    def told(self, range_count: int) -> str:
        """As the first line of a repair has it."""
        facts = {
            "parallelism": self.parallelism.value,
            "primary range": self.is_primary_range,
            "incremental": self.is_incremental,
            "job threads": self.job_threads,
            "ColumnFamilies": self.tables,
            "dataCenters": self.datacenters,
            "hosts": self.hosts,
            "previewKind": self.preview.value,
            "# of ranges": range_count,
            "pull repair": self.pulls,
            "force repair": self.is_forced,
            "optimise streams": self.optimises_streams,
            "ignore unreplicated keyspaces": self.ignores_unreplicated,
            "repairPaxos": self.repairs_paxos,
            "paxosOnly": self.is_paxos_only,
        }
        return f"repair options ({', '.join(f'{name}: {_java(value)}' for name, value in facts.items())})"


def _java(value: object) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return str(value).lower() if isinstance(value, bool) else str(value)
