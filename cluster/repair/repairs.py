"""All repairs of a node: those that it was told to do, and its part in those of others."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Final
from uuid import UUID

from cluster.coordination.outcome import Outcome, all_of
from cluster.coordination.requests import Requests
from cluster.coordinator import Coordinator
from cluster.gossip.endpoint import Endpoint
from cluster.internode.frames import Message
from cluster.internode.verbs import Verb
from cluster.paxos.options import PaxosOptions
from cluster.repair.asking import Asking, RepairFailed
from cluster.repair.coordinator import RepairCommand, Surroundings, Watcher
from cluster.repair.messages import PaxosRepair, Step, Stepping, Synchronisation, Validation, decode_trees
from cluster.repair.options import RepairOptions
from cluster.repair.participant import Participant
from cluster.repair.paxos import begin_round
from cluster.repair.ranges import asked_ranges, common_ranges
from cluster.repair.sessions import LocalSession, State
from cluster.repair.tree import DEPTH_MAX, MerkleTree
from cluster.ring import Node
from cluster.rounds import Rounds
from cluster.streaming.ranges import TokenRange
from cluster.streaming.streams import Streams
from protocol.errors import PeerError
from storage.engine import Engine
from storage.environment.environment import TimeUuidSource
from storage.schema.metadata import KeyspaceMetadata, TableMetadata

COMMANDS_MAX: Final = 100
"""Of commands that are over so many are remembered."""


class Repairs:
    """See the module."""

    def __init__(
        self,
        engine: Engine,
        coordinator: Coordinator,
        streams: Streams,
        requests: Requests,
        member: Callable[[Endpoint], Node | None],
        timeuuids: TimeUuidSource,
        rounds: Rounds,
        paxos: PaxosOptions,
    ) -> None:
        self._engine, self._coordinator, self._requests = engine, coordinator, requests
        self._clock = engine.environment.clock
        self._member = member
        self._new_id: Callable[[], UUID] = lambda: UUID(bytes=timeuuids.bytes())
        begin = partial(begin_round, engine, coordinator, rounds)
        self.participant = Participant(engine, streams, requests.send, member, rounds, begin)
        self.paxos = paxos
        self.commands: OrderedDict[int, RepairCommand] = OrderedDict()
        self._last_number = 0

    # --- what the node is told to do ---------------------------------------------------------------------------------------

    def begin(
        self, keyspace: KeyspaceMetadata, options: RepairOptions, watcher: Watcher | None = None
    ) -> RepairCommand | None:
        """A command under way, or over already; None where there is nothing to repair, for there is one replica. Raises
        RepairFailed for what can't be asked for."""
        options.check()
        coordinator = self._coordinator
        strategy, ring, local = coordinator.strategy(keyspace), coordinator.ring, coordinator.local
        ranges = asked_ranges(options, strategy, ring, local)
        if not ranges or strategy.replication_factor < 2:
            return None
        self._last_number += 1
        if options.datacenters and local.datacenter not in options.datacenters:
            raise RepairFailed(
                f"the local data center must be part of the repair; requested [{', '.join(options.datacenters)}] but DC is "
                f"{local.datacenter}"
            )
        surroundings = Surroundings(
            local,
            self,
            self._new_id,
            lambda: self._clock.wall_us() // 1_000,
            coordinator.is_alive,
            DEPTH_MAX,
            self._engine.commit_log is not None,
            self.paxos,
        )
        command = RepairCommand(self._last_number, keyspace.name, options, surroundings, watcher or Watcher())
        self.commands[command.number] = command
        while len(self.commands) > COMMANDS_MAX and next(iter(self.commands.values())).is_over:
            self.commands.popitem(last=False)
        command.outcome.when_done(lambda: self._command_ended(command))
        try:
            tables = _tables_of(keyspace, options.tables)
        except RepairFailed as error:
            command.fail(error)
        else:
            command.start(
                tables, ranges, lambda: common_ranges(options, keyspace.name, ranges, strategy, ring, local)
            )
        return command

    def cancel(self, session_id: UUID) -> None:
        """Has all participants of an incremental repair fail it."""
        session = self.participant.sessions.all[session_id]
        stepping = replace(session.stepping, step=Step.FAIL)
        for endpoint in stepping.participants:
            node = self._member(endpoint)
            if node is not None:
                self.step(node, stepping)

    def tick(self) -> None:
        """From time to time: incremental repairs that were left over end, sooner or later."""
        sessions, endpoint = self.participant.sessions, _endpoint(self._coordinator.local)
        left_over, self.participant.left_over = self.participant.left_over, []
        for session_id in left_over:
            session = sessions.all.get(session_id)
            if session is not None and session.stepping.coordinator == endpoint:
                self.cancel(session_id)
        sessions.tick(self._ask_how_it_ended)

    def _ask_how_it_ended(self, session: LocalSession) -> None:
        for endpoint in session.stepping.participants:
            node = self._member(endpoint)
            if node is None or node == self._coordinator.local or not self._coordinator.is_alive(node):
                continue
            answer = self._ask(node, Verb.REPAIR_STATUS, session.id.bytes, "Status of a session")
            answer.when_done(partial(self._told, session.id, answer))

    def _told(self, session_id: UUID, answer: Outcome[Message]) -> None:
        if answer.error is None and len(answer.result.body) == 1 and answer.result.body[0] in list(State):
            self.participant.sessions.told(session_id, State(answer.result.body[0]))

    def _command_ended(self, command: RepairCommand) -> None:
        self.participant.forget(command.id)
        for node in command.neighbours:
            self._requests.send(node, Verb.REPAIR_END, 0, command.id.bytes)

    # --- replicas ----------------------------------------------------------------------------------------------------------

    def validate(self, node: Node, validation: Validation) -> Outcome[list[MerkleTree]]:
        """Fails with RepairFailed."""
        if node == self._coordinator.local:
            return self.participant.validate(validation)
        trees: Outcome[list[MerkleTree]] = Outcome()
        answer = self._ask(node, Verb.REPAIR_VALIDATE, validation.encode(), "Validation")

        def arrived() -> None:
            if answer.error is not None:
                trees.fail(answer.error)
                return
            try:
                trees.settle(decode_trees(answer.result.body))
            except PeerError as error:
                trees.fail(error)

        answer.when_done(arrived)
        return trees

    def synchronise(self, node: Node, sync: Synchronisation) -> Outcome[None]:
        """Fails with RepairFailed."""
        if node == self._coordinator.local:
            return self.participant.synchronise(sync)
        return _done(self._ask(node, Verb.REPAIR_SYNC, sync.encode(), f"Sync with {sync.peer}"))

    def repair_paxos(self, node: Node, repair: PaxosRepair) -> Outcome[None]:
        """Fails with RepairFailed."""
        if node == self._coordinator.local:
            return self.participant.repair_paxos(repair)
        return _done(self._ask(node, Verb.PAXOS_REPAIR, repair.encode(), "Paxos repair"))

    def repair_paxos_of(self, table_id: UUID, by_node: Mapping[Node, Sequence[TokenRange]]) -> Outcome[None]:
        """Before the ring changes: each finishes what it has half decided in ranges. Fails with RepairFailed."""
        session_id = self._new_id()
        return all_of(
            [
                self.repair_paxos(node, PaxosRepair(session_id, table_id, tuple(ranges)))
                for node, ranges in by_node.items()
            ]
        )

    def step(self, node: Node, stepping: Stepping) -> Outcome[None]:
        """Fails with RepairFailed."""
        if node == self._coordinator.local:
            return self.participant.step(stepping)
        return _done(self._ask(node, Verb.REPAIR_STEP, stepping.encode(), f"{stepping.step.name.capitalize()} phase"))

    def _ask(self, node: Node, verb: Verb, body: bytes, what: str) -> Outcome[Message]:
        operation_id = self._requests.next_id()

        def send() -> None:
            self._requests.send(node, verb, operation_id, body)

        asking = Asking(node, send, self._coordinator.is_alive, what)
        asking.start(self._clock.monotonic())
        self._requests.begun(operation_id, asking)
        return asking.outcome

    def receive(self, sender: Node, message: Message) -> None:
        """A message with one of REPAIR_VERBS. Raises PeerError for what no node sends."""
        self.participant.receive(sender, message)


def _endpoint(node: Node) -> Endpoint:
    return Endpoint(node.address, node.port)


def _done(answer: Outcome[Message]) -> Outcome[None]:
    done: Outcome[None] = Outcome()
    answer.when_done(lambda: done.settle(None) if answer.error is None else done.fail(answer.error))
    return done


def _tables_of(keyspace: KeyspaceMetadata, names: tuple[str, ...]) -> tuple[TableMetadata, ...]:
    """The tables of these names, or all and the views. Raises RepairFailed."""
    views = {view.table.name: view.table for view in keyspace.views.values()}
    known = {**keyspace.tables, **views}
    for name in names:
        if name not in known:
            raise RepairFailed(f"Unknown keyspace/cf pair ({keyspace.name}.{name})")
    return tuple(known[name] for name in names) if names else tuple(known.values())
