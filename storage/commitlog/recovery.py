"""Reading the commit log at a start: its segments in their chain, and what is done about damage.

Each segment names the one before it and its length, so a file that is missing or was cut off exactly between two
sections shows. A newest segment that ends within a section was being written when the machine stopped, and is cut off
there. An older one may end early, too, if it had not been synced: once it is, a section of its own in a later one says so
(format.py's RECORD_SYNCED; nobody else sees it). Then the next segment is replayed, as in Cassandra. Any other damage
refuses the start, in words that name the file and what to do; once the user has said that it may be lost
(`ignore_errors`), the damaged file goes to the folder `damaged`, what is whole of it stays, and losses.json remembers, so
that the next start needs no such word and new damage is no less told.

Invariant: losses.json is durable before a file is moved or cut, and what it already tells of is done again without
asking, since a crash may have come between.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from protocol.errors import CorruptionError
from storage.commitlog.format import (
    POSITION_SHIFT,
    SEGMENT_HEADER_BYTES,
    CommitLogPosition,
    Damage,
    SectionReader,
    is_foreign_segment,
    maybe_segment_id,
    maybe_synced,
    segment_file_name,
)
from storage.commitlog.losses import Losses, load_losses
from storage.environment.environment import Disk

log = logging.getLogger("cqlserver.commitlog")

RecordHandler = Callable[[list[bytes], CommitLogPosition], None]

DAMAGED_FOLDER: Final = "damaged"
_SEGMENT_ID_MAX: Final = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay found."""

    segments: int
    records: int
    size: int
    torn_bytes: int
    """Cut off at the newest segment's end: writes that were never acknowledged, or not synced yet."""


