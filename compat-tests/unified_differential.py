"""The same flushes under UnifiedCompactionStrategy, by Cassandra and by a server of ours: which SSTables there are
afterwards, of how many keys, from which to which.

    python compat-tests/unified_differential.py --oracle 127.0.0.2:9142 --node 2

The oracle has to run on this machine (see sstable_differential.py). Both compact by themselves after each flush, and are
given some seconds for that. The exit code is 1 where something differs.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from uuid import UUID

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from harness.runner import Address  # noqa: E402
from sstables.inspector import HOME, Inspector  # noqa: E402
from sstables.pairs import asked, our_dump  # noqa: E402

import cqlserver  # noqa: E402
from protocol.client import Connection, connect  # noqa: E402
from protocol.responses import Error, PreparedResult  # noqa: E402
from storage.sstable.constants import DATA  # noqa: E402
from storage.sstable.descriptor import Descriptor, descriptors, table_folder  # noqa: E402

KEYSPACE = "unified_flushes"
CASES = (
    {},
    {"min_sstable_size": "0B"},
    {"min_sstable_size": "1KiB"},
    {"min_sstable_size": "20KiB"},
    {"min_sstable_size": "0B", "base_shard_count": "6"},
    {"min_sstable_size": "0B", "target_sstable_size": "1MiB"},
    {"min_sstable_size": "0B", "scaling_parameters": "L4"},
    {"min_sstable_size": "10KiB", "scaling_parameters": "N"},
    {"flush_size_override": "1MiB", "scaling_parameters": "T3,L3"},
)
FLUSHES = 6
KEYS = 3000
SETTLED_S = 4.0

Dump = Callable[[Path, Descriptor], list[dict[str, dict[str, list[str]]]]]
SSTables = list[tuple[int, int, int]]
"""First key, last key, number of keys, of each."""


class Side:
    """One of the two servers."""

    def __init__(self, connection: Connection, data: Path, dump: Dump) -> None:
        self.connection, self._data, self._dump = connection, data / KEYSPACE, dump

    def run(self, text: str) -> None:
        response = self.connection.query(text).response
        assert not isinstance(response, Error), (text, response)

    def fill(self, table: str, rows: list[tuple[int, bytes]]) -> None:
        insert = self.connection.prepare(f"INSERT INTO {KEYSPACE}.{table} (k, v) VALUES (?, ?)").response
        assert isinstance(insert, PreparedResult), insert
        for k, v in rows:
            self.connection.execute(insert, (k.to_bytes(4, "big"), v))

    def sstables(self, table: str) -> SSTables:
        where = f"keyspace_name = '{KEYSPACE}' AND table_name = '{table}'"
        (content,) = asked(self.connection, f"SELECT id FROM system_schema.tables WHERE {where}")
        folder = self._data / table_folder(table, UUID(bytes=content[4:]))
        found = []
        for descriptor in descriptors(sorted(path.name for path in folder.iterdir()), DATA):
            keys = [int(partition["partition"]["key"][0]) for partition in self._dump(folder, descriptor)]
            found.append((keys[0], keys[-1], len(keys)))
        return sorted(found)


def compared(theirs: Side, ours: Side, flush: Callable[[], None]) -> int:
    """How many differences there are."""
    sides = (theirs, ours)
    for side in sides:
        side.run(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
        side.run(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
        for number, case in enumerate(CASES):
            options = {"class": "UnifiedCompactionStrategy", **case}
            side.run(f"CREATE TABLE {KEYSPACE}.t{number} (k int PRIMARY KEY, v blob) WITH compaction = {options}")
    differences = most = 0
    for round_ in range(FLUSHES):
        rng = Random(round_)
        rows = [(k, rng.randbytes(60)) for k in rng.sample(range(KEYS), 300 if round_ % 3 else 900)]
        for side in sides:
            for number in range(len(CASES)):
                side.fill(f"t{number}", rows)
        flush()
        time.sleep(SETTLED_S)
        for number, case in enumerate(CASES):
            left, right = (side.sstables(f"t{number}") for side in sides)
            most = max(most, len(left))
            if left != right:
                differences += 1
                print(f"flush {round_}, {case}: Cassandra {left}\nours {right}")
    print(f"{FLUSHES} flushes of {len(CASES)} tables, up to {most} SSTables, {differences} differences")
    theirs.run(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    return differences


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--oracle", type=Address.parse, required=True)
    parser.add_argument("--node", type=int, default=1, help="the oracle's number")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as classes,
        tempfile.TemporaryDirectory() as data,
        connect(given.oracle.host, given.oracle.port, 5, timeout_s=120) as theirs,
        cqlserver.start(data=data) as server,
        connect(server.host, server.port, 5, timeout_s=120) as ours,
    ):
        inspector = Inspector(given.node, Path(classes))
        nodetool = [sys.executable, "-m", "cqlserver", "nodetool", "-p", str(server.control_port), "flush", KEYSPACE]

        def flush() -> None:
            inspector.flush(KEYSPACE)
            subprocess.run(nodetool, check=True)

        try:
            return 1 if compared(
                Side(theirs, HOME / f"node{given.node}" / "data", lambda f, d: inspector.dump(f / d.file_name(DATA))),
                Side(ours, Path(data) / "data", our_dump),
                flush,
            ) else 0  # fmt: skip
        finally:
            inspector.close()


if __name__ == "__main__":
    sys.exit(main())
