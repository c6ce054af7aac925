"""Which ranges a repair is about, and with whom each is compared (service/ActiveRepairService.java, getNeighbors)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cluster.repair.asking import RepairFailed
from cluster.repair.options import RepairOptions
from cluster.replication import ReplicationStrategy
from cluster.ring import Node, Ring
from cluster.streaming.ranges import TokenRange, contains, owned_ranges


@dataclass(frozen=True, slots=True)
class CommonRange:
    """Ranges that the same other nodes have. `is_short`: some that have it are left out."""

    neighbours: tuple[Node, ...]
    ranges: tuple[TokenRange, ...]
    is_short: bool = False

    def told(self) -> str:
        return f"[{', '.join(map(str, self.ranges))}]"


def asked_ranges(options: RepairOptions, strategy: ReplicationStrategy, ring: Ring, local: Node) -> tuple[TokenRange, ...]:
    if options.ranges:
        return options.ranges
    if not options.is_primary_range:
        return owned_ranges(strategy, ring, local)
    if not options.datacenters:
        return primary_ranges(strategy, ring, local)
    return _primary_within_datacenter(strategy, ring, local)


def primary_ranges(strategy: ReplicationStrategy, ring: Ring, local: Node) -> tuple[TokenRange, ...]:
    """Those of which the node is the first replica."""
    found = []
    for start, end, _ in ring.ranges():
        replicas = strategy.replicas(end, ring, local)
        if replicas and replicas[0] == local:
            found.append(TokenRange(start, end))
    return tuple(found)


def _primary_within_datacenter(strategy: ReplicationStrategy, ring: Ring, local: Node) -> tuple[TokenRange, ...]:
    """Those of which it is the first replica of its datacenter."""
    found = []
    for start, end, _ in ring.ranges():
        there = [node for node in strategy.replicas(end, ring, local) if node.datacenter == local.datacenter]
        if there and there[0] == local:
            found.append(TokenRange(start, end))
    return tuple(found)


def common_ranges(
    options: RepairOptions,
    keyspace: str,
    ranges: Sequence[TokenRange],
    strategy: ReplicationStrategy,
    ring: Ring,
    local: Node,
) -> list[CommonRange]:
    """The ranges by who else has them. Raises RepairFailed."""
    owned = owned_ranges(strategy, ring, local)
    found: dict[tuple[Node, ...], list[TokenRange]] = {}
    for range_ in ranges:
        neighbours = _neighbours(options, keyspace, range_, owned, strategy, ring, local)
        if neighbours:
            found.setdefault(neighbours, []).append(range_)
        elif not options.ignores_unreplicated:
            raise RepairFailed(f"Nothing to repair for {range_} in {keyspace} - aborting")
    return [CommonRange(neighbours, tuple(together)) for neighbours, together in found.items()]


def _neighbours(
    options: RepairOptions,
    keyspace: str,
    range_: TokenRange,
    owned: Sequence[TokenRange],
    strategy: ReplicationStrategy,
    ring: Ring,
    local: Node,
) -> tuple[Node, ...]:
    """Who else has a range, in the order of their addresses. Raises RepairFailed."""
    if not any(_encloses(whole, range_) for whole in owned):
        for whole in owned:
            if _intersects(whole, range_):
                raise RepairFailed(
                    f"Requested range {range_} intersects a local range ({whole}) but is not fully contained in one; this "
                    f"would lead to imprecise repair. keyspace: {keyspace}"
                )
        return ()
    others = [node for node in strategy.replicas(range_.end, ring, local) if node != local]
    if options.datacenters:
        others = [node for node in others if node.datacenter in options.datacenters]
    elif options.hosts:
        if local.address not in options.hosts:
            raise RepairFailed("The current host must be part of the repair")
        named = [node for node in others if node.address in options.hosts]
        if not named:
            shared = ", ".join(f"/{node.address}:{node.port}" for node in others)
            raise RepairFailed(
                f"Specified hosts [{', '.join(options.hosts)}] do not share range {range_} needed for repair. Either "
                "restrict repair ranges with -st/-et options, or specify one of the neighbors that share this range with "
                f"this node: [{shared}]."
            )
        others = named
    return tuple(sorted(others, key=lambda node: (node.address, node.port)))


def without_dead(common: Sequence[CommonRange], alive: Sequence[Node]) -> list[CommonRange]:
    """The ranges with those alone that are up. Raises RepairFailed where nobody is."""
    found = []
    for each in common:
        neighbours = tuple(node for node in each.neighbours if node in alive)
        if neighbours:
            found.append(replace(each, neighbours=neighbours, is_short=neighbours != each.neighbours))
    if not found:
        raise RepairFailed("Not enough live endpoints for a repair")
    return found


def _encloses(whole: TokenRange, part: TokenRange) -> bool:
    if whole.start == whole.end:
        return True
    if not contains(whole, part.end):
        return False
    if part.start == whole.start:
        return True
    # neither goes around further than the other: the part's start lies within, and before its end
    return contains(whole, part.start) and _distance(whole.start, part.start) < _distance(whole.start, part.end)


def _intersects(one: TokenRange, other: TokenRange) -> bool:
    return contains(one, other.end) or contains(other, one.end)


def _distance(start: int, token: int) -> int:
    return (token - start) % (1 << 64)
