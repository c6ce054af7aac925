"""Records small SSTables of a running Cassandra with what sstabledump says of them, for tests that need no Cassandra.

    python compat-tests/sstables/record_samples.py --oracle 127.0.0.2:9142 --node 2

They go to tests/storage/sstable/samples/<version>/<table>/: the components as they are, and dump.json. Start the oracle
with `--set column_index_size=4KiB`, so that small partitions are wide. Its settings `storage_compatibility_mode` and
`sstable` say which version it writes.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path
from uuid import UUID

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE.parent), str(ROOT)]

from harness.runner import Address  # noqa: E402

from protocol.client import Connection, connect  # noqa: E402
from protocol.responses import Error, RowsResult  # noqa: E402
from sstables.inspector import HOME, Inspector  # noqa: E402
from storage.sstable.constants import DATA  # noqa: E402
from storage.sstable.descriptor import descriptors, table_folder  # noqa: E402

KEYSPACE = "samples"
SAMPLES = ROOT / "tests" / "storage" / "sstable" / "samples"
TABLES = {
    "wide": "(k int, c int, s text static, v text, PRIMARY KEY (k, c)) WITH CLUSTERING ORDER BY (c DESC)",
    "shapes": "(a text, b int, c text, d int, l list<int>, m map<text, int>, t set<int>, f frozen<list<text>>,"
    " u vector<float, 2>, w int, PRIMARY KEY ((a, b), c, d))"
    " WITH CLUSTERING ORDER BY (c ASC, d DESC) AND compression = {'enabled': false}",
    "counts": "(k int PRIMARY KEY, n counter, m counter)",
    "many": f"(k int PRIMARY KEY, {', '.join(f'v{i:02} int' for i in range(70))})",
    "dropped": "(k int PRIMARY KEY, gone text, stays text) WITH compression = {'class': 'SnappyCompressor'}",
    "expiring": "(k int, c blob, v text, w text, PRIMARY KEY (k, c)) WITH compression = {'class': 'ZstdCompressor'}",
}


def statements() -> list[str]:
    made = [
        "INSERT INTO wide (k, s) VALUES (1, 'static') USING TIMESTAMP 10",
        *(f"INSERT INTO wide (k, c, v) VALUES (1, {c}, '{'x' * 40}{c}') USING TIMESTAMP {1000 + c}" for c in range(600)),
        "DELETE FROM wide USING TIMESTAMP 1100 WHERE k = 1 AND c > 50 AND c <= 400",
        "DELETE FROM wide USING TIMESTAMP 1300 WHERE k = 1 AND c > 400 AND c < 450",
        "DELETE FROM wide USING TIMESTAMP 5000 WHERE k = 1 AND c >= 700",
        "INSERT INTO wide (k, c, v) VALUES (2, 1, 'narrow') USING TIMESTAMP 1",
        "DELETE FROM wide USING TIMESTAMP 7 WHERE k = 3",
        "INSERT INTO shapes (a, b, c, d, l, m, t, f, u, w)"
        " VALUES ('a', 1, '', 2, [1, 2], {'x': 1}, {5, 3}, ['p', ''], [1, 2], 4) USING TIMESTAMP 100",
        "UPDATE shapes USING TIMESTAMP 200 SET l = l + [3], m['y'] = 2, t = t - {5}"
        " WHERE a = 'a' AND b = 1 AND c = '' AND d = 2",
        "UPDATE shapes USING TIMESTAMP 300 SET m = {'z': 9} WHERE a = 'a' AND b = 1 AND c = 'b' AND d = 2",
        "INSERT INTO shapes (a, b, c, d) VALUES ('a', 1, 'only key', 2) USING TIMESTAMP 100",
        "DELETE FROM shapes USING TIMESTAMP 100 WHERE a = 'a' AND b = 1 AND c = 'c'",
        "DELETE FROM shapes USING TIMESTAMP 150 WHERE a = 'a' AND b = 1 AND c = 'd' AND d > 5",
        "DELETE w FROM shapes USING TIMESTAMP 150 WHERE a = 'a' AND b = 1 AND c = 'e' AND d = 5",
        "DELETE FROM shapes USING TIMESTAMP 150 WHERE a = 'a' AND b = 1 AND c = 'f' AND d = 5",
        *(f"UPDATE counts SET n = n + {k}, m = m - 1 WHERE k = {k % 3}" for k in range(10)),
        "DELETE m FROM counts WHERE k = 1",
        f"INSERT INTO many (k, {', '.join(f'v{i:02}' for i in range(70))}) VALUES (1, {', '.join(map(str, range(70)))})",
        "INSERT INTO many (k, v03, v69) VALUES (2, 3, 69)",
        f"INSERT INTO many (k, {', '.join(f'v{i:02}' for i in range(50))}) VALUES (3, {', '.join(map(str, range(50)))})",
        "INSERT INTO dropped (k, gone, stays) VALUES (1, 'x', 'y')",
        "INSERT INTO dropped (k, gone) VALUES (2, 'x')",
        "INSERT INTO expiring (k, c, v, w) VALUES (1, 0x, 'a', 'b') USING TIMESTAMP 5 AND TTL 100000000",
        "INSERT INTO expiring (k, c, v) VALUES (1, 0x00, 'a') USING TIMESTAMP 5 AND TTL 100000000",
        "UPDATE expiring USING TIMESTAMP 6 AND TTL 200000000 SET v = 'x', w = '' WHERE k = 1 AND c = 0x00ff",
    ]
    return made


def record(connection: Connection, inspector: Inspector, data: Path) -> None:
    def run(text: str) -> RowsResult | None:
        response = connection.query(text).response
        assert not isinstance(response, Error), (text, response)
        return response if isinstance(response, RowsResult) else None

    run(f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    run(f"CREATE KEYSPACE {KEYSPACE} WITH replication = {{'class': 'SimpleStrategy', 'replication_factor': 1}}")
    run(f"USE {KEYSPACE}")
    for name, definition in TABLES.items():
        run(f"CREATE TABLE {name} {definition}")
    for text in statements():
        run(text)
    inspector.flush(KEYSPACE)
    for name in TABLES:
        where = f"keyspace_name = '{KEYSPACE}' AND table_name = '{name}'"
        found = run(f"SELECT id FROM system_schema.tables WHERE {where}")
        assert found is not None
        folder = data / KEYSPACE / table_folder(name, UUID(bytes=found.content[4:]))
        (descriptor,) = descriptors(sorted(path.name for path in folder.iterdir()), DATA)
        target = SAMPLES / descriptor.version.name / name
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir(parents=True)
        for path in folder.glob(descriptor.file_name("*")):
            shutil.copy(path, target)
        lines = [json.dumps(partition) for partition in inspector.dump(folder / descriptor.file_name(DATA))]
        (target / "dump.json").write_text("\n".join(lines) + "\n")
    run(f"DROP KEYSPACE {KEYSPACE}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--oracle", type=Address.parse, required=True)
    parser.add_argument("--node", type=int, default=1)
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory() as classes,
        connect(given.oracle.host, given.oracle.port, 5, timeout_s=120) as connection,
    ):
        inspector = Inspector(given.node, Path(classes))
        try:
            record(connection, inspector, HOME / f"node{given.node}" / "data")
        finally:
            inspector.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
