"""A replica's side of reads and writes: request bytes in, answer bytes out, from one node's engine.

The promise behind an answer holds once the commit log has what was appended: whoever carries answers away writes the log
first, and syncs it where commitlog_sync says so.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final
from uuid import UUID

from cluster.coordinator import Holder
from cluster.hints import decode_hint
from cluster.internode.frames import Message
from cluster.internode.records import decode_records, encode_failures
from cluster.internode.texts import decode_texts, encode_texts
from cluster.internode.verbs import FailureReason, Verb
from cluster.reading.answer import DataAnswer, encode_answer, encode_passed
from cluster.reading.command import ReadCommand, decode_command
from cluster.reading.criteria import Nearest
from cluster.reading.execution import ANSWER_BYTES_MAX, execute
from cluster.reading.passing import Counting, PassedOver, Thresholds, TooManyTombstones
from cluster.reading.plain import PlainReads
from cluster.reading.sifting import sift
from protocol.errors import InvalidRequest, StorageError
from storage.background import Lane, Task
from storage.engine import TRUNCATED, Engine
from storage.keys import row_end
from storage.memtable.memtable import position_of
from storage.mutation import PartitionUpdate, maybe_packed, parse_packed_prefix
from storage.packed_records import RecordTaker, mutations_of
from storage.packed_writes import PackedRowWrite
from storage.reads import Slice
from storage.schema.metadata import TableMetadata

TABLE_ID_BYTES: Final = 16
log = logging.getLogger("cqlserver.cluster")


_REASON_BYTES: Final = 2
_COUNT_BYTES: Final = 4


class Failed(Exception):
    """The replica can't do what it was asked for. `tombstones`: how many it passed over, where these are too many."""

    def __init__(self, reason: FailureReason, tombstones: int = 0) -> None:
        super().__init__(reason.name)
        self.reason, self.tombstones = reason, tombstones


def encode_failed(failure: Failed) -> bytes:
    reason = failure.reason.to_bytes(_REASON_BYTES, "big")
    return reason + failure.tombstones.to_bytes(_COUNT_BYTES, "big") if failure.tombstones else reason


def decode_failed(body: bytes) -> tuple[int, int]:
    """(reason, tombstones): what it says is believed, whoever answered wrongly has failed too."""
    return int.from_bytes(body[:_REASON_BYTES], "big"), int.from_bytes(body[_REASON_BYTES:][:_COUNT_BYTES], "big")


