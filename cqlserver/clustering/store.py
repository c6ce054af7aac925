"""A table as its replicas have it together, in the place of this node's own store: who reads sees no difference.

What is wanted is asked for page by page, as the reader gets there: a limit that is met early costs one page. Waiting is for
strands alone (storage/environment/strands.py), whose caller has to say `long_work` before.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Final

from cluster.coordination.proxy import Proxy
from cluster.coordinator import ReplicaPlan
from cluster.reading.command import ReadCommand
from cluster.reading.merging import Page
from storage.environment.strands import wait_for
from storage.keys import row_end
from storage.memtable.memtable import Position, position_of
from storage.memtable.packed import StoredRow
from storage.reads import FIRST_POSITION, Chunk, PartitionView, Slice, TableStore

PAGE_ROWS: Final = 5_000
"""Asked for at once where nobody says how many are wanted."""
_FIRST_TOKEN: Final[Position] = b"\0" * 8


class ReplicatedStore(TableStore):
    """See the module. `rows`: about how many will be wanted; `settle` is called with each key before it is read. Reads raise
    what the coordinator tells clients."""

    __slots__ = ("_plans", "_proxy", "_rows", "_settle")

    def __init__(
        self, local: TableStore, proxy: Proxy, plans: ReplicaPlan, rows: int, settle: Callable[[bytes], None]
    ) -> None:
        super().__init__(local.table)
        self.layouts = local.layouts
        self._proxy, self._plans, self._settle = proxy, plans, settle
        self._rows = max(1, min(rows, PAGE_ROWS))

    def prepare_scan(self) -> bool:
        return True

    def row_at(self, key: bytes, ck: bytes, now_s: int) -> StoredRow | None:
        view = self.read(key, (Slice(ck, row_end(ck)),), now_s)
        return None if view is None else next(view.rows(), None)

    def read(self, key: bytes, slices: Sequence[Slice], now_s: int, reverse: bool = False) -> PartitionView | None:
        self._settle(key)
        return self._read(ReadCommand.of_partition(self.table.id, key, now_s, self._rows, tuple(slices), reverse))

    def scan_batches(
        self,
        now_s: int,
        start: Position = FIRST_POSITION,
        end: Position | None = None,
        slices: Sequence[Slice] = (),
        reverse: bool = False,
    ) -> Iterator[PartitionView]:
        command = ReadCommand(self.table.id, start or _FIRST_TOKEN, end, now_s, self._rows, tuple(slices), reverse)
        while True:
            outcome, part_end = self._proxy.scan(self._plans, command)
            wait_for(outcome)
            yield from self._partition_views(outcome.result, replace(command, end=part_end))
            page_end = outcome.result.end
            if page_end is not None:
                command = replace(command, start=page_end.position + b"\0")
            elif part_end == command.end:
                return
            else:
                assert part_end is not None
                command = replace(command, start=part_end)

    def _partition_views(self, page: Page, command: ReadCommand) -> Iterator[PartitionView]:
        """A page's partitions; of the last one, where the page ends within it, the rest too."""
        cut = page.end if page.end is not None and page.end.ck is not None else None
        is_cut_seen = False
        for view in page.store.scan(command.now_s, command.start, command.end, command.slices, command.reverse):
            if cut is not None and position_of(view.key) == cut.position:
                is_cut_seen = True
                rest = self._rest(command.behind(cut))
                yield PartitionView(view.key, view.static, chain(view.chunks(), rest))
            else:
                yield view
        if cut is not None and not is_cut_seen:
            rest_of_it = self._read(command.behind(cut))
            if rest_of_it is not None:
                yield rest_of_it

    def _read(self, command: ReadCommand) -> PartitionView | None:
        page = self._page(command)
        view = page.store.read(command.key, command.slices, command.now_s, command.reverse)
        if page.end is None:
            return view
        chunks: Iterator[Chunk] = iter(()) if view is None else view.chunks()
        static = None if view is None else view.static
        return PartitionView(command.key, static, chain(chunks, self._rest(command.behind(page.end))))

    def _rest(self, command: ReadCommand) -> Iterator[Chunk]:
        """Of one partition, page by page."""
        while command.slices:
            page = self._page(command)
            view = page.store.read(command.key, command.slices, command.now_s, command.reverse)
            if view is not None:
                yield from view.chunks()
            if page.end is None:
                return
            command = command.behind(page.end)

    def _page(self, command: ReadCommand) -> Page:
        outcome = self._proxy.read(self._plans, command)
        wait_for(outcome)
        return outcome.result
