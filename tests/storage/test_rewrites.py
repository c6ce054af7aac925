"""Compactions into several SSTables, and SSTables that are written again for other reasons than that there are many."""

import random
import tracemalloc
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

import pytest
from test_compaction import OPTIONS, compact, delete
from test_engine import Harness, table
from test_flush import FOLDER, data_files, fill, flush

from protocol.errors import CorruptionError
from protocol.types import INT
from storage.background import Task
from storage.commitlog.log import CommitLogOptions
from storage.compaction import strategies
from storage.compaction.compaction import HELD_ROWS
from storage.engine import EngineOptions
from storage.files.table_files import TableFiles
from storage.memtable.memtable import position_of
from storage.mutation import LIVE, NO_LIVENESS, Cell, Deletion, Liveness, PartitionUpdate, RangeTombstone, Row
from storage.schema.metadata import TableMetadata
from storage.sstable.constants import VERSIONS
from storage.sstable.unfiltered import Marker

NOTHING = {"class": "SizeTieredCompactionStrategy", "enabled": "false"}


def with_compaction(made: TableMetadata, options: dict[str, str]) -> TableMetadata:
    return replace(made, params=replace(made.params, compaction=MappingProxyType(options)))


def node_of(options: dict[str, str]) -> tuple[Harness, TableMetadata]:
    node = Harness(OPTIONS)
    made = with_compaction(table(), options)
    node.create(made)
    return node, made


def files_of(node: Harness, made: TableMetadata) -> TableFiles:
    return node.engine.files.files_of(node.engine.stores[made.id])


def finished(node: Harness, tasks: list[Task]) -> None:
    node.engine.background.finish()
    assert tasks
    assert all(task.error is None for task in tasks), [task.error for task in tasks]


def test_a_strategy_that_is_changed_takes_effect_at_once() -> None:
    node, made = node_of(NOTHING)
    expected = []
    for first in range(0, 60, 10):
        expected += fill(node, made, first, 10)
        flush(node)
    assert len(data_files(node)) == 6
    node.create(with_compaction(made, {"class": "SizeTieredCompactionStrategy"}))
    node.engine.background.finish()
    assert len(data_files(node)) == 1
    assert node.rows(made) == expected


def test_automatic_compactions_can_be_switched_off_for_a_table() -> None:
    node, made = node_of({"class": "SizeTieredCompactionStrategy"})
    fill(node, made, 0, 1)
    flush(node)
    compactions = node.engine.files.compactions
    compactions.not_automatic.add(made.id)
    for first in range(10, 60, 10):
        fill(node, made, first, 10)
        flush(node)
    assert len(data_files(node)) == 6
    compactions.not_automatic.clear()
    node.clock.advance(61)
    node.engine.tick()
    node.engine.background.finish()
    assert len(data_files(node)) == 1


def test_levels_lie_side_by_side() -> None:
    rng = random.Random(3)
    node, made = node_of(NOTHING)
    for number in range(6):
        for k in range(number, 3000, 3):
            node.insert(made, k, number, rng.randbytes(300).hex())
        node.engine.commit_log.write()  # type: ignore[union-attr]
        flush(node)
    expected = node.rows(made)
    assert len(expected) == 5997
    node.create(with_compaction(made, {"class": "LeveledCompactionStrategy", "sstable_size_in_mb": "1"}))
    node.engine.background.finish()
    readers = sorted(files_of(node, made).readers, key=lambda reader: reader.first_position)
    assert len(readers) > 1
    assert {reader.level for reader in readers} == {1}
    assert all(left.last_position < right.first_position for left, right in pairwise(readers))
    assert max(reader.data_disk_bytes for reader in readers) < 1.2 * (1 << 20)
    assert node.rows(made) == expected
    node.kill()
    assert {reader.level for reader in files_of(node, made).readers} == {1}
    assert node.rows(made) == expected