class Recovery:
    """One reading of the log in `folder`. Afterwards `lengths` has every segment that is left, oldest first; those before
    `settled_before` are said to be durable."""

    def __init__(self, disk: Disk, folder: str, ignore_errors: bool) -> None:
        self.lengths: dict[int, int] = {}
        self.settled_before = 0
        self.leaves_foreign = False
        """Whether somebody else sees to segments of Cassandra's (cassandra.py)."""
        self.losses = Losses()
        self._disk, self._folder, self._ignore_errors = disk, folder, ignore_errors

    def read(self, handler: RecordHandler) -> None:
        """Give the records of every whole section to `handler`; nothing is decided, or changed, because of the others."""
        self.losses = load_losses(self._disk, self._folder)
        for segment_id in self._segment_ids():
            for section, position in self._reader(segment_id):
                if synced := maybe_synced(section):
                    self.settled_before = max(self.settled_before, synced)
                else:
                    handler(section, position)

    def run(self, handler: RecordHandler) -> Replayed:
        """Give every section's records, oldest first, and the position behind them to `handler`. Raises CorruptionError."""
        self.losses = load_losses(self._disk, self._folder)
        ids = self._segment_ids()
        records = size = torn = 0
        for number, segment_id in enumerate(ids, 1):
            log.info("Replaying %s (%d of %d)", self._path(segment_id), number, len(ids))
            reader = self._reader(segment_id)
            for section, position in reader:
                if not maybe_synced(section):
                    handler(section, position)
                    records += len(section)
            if reader.valid_length:
                self._check_predecessor(reader)
            self.lengths[segment_id] = reader.valid_length
            if reader.damage is not None:
                torn += self._judge(reader, reader.damage, segment_id == ids[-1])
            size += reader.valid_length
        return Replayed(len(ids), records, size, torn)

    @property
    def has_foreign(self) -> bool:
        """Whether there are segments of Cassandra's."""
        return any(map(is_foreign_segment, self._disk.list(self._folder)))

    def judge_record(self, position: CommitLogPosition, what: str) -> None:
        """A record of the section before `position` that does not fit. Raises CorruptionError unless it may be lost."""
        segment_id, end = divmod(position, 1 << POSITION_SHIFT)
        text = f"{self._path(segment_id)}, in the section that ends at {end}: {what}. This record"
        ends = self.losses.skipped.setdefault(segment_id, [])
        if end in ends:
            log.warning("%s is skipped, as it was given up before", text)
            return
        self._refuse(text)
        ends.append(end)
        self.losses.save(self._disk, self._folder)

    def _segment_ids(self) -> list[int]:
        names = self._disk.list(self._folder)
        for name in names:
            if is_foreign_segment(name) and not self.leaves_foreign:
                raise CorruptionError(
                    f"{self._folder}/{name} has a commit log format that this version can't read. If it is Apache "
                    "Cassandra's, run nodetool drain there first; then remove the file"
                )
        ids = sorted(i for name in names if (i := maybe_segment_id(name)) is not None)
        freed = [segment_id for segment_id in ids if segment_id <= self.losses.freed]
        for segment_id in freed:  # a crash came before they were removed
            self._disk.unlink(self._path(segment_id))
        ids = ids[len(freed) :]
        # A file that did not even get its header was opened right before a crash; the one before it may end early then.
        while len(ids) > 1 and self._disk.size(self._path(ids[-1])) < SEGMENT_HEADER_BYTES:
            path = self._path(ids.pop())
            log.warning("%s has no header yet: nothing was written to it, it is removed", path)
            self._disk.unlink(path)
        return ids

    def _reader(self, segment_id: int) -> SectionReader:
        path = self._path(segment_id)
        reader = SectionReader(b"", segment_id)
        if segment_id > _SEGMENT_ID_MAX:
            reader.damage = Damage("no segment has such a number", False)
        else:
            try:
                return SectionReader(self._disk.read_file(path), segment_id)
            except OSError as error:
                reader.damage = Damage(f"it can't be read ({error.strerror or error})", False)
        reader.is_readable = False
        return reader

    def _judge(self, reader: SectionReader, damage: Damage, newest: bool) -> int:
        """What to do about a damage: the bytes that were cut off, or CorruptionError."""
        segment_id, length = reader.segment_id, reader.valid_length
        path = self._path(segment_id)
        lost = len(reader.data) - length
        if damage.at_tail and (newest or not self._is_confirmed(segment_id)):
            if not newest:  # the chain must not miss it from now on
                self._give_up(segment_id, length)
            if length:
                self._disk.truncate(path, length)
            else:  # not even a header: nothing was ever written to it
                self._disk.unlink(path)
                self._disk.sync_folder(self._folder)
                del self.lengths[segment_id]
            log.warning(
                "%s ends within a section at offset %d (%s): the last %d bytes are ignored, they were not acknowledged "
                "or not synced yet",
                path,
                length,
                damage.text,
                lost,
            )
            return lost
        if self.losses.lengths.get(segment_id) != length:
            what = f"{lost} bytes from there on" if reader.is_readable else "What it holds"
            self._refuse(f"{path} is damaged at offset {length}: {damage.text}. {what}")
            self.losses.lengths[segment_id] = length
            self.losses.save(self._disk, self._folder)
        self._set_aside(reader)
        return 0

    def _set_aside(self, reader: SectionReader) -> None:
        """The damaged file goes to the folder for such; what is whole of it stays."""
        path = self._path(reader.segment_id)
        folder = f"{self._folder}/{DAMAGED_FOLDER}"
        self._disk.mkdirs(folder)
        taken = set(self._disk.list(folder))
        name = segment_file_name(reader.segment_id)
        aside = f"{folder}/" + next(n for i in range(len(taken) + 1) if (n := f"{name}.{i}" if i else name) not in taken)
        if reader.valid_length:
            self._disk.write_file_atomically(aside, reader.data)
            self._disk.truncate(path, reader.valid_length)
        else:
            self._disk.rename(path, aside)
            self._disk.sync_folder(folder)
            self._disk.sync_folder(self._folder)
            del self.lengths[reader.segment_id]
        log.warning("The damaged %s is kept as %s", path, aside)

    def _check_predecessor(self, reader: SectionReader) -> None:
        """A segment knows which one was before it, and how long that was."""
        previous, expected = reader.previous_id, reader.previous_length
        if not previous:
            return
        path = self._path(previous)
        found = self.lengths.get(previous)
        if found is None:
            if self.losses.explains_missing(previous):
                return
            self._refuse(f"{path} is missing: {self._path(reader.segment_id)} follows it. The {expected} bytes of it")
            self.losses.lengths[previous] = 0
        elif found < expected and self.losses.lengths.get(previous) != found and not self._is_confirmed(previous):
            log.warning(
                "%s ends at offset %d of %d: the machine stopped before it was synced; the last %d bytes are lost, they "
                "were not acknowledged or not synced yet",
                path,
                found,
                expected,
                expected - found,
            )
            self.losses.lengths[previous] = found
        elif found < expected and self.losses.lengths.get(previous) != found:
            self._refuse(f"{path} is cut off at offset {found} of {expected}. {expected - found} bytes of it")
            self.losses.lengths[previous] = found
        else:
            return
        self.losses.save(self._disk, self._folder)

    def _is_confirmed(self, segment_id: int) -> bool:
        """Whether a later segment says that this one was synced."""
        later = (other for other in self._segment_ids() if other > segment_id)
        return any(maybe_synced(section) > segment_id for other in later for section, _ in self._reader(other))

    def _give_up(self, segment_id: int, length: int) -> None:
        self.losses.lengths[segment_id] = length
        self.losses.save(self._disk, self._folder)

    def _refuse(self, what: str) -> None:
        if self._ignore_errors:
            log.error("%s can't be replayed: skipped for good, as ignore-replay-errors says", what)
            return
        raise CorruptionError(
            f"{what} can't be replayed, so acknowledged writes may be missing. Restore the file from a copy, or start "
            "once with --ignore-replay-errors to go on without them"
        )

    def _path(self, segment_id: int) -> str:
        return f"{self._folder}/{segment_file_name(segment_id)}"
