"""Tables that are held in memory: what their SSTables have is in the row cache before anybody asks for it.

A table says that its rows are to be cached (caching = {'rows_per_partition': 'ALL'}), the node how much that may take
(row_cache_size), and that the cache outlives a restart (row_cache_save_period). Cassandra saves the keys of its cache and
reads them again at a start; here every SSTable of such a table, be it one that a start finds or that a flush or compaction
made, is read through once in the background, as long as there is room. A table that takes at most half of the cache stays
in it: then its reads touch no disk, and the log and SSTables have it all the same.
"""

from collections.abc import Callable, Iterable
from functools import partial

from storage.background import Background, Lane, Task
from storage.files.table_files import TableFiles
from storage.sstable.caches import Caches
from storage.sstable.reader import SSTableReader
from storage.sstable.row_cache import Cached


class RowLoads:
    """See the module. `all_readers`: of all tables, at the moment of asking."""

    def __init__(
        self, background: Background, caches: Caches, all_readers: Callable[[], Iterable[SSTableReader]]
    ) -> None:
        self._background, self._caches, self._all_readers = background, caches, all_readers

    def consider(self, files: TableFiles) -> None:
        """The SSTables of a table have changed, or how it wants them cached."""
        if not _missing(files):
            return
        subject = str(files.store.table)
        if not any(task.subject == subject for task in self._background.waiting(Lane.ROW_CACHE)):
            self._background.add(Task(Lane.ROW_CACHE, "Row cache load", subject, partial(self._run, files)))

    def _run(self, files: TableFiles, task: Task) -> None:
        numbers = {reader.row_cache.number for reader in self._all_readers() if reader.row_cache is not None}
        self._caches.rows.drop(lambda key: key[0] not in numbers)
        missing = _missing(files)
        task.total = sum(reader.data_bytes for reader, _ in missing)
        for reader, cached in missing:
            cached.load(reader, task.point)
            task.completed += reader.data_bytes


def _missing(files: TableFiles) -> list[tuple[SSTableReader, Cached]]:
    found = [(reader, reader.row_cache) for reader in files.readers]
    return [(reader, cached) for reader, cached in found if cached is not None and not cached.is_loaded]
