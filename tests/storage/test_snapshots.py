"""Snapshots: links to what a table has, that stay when it goes; whole or not there after a crash at any step."""

import json

import pytest
from test_engine import Harness, table
from test_flush import FOLDER, data_files, fill, flush

from storage.commitlog.log import CommitLogOptions
from storage.engine import EngineOptions
from storage.environment.memory import FaultyDisk
from storage.memtable.packed import Layouts
from storage.schema.metadata import TableMetadata
from storage.sstable.caches import Caches
from storage.sstable.constants import DATA
from storage.sstable.descriptor import descriptors
from storage.sstable.reader import SSTableReader

NOW_MS = 1_795_803_467_220
OPERATIONS = ("open", "write", "sync", "sync_folder", "unlink", "link", "remove_folder")


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
    node.engine.files.remove_snapshot(found)
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


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("names_kept", [False, True])
def test_a_crash_at_any_step_loses_no_row_that_no_snapshot_has(operation: str, names_kept: bool) -> None:
    """Flush, snapshot, TRUNCATE, as auto_snapshot does; the machine stops at the nth operation of its kind, for all n."""
    crashes = 0
    for after in range(200):
        node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096)))
        made = table()
        node.create(made)
        expected = fill(node, made, 0, 12)
        node.engine.commit_log.sync()  # type: ignore[union-attr]
        disk = node.disk
        assert isinstance(disk, FaultyDisk)
        disk.fail(operation, after)
        is_truncated = failed = False
        try:
            tasks = node.engine.flush([made.id])
            node.engine.background.finish()
            failed = any(task.error for task in tasks)
            if not failed:
                take(node, made)
                node.engine.truncate(made, node.clock.wall_us())
                node.engine.commit_log.write()  # type: ignore[union-attr]
                node.engine.commit_log.sync()  # type: ignore[union-attr]
                is_truncated = True
                node.engine.background.finish()
                failed = any(task.error for task in node.engine.background.finished)
                (found,) = node.engine.files.all_snapshots()
        except Exception:  # noqa: BLE001  whatever: the machine stops
            failed = True
        disk.heal()
        disk.crash(names_kept=names_kept)
        node.start()
        rows, snapshots = node.rows(made), node.engine.files.all_snapshots()
        where = (operation, after, is_truncated)
        assert rows in ([], expected), where
        assert rows == [] or not is_truncated, where
        assert rows or len(snapshots) == 1, where
        for found in snapshots:
            assert keys_in(node, made, found.folder) == 12, where
        assert node.disk.exists(f"{take(node, made)}/manifest.json"), where  # over what a crash left of one
        if not failed:
            break
        crashes += 1
    assert crashes >= {"unlink": 2, "remove_folder": 0}.get(operation, 4)


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
