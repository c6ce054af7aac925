"""A process that is one node of a cluster: it finds the others before it opens its port, and tells them when it goes."""

import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import trio

from cluster.gossip.endpoint import ApplicationState, Endpoint
from cluster.gossip.gossiper import INTERVAL_S
from cqlserver.clustering.connecting import PLAIN, Connecting, Place, WireTls, is_in_scope
from cqlserver.clustering.former_life import no_peers, settled
from cqlserver.clustering.incoming import Incoming
from cqlserver.clustering.joining import join, place_in_ring
from cqlserver.clustering.member import Member
from cqlserver.clustering.readiness import make_ready
from cqlserver.clustering.station import Station
from cqlserver.clustering.tcp import BACKLOG, Wire
from cqlserver.connections.listener import Listener
from cqlserver.control.context import Control
from cqlserver.node import Node
from cqlserver.program.config import Config
from cqlserver.program.network_settings import resolved_seeds
from cqlserver.program.server import StartupError
from cqlserver.system.movements import maybe_bootstrap_state

log = logging.getLogger("cqlserver.cluster")

MEET_S: Final = 2.0
"""How long the members that it has heard of are waited for: one of them may be down."""
TOGETHER_S: Final = 30.0
"""How long those are that are started at once."""
LOOK_S: Final = 0.01
CALL_S: Final = 0.1
"""How often seeds are called until they are met: one that is started at the same time may not listen yet."""
SHUT_DOWN_S: Final = 1.0


class Connected:
    """See the module. Raises StartupError where the seeds are none."""

    def __init__(self, node: Node, config: Config, seeds: Sequence[Endpoint]) -> None:
        own = Endpoint(node.ring_node.address, node.ring_node.port)
        place_in_ring(node, own in seeds)
        self.node, self._config = node, config
        self._member = Member(node, seeds)
        cluster = self._member.cluster
        how = connecting(config, self._maybe_place)
        self._wire = Wire(cluster.endpoint, node.local.cluster_name, node.local.host_id, how)
        self._member.traffic = self._wire.traffic
        self._wire.tell = node.border.tell
        self._station = Station(node, self._member, self._wire.carry)
        self._incoming = self._wire.incoming = Incoming(self._station)
        self._is_seed = cluster.endpoint in seeds
        if config.prefers_local:
            self._wire.route = self._local_route

    @classmethod
    async def of(cls, node: Node, config: Config) -> "Connected":
        """With `node` in it, or the one that it is found to be. Raises StartupError."""
        try:
            seeds = [Endpoint(*found) for found in resolved_seeds(config.seeds, config.storage_port)]
        except ValueError as error:
            raise StartupError(str(error)) from None
        own = Endpoint(node.ring_node.address, node.ring_node.port)
        if maybe_bootstrap_state(node.engine) is None and own not in seeds:
            node = await settled(node, seeds, connecting(config, lambda endpoint: None), partial(listeners, node))
        return cls(node, config, seeds)

    def _maybe_place(self, endpoint: Endpoint) -> Place | None:
        """Where a node is, once that is known."""
        state = self._member.cluster.gossiper.maybe_state(endpoint)
        datacenter = None if state is None else state.get(ApplicationState.DC)
        rack = None if state is None else state.get(ApplicationState.RACK)
        return None if datacenter is None or rack is None else (datacenter, rack)

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Tells when it has found the others, and goes on until cancelled. Raises StartupError."""
        async with trio.open_nursery() as nursery:
            await nursery.start(self._wire.run, listeners(self.node))
            nursery.start_soon(self._incoming.run)
            nursery.start_soon(self.node.border.forever, self._station.keep_time)
            if self._config.prefers_local:
                nursery.start_soon(self._follow_routes)
            self._station.start()
            await self._find_others()
            await join(self.node, self._member)
            task_status.started()

    def _local_route(self, endpoint: Endpoint) -> Endpoint:
        """Nodes of this datacenter are reached where they listen, once that is known (ReconnectableSnitchHelper.java)."""
        state = self._member.cluster.gossiper.maybe_state(endpoint)
        if state is None or state.get(ApplicationState.DC) != self.node.ring_node.datacenter:
            return endpoint
        address, colon, port = (state.get(ApplicationState.INTERNAL_ADDRESS_AND_PORT) or "").rpartition(":")
        return Endpoint(address, int(port)) if colon else endpoint

    async def _follow_routes(self) -> None:
        while True:
            await trio.sleep(INTERVAL_S)
            self._wire.follow_routes()

    async def _find_others(self) -> None:
        """A seed may be the first one; others need somebody who knows the schema. Those who are there are met."""
        cluster = self._member.cluster
        with trio.move_on_after(self._config.ring.ring_delay_ms / 1000) as patience:
            await self._call_until(lambda: self._is_seed or cluster.agrees_on_schema)
        if not patience.cancelled_caught:
            together = self._config.ring.nodes_together
            with trio.move_on_after(MEET_S if together == 1 else TOGETHER_S):
                await self._call_until(lambda: cluster.has_met_all and len(cluster.peers) + 1 >= together)
            return
        raise no_peers(cluster.gossiper.seeds)

    async def _call_until(self, condition: Callable[[], bool]) -> None:
        """Calls the seeds again and again meanwhile: the next round of gossip is a second away."""
        called_s = trio.current_time()
        while not condition():
            await trio.sleep(LOOK_S)
            if trio.current_time() - called_s >= CALL_S:
                called_s = trio.current_time()
                self._station.start()

    def serve_with(self, listener: Listener) -> None:
        """What others send is served with what clients do."""
        self._incoming.serve_with(listener)

    async def make_ready(self, listener: Listener) -> None:
        """Before clients connect. Raises StartupError."""
        await make_ready(Control(self.node, listener), self._config)

    async def shut_down(self) -> None:
        self._station.shut_down()
        with trio.move_on_after(SHUT_DOWN_S):
            await self._wire.flushed()


def connecting(config: Config, maybe_place: Callable[[Endpoint], Place | None]) -> Connecting:
    """`maybe_place`: where another node is, as far as that is known. Raises StartupError."""
    settings = config.internode_tls
    if settings is None and config.internode_compression == "none":
        return PLAIN
    own = config.datacenter, config.rack
    tls = None
    if settings is not None:
        from cqlserver.program.tls_settings import TlsError, make_internode_contexts

        try:
            contexts = make_internode_contexts(settings)
        except TlsError as error:
            raise StartupError(str(error)) from None
        tls = WireTls(*contexts, settings.accepting.is_optional, settings.verifies_endpoint)
    encryption = "none" if settings is None else settings.scope
    return Connecting(
        lambda endpoint: is_in_scope(config.internode_compression, own, maybe_place(endpoint)),
        lambda endpoint: is_in_scope(encryption, own, maybe_place(endpoint)),
        tls,
    )


def listeners(node: Node) -> list[trio.SocketListener]:
    """Where other nodes call. Raises StartupError."""
    addresses = {node.listen_address: None}
    if node.config.listens_on_broadcast_address:
        addresses[node.ring_node.address] = None
    return [_listener(Endpoint(address, node.ring_node.port)) for address in addresses]


def _listener(endpoint: Endpoint) -> trio.SocketListener:
    sock = socket.socket(socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((endpoint.address, endpoint.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise StartupError(
            f"can't listen for other nodes on {endpoint}: {error.strerror}. Choose another --storage-port or "
            "--listen-address."
        ) from error
    return trio.SocketListener(trio.socket.from_stdlib_socket(sock))
