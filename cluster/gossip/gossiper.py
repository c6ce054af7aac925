"""The machine that spreads what nodes say of themselves, one for each node (gms/Gossiper.java).

Functions of (state, message or tick): each returns what to send; what happened meanwhile is fetched with
`take_events`. Once a second `tick` raises the own heartbeat and begins a round with at most three nodes: a live one,
perhaps one that is down, perhaps a seed. What a node says of itself is believed by its generation first, then by its
version. A node that is heard of becomes alive only when it has answered an Echo; it becomes down when the failure
detector convicts it or when it says that it shuts down.

    heard of, unknown --Echo--> ALIVE --convicted, shutdown--> DOWN --new heartbeat, Echo--> ALIVE
    removed, left     --> forgotten, and for QUARANTINE_S deaf to what others still tell of it
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, TypeAlias

from cluster.gossip.endpoint import (
    NO_VERSION,
    ApplicationState,
    Endpoint,
    EndpointState,
    Generation,
    Version,
    VersionedValue,
)
from cluster.gossip.failure_detector import FailureDetector
from cluster.gossip.messages import Ack, Ack2, Digest, Echo, GossipMessage, Shutdown, States, Syn
from cluster.gossip.status import DEAD, SILENT_AT_SHUTDOWN, Status, StatusValue, parse_status
from storage.environment.environment import Rng

INTERVAL_S: Final = 1.0
QUARANTINE_S: Final = 60.0
"""Twice the ring delay: as long may others still tell of a node that was removed here."""
GENERATION_AHEAD_S_MAX: Final = 86_400 * 365
"""A generation further in the future is somebody's broken memory, not a node's start (MAX_GENERATION_DIFFERENCE)."""
FAT_CLIENT_S: Final = 30.0
"""A node that never joined the ring is forgotten when it has been silent for so long (half the quarantine)."""
UNKNOWN_GENERATION_AHEAD_S: Final = 60
UNKNOWN_HEARTBEAT: Final = 9999
"""Of a node that nobody knows, and that is assassinated (Gossiper.assassinateEndpoint)."""
PARTITIONER: Final = "org.apache.cassandra.dht.Murmur3Partitioner"


@dataclass(frozen=True, slots=True)
class Up:
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Down:
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Joined:
    """Heard of for the first time, or started again."""

    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Changed:
    endpoint: Endpoint
    state: ApplicationState
    value: str


@dataclass(frozen=True, slots=True)
class Forgotten:
    endpoint: Endpoint


@dataclass(frozen=True, slots=True)
class Refused:
    """Somebody's message was not believed; `reason` is for the log."""

    sender: Endpoint
    reason: str


GossipEvent: TypeAlias = Up | Down | Joined | Changed | Forgotten | Refused
Outgoing: TypeAlias = list[tuple[Endpoint, GossipMessage]]


