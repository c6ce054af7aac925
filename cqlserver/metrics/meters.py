"""What the requests of clients touch: how many there were of each kind, by table, and how long one in many took.

A fast path raises its meter's `count`, which costs some ten nanoseconds. Once in SAMPLE_S a session times one request; its
latency stands for all requests of that meter since the sample before, so what histograms count is what there was. At a
low rate, and of requests that took several steps, each is timed.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, Protocol
from uuid import UUID

from cqlserver.metrics.rates import Rates
from protocol.metadata import ResultMetadata
from protocol.requests import BATCH, QUERY
from storage.schema.metadata import TableMetadata

if TYPE_CHECKING:
    from cqlserver.metrics.histograms import DecayingHistogram

SAMPLE_S: Final = 0.01
"""How often a request is timed, at most: a hundred a second are enough for a percentile, and cost a thousandth (some 10 us
each, with a cold cache)."""
STALL_S: Final = 0.005
"""A go that takes longer is one of those that are counted."""
ROTATION: Final = 64
"""Which request of a go is timed changes from go to go, so that no statement of a client's round is left out."""


class Kind(Enum):
    """Of requests, as Cassandra tells them apart (metrics/ClientRequestsMetricsHolder.java); the value is its name there."""

    READ = "Read"
    RANGE = "RangeSlice"
    WRITE = "Write"
    CAS_READ = "CASRead"
    CAS_WRITE = "CASWrite"


LOGGED, UNLOGGED, COUNTER = 0, 1, 2
"""Kinds of batches, as BATCH has them."""
NO_LEVEL: Final = -1
TIMEOUTS: Final = ("ReadTimeout", "WriteTimeout", "CasWriteTimeout", "CasWriteUnknown")
FAILURES: Final = ("ReadFailure", "WriteFailure")
UNAVAILABLE: Final = ("Unavailable",)
COUNTED_ERRORS: Final = frozenset((*TIMEOUTS, *FAILURES, *UNAVAILABLE))
"""Errors of requests that were begun."""


class Measured(Protocol):
    """A plan, as far as it is measured."""

    @property
    def result_metadata(self) -> ResultMetadata | None: ...

    def meters(self, level: int) -> "tuple[RequestMeter, ...]": ...


class Tally:
    """Numbers, and how often each came, since somebody last put them into a histogram."""

    __slots__ = ("_fresh", "_histogram", "_largest_buckets", "count", "total")

    def __init__(self) -> None:
        self.count = self.total = 0
        self._fresh: dict[int, int] = {}
        self._histogram: DecayingHistogram | None = None

    def note(self, value: int, times: int = 1) -> None:
        self._fresh[value] = self._fresh.get(value, 0) + times
        self.count += times
        self.total += value * times

    def histogram(self, now_s: float) -> "DecayingHistogram":
        """With all that was noted."""
        if self._histogram is None:
            from cqlserver.metrics.histograms import COUNT_BUCKETS, DecayingHistogram

            self._histogram = DecayingHistogram(now_s, COUNT_BUCKETS, has_zero=True)
        fresh, self._fresh = self._fresh, {}
        for value, times in fresh.items():
            self._histogram.record(value, times, now_s)
        return self._histogram


class RequestMeter:
    """Requests of one kind on one table. `count`: how many there were; `shared`: how many of these had another table before
    this one (a batch); `total_s`: what all of them took together, reckoned from those that were timed; `rows` and
    `tombstones` of reads."""

    __slots__ = (
        "_last_us", "_latency", "_row_count", "_timed_count", "count", "keyspace", "kind", "rates", "rows", "shared",
        "table", "tombstones", "total_s",
    )  # fmt: skip

    def __init__(self, keyspace: str, table: str, kind: Kind, likely_us: int = 0) -> None:
        """`likely_us`: what its requests are taken to need until one of them is timed."""
        self.keyspace, self.table, self.kind = keyspace, table, kind
        self.count = self.shared = 0
        self.total_s = 0.0
        self._last_us = likely_us
        self.rates = Rates()
        self.rows, self.tombstones = Tally(), Tally()
        self._timed_count = self._row_count = 0
        self._latency: DecayingHistogram | None = None

    @property
    def was_timed(self) -> bool:
        return self._timed_count > 0

    def took(self, seconds: float, now_s: float, rows: int | None = None) -> None:
        """One of them was timed; `rows`: as many it read."""
        times = self.count - self._timed_count
        if times <= 0:
            return
        self._timed_count = self.count
        self.total_s += seconds * times
        self._last_us = int(seconds * 1e6)
        self._histogram(now_s).record(self._last_us, times, now_s)
        if rows is not None:
            self.rows.note(rows, self.count - self._row_count)
            self._row_count = self.count

    def latency(self, now_s: float) -> "DecayingHistogram":
        """In microseconds, with all requests in it: those that nobody timed yet took as long as the last that was."""
        if self.count > self._timed_count:
            self.took(self._last_us / 1e6, now_s)
        return self._histogram(now_s)

    def all_rows(self) -> Tally:
        """Read by each request; those that nobody looked at had as many as those before them, on average."""
        missing = self.count - self._row_count
        if missing > 0 and self.rows.count:
            self.rows.note(round(self.rows.total / self.rows.count), missing)
            self._row_count = self.count
        return self.rows

    def all_tombstones(self) -> Tally:
        """Passed over by each request: by those of which nothing is known, none."""
        missing = self.count - self.tombstones.count
        if missing > 0:
            self.tombstones.note(0, missing)
        return self.tombstones

    def _histogram(self, now_s: float) -> "DecayingHistogram":
        if self._latency is None:
            from cqlserver.metrics.histograms import DecayingHistogram

            self._latency = DecayingHistogram(now_s)
        return self._latency


