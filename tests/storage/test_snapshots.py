"""Snapshots: links to what a table has, that stay when it goes; whole or not there after a crash at any step."""

import contextlib
import errno
import json
from dataclasses import replace

import pytest
from test_engine import Harness, table
from test_flush import FOLDER, data_files, fill, flush

from storage.commitlog.log import CommitLogOptions
from storage.commitlog.table_records import WantedSnapshot
from storage.engine import EngineOptions
from storage.environment.memory import FaultyDisk
from storage.memtable.packed import Layouts
from storage.schema.metadata import DroppedColumn, TableMetadata
from storage.schema.tables import schema_mutations
from storage.sstable.caches import Caches
from storage.sstable.constants import DATA
from storage.sstable.descriptor import descriptors
from storage.sstable.reader import SSTableReader

NOW_MS = 1_795_803_467_220
OPERATIONS = ("open", "write", "sync", "sync_folder", "unlink", "link", "rename", "remove_folder")


@pytest.fixture
def node() -> Harness:
    return Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096)))


def take(node: Harness, made: TableMetadata, name: str = "one") -> str:
    node.engine.files.take_snapshot(node.engine.stores[made.id], name, "CREATE TABLE ...\n", NOW_MS, None)
    return f"{FOLDER}/snapshots/{name}"


def keys_in(node: Harness, made: TableMetadata, folder: str) -> int:
    """How many partitions the SSTables of a folder have; all of them can be opened."""
    layouts, count = Layouts(made.id, len(made.clustering)), 0
    for descriptor in descriptors(node.disk.list(folder), DATA):
        reader = SSTableReader.open(node.disk, folder, descriptor, made, layouts, Caches())
        count += sum(1 for _ in reader.partitions())
    return count


def test_a_snapshot_has_cassandras_files_and_outlives_compaction_truncate_and_drop(node: Harness) -> None:
    made = table()
    node.create(made)
    for first in (0, 10):
        fill(node, made, first, 10)
        flush(node)
    folder = take(node, made)
    assert json.loads(node.disk.read_file(f"{folder}/manifest.json")) == {
        "files": ["nb-1-big-Data.db", "nb-2-big-Data.db"],
        "created_at": "2026-11-27T18:17:47.220Z",
        "expires_at": None,
        "ephemeral": False,
    }
    names = {name for name in node.disk.list(FOLDER) if name.startswith("nb-")}
    assert set(node.disk.list(folder)) == names | {"manifest.json", "schema.cql"}
    (found,) = node.engine.files.all_snapshots()
    assert (found.name, found.keyspace, found.table, found.created_ms) == ("one", "ks", "t", NOW_MS)
    assert found.disk_bytes > found.true_bytes > 0
    node.engine.compact([made.id])
    node.engine.background.finish()
    assert data_files(node) == ["nb-3-big-Data.db"]
    (found,) = node.engine.files.all_snapshots()
    assert found.disk_bytes == found.true_bytes
    node.engine.truncate(made, node.clock.wall_us())
    node.engine.background.finish()
    node.change(node.engine.schema.without_keyspace("ks"))
    node.engine.background.finish()
    assert keys_in(node, made, folder) == 20
    node.kill()
    (found,) = node.engine.files.all_snapshots()
    node.engine.files.remove_snapshot(found.folder)
    assert node.engine.files.all_snapshots() == []
    assert not node.disk.exists("/d/data/ks")


def test_the_folders_of_dropped_tables_go(node: Harness) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 3)
    flush(node)
    assert node.disk.exists(FOLDER)
    node.change(node.engine.schema.without_keyspace("ks"))
    node.engine.background.finish()
    assert not node.disk.exists("/d/data/ks")


def ordered(node: Harness, made: TableMetadata, name: str) -> WantedSnapshot:
    return WantedSnapshot(made, name, NOW_MS, None, "CREATE TABLE ...\n")


def remove(node: Harness, made: TableMetadata, how: str, name: str = "kept") -> None:
    """TRUNCATE or DROP, as auto_snapshot has it, acknowledged."""
    engine = node.engine
    if how == "truncate":
        engine.truncate_all((made.id,), node.clock.wall_us(), [ordered(node, made, name)])
    else:
        new = engine.schema.without_keyspace("ks")
        writes = schema_mutations(engine.schema, new, node.clock.wall_us())
        engine.change_schema(new, writes, [ordered(node, made, name)])
    assert engine.commit_log is not None
    engine.commit_log.write()


