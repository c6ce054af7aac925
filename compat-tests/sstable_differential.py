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
import traceback
from pathlib import Path
from random import Random
from uuid import UUID

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.runner import Address  # noqa: E402
from sstables.inspector import HOME, Inspector, Refused  # noqa: E402
from sstables.pairs import (  # noqa: E402
    OurNode,
    asked,
    contents,
    opened,
    our_dump,
    random_tables,
    rewritten,
    write_memtable,
)
from twins.statement import Statement  # noqa: E402

from protocol.client import connect  # noqa: E402
from protocol.requests import QueryOptions  # noqa: E402
from protocol.responses import Error, RowsResult  # noqa: E402
from storage.reads import TableStore  # noqa: E402
from storage.sstable.constants import DATA, INDEX_BYTES, VERSIONS  # noqa: E402
from storage.sstable.descriptor import descriptors, table_folder  # noqa: E402
from storage.sstable.reader import SSTableReader  # noqa: E402

# sstabledump itself fails so at empty tuples
JAVA_SLIP = re.compile(r"java\.lang\.IndexOutOfBoundsException|java\.nio\.BufferUnderflowException")
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"


class Round:
    """The tables of one seed, in one keyspace."""

    def __init__(self, address: Address, node: int, seed: int, count: int, inspector: Inspector, version: str) -> None:
        self.keyspace = f"files_{seed}"
        self.data = HOME / f"node{node}" / "data" / self.keyspace
        self.node, self.seed, self.count, self.version = node, seed, count, version
        self.inspector = inspector
        self.theirs = connect(address.host, address.port, 5, timeout_s=120)
        self.ours = OurNode()
        self.failures: list[str] = []
        self.block_bytes = inspector.index_block_bytes(INDEX_BYTES[VERSIONS[version].format])
        self.files = self.rows = self.served = self.equal_files = self.slips = 0
        self.wide = [0, 0]  # partitions with an index: of theirs, of ours

    def run(self) -> None:
        create = f"CREATE KEYSPACE {self.keyspace} WITH replication = {REPLICATION}"
        self.theirs.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
        self._same(create)
        tables = []
        for table, statements in random_tables(Random(self.seed), self.keyspace, self.count):
            for each in statements:
                self._both(each)
            tables.append(table)
        self.inspector.flush(self.keyspace)
        self.inspector.load_schema()
        scratch = Path(tempfile.mkdtemp(prefix="sstables"))
        try:
            for table in tables:
                for check in (self.check_theirs, self.check_ours, self.check_served):
                    try:
                        check(table.name, scratch)
                    except Exception as error:  # noqa: BLE001 - reported, the next goes on
                        if isinstance(error, Refused) and JAVA_SLIP.match(str(error)):
                            self.slips += 1
                            continue
                        where = "".join(traceback.format_exception(error)[-3:])
                        self.failures.append(f"{table.definition()}\n{check.__name__}: {where[:3000]}")
        finally:
            shutil.rmtree(scratch)
            self.theirs.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
            self.theirs.close()

    def check_theirs(self, name: str, scratch: Path) -> None:
        folder = self.data / table_folder(name, self._table_id(name))
        store = self.ours.store(self.keyspace, name)
        for descriptor in descriptors(sorted(path.name for path in folder.iterdir()), DATA):
            self.files += 1
            expected = self.inspector.dump(folder / descriptor.file_name(DATA))
            same(our_dump(folder, descriptor), expected)
        readers = opened(folder, store.table, store)
        text = f"SELECT * FROM {self.keyspace}.{name}"
        expected_rows = asked(self.theirs, text)
        memtable = store.memtable
        store.truncate()
        store.flushed = tuple(readers)
        result = self.ours.query(text)
        assert isinstance(result, RowsResult), result
        self.rows += result.row_count
        store.truncate()
        store.memtable = memtable
        assert result.content == b"".join(expected_rows), f"SELECT *: {result.content!r} not {expected_rows!r}"
        for reader in readers:
            self.wide[0] += wide_count(reader)
            self._check_bytes(reader, store, scratch / "again" / str(self.files))

    def _check_bytes(self, reader: SSTableReader, store: TableStore, folder: Path) -> None:
        """What we write of what Cassandra wrote is what Cassandra wrote."""
        for component, (ours, theirs) in rewritten(reader, store, folder, self.block_bytes).items():
            assert ours == theirs, f"{component}: {ours.hex()}\nCassandra's {theirs.hex()}"
            self.equal_files += 1

    def check_ours(self, name: str, scratch: Path) -> None:
        folder = scratch / "ks" / f"{name}-{'0' * 32}"
        store = self.ours.store(self.keyspace, name)
        descriptor = write_memtable(store, folder, self.version, 1, self.block_bytes)
        if descriptor is None:
            return
        self.files += 1
        expected = self.inspector.dump(folder / descriptor.file_name(DATA))
        same(our_dump(folder, descriptor), expected)
        (reader,) = opened(folder, store.table, store)
        self.wide[1] += wide_count(reader)
        read, written = contents(reader, store), contents(store.memtable, store)
        assert read == written, f"{read}\nnot {written}"

    def check_served(self, name: str, scratch: Path) -> None:
        """Our file in the place of Cassandra's."""
        written = scratch / "ks" / f"{name}-{'0' * 32}"
        text = f"SELECT * FROM {self.keyspace}.{name}"
        self._expect(self.theirs.query(f"TRUNCATE {self.keyspace}.{name}").response)
        if not written.exists() or not list(written.iterdir()):
            return
        folder = self.data / table_folder(name, self._table_id(name))
        for path in written.iterdir():
            shutil.copy(path, folder / path.name.replace("-1-", "-900-"))
        assert self.inspector.verify(self.keyspace, name) == 1
        self.inspector.refresh(self.keyspace, name)
        theirs = b"".join(asked(self.theirs, text))
        ours = self.ours.query(text)
        assert isinstance(ours, RowsResult), ours
        self.served += ours.row_count
        assert ours.content == theirs, f"SELECT * of our file: {theirs!r} not {ours.content!r}"

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

    def _both(self, wanted: Statement) -> None:
        theirs = self.theirs.query(wanted.text(), QueryOptions(values=wanted.values())).response
        ours = self.ours.execute(wanted)
        if isinstance(ours, Error) != isinstance(theirs, Error):
            self.failures.append(f"{wanted.text()}: {ours}\nCassandra: {theirs}")


