"""Gossiping nodes in a simulated world."""

from collections.abc import Sequence
from uuid import UUID

from cluster.gossip.endpoint import Endpoint, Generation
from cluster.gossip.gossiper import INTERVAL_S, Gossiper, GossipEvent, Outgoing
from cluster.gossip.messages import GossipMessage
from cluster.gossip.status import Status, StatusValue
from cluster.membership import MemberEvent, Membership, own_states
from cluster.ring import Node
from simulation.network import Network, Weather
from simulation.schedule import Schedule
from storage.environment.environment import Rng

WALL_S = 1_800_000_000


def endpoint(number: int) -> Endpoint:
    return Endpoint(f"10.0.0.{number}", 7000)


def host_id(local: Endpoint) -> UUID:
    return UUID(int=int(local.address.rsplit(".", 1)[1]))


def tokens(local: Endpoint) -> tuple[int, ...]:
    number = host_id(local).int
    return tuple(number * 1000 + step for step in range(4))


class GossipingNode:
    def __init__(self, world: "GossipWorld", local: Endpoint, seeds: Sequence[Endpoint], life: int) -> None:
        self.world, self.local = world, local
        self.is_running = True
        self.events: list[GossipEvent] = []
        rng = world.rng.fork(f"{local} {life}")
        generation = Generation(WALL_S + int(world.schedule.now_s))
        self.gossiper = Gossiper(local, "Test Cluster", seeds, generation, rng, self.is_member)
        self.membership = Membership(self.gossiper)
        self.told: list[MemberEvent] = []
        self.node = Node(host_id(local), local.address, "datacenter1", "rack1", tokens(local), local.port)
        self.say(Status.NORMAL)
        world.network.receivers[local] = self.receive
        world.schedule.every(INTERVAL_S, self.tick, rng.float())

    def is_member(self, other: Endpoint) -> bool:
        return self.membership.is_member(other)

    def say(self, status: Status, *arguments: str, node: Node | None = None) -> None:
        self.gossiper.say(own_states(node or self.node, StatusValue(status, arguments)))
        self.told += self.membership.look_at_local()

    @property
    def ring(self) -> list[tuple[str, tuple[int, ...]]]:
        return sorted((node.address, node.tokens) for node in self.membership.topology.ring.nodes)

    def tick(self) -> None:
        if self.is_running:
            self._send(self.gossiper.tick(self.world.schedule.now_s))

    def receive(self, sender: Endpoint, message: GossipMessage) -> None:
        if self.is_running:
            now_s = self.world.schedule.now_s
            self._send(self.gossiper.receive(sender, message, now_s, WALL_S + int(now_s)))

    def shut_down(self) -> None:
        self._send(self.gossiper.shut_down())
        self.is_running = False

    def _send(self, outgoing: Outgoing) -> None:
        events = self.gossiper.take_events()
        self.told += self.membership.absorb(events)
        self.events += events
        for receiver, message in outgoing:
            self.world.network.send(self.local, receiver, message)


class GossipWorld:
    """`count` nodes; the first is everybody's seed."""

    def __init__(self, seed: int, count: int, weather: Weather | None = None) -> None:
        self.rng = Rng(seed.to_bytes(8, "big"))
        self.schedule = Schedule()
        self.network: Network[Endpoint, GossipMessage] = Network(
            self.schedule, self.rng.fork("network"), weather or Weather()
        )
        self.seeds = (endpoint(1),)
        names = [endpoint(number) for number in range(1, count + 1)]
        self.nodes = {name: GossipingNode(self, name, self.seeds, 0) for name in names}
        self._lives = 0

    def run(self, seconds: float) -> None:
        self.schedule.run_until(self.schedule.now_s + seconds)

    def crash(self, node: Endpoint) -> None:
        self.nodes[node].is_running = False
        del self.network.receivers[node]

    def restart(self, node: Endpoint) -> GossipingNode:
        self._lives += 1
        self.nodes[node] = GossipingNode(self, node, self.seeds, self._lives)
        return self.nodes[node]

    @property
    def running(self) -> list[GossipingNode]:
        return [node for node in self.nodes.values() if node.is_running]

    def all_see(self, alive: Sequence[Endpoint]) -> bool:
        """Whether each running node takes exactly these for alive."""
        return all(
            {other for other in self.nodes if node.gossiper.is_alive(other)} == set(alive) for node in self.running
        )