@pytest.mark.parametrize("how", ["truncate", "drop"])
@pytest.mark.parametrize("flushed", [0, 7, 12])
def test_what_is_removed_is_kept_in_the_background(node: Harness, how: str, flushed: int) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, flushed)
    flush(node)
    fill(node, made, flushed, 12 - flushed)
    remove(node, made, how)
    assert node.engine.files.all_snapshots() == []
    assert how == "drop" or node.rows(made) == []
    node.engine.background.finish()
    (found,) = node.engine.files.all_snapshots()
    assert (found.name, found.table, found.created_ms) == ("kept", "t", NOW_MS)
    assert keys_in(node, made, found.folder) == 12
    assert data_files(node) == []
    listed = json.loads(node.disk.read_file(f"{found.folder}/manifest.json"))["files"]
    assert listed == [name for name in node.disk.list(found.folder) if name.endswith("-Data.db")]
    assert node.engine.files.ordered.are_taken
    assert data_files(node) == []
    for _ in range(2):
        node.kill()
        assert [one.name for one in node.engine.files.all_snapshots()] == ["kept"]
    node.engine.drain()


@pytest.mark.parametrize("how", ["truncate", "drop"])
@pytest.mark.parametrize("flushed", [0, 7])
def test_a_start_takes_the_snapshots_that_a_kill_left_to_take(node: Harness, how: str, flushed: int) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, flushed)
    flush(node)
    fill(node, made, flushed, 12 - flushed)
    remove(node, made, "truncate", "first")
    fill(node, made, 20, 3)
    remove(node, made, how, "second")
    if how == "truncate":
        fill(node, made, 30, 1)
    for _ in range(3):
        node.kill()
        counts = {one.name: keys_in(node, made, one.folder) for one in node.engine.files.all_snapshots()}
        assert counts == {"first": 12, "second": 3}
        if how == "truncate":
            assert [k for k, _, _ in node.rows(made)] == [30]
        assert data_files(node) == []


def test_a_snapshot_that_was_removed_does_not_come_back(node: Harness) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 3)
    remove(node, made, "truncate")
    node.engine.background.finish()
    (found,) = node.engine.files.all_snapshots()
    node.engine.files.remove_snapshot(found.folder)
    node.kill()
    assert node.engine.files.all_snapshots() == []


def test_a_snapshot_has_the_table_as_it_was_when_it_was_ordered(node: Harness) -> None:
    """A column that is dropped later is in it, though a start has to take it."""
    made = table()
    node.create(made)
    fill(node, made, 0, 3)
    remove(node, made, "truncate")
    dropped = {"v": DroppedColumn("v", made.columns[-1].type, node.clock.wall_us())}
    node.create(replace(made, columns=made.columns[:-1], dropped_columns=dropped))
    node.kill()
    (found,) = node.engine.files.all_snapshots()
    layouts = Layouts(made.id, len(made.clustering))
    (descriptor,) = descriptors(node.disk.list(found.folder), DATA)
    reader = SSTableReader.open(node.disk, found.folder, descriptor, made, layouts, Caches())
    assert [name for name, _ in reader.statistics.header.regulars] == ["v"]


