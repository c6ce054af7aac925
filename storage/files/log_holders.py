"""Which memtables are flushed because of the log that they hold.

A memtable holds the log from its first write on, however little is in it: what a small table was told once would keep
everything that has been written since, flushed long ago, for the next start to read again. Cassandra flushes such a
memtable when the log has filled its space (8 GB; AbstractCommitLogSegmentManager.maybeFlushToReclaim), as a start there
takes long anyway.

Here the oldest memtables are flushed together when what is freed by it is worth their flushes: so SSTables stay
proportional to what is written, with a thousand tables too, and a memtable that is written over and over again is flushed
rarely. Those that are flushed for another reason cost nothing more: the small old ones go with a large one.
"""

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple
from uuid import UUID

from storage.commitlog.format import CommitLogPosition

FREED_BYTES_PER_BYTE: Final = 16
"""So many bytes of the log are freed for each that is flushed, at least: flushing a row takes two to three times as long as
its insertion does, so writing is not noticeably slower for it."""
FLUSH_BYTES: Final = 64 << 10
"""What a flush costs beside that, in such bytes: an SSTable is ten files. So there is at most one for each megabyte of the
log, which a start reads in some 10 ms."""


class LogHolder(NamedTuple):
    """A memtable of `size` bytes that needs the log from `since` on; `is_leaving`: it is about to be flushed."""

    table_id: UUID
    since: CommitLogPosition
    size: int
    is_leaving: bool


def worth_flushing(
    holders: Iterable[LogHolder],
    others: CommitLogPosition,
    freed_bytes: Callable[[CommitLogPosition], int],
) -> list[UUID]:
    """Tables, those included that are leaving anyway. `others` need the log from there on, too; `freed_bytes` says how much
    of it could be freed if it was needed from a position on."""
    ordered = sorted(holders, key=lambda holder: holder.since)
    freeable = freed_bytes(others)
    count = cost = 0
    for number, holder in enumerate(ordered, 1):
        if not holder.is_leaving:
            cost += FREED_BYTES_PER_BYTE * (FLUSH_BYTES + holder.size)
        if cost > freeable:
            break
        needed_from = min(others, ordered[number].since) if number < len(ordered) else others
        if freed_bytes(needed_from) >= cost:
            count = number
    return [holder.table_id for holder in ordered[:count]]
