"""A node of a cluster, without I/O: gossip, membership, coordinator, replica, hints and schema, by messages and ticks.

Whoever owns it hands over what came (`receive`), calls `tick` at `wake_s`, and carries away what `take_outgoing` gives,
after the commit log has been written. Nothing here knows whether that is a socket, a queue in the same process, or a
simulation.
"""

import logging
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from math import inf
from typing import TYPE_CHECKING, Final
from uuid import UUID

from cluster.batchlog import REPLAY_S, Batchlog, assure_keepers, encode_batch, keepers
from cluster.consistency import Consistency, unavailable
from cluster.coordination.bundles import Bundles
from cluster.coordination.counting import ForwardedCount
from cluster.coordination.decisions import Decisions
from cluster.coordination.errors import write_timeout
from cluster.coordination.outcome import Outcome
from cluster.coordination.plans import WritePlan, nearest_first
from cluster.coordination.proxy import COUNTER, Proxy, Timeouts
from cluster.coordination.requests import Requests
from cluster.coordination.scores import Scores
from cluster.coordination.spreading import Spreading, truncation_error
from cluster.coordination.writing import REASON_BYTES
from cluster.coordinator import Coordinator, Holder, RequestKind
from cluster.counters import led
from cluster.gossip.encoding import VERBS as GOSSIP_VERBS
from cluster.gossip.encoding import decode_gossip, encode_gossip
from cluster.gossip.endpoint import ApplicationState, Endpoint, Generation
from cluster.gossip.failure_detector import PHI_CONVICT_THRESHOLD, FailureDetector
from cluster.gossip.gossiper import INTERVAL_S, Changed, Down, Gossiper, Joined, Outgoing, Up
from cluster.gossip.status import HIBERNATING, Status, StatusValue
from cluster.hints import Hints
from cluster.internode.frames import Message
from cluster.internode.texts import decode_texts, encode_texts
from cluster.internode.verbs import REPAIR_VERBS, STREAM_VERBS, FailureReason, Verb
from cluster.membership import PLACING, MemberDown, MemberLeft, Membership, MemberUp, joining_states, own_states
from cluster.movements.tokens import TokensWanted
from cluster.owner import Owner
from cluster.paired_views import PairedViews
from cluster.paxos.encoding import REQUESTS as PAXOS_VERBS
from cluster.paxos.options import PaxosOptions
from cluster.replica import VERBS as REPLICA_VERBS
from cluster.replica import Failed, Replica
from cluster.ring import Node, Ring
from cluster.rounds import Rounds
from cluster.schema_exchange import NotEnough, change_mutations, last_change_us, latest_us, merged_schema, whole_schema
from protocol.errors import CorruptionError, RequestError, StorageError, WriteTimeout
from storage.engine import Engine
from storage.environment.environment import TimeUuidSource
from storage.environment.strands import TooLong, in_go
from storage.mutation import PartitionUpdate
from storage.schema.metadata import TableMetadata
from storage.schema.writes import SchemaWrite
from storage.token import token

if TYPE_CHECKING:
    from cluster.movements.movements import Movements
    from cluster.repair.repairs import Repairs
    from cluster.streaming.streams import Streams

log = logging.getLogger("cqlserver.cluster")

RING_DELAY_S: Final = 30.0
"""As long is waited at most until all others have heard of a change of the ring (cassandra.ring_delay_ms)."""
HINTS_TICK_S: Final = 10.0
LOAD_S: Final = 60.0
"""How often a node says how much it keeps (LoadBroadcaster.BROADCAST_INTERVAL)."""
SCHEMA_ASKED_S: Final = 0.1
"""How long an answer is waited for; each round of gossip looks whether it is still wanted."""
SHOWN_STATES: Final = PLACING | {ApplicationState.SCHEMA, ApplicationState.NATIVE_ADDRESS_AND_PORT}
"""What of a node's states is told of it to clients, in system.peers."""
_BATCHLOG_LEVELS: Final = {1: Consistency.ONE, 2: Consistency.TWO}
_TIME_BYTES: Final = 8
_TOKEN = struct.Struct(">q")


