"""Random tables, written alike to Cassandra and to us: each must read the other's SSTables, and both say the same of them.

    python compat-tests/sstable_differential.py --oracle 127.0.0.2:9142 --node 2 --seed 1 --tables 50

The oracle has to run on this machine (its data folder is read); CASSANDRA_ORACLE_HOME says where. Its `column_index_size`
holds for our files too: with 1KiB many partitions have an index. For each table:

- Cassandra's files, flushed: our dump of them equals sstabledump's, our node on top of them answers SELECT * as Cassandra
  does, and what our writer makes of their contents is the same bytes again: Data, Index, Filter, Summary and Statistics;
- our memtable written as an SSTable: sstabledump and our dump say the same of it, reading it gives the memtable back;
- that SSTable in the place of Cassandra's: sstableverify -e finds nothing, and Cassandra answers SELECT * as we do.

The exit code is 1 where something differs. The seed makes the same tables again.
"""

import argparse
import re
import shutil
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Container, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, zip_longest
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.runner import Address  # noqa: E402
from sstables.coverage import Coverage  # noqa: E402
from sstables.inspector import HOME, Inspector, Refused  # noqa: E402
from sstables.pairs import (  # noqa: E402
    OurNode,
    asked,
    contents,
    flushed_to,
    opened,
    our_dump,
    rewritten,
    table_as_written,
)
from sstables.random_tables import SHORT_TTL_S, RandomTable, random_queries, random_tables  # noqa: E402
from twins.statement import Statement  # noqa: E402

from protocol.client import connect  # noqa: E402
from protocol.requests import QueryOptions  # noqa: E402
from protocol.responses import Error, Response, RowsResult  # noqa: E402
from protocol.types import CqlType  # noqa: E402
from storage.reads import TableStore  # noqa: E402
from storage.sstable.constants import DATA, INDEX_BYTES, VERSIONS  # noqa: E402
from storage.sstable.descriptor import Descriptor, descriptors, table_folder  # noqa: E402
from storage.sstable.reader import SSTableReader  # noqa: E402

# sstabledump itself fails so at empty tuples and booleans and at nulls in clusterings, and a compaction where a dropped
# collection has a deletion
JAVA_SLIP = re.compile(
    r"java\.lang\.IndexOutOfBoundsException|java\.nio\.BufferUnderflowException|java\.lang\.NullPointerException"
    r"|.*\"this\.complexBuilder\" is null"
)
PARTS = 2
"""Between which Cassandra flushes, and tables change."""
COVERING_TABLES = 300
"""So many meet everything that there is to meet."""
CONNECTIONS = 12
CUT = 6000
"""Of a difference so much is shown."""
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


