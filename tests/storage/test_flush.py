"""Flushes: what was written is read from SSTables, after a start and a crash at any step too; what was deleted stays so."""

from collections.abc import Iterable
from dataclasses import replace
from types import MappingProxyType
from uuid import UUID

import pytest
from test_engine import Harness, full_row, table

from protocol.errors import CorruptionError
from protocol.types import INT, TEXT, MapType, UserType
from storage.background import Lane, TaskState
from storage.commitlog.log import CommitLogOptions
from storage.engine import EngineOptions
from storage.environment.memory import FaultyDisk
from storage.files import log_holders
from storage.files.tables import RETRY_S
from storage.mutation import Deletion, PartitionUpdate
from storage.schema.definitions import schema_tables
from storage.schema.loading import load_schema
from storage.schema.metadata import (
    ColumnKind,
    ColumnMetadata,
    DroppedColumn,
    KeyspaceMetadata,
    KeyspaceParams,
    TableMetadata,
)
from storage.stored_values import stored_values

SWITCHED_OFF = {"class": "SizeTieredCompactionStrategy", "enabled": "false"}
FOLDER = f"/d/data/ks/t-{table().id.hex}"


@pytest.fixture
def node() -> Harness:
    return Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096)))


def flush(node: Harness) -> None:
    tasks = node.engine.flush()
    node.engine.background.finish()
    assert all(task.error is None for task in tasks), [task.error for task in tasks]


def data_files(node: Harness, folder: str = FOLDER) -> list[str]:
    return [name for name in node.disk.list(folder) if name.endswith("-Data.db")]


def fill(node: Harness, made: TableMetadata, first: int, count: int) -> list[tuple[int, int, str]]:
    for k in range(first, first + count):
        node.insert(made, k, 1, f"text {k}" * 5)
    assert node.engine.commit_log is not None
    node.engine.commit_log.write()
    return [(k, 1, f"text {k}" * 5) for k in range(first, first + count)]


def test_flushed_rows_are_read_and_come_back_without_the_log(node: Harness) -> None:
    made = table()
    node.create(made)
    expected = fill(node, made, 0, 100)
    flush(node)
    assert len(node.engine.stores[made.id].memtable) == 0
    assert len(data_files(node)) == 1
    assert node.rows(made) == expected
    expected += fill(node, made, 100, 50)
    node.insert(made, 3, 1, "newer")
    expected[3] = (3, 1, "newer")
    assert node.rows(made) == expected
    store = node.engine.stores[made.id]
    found = store.row_at(INT.encode(3), INT.order_key(INT.encode(1)), 0)
    assert isinstance(found, bytes)
    assert found.endswith(b"newer")
    node.kill()
    assert node.rows(made) == expected
    node.engine.drain()
    assert not [name for name in node.disk.list("/d/commitlog") if name.endswith(".log")]
    node.kill()
    assert node.rows(made) == expected
    assert node.engine.schema.maybe_table("ks", "t") == made


def test_segments_are_freed_when_everything_in_them_is_flushed(node: Harness) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 200)
    before = len(node.disk.list("/d/commitlog"))
    node.engine.commit_log.sync()  # type: ignore[union-attr]
    flush(node)
    assert before > 4
    assert len(node.disk.list("/d/commitlog")) == 2  # the newest, and what was freed
    expected = fill(node, made, 0, 200)
    replayed = node.kill()
    assert node.rows(made) == expected
    del replayed


def test_only_what_no_sstable_has_is_replayed(node: Harness) -> None:
    made, other = table(), table("u", 2)
    node.create(made, other)
    fill(node, made, 0, 20)
    node.insert(other, 1, 1, "stays in the log")
    node.engine.commit_log.write()  # type: ignore[union-attr]
    node.engine.flush([made.id])
    node.engine.background.finish()
    node.insert(made, 100, 1, "behind")
    node.kill()
    assert len(node.engine.stores[made.id].memtable) == 1
    assert len(node.engine.stores[other.id].memtable) == 1
    assert len(node.rows(made)) == 21