class Replica:
    """See the module."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._records = RecordTaker(engine)
        self._plain = PlainReads(engine)
        self.maybe_holder: Callable[[TableMetadata], Holder | None] = lambda table: None
        """Of which ranges this node is a replica; None: of all. Others read nothing else from it."""
        self.thresholds: Callable[[], Thresholds] = Thresholds
        """How many tombstones a command may pass over."""
        self.told: Callable[[ReadCommand, TableMetadata, Counting], None] = lambda command, table, counting: None
        """Hears of what others read here that passed over more than is told, or failed over it."""

    # --- for the coordinator of the same node ------------------------------------------------------------------------

    def apply(self, mutations: Sequence[bytes]) -> None:
        """Encoded mutations, as one record. Raises Failed."""
        try:
            if len(mutations) == 1:
                packed = self._maybe_packed(mutations[0])
                if packed is not None:
                    self._engine.apply_packed_all((packed,))
                    return
            updates = [self._decoded(mutation) for mutation in mutations]
            if len(updates) == 1:
                self._engine.apply(updates[0])
            else:
                self._engine.apply_all(updates)
        except KeyError:
            raise Failed(FailureReason.INCOMPATIBLE_SCHEMA) from None
        except (StorageError, InvalidRequest) as error:
            log.warning("a mutation could not be applied: %s", error)
            raise Failed(FailureReason.UNKNOWN) from error

    def apply_each(self, records: Sequence[bytes]) -> list[tuple[int, FailureReason]]:
        """Records of one write each (storage/packed_records.py); which of them failed, and why. Raises CorruptionError."""
        failures = []
        for index in self._records.take(records):
            try:
                self.apply(mutations_of(self._engine.stores, records[index]))
            except KeyError:
                failures.append((index, FailureReason.INCOMPATIBLE_SCHEMA))
            except Failed as failure:
                failures.append((index, failure.reason))
        return failures

    def _maybe_packed(self, mutation: bytes) -> PackedRowWrite | None:
        record = maybe_packed(mutation)
        if record is None:
            return None
        store = self._engine.stores[parse_packed_prefix(record.prefix).table_id]
        layout = store.layouts.maybe_of_record(record.prefix)
        return None if layout is None else PackedRowWrite(store, layout, record.key, record.ck, record.body)

    def _decoded(self, mutation: bytes) -> PartitionUpdate:
        update = PartitionUpdate.decode(mutation)
        self._engine.stores[update.table_id]  # KeyError: the schema that it was made with has not come here yet
        return update

    def counting(self, passed: int = 0) -> Counting:
        """Of a reading whose command has passed over so many tombstones."""
        return Counting(self.thresholds(), passed)

    def read(self, command: ReadCommand, counting: Counting | None = None) -> DataAnswer:
        """Raises Failed."""
        counting = counting or self.counting()
        try:
            store = self._engine.stores[command.table_id]
            if command.criteria is None:
                return execute(store, command, counting)
            if isinstance(command.criteria.lookup, Nearest):
                from cluster.reading.nearest import find_nearest

                return find_nearest(store, command)
            return sift(store, command, counting)
        except TooManyTombstones:
            raise Failed(FailureReason.READ_TOO_MANY_TOMBSTONES, counting.tombstones) from None
        except KeyError:
            raise Failed(FailureReason.INCOMPATIBLE_SCHEMA) from None
        except StorageError as error:
            log.warning("a read failed: %s", error)
            raise Failed(FailureReason.UNKNOWN) from error

    def row_digest(self, table_id: bytes, key: bytes, ck: bytes, now_s: int) -> bytes:
        """Of one row, with all that hides something of it: equal where replicas have the same. Empty where this one is none.
        Raises KeyError, StorageError."""
        store = self._plain.store(table_id)
        holder = self.maybe_holder(store.table)
        if holder is not None and not holder.holds(position := position_of(key), position + b"\0"):
            return b""
        digest = self._plain.row_digest(store, key, ck)
        if digest is None:
            command = ReadCommand.of_partition(store.table.id, key, now_s, 1, (Slice(ck, row_end(ck)),))
            digest = execute(store, command).digest
        return digest

    def take_hints(self, hints: Sequence[bytes]) -> None:
        """Raises Failed. What a TRUNCATE came after is left out."""
        for hint in hints:
            created_us, mutations = decode_hint(hint)
            kept = [mutation for mutation in mutations if self._is_wanted(mutation, created_us)]
            if kept:
                self.apply(kept)

    def _is_wanted(self, mutation: bytes, created_us: int) -> bool:
        truncation = self._engine.truncations.get(PartitionUpdate.decode(mutation).table_id)
        return truncation is None or truncation.timestamp_us < created_us

    def truncate(self, table_id: UUID) -> None:
        """Raises Failed."""
        try:
            engine = self._engine
            wanted = engine.wanted_before((engine.stores[table_id].table,), TRUNCATED)
            engine.truncate_all((table_id,), engine.environment.clock.wall_us(), wanted)
        except KeyError:
            raise Failed(FailureReason.INCOMPATIBLE_SCHEMA) from None
        except StorageError as error:
            raise Failed(FailureReason.UNKNOWN) from error

    # --- for others ----------------------------------------------------------------------------------------------------

    def answer(self, request: Message) -> Message:
        """To a message with one of `VERBS`. Raises PeerError, CorruptionError where it is none that a node makes; in a go
        of a loop TooLong."""
        try:
            verb, body = _ANSWERS[Verb(request.verb)](self, request.body)
        except Failed as error:
            verb, body = Verb.FAILED, encode_failed(error)
        return Message(verb, request.id, body)

    def answer_in_turns(self, request: Message, tell: Callable[[Message], None]) -> None:
        """The same of what takes long: beside all else. `tell` gets the answer."""
        answer = Message(Verb.FAILED, request.id, encode_failed(Failed(FailureReason.UNKNOWN)))

        def work(_task: Task) -> None:
            nonlocal answer
            answer = self.answer(request)

        task = Task(Lane.PEERS, "Answer", Verb(request.verb).name, work)
        task.on_end.append(lambda: tell(answer))
        self._engine.background.add(task)

    def _mutate(self, body: bytes) -> tuple[Verb, bytes]:
        self.apply(decode_texts(body))
        return Verb.DONE, b""

    def _mutate_each(self, body: bytes) -> tuple[Verb, bytes]:
        failures = self.apply_each(decode_records(body))
        return (Verb.DONE_BUT, encode_failures(failures)) if failures else (Verb.DONE, b"")

    def _read(self, body: bytes) -> tuple[Verb, bytes]:
        return Verb.DATA, encode_answer(*self._read_for_others(body))

    def _read_digest(self, body: bytes) -> tuple[Verb, bytes]:
        answer, passed = self._read_for_others(body)
        return Verb.DIGEST, answer.digest + encode_passed(passed)

    def _fetch(self, body: bytes) -> tuple[Verb, bytes]:
        answers: list[bytes] = []
        for command in decode_texts(body):
            answers.append(encode_answer(*self._read_for_others(command)))
            if sum(map(len, answers)) > ANSWER_BYTES_MAX:
                break
        return Verb.FETCHED, encode_texts(answers)

    def _read_for_others(self, body: bytes) -> tuple[DataAnswer, PassedOver]:
        try:
            command, passed = decode_command(body, lambda table_id: self._engine.stores[table_id].table)
        except KeyError:
            raise Failed(FailureReason.INCOMPATIBLE_SCHEMA) from None
        store = self._engine.stores.get(command.table_id)
        holder = None if store is None else self.maybe_holder(store.table)
        if holder is not None and not holder.holds(command.start, command.end):
            raise Failed(FailureReason.NOT_A_REPLICA)
        counting = self.counting(passed)
        try:
            answer = self.read(command, counting)
        except Failed as failure:
            if failure.tombstones and store is not None:
                self.told(command, store.table, counting)
            raise
        if passed <= counting.thresholds.warn < counting.tombstones and store is not None:
            self.told(command, store.table, counting)  # of this part of the command and of no other
        return answer, counting.passed

    def _read_each(self, body: bytes) -> tuple[Verb, bytes]:
        try:
            store = self._engine.stores[UUID(bytes=body[:TABLE_ID_BYTES])]
            commands = decode_records(body[TABLE_ID_BYTES:])
            holder = self.maybe_holder(store.table)
            return Verb.DIGESTS, self._plain.digests(store, commands, holder)
        except (KeyError, ValueError):
            raise Failed(FailureReason.INCOMPATIBLE_SCHEMA) from None
        except StorageError as error:
            log.warning("a read failed: %s", error)
            raise Failed(FailureReason.UNKNOWN) from error

    def _take_hints(self, body: bytes) -> tuple[Verb, bytes]:
        self.take_hints(decode_texts(body))
        return Verb.DONE, b""

    def _truncate(self, body: bytes) -> tuple[Verb, bytes]:
        self.truncate(UUID(bytes=body))
        return Verb.DONE, b""


_ANSWERS: Final[Mapping[Verb, Callable[[Replica, bytes], tuple[Verb, bytes]]]] = MappingProxyType(
    {
        Verb.MUTATE: Replica._mutate,
        Verb.MUTATE_EACH: Replica._mutate_each,
        Verb.READ: Replica._read,
        Verb.READ_DIGEST: Replica._read_digest,
        Verb.READ_EACH: Replica._read_each,
        Verb.FETCH: Replica._fetch,
        Verb.TRUNCATE: Replica._truncate,
        Verb.HINTS: Replica._take_hints,
    }
)
VERBS: Final = frozenset(_ANSWERS)
