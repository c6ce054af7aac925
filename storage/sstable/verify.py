"""Looks at every byte of an SSTable, as sstableverify -e does (io/sstable/format/SortedTableVerifier.java): digest,
checksums, the order of keys and rows, that each row can be decoded, and that index and filter know each key."""

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from protocol.crc32 import crc32
from protocol.errors import CorruptionError
from storage.environment.environment import Disk
from storage.memtable.memtable import Position
from storage.sstable.constants import DATA, DIGEST, corrupted
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import Marker

_READ_BYTES: Final = 1024 * 1024


class Verified(NamedTuple):
    """What was looked at so far."""

    partitions: int
    rows: int
    markers: int


def verify(disk: Disk, folder: str, reader: SSTableReader) -> Iterator[Verified]:
    """Step by step, a partition each. Raises CorruptionError naming the file."""
    _verify_spare(reader)
    verify_digest(disk, folder, reader)
    yield from verify_partitions(reader)


def _verify_spare(reader: SSTableReader) -> None:
    """Whether summary and filter, where they are there, can be read."""
    if reader.faults:
        raise CorruptionError(f"{reader.faults[0]}; it is done without")


def verify_index(reader: SSTableReader) -> Iterator[int]:
    """Whether the index can be read and ends where it should, summary and filter too; the place in Data.db, step by step."""
    _verify_spare(reader)
    last = b""
    for stretch in reader.stretches():
        last = stretch.positions[-1]
        yield stretch.starts[-1]
    if last != reader.last_position:
        raise corrupted(reader.path, "the index ends before its last key")


def verify_owned(reader: SSTableReader, ranges: Sequence[tuple[Position, Position]]) -> Iterator[int]:
    """Whether all keys lie in some ranges (first and last position); the place in Data.db, step by step."""
    for stretch in reader.stretches():
        for position in stretch.positions:
            if not any(first <= position <= last for first, last in ranges):
                raise corrupted(reader.path, f"the key {position[8:].hex()} is not this node's")
        yield stretch.starts[-1]


def verify_partitions(reader: SSTableReader) -> Iterator[Verified]:
    """Everything but the digest, step by step, a partition each. Raises CorruptionError naming the file."""
    partitions = rows = markers = 0
    order_key = reader.decoder.row_order_key
    for position, partition in reader.partitions():
        before = b""
        for _, unfiltered in partition.raw().unfiltereds:
            if isinstance(unfiltered, Marker):
                # a bound may stand where a row does, before it; two of one place would be one boundary
                place = unfiltered.place + b"\0"
                markers += 1
            else:
                place = order_key(unfiltered.clustering) + b"\1"
                rows += 1
            if place <= before:
                raise corrupted(reader.path, f"rows out of order in the partition at {partition.start}")
            before = place
        if reader.maybe_partition(position[8:]) is None:
            raise corrupted(reader.path, f"the index or filter does not know the partition at {partition.start}")
        partitions += 1
        yield Verified(partitions, rows, markers)
    if partitions != reader.key_count:
        raise corrupted(reader.path, f"{partitions} partitions, the statistics say {reader.key_count}")


def verify_digest(disk: Disk, folder: str, reader: SSTableReader) -> bool:
    """Whether there is one, to which then Data.db fits. Raises CorruptionError."""
    if DIGEST not in reader.components:
        return False
    path = f"{folder}/{reader.descriptor.file_name(DIGEST)}"
    expected = disk.read_file(path).strip()
    file = disk.open_read(f"{folder}/{reader.descriptor.file_name(DATA)}")
    try:
        digest = 0
        for at in range(0, file.size, _READ_BYTES):
            digest = crc32(file.pread(at, _READ_BYTES), digest)
    finally:
        file.close()
    if str(digest).encode() != expected:
        raise corrupted(path, f"{expected.decode('ascii', 'replace')}, but the data's is {digest}")
    return True