class Round:
    """The tables of one seed, in one keyspace."""

    def __init__(
        self,
        address: Address,
        node: int,
        seed: int,
        count: int,
        inspector: Inspector,
        version: str,
        only: Container[int] | None = None,
    ) -> None:
        self.keyspace = f"files_{seed}"
        self.data = HOME / f"node{node}" / "data" / self.keyspace
        self.node, self.seed, self.count, self.version, self.only = node, seed, count, version, only
        self.inspector = inspector
        self.address, self.theirs = address, connect(address.host, address.port, 5, timeout_s=600)
        self.ours = OurNode()
        self.failures: list[str] = []
        self.block_bytes = inspector.index_block_bytes(INDEX_BYTES[VERSIONS[version].format])
        self.totals, self.coverage = Counter[str](), Coverage()

    def run(self) -> None:
        tables = self.write()
        scratch = Path(tempfile.mkdtemp(prefix="sstables"))
        try:
            for table in tables:
                for check in (self.check_theirs, self.check_ours, self.check_served):
                    self.check(table, check, scratch)
                self.totals["tables"] += 1
                self.coverage.add_table(self.ours.store(self.keyspace, table.name).table)
        finally:
            shutil.rmtree(scratch)
            self.theirs.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
            self.theirs.close()

    def write(self) -> list[RandomTable]:
        """The tables, written to both and flushed by Cassandra part by part, once what was to expire has."""
        self.theirs.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
        self._same(f"CREATE KEYSPACE {self.keyspace} WITH replication = {REPLICATION}")
        tables = self.tables(PARTS)
        for table in tables:
            self._both(table.create)
        for part in range(PARTS):
            self.write_part([table.parts[part] for table in tables], self.ours.execute)
            self.inspector.flush(self.keyspace)
        self.inspector.load_schema()
        time.sleep(SHORT_TTL_S + 1)
        return tables

    def tables(self, parts: int) -> list[RandomTable]:
        found = list(random_tables(Random(self.seed), self.keyspace, self.count, parts))
        if self.only is None:
            return found
        types = [each for each in found[0].create if each.text().startswith("CREATE TYPE")]
        changes = [each for each in found[0].parts[-1] if each.text().startswith("ALTER TYPE")]
        chosen = [table for number, table in enumerate(found) if number in self.only]
        chosen[0].create[:0] = types if chosen[0] is not found[0] else []
        chosen[0].parts[-1][:0] = changes if chosen[0] is not found[0] else []
        return chosen

    def check(self, table: RandomTable, check: Callable[[RandomTable, Path], None], scratch: Path) -> None:
        """Notes what differs."""
        try:
            check(table, scratch)
        except Exception as error:  # noqa: BLE001 - reported, the next goes on
            if isinstance(error, Refused) and JAVA_SLIP.match(str(error)):
                self.totals["failures in Java"] += 1
                return
            where = "".join(traceback.format_exception(error)[-2:])
            self.failures.append(f"{table.definition()}\n{check.__name__}: {where[:CUT]}")

    def check_theirs(self, table: RandomTable, scratch: Path) -> None:
        folder = self.data / table_folder(table.name, self._table_id(table.name))
        store = self.ours.store(self.keyspace, table.name)
        for descriptor in descriptors(sorted(path.name for path in folder.iterdir()), DATA):
            self.totals["files of theirs"] += 1
            self._compare_dumps(folder, descriptor)
        readers = opened(folder, store.table, store)
        memtable = store.memtable
        store.truncate()
        store.flushed = tuple(sorted(readers, key=lambda reader: -reader.max_timestamp_us))  # as a table's are
        try:
            self.totals["rows of theirs"] += self._compare_answers(table)
        finally:
            store.truncate()
            store.memtable = memtable
        for reader in readers:
            self.totals["wide partitions of theirs"] += wide_count(reader)
            self.coverage.add_file(reader)
            self._check_bytes(reader, store, scratch / "again" / str(self.totals["files of theirs"]))

    def _compare_dumps(self, folder: Path, descriptor: Descriptor) -> None:
        ours = our_dump(folder, descriptor)
        try:
            expected = self.inspector.dump(folder / descriptor.file_name(DATA))
        except Refused as error:
            if not JAVA_SLIP.match(str(error)):
                raise
            self.totals["dumps that fail in Java"] += 1
            return
        same(ours, expected)

    def _compare_answers(self, table: RandomTable) -> int:
        """The same questions to both; how many rows the table has."""
        queries = random_queries(Random(f"{self.seed} {table.name}"), table.table)
        clustering = {column.name: column.type for column in self.ours.store(self.keyspace, table.name).table.clustering}
        counts = []
        for each in queries:
            ours = self.ours.execute(each)
            if isinstance(ours, Error):  # an empty key
                theirs_too = self.theirs.query(each.text(), QueryOptions(values=each.values())).response
                assert isinstance(theirs_too, Error), (each.describe(), ours)
                continue
            assert isinstance(ours, RowsResult), (each.describe(), ours)
            theirs = b"".join(asked(self.theirs, each.text(), each.values()))
            if ours.content != theirs:
                types = [clustering.get(column.name) for column in ours.metadata.columns]
                is_same = in_order_keys(ours.content, types) == in_order_keys(theirs, types)
                assert is_same, f"{each.describe()}: {differing(ours, theirs)}"
                self.totals["answers with an equal clustering of other bytes"] += 1
            counts.append(ours.row_count)
        self.totals["queries"] += len(queries)
        return counts[0]

    def _check_bytes(self, reader: SSTableReader, store: TableStore, folder: Path) -> None:
        """What we write of what Cassandra wrote is what Cassandra wrote, what was dropped since included."""
        own = TableStore(table_as_written(reader, store.table))
        (again,) = opened(Path(reader.folder), own.table, own, reader.descriptor)
        for component, (ours, theirs) in rewritten(again, own, folder, self.block_bytes).items():
            assert ours == theirs, f"{component}: {ours.hex()}\nCassandra's {theirs.hex()}"
            self.totals["components made again"] += 1
        again.close()

    def check_ours(self, table: RandomTable, scratch: Path) -> None:
        folder = scratch / "ks" / f"{table.name}-{'0' * 32}"
        store = self.ours.store(self.keyspace, table.name)
        descriptor = flushed_to(store, folder, self.version, 1, self.block_bytes)
        if descriptor is None:
            return
        self.totals["files of ours"] += 1
        self._compare_dumps(folder, descriptor)
        (reader,) = opened(folder, store.table, store)
        self.totals["wide partitions of ours"] += wide_count(reader)
        self.coverage.add_file(reader)
        read, written = contents(reader, store), contents(store.memtable, store)
        for key in read.keys() | written.keys():
            assert read.get(key) == written.get(key), f"{key.hex()}: {read.get(key)}\nnot {written.get(key)}"

    def check_served(self, table: RandomTable, scratch: Path) -> None:
        """Our file in the place of Cassandra's."""
        written = scratch / "ks" / f"{table.name}-{'0' * 32}"
        self._expect(self.theirs.query(f"TRUNCATE {self.keyspace}.{table.name}").response)
        if not written.exists() or not list(written.iterdir()):
            return
        folder = self.data / table_folder(table.name, self._table_id(table.name))
        for path in written.iterdir():
            shutil.copy(path, folder / path.name.replace("-1-", "-900-"))
        assert self.inspector.verify(self.keyspace, table.name) == 1
        self.inspector.refresh(self.keyspace, table.name)
        self.totals["rows of ours"] += self._compare_answers(table)

    def _expect(self, response: object) -> None:
        assert not isinstance(response, Error), response

    def _table_id(self, name: str) -> UUID:
        where = f"keyspace_name = '{self.keyspace}' AND table_name = '{name}'"
        (content,) = asked(self.theirs, f"SELECT id FROM system_schema.tables WHERE {where}")
        return UUID(bytes=content[4:])

    def _same(self, text: str) -> None:
        ours, theirs = self.ours.query(text), self.theirs.query(text).response
        assert not isinstance(ours, Error), (text, ours)
        assert not isinstance(theirs, Error), (text, theirs)

    def write_part(self, parts: list[list[Statement]], execute: Callable[[Statement], Response] | None) -> None:
        """Some writes of each table, to Cassandra by several connections, for its time is what one waits for."""
        for part in parts:
            self._both([each for each in part if each.text().startswith("ALTER")])
        writes = [[each for each in part if not each.text().startswith("ALTER")] for part in parts]
        with ThreadPoolExecutor(CONNECTIONS) as pool:
            theirs = pool.map(self._written, writes)
            ours = [[execute(each) for each in part] for part in writes] if execute is not None else None
            for number, found in enumerate(theirs):
                for each, left, right in zip(writes[number], ours[number], found, strict=True) if ours else ():
                    self._compare_kinds(each, left, right)

    def _written(self, part: list[Statement]) -> list[Response]:
        with connect(self.address.host, self.address.port, 5, timeout_s=600) as connection:
            return [connection.query(each.text(), QueryOptions(values=each.values())).response for each in part]

    def _both(self, statements: list[Statement]) -> None:
        for each in statements:
            theirs = self.theirs.query(each.text(), QueryOptions(values=each.values())).response
            self._compare_kinds(each, self.ours.execute(each), theirs)

    def _compare_kinds(self, wanted: Statement, ours: Response, theirs: Response) -> None:
        """Whether both refuse it, or none."""
        if isinstance(ours, Error) != isinstance(theirs, Error):
            self.failures.append(f"{wanted.text()}: {ours}\nCassandra: {theirs}")


