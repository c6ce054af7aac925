"""What all nodes of one process have at a moment, and how they come to have it again: `snapshot` and `restore` of a cluster.

Nobody is served meanwhile, and nothing is on its way between the nodes: what was acknowledged by some of them and has not
reached the others is waited for. Hints that were kept since are for rows that are gone. On disk each node keeps and brings
back its own part as a single one does (control/kept_state.py), all in one go.
"""

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from cqlserver.clustering.in_process import LocalCluster
from cqlserver.control import saved_state
from cqlserver.control.context import Control, settle
from cqlserver.control.saved_state import SavedState
from cqlserver.node import Node
from storage.engine import Engine

if TYPE_CHECKING:
    from cqlserver.control.kept_state import KeptState

T = TypeVar("T")
QUIET_S: Final = 5.0
"""How long what is on its way is waited for: longer than a write takes that a paused node does not answer."""


class NotAll(Exception):
    """A node of the cluster does not run."""


@dataclass(frozen=True, slots=True)
class SavedCluster:
    """By the node's address."""

    states: Mapping[str, SavedState]


@dataclass(frozen=True, slots=True)
class KeptCluster:
    """The same of one that keeps its data: of these lives of the nodes, for the next one has other tables."""

    states: "Mapping[str, KeptState]"
    engines: Mapping[str, Engine]


async def save(cluster: LocalCluster, only: str | None) -> SavedCluster:
    """Raises NotAll."""
    nodes = _nodes(cluster)
    save_now = lambda: {address: saved_state.save(node, only) for address, node in nodes.items()}  # noqa: E731
    return SavedCluster(await _exclusively(cluster, nodes, save_now))


async def keep(cluster: LocalCluster, name: str, only: str | None) -> KeptCluster:
    """Raises NotAll, StorageError, Refused."""
    from cqlserver.control import kept_state

    nodes = _nodes(cluster)
    kept = await kept_state.save_all(list(nodes.values()), name, partial(_exclusively, cluster, nodes), only)
    engines = {address: node.engine for address, node in nodes.items()}
    return KeptCluster(dict(zip(nodes, kept, strict=True)), engines)


async def forget_kept(cluster: LocalCluster, kept: KeptCluster) -> None:
    """Removes what is on disk of it. Of a node that does not run its next start does that."""
    from cqlserver.control import kept_state

    for part in cluster.parts:
        state = kept.states.get(part.config.host)
        if state is not None and part.node is not None:
            await kept_state.forget(part.node, state.folder)


async def bring_back(cluster: LocalCluster, saved: SavedCluster, with_schema: bool) -> None:
    """Raises NotAll."""
    nodes = _nodes(cluster)
    if nodes.keys() != saved.states.keys():
        raise NotAll

    def bring_back_now() -> None:
        for address, node in nodes.items():
            saved_state.bring_back(node, saved.states[address], with_schema, spreads=False)
        _forget_hints(nodes)

    await _exclusively(cluster, nodes, bring_back_now)


async def bring_kept_back(control: Control, cluster: LocalCluster, kept: KeptCluster, with_schema: bool) -> None:
    """Raises NotAll, Refused, OSError."""
    from cqlserver.control import kept_state

    nodes = _nodes(cluster)
    if {address: node.engine for address, node in nodes.items()} != kept.engines:
        raise NotAll

    async def exclusively(bring_back_now: Callable[[], bool]) -> bool:
        def bring_back() -> bool:
            is_done = bring_back_now()
            if is_done:
                _forget_hints(nodes)
            return is_done

        return await _exclusively(cluster, nodes, bring_back)

    states = [(node, kept.states[address]) for address, node in nodes.items()]
    await kept_state.bring_all_back(control, states, with_schema, exclusively)
    for node in nodes.values():
        await settle(node)


def _nodes(cluster: LocalCluster) -> dict[str, Node]:
    """Those of the ring, by their addresses. Raises NotAll."""
    nodes: dict[str, Node] = {}
    for part in cluster.parts:
        if part.has_left:
            continue
        if part.node is None or part.listener is None:
            raise NotAll
        nodes[part.config.host] = part.node
    return nodes


async def _exclusively(cluster: LocalCluster, nodes: Mapping[str, Node], action: Callable[[], T]) -> T:
    """Calls `action` while no node has a request under way. Raises NotAll where they are other nodes by then."""
    async with AsyncExitStack() as stack:
        for part in cluster.parts:
            if part.listener is not None:
                await stack.enter_async_context(part.listener.held())
        with trio.move_on_after(QUIET_S):
            while cluster.has_messages or any(_waits(node) for node in nodes.values()):
                await trio.sleep(0.001)
        if _nodes(cluster) != nodes:
            raise NotAll
        result = action()
        for part in cluster.parts:
            if part.station is not None:
                part.station.flush()
        return result


def _forget_hints(nodes: Mapping[str, Node]) -> None:
    for node in nodes.values():
        assert node.member is not None
        for peer in node.member.cluster.peers:
            node.member.cluster.hints.forget(peer.host_id)


def _waits(node: Node) -> bool:
    """For others, to do what a client asked for."""
    assert node.member is not None
    return bool(node.member.cluster.has_outgoing or len(node.member.cluster.requests))
