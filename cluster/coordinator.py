"""The coordinator: for each kind of request and consistency level, which replicas have to answer.

A plan asks once, when it is compiled, for the `Levels` of its keyspace and kind, and looks up each request's level in
it: one dict lookup on the hot path. None means: the local node alone holds every token of that keyspace and that is
enough; go ahead, no token is needed. Otherwise there is a `ReplicaPlan`, which chooses replicas by token. A level that
can't be met, or that the kind does not allow, raises on the lookup.

Nothing is remembered of a failed lookup, and everything is forgotten when the ring or a node's liveness changes.
"""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import partial
from ipaddress import ip_address

from cluster.consistency import (
    LOCAL_LEVELS,
    Consistency,
    assure_paxos,
    assure_sufficient,
    block_for,
    consistency_of,
    quorum,
    unavailable,
    validate_for_cas,
    validate_for_cas_commit,
    validate_for_counter,
    validate_for_query,
    validate_for_read,
    validate_for_write,
)
from cluster.coordination.plans import Deciders, ReadPlan, WritePlan, nearest_first, read_plan
from cluster.replication import LocalStrategy, ReplicationStrategy, strategy_of
from cluster.ring import TOKEN_MIN, Node, Ring
from cluster.topology import Topology
from protocol.errors import RequestError, TruncateError, Unavailable, WriteFailure, WriteTimeout
from storage.memtable.memtable import Position, position_token, token_position
from storage.schema.metadata import KeyspaceMetadata, KeyspaceParams, is_system_keyspace

_TOKEN_BYTES = 8
FAILURE_UNKNOWN = 0
"""RequestFailureReason.UNKNOWN: what a replica answers when its disk refused."""

_NO_COMMIT = -1
"""In place of the level of a commit: a serial read has none."""


class RequestKind(Enum):
    READ = auto()
    """SELECT of known partitions; at SERIAL it is read at QUORUM after the Paxos round."""
    SCAN = auto()
    WRITE = auto()
    BATCH = auto()
    """Logged, unlogged and counter batches without conditions: no level is refused as such."""
    COUNTER = auto()
    CAS_COMMIT = auto()
    """What follows an accepted proposal; `Coordinator.assure_cas` comes before."""

    __hash__ = object.__hash__  # Enum's own is a function in Python


