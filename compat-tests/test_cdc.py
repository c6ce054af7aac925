"""cdc_raw, read by Cassandra's own CommitLogReader, and over kill -9.

The first half needs Cassandra's jars and what starts it (CASSANDRA_ORACLE_HOME, CASSANDRA_ORACLE; see
sstables/inspector.py) and a JDK; no running Cassandra.
CRASH_SEED repeats the choices of a run (not its timing).
"""

import os
import random
import shutil
import struct
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from cdc.reader import LIBRARY, Table, read_with_cassandra
from cdc.statements import BEGIN_US, EQUAL, KEYSPACE, NOW_S, TABLES, UNEQUAL, create, table_id
from sstables.inspector import ORACLE
from sstables.pairs import OurNode
from sstables.random_tables import random_tables

import cqlserver
from cqlserver.program.cdc_settings import CdcSettings
from cqlserver.program.config import Config
from protocol.client import Connection, connect
from protocol.errors import PeerError
from protocol.requests import QueryOptions
from protocol.responses import Error, PreparedResult, RowsResult, VoidResult
from storage.cdc.format import index_name, is_completed, read_segment

pytestmark = pytest.mark.slow
REPLICATION = "{'class': 'SimpleStrategy', 'replication_factor': 1}"
IS_THERE = LIBRARY.is_dir() and ORACLE.is_file() and shutil.which("javac") is not None
MODES = {7: "CASSANDRA_4", 8: "NONE"}
HIDDEN_KEY = (7).to_bytes(4, "big")
"""Of the update that deletes rows of its own: they are counted there, but not by Cassandra that writes what it has read."""


@pytest.fixture(autouse=True)
def own_server(request: pytest.FixtureRequest) -> None:
    if request.config.getoption("--contact"):
        pytest.skip("needs a server of its own")


def ask(connection: Connection, statement: str, options: QueryOptions | None = None) -> None:
    response = connection.query(statement, options).response
    assert not isinstance(response, Error), (statement, response)


def segments_of(data: Path) -> dict[str, tuple[Path, list[bytes]]]:
    """By name; all of each is whole."""
    found = {}
    for path in sorted((data / "cdc_raw").glob("CommitLog-*.log")):
        contents = read_segment(path.read_bytes())
        assert contents.end == path.stat().st_size, path
        found[path.name] = path, contents.mutations
    return found


@pytest.mark.skipif(not IS_THERE, reason="needs Cassandra's jars, the program that starts it, and a JDK")
@pytest.mark.parametrize("version", MODES)
def test_cassandra_reads_every_mutation_and_would_have_written_it_so(version: int, tmp_path: Path) -> None:
    data, config = tmp_path / "data", tmp_path / "cassandra.yaml"
    config.write_text(f"cdc_enabled: true\ncommitlog_segment_size: 1MiB\nstorage_compatibility_mode: {MODES[version]}\n")
    with cqlserver.start(data=data, config=config) as server, connect(server.host, server.port, version=5) as connection:
        ask(connection, f"CREATE KEYSPACE {KEYSPACE} WITH replication = {REPLICATION}")
        for name in TABLES:
            ask(connection, create(name, table_id(name)))
        ask(connection, f"USE {KEYSPACE}")
        for number, statement in enumerate((*EQUAL, *UNEQUAL)):
            # a conditional write has a time of its own
            timestamp_us = None if " IF " in statement else BEGIN_US + number
            ask(connection, statement, QueryOptions(timestamp_us=timestamp_us, now_s=NOW_S))
        for number in range(1_000):
            ask(connection, f"INSERT INTO plain (k, c, v) VALUES ({number}, 1, '{'v' * 1500}')")
    ours = segments_of(data)
    assert len(ours) > 3
    tables = [Table(KEYSPACE, table_id(name), f"CREATE TABLE {KEYSPACE}.{name} {TABLES[name]}") for name in TABLES]
    theirs = read_with_cassandra(tmp_path / "java", tables, [path for path, _ in ours.values()], MODES[version])
    assert theirs.keys() == ours.keys()
    count = hidden = 0
    for name, (path, mutations) in ours.items():
        assert (path.parent / index_name(name)).read_bytes() == b"%d\nCOMPLETED" % path.stat().st_size
        assert len(theirs[name]) == len(mutations), name
        differing = [m for m, read in zip(mutations, theirs[name], strict=True) if read.rewritten != m]
        assert [m for m in differing if m[18:22] != HIDDEN_KEY] == [], name
        hidden += len(differing)
        count += len(mutations)
    assert count == 1_000 + 47 + len(UNEQUAL)
    assert hidden == 1
    texts = [text for found in theirs.values() for mutation in found for text in mutation.updates]
    assert any("v=two w=2" in text or ("v=two" in text and "w=2" in text) for text in texts), texts[:3]


