"""What the ring knows of a new node's address before the node says anything of itself (Gossiper.doShadowRound): another node
that is down may have it.

That one would seem to be back, with nothing of what it had. So a new node is refused there, unless it is told to take the
other's place: then it takes its host id and tokens, too.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, cast
from uuid import UUID

import trio

from cluster.gossip.encoding import VERBS, decode_gossip, encode_gossip
from cluster.gossip.endpoint import ApplicationState, Endpoint, EndpointState
from cluster.gossip.gossiper import PARTITIONER
from cluster.gossip.messages import Ack, Syn
from cluster.gossip.status import DEAD, Status, parse_status
from cluster.internode.frames import Message
from cqlserver.clustering.connecting import Connecting
from cqlserver.clustering.incoming import Incoming
from cqlserver.clustering.station import Station
from cqlserver.clustering.tcp import Wire
from cqlserver.node import Node
from cqlserver.plans.compiler import Compiler
from cqlserver.program.server import StartupError
from protocol.errors import CorruptionError, PeerError
from storage.local_node import save_local_node

ASK_S: Final = 0.1
"""How often it is asked for, until somebody answers."""
_NEVER_MEMBERS: Final = frozenset((Status.BOOTSTRAPPING, Status.BOOTSTRAPPING_REPLACE))


class _Listening:
    """In the place of a station: it keeps what is said of one endpoint, and answers nothing."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self.state: EndpointState | None = None
        self.has_heard = trio.Event()

    def take(self, sender: Endpoint, messages: Sequence[Message]) -> bool:
        try:
            for message in messages:
                found = decode_gossip(message.verb, message.body) if message.verb in VERBS else None
                if isinstance(found, Ack):
                    self.state = found.states.get(self._endpoint)
                    self.has_heard.set()
        except (PeerError, CorruptionError):
            return False
        return True

    def flush(self) -> None:
        pass

    def answer_clients(self) -> None:
        pass


async def settled(
    node: Node, seeds: Sequence[Endpoint], how: Connecting, listen: Callable[[], list[trio.SocketListener]]
) -> Node:
    """A new node, or the one whose place at its address it takes. Raises StartupError."""
    own = Endpoint(node.ring_node.address, node.ring_node.port)
    former = await _asked(node, own, seeds, how, listen)
    replaces_itself = node.config.ring.replaces == own.address
    text = None if former is None else former.get(ApplicationState.STATUS_WITH_PORT)
    status = None if text is None else parse_status(text)
    was_member = status is not None and status.status not in DEAD and status.status not in _NEVER_MEMBERS
    if not replaces_itself:
        if was_member:
            raise StartupError(
                f"A node with address {own} already exists, cancelling join. Use cassandra.replace_address if you want to "
                "replace this node."
            )
        return node
    host_id = None if former is None else former.get(ApplicationState.HOST_ID)
    if former is None or host_id is None:
        raise StartupError(f"Cannot replace_address /{own.address} because it doesn't exist in gossip")
    tokens = tuple(int(token) for token in (former.get(ApplicationState.TOKENS) or "").split(",") if token)
    if not tokens:
        raise StartupError(f"Could not find tokens for /{own.address} to replace")
    local = replace(node.local, host_id=UUID(host_id), tokens=tokens)
    save_local_node(node.engine, local)
    node.engine.host_id = local.host_id
    found = Node(node.environment, node.config, node.engine, local, Compiler)
    found.port = node.port
    return found


async def _asked(
    node: Node,
    own: Endpoint,
    seeds: Sequence[Endpoint],
    how: Connecting,
    listen: Callable[[], list[trio.SocketListener]],
) -> EndpointState | None:
    """What the first one who answers knows. Raises StartupError where nobody does."""
    cluster_name = node.local.cluster_name
    wire, listening = Wire(own, cluster_name, node.local.host_id, how), _Listening(own)
    wire.incoming = incoming = Incoming(cast(Station, listening))
    verb, body = encode_gossip(Syn(cluster_name, PARTITIONER, ()))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(incoming.run)
        await nursery.start(wire.run, listen())
        with trio.move_on_after(node.config.ring.ring_delay_ms / 1000):
            while not listening.has_heard.is_set():
                for seed in seeds:
                    wire.carry(seed, [Message(verb, 0, body)])
                with trio.move_on_after(ASK_S):
                    await listening.has_heard.wait()
        nursery.cancel_scope.cancel()
    if not listening.has_heard.is_set():
        raise no_peers(seeds)
    return listening.state


def no_peers(seeds: Sequence[Endpoint]) -> StartupError:
    return StartupError(f"Unable to gossip with any peers: of {', '.join(map(str, seeds))} none answers")
