"""Replica filtering protection: answers of replicas that filtered, completed before they are merged
(service/reads/ReplicaFilteringProtection.java).

A replica says nothing of a row that is no match to it. So where one told a row and another did not, the second may know
better: it is asked for that row, whatever it has of it, until of each row that counts all have told. Where a static row
makes a match of its partition, those to whom it does not are asked for the whole of it.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Final, Generic

from cluster.reading.answer import DataAnswer
from cluster.reading.command import Boundary, ReadCommand
from cluster.reading.merging import Known, Merged, Page, Peer, decoded, first_end, lacking, store_of, up_to
from cluster.reading.sifting import Sieve
from storage.keys import row_end
from storage.memtable.memtable import Position
from storage.memtable.packed import Layouts
from storage.memtable.range_tombstones import RangeTombstones
from storage.merged import SourcePartition
from storage.mutation import PartitionUpdate
from storage.reads import Slice, TableStore
from storage.reconcile import live_row
from storage.schema.metadata import TableMetadata

_ALL_ROWS: Final = 0xFFFFFFFF
_KEY: Final = slice(8, None)
_STATIC: Final = b"\xff"
"""In the place of an order key, which never begins so: the static row."""


class Protection(Generic[Peer]):
    """See the module. `command` has criteria; `answers`, one of each replica, are to it. Ask `wanted`, `take` what comes of
    that, until nothing is wanted: then it is `merged`. Raises CorruptionError."""

    def __init__(
        self, answers: Mapping[Peer, DataAnswer], command: ReadCommand, table: TableMetadata, layouts: Layouts
    ) -> None:
        assert command.criteria is not None
        self._command, self._table, self._layouts = command, table, layouts
        self._of_keys = command.criteria.of_keys
        self._told = {peer: decoded(answer) for peer, answer in answers.items()}
        self._ends = [answer.end for answer in answers.values() if answer.end is not None]
        self._asked: dict[Peer, set[tuple[Position, bytes | None]]] = {peer: set() for peer in answers}
        self._known, self._store = self._together()
        self._sieve = Sieve(self._store, command.criteria)

    @property
    def _end(self) -> Boundary | None:
        return first_end(self._ends, self._command.reverse)

    def _together(self) -> tuple[Mapping[Peer, Known], TableStore]:
        end = self._end
        known = {peer: up_to(told, end, self._command.reverse) for peer, told in self._told.items()}
        return known, store_of(known.values(), self._table, self._layouts)

    def wanted(self) -> dict[Peer, list[ReadCommand]]:
        """What is to be asked of each; nothing: all is known."""
        found: dict[Peer, list[ReadCommand]] = {}
        for position, partition in self._store.stored_partitions():
            is_whole = self._sieve.has_statics and any(self._tells_all(known, position) for known in self._known.values())
            rows: list[bytes] | None = None
            for peer, known in self._known.items():
                asked = self._asked[peer]
                if is_whole and (position, None) not in asked and not self._tells_all(known, position):
                    asked.add((position, None))
                    found.setdefault(peer, []).append(self._whole(position))
                    continue
                if (position, None) in asked and self._of_keys is None:
                    continue  # it told all that it has
                rows = self._live_rows(partition) if rows is None else rows
                update = known.get(position)
                missing = [ck for ck in rows if (update is None or ck not in update.rows) and (position, ck) not in asked]
                lacks_static = update is None and partition.static is not None and (position, _STATIC) not in asked
                if missing or lacks_static:
                    asked.update((position, ck) for ck in (_STATIC, *missing))  # that one comes with any row
                    found.setdefault(peer, []).append(self._rows(position, missing))
        return found

    def _tells_all(self, known: Known, position: Position) -> bool:
        """Whether to this replica all rows of the partition are wanted: then it has told them."""
        update = known.get(position)
        if update is None or update.static is None:
            return False
        return self._sieve.tells_all(update.key, live_row(update.static, self._command.now_s))

    def _live_rows(self, partition: SourcePartition) -> list[bytes]:
        live, now_s = self._store.live, self._command.now_s
        chunks = partition.chunks(b"", b"\xff", False)
        return [
            ck for cks, rows, _ in chunks for ck, row in zip(cks, rows, strict=True) if live(row, now_s) is not None
        ]

    def _whole(self, position: Position) -> ReadCommand:
        command = self._command
        return ReadCommand.of_partition(
            command.table_id, position[_KEY], command.now_s, _ALL_ROWS, command.slices, command.reverse, self._of_keys
        )

    def _rows(self, position: Position, cks: Sequence[bytes]) -> ReadCommand:
        command = self._command
        slices = tuple(Slice(ck, row_end(ck)) for ck in cks)
        return ReadCommand.of_partition(
            command.table_id, position[_KEY], command.now_s, _ALL_ROWS, slices, command.reverse
        )

    def take(self, peer: Peer, answers: Sequence[DataAnswer]) -> None:
        """To what was wanted of it. One that ends early ends the page there."""
        told = self._told[peer]
        for answer in answers:
            if answer.end is not None:
                self._ends.append(answer.end)
            for position, update in decoded(answer).items():
                before = told.get(position)
                told[position] = update if before is None else _joined(before, update)
        self._told[peer] = dict(sorted(told.items()))
        self._known, self._store = self._together()

    def merged(self) -> Merged[Peer]:
        return Merged(Page(self._store, self._end, replicas=len(self._told)), lacking(self._store, self._known))


def _joined(before: PartitionUpdate, update: PartitionUpdate) -> PartitionUpdate:
    """What a replica told of a partition at first, and then of more of it."""
    static = before.static if update.static is None else update.static
    tombstones = RangeTombstones(chain(before.range_tombstones, update.range_tombstones))
    rows = dict(sorted({**before.rows, **update.rows}.items()))
    deletion = max(before.deletion, update.deletion)
    return PartitionUpdate(before.table_id, before.key, deletion, static, rows, tuple(tombstones))