def test_a_major_compaction_splits_its_output_where_that_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    node, made = node_of({"class": "SizeTieredCompactionStrategy", "enabled": "false"})
    rng = random.Random(3)
    for k in range(60):
        node.insert(made, k, 1, rng.randbytes(750).hex())
        if k % 20 == 19:
            node.engine.commit_log.write()  # type: ignore[union-attr]
            flush(node)
    expected = node.rows(made)
    files = files_of(node, made)
    total = sum(reader.data_disk_bytes for reader in files.readers)
    monkeypatch.setattr(strategies, "SMALLEST_PART_BYTES", total // 5)
    finished(node, node.engine.compact([made.id], splits=True))
    found = sorted((reader.first_position, reader.data_disk_bytes / total) for reader in files.readers)
    assert [share for _, share in found] == pytest.approx([0.5, 0.25, 0.25], abs=0.15)
    assert node.rows(made) == expected
    finished(node, node.engine.compact([made.id]))
    assert len(data_files(node)) == 1
    assert node.rows(made) == expected


def test_unified_compactions_are_cut_at_shards() -> None:
    node, made = node_of(NOTHING)
    for first in (0, 500, 1000):
        fill(node, made, first, 700)
        flush(node)
    expected = node.rows(made)
    node.create(with_compaction(made, {"class": "UnifiedCompactionStrategy", "min_sstable_size": "0B"}))
    compact(node)
    readers = sorted(files_of(node, made).readers, key=lambda reader: reader.first_position)
    assert [reader.first_position[0] >> 6 for reader in readers] == [0, 1, 2, 3]
    assert [reader.last_position[0] >> 6 for reader in readers] == [0, 1, 2, 3]
    assert node.rows(made) == expected
    node.kill()
    assert node.rows(made) == expected


SHARDED = {"class": "UnifiedCompactionStrategy", "min_sstable_size": "0B", "enabled": "false"}


def test_unified_flushes_are_cut_at_shards() -> None:
    node, made = node_of(SHARDED)
    expected = fill(node, made, 0, 700)
    flush(node)
    readers = sorted(files_of(node, made).readers, key=lambda reader: reader.first_position)
    assert [reader.first_position[0] >> 6 for reader in readers] == [0, 1, 2, 3]
    assert [reader.last_position[0] >> 6 for reader in readers] == [0, 1, 2, 3]
    assert node.rows(made) == expected
    node.kill()
    assert node.rows(made) == expected
    assert not len(node.engine.stores[made.id].memtable)
    ks = [k for k in range(700, 900) if position_of(INT.encode(k))[0] >> 6 == 2]
    for k in ks:
        expected += fill(node, made, k, 1)
    flush(node)
    assert len(files_of(node, made).readers) == 5
    assert sorted(node.rows(made)) == sorted(expected)


@pytest.mark.parametrize(
    ("options", "first", "second"),
    [
        ({}, 1, 4),
        ({"min_sstable_size": "0B"}, 4, 4),
        ({"base_shard_count": "6"}, 1, 6),
        ({"base_shard_count": "6", "min_sstable_size": "500B"}, 1, 2),
    ],
)
def test_shards_of_a_flush_follow_from_what_flushes_wrote_before(options: dict[str, str], first: int, second: int) -> None:
    """At first nothing is known of them: as if they were small (UnifiedCompactionStrategy.createSSTableMultiWriter)."""
    node, made = node_of({**SHARDED, "min_sstable_size": "100B", **options})
    compactions = node.engine.files.compactions
    assert compactions.flush_shards(made) == first
    fill(node, made, 0, 50)
    flush(node)
    assert compactions.flush_shards(made) == second
    assert compactions.flush_shards(with_compaction(made, NOTHING)) == 1


@pytest.mark.parametrize("operation", ["open", "write", "sync", "unlink"])
def test_a_crash_at_any_step_of_a_flush_into_shards_loses_nothing(operation: str) -> None:
    crashes = 0
    for after in range(200):
        node, made = node_of(SHARDED)
        expected = fill(node, made, 0, 20)
        node.engine.commit_log.sync()  # type: ignore[union-attr]
        node.disk.fail(operation, after)
        tasks = node.engine.flush([made.id])
        node.engine.background.finish()
        node.disk.heal()
        node.disk.crash()
        node.start()
        assert node.rows(made) == expected, (operation, after)
        if all(task.error is None for task in tasks):
            break
        assert operation == "unlink" or not data_files(node)  # it was decided before the first one
        crashes += 1
    assert crashes >= {"unlink": 1}.get(operation, 20)


def test_sstables_of_an_older_version_are_upgraded() -> None:
    node, made = node_of(NOTHING)
    files = None
    for version in ("na", "nb"):
        fill(node, made, 0, 10)
        files = files_of(node, made)
        files.version = VERSIONS[version]
        flush(node)
    assert files is not None
    expected = node.rows(made)
    compactions = node.engine.files.compactions
    finished(node, compactions.upgrade([files]))
    assert [reader.descriptor.version.name for reader in files.readers] == ["nb", "nb"]
    before = [reader.descriptor for reader in files.readers]
    finished(node, compactions.upgrade([files]))
    assert [reader.descriptor for reader in files.readers] == before
    finished(node, compactions.upgrade([files], includes_current=True))
    assert not set(before) & {reader.descriptor for reader in files.readers}
    assert node.rows(made) == expected


def test_a_scrub_leaves_out_what_is_damaged_and_keeps_tombstones() -> None:
    node, made = node_of(NOTHING)
    for k in range(200):
        node.insert(made, k, 1, f"{k} " + "x" * 1500)
    delete(node, made, 500)
    node.engine.commit_log.write()  # type: ignore[union-attr]
    flush(node)
    node.clock.advance(made.params.gc_grace_seconds + 10)
    (name,) = data_files(node)
    node.disk.damage(f"{FOLDER}/{name}", files_of(node, made).readers[0].data_disk_bytes // 2, 1)
    node.kill()
    files = files_of(node, made)
    with pytest.raises(CorruptionError):
        node.rows(made)
    finished(node, node.engine.files.compactions.scrub([files]))
    found = node.rows(made)
    assert 150 < len(found) < 200
    assert all(text == f"{k} " + "x" * 1500 for k, _, text in found)
    assert files.readers[0].maybe_partition(INT.encode(500)) is not None


def node_of_version(version: str) -> tuple[Harness, TableMetadata, str]:
    """Small and wide partitions in one SSTable, whose Data.db is told."""
    node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=1 << 20), sstable_version=version))
    made = with_compaction(table(), NOTHING)
    node.create(made)
    rng = random.Random(5)
    for k in range(300):
        for c in range(200 if k % 100 == 7 else 1):
            node.insert(made, k, c, rng.randbytes(300).hex())
    node.engine.commit_log.write()  # type: ignore[union-attr]
    delete(node, made, 500)
    node.engine.drain()  # nothing comes back from the log
    (name,) = data_files(node)
    return node, made, name


