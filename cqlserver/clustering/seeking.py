"""A SELECT with conditions that replicas test for themselves: what they are asked, and what is told where completing what
they left out takes many rows (service/reads/ReplicaFilteringProtection.java)."""

from collections.abc import Callable, Sequence

from cluster.reading.criteria import Criteria
from cluster.reading.merging import Page
from cqlserver.clustering.store import ReplicatedStore
from cqlserver.plans.index_lookup import maybe_lookup
from protocol.errors import Overloaded
from storage.indexes.lookups import Indexed
from storage.memtable.memtable import Position
from storage.reads import TableStore
from storage.row_filter import FilterExpression


class ProtectionGuard:
    """Of one request: `thresholds` of rows that Cassandra would hold at once, those of a partition from each replica, above
    which it is told and above which it fails. `text` gives the query; `is_scan`: rows are held even of replicas that agree,
    because digests are for reads of single partitions."""

    def __init__(
        self, thresholds: tuple[int, int], warn: Callable[[str], None], text: Callable[[], str], is_scan: bool
    ) -> None:
        self._warn_from, self._fail_from = thresholds
        self._warn, self._text, self._is_scan = warn, text, is_scan
        self._is_told = False
        self._position: Position | None = None
        self._count = 0  # of the rows of that partition

    def held(self, page: Page) -> None:
        """The next page was completed. Raises Overloaded."""
        if page.is_agreed and not self._is_scan:
            return
        for position, count in page.row_counts():
            if position != self._position:
                self._position, self._count = position, 0
            self._count += count
            self._check(self._count * page.replicas)

    def _check(self, rows: int) -> None:
        if rows > self._warn_from and not self._is_told:
            self._is_told = True
            self._warn(self._message(self._warn_from, "warn"))
        if rows > self._fail_from:
            raise Overloaded(self._message(self._fail_from, "fail"))

    def _message(self, threshold: int, name: str) -> str:
        return (
            f"Replica filtering protection has cached over {threshold} rows during query {self._text()}. "
            f"(See 'cached_replica_rows_{name}_threshold' in cassandra.yaml.)"
        )


def seek(
    store: TableStore,
    local: TableStore,
    expressions: Sequence[FilterExpression],
    candidates: Sequence[Indexed],
    is_scan: bool,
    now_s: int,
    guard: ProtectionGuard,
) -> None:
    """Has a `store` of the replicas give what meets the expressions; all look up the same, what this node's own indexes
    (`local`) make the best of the candidates."""
    assert isinstance(store, ReplicatedStore), store
    found = None if local.indexes is None else maybe_lookup(local.indexes, candidates, now_s)
    store.seek(Criteria(tuple(expressions), None if found is None else found[0], takes_statics=is_scan), guard.held)
