"""What all nodes of one process have at a moment, and how they come to have it again: `snapshot` and `restore` of a cluster
that keeps nothing on disk.

Nobody is served meanwhile, and nothing is on its way between the nodes: what was acknowledged by some of them and has not
reached the others is waited for. Hints that were kept since are for rows that are gone.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

import trio

from cqlserver.clustering.in_process import LocalCluster
from cqlserver.control import saved_state
from cqlserver.control.saved_state import SavedState
from cqlserver.node import Node

QUIET_S: Final = 5.0
"""How long what is on its way is waited for: longer than a write takes that a paused node does not answer."""


class NotAll(Exception):
    """A node of the cluster does not run."""


@dataclass(frozen=True, slots=True)
class SavedCluster:
    """By the node's address."""

    states: Mapping[str, SavedState]


async def save(cluster: LocalCluster, only: str | None) -> SavedCluster:
    """Raises NotAll."""
    async with AsyncExitStack() as stack:
        nodes = await _quiet(cluster, stack)
        return SavedCluster({address: saved_state.save(node, only) for address, node in nodes.items()})


async def bring_back(cluster: LocalCluster, saved: SavedCluster, with_schema: bool) -> None:
    """Raises NotAll."""
    async with AsyncExitStack() as stack:
        nodes = await _quiet(cluster, stack)
        if nodes.keys() != saved.states.keys():
            raise NotAll
        for address, node in nodes.items():
            saved_state.bring_back(node, saved.states[address], with_schema, spreads=False)
            assert node.member is not None
            for peer in node.member.cluster.peers:
                node.member.cluster.hints.forget(peer.host_id)
        for part in cluster.parts:
            if part.station is not None:
                part.station.flush()


async def _quiet(cluster: LocalCluster, stack: AsyncExitStack) -> dict[str, Node]:
    """All nodes, of which none has a request under way until the stack is left."""
    nodes: dict[str, Node] = {}
    for part in cluster.parts:
        if part.has_left:
            continue
        if part.node is None or part.listener is None:
            raise NotAll
        nodes[part.config.host] = part.node
        await stack.enter_async_context(part.listener.held())
    with trio.move_on_after(QUIET_S):
        while cluster.has_messages or any(_waits(node) for node in nodes.values()):
            await trio.sleep(0.001)
    return nodes


def _waits(node: Node) -> bool:
    """For others, to do what a client asked for."""
    assert node.member is not None
    return bool(node.member.cluster.has_outgoing or len(node.member.cluster.requests))