def differing(ours: RowsResult, theirs: bytes) -> str:
    """The first rows that are not the same."""
    width = len(ours.metadata.columns)
    values = [split_values(content) for content in (ours.content, theirs)]
    left, right = ([each[at : at + width] for at in range(0, len(each), width)] for each in values)
    for number, (one, other) in enumerate(zip_longest(left, right)):
        if one != other:
            return f"row {number} of {len(left)}, {len(right)} of theirs:\n{one}\nnot {other}"
    return "the same rows?"


def in_order_keys(content: bytes, types: Sequence[CqlType | None]) -> list[bytes | None]:
    """The values of rows, those of clusterings (of which `types` has the types) as order keys. Where SSTables have a row
    under clusterings of different bytes (1.0 and 1.00), which of them Cassandra tells depends on how it came by: its
    MergeIterator takes equals as they lie in its heap."""
    pairs = zip(split_values(content), cycle(types), strict=False)
    return [value if type_ is None or value is None else type_.order_key(value) for value, type_ in pairs]


def split_values(content: bytes) -> list[bytes | None]:
    found: list[bytes | None] = []
    at = 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big", signed=True)
        at += 4 + max(length, 0)
        found.append(None if length < 0 else content[at - length : at])
    return found


def wide_count(reader: SSTableReader) -> int:
    return sum(len(stretch.wide) for stretch in reader.stretches())


