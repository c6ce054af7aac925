"""A start on the folder of a Cassandra that was not drained: its commit log is replayed, and goes.

The folders are made by a node of ours that was drained, so that the tables and the host id are in SSTables, and segments of
Cassandra's beside them, whose mutations are those that another node captured. compat-tests/test_takeover.py does it with a
real one.
"""

import errno
import json
from collections import Counter
from pathlib import Path
from zlib import crc32

import pytest
from cdc_machine import KEYSPACE, CdcMachine

from cqlserver.program.cdc_settings import CdcSettings
from cqlserver.program.server import StartupError
from storage.cdc.format import section, segment_header, segment_name
from storage.cdc.mutations import UpdateEncoder, encode_mutation
from storage.cdc.reading import MutationDecoder, UnknownTable
from storage.commitlog.format import POSITION_SHIFT
from storage.sstable.constants import DAMAGE

COMMIT_LOG = "/data/commitlog"
ID = "WITH id = 5a1bc9e0-7fff-11ee-8000-000000000001"
TABLES = (
    KEYSPACE,
    f"CREATE TABLE ks.t (k int, c int, s int static, v text, m map<text, int>, PRIMARY KEY (k, c)) {ID}",
    f"CREATE TABLE ks.n (k int PRIMARY KEY, n counter) {ID[:-1]}2",
    "CREATE INDEX ON ks.t (v)",
)
WRITES = (
    "INSERT INTO ks.t (k, c, s, v, m) VALUES (1, 1, 7, 'one', {'a': 1})",
    "INSERT INTO ks.t (k, c, v) VALUES (1, 2, 'two') USING TTL 100000",
    "INSERT INTO ks.t (k, c, v) VALUES (1, 3, 'gone')",
    "INSERT INTO ks.t (k, c, v) VALUES (2, 1, 'gone')",
    "DELETE FROM ks.t WHERE k = 1 AND c > 2 AND c < 9",
    "DELETE FROM ks.t WHERE k = 2",
    "UPDATE ks.t SET m['b'] = 2 WHERE k = 1 AND c = 1",
    "UPDATE ks.n SET n = n + 5 WHERE k = 1",
    "UPDATE ks.n SET n = n - 2 WHERE k = 1",
)
ASKED = ("SELECT * FROM ks.t", "SELECT * FROM ks.n", "SELECT k, c FROM ks.t WHERE v = 'two'")


def captured(*writes: str) -> list[bytes]:
    """The mutations that a node makes of statements."""
    machine = CdcMachine()
    machine.do(*TABLES, *(f"ALTER TABLE ks.{name} WITH cdc = true" for name in "tn"), *writes)
    return machine.mutations()


def wanted(*writes: str) -> list[object]:
    machine = CdcMachine()
    machine.do(*TABLES, *writes)
    return [machine.rows(query) for query in ASKED]


def drained(*writes: str) -> CdcMachine:
    """A machine that stands still: all that it has is in SSTables."""
    machine = CdcMachine(CdcSettings())
    machine.do(*TABLES, *writes)
    machine.node.engine.background.finish()
    machine.node.engine.drain()
    machine.stop()
    return machine


def put(machine: CdcMachine, segment_id: int, *groups: list[bytes], tail: bytes = bytes(1000)) -> str:
    """A segment of Cassandra's: its path."""
    data = segment_header(7, segment_id)
    for group in groups:
        data += section(segment_id, len(data), group)
    path = f"{COMMIT_LOG}/{segment_name(7, segment_id)}"
    machine.disk.write_file_atomically(path, data + tail)
    return path


def foreign(machine: CdcMachine) -> list[str]:
    return [name for name in machine.disk.list(COMMIT_LOG) if name.startswith("CommitLog-7")]


def test_what_is_in_no_sstable_is_replayed_and_the_log_goes() -> None:
    machine = drained()
    mutations = captured(*WRITES)
    put(machine, 1000, mutations[:4], mutations[4:6])
    put(machine, 1001, mutations[6:])
    put(machine, 1002)
    machine.start()
    machine.node.engine.background.finish()
    found = [machine.rows(query) for query in ASKED]
    assert found == wanted(*WRITES)
    assert all(found)
    assert foreign(machine) == []
    machine.do("UPDATE ks.n SET n = n + 1 WHERE k = 1")
    machine.stop()
    machine.start()
    assert machine.rows("SELECT n FROM ks.n") == [((4).to_bytes(8, "big"),)]
    assert machine.rows(ASKED[0]) == found[0]