def damage_index(node: Harness, data_name: str, how: str) -> None:
    """`how`: all of it is gone, its end is, or a bit in the middle is another one."""
    index = data_name.replace("Data.db", "Partitions.db" if data_name.startswith("da") else "Index.db")
    path = f"{FOLDER}/{index}"
    if how == "gone":
        node.disk.unlink(path)
        node.disk.sync_folder(FOLDER)
        return
    size = node.disk.size(path)
    if how == "cut":
        node.disk.truncate(path, size // 2)
    else:
        node.disk.damage(path, size // 2, 1)


@pytest.mark.parametrize("version", ["nb", "da"])
@pytest.mark.parametrize("how", ["gone", "cut", "within"])
def test_a_scrub_does_without_an_index_that_cannot_be_read(how: str, version: str) -> None:
    """By Data.db alone, be it that the SSTable can't so much as be opened without one."""
    node, made, name = node_of_version(version)
    expected = node.rows(made)
    assert len(expected) == 897
    damage_index(node, name, how)
    node.kill()
    files = files_of(node, made)
    with pytest.raises(CorruptionError):
        node.rows(made)
    finished(node, node.engine.files.compactions.scrub([files]))
    assert node.rows(made) == expected
    (reader,) = files.readers
    assert not reader.is_by_data
    assert not files.has_damaged
    assert name not in data_files(node)
    assert reader.maybe_partition(INT.encode(500)) is not None
    node.kill()
    assert node.rows(made) == expected


@pytest.mark.parametrize("version", ["nb", "da"])
def test_a_scrub_without_index_keeps_what_lies_before_damaged_data(version: str, caplog: pytest.LogCaptureFixture) -> None:
    """Nobody can tell then where the next partition begins; whoever reads before the scrub hears of the damage."""
    node, made, name = node_of_version(version)
    expected = node.rows(made)
    damage_index(node, name, "gone")
    node.disk.damage(f"{FOLDER}/{name}", node.disk.size(f"{FOLDER}/{name}") // 2, 1)
    node.kill()
    files = files_of(node, made)
    files.do_without_index()
    (reader,) = files.readers
    assert reader.is_by_data
    ring = sorted({k for k, _, _ in expected}, key=lambda k: position_of(INT.encode(k)))
    assert reader.maybe_partition(INT.encode(ring[0])) is not None
    with pytest.raises(CorruptionError):
        reader.maybe_partition(INT.encode(ring[-1]))
    with pytest.raises(CorruptionError):
        node.rows(made)
    (task,) = node.engine.files.compactions.compact([files])
    node.engine.background.finish()
    assert isinstance(task.error, CorruptionError)  # nothing but a scrub leaves anything out
    assert files.readers == (reader,)
    finished(node, node.engine.files.compactions.scrub([files]))
    found = node.rows(made)
    kept = {k for k, _, _ in found}
    assert 20 < len(kept) < 280
    assert kept == set(ring[: len(kept)])
    assert found == [row for row in expected if row[0] in kept]
    assert any("all that lies behind it is left out" in message for message in caplog.messages)


@pytest.mark.parametrize("validates", [True, False])
def test_a_scrub_leaves_out_what_has_values_that_are_none_of_their_types(
    validates: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """nodetool scrub, and with --no-validate."""
    node, made = node_of(NOTHING)
    fill(node, made, 0, 5)
    now_us = node.clock.wall_us()
    row = Row((INT.encode(1),), Liveness(now_us), LIVE, {"v": Cell(now_us, b"no \xff text")})
    node.engine.apply(PartitionUpdate(made.id, INT.encode(100), rows={INT.order_key(INT.encode(1)): row}))
    node.engine.commit_log.write()  # type: ignore[union-attr]
    flush(node)
    files = files_of(node, made)
    finished(node, node.engine.files.compactions.scrub([files], validates=validates))
    (reader,) = files.readers
    assert (reader.maybe_partition(INT.encode(100)) is None) == validates
    assert reader.key_count == 5 + (not validates)
    assert any("v: " in message and "left out" in message for message in caplog.messages) == validates


def wide_node(rows: int, text: str) -> tuple[Harness, TableMetadata]:
    """A partition of so many rows, and a small one, in one SSTable."""
    node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=1 << 20)))
    made = with_compaction(table(), NOTHING)
    node.create(made)
    for c in range(rows):
        node.insert(made, 1, c, f"{c} {text}")
    node.insert(made, 2, 1, "small")
    node.engine.commit_log.write()  # type: ignore[union-attr]
    flush(node)
    return node, made


def test_a_scrub_leaves_out_the_whole_of_a_long_partition() -> None:
    """What was read before the damage is not written: the partition would be there in part."""
    node, made = wide_node(20 * HELD_ROWS, "x" * 700)
    (name,) = data_files(node)
    size = files_of(node, made).readers[0].data_disk_bytes
    node.kill()
    (reader,) = files_of(node, made).readers
    is_late = [k for k in (1, 2) if reader.maybe_partition(INT.encode(k)) is not None]
    assert is_late == [1, 2]
    at = size // 2
    node.disk.damage(f"{FOLDER}/{name}", at, 1)
    node.kill()
    with pytest.raises(CorruptionError):
        node.rows(made)
    finished(node, node.engine.files.compactions.scrub([files_of(node, made)]))
    assert node.rows(made) == [(2, 1, "small")]


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["scrub", "collect_garbage"])
def test_a_long_partition_that_is_written_again_is_never_held(operation: str) -> None:
    node, made = wide_node(5_000, "x" * 1_500)
    node.insert(made, 1, -1, "newer, so that it is looked at when garbage is collected")
    node.engine.commit_log.write()  # type: ignore[union-attr]
    flush(node)
    files = files_of(node, made)
    plain = max(reader.data_bytes for reader in files.readers)
    assert len(data_files(node)) == 2
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        finished(node, getattr(node.engine.files.compactions, operation)([files]))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most - before < plain / 2
    assert len(node.rows(made)) == 5_002