@pytest.mark.skipif(not IS_THERE, reason="needs Cassandra's jars, the program that starts it, and a JDK")
def test_cassandra_reads_what_is_written_to_random_tables(tmp_path: Path) -> None:
    seed = os.environ.get("CRASH_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"CRASH_SEED={seed}")
    ours = OurNode(Config(data=tmp_path / "data", cdc=CdcSettings(enabled=True, total_mib=1024)))
    keyspace, tables, types = "random_tables", list[Table](), list[str]()
    assert not isinstance(ours.query(f"CREATE KEYSPACE {keyspace} WITH replication = {REPLICATION}"), Error)
    for table in random_tables(random.Random(seed), keyspace, 60, parts=1):
        for statement in (*table.create, *table.parts[0]):
            text = statement.text()
            ours.execute(statement)
            if text.startswith("CREATE TYPE"):
                types.append(text)
            elif text.startswith("CREATE TABLE"):
                assert not isinstance(ours.query(f"ALTER TABLE {keyspace}.{table.name} WITH cdc = true"), Error)
                found = ours.store(keyspace, table.name).table
                tables.append(Table(keyspace, str(found.id), " ".join(table.table.definition().split())))
            assert ours.node.commit_log is not None
            ours.node.commit_log.write()
    ours.node.engine.close()
    segments = segments_of(tmp_path / "data")
    schema = [Table(keyspace, "type", ";".join(types)), *tables]
    theirs = read_with_cassandra(tmp_path / "java", schema, [path for path, _ in segments.values()], MODES[7], texts=False)
    mutations = [mutation for _, each in segments.values() for mutation in each]
    read = [mutation.rewritten for each in theirs.values() for mutation in each]
    assert len(mutations) == len(read) > 2_000
    differing = [(a.hex(), b.hex()) for a, b in zip(mutations, read, strict=True) if a != b]
    # rows that an update of its own deletes are counted there, but not by whoever has read it
    assert len(differing) < len(mutations) // 20, (seed, differing[:3])
    assert [(a, b) for a, b in differing if len(a) != len(b)] == [], seed


# -- kill -9 ----------------------------------------------------------------------------------------------------------

SYNCS = {"periodic": "commitlog_sync: periodic\ncommitlog_sync_period: 50ms\n", "batch": "commitlog_sync: batch\n"}
KILLS = 15
WRITERS = 3
LOAD_S_MAX = 0.3


class Writer(threading.Thread):
    """Writes keys of its own until the server is gone."""

    def __init__(self, address: tuple[str, int], number: int, begin: int) -> None:
        super().__init__()
        self.number, self.sent = number, begin
        self.acknowledged: set[tuple[int, int]] = set()
        self._connection = connect(*address, timeout_s=20)
        prepared = self._connection.prepare("INSERT INTO ks.t (w, k, v) VALUES (?, ?, ?)").response
        assert isinstance(prepared, PreparedResult)
        self._prepared = prepared

    def run(self) -> None:
        try:
            while True:
                self.sent += 1
                values = struct.pack(">i", self.number), struct.pack(">i", self.sent), b"x" * 500
                if isinstance(self._connection.execute(self._prepared, values).response, VoidResult):
                    self.acknowledged.add((self.number, self.sent))
        except (PeerError, OSError):
            self._connection.close()


@pytest.mark.parametrize("sync", SYNCS)
def test_what_was_acknowledged_is_captured_once_over_kills(sync: str, tmp_path: Path) -> None:
    seed = os.environ.get("CRASH_SEED") or str(random.SystemRandom().getrandbits(32))
    print(f"CRASH_SEED={seed}")
    rng = random.Random(f"{seed} {sync}")
    data, config = tmp_path / "data", tmp_path / "cassandra.yaml"
    config.write_text(f"{SYNCS[sync]}cdc_enabled: true\ncommitlog_segment_size: 1MiB\n")
    acknowledged: set[tuple[int, int]] = set()
    sent = dict.fromkeys(range(WRITERS), 0)
    for kill in range(KILLS + 1):
        with cqlserver.start(data=data, config=config) as server:
            with connect(server.host, server.port, timeout_s=20) as connection:
                if not kill:
                    ask(connection, f"CREATE KEYSPACE ks WITH replication = {REPLICATION}")
                    ask(connection, "CREATE TABLE ks.t (w int, k int, v blob, PRIMARY KEY (w, k)) WITH cdc = true")
                else:
                    _compare(data, connection, acknowledged, f"CRASH_SEED={seed} {sync}, kill {kill}")
            if kill == KILLS:
                break
            writers = [Writer((server.host, server.port), number, sent[number]) for number in range(WRITERS)]
            for writer in writers:
                writer.start()
            time.sleep(rng.random() * LOAD_S_MAX)
            server.kill()
            for writer in writers:
                writer.join()
                acknowledged |= writer.acknowledged
                sent[writer.number] = writer.sent
    print(f"{sync}: {KILLS} kills, {len(acknowledged)} acknowledged")
    assert len(acknowledged) > 20 * KILLS


def _compare(data: Path, connection: Connection, acknowledged: set[tuple[int, int]], where: str) -> None:
    segments = segments_of(data)
    for name, (path, _) in segments.items():
        assert is_completed((path.parent / index_name(name)).read_bytes()), (where, name)
    captured = Counter(_key(mutation) for _, mutations in segments.values() for mutation in mutations)
    response = connection.query("SELECT w, k FROM ks.t").response
    assert isinstance(response, RowsResult), where
    stored = {(int.from_bytes(w or b"", "big"), int.from_bytes(k or b"", "big")) for w, k in response.rows()}
    assert captured == Counter(stored), where
    assert acknowledged <= captured.keys(), (where, sorted(acknowledged - captured.keys())[:5])


def _key(mutation: bytes) -> tuple[int, int]:
    """(w, k) of an INSERT: the partition key behind the table's id, the clustering before the row's timestamp."""
    assert mutation[17] == 4, mutation.hex()
    at = mutation.index(b"\x01\x01v\x01\x24\x00") + 6
    return int.from_bytes(mutation[18:22], "big"), int.from_bytes(mutation[at : at + 4], "big")