def test_what_sstables_have_is_left_out() -> None:
    """Even though it would do no harm but for what was deleted since, and forgotten."""
    machine = drained(f"INSERT INTO ks.t (k, c, v) VALUES (5, 5, '{'flushed' * 100}')")
    machine.start()
    table = machine.node.schema.maybe_table("ks", "t")
    assert table is not None
    (interval,) = machine.node.engine.files.log_intervals()[table.id]
    (segment_id, begin), (until_id, end) = (divmod(position, 1 << POSITION_SHIFT) for position in interval)
    assert segment_id == until_id
    machine.stop()
    covered, later = captured(*(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, 1, 'again')" for k in (5, 6)))
    (other,) = captured("UPDATE ks.n SET n = n + 1 WHERE k = 1")
    others = [[other]] * (begin // len(section(segment_id, 0, [other])) + 1)
    put(machine, segment_id, *others, [covered])
    at = len(segment_header(7, segment_id)) + sum(len(section(segment_id, 0, group)) for group in others)
    assert begin < at < at + len(section(segment_id, at, [covered])) <= end
    put(machine, segment_id + 10**9, [later])
    machine.start()
    assert [row[0] for row in machine.rows("SELECT k FROM ks.t")] == [(5).to_bytes(4, "big"), (6).to_bytes(4, "big")]
    assert machine.rows("SELECT c FROM ks.t WHERE k = 5") == [((5).to_bytes(4, "big"),)]


def test_a_large_log_does_not_fill_the_memory() -> None:
    machine = drained()
    mutations = captured(*(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, 1, '{'x' * 400}')" for k in range(3_000)))
    put(machine, 1000, mutations)
    machine.memtable_bytes = 500_000
    machine.start()
    table = machine.node.schema.maybe_table("ks", "t")
    assert table is not None
    assert len(machine.node.engine.files.readers_of(table.id)) > 1
    assert len(machine.rows("SELECT k FROM ks.t")) == 3_000
    assert foreign(machine) == []


def test_what_was_truncated_is_left_out() -> None:
    machine = drained("TRUNCATE ks.t")
    before, later = captured(*(f"INSERT INTO ks.t (k, c, v) VALUES ({k}, 1, 'x')" for k in (5, 6)))
    put(machine, 1000, [before])
    put(machine, 10**15, [later])
    machine.start()
    assert machine.rows("SELECT k FROM ks.t") == [((6).to_bytes(4, "big"),)]


def test_a_mutation_of_a_table_that_is_not_there_is_skipped() -> None:
    machine = drained()
    other = CdcMachine()
    other.do(KEYSPACE, "CREATE TABLE ks.other (k int PRIMARY KEY) WITH cdc = true", "INSERT INTO ks.other (k) VALUES (1)")
    put(machine, 1000, [*other.mutations(), *captured(*WRITES)])
    machine.start()
    machine.node.engine.background.finish()
    assert [machine.rows(query) for query in ASKED] == wanted(*WRITES)


def test_damage_refuses_the_start_but_at_the_end() -> None:
    machine = drained()
    mutations = captured(*WRITES)
    path = put(machine, 1000, mutations[:4], mutations[4:])
    machine.disk.damage(path, 400, 1)
    last = put(machine, 1001, mutations[:1])
    with pytest.raises(StartupError, match=f"{path}, a segment of Apache Cassandra's commit log, can't be replayed: it is"):
        machine.start()
    assert len(foreign(machine)) == 2
    machine.disk.unlink(last)
    put(machine, 1002)  # one that stood ready
    machine.start()
    assert foreign(machine) == []
    assert len(machine.rows("SELECT k FROM ks.t")) > 0


def test_a_compressed_log_is_refused() -> None:
    machine = drained()
    path = f"{COMMIT_LOG}/{segment_name(7, 1000)}"
    data = bytes.fromhex("00000007 00000000000003e8".replace(" ", ""))
    parameters = b'{"compressionClass":"LZ4Compressor","compressionParameters":{}}'
    summed = data[:4] + data[8:12] + data[4:8] + len(parameters).to_bytes(4, "big")
    data += len(parameters).to_bytes(2, "big") + parameters + crc32(parameters, crc32(summed)).to_bytes(4, "big")
    machine.disk.write_file_atomically(path, data)
    with pytest.raises(StartupError, match="it is compressed or encrypted, which is not read here"):
        machine.start()


def test_without_sstables_it_could_be_anybodys() -> None:
    machine = CdcMachine(CdcSettings())
    machine.do(KEYSPACE)
    machine.stop()
    put(machine, 1000, captured(*WRITES))
    with pytest.raises(StartupError, match="run nodetool drain there first"):
        machine.start()


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["open", "write", "sync", "sync_folder", "unlink", "read"])
def test_a_crash_at_any_operation_loses_nothing(operation: str) -> None:
    mutations, states = captured(*WRITES), wanted(*WRITES)

    def prepared() -> CdcMachine:
        machine = drained()
        put(machine, 1000, mutations[:4])
        put(machine, 1001, mutations[4:])
        return machine

    unasked = prepared()
    before = Counter(unasked.disk.calls)
    unasked.start()
    count = (unasked.disk.calls - before)[operation]
    assert count
    for number, after in enumerate(range(0, count, max(count // 12, 1))):
        machine = prepared()
        machine.disk.fail(operation, after, errno.ENOSPC if number % 2 else errno.EIO)
        with pytest.raises(Exception):  # noqa: B017 - whatever: the machine stops
            machine.start()
        machine.crash(("none", "names", "half")[number % 3])
        machine.start()
        machine.node.engine.background.finish()
        assert [machine.rows(query) for query in ASKED] == states, after
        assert foreign(machine) == []


# -- mutations read ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [7, 8])
def test_cassandras_mutations_are_read_and_written_again(version: int) -> None:
    samples = json.loads((Path(__file__).parent / "data" / f"cdc-{version}.json").read_text())
    machine = CdcMachine(compatibility_mode="CASSANDRA_4" if version == 7 else "NONE")
    machine.do(KEYSPACE.replace(" ks ", " cdcsamples "), *samples["tables"])
    tables = {table_id: store.table for table_id, store in machine.node.engine.stores.items()}
    decoder, differing = MutationDecoder(tables.get), 0
    for text in samples["mutations"]:
        raw = bytes.fromhex(text)
        updates = decoder.decode(raw)
        again = encode_mutation([UpdateEncoder(tables[u.table_id], version == 8).encode(u) for u in updates])
        differing += again != raw
        for size in range(len(raw)):
            with pytest.raises(DAMAGE):
                decoder.decode(raw[:size])
    assert differing == 1  # of one that deletes rows of its own, which are only counted there


def test_a_mutation_of_an_unknown_table() -> None:
    (mutation,) = captured(WRITES[0])
    with pytest.raises(UnknownTable):
        MutationDecoder(lambda table_id: None).decode(mutation)
