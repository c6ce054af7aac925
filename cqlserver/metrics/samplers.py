"""What can be sampled of partitions (metrics/Sampler.java, SamplerType), in Cassandra's words."""

from typing import Final

READS: Final = "READS"
WRITES: Final = "WRITES"
READ_TIME: Final = "LOCAL_READ_TIME"
READ_ROWS: Final = "READ_ROW_COUNT"
READ_TOMBSTONES: Final = "READ_TOMBSTONE_COUNT"
READ_SSTABLES: Final = "READ_SSTABLE_COUNT"
WRITE_SIZE: Final = "WRITE_SIZE"
CONTENTIONS: Final = "CAS_CONTENTIONS"
SAMPLERS: Final = (READS, WRITES, READ_TIME, READ_ROWS, READ_TOMBSTONES, READ_SSTABLES, WRITE_SIZE, CONTENTIONS)
FREQUENCIES: Final = frozenset((READS, WRITES, CONTENTIONS))
"""What is added up by partition; of the others the largest are kept."""
