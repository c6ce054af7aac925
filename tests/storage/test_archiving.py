"""Segments of the commit log are archived before they are removed, and bring back what was up to a point."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from test_engine import BUILT_IN, Harness, table
from test_flush import fill

from protocol.errors import StorageError
from protocol.types import INT
from storage.commitlog.archiving import RETRY_S, ArchivingOptions
from storage.commitlog.format import CommitLogPosition
from storage.commitlog.log import CommitLogFailed, CommitLogOptions
from storage.commitlog.restore_point import RestorePoint
from storage.engine import Engine, EngineOptions
from storage.environment.environment import Environment, Rng
from storage.environment.memory import FaultyDisk
from storage.environment.strands import InlineWorkers
from storage.mutation import Deletion, PartitionUpdate
from storage.schema.metadata import TableMetadata

ARCHIVING = ArchivingOptions("cp %path /archive/%name", "cp %from %to", ("/archive",))
OPTIONS = EngineOptions("/d", CommitLogOptions(segment_bytes=4096), archiving=ARCHIVING)


class Archived(Harness):
    """A node whose commands copy files on its disk, while `is_broken` is false."""

    is_broken = False

    def start(self) -> Engine:
        self.disk.mkdirs("/archive")
        environment = Environment(self.clock, Rng(b"seed"), self.disk, InlineWorkers(), self.run)
        self.engine = Engine(environment, self.options, BUILT_IN)
        self.engine.start()
        return self.engine

    def run(self, words: Sequence[str]) -> None:
        verb, source, target = words
        assert verb == "cp"
        if self.is_broken:
            raise OSError("exit status 1: no room")
        self.disk.write_file_atomically(target, self.disk.read_file(source))

    def tick(self) -> None:
        log = self.engine.commit_log
        assert log is not None
        log.sync()
        self.engine.tick()
        self.engine.background.finish()

    def flush(self) -> None:
        self.engine.flush()
        self.engine.background.finish()
        self.engine.files.free_log()

    def segments(self, folder: str = "/d/commitlog") -> list[str]:
        return [name for name in self.disk.list(folder) if name.startswith("CommitLog-")]

    def moved_to(self, options: EngineOptions) -> "Archived":
        """A node without data, that has the archive."""
        other = Archived.__new__(Archived)
        other.disk, other.clock, other.options = type(self.disk)(), self.clock, options
        other.disk.mkdirs("/archive")
        for name in self.segments("/archive"):
            other.disk.write_file_atomically(f"/archive/{name}", self.disk.read_file(f"/archive/{name}"))
        other.start()
        return other


def test_no_segment_goes_before_it_is_archived() -> None:
    node = Archived(OPTIONS)
    made = table()
    node.create(made)
    node.is_broken = True
    expected = fill(node, made, 0, 200)
    node.tick()
    node.flush()
    written = node.segments()
    assert len(written) > 4
    assert node.segments("/archive") == []
    node.is_broken = False
    node.tick()
    assert node.segments("/archive") == [], "it waits before it tries again"
    node.clock.advance(RETRY_S + 1)
    node.tick()
    assert node.segments("/archive") == written[:-1]
    assert node.segments() == written[-1:]
    assert node.rows(made) == expected
    node.kill()
    assert node.segments("/archive") == written, "what a start finds"
    assert node.rows(made) == expected


def test_a_drain_archives_the_last_segment_or_fails() -> None:
    node = Archived(OPTIONS)
    made = table()
    node.create(made)
    expected = fill(node, made, 0, 5)
    node.is_broken = True
    with pytest.raises(StorageError, match="could be archived, so it stays"):
        node.engine.drain()
    (segment,) = node.segments()
    node.is_broken = False
    node.engine.drain()
    assert (node.segments(), node.segments("/archive")) == ([], [segment])
    other = node.moved_to(OPTIONS)
    assert other.rows(made) == expected


def test_an_archive_brings_back_what_was_at_a_point_in_time() -> None:
    node = Archived(OPTIONS)
    made, later = table(), table("u", 2)
    node.create(made)
    expected = fill(node, made, 0, 60)
    node.flush()
    expected += fill(node, made, 60, 20)
    point_us = node.clock.wall_us()
    node.clock.advance(10)
    now_us = node.clock.wall_us()
    node.engine.apply(PartitionUpdate(made.id, INT.encode(1), Deletion(now_us, now_us // 1_000_000)))
    node.create(later)
    fill(node, later, 0, 3)
    fill(node, made, 100, 20)
    keyspace = node.engine.schema.keyspaces["ks"]
    node.engine.truncate(made, node.clock.wall_us())
    node.change(node.engine.schema.with_keyspace(keyspace.without_table(made.name)))
    node.engine.drain()
    whole = node.moved_to(OPTIONS)
    assert made.id not in whole.engine.stores
    assert len(whole.rows(later)) == 3
    archiving = replace(ARCHIVING, point=RestorePoint(point_us))
    restored = node.moved_to(replace(OPTIONS, archiving=archiving))
    assert restored.rows(made) == expected
    restored.engine.keep_restored()
    assert restored.segments() == []
    restored.options = replace(OPTIONS, archiving=None)
    for _ in range(2):
        restored.kill()  # without the archive: what was left out does not come back
        assert restored.rows(made) == expected
        assert later.id not in restored.engine.stores
        restored.insert(made, 500, 1, "new")
        expected = [*(row for row in expected if row[0] != 500), (500, 1, "new")]


def archived_past_a_point() -> tuple[Archived, RestorePoint, TableMetadata, list[tuple[int, int, str]]]:
    """A drained node with an archive, a point before some of it, and what its table had then."""
    node = Archived(OPTIONS)
    made = table()
    node.create(made)
    expected = fill(node, made, 0, 60)
    node.flush()
    expected += fill(node, made, 60, 20)
    point = RestorePoint(node.clock.wall_us())
    node.clock.advance(10)
    fill(node, made, 100, 20)
    node.engine.truncate(made, node.clock.wall_us())
    node.engine.drain()
    return node, point, made, expected


@pytest.mark.slow
@pytest.mark.parametrize("is_crash", [True, False], ids=["crash", "EIO"])
@pytest.mark.parametrize("operation", ["open", "write", "sync", "sync_folder", "unlink", "rename", "read"])
def test_whatever_the_disk_does_a_restore_is_begun_again_and_loses_nothing(operation: str, is_crash: bool) -> None:
    node, point, made, expected = archived_past_a_point()
    options = replace(OPTIONS, archiving=replace(ARCHIVING, point=point))
    failures = 0
    for after in range(400):
        restored = Archived.__new__(Archived)
        restored.disk, restored.clock, restored.options = FaultyDisk(), node.clock, options
        restored.disk.mkdirs("/archive")
        for name in node.segments("/archive"):
            restored.disk.write_file_atomically(f"/archive/{name}", node.disk.read_file(f"/archive/{name}"))
        restored.disk.fail(operation, after)
        try:
            restored.start().keep_restored()
            has_failed = False
        except (OSError, StorageError, CommitLogFailed):
            has_failed = True
        restored.disk.heal()
        restored.disk.crash(lambda unsynced: unsynced // 2 if is_crash else unsynced, names_kept=not is_crash)
        restored.start().keep_restored()
        assert restored.rows(made) == expected, (operation, after)
        assert restored.segments() == [], (operation, after)
        restored.options = replace(OPTIONS, archiving=None)
        restored.kill()
        assert restored.rows(made) == expected, (operation, after)
        if not has_failed:
            break
        failures += 1
    assert failures >= {"rename": 0, "unlink": 1}.get(operation, 3)


@pytest.mark.parametrize("operation", ["read", "write", "unlink"])
def test_a_disk_that_fails_while_segments_are_archived_loses_none(operation: str) -> None:
    node = Archived(OPTIONS)
    made = table()
    node.create(made)
    expected = fill(node, made, 0, 200)
    written = node.segments()
    node.disk.fail(operation, 1)
    node.engine.tick()
    node.engine.background.finish()
    node.disk.heal()
    node.clock.advance(RETRY_S + 1)
    node.tick()
    node.flush()
    node.engine.drain()
    assert node.segments("/archive")[: len(written)] == written
    assert node.moved_to(OPTIONS).rows(made) == expected


def test_what_is_before_a_snapshots_position_is_not_replayed() -> None:
    node = Archived(OPTIONS)
    made = table()
    node.create(made)
    fill(node, made, 0, 10)
    node.flush()
    position = node.engine.log_position()
    expected = fill(node, made, 10, 5)
    node.engine.drain()
    archiving = replace(ARCHIVING, point=RestorePoint(after=position))
    other = Archived.__new__(Archived)
    other.disk, other.clock, other.options = node.disk, node.clock, replace(OPTIONS, archiving=archiving)
    node.engine.close()
    for folder in list(node.disk.list("/d/data/ks")):
        for name in node.disk.list(f"/d/data/ks/{folder}"):
            node.disk.unlink(f"/d/data/ks/{folder}/{name}")
    other.start()
    assert other.rows(made) == expected
    assert position > CommitLogPosition(0)


def test_precision_is_that_of_clients_timestamps_alone() -> None:
    node = Archived(OPTIONS)
    made = table()
    node.create(made)
    fill(node, made, 0, 5)
    point_ms = node.clock.wall_us() // 1000
    for k, written_ms in ((7, point_ms - 5), (8, point_ms + 5)):
        node.engine.apply(PartitionUpdate(made.id, INT.encode(k), Deletion(written_ms, point_ms // 1000)))
    node.engine.drain()
    point = RestorePoint(point_ms * 1000, 1000)
    other = node.moved_to(replace(OPTIONS, archiving=replace(ARCHIVING, point=point)))
    assert made.id in other.engine.stores, "the schema's timestamps are microseconds"
    assert other.rows(made) == [], "these rows', too, which reads as if they were of the year 50,000"
    store = other.engine.stores[made.id]
    assert [store.memtable.get(INT.encode(k)) is not None for k in (7, 8)] == [True, False]


def test_a_gap_in_the_archive_is_told() -> None:
    node = Archived(OPTIONS)
    made = table()
    node.create(made)
    fill(node, made, 0, 200)
    node.engine.drain()
    name = node.segments("/archive")[1]
    content = node.disk.read_file(f"/archive/{name}")
    node.disk.unlink(f"/archive/{name}")
    with pytest.raises(StorageError, match="is missing"):
        node.moved_to(OPTIONS)
    node.disk.write_file_atomically(f"/archive/{name}", content)
    node.moved_to(OPTIONS)
    node.disk.write_file_atomically("/archive/CommitLog-7-1.log", b"")
    with pytest.raises(StorageError, match="Apache Cassandra"):
        node.moved_to(OPTIONS)