def test_a_cleanup_leaves_what_is_within_the_ranges() -> None:
    node, made = node_of(NOTHING)
    fill(node, made, 0, 100)
    flush(node)
    files = files_of(node, made)
    compactions = node.engine.files.compactions
    positions = sorted(position_of(INT.encode(k)) for k in range(100))
    before = files.readers
    finished(node, compactions.clean_up([files], [(positions[0], positions[-1])]))
    assert files.readers == before
    finished(node, compactions.clean_up([files], [(positions[10], positions[19]), (positions[50], positions[59])]))
    left = sorted(position_of(INT.encode(k)) for k, _, _ in node.rows(made))
    assert left == [*positions[10:20], *positions[50:60]]
    finished(node, compactions.clean_up([files], []))
    assert node.rows(made) == []
    assert data_files(node) == []


def test_garbage_is_what_is_deleted_elsewhere() -> None:
    node, made = node_of(NOTHING)
    fill(node, made, 0, 20)
    for c in (2, 3, 4):
        node.insert(made, 0, c, "row")
    node.engine.commit_log.write()  # type: ignore[union-attr]
    flush(node)
    delete(node, made, 5)
    now_us = node.clock.wall_us()
    row = Row((INT.encode(2),), NO_LIVENESS, Deletion(now_us, now_us // 1_000_000))
    cell = Row((INT.encode(3),), NO_LIVENESS, LIVE, {"v": Cell(now_us, b"newer")})
    rows = {INT.order_key(INT.encode(c)): found for c, found in ((2, row), (3, cell))}
    node.engine.apply(PartitionUpdate(made.id, INT.encode(0), rows=rows))
    node.engine.commit_log.write()  # type: ignore[union-attr]
    flush(node)
    expected = node.rows(made)
    files = files_of(node, made)
    compactions = node.engine.files.compactions

    def counts() -> list[tuple[int, int]]:
        stats = [reader.statistics.stats for reader in sorted(files.readers, key=lambda reader: reader.max_timestamp_us)]
        return [(each.rows, each.columns_set) for each in stats]

    assert counts() == [(23, 23), (2, 1)]
    finished(node, compactions.collect_garbage([files]))
    assert counts() == [(21, 21), (2, 1)]
    assert node.rows(made) == expected
    finished(node, compactions.collect_garbage([files], by_cells=True))
    assert counts() == [(21, 20), (2, 1)]
    assert node.rows(made) == expected
    finished(node, compactions.collect_garbage([files], by_cells=True))
    assert counts() == [(21, 20), (2, 1)]
    node.kill()
    assert node.rows(made) == expected


@pytest.mark.parametrize("only_repaired", [False, True])
def test_only_repaired_tombstones_go_where_that_is_wanted(only_repaired: bool) -> None:
    node, made = node_of({**NOTHING, "only_purge_repaired_tombstones": str(only_repaired).lower()})
    fill(node, made, 0, 2)
    delete(node, made, 0)
    flush(node)
    node.clock.advance(made.params.gc_grace_seconds + 10)
    compact(node)
    assert files_of(node, made).readers[0].key_count == (2 if only_repaired else 1)


def test_some_sstables_are_compacted_on_demand() -> None:
    node, made = node_of(NOTHING)
    expected = []
    for first in range(0, 30, 10):
        expected += fill(node, made, first, 10)
        flush(node)
    files = files_of(node, made)
    finished(node, [node.engine.files.compactions.compact_these(files, files.readers[:2])])
    assert sorted(reader.key_count for reader in files.readers) == [10, 20]
    assert node.rows(made) == expected


def test_on_demand_the_strategy_says_how_it_is_cut() -> None:
    node, made = node_of({"class": "UnifiedCompactionStrategy", "min_sstable_size": "0B", "enabled": "false"})
    expected = fill(node, made, 0, 40)
    flush(node)
    files = files_of(node, made)
    assert len(files.readers) > 1
    finished(node, [node.engine.files.compactions.compact_these(files, files.readers)])
    assert len(files.readers) > 1
    assert node.rows(made) == expected


def test_what_has_expired_as_a_whole_goes_though_expired_data_is_elsewhere() -> None:
    """Deletions of a partition were kept because of an older deletion of it in an SSTable that was not compacted."""
    node, made = node_of(NOTHING)
    for _ in range(3):
        delete(node, made, 0)
        node.clock.advance(1)
        flush(node)
    fill(node, made, 1, 1)
    flush(node)
    node.clock.advance(made.params.gc_grace_seconds + 10)
    files = files_of(node, made)
    by_age = sorted(files.readers, key=lambda reader: reader.max_timestamp_us)
    finished(node, [node.engine.files.compactions.compact_these(files, by_age[1:3])])
    assert set(files.readers) == {by_age[0], by_age[3]}
    assert [k for k, _, _ in node.rows(made)] == [1]


@pytest.mark.parametrize("older", ["SSTable", "memtable"])
def test_what_has_expired_as_a_whole_stays_while_it_hides_something(older: str) -> None:
    node, made = node_of(NOTHING)
    fill(node, made, 0, 1)
    if older == "SSTable":
        flush(node)
    else:
        node.engine.truncate(made, node.clock.wall_us())
    delete(node, made, 0)
    flush(node)
    node.clock.advance(made.params.gc_grace_seconds + 10)
    if older == "memtable":
        old = Row((INT.encode(1),), Liveness(5), LIVE, {"v": Cell(5, b"old")})
        node.engine.apply(PartitionUpdate(made.id, INT.encode(0), rows={INT.order_key(INT.encode(1)): old}))
    files = files_of(node, made)
    newest = max(files.readers, key=lambda reader: reader.max_timestamp_us)
    finished(node, [node.engine.files.compactions.compact_these(files, [newest])])
    assert node.rows(made) == []
    assert [reader.key_count for reader in files.readers] == [1] * (2 if older == "SSTable" else 1)


def test_a_range_tombstone_over_the_blocks_of_an_index_stays_one() -> None:
    """Each block had its piece written, with a boundary between two of the same deletion."""
    node = Harness(replace(OPTIONS, column_index_bytes=1024))
    made = with_compaction(table(), NOTHING)
    node.create(made)
    for c in range(200):
        node.insert(made, 1, c, "x" * 30)
    now_us = node.clock.wall_us()
    first, last = (INT.encode(20),), (INT.encode(150),)
    low, high = INT.order_key(first[0]), INT.order_key(last[0])
    tombstone = RangeTombstone(low, high, Deletion(now_us, now_us // 1_000_000), first, last)
    node.engine.apply(PartitionUpdate(made.id, INT.encode(1), range_tombstones=(tombstone,)))
    flush(node)
    compact(node)
    (reader,) = files_of(node, made).readers
    assert sum(len(stretch.wide) for stretch in reader.stretches()) == 1
    ((_, partition),) = reader.partitions()
    markers = [found for _, found in partition.raw().unfiltereds if isinstance(found, Marker)]
    assert [marker.place for marker in markers] == [low, high]


def test_reading_is_paced() -> None:
    node, made = node_of(NOTHING)
    for first in (0, 200):
        fill(node, made, first, 200)
        flush(node)
    waits: list[float] = []
    wait = Task.wait

    def waited(self: Task, condition: object, force: object) -> None:
        if condition.__qualname__.startswith("_Pace"):  # type: ignore[attr-defined]  # others wait for the log
            waits.append(node.clock.monotonic())
            node.clock.advance(0.5)
        wait(self, condition, force)  # type: ignore[arg-type]

    compactions = node.engine.files.compactions
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Task, "wait", waited)
        patch.setattr(Task, "is_hurried", property(lambda self: False, lambda self, value: None))
        compactions.bytes_per_s = 10_000
        compact(node)
        assert waits
        assert 1 < node.clock.monotonic() < 10
        waits.clear()
        compactions.bytes_per_s = 0
        compact(node)
        assert not waits
