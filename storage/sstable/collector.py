"""What is counted while an SSTable is written, for its Statistics.db (io/sstable/metadata/MetadataCollector.java,
db/rows/Rows.java).

What it counts are fields; all that comes comes through the methods.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from storage.mutation import LIVE, NEVER, NO_TIMESTAMP, NO_TTL, Cell, ComplexColumn, Deletion, Row
from storage.sstable.cardinality import Cardinality
from storage.sstable.histograms import CELLS_BUCKETS, SIZE_BUCKETS, EstimatedHistogram, TombstoneHistogramBuilder

if TYPE_CHECKING:
    from storage.sstable.statistics import Stats

_MAX_I64 = (1 << 63) - 1


class MetadataCollector:
    """See the module. `cells` and `deleted` (its tombstones) count those of the partition that is being written."""

    __slots__ = (
        "cardinality", "cells", "cells_per_partition", "columns_set", "deleted", "has_partition_deletions", "max_deletion_s",
        "max_timestamp_us", "max_ttl_s", "min_deletion_s", "min_timestamp_us", "min_ttl_s", "partition_sizes", "rows",
        "saw_live", "tombstones",
    )  # fmt: skip

    def __init__(self) -> None:
        self.partition_sizes = EstimatedHistogram(SIZE_BUCKETS)
        self.cells_per_partition = EstimatedHistogram(CELLS_BUCKETS)
        self.tombstones = TombstoneHistogramBuilder()
        self.cardinality = Cardinality()
        self.min_timestamp_us = _MAX_I64
        self.max_timestamp_us = NO_TIMESTAMP
        self.min_deletion_s = NEVER
        self.max_deletion_s = NO_TIMESTAMP
        self.min_ttl_s = _MAX_I64
        self.max_ttl_s = -1
        self.saw_live = False  # something without TTL and local deletion time
        self.cells = 0
        self.deleted = 0
        self.columns_set = 0
        self.rows = 0
        self.has_partition_deletions = False

    def packed_row(self, timestamp_us: int, cells: int) -> None:
        self.min_timestamp_us = min(self.min_timestamp_us, timestamp_us)
        self.max_timestamp_us = max(self.max_timestamp_us, timestamp_us)
        self.saw_live = True
        self.cells += cells
        self.columns_set += cells
        self.rows += 1

    def timestamp(self, timestamp_us: int) -> None:
        self.min_timestamp_us = min(self.min_timestamp_us, timestamp_us)
        self.max_timestamp_us = max(self.max_timestamp_us, timestamp_us)

    def local_deletion(self, local_deletion_s: int) -> None:
        self.min_deletion_s = min(self.min_deletion_s, local_deletion_s)
        self.max_deletion_s = max(self.max_deletion_s, local_deletion_s)
        self.tombstones.add(local_deletion_s)

    def ttl(self, ttl_s: int) -> None:
        self.min_ttl_s = min(self.min_ttl_s, ttl_s)
        self.max_ttl_s = max(self.max_ttl_s, ttl_s)

    def deletion(self, deletion: Deletion) -> None:
        if deletion.timestamp_us != NO_TIMESTAMP:
            self.timestamp(deletion.timestamp_us)
            self.local_deletion(deletion.local_deletion_s)
            self.deleted += 1

    def partition_deletion(self, deletion: Deletion) -> None:
        if deletion != LIVE:
            self.has_partition_deletions = True
            self.deletion(deletion)

    def cell(self, cell: Cell) -> None:
        timestamp_us, value, ttl_s, local_deletion_s = cell
        self.cells += 1
        self.timestamp(timestamp_us)
        if local_deletion_s == NEVER:
            self.saw_live = True
            return
        self.local_deletion(local_deletion_s)
        self.ttl(ttl_s)
        if value is None:
            self.deleted += 1

    def row(self, row: Row) -> None:
        """A row, static ones with anything in them included."""
        timestamp_us, ttl_s, local_deletion_s = row.liveness
        if timestamp_us != NO_TIMESTAMP:
            self.timestamp(timestamp_us)
            if ttl_s == NO_TTL:
                self.saw_live = True
            else:
                self.ttl(ttl_s)
                self.local_deletion(local_deletion_s)
        self.deletion(row.deletion)
        for data in row.columns.values():
            if type(data) is Cell:
                self.cell(data)
                self.columns_set += 1
            else:
                assert type(data) is ComplexColumn, data
                self.deletion(data.deletion)
                for cell in data.cells.values():
                    self.cell(cell)
                self.columns_set += bool(data.cells)
        self.rows += 1

    def absorb(self, source: "Stats", cardinality: Cardinality, share: float) -> None:
        """A share of what another SSTable counted, of which so many partitions were copied as bytes. Ranges are taken as
        they are: they are too wide rather than too narrow."""
        self.cardinality.merge(cardinality)
        self.timestamp(source.timestamps_us[0])
        self.timestamp(source.timestamps_us[1])
        low, high = source.deletions_s
        self.min_deletion_s = min(self.min_deletion_s, low)
        if high != NEVER:
            self.max_deletion_s = max(self.max_deletion_s, high)
        self.saw_live |= high == NEVER
        self.min_ttl_s = min(self.min_ttl_s, source.ttls_s[0])
        self.max_ttl_s = max(self.max_ttl_s, source.ttls_s[1])
        self.has_partition_deletions |= source.has_partition_deletions
        self.cells_per_partition.merge(source.cells_per_partition, share)
        self.rows += round(source.rows * share)
        self.columns_set += round(source.columns_set * share)
        for point, count in source.tombstones.items():
            self.tombstones.add(point, max(round(count * share), 1))

    def end_partition(self, key: bytes, size: int) -> None:
        self.partition_sizes.add(size)
        self.cells_per_partition.add(self.cells)
        self.cells = self.deleted = 0
        self.cardinality.add(key)

    def end_copy(self, size: int) -> None:
        """Of a partition that was copied as bytes: what was counted of it is absorbed in the end."""
        self.partition_sizes.add(size)

    def end_copies(self, sizes: Sequence[int]) -> None:
        """The same of several."""
        for size, count in Counter(sizes).items():
            self.partition_sizes.add(size, count)

    def time_range_us(self) -> tuple[int, int]:
        if self.max_timestamp_us < self.min_timestamp_us:
            return NO_TIMESTAMP, _MAX_I64
        return self.min_timestamp_us, self.max_timestamp_us

    def deletion_range_s(self) -> tuple[int, int]:
        """NEVER where nothing has a local deletion time, or the latest of them is that of something that has none."""
        return self.min_deletion_s, NEVER if self.saw_live or self.max_deletion_s == NO_TIMESTAMP else self.max_deletion_s

    def ttl_range_s(self) -> tuple[int, int]:
        low = NO_TTL if self.saw_live or self.max_ttl_s < 0 else self.min_ttl_s
        return low, max(self.max_ttl_s, NO_TTL)