class Gossiper:
    """See the module. `generation`: higher than that of the node's life before, which the caller keeps on disk.
    `is_member` says whether a node owns tokens. All times are those of the caller's monotonic clock, but `wall_s`."""

    def __init__(
        self,
        local: Endpoint,
        cluster_name: str,
        seeds: Iterable[Endpoint],
        generation: Generation,
        rng: Rng,
        is_member: Callable[[Endpoint], bool] = lambda endpoint: False,
        detector: FailureDetector[Endpoint] | None = None,
    ) -> None:
        self.local, self.cluster_name = local, cluster_name
        self.seeds = tuple(seed for seed in dict.fromkeys(seeds) if seed != local)
        self.detector = detector if detector is not None else FailureDetector()
        self._rng, self._is_member = rng, is_member
        self._version = 0
        self._states: dict[Endpoint, EndpointState] = {local: EndpointState(generation, Version(0))}
        self._live: dict[Endpoint, None] = {}
        self._heard_s: dict[Endpoint, float] = {}
        self._quarantine_until_s: dict[Endpoint, float] = {}
        self._asked: dict[Endpoint, None] = {}  # with an Echo, not answered yet
        self._asked_before: dict[Endpoint, None] = {}  # the same, before the last tick
        self._events: list[GossipEvent] = []
        self._is_stopped = False

    # --- what is known -------------------------------------------------------------------------------------------------

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """All that are known, the local one among them, in the order in which they were heard of."""
        return tuple(self._states)

    @property
    def live(self) -> Sequence[Endpoint]:
        """The others that are up."""
        return tuple(self._live)

    def is_alive(self, endpoint: Endpoint) -> bool:
        return endpoint == self.local or endpoint in self._live

    def maybe_state(self, endpoint: Endpoint) -> EndpointState | None:
        return self._states.get(endpoint)

    def maybe_status(self, endpoint: Endpoint) -> StatusValue | None:
        state = self._states.get(endpoint)
        text = None if state is None else state.get(ApplicationState.STATUS_WITH_PORT)
        return None if text is None else parse_status(text)

    def take_events(self) -> list[GossipEvent]:
        """What happened since the last call, in its order."""
        events, self._events = self._events, []
        return events

    @property
    def is_running(self) -> bool:
        return not self._is_stopped

    @property
    def generation(self) -> Generation:
        """Of the local node; 0 while it does not gossip."""
        return Generation(0) if self._is_stopped else self._states[self.local].generation

    # --- what the local node says ----------------------------------------------------------------------------------------

    def say(self, states: Mapping[ApplicationState, str]) -> None:
        """New values of the local node's states, told with the next rounds."""
        versioned = {key: VersionedValue(value, self._next_version()) for key, value in states.items()}
        own = self._states[self.local]
        self._states[self.local] = own.with_states(versioned, own.heartbeat)

    def speak_for(self, endpoint: Endpoint, states: Mapping[ApplicationState, str], wall_s: int) -> None:
        """Has another node seem to say something, in a new life: of one that is dead (Gossiper.advertiseRemoving)."""
        known = self._states.get(endpoint)
        if known is None:
            known = EndpointState(Generation(wall_s + UNKNOWN_GENERATION_AHEAD_S), Version(UNKNOWN_HEARTBEAT))
        versions = {key: VersionedValue(value, self._next_version()) for key, value in states.items()}
        told = known.with_states(versions, known.heartbeat)
        self._states[endpoint] = replace(told, generation=Generation(known.generation + 1))
        self._mark_down(endpoint)
        self._events += [Changed(endpoint, key, value) for key, value in states.items()]

    def remember(self, endpoint: Endpoint, states: Mapping[ApplicationState, str]) -> None:
        """A member that this node knows from its life before: down until it is heard of, and believed whatever it then says
        (Gossiper.addSavedEndpoint)."""
        if endpoint not in self._states:
            versioned = {key: VersionedValue(value, Version(0)) for key, value in states.items()}
            self._states[endpoint] = EndpointState(Generation(0), Version(0), MappingProxyType(versioned))

    def _next_version(self) -> Version:
        self._version += 1
        return Version(self._version)

    def shut_down(self) -> Outgoing:
        """Say to all who are up that this node stops; nothing is sent after that."""
        status = self.maybe_status(self.local)
        is_silent = status is None or status.status in SILENT_AT_SHUTDOWN
        self.say({ApplicationState.STATUS_WITH_PORT: str(StatusValue(Status.SHUTDOWN, ("true",)))})
        self._is_stopped = True
        return [] if is_silent else [(endpoint, Shutdown(self._states[self.local])) for endpoint in self._live]

    def start_again(self, generation: Generation, states: Mapping[ApplicationState, str]) -> Outgoing:
        """After `shut_down`: a new life, in which the local node says what it said before, and `states`."""
        if not self._is_stopped:
            return []
        self._is_stopped = False
        said = {key: state.value for key, state in self._states[self.local].states.items()}
        self._states[self.local] = EndpointState(generation, self._next_version())
        self.say({**said, **states})
        return self.greet((*self.seeds, *self._states))

    # --- rounds ------------------------------------------------------------------------------------------------------------

    def tick(self, now_s: float) -> Outgoing:
        """A second has passed."""
        if self._is_stopped:
            return []
        own = self._states[self.local]
        self._states[self.local] = own.with_states({}, self._next_version())
        # whoever has not answered by now is asked again when he is heard of; his answer may be on its way
        self._asked_before, self._asked = self._asked, {}
        targets = self._targets()
        self._judge(now_s)
        if not targets:
            return []
        syn = Syn(self.cluster_name, PARTITIONER, self._digests())
        return [(target, syn) for target in targets]

    def greet(self, endpoints: Iterable[Endpoint]) -> Outgoing:
        """A round with these out of turn: at a start, and with whoever is heard of for the first time."""
        syn = Syn(self.cluster_name, PARTITIONER, self._digests())
        return [(endpoint, syn) for endpoint in endpoints if endpoint != self.local]

    def _targets(self) -> list[Endpoint]:
        targets: dict[Endpoint, None] = {}
        if self._live:
            targets[self._any(list(self._live))] = None
        down = [endpoint for endpoint in self._states if not self.is_alive(endpoint)]
        if down and self._rng.float() < len(down) / (len(self._live) + 1):
            callable_ = [endpoint for endpoint in down if not self._is_dead(endpoint)]
            if callable_:
                targets[self._any(callable_)] = None
        has_told_seed = any(target in self.seeds for target in targets)
        if (
            self.seeds
            and (not has_told_seed or len(self._live) < len(self.seeds))
            and (not self._live or self._rng.float() <= len(self.seeds) / (len(self._live) + len(down)))
        ):
            targets[self._any(self.seeds)] = None
        return list(targets)

    def _any(self, endpoints: Sequence[Endpoint]) -> Endpoint:
        return endpoints[self._rng.int_below(len(endpoints))]

    def _digests(self) -> tuple[Digest, ...]:
        digests: list[object] = [
            Digest(endpoint, state.generation, state.max_version) for endpoint, state in self._states.items()
        ]
        self._rng.shuffle(digests)
        return tuple(digest for digest in digests if isinstance(digest, Digest))

    def _judge(self, now_s: float) -> None:
        """Who is down, who can be forgotten."""
        for endpoint in self.detector.convicted(now_s):
            self._mark_down(endpoint)
        for endpoint, until_s in list(self._quarantine_until_s.items()):
            if now_s >= until_s:
                del self._quarantine_until_s[endpoint]
        for endpoint in list(self._states):
            if endpoint == self.local or self._is_member(endpoint) or self._is_dead(endpoint):
                continue
            if now_s - self._heard_s.get(endpoint, now_s) > FAT_CLIENT_S:
                self.forget(endpoint, now_s)

    # --- messages ----------------------------------------------------------------------------------------------------------

    def receive(self, sender: Endpoint, message: GossipMessage, now_s: float, wall_s: int) -> Outgoing:
        """What to send because of it."""
        if self._is_stopped:
            return []
        match message:
            case Syn():
                return self._receive_syn(sender, message)
            case Ack():
                asked = self._believe(sender, message.states, now_s, wall_s)
                states = {
                    digest.endpoint: self._states[digest.endpoint].newer_than(digest.max_version)
                    for digest in message.wanted
                    if digest.endpoint in self._states
                }
                return [*asked, (sender, Ack2(MappingProxyType(states)))] if states else asked
            case Ack2():
                return self._believe(sender, message.states, now_s, wall_s)
            case Echo(is_reply=False):
                return [(sender, Echo(is_reply=True))]
            case Echo():
                if self._forget_asking(sender):
                    self._mark_alive(sender, now_s)
            case Shutdown():
                self._receive_shutdown(sender, message)
        return []

    def _forget_asking(self, endpoint: Endpoint) -> bool:
        """Whether it was asked."""
        found = endpoint in self._asked or endpoint in self._asked_before
        self._asked.pop(endpoint, None)
        self._asked_before.pop(endpoint, None)
        return found

    def _receive_syn(self, sender: Endpoint, syn: Syn) -> Outgoing:
        if syn.cluster_name != self.cluster_name:
            self._refuse(sender, f"ClusterName mismatch from {sender} {syn.cluster_name}!={self.cluster_name}")
            return []
        if syn.partitioner != PARTITIONER:
            self._refuse(sender, f"Partitioner mismatch from {sender} {syn.partitioner}!={PARTITIONER}")
            return []
        wanted: list[Digest] = []
        states: dict[Endpoint, EndpointState] = {}
        told = {digest.endpoint for digest in syn.digests}
        for digest in syn.digests:
            known = self._states.get(digest.endpoint)
            if known is None or digest.generation > known.generation:
                wanted.append(Digest(digest.endpoint, digest.generation, NO_VERSION))
            elif digest.generation < known.generation:
                states[digest.endpoint] = known
            elif digest.max_version > known.max_version:
                wanted.append(Digest(digest.endpoint, digest.generation, known.max_version))
            elif digest.max_version < known.max_version:
                states[digest.endpoint] = known.newer_than(digest.max_version)
        for endpoint, state in self._states.items():
            if endpoint not in told:
                states[endpoint] = state
        return [(sender, Ack(tuple(wanted), MappingProxyType(states)))]

    def _believe(self, sender: Endpoint, states: States, now_s: float, wall_s: int) -> Outgoing:
        outgoing: Outgoing = []
        for endpoint, state in states.items():
            if endpoint == self.local or endpoint in self._quarantine_until_s:
                continue
            if state.generation > wall_s + GENERATION_AHEAD_S_MAX:
                reason = f"received an invalid gossip generation for peer {endpoint}; local time = {wall_s}, "
                self._refuse(sender, f"{reason}received generation = {state.generation}")
                continue
            known = self._states.get(endpoint)
            if known is None or state.generation > known.generation:
                if state.since > NO_VERSION:
                    continue  # told to this node's life before; the next round brings all of it
                self._begin(endpoint, state, now_s)
            elif state.generation < known.generation or not state.since <= known.max_version < state.max_version:
                continue
            else:
                self._go_on(endpoint, known, state, now_s)
            if not self._is_dead(endpoint) and not self.is_alive(endpoint) and endpoint not in self._asked:
                self._asked[endpoint] = None
                outgoing.append((endpoint, Echo()))
        return outgoing

    def _begin(self, endpoint: Endpoint, state: EndpointState, now_s: float) -> None:
        """A node that nobody here knew, or a new life of one."""
        if endpoint in self._states:
            self.detector.forget(endpoint)
        self.detector.report(endpoint, now_s)
        self._heard_s[endpoint] = now_s
        self._states[endpoint] = state
        if not self._is_dead(endpoint):
            self._mark_down(endpoint)  # until it has answered
        self._events.append(Joined(endpoint))
        self._events += [Changed(endpoint, key, value.value) for key, value in state.states.items()]

    def _go_on(self, endpoint: Endpoint, known: EndpointState, state: EndpointState, now_s: float) -> None:
        if state.heartbeat > known.heartbeat:  # rounds out of turn say nothing of how often it is heard of
            self.detector.report(endpoint, now_s)
        self._heard_s[endpoint] = now_s
        fresh = {
            key: value
            for key, value in state.states.items()
            if key not in known.states or value.version > known.states[key].version
        }
        self._states[endpoint] = known.with_states(fresh, Version(max(state.heartbeat, known.heartbeat)))
        self._events += [Changed(endpoint, key, value.value) for key, value in fresh.items()]
        if self._is_dead(endpoint):
            self._mark_down(endpoint)

    def _receive_shutdown(self, sender: Endpoint, message: Shutdown) -> None:
        known = self._states.get(sender)
        if known is None or message.state.generation != known.generation:
            return
        self._states[sender] = message.state
        self.detector.forget(sender)
        self._mark_down(sender)

    # --- changes -----------------------------------------------------------------------------------------------------------

    def convict(self, endpoint: Endpoint) -> None:
        """Take it for down, whatever the failure detector thinks."""
        self._mark_down(endpoint)

    def forget(self, endpoint: Endpoint, now_s: float) -> None:
        """It left or was removed: nothing is known of it any more, and for a while nothing is believed."""
        if self._states.pop(endpoint, None) is None:
            return
        self._live.pop(endpoint, None)
        self._forget_asking(endpoint)
        self._heard_s.pop(endpoint, None)
        self.detector.forget(endpoint)
        self._quarantine_until_s[endpoint] = now_s + QUARANTINE_S
        self._events.append(Forgotten(endpoint))

    def _mark_alive(self, endpoint: Endpoint, now_s: float) -> None:
        if endpoint not in self._states or self._is_dead(endpoint) or endpoint in self._live:
            return
        self._live[endpoint] = None
        self._heard_s[endpoint] = now_s
        self.detector.report(endpoint, now_s)
        self._events.append(Up(endpoint))

    def _mark_down(self, endpoint: Endpoint) -> None:
        if endpoint in self._live:
            del self._live[endpoint]
            self._events.append(Down(endpoint))

    def _is_dead(self, endpoint: Endpoint) -> bool:
        status = self.maybe_status(endpoint)
        return status is not None and status.status in DEAD

    def _refuse(self, sender: Endpoint, reason: str) -> None:
        self._events.append(Refused(sender, reason))
