"""Taking an increment: read the node's own shard, add, and write the whole shard with a higher clock, as Cassandra does
(db/CounterMutation.java). Where deletions are about, the last shard may not be in the data: counter_cache.py.
"""

from collections.abc import Mapping

from storage.counters.contexts import increment
from storage.memtable.counter_cache import has_tombstones
from storage.memtable.memtable import SingleRow
from storage.memtable.packed import StoredRow
from storage.memtable.partition import Partition
from storage.mutation import Cell, Row
from storage.reads import EVERYTHING, TableStore


def incremented_row(
    store: TableStore,
    node_id: bytes,
    key: bytes,
    ck: bytes | None,
    clustering: tuple[bytes, ...],
    deltas: Mapping[str, int],
    timestamp_us: int,
    now_us: int,
    now_s: int,
) -> Row:
    """What to write for `c = c + delta` of several counter columns of one row; `ck` None: of the static row.

    node_id: 16 bytes. The row goes into a PartitionUpdate; call this again for a second increment in the same batch.
    """
    cache = store.counter_cache
    stored = maybe_undeleted(store, key, ck)
    current = _current_row(store, key, ck, now_s) if stored is None else store.layouts.explode(stored) if stored else None
    columns = {}
    for name, delta in deltas.items():
        place = (key, ck, name)
        cached = cache.get(place)
        context = cached
        if cached is None:
            cell = current.columns.get(name) if current is not None else None
            context = cell.value if type(cell) is Cell else None
        context = increment(context, node_id, delta, now_us)
        if stored is None or cached is not None:
            cache.put(place, context)
        columns[name] = Cell(timestamp_us, context)
    return Row(clustering, columns=columns)


def maybe_undeleted(store: TableStore, key: bytes, ck: bytes | None) -> StoredRow | None:
    """The stored row of a clustering in a partition where no deletion can hide anything of it, b"" where there is none
    yet; None where that is not sure. Static rows count as not sure."""
    if store.flushed or ck is None:
        return None
    found = store.memtable.get(key)
    if found is None:
        return b""
    if type(found) is bytes:
        return found[2 + len(ck) :] if found.startswith(ck, 2) else b""
    row: StoredRow | None
    if isinstance(found, Partition):
        if found.guarded:
            return None
        row = found.get(ck)
    else:
        assert isinstance(found, SingleRow)
        row = found.row if found.ck == ck else None
    if row is None:
        return b""
    return row if isinstance(row, bytes) or not has_tombstones(row) else None


def _current_row(store: TableStore, key: bytes, ck: bytes | None, now_s: int) -> Row | None:
    if ck is None:
        view = store.read(key, EVERYTHING, now_s)
        return view.static if view is not None else None
    row = store.row_at(key, ck, now_s)
    return None if row is None else store.layouts.explode(row)
