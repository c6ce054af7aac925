"""How much memory attached indexes may take together (sai_options.segment_write_buffer_size).

An index looks in whenever it has grown by a step. If all of them take more than they may, the largest lets go of what it has
and follows writes no more: what it would have answered is found by looking at the rows (plans/index_lookup.py), until the
table is truncated, the index built anew, or the server started again. So a flood of indexed writes costs reads their speed,
and not the server its memory.
"""

import logging
from collections.abc import Callable, Iterable
from typing import Final

from storage.indexes.attached import AttachedIndex

log = logging.getLogger("cqlserver.indexes")

BYTES_MAX: Final = 1 << 30
"""Cassandra's default."""
STEP_BYTES: Final = 1 << 20
"""Between two looks: as much may each index take beyond the bound."""


class TermBudget:
    """`indexes`: all that there are."""

    def __init__(self, indexes: Callable[[], Iterable[AttachedIndex]]) -> None:
        self.bytes_max = BYTES_MAX
        self._indexes = indexes

    def grown(self, index: AttachedIndex) -> None:
        """It has more than it was allowed."""
        index.allowance = index.postings.held_bytes + min(STEP_BYTES, max(self.bytes_max >> 4, 1))
        held = {one: one.postings.held_bytes for one in self._indexes()}
        if sum(held.values()) <= self.bytes_max:
            return
        largest = max(held, key=lambda one: held[one])
        log.warning(
            "The index %s would take more memory than all indexes may (sai_options.segment_write_buffer_size is %d MiB): it "
            "is let go, and reads that ask for it look at the rows instead",
            largest.metadata.name,
            self.bytes_max >> 20,
        )
        largest.let_go()
