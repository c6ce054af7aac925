"""Records what a Cassandra writes to cdc_raw, for tests that need no Cassandra.

    python compat-tests/cdc/record_samples.py --oracle 127.0.0.7:9142 --folder .../cdc_raw

It needs one with `cdc_enabled: true`; `storage_compatibility_mode` says which version its segments have. The file
tests/cqlserver/data/cdc-VERSION.json gets the statements, the mutations that they made, and the first bytes of a segment.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from uuid import UUID

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "compat-tests"), str(ROOT)]

from cdc.statements import BEGIN_US, EQUAL, KEYSPACE, NOW_S, TABLES, create, table_id  # noqa: E402
from protocol.client import Connection, connect  # noqa: E402
from protocol.requests import QueryOptions  # noqa: E402
from protocol.responses import Error  # noqa: E402
from storage.cdc.format import read_segment  # noqa: E402

SAMPLES = ROOT / "tests" / "cqlserver" / "data"
IDS = {UUID(table_id(name)).bytes for name in TABLES}


def ask(connection: Connection, statement: str, options: QueryOptions | None = None) -> None:
    response = connection.query(statement, options).response
    if isinstance(response, Error):
        raise SystemExit(f"{statement}: {response.error}")


def found(folder: Path) -> list[bytes]:
    """The mutations of the sample tables in all segments, oldest first. That the newest are durable may take a while."""
    segments = [read_segment(path.read_bytes()) for path in sorted(folder.glob("CommitLog-*.log"))]
    return [m for segment in segments for m in segment.mutations if m[1:17] in IDS]


def run(connection: Connection, folder: Path) -> list[bytes]:
    """Makes the tables anew, sends the statements; what they make in cdc_raw."""
    ask(connection, f"DROP KEYSPACE IF EXISTS {KEYSPACE}")
    replication = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
    ask(connection, f"CREATE KEYSPACE {KEYSPACE} WITH replication = {replication}")
    for name in TABLES:
        ask(connection, create(name, table_id(name)))
    ask(connection, f"USE {KEYSPACE}")
    before = len(found(folder))
    for number, statement in enumerate(EQUAL):
        ask(connection, statement, QueryOptions(timestamp_us=BEGIN_US + 1000 * number, now_s=NOW_S))
    deadline = time.monotonic() + 30
    count, since = 0, time.monotonic()
    while time.monotonic() < deadline:
        made = len(found(folder)) - before
        if made != count:
            count, since = made, time.monotonic()
        elif made and time.monotonic() - since > 12:  # commitlog_sync_period
            break
        time.sleep(0.2)
    return found(folder)[before:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oracle", required=True, metavar="HOST:PORT")
    parser.add_argument("--folder", required=True, type=Path, metavar="CDC_RAW")
    arguments = parser.parse_args()
    host, _, port = arguments.oracle.partition(":")
    connection = connect(host, int(port), version=5)
    mutations = run(connection, arguments.folder)
    newest = max(arguments.folder.glob("CommitLog-*.log"))
    contents = read_segment(newest.read_bytes())
    samples = {
        "tables": [create(name, table_id(name)) for name in TABLES],
        "statements": [[text, BEGIN_US + 1000 * number, NOW_S] for number, text in enumerate(EQUAL)],
        "mutations": [mutation.hex() for mutation in mutations],
        "segment": {"name": newest.name, "begin": newest.read_bytes()[: contents.start + 8].hex()},
    }
    path = SAMPLES / f"cdc-{contents.version}.json"
    path.write_text(json.dumps(samples, indent=1) + "\n")
    print(f"{len(mutations)} mutations of {len(EQUAL)} statements in {path}")


if __name__ == "__main__":
    main()