@dataclass(frozen=True, slots=True)
class ClusterOptions:
    """`seeds` as others reach them; `generation`: higher than that of the node's life before;
    `facts`: what else the node says of itself in gossip."""

    cluster_name: str
    seeds: Sequence[Endpoint]
    timeouts: Timeouts
    generation: Generation
    facts: dict[ApplicationState, str]
    saved: Sequence[Node] = ()
    """The other members, as this node knew them in its life before."""
    is_joining: bool = False
    """It is no member yet: `ClusterNode.movements.join()` makes it one."""
    hibernates: bool = False
    """It joins at the address of the dead node whose place it takes: nobody is to take it for that one, come back."""
    tokens_wanted: TokensWanted | None = None
    ring_delay_s: float = RING_DELAY_S
    is_movement_consistent: bool = True
    """cassandra.consistent.rangemovement."""
    phi_convict_threshold: float = PHI_CONVICT_THRESHOLD
    stream_bytes_per_s: int = 0
    """As fast may what is streamed here come; 0: as it does."""
    transfers_hints: bool = True
    """Whether hints are handed over when it leaves (transfer_hints_on_decommission)."""
    paxos: PaxosOptions = PaxosOptions()  # noqa: RUF009 - frozen


class ClusterNode:
    """See the module. `coordinator` gets the ring and who is alive from here."""

    def __init__(self, coordinator: Coordinator, engine: Engine, options: ClusterOptions, owner: Owner) -> None:
        environment = engine.environment
        self.local, self.engine, self.owner = coordinator.local, engine, owner
        self.coordinator = coordinator
        self._clock, self._now_s = environment.clock.monotonic, environment.clock.now_s
        self.endpoint = Endpoint(self.local.address, self.local.port)
        rng = environment.rng.fork("cluster")
        name, generation = options.cluster_name, options.generation
        detector: FailureDetector[Endpoint] = FailureDetector(options.phi_convict_threshold)
        self.gossiper = Gossiper(self.endpoint, name, options.seeds, generation, rng, self._is_member, detector)
        self.membership = Membership(self.gossiper)
        self.replica = Replica(engine)
        self._rng = rng.fork("ballots")
        self.requests = Requests(self._send_to, self.want_turn)
        self._timeuuids = TimeUuidSource(environment.clock, rng.fork("timeuuids"))
        self.hints = Hints(engine, self.requests, self._clock, self._timeuuids)
        self.batchlog = Batchlog(engine, self._write_again)
        self.proxy = Proxy(self.local, engine, self.replica, self.requests, self._clock, options.timeouts, self.hints)
        latencies_of = self.proxy.latencies_of
        engine.indexed.placement = PairedViews(engine, coordinator, self.batchlog, self.proxy, self._timeuuids)
        self.scores = Scores(self.local, self._clock, coordinator.proximity_changed)
        coordinator.by_proximity, self.proxy.node_took = self.scores.by_proximity, self.scores.took
        self.rounds = Rounds(engine, self.proxy, self.hints, self._clock, self._rng)
        self.rounds.store.keeps_three_hours = options.paxos.keeps_three_hours
        decisions = Decisions(self.rounds, self.local)
        self.bundles = Bundles(
            self.local, engine, self.requests, self._clock, options.timeouts, self.hints, latencies_of, decisions,
            self.scores.took,
        )
        self.gossip_sent = 0
        self.has_turn = True
        """Whoever lets it do something now looks afterwards at what is outgoing, and at `wake_s`."""
        self.on_turn_wanted: Callable[[], None] = lambda: None
        """Called, by whatever thread it is that works, where nobody would."""
        self._stream_ids = rng.fork("streams")
        self._outgoing: dict[Endpoint, list[Message]] = {}
        self._next_round_s = self._clock() + INTERVAL_S
        self._next_hints_s = self._clock() + HINTS_TICK_S
        self._next_replay_s = self._clock() + REPLAY_S
        self._next_load_s = self._clock()
        self._schema_changed_us = last_change_us(engine)
        self._schema_asked: dict[Endpoint, float] = {}
        self._repairs_id = engine.schema.keyspaces["system"].tables["repairs"].id
        self.gossiper.say({**options.facts, ApplicationState.SCHEMA: str(engine.schema.version)})
        self.tokens_wanted = options.tokens_wanted or TokensWanted(count=len(self.local.tokens))
        self.transfers_hints, self.paxos = options.transfers_hints, options.paxos
        self.ring_delay_s, self.is_movement_consistent = options.ring_delay_s, options.is_movement_consistent
        self._stream_bytes_per_s = options.stream_bytes_per_s
        self._former: list[tuple[float, Ring]] = []
        if options.is_joining:
            self.gossiper.say(joining_states(self.local, HIBERNATING if options.hibernates else None))
        else:
            self.gossiper.say(own_states(self.local, StatusValue(Status.NORMAL, (str(self.local.tokens[0]),))))
        self.membership.remember(options.saved)
        self.membership.look_at_local()
        coordinator.know(self.membership.topology, self.is_alive)
        self.replica.maybe_holder = self._maybe_holder

    # --- what is known -------------------------------------------------------------------------------------------------

    def _is_member(self, endpoint: Endpoint) -> bool:
        return self.membership.is_member(endpoint)

    def is_alive(self, node: Node) -> bool:
        return self.gossiper.is_alive(Endpoint(node.address, node.port))

    @property
    def now_s(self) -> float:
        return self._clock()

    @property
    def peers(self) -> list[Node]:
        """The other members."""
        return [member.node for member in self.membership.topology.members if member.node != self.local]

    @property
    def live_peers(self) -> list[Node]:
        return [node for node in self.peers if self.is_alive(node)]

    @property
    def has_met_all(self) -> bool:
        """Whether all members that it has heard of are up."""
        return len(self.live_peers) == len(self.peers)

    @property
    def agrees_on_schema(self) -> bool:
        """Whether some other node is up, and all that are have the schema that this one has."""
        own = str(self.engine.schema.version)
        states = [self.gossiper.maybe_state(endpoint) for endpoint in self.gossiper.live]
        return bool(states) and all(state is not None and state.get(ApplicationState.SCHEMA) == own for state in states)

    # --- messages and time ---------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Says hello to the seeds."""
        self._send_gossip(self.gossiper.greet(self.gossiper.seeds))

    def shut_down(self) -> None:
        """Says that it stops; nothing of it is to be heard after what is outgoing now."""
        self._send_gossip(self.gossiper.shut_down())

    def start_gossip(self) -> None:
        """After `shut_down`: is heard of again, in a new generation."""
        if self.gossiper.is_running:
            return
        state = self.gossiper.maybe_state(self.endpoint)
        assert state is not None, self.endpoint
        generation = Generation(max(self._now_s(), state.generation + 1))
        states = own_states(self.local, StatusValue(Status.NORMAL, (str(self.local.tokens[0]),)))
        self._send_gossip(self.gossiper.start_again(generation, states))

    def receive(self, sender: Endpoint, message: Message) -> None:
        """Raises PeerError, CorruptionError for what no node says: the connection is of no use then."""
        verb = message.verb
        if verb in REPLICA_VERBS:
            self._answer_as_replica(sender, message)
        elif verb in GOSSIP_VERBS:
            gossip = decode_gossip(verb, message.body)
            self._send_gossip(self.gossiper.receive(sender, gossip, self._clock(), self._now_s()))
            self._follow_gossip()
        elif verb in (Verb.STORE_BATCH, Verb.REMOVE_BATCH):
            self._keep_batch(sender, message)
        elif verb in PAXOS_VERBS:
            vote = self.rounds.maybe_answer(message)
            if vote is not None:
                self._send(sender, vote)
        elif verb == Verb.COUNT:
            self._lead(sender, message)
        elif verb == Verb.SCHEMA_CHANGED:
            self._take_change(sender, message)
        elif verb == Verb.SCHEMA_WANTED:
            self._send(sender, Message(Verb.SCHEMA, message.id, self._whole_schema()))
        elif verb == Verb.SCHEMA:
            self._take_schema(sender, message.body)
        elif verb == Verb.STATUS_KNOWN:
            self._tell_status(sender, message)
        elif verb == Verb.HINTS_FOR:
            self._take_over_hints(sender, message)
        else:
            member = self.membership.maybe_member(sender)
            if member is None:
                return
            if verb in STREAM_VERBS:
                self.streams.receive(member.node, message)
            elif verb == Verb.RESTORE:
                self.movements.receive(member.node, message, partial(self._send, sender))
            elif verb in REPAIR_VERBS:
                self.repairs.receive(member.node, message)
            else:
                self.requests.receive(member.node, message, self._clock())

    def _answer_as_replica(self, sender: Endpoint, message: Message) -> None:
        try:
            self._send(sender, in_go(self.replica.answer, message))
        except TooLong:
            self.replica.answer_in_turns(message, partial(self._send, sender))

    def tick(self) -> None:
        """To be called at `wake_s`."""
        now_s = self._clock()
        self.requests.tick(now_s)
        if now_s >= self._next_round_s:
            self._next_round_s = max(self._next_round_s + INTERVAL_S, now_s)
            if now_s >= self._next_load_s:
                self._next_load_s = now_s + LOAD_S
                self.gossiper.say({ApplicationState.LOAD: str(float(self.owner.load_bytes()))})
            self._send_gossip(self.gossiper.tick(now_s))
            self._follow_gossip()
            for endpoint in self.gossiper.live:
                self._maybe_ask_for_schema(endpoint)
        if "movements" in self.__dict__:
            self.movements.tick(now_s)
        if self._former and self._former[0][0] <= now_s:
            self._know()
        if now_s >= self._next_replay_s:
            self._next_replay_s = now_s + REPLAY_S
            self.batchlog.replay(2 * self.proxy.timeouts.write_s)
        if now_s >= self._next_hints_s:
            self._next_hints_s = now_s + HINTS_TICK_S
            self.hints.tick(self.live_peers)
            self.rounds.store.sweep()
            if "repairs" in self.__dict__ or not self.engine.stores[self._repairs_id].is_empty:
                self.repairs.tick()

    @property
    def wake_s(self) -> float:
        movements_s = self.movements.wake_s if "movements" in self.__dict__ else inf
        former_s = self._former[0][0] if self._former else inf
        return min(self.requests.wake_s, self._next_round_s, self._next_hints_s, self._next_replay_s, movements_s, former_s)

    def take_outgoing(self) -> dict[Endpoint, list[Message]]:
        """What is to be sent, by whom it is for; after the commit log was written. What this logs itself are hints."""
        if self.bundles:
            self.bundles.send()
        outgoing, self._outgoing = self._outgoing, {}
        return outgoing

    @cached_property
    def streams(self) -> "Streams":
        """What moves data to and from this node; imported where any moves."""
        from cluster.streaming.streams import Streams

        def came_for(repair_id: UUID, tables: Sequence[UUID]) -> None:
            self.repairs.participant.sessions.came_for(repair_id, tables)

        streams = Streams(self.engine, self.replica, self.requests, self._clock, self._stream_ids.uuid4)
        streams.bytes_per_s = self._stream_bytes_per_s
        streams.came_for = came_for
        return streams

    @cached_property
    def repairs(self) -> "Repairs":
        """What compares this node with others; imported where anything is repaired."""
        from cluster.repair.repairs import Repairs

        def member(endpoint: Endpoint) -> Node | None:
            found = self.membership.maybe_member(endpoint)
            return None if found is None else found.node

        return Repairs(
            self.engine, self.coordinator, self.streams, self.requests, member, self._timeuuids, self.rounds,
            self.paxos,
        )  # fmt: skip

    @property
    def has_outgoing(self) -> bool:
        return bool(self._outgoing) or bool(self.bundles)

    def want_turn(self) -> None:
        """There is something new to be sent, or due earlier than all else."""
        if not self.has_turn:
            self.on_turn_wanted()

    def _send(self, endpoint: Endpoint, message: Message) -> None:
        found = self._outgoing.get(endpoint)
        if found is None:
            self._outgoing[endpoint] = [message]
            self.want_turn()
        else:
            found.append(message)

    def _send_to(self, node: Node, verb: int, operation_id: int, body: bytes) -> None:
        self._send(Endpoint(node.address, node.port), Message(verb, operation_id, body))

    def _send_gossip(self, outgoing: Outgoing) -> None:
        for endpoint, message in outgoing:
            self.gossip_sent += 1
            verb, body = encode_gossip(message)
            self._send(endpoint, Message(verb, 0, body))

    # --- gossip ------------------------------------------------------------------------------------------------------------

    def _follow_gossip(self) -> None:
        events = self.gossiper.take_events()
        if not events:
            return
        before = self.membership.topology
        told = self.membership.absorb(events)
        changed: dict[Endpoint, None] = {}
        for event in events:
            if isinstance(event, Joined):
                self._send_gossip(self.gossiper.greet((event.endpoint,)))
            elif isinstance(event, Changed):
                if event.state in SHOWN_STATES:
                    changed[event.endpoint] = None
                if event.state is ApplicationState.SCHEMA:
                    self._maybe_ask_for_schema(event.endpoint)
            elif isinstance(event, Up | Down):  # of those that join, too: ccm waits for these lines
                log.info("InetAddress /%s is now %s", event.endpoint, "UP" if isinstance(event, Up) else "DOWN")
        for endpoint in changed:
            member = self.membership.maybe_member(endpoint)
            if member is not None and self.membership.is_member(endpoint):
                self.owner.peer_changed(member.node)
        if told or self.membership.topology.members != before.members:
            self._know()
            host_ids = {member.node.host_id for member in self.membership.topology.members}
            for member in before.members:  # one that was replaced at its own address, too
                if member.node.host_id not in host_ids:
                    self.hints.forget(member.node.host_id)
            for happened in told:
                match happened:
                    case MemberUp(node):
                        self.hints.node_came_up(node)
                        self._maybe_ask_for_schema(Endpoint(node.address, node.port))
                    case MemberDown(node):
                        self.hints.node_went_down(node)
                    case MemberLeft(node):
                        if "movements" in self.__dict__:
                            self.movements.forget(node)
                        if "streams" in self.__dict__:
                            self.streams.member_left(node)
                    case _:
                        pass
            self.owner.members_changed(told)

    def _know(self) -> None:
        """Follows a change of the ring, or of who is up. Where somebody has arrived, who held his ranges before takes
        writes for the ring delay: so long may somebody read from him who has not heard of it."""
        now_s, topology, before = self._clock(), self.membership.topology, self.coordinator.topology
        self._former = [(until_s, ring) for until_s, ring in self._former if until_s > now_s]
        if before is not None and topology.has_arrived(before):
            self._former.append((now_s + self.ring_delay_s, before.ring))
        rings = [ring for _, ring in self._former]
        self.coordinator.know(topology.remembering(rings) if rings else topology, self.is_alive)

    # --- its own place in the ring -----------------------------------------------------------------------------------------

    @cached_property
    def movements(self) -> "Movements":
        """Joining, leaving and the like; imported where there is any."""
        from cluster.movements.movements import Movements

        return Movements(self)

    def say_status(self, status: StatusValue) -> None:
        """What the node is in the ring, from now on: told to all who are up at once."""
        self.gossiper.say(own_states(self.local, status))
        told = self.membership.look_at_local()
        self._know()
        self._send_gossip(self.gossiper.greet(self.gossiper.live))
        self.owner.members_changed(told)

    def take_tokens(self, tokens: Iterable[int]) -> None:
        """The local node has these from now on; `say_status` tells the others."""
        self.local = self.coordinator.local = replace(self.local, tokens=tuple(tokens))
        self.owner.tokens_changed(self.local)

    def speak_for(self, endpoint: Endpoint, states: dict[ApplicationState, str]) -> None:
        """Tells the others of a node that is dead what it can't say itself."""
        self.gossiper.speak_for(endpoint, states, self._now_s())
        self._follow_gossip()
        self._send_gossip(self.gossiper.greet(self.gossiper.live))

    def replaced(self, dead: Node) -> None:
        """The local node has taken the place of this one."""
        self.gossiper.forget(Endpoint(dead.address, dead.port), self._clock())
        self._follow_gossip()

    @property
    def has_written_all_older(self) -> bool:
        """Whether no write that it coordinates is under way by what it knew of the ring before it knew what it does."""
        number = self.coordinator.ring_number
        return self.bundles.are_planned_by(number) and self.requests.have_written(number)

    def _tell_status(self, sender: Endpoint, message: Message) -> None:
        state = self.gossiper.maybe_state(sender)
        known = None if state is None else state.get(ApplicationState.STATUS_WITH_PORT)
        if known is not None and known.encode() == message.body and self.has_written_all_older:
            self._send(sender, Message(Verb.DONE, message.id, b""))
        else:
            self._answer_failed(sender, message.id, FailureReason.UNKNOWN)

    def _take_over_hints(self, sender: Endpoint, message: Message) -> None:
        """Of a node that leaves."""
        host_id, *hints = decode_texts(message.body)
        try:
            if host_id == self.local.host_id.bytes:
                self.replica.take_hints(hints)
            elif any(node.host_id.bytes == host_id for node in self.peers):
                self.hints.keep_for(UUID(bytes=host_id), hints)
            else:
                log.warning("hints for a node that is no member any more are not kept")
        except (StorageError, Failed):
            self._answer_failed(sender, message.id, FailureReason.UNKNOWN)
        else:
            self._send(sender, Message(Verb.DONE, message.id, b""))

    def _maybe_holder(self, table: TableMetadata) -> Holder | None:
        keyspace = self.engine.schema.keyspaces.get(table.keyspace)
        return None if keyspace is None else self.coordinator.maybe_holder(keyspace)

    # --- logged batches ----------------------------------------------------------------------------------------------------

    def assure_batchlog(self, level: int) -> None:
        """Raises Unavailable where nobody would keep a batch."""
        assure_keepers(self.peers, self.live_peers, self.local, level)

    def write_batch(self, writes: Sequence[tuple[WritePlan, Sequence[bytes]]]) -> Outcome[None]:
        """Mutations of several tokens, of which in the end all are done or none."""
        batch_id = self._timeuuids.bytes()
        body = encode_batch(batch_id, [mutation for _, mutations in writes for mutation in mutations])
        chosen = keepers(self.live_peers, self.local, self._rng)
        whole: Outcome[None] = Outcome()
        others = [node for node in chosen if node != self.local]

        def too_few(done: int, failures: dict[Node, int]) -> RequestError:
            return write_timeout(_BATCHLOG_LEVELS[len(chosen)], done, len(chosen), "BATCH_LOG")

        def write() -> None:
            if keeping.outcome.error is not None:
                whole.fail(keeping.outcome.error)
                return
            outcome = self.proxy.write_all(writes, "BATCH")
            outcome.when_done(lambda: end(outcome))

        def end(outcome: Outcome[None]) -> None:
            if outcome.error is not None:
                whole.fail(outcome.error)  # who keeps it will do it again
                return
            for node in others:
                self._send_to(node, Verb.REMOVE_BATCH, 0, batch_id)
            if self.local in chosen:
                self.batchlog.remove(batch_id)
            whole.settle(None)

        if self.local in chosen:
            self.batchlog.store(body)
        keeping = Spreading(others, self._clock() + self.proxy.timeouts.write_s, too_few)
        keeping.outcome.when_done(write)
        number = min((plan.ring_number for plan, _ in writes), default=self.coordinator.ring_number)
        self._spread(keeping, Verb.STORE_BATCH, body, number)
        return whole

    def _keep_batch(self, sender: Endpoint, message: Message) -> None:
        try:
            if message.verb == Verb.STORE_BATCH:
                self.batchlog.store(message.body)
                self._send(sender, Message(Verb.DONE, message.id, b""))
            else:
                self.batchlog.remove(message.body)
        except StorageError as error:
            log.warning("a batch can't be kept: %s", error)

    def _write_again(self, mutation: bytes) -> Outcome[None]:
        """Of a batch that is left over: those who can't be reached now get hints."""
        update = PartitionUpdate.decode(mutation)
        table = self.engine.stores[update.table_id].table
        plans = self.coordinator.levels(self.engine.schema.keyspaces[table.keyspace], RequestKind.BATCH)[Consistency.ANY]
        if plans is None:
            self.engine.apply(update)
            done: Outcome[None] = Outcome()
            done.settle(None)
            return done
        plan = plans.to_write_again(token(update.key))
        all_live = replace(plan, level=Consistency.ALL, required=len(plan.live))
        return self.proxy.write(all_live, [mutation], "BATCH")

    # --- counters ----------------------------------------------------------------------------------------------------------

    def count(self, keyspace: str, key_token: int, mutations: Sequence[bytes], level: int) -> Outcome[None]:
        """Has increments of one partition taken by a leader: this node where it is a replica. What levels a statement may
        not have is for its plan to say: batches may have them all. Raises Unavailable."""
        plans = self.coordinator.levels(self.engine.schema.keyspaces[keyspace], RequestKind.BATCH)[level]
        assert plans is not None, keyspace
        plan = plans.to_write(key_token)
        leaders = nearest_first([node for node in plan.live if node not in plan.pending], self.local)
        if not leaders:
            raise unavailable(plan.level, plan.required, 0)
        if leaders[0] == self.local:
            return self._count_here(plan, mutations)
        deadline_s = self._clock() + self.proxy.timeouts.counter_s
        forwarded = ForwardedCount(leaders[0], plan.level, plan.required, deadline_s)
        operation_id = self.requests.next_id()
        body = encode_texts((bytes((level,)), keyspace.encode(), _TOKEN.pack(key_token), *mutations))
        self._send_to(leaders[0], Verb.COUNT, operation_id, body)
        self.requests.begun(operation_id, forwarded)
        return forwarded.outcome

    def _count_here(self, plan: WritePlan, mutations: Sequence[bytes]) -> Outcome[None]:
        counter_id = self.local.host_id.bytes
        taken = [led(self.engine, counter_id, PartitionUpdate.decode(mutation)).encode() for mutation in mutations]
        return self.proxy.write(plan, taken, COUNTER)

    def _lead(self, sender: Endpoint, message: Message) -> None:
        """Another node's increments, which this one is to lead."""
        level, keyspace, key_token, *mutations = decode_texts(message.body)
        try:
            plans = self.coordinator.levels(self.engine.schema.keyspaces[keyspace.decode()], RequestKind.BATCH)[level[0]]
            assert plans is not None, keyspace
            outcome = self._count_here(plans.to_write(_TOKEN.unpack(key_token)[0]), mutations)
        except (KeyError, RequestError):
            self._answer_failed(sender, message.id, FailureReason.INCOMPATIBLE_SCHEMA)
            return

        def tell() -> None:
            if outcome.error is None:
                self._send(sender, Message(Verb.DONE, message.id, b""))
            else:
                is_late = isinstance(outcome.error, WriteTimeout)
                self._answer_failed(sender, message.id, FailureReason.TIMEOUT if is_late else FailureReason.UNKNOWN)

        outcome.when_done(tell)

    def _answer_failed(self, sender: Endpoint, message_id: int, reason: FailureReason) -> None:
        self._send(sender, Message(Verb.FAILED, message_id, reason.to_bytes(REASON_BYTES, "big")))

    # --- all nodes ---------------------------------------------------------------------------------------------------------

    def truncate(self, table_id: UUID) -> Outcome[None]:
        """Of all nodes of the ring, all of which must do it."""
        spreading = Spreading(self.peers, self._clock() + self.proxy.timeouts.truncate_s, truncation_error)
        try:
            self.replica.truncate(table_id)
        except Failed as failure:
            spreading.fail(self.local, failure.reason)
        self._spread(spreading, Verb.TRUNCATE, table_id.bytes)
        return spreading.outcome

    def _spread(self, spreading: Spreading, verb: Verb, body: bytes, ring_number: int | None = None) -> None:
        operation_id = self.requests.next_id()
        for node in spreading.nodes:
            self._send_to(node, verb, operation_id, body)
        self.requests.begun(operation_id, spreading, ring_number)

    # --- schema ------------------------------------------------------------------------------------------------------------

    def schema_changed(self, writes: Sequence[SchemaWrite], timestamp_us: int) -> Outcome[None]:
        """A client changed it here: tells all that are up; done when they have it too."""
        self.say_schema(timestamp_us)
        mutations = [update.encode() for update in change_mutations(self.engine, writes)]
        body = encode_texts((timestamp_us.to_bytes(_TIME_BYTES, "big"), *mutations))
        spreading = Spreading(self.live_peers, self._clock() + self.proxy.timeouts.write_s)
        self._spread(spreading, Verb.SCHEMA_CHANGED, body)
        return spreading.outcome  # who does not take it in time will ask for it

    def say_schema(self, timestamp_us: int) -> None:
        """Which one this node has, since that time."""
        self._schema_changed_us = max(self._schema_changed_us, timestamp_us)
        self.gossiper.say({ApplicationState.SCHEMA: str(self.engine.schema.version)})
        self._send_gossip(self.gossiper.greet(self.gossiper.live))

    def schema_change_us(self) -> int:
        """The time of a change that is made now: behind all that there were, whatever the clock says."""
        return max(self.engine.environment.clock.wall_us(), self._schema_changed_us + 1)

    def _take_change(self, sender: Endpoint, message: Message) -> None:
        self._merge(*_read_schema(message.body), is_whole=False)
        self._send(sender, Message(Verb.DONE, message.id, b""))

    def _merge(self, changed_us: int, updates: Sequence[PartitionUpdate], is_whole: bool) -> None:
        try:
            schema, writes = merged_schema(self.engine, updates, is_whole)
        except NotEnough:
            return  # gossip tells that versions differ
        except CorruptionError as error:
            log.error("The schema of another node is none together with this one's: %s", error)
            return
        if writes:
            self.owner.install_schema(schema, writes)
            self.say_schema(max(changed_us, *map(latest_us, writes)))

    def _maybe_ask_for_schema(self, endpoint: Endpoint) -> None:
        state = self.gossiper.maybe_state(endpoint)
        version = None if state is None else state.get(ApplicationState.SCHEMA)
        now_s = self._clock()
        if version is None or version == str(self.engine.schema.version) or not self.gossiper.is_alive(endpoint):
            return
        if self._schema_asked.get(endpoint, -inf) + SCHEMA_ASKED_S <= now_s:
            self._schema_asked[endpoint] = now_s
            self._send(endpoint, Message(Verb.SCHEMA_WANTED, 0, b""))

    def _whole_schema(self) -> bytes:
        mutations = [update.encode() for update in whole_schema(self.engine)]
        return encode_texts((self._schema_changed_us.to_bytes(_TIME_BYTES, "big"), *mutations))

    def _take_schema(self, sender: Endpoint, body: bytes) -> None:
        self._schema_asked.pop(sender, None)
        self._merge(*_read_schema(body), is_whole=True)


def _read_schema(body: bytes) -> tuple[int, list[PartitionUpdate]]:
    changed, *mutations = decode_texts(body) or [b""]
    return int.from_bytes(changed, "big"), [PartitionUpdate.decode(mutation) for mutation in mutations]