@pytest.mark.parametrize("flushed", [0, 2])
def test_a_full_disk_keeps_what_is_to_be_kept(node: Harness, flushed: int) -> None:
    """In the log, and in SSTables that are not removed."""
    made = table()
    node.create(made)
    fill(node, made, 0, flushed)
    flush(node)
    fill(node, made, flushed, 3 - flushed)
    disk = node.disk
    assert isinstance(disk, FaultyDisk)
    remove(node, made, "truncate")
    disk.fail("rename", code=errno.ENOSPC)
    node.engine.background.finish()
    assert node.engine.files.all_snapshots() == []
    assert node.engine.files.holds_log
    assert len(data_files(node)) == bool(flushed)
    disk.heal()
    node.clock.advance(60)
    node.engine.tick()
    node.engine.background.finish()
    (found,) = node.engine.files.all_snapshots()
    assert keys_in(node, made, found.folder) == 3
    assert node.engine.files.ordered.are_taken
    assert data_files(node) == []


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("names_kept", [False, True])
@pytest.mark.parametrize("how", ["truncate", "drop"])
@pytest.mark.parametrize("flushed", [0, 7])
def test_a_crash_at_any_step_loses_no_row_that_no_snapshot_has(
    operation: str, names_kept: bool, how: str, flushed: int
) -> None:
    """The machine stops at the nth operation of its kind, for all n, and again at each of the start that follows: what was
    removed is there, or in a snapshot."""
    crashes = 0
    for after in range(200):
        node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096)))
        made = table()
        node.create(made)
        expected = fill(node, made, 0, flushed)
        flush(node)
        expected += fill(node, made, flushed, 12 - flushed)
        commit_log = node.engine.commit_log
        assert commit_log is not None
        commit_log.sync()
        disk = node.disk
        assert isinstance(disk, FaultyDisk)
        disk.fail(operation, after)
        is_removed = failed = False
        try:
            remove(node, made, how)
            commit_log.sync()
            is_removed = True
            node.engine.background.finish()
            failed = any(task.error for task in node.engine.background.finished)
            node.engine.files.free_log()
        except Exception:  # noqa: BLE001  whatever: the machine stops
            failed = True
        disk.heal()
        disk.crash(names_kept=names_kept)
        where = (operation, after, is_removed)
        if after % 2:
            disk.fail(operation, after // 2)
            with contextlib.suppress(Exception):
                node.start()
            disk.heal()
            disk.crash(names_kept=names_kept)
        node.start()
        rows = node.rows(made) if made.id in node.engine.stores else []
        snapshots = [found for found in node.engine.files.all_snapshots() if found.name == "kept"]
        assert rows in ([], expected), where
        assert rows == [] or not is_removed, where
        assert rows or len(snapshots) == 1, where
        for found in snapshots:
            assert keys_in(node, made, found.folder) == 12, where
        if not failed:
            break
        crashes += 1
    least = {"rename": 1, "remove_folder": 0, "unlink": 2 * bool(flushed), "link": 4 * bool(flushed)}
    assert crashes >= least.get(operation, 4)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_crash_leaves_a_snapshot_on_command_whole_or_not_there(node: Harness, operation: str) -> None:
    made = table()
    node.create(made)
    fill(node, made, 0, 12)
    flush(node)
    disk = node.disk
    assert isinstance(disk, FaultyDisk)
    for after in range(200):
        disk.fail(operation, after)
        with contextlib.suppress(OSError):
            take(node, made)
            break
        disk.heal()
        disk.crash()
        node.start()
        for found in node.engine.files.all_snapshots():
            assert keys_in(node, made, found.folder) == 12
    disk.heal()
    assert keys_in(node, made, take(node, made)) == 12  # over what a crash left of one


def test_what_is_flushed_has_a_backup_where_that_is_wanted() -> None:
    node = Harness(EngineOptions("/d", incremental_backups=True))
    made = table()
    node.create(made)
    fill(node, made, 0, 3)
    flush(node)
    fill(node, made, 3, 3)
    flush(node)
    node.engine.files.keeps_backups = False
    fill(node, made, 6, 3)
    flush(node)
    node.engine.compact([made.id])
    node.engine.background.finish()
    assert data_files(node) == ["nb-4-big-Data.db"]
    assert keys_in(node, made, f"{FOLDER}/backups") == 6


def test_snapshots_go_when_their_time_is_over(node: Harness) -> None:
    """Those that a start finds, too."""
    made = table()
    node.create(made)
    fill(node, made, 0, 3)
    flush(node)
    store = node.engine.stores[made.id]
    now_ms = 1000 * node.clock.now_s()
    for name, expires_ms in (("stays", None), ("later", now_ms + 3_600_000), ("soon", now_ms + 90_000)):
        node.engine.files.take_snapshot(store, name, "", now_ms, expires_ms)
    fill(node, made, 3, 1)
    remove(node, made, "truncate")

    def names_after(seconds: int) -> list[str]:
        node.clock.advance(seconds)
        node.engine.tick()
        node.engine.background.finish()
        return [found.name for found in node.engine.files.all_snapshots()]

    assert names_after(60) == ["kept", "later", "soon", "stays"]
    assert names_after(60) == ["kept", "later", "stays"]
    node.kill()
    assert names_after(10) == ["kept", "later", "stays"]
    assert names_after(3_600) == ["kept", "stays"]
