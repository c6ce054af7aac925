"""Taking an increment: read the node's own shard, add, and write the whole shard with a higher clock.

As Cassandra does (db/CounterMutation.java), the last clock and count of each counter are cached, and the cache is asked
before the data. That is visible: a DELETE does not touch it, so an increment after the DELETE of a row goes on from the
count before it, for as long as the counter is cached. Cassandra's documentation calls this undefined; its users see it,
and ours see the same. Cached values go with the process and with TRUNCATE.
"""

from collections.abc import Mapping
from typing import Final

from storage.counters import increment, own_shard
from storage.mutation import Cell, Row
from storage.reads import EVERYTHING, TableStore

# Per table; beyond it the counter that was incremented longest ago is read from the data again. About 20 MB when full.
CACHED_COUNTERS_MAX: Final = 100_000


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
    current: Row | None = None
    is_read = False
    columns = {}
    for name, delta in deltas.items():
        place = (key, ck, name)
        context = cache.pop(place, None)
        if context is None:
            if not is_read:
                current, is_read = _current_row(store, key, ck, now_s), True
            cell = current.columns.get(name) if current is not None else None
            context = own_shard(cell.value, node_id) if type(cell) is Cell and cell.value is not None else None
            if len(cache) >= CACHED_COUNTERS_MAX:
                del cache[next(iter(cache))]
        context = increment(context, node_id, delta, now_us)
        cache[place] = context
        columns[name] = Cell(timestamp_us, context)
    return Row(clustering, columns=columns)


def _current_row(store: TableStore, key: bytes, ck: bytes | None, now_s: int) -> Row | None:
    if ck is None:
        view = store.read(key, EVERYTHING, now_s)
        return view.static if view is not None else None
    row = store.row_at(key, ck, now_s)
    return None if row is None else store.layouts.explode(row)
