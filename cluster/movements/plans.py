"""What has to move when one ring becomes another one (dht/RangeStreamer.java, locator/RangeCalculator)."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from cluster.coordination.plans import nearest_first
from cluster.replication import ReplicationStrategy
from cluster.ring import Node, Ring
from cluster.streaming.messages import TableRanges
from cluster.streaming.ranges import TokenRange
from protocol.errors import MovementRefused
from storage.schema.metadata import KeyspaceMetadata, TableMetadata

log = logging.getLogger("cqlserver.cluster")

Ranges = dict[str, list[TokenRange]]
"""By keyspace."""


class Change(NamedTuple):
    """Of one range: who holds it `before`, who will besides, and who won't any more."""

    range: TokenRange
    before: tuple[Node, ...]
    gaining: tuple[Node, ...]
    losing: tuple[Node, ...]


def changes(strategy: ReplicationStrategy, before: Ring, after: Ring, local: Node) -> Iterator[Change]:
    """All ranges of which somebody gains or loses something."""
    tokens = sorted({*before.tokens, *after.tokens})
    for index, end in enumerate(tokens):
        old = strategy.replicas(end, before, local)
        new = strategy.replicas(end, after, local)
        gaining = tuple(node for node in new if node not in old)
        losing = tuple(node for node in old if node not in new)
        if gaining or losing:
            yield Change(TokenRange(tokens[index - 1], end), old, gaining, losing)


def without(ring: Ring, *nodes: Node) -> Ring:
    return Ring(node for node in ring.nodes if node not in nodes)


def having(ring: Ring, node: Node) -> Ring:
    """The ring when a node has the tokens that it says it has, and no others."""
    return Ring([*(other for other in ring.nodes if other != node), node])


def to_fetch(
    strategies: Mapping[str, ReplicationStrategy],
    before: Ring,
    after: Ring,
    local: Node,
    is_source: Callable[[Node], bool],
    is_strict: bool,
) -> dict[Node, Ranges]:
    """What `local` gains, by the node to have it from. `is_strict`: from who loses it, where somebody does: he has all that
    was acknowledged of it. Raises MovementRefused where nobody has it who is a source."""
    found: dict[Node, Ranges] = {}
    for keyspace, strategy in strategies.items():
        for change in changes(strategy, before, after, local):
            if local in change.gaining and change.before:
                source = _maybe_source(keyspace, strategy, change, local, is_source, is_strict)
                if source is None:
                    continue
                found.setdefault(source, {}).setdefault(keyspace, []).append(change.range)
    return found


def _maybe_source(
    keyspace: str,
    strategy: ReplicationStrategy,
    change: Change,
    local: Node,
    is_source: Callable[[Node], bool],
    is_strict: bool,
) -> Node | None:
    """None where the only copy is gone for good."""
    losing = change.losing if is_strict else ()
    for node in nearest_first(losing or change.before, local):
        if is_source(node):
            return node
    if losing:
        raise MovementRefused(
            f"A node required to move the data consistently is down ({_address(losing[0])}). If you wish to move the data "
            "from a potentially inconsistent replica, restart the node with -Dcassandra.consistent.rangemovement=false"
        )
    what = f"Unable to find sufficient sources for streaming range {change.range} in keyspace {keyspace}"
    if strategy.replication_factor > 1:
        raise MovementRefused(what)
    if is_strict:
        raise MovementRefused(f"{what} with RF=1. Ensure this keyspace contains replicas in the source datacenter.")
    log.warning("%s with RF=1. Keyspace might be missing data.", what)
    return None


def _address(node: Node) -> str:
    return f"/{node.address}:{node.port}"


def to_push(
    strategies: Mapping[str, ReplicationStrategy], before: Ring, after: Ring, local: Node
) -> dict[Node, Ranges]:
    """What `local` loses, by the node that gains it."""
    found: dict[Node, Ranges] = {}
    for keyspace, strategy in strategies.items():
        for change in changes(strategy, before, after, local):
            if local in change.losing:
                for node in change.gaining:
                    found.setdefault(node, {}).setdefault(keyspace, []).append(change.range)
    return found


def tasks(keyspaces: Iterable[KeyspaceMetadata], ranges: Ranges) -> list[TableRanges]:
    """The ranges of all tables and views of these keyspaces."""
    return [
        TableRanges(table.id, tuple(ranges[keyspace.name]))
        for keyspace in keyspaces
        if keyspace.name in ranges
        for table in _tables(keyspace)
    ]


def _tables(keyspace: KeyspaceMetadata) -> Sequence[TableMetadata]:
    return [*keyspace.tables.values(), *(view.table for view in keyspace.views.values())]
