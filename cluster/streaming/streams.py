"""All streams of a node: what it fetches and pushes, and what others fetch from it."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final
from uuid import UUID

from cluster.coordination.requests import Requests
from cluster.internode.frames import Message
from cluster.internode.verbs import FailureReason, Verb
from cluster.replica import Replica
from cluster.ring import Node
from cluster.streaming.messages import (
    Offer,
    Planned,
    Pull,
    Reason,
    TableRanges,
    decode_offer,
    decode_pull,
    encode_chunk,
    encode_plan,
)
from cluster.streaming.ranges import intervals
from cluster.streaming.session import FetchSession, PushSession, Session, TableProgress
from cluster.streaming.source import TableSource
from cluster.streaming.target import TableTarget
from protocol.errors import CorruptionError
from storage.engine import Engine

log = logging.getLogger("cqlserver.streaming")

IDLE_S: Final = 120.0
"""What another node has not fetched from for so long it will not fetch from any more."""
ENDED_MAX: Final = 1_000
"""Offers whose end is remembered, for who asks again."""


@dataclass(eq=False, slots=True)
class Sending:
    """What another node fetches from this one."""

    offer: Offer
    peer: Node
    progress: list[TableProgress]
    heard_s: float
    sources: dict[UUID, TableSource] = field(default_factory=dict)


class Streams:
    """See the module. `new_id` makes session ids; `bytes_per_s`: as fast may what is fetched come, 0 as it does
    (stream_throughput_outbound)."""

    def __init__(
        self,
        engine: Engine,
        replica: Replica,
        requests: Requests,
        clock: Callable[[], float],
        new_id: Callable[[], UUID],
    ) -> None:
        self._engine, self._replica, self._requests = engine, replica, requests
        self._clock, self._new_id = clock, new_id
        self.bytes_per_s = 0
        self.came_for: Callable[[UUID, Sequence[UUID]], None] = lambda session_id, tables: None
        """Called behind a stream to this node whose data waits for the end of an incremental repair."""
        self._free_at_s = 0.0
        self.sessions: dict[UUID, Session] = {}
        """Fetched and pushed by this node, under way."""
        self.sending: dict[tuple[Node, UUID], Sending] = {}
        self._ended: dict[UUID, bool] = {}  # offers of others: whether they were taken

    @property
    def fetching(self) -> list[FetchSession]:
        """What comes to this node."""
        return [session for session in self.sessions.values() if isinstance(session, FetchSession)]

    # --- begun here ------------------------------------------------------------------------------------------------------

    def fetch(
        self, peer: Node, tasks: Sequence[TableRanges], reason: Reason, pending_repair: UUID | None = None
    ) -> FetchSession:
        """Has this node get what the peer has of these tables and ranges. Its outcome comes when all of it is durable here,
        or it failed (StreamFailed): then `completed` says what is."""
        return self._fetch(peer, Offer(self._new_id(), reason, tuple(tasks), pending_repair))

    def push(
        self, peer: Node, tasks: Sequence[TableRanges], reason: Reason, pending_repair: UUID | None = None
    ) -> PushSession:
        """Has the peer get what this node has of them. Its outcome comes when all of it is durable there."""
        offer = Offer(self._new_id(), reason, tuple(tasks), pending_repair)
        operation_id = self._requests.next_id()
        session = PushSession(offer, peer, self._sender(peer, operation_id), self._session_ended)
        self._begin(operation_id, session)
        return session

    def _fetch(self, peer: Node, offer: Offer) -> FetchSession:
        operation_id = self._requests.next_id()
        ready = partial(self._requests.wake, operation_id)
        send = self._sender(peer, operation_id)
        session = FetchSession(offer, peer, send, self._make_target, self, ready, self._session_ended)
        repair_id, tables = offer.pending_repair, [task.table_id for task in offer.tasks]
        if repair_id is not None:
            session.outcome.when_done(lambda: self.came_for(repair_id, tables))
        self._begin(operation_id, session)
        return session

    def _begin(self, operation_id: int, session: FetchSession | PushSession) -> None:
        self.sessions[session.offer.session_id] = session
        try:
            session.start(self._clock())
        except Exception as error:
            session.fail_by(error)
            raise
        self._requests.begun(operation_id, session)

    def _sender(self, peer: Node, operation_id: int) -> Callable[[int, bytes], None]:
        send = self._requests.send
        return lambda verb, body: send(peer, verb, operation_id, body)

    def _make_target(self, table_id: UUID, key_count: int) -> TableTarget | None:
        store = self._engine.stores.get(table_id)
        return None if store is None else TableTarget(self._engine, self._replica, store, key_count)

    def _session_ended(self, session: Session) -> None:
        self.sessions.pop(session.offer.session_id, None)

    def took(self, size: int, now_s: float) -> float:
        """See session.Pace."""
        if self.bytes_per_s:
            self._free_at_s = max(self._free_at_s, now_s) + size / self.bytes_per_s
        return self._free_at_s

    def member_left(self, node: Node) -> None:
        """Nothing more is to be had of it."""
        for session in [session for session in self.sessions.values() if session.peer == node]:
            session.fail("it left the ring")
        for key in [key for key in self.sending if key[0] == node]:
            del self.sending[key]

    # --- begun by others -------------------------------------------------------------------------------------------------

    def receive(self, sender: Node, message: Message) -> None:
        """A message with one of `STREAM_VERBS`. Raises PeerError for what no node sends."""
        match message.verb:
            case Verb.STREAM_OFFER:
                self._take_offer(sender, message.id, decode_offer(message.body))
            case Verb.STREAM_BEGIN:
                self._plan(sender, message.id, decode_offer(message.body))
            case Verb.STREAM_PULL:
                self._read(sender, message.id, decode_pull(message.body))
            case _:
                self.sending.pop((sender, UUID(bytes=message.body)), None)

    def _take_offer(self, sender: Node, message_id: int, offer: Offer) -> None:
        """Another node wants this one to fetch; it asks again until it hears how that ended."""
        session_id = offer.session_id
        answer = self._sender(sender, message_id)

        def tell() -> None:
            if self._ended[session_id]:
                answer(Verb.DONE, b"")
            else:
                answer(Verb.FAILED, FailureReason.UNKNOWN.to_bytes(2, "big"))

        def ended() -> None:
            self._ended[session_id] = session.outcome.error is None
            while len(self._ended) > ENDED_MAX:
                del self._ended[next(iter(self._ended))]
            tell()

        if session_id in self._ended:
            tell()
            return
        answer(Verb.STREAM_GOES, b"")
        if session_id not in self.sessions:
            session = self._fetch(sender, offer)
            session.outcome.when_done(ended)

    def _plan(self, sender: Node, message_id: int, offer: Offer) -> None:
        now_s = self._clock()
        for key in [key for key, sending in self.sending.items() if now_s - sending.heard_s > IDLE_S]:
            del self.sending[key]
        sending = Sending(offer, sender, [], now_s)
        plan: list[Planned] = []
        for task in offer.tasks:
            store = self._engine.stores.get(task.table_id)
            source = None if store is None else TableSource(store, b"", offer.pending_repair)
            planned = Planned(0, 0, 0) if source is None else source.planned(intervals(task.ranges))
            plan.append(planned)
            sending.progress.append(TableProgress(task.table_id, planned.files, planned.size))
        self.sending[sender, offer.session_id] = sending
        self._requests.send(sender, Verb.STREAM_PLAN, message_id, encode_plan(plan))

    def _read(self, sender: Node, message_id: int, pull: Pull) -> None:
        store = self._engine.stores.get(pull.table_id)
        answer = self._sender(sender, message_id)
        if store is None:
            answer(Verb.FAILED, FailureReason.INCOMPATIBLE_SCHEMA.to_bytes(2, "big"))
            return
        sending = self.sending.get((sender, pull.session_id))
        source = None if sending is None else sending.sources.get(pull.table_id)
        if source is None or not source.is_for(store, pull):
            source = TableSource(store, pull.accepts, pull.pending_repair)
        try:
            chunk = source.read(pull)
        except (CorruptionError, OSError) as error:
            log.error("%s can't be streamed: %s", store.table, error)
            answer(Verb.FAILED, FailureReason.UNKNOWN.to_bytes(2, "big"))
            return
        except Exception:
            answer(Verb.FAILED, FailureReason.UNKNOWN.to_bytes(2, "big"))
            raise
        if sending is not None:
            self._note(sending, pull, source, chunk.size, chunk.following is None)
        answer(Verb.STREAM_CHUNK, encode_chunk(chunk))

    def _note(self, sending: Sending, pull: Pull, source: TableSource, size: int, is_last: bool) -> None:
        """What netstats tells, and where to go on."""
        sending.heard_s = self._clock()
        if is_last:
            sending.sources.pop(pull.table_id, None)
        else:
            sending.sources[pull.table_id] = source
        for progress in sending.progress:
            if progress.table_id == pull.table_id and not progress.is_complete:
                progress.done += size
                if is_last:
                    progress.complete()
                return
