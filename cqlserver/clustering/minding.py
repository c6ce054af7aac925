"""What a page of a SELECT tells of the tombstones that its replicas passed over: those that this node's own store did, and
with read_thresholds_enabled how many replicas warn or refuse (service/reads/thresholds/CoordinatorWarnings.java)."""

from collections.abc import Callable

from cluster.reading.command import ReadCommand
from cluster.reading.passing import Counting, Passing
from cluster.ring import Node
from cqlserver.clustering.store import ReplicatedStore
from cqlserver.plans.command_text import Conditions, Limits, command_text
from cqlserver.plans.commands import Commands
from cqlserver.plans.select_run import TOKEN_MAX, ReadShape
from cqlserver.plans.tombstones import Thresholds, Words, log_refusal
from cqlserver.restrictions.stated import Clusterings
from protocol.errors import ReadFailure, RequestError
from storage.memtable.memtable import Position, position_token, token_position
from storage.reads import TableStore
from storage.schema.metadata import TableMetadata


class ReplicaMinding:
    """Of one page. `is_scan`: what is read are parts of the ring, up to
    `end`."""

    __slots__ = (
        "_commands", "_counted", "_end", "_is_scan", "_start", "_store", "_thresholds", "_words",
    )  # fmt: skip

    def __init__(
        self,
        store: ReplicatedStore,
        commands: Commands,
        thresholds: Thresholds,
        words: Words,
        end: Position | None,
        is_scan: bool,
    ) -> None:
        self._store, self._commands, self._thresholds, self._words = store, commands, thresholds, words
        self._end, self._is_scan = end, is_scan
        self._counted = 0
        self._start: Position | None = None  # of the page, if it is a scan
        store.refused = self._refused

    def tell(self, counted: int) -> None:
        read, self._store.passings = self._store.passings, []
        for command, passing in read:
            if self._is_left(command) and len(read) > 1:
                read[1][1].add_earlier(passing)
                continue
            if self._start is None:
                self._start = command.start
            if self._is_of_interest(passing):
                query, tokens = self._named(command)
                self._tell(passing, query)
                if passing.warned:
                    self._words.warned(len(passing.warned), max(passing.warned.values()), query, tokens)
        self._counted = counted

    def _is_left(self, command: ReadCommand) -> bool:
        """Whether it is about what the page before left of a partition: with what follows that is one command."""
        return self._is_scan and command.is_of_partition

    def _is_of_interest(self, passing: Passing[Node]) -> bool:
        here = passing.here
        return bool(passing.warned or passing.aborted or (here is not None and here.tombstones > self._thresholds.warn))

    def _refused(self, error: RequestError) -> RequestError:
        """As the client is to hear of it."""
        read, self._store.passings = self._store.passings[-1:], self._store.passings[:-1]
        self.tell(self._counted)
        ((command, passing),) = read
        if self._start is None:
            self._start = command.start
        if not isinstance(error, ReadFailure) or not self._is_of_interest(passing):
            return error
        query, tokens = self._named(command)
        self._tell(passing, query)
        here = passing.here
        if here is not None and here.tombstones > self._thresholds.fail:
            log_refusal(self._store.table, here.tombstones, query, here.key)
        if not passing.aborted:
            return error
        return self._words.refused(error, len(passing.aborted), max(passing.aborted.values()), query, tokens)

    def _tell(self, passing: Passing[Node], query: str) -> None:
        """Of this node's own store. Where others have a say in a part of the ring, it is asked as they are, and the client
        hears nothing of it (service/reads/range/RangeCommandIterator.java)."""
        here = passing.here
        if here is None or here.tombstones <= self._thresholds.warn:
            return
        words = self._words if passing.is_alone or not self._is_scan else Words(lambda told: None, are_tracked=False)
        words.passed(here.rows + here.statics, here.tombstones, query, here.key)

    def _named(self, command: ReadCommand) -> tuple[str, str]:
        """Its text, and the tokens that it is about."""
        commands = self._commands
        if not self._is_scan:
            return commands.of_partition(command.key, self._counted), commands.tokens(command.key)
        if self._is_left(command):
            return commands.of_range(), commands.tokens(None)
        start = None if command.start == self._start else position_token(command.start) - 1
        end = None if command.end in (None, self._end) else position_token(command.end) - 1
        return commands.of_range(start, end), commands.tokens(None, start, end)


def minding_of(
    store: TableStore,
    commands: Commands,
    thresholds: Thresholds,
    warn: Callable[[str], None],
    shape: ReadShape,
) -> ReplicaMinding:
    assert isinstance(store, ReplicatedStore), store
    wanted = shape.token_range
    end = None if wanted is None or wanted.end == TOKEN_MAX else token_position(wanted.end + 1)
    if shape.keys is None and shape.counts_rows:
        store.partition_limit = shape.per_partition_limit
    words = Words(warn, thresholds.are_tracked)
    return ReplicaMinding(store, commands, thresholds, words, end, shape.keys is None)


def log_passed(command: ReadCommand, table: TableMetadata, counting: Counting) -> None:
    """What others have read here. They did not say of which columns and clusterings."""
    conditions = Conditions(table, Clusterings(), command.criteria.expressions if command.criteria else (), command.reverse)
    where = conditions.of_partition(command.key) if command.is_of_partition else conditions.of_range(())
    query = command_text(table, table.columns, where, Limits(command.limit, are_told=True))
    Words(lambda told: None, are_tracked=False).passed(counting.rows, counting.tombstones, query, counting.key)
    if counting.tombstones > counting.thresholds.fail:
        log_refusal(table, counting.tombstones, query, counting.key)
