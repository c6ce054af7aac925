"""`cqlserver sstable dump|verify|metadata FILE`: what is in SSTables, without a server and without their schema.

FILE is any component (`.../nb-1-big-Data.db`). What is printed is JSON: `dump` as sstabledump has it, one partition a line.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import UUID

from cqlserver.commands import closed_output
from protocol.errors import StorageError
from protocol.types import MarshalError
from storage.environment.disk import RealDisk
from storage.memtable.packed import Layouts
from storage.mutation import NEVER
from storage.sstable import statistics
from storage.sstable.caches import Caches
from storage.sstable.constants import STATISTICS
from storage.sstable.descriptor import Descriptor, UnknownVersion, parse_file_name
from storage.sstable.dump import Dump, table_of
from storage.sstable.reader import SSTableReader
from storage.sstable.statistics import Statistics
from storage.sstable.verify import Verified, verify

PROGRESS_S = 1.0


def main(name: str, arguments: list[str]) -> int:
    options = _parser(name).parse_args(arguments)
    status = 0
    for file in options.file:
        try:
            options.run(file, options)
            sys.stdout.flush()
        except BrokenPipeError:  # whoever reads has enough
            return closed_output.discard()
        except (StorageError, UnknownVersion, MarshalError, OSError) as error:
            print(f"cqlserver {name} {options.what}: {error}", file=sys.stderr)
            status = 1
    return status


def _parser(name: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"cqlserver {name}", description="Looks into SSTables, without a server.")
    commands = parser.add_subparsers(dest="what", required=True)
    dump = commands.add_parser("dump", help="prints partitions as JSON, as sstabledump does")
    dump.add_argument("-t", "--raw-times", action="store_true", help="numbers instead of dates")
    dump.add_argument("-l", "--lines", action="store_true", help="no brackets around all partitions")
    dump.set_defaults(run=_dump)
    commands.add_parser("verify", help="checks every byte").set_defaults(run=_verify)
    commands.add_parser("metadata", help="prints what Statistics.db says").set_defaults(run=_metadata)
    for command in commands.choices.values():
        command.add_argument("file", nargs="+", type=Path)
    return parser


def _descriptor(file: Path) -> Descriptor:
    parsed = parse_file_name(file.name)
    if parsed is None:
        raise StorageError(f"{file} is no file of an SSTable")
    return parsed[0]


def _statistics(file: Path, descriptor: Descriptor) -> Statistics:
    path = str(file.parent / descriptor.file_name(STATISTICS))
    return statistics.decode(RealDisk().read_file(path), descriptor.version, path)


def _opened(file: Path) -> SSTableReader:
    """With a table that is made of the file's own header."""
    descriptor = _descriptor(file)
    table = table_of(_statistics(file, descriptor).header)
    layouts = Layouts(table.id, len(table.clustering))
    return SSTableReader.open(RealDisk(), str(file.parent), descriptor, table, layouts, Caches())


def _dump(file: Path, options: argparse.Namespace) -> None:
    reader = _opened(file)
    try:
        lines = Dump(reader, int(time.time()), options.raw_times).partitions()
        if options.lines:
            for line in lines:
                print(line)
            return
        between = "[\n  "
        for line in lines:
            print(between, line, sep="", end="")
            between = ",\n  "
        print("\n]")
    finally:
        reader.close()


def _verify(file: Path, options: argparse.Namespace) -> None:
    reader = _opened(file)
    try:
        seen = Verified(0, 0, 0)
        shown = time.monotonic()
        for seen in verify(RealDisk(), str(file.parent), reader):
            if time.monotonic() - shown > PROGRESS_S:
                shown = time.monotonic()
                print(f"{file}: {seen.partitions} of {reader.key_count} partitions", file=sys.stderr)
    finally:
        reader.close()
    print(f"{file}: {seen.partitions} partitions, {seen.rows} rows, {seen.markers} bounds of range tombstones: no damage")


def _metadata(file: Path, options: argparse.Namespace) -> None:
    print(json.dumps(metadata(_statistics(file, _descriptor(file))), indent=2))


def metadata(found: Statistics) -> dict[str, Any]:
    """What sstablemetadata prints, as plain values; a time that is none is null."""
    stats, header = found.stats, found.header
    sizes, cells = stats.partition_sizes, stats.cells_per_partition

    def seconds(value: int) -> int | None:
        return None if value == NEVER else value

    def text(value: UUID | None) -> str | None:
        return None if value is None else str(value)

    return {
        "partitioner": found.partitioner,
        "bloom_filter_fp_chance": found.bloom_chance,
        "partitions": sizes.count,
        "rows": stats.rows,
        "columns_set": stats.columns_set,
        "min_timestamp_us": stats.timestamps_us[0],
        "max_timestamp_us": stats.timestamps_us[1],
        "min_local_deletion_s": seconds(stats.deletions_s[0]),
        "max_local_deletion_s": seconds(stats.deletions_s[1]),
        "min_ttl_s": stats.ttls_s[0],
        "max_ttl_s": stats.ttls_s[1],
        "compression_ratio": stats.compression_ratio,
        "tombstone_drop_times": {str(point): count for point, count in stats.tombstones.items()},
        "level": stats.level,
        "repaired_at_ms": stats.repaired_at_ms,
        "pending_repair": text(stats.pending_repair),
        "is_transient": stats.is_transient,
        "originating_host_id": text(stats.originating_host),
        "commit_log_intervals": [[list(start), list(end)] for start, end in stats.commit_log_intervals],
        "min_clustering": [value.hex() for value in stats.min_clustering.values],
        "max_clustering": [value.hex() for value in stats.max_clustering.values],
        "partition_sizes": {str(o): c for o, c in zip(sizes.offsets, sizes.buckets, strict=False) if c},
        "cells_per_partition": {str(o): c for o, c in zip(cells.offsets, cells.buckets, strict=False) if c},
        "key_type": header.key_type,
        "clustering_types": list(header.clustering_types),
        "static_columns": dict(header.statics),
        "regular_columns": dict(header.regulars),
        "encoding_base": {
            "timestamp_us": header.min_timestamp_us,
            "local_deletion_s": header.min_deletion_s,
            "ttl_s": header.min_ttl_s,
        },
    }