class ReplicaPlan:
    """Where other nodes have a say: which replicas take part in a request, by token. Made anew when the ring or a node's
    liveness changes, so that what was worked out for a range is kept."""

    def __init__(
        self, coordinator: "Coordinator", strategy: ReplicationStrategy, level: Consistency, wants_majority: bool = False
    ) -> None:
        self.level = level
        self._coordinator, self._strategy, self._wants_majority = coordinator, strategy, wants_majority
        self._writes: dict[int, WritePlan] = {}  # by the range's index
        # by who takes part: one plan for all ranges of the same nodes, so that what goes to them in one go goes together
        self._writes_alike: dict[tuple[int, ...], WritePlan] = {}
        self._reads_alike: dict[tuple[int, ...], ReadPlan] = {}
        self._reads: dict[int, ReadPlan] = {}

    def to_write(self, token: int) -> WritePlan:
        """Raises Unavailable."""
        index = self._coordinator.range_index(token)
        plan = self._writes.get(index)
        if plan is None:
            plan = self._make_write(token, self._wants_majority)
            members = sorted(node.host_id.int for node in plan.replicas)
            alike = (*members, *(-node.host_id.int for node in plan.pending))
            plan = self._writes[index] = self._writes_alike.setdefault(alike, plan)
        return plan

    def to_write_again(self, token: int) -> WritePlan:
        """What was taken on before, whoever is up now. Raises Unavailable."""
        return self._make_write(token, wants_majority=False)

    def _make_write(self, token: int, wants_majority: bool) -> WritePlan:
        coordinator, strategy, datacenter = self._coordinator, self._strategy, self._coordinator.local.datacenter
        natural = strategy.replicas(token, coordinator.ring, coordinator.local)
        pending = coordinator.pending(strategy, token, natural)
        replicas = natural + pending
        live = tuple(node for node in replicas if coordinator.is_alive(node))
        counted = sum(1 for node in pending if self.level not in LOCAL_LEVELS or node.datacenter == datacenter)
        required = assure_sufficient(self.level, strategy, live, datacenter, counted)
        if wants_majority:
            alive, majority = sum(node in live for node in natural), quorum(len(natural))
            if alive < majority:
                raise unavailable(self.level, majority, alive)
        has_local = coordinator.local in live
        return WritePlan(
            self.level, strategy, datacenter, required, replicas, live, pending, has_local, coordinator.ring_number
        )

    def to_read(self, token: int) -> ReadPlan:
        """Raises Unavailable."""
        index = self._coordinator.ring.range_index(token)
        plan = self._reads.get(index)
        if plan is None:
            plan = self._make_read(self._coordinator.live_replicas(self._strategy, token))
            asked = tuple(node.host_id.int for node in (*plan.contacts, *plan.spares))
            plan = self._reads[index] = self._reads_alike.setdefault(asked, plan)
        return plan

    def _make_read(self, live: Sequence[Node]) -> ReadPlan:
        local = self._coordinator.local
        required = assure_sufficient(self.level, self._strategy, live, local.datacenter)
        return read_plan(self.level, self._strategy, required, self._coordinator.by_proximity(live), local)

    def forget_reads(self) -> None:
        """Others may be asked first from now on."""
        self._reads.clear()
        self._reads_alike.clear()

    def to_scan(self, start: Position, end: Position | None) -> tuple[ReadPlan, Position | None]:
        """For the first of the positions from `start` on, and where these end: ranges are read together as long as the same
        replicas suffice for them (ReplicaPlans.maybeMerge), and the ring stays as it is: of ranges that change hands the one
        replica of all may refuse some, where each has another one to ask. Raises Unavailable."""
        ring, topology = self._coordinator.ring, self._coordinator.topology
        may_merge = topology is None or topology.is_stable
        token = position_token(start)
        live = self._coordinator.live_replicas(self._strategy, token)
        plan = self._make_read(live)
        while (range_end := ring.range_end(token)) is not None:
            behind = token_position(range_end + 1)
            if end is not None and behind >= end:
                break
            if not may_merge:
                return plan, behind
            token = range_end + 1
            following = self._coordinator.live_replicas(self._strategy, token)
            live = tuple(node for node in live if node in following)
            try:
                plan = self._make_read(live)
            except Unavailable:
                return plan, behind
        return plan, end


class DecidersByToken:
    """Who decides about conditional writes of a keyspace at one pair of levels, by token: what `Coordinator.assure_cas`
    says, worked out once for each range. Made anew as ReplicaPlan is."""

    def __init__(self, assure: Callable[[int], Deciders | None], range_index: Callable[[int], int]) -> None:
        self._assure, self._range_index = assure, range_index
        self._known: dict[int, Deciders | None] = {}

    def of(self, token: int) -> Deciders | None:
        """Raises InvalidRequest, Unavailable."""
        index = self._range_index(token)
        try:
            return self._known[index]
        except KeyError:
            deciders = self._known[index] = self._assure(token)
            return deciders


class Levels(dict[int, ReplicaPlan | None]):
    """Consistency level (the protocol's number) -> ReplicaPlan, or None for "the local node, at once". A lookup
    raises InvalidRequest, Unavailable or ProtocolError where the level won't do."""

    __slots__ = ("_resolve",)

    def __init__(self, resolve: Callable[[int], ReplicaPlan | None]) -> None:
        super().__init__()
        self._resolve = resolve

    def __missing__(self, code: int) -> ReplicaPlan | None:
        plan = self[code] = self._resolve(code)
        return plan


class Holder:
    """Of a node and a keyspace by range of the ring whether it is held there."""

    def __init__(self, tokens: Sequence[int], held: Sequence[bool]) -> None:
        self._tokens, self._held = tokens, held

    def holds(self, start: Position, end: Position | None) -> bool:
        """All positions from `start` on, before `end` (None: to the ring's end)."""
        first = bisect_left(self._tokens, position_token(start))
        last = len(self._tokens)
        if end is not None:
            last = bisect_left(self._tokens, position_token(end) - (len(end) == _TOKEN_BYTES))  # which does not belong to it
        return all(self._held[index % len(self._held)] for index in range(first, last + 1))