def same(ours: list[Any], theirs: list[Any]) -> None:
    """Partitions as they are dumped."""
    for left, right in zip(ours, theirs, strict=True):
        if left != right:
            heads = [{**each, "rows": len(each["rows"])} for each in (left, right)]
            rows = zip_longest(left["rows"], right["rows"])
            first = next((f"ours {row}\nsstabledump {other}" for row, other in rows if row != other), "")
            raise AssertionError(f"ours {heads[0]}\nsstabledump {heads[1]}\n{first}")


def main(arguments: list[str]) -> int:
    return run(arguments, Round, (__doc__ or "").split("\n")[0])


def run(arguments: list[str], kind: type[Round], description: str) -> int:
    """Rounds of a kind: the exit code."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--oracle", type=Address.parse, required=True)
    parser.add_argument("--node", type=int, default=1, help="the oracle's number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="each with the next seed")
    parser.add_argument("--tables", type=int, default=25, help="of a round")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of tables of a round")
    parser.add_argument("--version", default="nb", help="of the SSTables that are written here")
    given = parser.parse_args(arguments)
    failures = 0
    totals, coverage = Counter[str](), Coverage()
    for seed in range(given.seed, given.seed + given.rounds):
        with tempfile.TemporaryDirectory() as classes:
            inspector = Inspector(given.node, Path(classes))  # it loads a schema only once
            try:
                done = kind(given.oracle, given.node, seed, given.tables, inspector, given.version, given.only)
                done.run()
            finally:
                inspector.close()
        for failure in done.failures:
            print(f"== seed {seed}: {failure}")
        failures += len(done.failures)
        totals += done.totals
        coverage.counts += done.coverage.counts
        shown = ", ".join(f"{count} {name}" for name, count in totals.items())
        print(f"seed {seed}: {shown}, {failures} differences", flush=True)
    print(coverage)
    missing = coverage.missing() if totals["tables"] >= COVERING_TABLES else []
    if missing:
        print(f"never met: {', '.join(missing)}")
    return 1 if failures or missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
