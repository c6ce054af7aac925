"""Several nodes in one process: each with its own engine, schema, clients' port and view of the others, and one loop.

For tests and small machines. A node that is stopped or killed here is one that is not heard of any more; what it has in
memory it has again when it is started. A killed one has not said that it goes: the others find out by themselves.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import trio

from cluster.gossip.endpoint import Endpoint
from cluster.movements.mode import BootstrapState
from cqlserver.clustering.joining import ended, join
from cqlserver.clustering.member import Member
from cqlserver.clustering.network import LocalNetwork
from cqlserver.clustering.node_configs import audit_log_of
from cqlserver.clustering.readiness import make_ready
from cqlserver.clustering.station import Station
from cqlserver.connections.background import work_forever
from cqlserver.connections.listener import Listener
from cqlserver.control.context import Control
from cqlserver.control.port import serve_control
from cqlserver.guarding import look_at_disk_forever
from cqlserver.node import Node
from cqlserver.plans.compiler import Compiler
from cqlserver.program.config import Config
from cqlserver.program.server import (
    StartupError,
    begin_audit,
    listen,
    make_tls,
    open_control_socket,
    open_node,
    open_sockets,
)
from cqlserver.system.movements import maybe_bootstrap_state
from protocol.errors import MovementRefused

if TYPE_CHECKING:
    import socket

    from cqlserver.control.access import Access

log = logging.getLogger("cqlserver.cluster")

T = TypeVar("T")
SEEDS: Final = 2
"""Of the nodes: with one alone, nobody else could start while it is down."""
TOGETHER_S: Final = 30.0
"""How long all have to find each other at the start."""


@dataclass
class Part:
    """One node of the process. `node` None: it does not run; then what it keeps in memory waits in `resting`."""

    config: Config
    sockets: "list[socket.socket]" = field(default_factory=list)
    node: Node | None = None
    resting: Node | None = None
    station: Station | None = None
    listener: Listener | None = None
    scope: trio.CancelScope | None = None
    ended: trio.Event = field(default_factory=trio.Event)
    """Its sockets are closed."""
    is_paused: bool = False
    control: "socket.socket | None" = None
    """Its control port, while it is open."""
    has_left: bool = False

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.config.host, self.config.storage_port)


class LocalCluster:
    """See the module. `run` has to be running for everything else."""

    def __init__(self, configs: Sequence[Config]) -> None:
        self.parts = [Part(config) for config in configs]
        self.access: Access | None = None
        """Who may use the control ports of all of them."""
        self._network = LocalNetwork()
        self._seeds = [part.endpoint for part in self.parts[:SEEDS]]
        self._nursery: trio.Nursery | None = None

    # --- the whole -------------------------------------------------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Starts all nodes, tells when they are together, and serves until cancelled. Raises StartupError."""
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._network.run)
                for part in self.parts:
                    self._open(part)
                for part in self.parts:
                    self._begin(part)
                await self._wait_together()
                first = self.parts[0]
                assert first.node is not None
                await make_ready(Control(first.node, self, self), first.config)
                for part in self.parts:
                    self._take_clients(part)
                task_status.started()
        finally:
            for part in self.parts:
                self._close(part)

    async def _wait_together(self) -> None:
        with trio.move_on_after(TOGETHER_S) as patience:
            while not all(self._sees_all(part) for part in self.parts):
                await trio.sleep(0.001)
        if patience.cancelled_caught:
            raise StartupError(f"the nodes of the cluster did not find each other within {TOGETHER_S:.0f} seconds")

    @staticmethod
    def _take_clients(part: Part) -> None:
        listen(part.sockets)
        assert part.listener is not None
        part.listener.open()

    def _sees_all(self, part: Part) -> bool:
        node = part.node
        return node is not None and node.member is not None and len(node.member.cluster.live_peers) == len(self.parts) - 1

    # --- one node ----------------------------------------------------------------------------------------------------------

    def _open(self, part: Part, joins: bool = False) -> None:
        """Its data, its place among the others, and its port, which is not open yet; `joins`: it is not one of them yet."""
        part.sockets = open_sockets(part.config)
        resting, part.resting = part.resting, None
        if resting is None:
            node = open_node(part.config, is_one_of_several=True)
        else:
            node = Node(resting.environment, part.config, resting.engine, resting.local, Compiler)
        node.port = part.sockets[0].getsockname()[1]
        if joins or maybe_bootstrap_state(node.engine) is BootstrapState.IN_PROGRESS:
            node.bootstrapped = BootstrapState.IN_PROGRESS.value
        node.describe_itself()
        member = Member(node, self._seeds)
        part.control = self._open_control(part)
        part.node, part.station = node, Station(node, member, self._network.carrier(part.endpoint, member.traffic))

    def _open_control(self, part: Part) -> "socket.socket | None":
        """The first node's is open all the time, for through it the cluster is told what to do; the others' are while they
        run, each time at the same port."""
        if part is self.parts[0] or part.config.control_port is None:
            return None
        control = open_control_socket(part.config)
        if control is not None:
            part.config = replace(part.config, control_port=control.getsockname()[1])
        return control

    def _begin(self, part: Part) -> None:
        assert self._nursery is not None
        assert part.station is not None
        self._network.connect(part.station)
        assert part.node is not None
        listener = part.listener = Listener(part.node, part.sockets, make_tls(part.config), is_open=False)
        part.node.turn_clients_away = partial(self._nursery.start_soon, listener.exclusively, listener.turn_away)
        begin_audit(part.node)
        part.scope, part.ended = trio.CancelScope(), trio.Event()
        self._nursery.start_soon(self._serve, part, part.listener, part.scope)
        part.station.start()

    async def _serve(self, part: Part, listener: Listener, scope: trio.CancelScope) -> None:
        node, station = part.node, part.station
        assert node is not None
        assert station is not None
        forever, ended = node.border.forever, part.ended
        try:
            with scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(listener.run)
                    nursery.start_soon(forever, station.keep_time)
                    nursery.start_soon(forever, partial(look_at_disk_forever, node))
                    if part.control is not None:
                        nursery.start_soon(serve_control, part.control, node, listener, self, self.access)
                    if node.durable or node.member is not None:
                        work = partial(work_forever, node.engine, listener.note_stall, listener.want_sync, listener.hold_up)
                        nursery.start_soon(forever, work)
                    await trio.sleep_forever()
        finally:
            ended.set()

    def _close(self, part: Part) -> None:
        """Of a node that does not serve any more."""
        node = part.node
        part.node = part.station = part.scope = part.listener = part.control = None
        if node is None:
            return
        if node.audit_logs is not None:
            node.audit_logs.close()
        if node.durable:
            node.engine.close()
        else:
            part.resting = node

    # --- what may be done to it --------------------------------------------------------------------------------------------

    async def stop(self, number: int, says_so: bool = True) -> None:
        """Takes a node down (the first one is 0); `says_so`: the others are told, else they find out."""
        part = self.parts[number]
        if part.scope is None or part.station is None:
            return
        self.resume(number)
        if says_so:
            if part.listener is not None:
                await part.listener.leave_clients()
            part.station.shut_down()
            await trio.lowlevel.checkpoint()
        self._network.disconnect(part.endpoint)
        part.scope.cancel()
        await part.ended.wait()
        self._close(part)

    async def start(self, number: int) -> None:
        """Has it back, and waits until the others that run see it."""
        part = self.parts[number]
        if part.node is not None or part.has_left:
            return
        self._open(part)
        self._begin(part)
        with trio.move_on_after(TOGETHER_S):
            while not all(self._sees(other, part) and self._sees(part, other) for other in self.parts if other.node):
                await trio.sleep(0.001)
        await self._join(part)
        self._take_clients(part)

    async def add(self) -> int:
        """One more node, which comes into the ring with its data; its number. Raises StartupError."""
        last = self.parts[-1].config
        prefix, _, number = last.host.rpartition(".")
        data = None if last.data is None else last.data.with_name(f"node{len(self.parts) + 1}")
        audit_log = audit_log_of(last, f"node{len(self.parts) + 1}", is_beside=True)
        control_port = None if last.control_port is None else 0
        host = f"{prefix}.{int(number) + 1}"
        config = replace(last, host=host, data=data, audit_log=audit_log, control_port=control_port)
        self.parts.append(part := Part(config))
        try:
            self._open(part, joins=True)
            self._begin(part)
            await self._join(part)
        except BaseException:
            self.parts.remove(part)
            if part.scope is not None:
                part.scope.cancel()
            self._network.disconnect(part.endpoint)
            self._close(part)
            raise
        self._take_clients(part)
        return len(self.parts) - 1

    async def _join(self, part: Part) -> None:
        node = part.node
        assert node is not None
        assert node.member is not None
        await join(node, node.member)

    async def decommission(self, number: int, is_forced: bool = False) -> None:
        """Has a node give its data to the others, and leave for good. Raises MovementRefused, StreamFailed."""
        part = self.parts[number]
        if part.node is None or part.node.member is None:
            raise MovementRefused("the node does not run")
        await ended(part.node.member.cluster.movements.decommission(is_forced))
        part.has_left = True
        await self.stop(number, says_so=False)

    def _sees(self, part: Part, other: Part) -> bool:
        member = part.node.member if part.node is not None else None
        return other is part or (member is not None and member.cluster.gossiper.is_alive(other.endpoint))

    def pause(self, number: int) -> None:
        """It hears nothing and says nothing, and nobody knows."""
        part = self.parts[number]
        if part.node is not None and not part.is_paused:
            part.is_paused = True
            self._network.pause(part.endpoint)

    def resume(self, number: int) -> None:
        part = self.parts[number]
        if part.is_paused:
            part.is_paused = False
            self._network.resume(part.endpoint)

    def partition(self, one: Sequence[int], other: Sequence[int]) -> None:
        """Nothing passes between these any more, in either direction."""
        self._network.partition([self.parts[n].endpoint for n in one], [self.parts[n].endpoint for n in other])

    def heal(self) -> None:
        self._network.heal()

    @property
    def has_messages(self) -> bool:
        """Whether any is on its way between nodes that are heard of."""
        return self._network.has_messages

    def current(self, node: Node) -> Node:
        """What a node is now, that may have been stopped and started since; itself where it does not run."""
        part = next(part for part in self.parts if part.config.host == node.config.host)
        return part.node if part.node is not None else node

    def turn_away(self) -> None:
        """Ends all clients' connections to all nodes and takes no new ones."""
        for part in self.parts:
            if part.listener is not None:
                part.listener.turn_away()

    @property
    def takes_clients(self) -> bool:
        """Whether anybody may connect to any node."""
        return any(part.listener is not None and part.listener.takes_clients for part in self.parts)

    def take_again(self) -> None:
        """Takes connections again where nodes did before `turn_away`. Raises OSError."""
        for part in self.parts:
            if part.listener is not None:
                part.listener.take_again()

    async def exclusively(self, action: Callable[[], T]) -> T:
        """Runs `action` while no request is under way at the first node."""
        listener = self.parts[0].listener
        return action() if listener is None else await listener.exclusively(action)