@pytest.mark.parametrize("is_restarted", [False, True])
def test_a_table_that_is_altered_holds_the_log_that_it_held(node: Harness, is_restarted: bool) -> None:
    """It had no SSTable: from then on it held the log from the ALTER on, and the rows from before were lost at a kill -9."""
    made, other = table(), table("u", 2)
    node.create(made, other)
    node.insert(other, 1, 1, "in the log alone")
    expected = fill(node, made, 0, 20)
    node.engine.flush([made.id])
    node.engine.background.finish()
    if is_restarted:
        node.kill()
    expected += fill(node, made, 20, 100)
    node.create(replace(other, params=replace(other.params, comment="altered")))
    expected += fill(node, made, 120, 100)
    node.engine.commit_log.sync()  # type: ignore[union-attr]
    schema_ids = [each.id for each in schema_tables().values()]
    node.engine.flush([made.id, *schema_ids])
    node.engine.background.finish()
    node.kill()
    assert node.rows(other) == [(1, 1, "in the log alone")]
    assert node.rows(made) == expected


def test_deletions_cover_what_was_flushed(node: Harness) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 10)
    flush(node)
    now_us = node.clock.wall_us()
    node.engine.apply(PartitionUpdate(made.id, INT.encode(4), Deletion(now_us, now_us // 1_000_000)))
    for _ in range(2):
        assert [k for k, _, _ in node.rows(made)] == [0, 1, 2, 3, 5, 6, 7, 8, 9]
        assert node.engine.stores[made.id].row_at(INT.encode(4), INT.order_key(INT.encode(1)), 0) is None
        flush(node)
    node.kill()
    assert len(node.rows(made)) == 9


@pytest.mark.parametrize("flushed_between", [False, True])
def test_a_truncated_table_stays_empty(node: Harness, flushed_between: bool) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 10)
    flush(node)
    node.engine.truncate(made, node.clock.wall_us())
    node.insert(made, 77, 1, "in the same section of the log")
    if flushed_between:
        flush(node)
    expected = [(77, 1, "in the same section of the log")]
    assert node.rows(made) == expected
    node.kill()
    assert node.rows(made) == expected
    node.engine.background.finish()
    node.kill()
    assert node.rows(made) == expected
    assert len(data_files(node)) == int(flushed_between)


def test_a_truncation_that_is_all_that_the_log_has_takes_the_files(node: Harness) -> None:
    """The log was empty, so it stood at 0: after a kill -9 the SSTables looked as if they came later."""
    made = table()
    node.create(made)
    fill(node, made, 0, 10)
    node.engine.drain()
    node.kill()
    node.engine.truncate(made, node.clock.wall_us())
    node.kill()
    assert node.rows(made) == []
    assert not data_files(node)


def test_a_dropped_table_takes_its_files_and_one_with_its_id_is_empty(node: Harness) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 10)
    flush(node)
    node.change(node.engine.schema.without_keyspace("ks"))
    node.create(made)
    node.insert(made, 5, 1, "new")
    for _ in range(3):
        assert node.rows(made) == [(5, 1, "new")]
        flush(node)
        node.kill()


def test_a_dropped_column_is_not_flushed_and_hidden_where_it_was(node: Harness) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 3)
    flush(node)
    fill(node, made, 3, 3)
    dropped = {"v": DroppedColumn("v", made.columns[-1].type, node.clock.wall_us())}
    node.create(replace(made, dropped_columns=dropped))
    for _ in range(3):
        assert node.rows(made) == [(k, 1, "") for k in range(6)]
        flush(node)
        node.kill()
    node.engine.drain()
    node.kill()
    assert node.rows(made) == [(k, 1, "") for k in range(6)]


