"""Random tables in several SSTables, compacted by Cassandra and by us: what is left must be the same.

    python compat-tests/compaction_differential.py --oracle 127.0.0.2:9142 --node 2 --seed 1 --tables 20

As sstable_differential.py; the files are Cassandra's. Half of the tables have no gc_grace: their tombstones go. Each is
compacted twice in a row, for what comes out must go in again. The dump of our files is compared with Cassandra's of its own.
The exit code is 1 where something differs.
"""

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path
from random import Random
from uuid import uuid4

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.runner import Address  # noqa: E402
from sstable_differential import JAVA_SLIP, REPLICATION, Round, same  # noqa: E402
from sstables.inspector import Inspector, Refused  # noqa: E402
from sstables.pairs import our_dump, random_tables  # noqa: E402

from protocol.requests import QueryOptions  # noqa: E402
from storage.background import Lane, Task  # noqa: E402
from storage.compaction.choices import Choice  # noqa: E402
from storage.compaction.compaction import Compaction  # noqa: E402
from storage.environment.disk import RealDisk  # noqa: E402
from storage.files.folders import DataFolders  # noqa: E402
from storage.files.table_files import TableFiles  # noqa: E402
from storage.reads import TableStore  # noqa: E402
from storage.sstable.caches import Caches  # noqa: E402
from storage.sstable.constants import DATA, VERSIONS  # noqa: E402
from storage.sstable.descriptor import Descriptor, descriptors, table_folder  # noqa: E402

FLUSHES = 3
PURGE_AFTER_S = 2.0


class CompactedRound(Round):
    """`left`: partitions after compactions; `gone`: rows and tombstones that compactions left out."""

    left = gone = 0

    def run(self) -> None:
        self.theirs.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
        self._same(f"CREATE KEYSPACE {self.keyspace} WITH replication = {REPLICATION}")
        tables = list(random_tables(Random(self.seed), self.keyspace, self.count))
        writes = []
        for number, (_, statements) in enumerate(tables):
            options = " AND compaction = {'class': 'SizeTieredCompactionStrategy', 'enabled': false}"
            options += f" AND gc_grace_seconds = {864_000 if number % 2 else 0}"
            for each in statements:
                if each.text().startswith("CREATE"):
                    self._same(each.text() + options * each.text().startswith("CREATE TABLE"))
            writes.append([each for each in statements if not each.text().startswith("CREATE")])
        for part in range(FLUSHES):
            for statements in writes:
                share = -(-len(statements) // FLUSHES)
                for each in statements[part * share : (part + 1) * share]:
                    self.theirs.query(each.text(), QueryOptions(values=each.values()))
            self.inspector.flush(self.keyspace)
        self.inspector.load_schema()
        time.sleep(PURGE_AFTER_S)
        scratch = Path(tempfile.mkdtemp(prefix="compactions"))
        try:
            for table, _ in tables:
                try:
                    self.check_compacted(table.name, scratch / table.name)
                except Exception as error:  # noqa: BLE001 - reported, the next goes on
                    if isinstance(error, Refused) and JAVA_SLIP.match(str(error)):
                        continue
                    where = "".join(traceback.format_exception(error)[-3:])
                    self.failures.append(f"{table.definition()}\n{where[:3000]}")
        finally:
            shutil.rmtree(scratch)
            self.theirs.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
            self.theirs.close()

    def check_compacted(self, name: str, root: Path) -> None:
        folder = self.data / table_folder(name, self._table_id(name))
        disk, store = RealDisk(), TableStore(self.ours.store(self.keyspace, name).table)
        folders = DataFolders(disk, str(root))
        ours = Path(folders.make(store.table))
        for path in folder.iterdir():
            if path.is_file():
                shutil.copy2(path, ours)
        files = TableFiles(disk, folders, store, Caches(), VERSIONS["nb"], lambda task: None)
        files.open_all()
        self.files += len(files.readers)
        before = sum(reader.statistics.stats.rows for reader in files.readers)
        for _ in range(2):
            if not files.readers:
                break
            known = set(_in(folder))  # Cassandra removes them at its leisure
            self.inspector.compact(self.keyspace, name)
            task = Task(Lane.COMPACTION, "Major compaction", name, lambda task: None)
            Compaction(disk, files, Choice(files.readers), int(time.time()), uuid4()).run(task)
            theirs = [
                partition
                for descriptor in _in(folder)
                if descriptor not in known
                for partition in self.inspector.dump(folder / descriptor.file_name(DATA))
            ]
            found = [partition for reader in files.readers for partition in our_dump(ours, reader.descriptor)]
            assert len(found) == len(theirs), f"{len(found)} partitions, {len(theirs)} of theirs:\n{found}\n{theirs}"
            same(_placeless(found), _placeless(theirs))
            self.left += len(found)
        self.gone += before - sum(reader.statistics.stats.rows for reader in files.readers)


def _in(folder: Path) -> list[Descriptor]:
    return list(descriptors(sorted(path.name for path in folder.iterdir()), DATA))


def _placeless(found: list[object]) -> list[object]:
    """Without where something stands in the file, which follows from the encoding."""
    if isinstance(found, list):
        return [_placeless(each) for each in found]  # type: ignore[arg-type]
    if isinstance(found, dict):
        return {key: _placeless(each) for key, each in found.items() if key != "position"}  # type: ignore[return-value]
    return found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--oracle", type=Address.parse, required=True)
    parser.add_argument("--node", type=int, default=1, help="the oracle's number")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=1, help="each with the next seed")
    parser.add_argument("--tables", type=int, default=20, help="of a round")
    given = parser.parse_args(arguments)
    failures = files = left = gone = 0
    for seed in range(given.seed, given.seed + given.rounds):
        with tempfile.TemporaryDirectory() as classes:
            inspector = Inspector(given.node, Path(classes))  # it loads a schema only once
            try:
                done = CompactedRound(given.oracle, given.node, seed, given.tables, inspector, "nb")
                done.run()
            finally:
                inspector.close()
        for failure in done.failures:
            print(f"== seed {seed}: {failure}")
        failures, files = failures + len(done.failures), files + done.files
        left, gone = left + done.left, gone + done.gone
        print(f"seed {seed}: {files} files, {left} partitions left, {gone} rows gone, {failures} differences", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