def wide_count(reader: SSTableReader) -> int:
    return sum(len(stretch.wide) for stretch in reader.stretches())


def same(ours: list[object], theirs: list[object]) -> None:
    for left, right in zip(ours, theirs, strict=True):
        assert left == right, f"ours {left}\nsstabledump {right}"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--oracle", type=Address.parse, required=True)
    parser.add_argument("--node", type=int, default=1, help="the oracle's number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="each with the next seed")
    parser.add_argument("--tables", type=int, default=25, help="of a round")
    parser.add_argument("--version", default="nb", help="of the SSTables that are written here")
    given = parser.parse_args(arguments)
    failures = files = tables = rows = served = equal = slips = 0
    wide = [0, 0]
    for seed in range(given.seed, given.seed + given.rounds):
        with tempfile.TemporaryDirectory() as classes:
            inspector = Inspector(given.node, Path(classes))  # it loads a schema only once
            try:
                done = Round(given.oracle, given.node, seed, given.tables, inspector, given.version)
                done.run()
            finally:
                inspector.close()
        for failure in done.failures:
            print(f"== seed {seed}: {failure}")
        failures += len(done.failures)
        files, tables = files + done.files, tables + given.tables
        rows, served = rows + done.rows, served + done.served
        equal, slips = equal + done.equal_files, slips + done.slips
        wide = [total + more for total, more in zip(wide, done.wide, strict=True)]
        shown = f"{tables} tables, {files} files, {equal} components made again, {rows} rows of theirs"
        shown += f", {served} of ours, wide partitions {wide[0]} of theirs, {wide[1]} of ours"
        shown += f", {slips} where sstabledump failed in Java"
        print(f"seed {seed}: {shown}, {failures} differences", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