class Coordinator:
    """`is_alive` is the failure detector's word; the local node is always alive to itself."""

    def __init__(self, local: Node, ring: Ring, is_alive: Callable[[Node], bool] | None = None) -> None:
        self.local, self.ring = local, ring
        self.topology: Topology | None = None
        self.ring_number = 0
        """How often it has heard of the ring."""
        self.minority_refuses_writes = False
        """Whether no write of users' keyspaces is taken on, at any level, while no majority of its replicas is up."""
        self.by_proximity: Callable[[Sequence[Node]], list[Node]] = lambda nodes: nearest_first(nodes, local)
        """The best to read from first."""
        self._is_alive = is_alive or (lambda node: True)
        # by keyspace's name, with the parameters that they follow from
        self._local_cas: dict[tuple[str, int, int], KeyspaceParams] = {}
        self._deciders_of: dict[tuple[str, int, int], tuple[KeyspaceParams, DecidersByToken]] = {}
        self._strategies: dict[str, tuple[KeyspaceParams, ReplicationStrategy]] = {}
        self._levels: dict[tuple[str, RequestKind, str], tuple[KeyspaceParams, Levels]] = {}
        self._held: dict[str, tuple[KeyspaceParams, Holder | None]] = {}

    # --- the ring --------------------------------------------------------------------------------------------------

    def set_ring(self, ring: Ring) -> None:
        self.ring = ring
        self.liveness_changed()

    def know(self, topology: Topology, is_alive: Callable[[Node], bool]) -> None:
        """What membership says: the ring, who is about to own what, and who is up."""
        self.topology, self._is_alive = topology, is_alive
        self.ring_number += 1
        self.set_ring(topology.ring)

    def liveness_changed(self) -> None:
        """A node came up or went down: what was worked out before holds no more."""
        for _, levels in self._levels.values():
            levels.clear()
        self._local_cas.clear()
        self._deciders_of.clear()
        self._held.clear()

    def proximity_changed(self) -> None:
        """Whom to ask first may be somebody else now."""
        for _, levels in self._levels.values():
            for plan in levels.values():
                if plan is not None:
                    plan.forget_reads()

    def is_alive(self, node: Node) -> bool:
        return node == self.local or self._is_alive(node)

    def range_index(self, token: int) -> int:
        """Of the range whose tokens are all written to the same nodes, those that are about to hold it included."""
        topology = self.topology
        ranges = self.ring if topology is None or topology.is_stable else topology
        return ranges.range_index(token)

    def strategy(self, keyspace: KeyspaceMetadata) -> ReplicationStrategy:
        known = self._strategies.get(keyspace.name)
        if known is not None and known[0] is keyspace.params:
            return known[1]
        strategy = LocalStrategy() if keyspace.is_virtual else strategy_of(keyspace.params.replication)
        self._strategies[keyspace.name] = (keyspace.params, strategy)
        return strategy

    def pending(self, strategy: ReplicationStrategy, token: int, natural: Sequence[Node]) -> tuple[Node, ...]:
        """Who has to take writes besides: those who will hold the token, and those who did, as long as somebody may read
        from them."""
        topology = self.topology
        if topology is None or topology.is_stable:
            return ()
        pending = topology.pending(token, strategy, self.local)
        former = topology.former(token, strategy, self.local)
        still = tuple(node for node in former if node not in natural and node not in pending and self.is_alive(node))
        return pending + still

    def maybe_holder(self, keyspace: KeyspaceMetadata) -> "Holder | None":
        """Of which ranges the local node is a replica, as far as it knows; None: of all."""
        known = self._held.get(keyspace.name)
        if known is not None and known[0] is keyspace.params:
            return known[1]
        strategy, ring, local = self.strategy(keyspace), self.ring, self.local
        held = [local in strategy.replicas(token, ring, local) for token in ring.tokens]
        is_of_all = self._is_local_only(strategy) or all(held)
        holder = None if is_of_all else Holder(ring.tokens, held)
        self._held[keyspace.name] = keyspace.params, holder
        return holder

    def live_replicas(self, strategy: ReplicationStrategy, token: int) -> tuple[Node, ...]:
        return tuple(node for node in strategy.replicas(token, self.ring, self.local) if self.is_alive(node))

    # --- what a plan asks ------------------------------------------------------------------------------------------

    def levels(self, keyspace: KeyspaceMetadata, kind: RequestKind, table_name: str = "") -> Levels:
        """To be kept by a plan until the schema changes. `table_name` is named in refusals of counters only."""
        if kind is not RequestKind.COUNTER:
            table_name = ""
        key = (keyspace.name, kind, table_name)
        known = self._levels.get(key)
        if known is not None and known[0] is keyspace.params:
            return known[1]
        strategy = self.strategy(keyspace)
        if keyspace.is_virtual:
            levels = Levels(_resolve_virtual)
        else:
            guarded = not is_system_keyspace(keyspace.name)

            def resolve(code: int) -> ReplicaPlan | None:
                wants_majority = guarded and self.minority_refuses_writes
                return self._resolve(strategy, kind, consistency_of(code), table_name, wants_majority)

            levels = Levels(resolve)
        self._levels[key] = (keyspace.params, levels)
        return levels

    def local_levels(self, keyspace: KeyspaceMetadata, kind: RequestKind, table_name: str = "") -> tuple[int, ...]:
        """The levels (the protocol's numbers) at which the local node decides alone, for whoever prepares for them. The
        general way says what is wrong to whoever asks for another."""
        levels = self.levels(keyspace, kind, table_name)
        local = []
        for level in Consistency:
            try:
                if levels[level] is None:
                    local.append(level.value)
            except RequestError:
                continue
        return tuple(local)

    def forget_table(self, keyspace_name: str, table_name: str) -> None:
        """The table was dropped."""
        self._levels.pop((keyspace_name, RequestKind.COUNTER, table_name), None)

    def forget_keyspace(self, name: str) -> None:
        """The keyspace was dropped."""
        self._strategies.pop(name, None)
        for cache in (self._levels, self._local_cas, self._deciders_of):
            for key in [key for key in cache if key[0] == name]:
                del cache[key]  # type: ignore[arg-type]

    def _resolve(
        self,
        strategy: ReplicationStrategy,
        kind: RequestKind,
        level: Consistency,
        table_name: str,
        wants_majority: bool,
    ) -> ReplicaPlan | None:
        if kind is RequestKind.READ:
            validate_for_read(level)
            level = READ_LEVELS.get(level, level)
        elif kind is RequestKind.SCAN:
            validate_for_read(level)
        elif kind is RequestKind.WRITE:
            validate_for_write(level)
        elif kind is RequestKind.COUNTER:
            validate_for_counter(level, table_name)
        elif kind is RequestKind.CAS_COMMIT:
            validate_for_cas_commit(level, strategy)
        if not self._is_local_only(strategy):
            return ReplicaPlan(self, strategy, level, wants_majority)
        assure_sufficient(level, strategy, (self.local,), self.local.datacenter)
        return None

    def _is_local_only(self, strategy: ReplicationStrategy) -> bool:
        """Whether the local node alone holds every token."""
        only = (self.local,)
        if isinstance(strategy, LocalStrategy):
            return True
        nodes = self.ring.nodes if self.topology is None else [member.node for member in self.topology.members]
        if any(node != self.local for node in nodes):  # one that only joins takes writes, too
            return False
        return strategy.replicas(TOKEN_MIN + 1, self.ring, self.local) == only

    def cas_is_local(self, keyspace: KeyspaceMetadata, serial_code: int, commit_code: int) -> bool:
        """Whether `assure_cas` has found before that the local node alone decides, whatever the token."""
        return self._local_cas.get((keyspace.name, serial_code, commit_code)) is keyspace.params

    def assure_cas(self, keyspace: KeyspaceMetadata, serial_code: int, commit_code: int, token: int) -> Deciders | None:
        """What a conditional write checks before it reads: both levels, the Paxos quorum, and the quorum that its
        read needs. The commit's own replicas are checked afterwards (CAS_COMMIT), and only if it applies. None: the local
        node decides alone. Raises InvalidRequest, Unavailable."""
        strategy = self.strategy(keyspace)
        serial, commit = consistency_of(serial_code), consistency_of(commit_code)
        validate_for_query(commit)
        validate_for_cas(serial)
        validate_for_cas_commit(commit, strategy)
        deciders = self._deciders(strategy, serial, commit, token)
        if deciders.voters != (self.local,) or deciders.others or deciders.down:
            return deciders
        if self._is_local_only(strategy):
            self._local_cas[keyspace.name, serial_code, commit_code] = keyspace.params
        return None

    def deciders(self, keyspace: KeyspaceMetadata, serial_code: int, commit_code: int) -> DecidersByToken:
        """The same, for whoever asks often."""
        place = (keyspace.name, serial_code, commit_code)
        known = self._deciders_of.get(place)
        if known is None or known[0] is not keyspace.params:
            assure = partial(self.assure_cas, keyspace, serial_code, commit_code)
            known = self._deciders_of[place] = (keyspace.params, DecidersByToken(assure, self.range_index))
        return known[1]

    def serial_readers(self, keyspace: KeyspaceMetadata, serial_code: int, token: int) -> Deciders:
        """Who makes sure, before a serial read, that nothing is half decided. Raises Unavailable."""
        serial = consistency_of(serial_code)
        return self._deciders(self.strategy(keyspace), serial, READ_LEVELS[serial], token)

    def readers(self, keyspace: KeyspaceMetadata, serial_code: int) -> DecidersByToken:
        """The same, for whoever asks often."""
        place = (keyspace.name, serial_code, _NO_COMMIT)
        known = self._deciders_of.get(place)
        if known is None or known[0] is not keyspace.params:
            assure = partial(self.serial_readers, keyspace, serial_code)
            known = self._deciders_of[place] = (keyspace.params, DecidersByToken(assure, self.range_index))
        return known[1]

    def _deciders(self, strategy: ReplicationStrategy, serial: Consistency, commit: Consistency, token: int) -> Deciders:
        """Those who are about to hold the token decide too, as if they did (ReplicaPlans.forPaxos)."""
        natural = strategy.replicas(token, self.ring, self.local)
        pending = self.pending(strategy, token, natural)
        replicas = natural + pending
        live = tuple(node for node in replicas if self.is_alive(node))
        datacenter = self.local.datacenter
        required = assure_paxos(serial, replicas, live, datacenter)
        if len(pending) > 1:
            text = f"Cannot perform LWT operation as there is more than one ({len(replicas)}) pending range movement"
            raise Unavailable(text, serial.value, len(replicas) + 1, len(live))
        assure_sufficient(READ_LEVELS[serial], strategy, [node for node in live if node not in pending], datacenter)
        is_local = serial is Consistency.LOCAL_SERIAL
        voters = tuple(node for node in live if not is_local or node.datacenter == datacenter)
        committed = 0 if commit is Consistency.ANY else block_for(commit, strategy, datacenter) + len(pending)
        others = tuple(node for node in live if node not in voters)
        down = tuple(node for node in replicas if node not in live)
        return Deciders(serial, voters, required, commit, committed, others, down, not pending, self.ring_number)

    def assure_truncate(self) -> None:
        """TRUNCATE needs every node (StorageProxy.truncateBlocking). Raises TruncateError."""
        if not all(map(self.is_alive, self.ring.nodes)):
            raise TruncateError("Error during truncate: Cannot achieve consistency level ALL")

    def write_failure(self, keyspace: KeyspaceMetadata, code: int, write_type: str) -> WriteFailure:
        """What a client gets when the only replica's commit log refused its write (RequestFailureException)."""
        required, local = self._required(keyspace, code), self.local
        where = f"/{local.address}:{local.port}"
        message = f"Operation failed - received 0 responses and 1 failures: UNKNOWN from {where}"
        return WriteFailure(message, code, 0, required, {ip_address(local.address).packed: FAILURE_UNKNOWN}, write_type)

    def write_timeout(self, keyspace: KeyspaceMetadata, code: int, write_type: str) -> WriteTimeout:
        """The same when it does not even say that."""
        required = self._required(keyspace, code)
        return WriteTimeout("Operation timed out - received only 0 responses.", code, 0, required, write_type)

    def _required(self, keyspace: KeyspaceMetadata, code: int) -> int:
        local = self.local
        return assure_sufficient(Consistency(code), self.strategy(keyspace), (local,), local.datacenter)


def _resolve_virtual(code: int) -> None:
    """Virtual tables are computed here, whatever level is asked for."""
    validate_for_read(consistency_of(code))


READ_LEVELS = {Consistency.SERIAL: Consistency.QUORUM, Consistency.LOCAL_SERIAL: Consistency.LOCAL_QUORUM}
"""At what level a serializable read collects, after its Paxos round (StorageProxy.readWithPaxos)."""
