"""Random tables in several SSTables, compacted by Cassandra and by us: what is left must be the same.

    python compat-tests/compaction_differential.py --oracle 127.0.0.2:9142 --node 2 --seed 1 --tables 20

As sstable_differential.py; the files are Cassandra's. Half of the tables have no gc_grace: their tombstones go. First some
of a table's files are compacted, so that the others hold tombstones back, then all, twice in a row, for what comes out must
go in again, under all strategies. The dump of our files is compared with Cassandra's of its own.
The exit code is 1 where something differs.
"""

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from uuid import uuid4

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from sstable_differential import REPLICATION, Round, run, same  # noqa: E402
from sstables.pairs import our_dump  # noqa: E402
from sstables.random_tables import RandomTable  # noqa: E402

from storage.background import Lane, Task  # noqa: E402
from storage.compaction.choices import Choice, Situation, class_name  # noqa: E402
from storage.compaction.compaction import Compaction  # noqa: E402
from storage.compaction.strategies import major, together  # noqa: E402
from storage.environment.disk import RealDisk  # noqa: E402
from storage.files.folders import DataFolders  # noqa: E402
from storage.files.table_files import TableFiles  # noqa: E402
from storage.reads import TableStore  # noqa: E402
from storage.sstable.caches import Caches  # noqa: E402
from storage.sstable.constants import DATA, VERSIONS  # noqa: E402
from storage.sstable.descriptor import Descriptor, descriptors, table_folder  # noqa: E402
from storage.sstable.reader import SSTableReader  # noqa: E402

FLUSHES = 3
STRATEGIES: tuple[dict[str, object], ...] = (
    {"class": "SizeTiered"},
    {"class": "Leveled", "sstable_size_in_mb": 1},
    {"class": "TimeWindow", "compaction_window_unit": "MINUTES", "compaction_window_size": 1},
    {"class": "Unified", "min_sstable_size": "0B"},
    {"class": "Unified", "min_sstable_size": "0B", "base_shard_count": 3, "scaling_parameters": "L4, N, T2"},
)
"""Each without "CompactionStrategy"."""
PURGE_AFTER_S = 2.0


class CompactedRound(Round):
    """`totals` also has: what compactions left, and what they left out."""

    def run(self) -> None:
        self.theirs.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
        self._same(f"CREATE KEYSPACE {self.keyspace} WITH replication = {REPLICATION}")
        tables = self.tables(FLUSHES)
        for number, table in enumerate(tables):
            options = f" AND compaction = {self.compaction(table)}"
            options += f" AND gc_grace_seconds = {864_000 if number % 2 else 0}"
            for each in table.create:
                self._same(each.text() + options * each.text().startswith("CREATE TABLE"))
        for part in range(FLUSHES):
            self.write_part([table.parts[part] for table in tables], None)
            self.inspector.flush(self.keyspace)
        self.inspector.load_schema()
        time.sleep(PURGE_AFTER_S)
        scratch = Path(tempfile.mkdtemp(prefix="compactions"))
        try:
            for table in tables:
                self.check(table, self.check_compacted, scratch)
                self.coverage.add_table(self.ours.store(self.keyspace, table.name).table)
        finally:
            shutil.rmtree(scratch)
            self.theirs.query(f"DROP KEYSPACE IF EXISTS {self.keyspace}")
            self.theirs.close()

    def compaction(self, table: RandomTable) -> dict[str, object]:
        options = STRATEGIES[Random(f"{self.seed} {table.name}").randrange(len(STRATEGIES))]
        return {**options, "class": f"{options['class']}CompactionStrategy", "enabled": False}

    def check_compacted(self, table: RandomTable, scratch: Path) -> None:
        """Some of the SSTables, then all, then what came out."""
        name, root = table.name, scratch / table.name
        folder = self.data / table_folder(name, self._table_id(name))
        disk, store = RealDisk(), TableStore(self.ours.store(self.keyspace, name).table)
        folders = DataFolders(disk, str(root))
        ours = Path(folders.make(store.table))
        for path in folder.iterdir():
            if path.is_file():
                shutil.copy2(path, ours)
        files = TableFiles(disk, folders, store, Caches(), VERSIONS[self.version], lambda task: None, self.block_bytes)
        files.open_all()
        for reader in files.readers:
            self.coverage.add_file(reader)
        totals, options = self.totals, store.table.params.compaction
        totals["tables"] += 1
        totals["files"] += len(files.readers)
        totals[f"tables of {class_name(options)}"] += 1
        rows = sum(reader.statistics.stats.rows for reader in files.readers)
        some = sorted(files.readers, key=lambda reader: reader.descriptor.generation)[1:]
        if len(some) > 1:
            totals["compactions of some"] += 1
            paths = [folder / reader.descriptor.file_name(DATA) for reader in some]
            self._compact([together(some, options)], files, folder, lambda: self.inspector.compact_files(paths))
        for _ in range(2):
            now_s = int(time.time())
            situation = Situation(options, now_s * 1000, now_s - store.table.params.gc_grace_seconds)
            choices = major(files.readers, situation)
            self._compact(choices, files, folder, lambda: self.inspector.compact(self.keyspace, name))
        totals["rows gone"] += rows - sum(reader.statistics.stats.rows for reader in files.readers)

    def _compact(
        self, choices: Sequence[Choice[SSTableReader]], files: TableFiles, folder: Path, compact: Callable[[], None]
    ) -> None:
        """By both: what each makes is compared."""
        known, before = set(_in(folder)), files.readers  # Cassandra removes them at its leisure
        compact()
        theirs = [each for each in _in(folder) if each not in known]
        for choice in choices:
            task = Task(Lane.COMPACTION, "Compaction", files.folder, lambda task: None)
            Compaction(RealDisk(), files, choice, int(time.time()), uuid4(), None).run(task)
        ours = [reader.descriptor for reader in files.readers if reader not in before]
        wanted = [self.inspector.dump(folder / each.file_name(DATA)) for each in theirs]
        found = [our_dump(Path(files.folder), each) for each in ours]
        assert len(found) == len(wanted), f"{len(found)} SSTables, {len(wanted)} of theirs:\n{found}\n{wanted}"
        for left, right in zip(sorted(found, key=str), sorted(wanted, key=str), strict=True):
            assert len(left) == len(right), f"{len(left)} partitions, {len(right)} of theirs:\n{left}\n{right}"
            same(_placeless(left), _placeless(right))
            self.totals["partitions left"] += len(left)
        self.totals["SSTables made"] += len(found)


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
    return run(arguments, CompactedRound, (__doc__ or "").split("\n")[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
