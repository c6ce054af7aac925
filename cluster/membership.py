"""What gossip says of nodes -> the topology, and what is to be told of its changes.

The rules are those of service/StorageService.java (handleStateNormal and its like): a node that is NORMAL owns its tokens;
where two claim a token or a host id, the one that started later is right; one that is BOOT will own its tokens; LEFT and
removed nodes are excised, and their tokens with them. A member that is down stays a member.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from uuid import UUID

from cluster.gossip.endpoint import ApplicationState, Endpoint, EndpointState
from cluster.gossip.gossiper import Changed, Down, Forgotten, Gossiper, GossipEvent, Joined, Refused, Up
from cluster.gossip.status import Status, StatusValue, parse_status
from cluster.ring import Node
from cluster.topology import Member, Standing, Topology

_STANDINGS: Final[Mapping[Status, Standing]] = {
    Status.BOOTSTRAPPING: Standing.JOINING,
    Status.BOOTSTRAPPING_REPLACE: Standing.JOINING,
    Status.NORMAL: Standing.NORMAL,
    Status.LEAVING: Standing.LEAVING,
    Status.MOVING: Standing.MOVING,
    Status.REMOVING: Standing.LEAVING,
}
_EXCISING: Final = frozenset((Status.LEFT, Status.REMOVED))


@dataclass(frozen=True, slots=True)
class MemberJoined:
    node: Node


@dataclass(frozen=True, slots=True)
class MemberLeft:
    node: Node


@dataclass(frozen=True, slots=True)
class MemberMoved:
    """It has other tokens now."""

    node: Node


@dataclass(frozen=True, slots=True)
class MemberUp:
    node: Node


@dataclass(frozen=True, slots=True)
class MemberDown:
    node: Node


@dataclass(frozen=True, slots=True)
class Warned:
    """For the log."""

    text: str


MemberEvent: TypeAlias = MemberJoined | MemberLeft | MemberMoved | MemberUp | MemberDown | Warned


def own_states(node: Node, status: StatusValue) -> dict[ApplicationState, str]:
    """What a node says of itself so that others know its place."""
    tokens = ",".join(map(str, node.tokens))
    return {**joining_states(node, status), ApplicationState.TOKENS: tokens}


def joining_states(node: Node, status: StatusValue | None) -> dict[ApplicationState, str]:
    """The same of one that owns no tokens yet; `status` None: it has said nothing of what it is about to do."""
    states = {
        ApplicationState.DC: node.datacenter,
        ApplicationState.RACK: node.rack,
        ApplicationState.HOST_ID: str(node.host_id),
    }
    return states if status is None else {**states, ApplicationState.STATUS_WITH_PORT: str(status)}


class Membership:
    """One node's view. `topology` is replaced when it changes."""

    def __init__(self, gossiper: Gossiper) -> None:
        self._gossiper = gossiper
        self._members: dict[Endpoint, Member] = {}
        self.topology = Topology(())

    def is_member(self, endpoint: Endpoint) -> bool:
        member = self._members.get(endpoint)
        return member is not None and member.standing is not Standing.JOINING

    def maybe_member(self, endpoint: Endpoint) -> Member | None:
        return self._members.get(endpoint)

    def endpoint_of(self, node: Node) -> Endpoint:
        return Endpoint(node.address, node.port)

    def absorb(self, events: list[GossipEvent]) -> list[MemberEvent]:
        """Follows what the gossiper's `take_events` gave."""
        told: list[MemberEvent] = []
        before = dict(self._members)
        looked_at: dict[Endpoint, None] = {}
        for event in events:
            match event:
                case Joined(endpoint):
                    looked_at[endpoint] = None
                case Changed(endpoint, state, _) if state in PLACING:
                    looked_at[endpoint] = None
                case Forgotten(endpoint):
                    self._excise(endpoint, told)
                case Up(endpoint) | Down(endpoint):
                    for looked in looked_at:
                        self._look_at(looked, told)
                    looked_at.clear()
                    member = self._members.get(endpoint)
                    if member is not None:
                        told.append(MemberUp(member.node) if isinstance(event, Up) else MemberDown(member.node))
                case Refused(_, reason):
                    told.append(Warned(reason))
                case _:
                    pass
        for endpoint in looked_at:
            self._look_at(endpoint, told)
        if self._members != before:
            self.topology = Topology(self._members.values())
        return told

    def remember(self, nodes: Iterable[Node]) -> None:
        """Members that this node knows from its life before: the ring is whole, though nobody was heard of yet."""
        for node in nodes:
            states = own_states(node, StatusValue(Status.NORMAL, (str(node.tokens[0]),)))
            self._gossiper.remember(self.endpoint_of(node), states)
            self._members.setdefault(self.endpoint_of(node), Member(node, Standing.NORMAL))

    def look_at_local(self) -> list[MemberEvent]:
        """The local node said something new of itself."""
        told: list[MemberEvent] = []
        self._look_at(self._gossiper.local, told)
        self.topology = Topology(self._members.values())
        return told

    # --- one node --------------------------------------------------------------------------------------------------------

    def _look_at(self, endpoint: Endpoint, told: list[MemberEvent]) -> None:
        state = self._gossiper.maybe_state(endpoint)
        text = None if state is None else state.get(ApplicationState.STATUS_WITH_PORT)
        status = None if text is None else parse_status(text)
        if state is None or status is None:
            return
        if status.status in _EXCISING:
            self._excise(endpoint, told)
            return
        standing = _STANDINGS.get(status.status)
        node = _node_of(endpoint, state)
        if standing is None or node is None:
            return
        new_tokens = tuple(int(text) for text in status.arguments) if standing is Standing.MOVING else ()
        replaces = None
        if status.status is Status.BOOTSTRAPPING_REPLACE:
            replaces = self._replaced(status)
        if self._yields(endpoint, node, told) or not self._takes_tokens(endpoint, node, standing, told):
            return
        known = self._members.get(endpoint)
        self._members[endpoint] = Member(node, standing, new_tokens, replaces)
        if standing is not Standing.JOINING and (known is None or known.standing is Standing.JOINING):
            told.append(MemberJoined(node))
        elif known is not None and known.standing is Standing.MOVING and known.node.tokens != node.tokens:
            told.append(MemberMoved(node))

    def _replaced(self, status: StatusValue) -> Node | None:
        for member in self._members.values():
            if status.arguments and member.node.address == status.arguments[0]:
                return member.node
        return None

    def _yields(self, endpoint: Endpoint, node: Node, told: list[MemberEvent]) -> bool:
        """Whether another node has its host id, and by better right."""
        for other, member in list(self._members.items()):
            if other == endpoint or member.node.host_id != node.host_id:
                continue
            if other == self._gossiper.local:
                told.append(Warned(f"Not updating host ID {node.host_id} for {endpoint} because it's mine"))
                return True
            if self._started_later(other, endpoint):
                told.append(Warned(_COLLISION.format(node.host_id, other, endpoint, "ignored " + str(endpoint))))
                return True
            told.append(Warned(_COLLISION.format(node.host_id, other, endpoint, f"{endpoint} is the new owner")))
            del self._members[other]
        return False

    def _takes_tokens(self, endpoint: Endpoint, node: Node, standing: Standing, told: list[MemberEvent]) -> bool:
        """Whether it may have its tokens. A member that loses one to it is a member no more."""
        if standing is Standing.JOINING:
            return True
        wanted = set(node.tokens)
        for other, member in list(self._members.items()):
            shared = sorted(wanted.intersection(member.node.tokens))
            if other == endpoint or member.standing is Standing.JOINING or not shared:
                continue
            is_replaced = self._is_replacing(endpoint, other)
            owner = endpoint if is_replaced or not self._started_later(other, endpoint) else other
            if not is_replaced:
                text = f"Nodes {endpoint} and {other} have the same token {shared[0]}. {owner} is the new owner"
                told.append(Warned(text if owner == endpoint else text.replace("the new owner", "still the owner")))
            if owner == other:
                return False
            self._excise(other, told)
        return True

    def _is_replacing(self, endpoint: Endpoint, other: Endpoint) -> bool:
        member = self._members.get(endpoint)
        return member is not None and member.replaces is not None and self.endpoint_of(member.replaces) == other

    def _started_later(self, one: Endpoint, other: Endpoint) -> bool:
        first, second = self._gossiper.maybe_state(one), self._gossiper.maybe_state(other)
        return first is not None and second is not None and first.generation > second.generation

    def _excise(self, endpoint: Endpoint, told: list[MemberEvent]) -> None:
        member = self._members.pop(endpoint, None)
        if member is not None and member.standing is not Standing.JOINING:
            told.append(MemberLeft(member.node))


PLACING: Final = frozenset(
    (
        ApplicationState.STATUS_WITH_PORT,
        ApplicationState.TOKENS,
        ApplicationState.HOST_ID,
        ApplicationState.DC,
        ApplicationState.RACK,
    )
)
_COLLISION: Final = "Host ID collision for {} between {} and {}; {}"


def _node_of(endpoint: Endpoint, state: EndpointState) -> Node | None:
    """None as long as it has not said enough of itself."""
    host_id, tokens = state.get(ApplicationState.HOST_ID), state.get(ApplicationState.TOKENS)
    if host_id is None or tokens is None:
        return None
    datacenter, rack = state.get(ApplicationState.DC), state.get(ApplicationState.RACK)
    owned = tuple(int(text) for text in tokens.split(",") if text)
    return Node(UUID(host_id), endpoint.address, datacenter or "", rack or "", owned, endpoint.port)