@pytest.mark.parametrize("is_compacted", [False, True])
def test_an_sstable_may_have_columns_that_only_the_log_makes(
    node: Harness, is_compacted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A column was added, the table was flushed or compacted, the schema's own tables were not: after a kill -9 the table
    could not be read any more."""
    made = table()
    node.create(made)
    fill(node, made, 0, 3)
    flush(node)
    added = ColumnMetadata("w", ColumnKind.REGULAR, INT)
    node.create(replace(made, columns=(*made.columns, added)))
    fill(node, made, 3, 3)
    node.engine.flush([made.id])
    node.engine.background.finish()
    if is_compacted:
        node.engine.compact([made.id])
        node.engine.background.finish()
    for _ in range(2):
        node.kill()
        assert [k for k, _, _ in node.rows(made)] == list(range(6))
        assert len(node.engine.stores[made.id].memtable) == 0, "what the SSTable has is not replayed"
    assert not caplog.text


@pytest.mark.parametrize("is_compacted", [False, True])
def test_a_power_cut_leaves_no_sstable_with_columns_that_it_took_from_the_log(node: Harness, is_compacted: bool) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 3)
    flush(node)
    assert node.engine.commit_log is not None
    node.engine.commit_log.sync()
    added = ColumnMetadata("w", ColumnKind.REGULAR, INT)
    node.create(replace(made, columns=(*made.columns, added)))
    node.engine.commit_log.write()
    if is_compacted:
        node.engine.compact([made.id])
    else:
        fill(node, made, 3, 3)
        node.engine.flush([made.id])
    node.engine.background.finish()
    node.disk.crash()  # nothing that was not synced survives
    node.start()
    assert [k for k, _, _ in node.rows(made)][:3] == [0, 1, 2]


def test_a_crash_while_the_programs_own_tables_are_flushed_takes_none_of_them() -> None:
    """Their keyspace was there, their tables were not: what system_schema says of them is not in the log."""
    own = KeyspaceMetadata("own", KeyspaceParams({"class": "SimpleStrategy", "replication_factor": "1"}))
    built_in = own.with_table(table("kept", 9, "own"))
    replication = MapType(TEXT, TEXT, True).encode({"class": "SimpleStrategy", "replication_factor": "1"})
    row = {"keyspace_name": b"own", "durable_writes": b"\1", "replication": replication}
    loaded = load_schema(lambda name: [row] if name == "keyspaces" else [], (built_in,))
    assert loaded.maybe_table("own", "kept") == built_in.tables["kept"]


def test_an_sstable_with_columns_that_nothing_makes_is_told(node: Harness, caplog: pytest.LogCaptureFixture) -> None:
    made, other = table(), table("u", 2)
    node.create(made, other)
    fill(node, made, 0, 3)
    node.insert(other, 1, 1, "x")
    flush(node)
    node.engine.drain()
    node.engine.close()
    columns = (*made.columns[:-1], replace(made.columns[-1], name="renamed"))
    node.start()
    schema = node.engine.schema
    node.change(schema.with_keyspace(schema.keyspaces["ks"].with_table(replace(made, columns=columns))))
    assert "Unknown column v during deserialization; reads of ks.t fail" in caplog.text
    with pytest.raises(CorruptionError, match="Unknown column v"):
        node.rows(made)
    assert len(node.rows(other)) == 1


def flushed_part(node: Harness, tables: Iterable[UUID]) -> None:
    node.engine.flush(tables)
    node.engine.background.finish()


@pytest.mark.parametrize("name", list(schema_tables()))
@pytest.mark.parametrize("is_other_way", [False, True])
def test_a_crash_may_come_between_the_flushes_of_the_schemas_tables(node: Harness, name: str, is_other_way: bool) -> None:
    """What their SSTables say is a schema only together with the log: types were missing, and the server did not start."""
    user_type = UserType("ks", "u", ("a",), (INT,), False)
    made = table()
    node.create(made)
    keyspace = node.engine.schema.keyspaces["ks"].with_type(user_type)
    typed = replace(table("u", 2), columns=(*made.columns, ColumnMetadata("w", ColumnKind.REGULAR, user_type)))
    node.change(node.engine.schema.with_keyspace(keyspace.with_table(typed)))
    node.insert(made, 1, 1, "x")
    schema = node.engine.schema
    ids = [each.id for each in schema_tables().values()]
    of_name = schema_tables()[name].id
    flushed_part(node, [each for each in ids if (each == of_name) is not is_other_way])
    for _ in range(2):
        node.kill()
        assert node.engine.schema.version == schema.version
        assert node.rows(made) == [(1, 1, "x")]
    # and what is dropped, and made again with other columns
    flush(node)
    keyspace = node.engine.schema.keyspaces["ks"].without_table("u").without_type("u")
    node.change(node.engine.schema.with_keyspace(keyspace))
    node.insert(made, 2, 2, "old")
    node.change(node.engine.schema.with_keyspace(keyspace.without_table("t")))
    columns = (ColumnMetadata("k", ColumnKind.PARTITION_KEY, INT, 0), ColumnMetadata("v", ColumnKind.REGULAR, TEXT))
    again = replace(made, columns=columns)
    node.create(again)
    schema = node.engine.schema
    flushed_part(node, [each for each in ids if (each == of_name) is not is_other_way])
    for _ in range(2):
        node.kill()
        assert node.engine.schema.version == schema.version
        assert list(stored_values(node.engine.stores[again.id], 0)) == []
        flush(node)


def test_tables_that_were_dropped_leave_no_files_behind(node: Harness) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 5)
    flush(node)
    assert data_files(node)
    node.change(node.engine.schema.without_keyspace("ks"))
    node.kill()  # before the files were removed
    assert not data_files(node)


def test_a_full_disk_during_a_flush_loses_nothing(node: Harness) -> None:
    made = table()
    node.create(made)
    expected = fill(node, made, 0, 50)
    node.disk.free_bytes = 300
    tasks = node.engine.flush([made.id])
    node.engine.background.finish()
    assert tasks[0].error is not None
    assert node.rows(made) == expected
    node.disk.heal()
    expected += fill(node, made, 50, 5)
    flush(node)
    assert node.rows(made) == expected
    node.kill()
    assert node.rows(made) == expected


def test_a_keyspace_without_a_log_is_flushed_at_the_end(node: Harness) -> None:
    made = table()
    node.create(made, durable=False)
    node.insert(made, 1, 1, "kept")
    node.engine.close()
    node.start()
    assert node.rows(made) == [(1, 1, "kept")]


def test_what_is_too_large_is_flushed_by_itself() -> None:
    node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096), memtable_bytes=20_000))
    made = table()
    node.create(made)
    fill(node, made, 0, 20)
    node.engine.tick()
    assert node.engine.maybe_files is None
    fill(node, made, 20, 200)
    node.engine.tick()
    node.engine.background.finish()
    assert len(data_files(node)) == 1
    assert len(node.rows(made)) == 220


OPERATIONS = ("open", "write", "sync", "sync_folder", "unlink", "rename")


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("names_kept", [False, True])
def test_a_crash_at_any_step_of_a_flush_loses_nothing(operation: str, names_kept: bool) -> None:
    """The machine stops at the nth operation of its kind, for all n; what was not synced is lost."""
    crashes = 0
    for after in range(200):
        node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096)))
        made = table()
        node.create(made)
        expected = fill(node, made, 0, 12)
        flush(node)
        expected += fill(node, made, 12, 12)
        now_us = node.clock.wall_us()
        node.engine.apply(PartitionUpdate(made.id, INT.encode(0), Deletion(now_us, now_us // 1_000_000)))
        node.engine.apply(full_row(node.clock, made, 1, 1, "expiring"))
        expected[1] = (1, 1, "expiring")
        del expected[0]
        node.engine.commit_log.write()  # type: ignore[union-attr]
        node.engine.commit_log.sync()  # type: ignore[union-attr]
        disk = node.disk
        assert isinstance(disk, FaultyDisk)
        disk.fail(operation, after)
        try:
            tasks = node.engine.flush()
            node.engine.background.finish()
            node.engine.drain()
            failed = any(task.error for task in tasks)
        except Exception:  # noqa: BLE001  whatever: the machine stops
            failed = True
        disk.heal()
        disk.crash(names_kept=names_kept)
        node.start()
        assert node.rows(made) == expected, (operation, after)
        flush(node)
        node.kill()
        assert node.rows(made) == expected, (operation, after)
        if not failed:
            break
        crashes += 1
    assert crashes >= {"unlink": 2, "rename": 0}.get(operation, 4)


def written_to_be_flushed_by_itself() -> tuple[Harness, TableMetadata, TableMetadata, list[tuple[int, int, str]]]:
    """A large memtable, and small ones that hold the log from before: of the schema, and of a table with one row."""
    node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096), memtable_bytes=15_000))
    made, small = table(), table("u", 2)
    node.create(made, small)
    node.insert(small, 1, 1, "small")
    expected = fill(node, made, 0, 200)
    node.engine.commit_log.sync()  # type: ignore[union-attr]
    return node, made, small, expected


def test_small_memtables_are_flushed_with_a_large_one_and_a_start_reads_little(monkeypatch: pytest.MonkeyPatch) -> None:
    """They held each segment since the beginning, and a start after five million rows took twelve seconds."""
    monkeypatch.setattr(log_holders, "FLUSH_BYTES", 0)
    monkeypatch.setattr(log_holders, "FREED_BYTES_PER_BYTE", 1)
    node, made, small, expected = written_to_be_flushed_by_itself()
    segments = [name for name in node.disk.list("/d/commitlog") if name.endswith(".log")]
    node.engine.tick()
    node.engine.background.finish()
    assert len(data_files(node)) == 1
    assert len(node.engine.stores[small.id].memtable) == 0
    assert len(segments) > 5
    assert [name for name in node.disk.list("/d/commitlog") if name.endswith(".log")] == segments[-1:]
    node.engine.tick()
    assert node.engine.background.is_idle, "there is nothing that would free more"
    node.kill()
    assert node.rows(made) == expected
    assert node.rows(small) == [(1, 1, "small")]
    assert len(node.engine.stores[made.id].memtable) == 0


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("names_kept", [False, True])
def test_a_crash_at_any_step_of_what_is_flushed_by_itself_loses_nothing(
    operation: str, names_kept: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_holders, "FLUSH_BYTES", 0)
    monkeypatch.setattr(log_holders, "FREED_BYTES_PER_BYTE", 1)
    crashes = 0
    for after in range(400):
        node, made, small, expected = written_to_be_flushed_by_itself()
        node.disk.fail(operation, after)
        try:
            for _ in range(2):
                node.engine.tick()
                node.engine.background.finish()
            failed = any(task.error for task in node.engine.background.finished)
        except Exception:  # noqa: BLE001  whatever: the machine stops
            failed = True
        node.disk.heal()
        node.disk.crash(names_kept=names_kept)
        node.start()
        where = (operation, after)
        assert (node.rows(made), node.rows(small)) == (expected, [(1, 1, "small")]), where
        node.clock.advance(RETRY_S + 1)
        node.engine.tick()
        node.engine.background.finish()
        node.kill()
        assert (node.rows(made), node.rows(small)) == (expected, [(1, 1, "small")]), where
        if not failed:
            break
        crashes += 1
    assert crashes >= {"unlink": 4, "rename": 0}.get(operation, 8)


@pytest.mark.parametrize("version", ["nb", "oa", "da"])
def test_the_version_that_is_wanted_is_written_and_what_there_was_is_read(version: str) -> None:
    node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096), sstable_version=version))
    made = table()
    node.create(made)
    expected = fill(node, made, 0, 50)
    flush(node)
    (name,) = data_files(node)
    assert name.startswith(f"{version}-")
    node.options = EngineOptions("/d", CommitLogOptions(segment_bytes=4096))
    node.kill()
    assert node.rows(made) == expected
    expected += fill(node, made, 50, 5)
    flush(node)
    tasks = node.engine.compact([made.id])
    node.engine.background.finish()
    assert [task.error for task in tasks] == [None]
    assert [found[:3] for found in data_files(node)] == ["nb-"]
    assert node.rows(made) == expected


def test_a_memtable_is_flushed_when_its_period_is_over(node: Harness) -> None:
    made = table()
    node.create(replace(made, params=replace(made.params, memtable_flush_period_in_ms=5_000)))
    node.engine.tick()
    expected = fill(node, made, 0, 3)
    for seconds, files in ((0, 0), (4, 0), (2, 1), (100, 1)):
        node.clock.advance(seconds)
        node.engine.tick()
        node.engine.background.finish()
        assert len(data_files(node)) == files, seconds
    expected += fill(node, made, 3, 1)
    for seconds, files in ((0, 1), (4, 1), (2, 2)):
        node.clock.advance(seconds)
        node.engine.tick()
        node.engine.background.finish()
        assert len(data_files(node)) == files, seconds
    assert node.rows(made) == expected


def test_where_a_key_is_found_is_remembered(node: Harness) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 20)
    flush(node)
    store, keys = node.engine.stores[made.id], node.engine.files.caches.keys
    hits, misses = keys.hits, keys.misses

    def read(k: int) -> object:
        return store.row_at(INT.encode(k), INT.order_key(INT.encode(1)), 0)

    found = read(3)
    assert found is not None
    assert (keys.hits - hits, keys.misses - misses) == (0, 1)
    assert read(3) == found
    assert (keys.hits - hits, keys.misses - misses) == (1, 1)
    assert read(99_999) is None
    assert keys.misses - misses <= 2  # a bloom filter may err
    assert 0 < keys.size <= keys.capacity


@pytest.mark.parametrize("operation", ["open", "write", "sync", "sync_folder", "unlink"])
@pytest.mark.parametrize("is_dropped", [False, True])
def test_files_that_cant_be_removed_stay_without_effect(operation: str, is_dropped: bool) -> None:
    """The log was freed although they stayed, and the next start found them; and what was written under the name of one that
    stayed went with it."""
    for after in range(100):
        node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096)))
        made, other = table(), table("u", 2)
        node.create(made, other)
        for first in (0, 10):
            fill(node, made, first, 10)
            flush(node)
        if is_dropped:
            keyspace = node.engine.schema.keyspaces["ks"]
            node.change(node.engine.schema.with_keyspace(keyspace.without_table(made.name)))
            node.create(made)
        else:
            node.engine.truncate(made, node.clock.wall_us())
        log = node.engine.commit_log
        assert log is not None
        log.write()
        log.sync()
        node.disk.fail(operation, after)
        node.engine.background.finish()
        node.disk.heal()
        has_failed = node.engine.background.tallies[Lane.REMOVAL, TaskState.FAILED]
        expected = fill(node, made, 50, 3)
        kept = fill(node, other, 0, 100)
        log.sync()
        flush(node)
        assert (len(node.disk.list("/d/commitlog")) > 3) == bool(has_failed), "the log knows what does not count"
        is_retried = has_failed and after % 2
        if is_retried:
            node.clock.advance(RETRY_S + 1)
            node.engine.tick()
            node.engine.background.finish()
            node.engine.files.free_log()
            assert len(node.disk.list("/d/commitlog")) <= 3
        for _ in range(2):
            assert (node.rows(made), node.rows(other)) == (expected, kept)
            node.kill()
        assert (node.rows(made), node.rows(other)) == (expected, kept)
        node.engine.background.finish()
        assert len(data_files(node)) == 1
        if not has_failed:
            break
    assert after


def test_opening_many_sstables_takes_time_as_they_are_many_and_no_open_files() -> None:
    """The folder is listed once, not for each SSTable, and small files are not kept open."""
    made = table()
    counts = []
    for count in (10, 40):
        node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096)))
        node.create(replace(made, params=replace(made.params, compaction=MappingProxyType(SWITCHED_OFF))))
        for k in range(count):
            fill(node, made, k, 1)
            flush(node)
        assert len(data_files(node)) == count
        listed = 0

        def listing(folder: str, disk: FaultyDisk = node.disk) -> list[str]:
            nonlocal listed
            listed += folder == FOLDER
            return type(disk).list(disk, folder)

        node.disk.list = listing  # type: ignore[method-assign]
        node.kill()
        assert len(node.rows(made)) == count
        counts.append(listed)
    assert counts[0] == counts[1] < 10