class Metering:
    """Of one node. `next_sample_s`: from when on a request is to be timed; `errors`: how often requests of a kind ended
    with an error, by its name; `native_count`: all messages of clients; `text_count`, `batch_count`: requests about rows
    that came as QUERY and as BATCH, `other_text_count`: all other QUERYs; `single_partition_batches`: those of one
    partition, by kind; `stalls`: long goes of the loop, in milliseconds; `last`: the plan of the last QUERY or BATCH that a
    fast path answered; `counts_each_read`: somebody wants to know of every read what it passed over, which fast paths leave
    to the general way where there may be something."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.next_sample_s = 0.0
        self.errors: dict[tuple[Kind, str], int] = {}
        self.native_count = self.text_count = self.other_text_count = self.batch_count = 0
        self.single_partition_batches = [0, 0, 0]
        self._partitions_of = (Tally(), Tally(), Tally())
        self.stalls = Tally()
        self.cache_rates: dict[str, tuple[Rates, Rates]] = {}
        """By cache: of hits, of requests."""
        self.last: Measured | None = None
        self.counts_each_read = False
        self._forgotten_count = 0
        self._repairs: dict[UUID, tuple[int, int]] = {}
        self._meters: dict[tuple[UUID, Kind], RequestMeter] = {}
        self._turn = self._latest_us = 0

    def meter(self, table: TableMetadata, kind: Kind) -> RequestMeter:
        """The one of a table; made when first asked for, so that tables that nobody uses cost nothing."""
        found = self._meters.get((table.id, kind))
        if found is None:
            found = RequestMeter(table.keyspace, table.name, kind, self._latest_us)
            self._meters[table.id, kind] = found
            self.next_sample_s = 0.0  # its first request is to be among those that are timed
        return found

    def maybe_meter(self, table_id: UUID, kind: Kind) -> RequestMeter | None:
        return self._meters.get((table_id, kind))

    def meters(self) -> list[RequestMeter]:
        return list(self._meters.values())

    def _keep(self, table_ids: Collection[UUID]) -> None:
        """Forgets those of tables that are not there any more."""
        for key in [key for key in self._meters if key[0] not in table_ids]:
            meter = self._meters.pop(key)
            self._forgotten_count += meter.count - meter.shared
        for table_id in [table_id for table_id in self._repairs if table_id not in table_ids]:
            del self._repairs[table_id]

    def choose(self, requests: int) -> int:
        """Which request of so many is timed, counted from 1; 0 where there is none."""
        if not requests:
            return 0
        self._turn = (self._turn + 23) % ROTATION
        return self._turn % requests + 1

    def served(
        self,
        opcode: int,
        meters: tuple[RequestMeter, ...],
        began: float,
        rows: int | None,
        error_name: str | None,
        is_timed: bool = False,
    ) -> None:
        """A request was answered in the general way, or refused. What is refused before anything is read is not counted."""
        if opcode == QUERY and not meters:
            self.other_text_count += 1
        if not meters or (error_name is not None and error_name not in COUNTED_ERRORS):
            return
        self.text_count += opcode == QUERY
        self.batch_count += opcode == BATCH
        for meter in meters:
            meter.count += 1
            meter.shared += meter is not meters[0]
        if error_name is not None:
            key = meters[0].kind, error_name
            self.errors[key] = self.errors.get(key, 0) + 1
        if is_timed or not meters[0].was_timed or self.clock() >= self.next_sample_s:
            self.took(meters, began, rows)

    def took(self, meters: Iterable[RequestMeter], began: float, rows: int | None) -> None:
        """A request that these have counted ends now."""
        now = self.clock()
        self.next_sample_s = now + SAMPLE_S
        self._latest_us = int((now - began) * 1e6)
        for meter in meters:
            meter.took(now - began, now, rows)

    @property
    def prepared_count(self) -> int:
        """Of these, what came as EXECUTE."""
        return self.request_count - self.text_count - self.batch_count

    def count_batch(self, kind: int, partitions: int) -> None:
        self._partitions_of[kind].note(partitions)

    def partitions_of(self, kind: int) -> Tally:
        """How many the batches of a kind had."""
        singles, self.single_partition_batches[kind] = self.single_partition_batches[kind], 0
        tally = self._partitions_of[kind]
        if singles:
            tally.note(1, singles)
        return tally

    @property
    def request_count(self) -> int:
        """All that read or wrote rows."""
        return self._forgotten_count + sum(meter.count - meter.shared for meter in self._meters.values())

    def count_repair(self, table_id: UUID, *, is_over: bool) -> None:
        """A table's replicas begin to be compared in some ranges, or that has ended well."""
        started, completed = self._repairs.get(table_id, (0, 0))
        self._repairs[table_id] = (started, completed + 1) if is_over else (started + 1, completed)

    def repairs_of(self, table_id: UUID) -> tuple[int, int]:
        """How many were started, and how many of them ended well."""
        return self._repairs.get(table_id, (0, 0))

    def note_stall(self, seconds: float) -> None:
        """A go of the loop took so long."""
        if seconds > STALL_S:
            self.stalls.note(int(seconds * 1000))

    def tick(self, table_ids: Collection[UUID]) -> None:
        """To be called every rates.TICK_S, with the tables that there are."""
        now_s = self.clock()
        self._keep(table_ids)
        for meter in self._meters.values():
            if meter.count:
                meter.latency(now_s)
                meter.rates.tick(meter.count)

    def tick_caches(self, counts: Mapping[str, tuple[int, int]]) -> None:
        """The same, with the hits and the requests of each cache."""
        for name, (hits, requests) in counts.items():
            found = self.cache_rates.setdefault(name, (Rates(), Rates()))
            found[0].tick(hits)
            found[1].tick(requests)
