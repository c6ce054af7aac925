"""A Cassandra and a node in this process that were written to alike, and what both make of each other's files."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from twins.statement import Statement

from cqlserver.connections.session import Session
from cqlserver.program.config import Config
from cqlserver.program.server import open_node
from protocol import requests, responses
from protocol.client import Connection
from protocol.frames import EnvelopeDecoder
from protocol.primitives import Value
from protocol.requests import Execute, Prepare, Query, QueryOptions
from storage.background import Lane, Task
from storage.dropped import DroppedFilter
from storage.environment.disk import RealDisk
from storage.files.flush import write_memtable
from storage.memtable.packed import Layouts
from storage.mutation import LIVE
from storage.reads import Source, TableStore
from storage.schema.metadata import TableMetadata
from storage.sstable import statistics
from storage.sstable.caches import Caches
from storage.sstable.constants import DATA, FILTER, INDEX, ROWS, STATISTICS, SUMMARY, VERSIONS
from storage.sstable.descriptor import Descriptor, descriptors
from storage.sstable.dump import Dump, table_of
from storage.sstable.partition import SSTablePartition
from storage.sstable.reader import SSTableReader
from storage.sstable.unfiltered import Marker, PartitionData
from storage.sstable.writer import SSTableWriter, WriterOptions

VERSION = 5
EVERYTHING = (b"", b"\xff")


class OurNode:
    """A node without network, and without a disk where it is not told of one."""

    def __init__(self, config: Config = Config(data=None)) -> None:  # noqa: B008 - it never changes
        self.node = open_node(config)
        self.node.describe_itself()
        self._session = Session(self.node, "127.0.0.1", 1)
        self._ask(requests.Startup({"CQL_VERSION": "3.0.0"}), 4)

    def execute(self, wanted: Statement) -> responses.Response:
        prepared = self._ask(Prepare(wanted.text()), 4)
        if not isinstance(prepared, responses.PreparedResult):
            return prepared
        return self._ask(Execute(prepared.statement_id, None, QueryOptions(values=wanted.values())), 4)

    def query(self, text: str) -> responses.Response:
        return self._ask(Query(text), 4)

    def store(self, keyspace: str, table: str) -> TableStore:
        found = self.node.engine.schema.maybe_table(keyspace, table)
        assert found is not None
        return self.node.engine.stores[found.id]

    def _ask(self, request: requests.Request, version: int) -> responses.Response:
        self._session.receive(requests.encode(request, version, 0))
        self._session.finish()  # a long one is done in steps
        self._session.forget_served()
        output = self._session.take_later() + self._session.take_output()
        version, flags, _, opcode, body = EnvelopeDecoder(version, responses=True).receive_data(output)[0]
        return responses.decode(version, flags, opcode, body).response


# -- reading ----------------------------------------------------------------------------------------------------------


def opened(folder: Path, table: TableMetadata, store: TableStore, only: Descriptor | None = None) -> list[SSTableReader]:
    """All SSTables of a folder, or one of them."""
    disk, cache = RealDisk(), Caches()
    found = descriptors(disk.list(str(folder)), DATA) if only is None else [only]
    return [SSTableReader.open(disk, str(folder), descriptor, table, store.layouts, cache) for descriptor in found]


def table_as_written(reader: SSTableReader, table: TableMetadata) -> TableMetadata:
    """With the columns that it had when the SSTable was written."""
    found = table_of(reader.statistics.header)
    columns = (*table.partition_key, *table.clustering, *found.statics, *found.regulars)
    return replace(table, columns=columns, dropped_columns={})


def our_dump(folder: Path, descriptor: Descriptor) -> list[Any]:
    """What our reader says of a file, without a schema."""
    disk = RealDisk()
    path = f"{folder}/{descriptor.file_name(STATISTICS)}"
    header = statistics.decode(disk.read_file(path), descriptor.version, path).header
    table = table_of(header)
    layouts = Layouts(UUID(int=0), len(table.clustering))
    reader = SSTableReader.open(disk, str(folder), descriptor, table, layouts, Caches())
    try:
        return [json.loads(line, parse_float=str) for line in Dump(reader, int(time.time()), True).partitions()]
    finally:
        reader.close()


def flushed_to(store: TableStore, folder: Path, version: str, generation: int, index_block_bytes: int) -> Descriptor | None:
    """Our memtable as an SSTable; None where there is nothing in it."""
    memtable = store.memtable
    if not memtable:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    while not memtable.place_keys():
        pass
    descriptor = Descriptor(VERSIONS[version], generation)
    options = WriterOptions(len(memtable), index_block_bytes=index_block_bytes)
    writer = SSTableWriter(RealDisk(), str(folder), descriptor, store.table, store.layouts, options)
    task = Task(Lane.FLUSH, "Flush", store.table.name, lambda task: None)
    write_memtable(writer, memtable, store.table, store.layouts, task, lambda: True)
    if not writer.partition_count:
        writer.abort()
        return None
    writer.finish()
    return descriptor


def rewritten(
    reader: SSTableReader, store: TableStore, folder: Path, index_block_bytes: int
) -> dict[str, tuple[bytes, bytes]]:
    """Another server's SSTable read and written by us, with its header: by component, the bytes of both; what follows
    from the time and place of writing is taken over first."""
    theirs = reader.statistics
    folder.mkdir(parents=True, exist_ok=True)
    stats = theirs.stats
    options = WriterOptions(
        reader.key_count,
        stats.level,
        stats.repaired_at_ms,
        originating_host=stats.originating_host,
        commit_log_intervals=stats.commit_log_intervals,
        index_block_bytes=index_block_bytes,
    )
    version = reader.descriptor.version
    descriptor = Descriptor(version, 1)
    writer = SSTableWriter(RealDisk(), str(folder), descriptor, store.table, store.layouts, options, theirs.header)
    order_key = reader.decoder.row_order_key
    for _, partition in reader.partitions():
        # as it stands in the file: Cassandra keeps what a deletion above covers, which a read leaves out
        raw = partition.raw()
        rows = [(order_key(each.clustering), each) for _, each in raw.unfiltereds if not isinstance(each, Marker)]
        writer.append(partition.key, PartitionData(raw.deletion, raw.static, partition.tombstones, rows))
    writer.finish()
    ours = opened(folder, store.table, store)[0]
    pairs = {DATA: tuple(each._data.read(0, each.data_bytes) for each in (ours, reader))}
    for component in (INDEX, FILTER, SUMMARY):
        if component in reader.components:
            paths = (folder / descriptor.file_name(component), Path(reader.folder) / reader.descriptor.file_name(component))
            pairs[component] = tuple(path.read_bytes() for path in paths)
    pairs[ROWS] = tuple(
        b"".join(index.data for stretch in each.stretches() for index in stretch.wide.values()) for each in (ours, reader)
    )
    # what our compressor finds is another size, and what of the ring a file covers is Cassandra's alone to say
    written = ours.statistics
    changed = written.stats._replace(compression_ratio=stats.compression_ratio, token_coverage=stats.token_coverage)
    ours_encoded = statistics.encode(written._replace(stats=changed), version)
    pairs[STATISTICS] = (ours_encoded, statistics.encode(theirs, version))
    return pairs  # type: ignore[return-value]  # of two each


def contents(source: Source, store: TableStore) -> dict[bytes, object]:
    """All of a source, in one form, with what is empty left out."""
    explode = store.layouts.explode
    kept = DroppedFilter(store.table, store.layouts)  # a memtable has what was dropped
    found: dict[bytes, object] = {}
    for position in [position for positions, _ in source.batches() for position in positions]:
        partition = source.maybe_partition(position[8:])
        assert partition is not None
        rows = {
            ck: explode(row)._replace(columns=dict(explode(row).columns))
            for cks, rows, _ in partition.chunks(*EVERYTHING, False)
            for ck, row in kept.rows(zip(cks, rows, strict=True))
        }
        static = kept.static(partition.static)
        what = (partition.deletion, static and static._replace(columns=dict(static.columns)), rows)
        # those that are read may be cut where blocks begin
        whole = isinstance(partition, SSTablePartition)
        tombstones = list(partition.tombstones if whole else partition.range_tombstones(*EVERYTHING))
        if tombstones or what != (LIVE, None, {}):  # a memtable also has partitions of which all was dropped
            found[position[8:]] = (*what, tombstones)
    return found


def asked(connection: Connection, text: str, values: tuple[Value, ...] = ()) -> list[bytes]:
    """The rows of a query, page after page."""
    pages: list[bytes] = []
    options = QueryOptions(values=values, page_size=5000)
    while True:
        result = connection.query(text, options).response
        if not isinstance(result, responses.RowsResult):
            raise AssertionError(f"{text}: {result}")
        pages.append(result.content)
        if result.paging_state is None:
            return pages
        options = options._replace(paging_state=result.paging_state)
