"""How many SSTables a SELECT's storage-attached indexes are of, where it names no partition: many are told, and more may be
refused (index/sai/plan/QueryController.java, service/reads/thresholds). Here an index is of all SSTables together; who runs
a Cassandra learns all the same that the table waits to be compacted.
"""

from collections.abc import Callable, Iterable

from cluster.consistency import Consistency
from cluster.coordination.errors import read_failure
from cluster.internode.verbs import FailureReason
from cluster.ring import Node
from cqlserver.restrictions.restrictions import WHOLE_RING, TokenRange
from storage.indexes.attached import SAI_CLASS, java_class
from storage.indexes.lookups import Indexed
from storage.indexes.target import CLASS_OPTION
from storage.memtable.memtable import token_position
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata
from storage.sstable.reader import SSTableReader


def check_referenced(
    store: TableStore,
    wanted: TokenRange,
    text: Callable[[], str],
    candidates: Iterable[Indexed],
    thresholds: tuple[int, int],
    node: Node,
    level: int,
    warn: Callable[[str], None],
) -> None:
    """`text`: the query; `thresholds`: more are told, more are refused. `candidates`: what indexes have of it. Raises
    ReadFailure."""
    warn_above, fail_above = thresholds
    table = store.table
    if not any(_is_attached(table, candidate.index) for candidate in candidates):
        return
    count = _within(store, wanted)
    if count > fail_above:
        reasons = {node: int(FailureReason.READ_TOO_MANY_INDEXES)}
        raise read_failure(Consistency(level), 0, 1, reasons, False)
    if count > warn_above:
        end = WHOLE_RING.start if wanted == WHOLE_RING else wanted.end
        warn(
            "1 nodes referenced more than allowed number of indexes without restrictions on partition key, maximum on a "
            f"node being {count} indexes, and issued warnings for query {text()} (see "
            f"sai_sstable_indexes_per_query_warn_threshold) with token range: ({wanted.start}, {end}]"
        )


def _is_attached(table: TableMetadata, name: str) -> bool:
    return java_class(table.indexes[name].options.get(CLASS_OPTION, "")) == SAI_CLASS


def _within(store: TableStore, wanted: TokenRange) -> int:
    """SSTables that may have partitions there."""
    start, end = token_position(wanted.start), token_position(wanted.end) + b"\xff"
    readers = (source for source in store.flushed if isinstance(source, SSTableReader))
    return sum(1 for reader in readers if reader.first_position <= end and reader.last_position >= start)
