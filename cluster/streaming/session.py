"""One direction of a stream between two nodes: who fetches pulls chunk after chunk, table after table; who pushes has the
other one fetch, and waits.

    ASKING      how much it is                              --plan-->   PULLING
    PULLING     a chunk is under way, or waits for its pace --chunk-->  PULLING, behind a table's last COMPLETING
    COMPLETING  what came of a table is made durable        --done-->   PULLING of the next table, or ENDED
    ENDED       `outcome` is settled, or failed with StreamFailed

What is not answered is asked for again, until nothing was heard for SILENCE_S.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from math import inf
from typing import Final, Protocol
from uuid import UUID

from cluster.coordination.outcome import Outcome
from cluster.internode.frames import Message
from cluster.internode.verbs import FailureReason, Verb
from cluster.replica import Failed
from cluster.ring import Node
from cluster.streaming.messages import (
    Chunk,
    Cursor,
    Offer,
    Planned,
    Pull,
    TableRanges,
    decode_chunk,
    decode_plan,
    encode_offer,
    encode_pull,
)
from cluster.streaming.ranges import Interval, intervals
from cluster.streaming.target import TableTarget
from protocol.errors import PeerError, StorageError, StreamFailed

log = logging.getLogger("cqlserver.streaming")

ANSWER_S: Final = 5.0
SILENCE_S: Final = 60.0
_REASON_BYTES: Final = 2


class Phase(Enum):
    ASKING = auto()
    PULLING = auto()
    COMPLETING = auto()
    ENDED = auto()


@dataclass(slots=True)
class TableProgress:
    """Of a session and a table; sizes in bytes. `size` is reckoned before, so it may turn out to be a little more or less;
    when `is_complete` it is what it was."""

    table_id: UUID
    files: int = 0
    size: int = 0
    done: int = 0
    is_complete: bool = False

    def complete(self) -> None:
        self.size, self.is_complete = self.done, True


class Pace(Protocol):
    """How fast data may come (stream_throughput_outbound)."""

    def took(self, size: int, now_s: float) -> float:
        """So many bytes came: when the next may be asked for."""


MakeTarget = Callable[[UUID, int], TableTarget | None]
"""(table, about how many partitions will come): None where there is no such table any more."""
Send = Callable[[int, bytes], None]
"""(verb, body): to the other node."""


class Session:
    """What both kinds have. `when_ended` is called before the outcome is told."""

    def __init__(self, offer: Offer, peer: Node, send: Send, when_ended: Callable[["Session"], None]) -> None:
        self.offer, self.peer = offer, peer
        self.outcome: Outcome[None] = Outcome()
        self.wake_s = inf
        self.heard_s = inf
        self.progress = [TableProgress(task.table_id) for task in offer.tasks]
        self._send, self._when_ended = send, when_ended

    @property
    def is_over(self) -> bool:
        return self.outcome.is_done

    def heard(self, now_s: float) -> None:
        """There was a sign of life of the other node, or this one begins."""
        self.heard_s, self.wake_s = now_s, now_s + ANSWER_S

    def tick(self, now_s: float) -> None:
        if now_s - self.heard_s >= SILENCE_S:
            self.fail(f"nothing was heard of it for {SILENCE_S:.0f} seconds")
            return
        self.wake_s = now_s + ANSWER_S
        self.ask_again()

    def ask_again(self) -> None:
        raise NotImplementedError

    def fail(self, why: str) -> None:
        peer = self.peer
        self._end(StreamFailed(f"Stream failed: {self.offer.reason.value} with /{peer.address}:{peer.port}: {why}"))

    def fail_by(self, bug: Exception) -> None:
        """Something was raised that nobody expected: whoever went on would have a gap."""
        self.fail(f"{type(bug).__name__}: {bug}")

    def _end(self, error: StreamFailed | None) -> None:
        if self.is_over:
            return
        self.wake_s = inf
        self._when_ended(self)
        if error is not None:
            log.warning("[Stream #%s] %s", self.offer.session_id, error)
            self.outcome.fail(error)
        else:
            self.outcome.settle(None)


class FetchSession(Session):
    """See the module."""

    def __init__(
        self,
        offer: Offer,
        peer: Node,
        send: Send,
        make_target: MakeTarget,
        pace: Pace,
        went_on: Callable[[], None],
        when_ended: Callable[[Session], None],
    ) -> None:
        """`went_on`: called when it did, by no message and no tick."""
        super().__init__(offer, peer, send, when_ended)
        self.phase = Phase.ASKING
        self._make_target, self._pace, self._went_on = make_target, pace, went_on
        self._plan: list[Planned] = []
        self._number = -1  # of the task under way
        self._target: TableTarget | None = None
        self._pieces: tuple[Interval, ...] = ()
        self._cursor = Cursor(b"")
        self._known: dict[bytes, None] = {}
        self._is_paced = False  # what comes next waits for its time

    @property
    def completed(self) -> list[TableRanges]:
        """The tasks that are done for good."""
        return [task for task, progress in zip(self.offer.tasks, self.progress, strict=True) if progress.is_complete]

    def start(self, now_s: float) -> None:
        self.heard(now_s)
        self.ask_again()

    def ask_again(self) -> None:
        if self.phase is Phase.ASKING:
            self._send(Verb.STREAM_BEGIN, encode_offer(self.offer))
        elif self.phase is Phase.PULLING:
            self._is_paced = False
            self._pull()
        elif self.phase is Phase.COMPLETING:
            self.heard_s = self.wake_s - ANSWER_S  # it is this node that works

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender != self.peer or self.is_over:
            return
        if message.verb == Verb.FAILED:
            reason = int.from_bytes(message.body[:_REASON_BYTES], "big")
            if reason == FailureReason.INCOMPATIBLE_SCHEMA and self.phase is Phase.PULLING:
                self._lacks_table()
            elif reason != FailureReason.INCOMPATIBLE_SCHEMA:
                self.fail("its disk failed")
            return
        try:
            if message.verb == Verb.STREAM_PLAN and self.phase is Phase.ASKING:
                self._planned(decode_plan(message.body), now_s)
            elif message.verb == Verb.STREAM_CHUNK and self.phase is Phase.PULLING:
                chunk = decode_chunk(message.body)
                if chunk.cursor == self._cursor:
                    self.heard(now_s)
                    self._take(chunk, now_s)
        except (PeerError, StorageError, OSError, Failed) as error:
            self.fail(str(error))
        except Exception as error:
            self.fail_by(error)
            raise

    def _planned(self, plan: list[Planned], now_s: float) -> None:
        if len(plan) != len(self.offer.tasks):
            raise PeerError(f"a plan of {len(plan)} tables for {len(self.offer.tasks)}")
        self.heard(now_s)
        self._plan = plan
        for progress, planned in zip(self.progress, plan, strict=True):
            progress.files, progress.size = planned.files, planned.size
        self._next_table()

    def _next_table(self) -> None:
        tasks = self.offer.tasks
        while True:
            self._number += 1
            if self._number == len(tasks):
                self.phase = Phase.ENDED
                self._end(None)
                return
            task = tasks[self._number]
            self._pieces, planned = intervals(task.ranges), self._plan[self._number]
            self._target = self._make_target(task.table_id, planned.keys) if planned.files else None
            if self._target is not None and self._pieces:
                break
            self.progress[self._number].complete()
        self.phase = Phase.PULLING
        self._begin_table()

    def _begin_table(self) -> None:
        self._known = {}
        self._cursor = Cursor(self._pieces[0].start)
        self._is_paced = False
        self._pull()

    def _pull(self) -> None:
        assert self._target is not None
        task, offer = self.offer.tasks[self._number], self.offer
        pull = Pull(
            offer.session_id,
            task.table_id,
            self._cursor,
            self._pieces,
            self._target.accepts,
            tuple(self._known),
            offer.pending_repair,
        )
        self._send(Verb.STREAM_PULL, encode_pull(pull))

    def _take(self, chunk: Chunk, now_s: float) -> None:
        target, progress = self._target, self.progress[self._number]
        assert target is not None
        if not target.is_there:
            target.abandon()
            progress.complete()
            self._next_table()
            return
        if not target.is_as_before:  # what came may be of before, and so may what is on its way
            target.abandon()
            planned = self._plan[self._number]
            self._target = self._make_target(progress.table_id, planned.keys)
            progress.done = 0
            self._begin_table()
            return
        self._known.update(dict.fromkeys(chunk.lanes))
        free_at_s = self._pace.took(chunk.size, now_s)
        if chunk.following is not None:
            self._cursor = chunk.following
            if free_at_s <= now_s:
                self._pull()  # it is read while this is written
            else:
                self._is_paced, self.wake_s = True, free_at_s
        target.take(chunk)
        progress.done += chunk.size
        if chunk.following is None:
            self.phase = Phase.COMPLETING
            target.complete(self._completed)

    def _completed(self, error: BaseException | None) -> None:
        if self.is_over:
            return
        try:
            if error is not None:
                self.fail(str(error))
            else:
                self._go_on()
        except Exception as bug:
            self.fail_by(bug)
            raise
        finally:
            self._went_on()

    def _go_on(self) -> None:
        """Behind a table that is durable."""
        target, progress = self._target, self.progress[self._number]
        assert target is not None
        if target.is_there and not target.is_as_before:
            self._target = self._make_target(progress.table_id, self._plan[self._number].keys)
            progress.done, self.phase = 0, Phase.PULLING
            self._begin_table()
        else:
            progress.complete()
            self._next_table()

    def _lacks_table(self) -> None:
        """It was dropped there; here too, or the other node has not heard of it yet."""
        target = self._target
        assert target is not None
        if not target.is_there:
            target.abandon()
            self.progress[self._number].complete()
            self._next_table()

    def tick(self, now_s: float) -> None:
        if self._is_paced:
            self.heard(now_s)
            self.ask_again()
        else:
            super().tick(now_s)

    def _end(self, error: StreamFailed | None) -> None:
        if not self.is_over:
            if self._target is not None:
                self._target.abandon()
            self._send(Verb.STREAM_END, self.offer.session_id.bytes)
        super()._end(error)


class PushSession(Session):
    """See the module."""

    def start(self, now_s: float) -> None:
        self.heard(now_s)
        self.ask_again()

    def ask_again(self) -> None:
        self._send(Verb.STREAM_OFFER, encode_offer(self.offer))

    def receive(self, sender: Node, message: Message, now_s: float) -> None:
        if sender != self.peer or self.is_over:
            return
        if message.verb == Verb.DONE:
            for progress in self.progress:
                progress.complete()
            self._end(None)
        elif message.verb == Verb.FAILED:
            self.fail("it could not take it")
        else:
            self.heard(now_s)
