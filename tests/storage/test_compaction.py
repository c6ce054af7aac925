"""Compactions: the rows stay what they are, what nobody needs goes, and a crash at any step leaves one of the two."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import pytest
import test_engine
from test_engine import Harness, table
from test_flush import FOLDER, OPERATIONS, data_files, fill, flush

from protocol.errors import CorruptionError
from protocol.types import INT
from storage.background import Lane, Task, TaskState
from storage.commitlog.log import CommitLogOptions
from storage.compaction.compactions import _Pace
from storage.compaction.purging import Purger
from storage.compaction.verifying import VerifyOptions
from storage.engine import EngineOptions, stored_values
from storage.files.transaction import Transaction
from storage.memtable.packed import Layouts
from storage.mutation import LIVE, NO_LIVENESS, NO_TIMESTAMP, Cell, ComplexColumn, Deletion, Liveness, PartitionUpdate, Row
from storage.schema.metadata import TableMetadata
from storage.schema.table_definitions import define_table
from storage.sstable.reader import COPY_BYTES
from storage.sstable.stretch import Stretch
from storage.sstable.writer import SSTableWriter

APPEND_RAW = SSTableWriter.append_raw
OPTIONS = EngineOptions("/d", CommitLogOptions(segment_bytes=4096))


def compact(node: Harness) -> None:
    tasks = node.engine.compact()
    node.engine.background.finish()
    assert tasks
    assert all(task.error is None for task in tasks), [task.error for task in tasks]


def delete(node: Harness, made: TableMetadata, k: int) -> None:
    now_us = node.clock.wall_us()
    node.engine.apply(PartitionUpdate(made.id, INT.encode(k), Deletion(now_us, now_us // 1_000_000)))


def history(options: EngineOptions = OPTIONS) -> tuple[Harness, TableMetadata, list[tuple[int, int, str]]]:
    """A node whose table lies in three SSTables, and what is in it."""
    node = Harness(options)
    made = table()
    node.create(made)
    fill(node, made, 0, 10)
    flush(node)
    expected = fill(node, made, 5, 10)
    delete(node, made, 0)
    flush(node)
    node.insert(made, 3, 2, "another")
    flush(node)
    expected = sorted([*fill(node, made, 1, 4), *expected, (3, 2, "another")])
    assert len(data_files(node)) == 3
    return node, made, expected


def test_several_sstables_become_one_with_the_same_rows() -> None:
    node, made, expected = history()
    assert node.rows(made) == expected
    compact(node)
    assert len(data_files(node)) == 1
    for _ in range(2):
        assert node.rows(made) == expected
        node.kill()
    compact(node)
    assert node.rows(made) == expected


def test_four_flushes_are_compacted_by_themselves() -> None:
    node = Harness(OPTIONS)
    made = table()
    node.create(made)
    expected = []
    for first in range(0, 40, 10):
        expected += fill(node, made, first, 10)
        flush(node)
    assert len(data_files(node)) == 1
    assert node.rows(made) == expected


@pytest.mark.parametrize("rest", [False, True])
def test_tombstones_go_after_gc_grace_unless_something_older_is_elsewhere(rest: bool) -> None:
    node = Harness(OPTIONS)
    made = table()
    node.create(made)
    fill(node, made, 0, 2)
    flush(node)
    delete(node, made, 0)
    flush(node)
    files = node.engine.files.files_of(node.engine.stores[made.id])
    compact(node)
    assert files.readers[0].key_count == 2  # the tombstone is young
    node.clock.advance(made.params.gc_grace_seconds + 10)
    if rest:  # in the memtable
        row = Row((INT.encode(1),), Liveness(5), LIVE, {"v": Cell(5, b"old")})
        node.engine.apply(PartitionUpdate(made.id, INT.encode(0), rows={INT.order_key(INT.encode(1)): row}))
    compact(node)
    assert files.readers[0].key_count == (2 if rest else 1)
    assert [k for k, _, _ in node.rows(made)] == [1]
    node.kill()
    assert [k for k, _, _ in node.rows(made)] == [1]


def test_a_truncation_meanwhile_is_not_undone() -> None:
    node, made, _ = history()
    tasks = node.engine.compact([made.id])
    node.engine.truncate(made, node.clock.wall_us())
    node.engine.background.finish()
    assert tasks[0].error is None
    assert node.rows(made) == []
    node.kill()
    assert node.rows(made) == []
    assert data_files(node) == []


@pytest.mark.parametrize("synced", [False, True])
def test_a_truncation_while_it_is_decided_takes_the_new_files(synced: bool) -> None:
    """The compaction's commit waits for the disk beside the loop."""
    node, made, _ = history()
    commit = Transaction.commit

    def truncate_meanwhile(self: Transaction) -> None:
        patch.undo()
        node.engine.truncate(made, node.clock.wall_us())
        node.engine.commit_log.write()  # type: ignore[union-attr]
        if synced:
            node.engine.commit_log.sync()  # type: ignore[union-attr]
        commit(self)

    patch = pytest.MonkeyPatch()
    patch.setattr(Transaction, "commit", truncate_meanwhile)
    (task,) = node.engine.compact([made.id])
    node.engine.background.finish()
    assert task.error is None
    assert data_files(node) == []
    for _ in range(2):
        assert node.rows(made) == []
        node.kill()


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("names_kept", [False, True])
def test_a_crash_at_any_step_leaves_the_old_or_the_new(operation: str, names_kept: bool) -> None:
    crashes = 0
    for after in range(200):
        node, made, expected = history()
        node.clock.advance(made.params.gc_grace_seconds + 10)
        node.engine.commit_log.sync()  # type: ignore[union-attr]
        node.disk.fail(operation, after)
        tasks = node.engine.compact([made.id])
        node.engine.background.finish()
        failed = tasks[0].error is not None
        assert failed or node.rows(made) == expected
        node.disk.heal()
        node.disk.crash(names_kept=names_kept)
        node.start()
        assert node.rows(made) == expected, (operation, after)
        assert not [name for name in node.disk.list("/d/data/ks/t-" + made.id.hex) if "txn" in name]
        compact(node)
        node.kill()
        assert node.rows(made) == expected, (operation, after)
        if not failed:
            break
        crashes += 1
    assert crashes >= {"unlink": 2, "rename": 0}.get(operation, 3)


# --- what may be left out ---------------------------------------------------------------------------------------------


def purger(purgeable_us: int = 1_000, now_s: int = 100, gc_before_s: int = 50) -> Purger:
    return Purger(Layouts(table().id, 0), now_s, gc_before_s, purgeable_us)


def test_cells_are_purged_by_gc_grace_strictly_and_expired_ones_become_tombstones() -> None:
    def kept(cell: Cell) -> Cell | ComplexColumn | None:
        row = purger().row(Row((), Liveness(5), LIVE, {"v": cell}))
        assert row is not None
        return row.columns.get("v")

    assert kept(Cell(9, None, 0, 49)) is None
    assert kept(Cell(9, None, 0, 50)) == Cell(9, None, 0, 50)
    assert kept(Cell(1_000, None, 0, 49)) == Cell(1_000, None, 0, 49)
    assert kept(Cell(9, b"live", 10, 101)) == Cell(9, b"live", 10, 101)
    assert kept(Cell(9, b"expired", 10, 100)) == Cell(9, None, 0, 90)
    assert kept(Cell(9, b"expired", 60, 100)) is None
    assert kept(Cell(9, b"expired", 10, 40)) is None


def test_rows_of_nothing_but_old_deletions_go() -> None:
    old, young = Deletion(9, 49), Deletion(9, 50)
    assert purger().row(Row((), NO_LIVENESS, old)) is None
    assert purger().row(Row((), NO_LIVENESS, young)) == Row((), NO_LIVENESS, young)
    assert purger().row(Row((), Liveness(5, 10, 40))) is None
    assert purger().row(Row((), columns={"v": ComplexColumn(old, {b"p": Cell(9, None, 0, 40)})})) is None
    assert purger(NO_TIMESTAMP).row(Row((), NO_LIVENESS, old)) is not None


# --- copies -----------------------------------------------------------------------------------------------------------


def test_only_this_nodes_part_of_the_log_is_told_by_what_was_compacted() -> None:
    """(MetadataCollector.java) It told of none: a crash behind a TRUNCATE brought back what had been compacted with
    another's."""
    node = Harness(OPTIONS)
    made = table()
    node.create(made)
    own, other = UUID(int=1), UUID(int=2)
    for first, host_id in enumerate((other, own, own)):
        node.engine.host_id = host_id
        fill(node, made, first, 2)
        flush(node)
    files = node.engine.files
    before = [reader for reader in files.readers_of(made.id) if reader.originating_host == own]
    (_, middle), (middle_too, _) = sorted(interval for reader in before for interval in reader.commit_log_intervals)
    assert middle == middle_too
    compact(node)
    (compacted,) = files.readers_of(made.id)
    starts, ends = zip(*(interval for reader in before for interval in reader.commit_log_intervals), strict=True)
    assert compacted.originating_host == own
    assert compacted.commit_log_intervals == ((min(starts), max(ends)),)


def test_what_is_in_one_input_is_copied_and_what_is_in_two_is_merged() -> None:
    node = Harness(OPTIONS)
    made = table()
    node.create(made)
    fill(node, made, 0, 300)
    node.insert(made, 1000, 1, "wide")
    for c in range(2, 60):
        node.insert(made, 1000, c, "x" * 1500)
    flush(node)
    expected = fill(node, made, 290, 300)
    node.insert(made, 3, 2, "of a partition that is in both")
    flush(node)
    before = node.rows(made)
    assert len(before) == 590 + 59 + 1
    assert set(expected) < set(before)
    files = node.engine.files.files_of(node.engine.stores[made.id])
    inputs = {reader.descriptor: reader for reader in files.readers}
    copied: list[int] = []

    def append_raw(self: SSTableWriter, *arguments: object) -> None:
        copied.append(1)
        APPEND_RAW(self, *arguments)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SSTableWriter, "append_raw", append_raw)
        (task,) = node.engine.compact([made.id])
        node.engine.background.finish()
    assert task.error is None
    assert len(copied) == 591 - 11
    assert node.rows(made) == before
    (reader,) = files.readers
    stats, whole = reader.statistics.stats, sum(old.statistics.stats.rows for old in inputs.values())
    assert whole - 20 <= stats.rows <= whole
    assert reader.key_count == 591
    assert stats.timestamps_us == (
        min(old.min_timestamp_us for old in inputs.values()),
        max(old.max_timestamp_us for old in inputs.values()),
    )
    node.kill()
    assert node.rows(made) == before


def test_an_index_that_leads_elsewhere_ends_a_compaction() -> None:
    node, made, expected = history()
    files = node.engine.files.files_of(node.engine.stores[made.id])
    victim = files.readers[0]
    made_stretches = victim.stretches

    def shifted() -> Iterator[Stretch]:
        for stretch in made_stretches():
            yield stretch._replace(starts=[start + 1 for start in stretch.starts[:-1]] + [stretch.starts[-1]])

    victim.stretches = shifted  # type: ignore[assignment, method-assign]
    (task,) = node.engine.compact([made.id])
    node.engine.background.finish()
    assert isinstance(task.error, CorruptionError)
    assert "another partition" in str(task.error)
    del victim.stretches
    assert node.rows(made) == expected
    compact(node)
    assert node.rows(made) == expected


def test_the_history_has_what_was_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = (
        "bytes_in bigint, bytes_out bigint, columnfamily_name text, compacted_at timestamp, "
        "compaction_properties frozen<map<text, text>>, keyspace_name text, rows_merged map<int, bigint>"
    )
    kept = define_table("system", "compaction_history", "id timeuuid", "", columns, comment="")
    kept = replace(kept, params=replace(kept.params, default_time_to_live=100))
    monkeypatch.setattr(test_engine, "BUILT_IN", (test_engine.SYSTEM.with_table(kept), *test_engine.BUILT_IN[1:]))
    node, made, _ = history()
    readers = node.engine.files.files_of(node.engine.stores[made.id]).readers
    compact(node)
    flush(node)
    compact(node)  # of the history's own, too, which is not told
    node.engine.drain()
    assert not [name for name in node.disk.list("/d/commitlog") if name.endswith(".log")]
    node.kill()
    types = {column.name: column.type for column in kept.columns}
    found = [
        {name: types[name].decode(value) for name, value in row.items() if value is not None}
        for row in stored_values(node.engine.stores[kept.id], node.clock.now_s())
    ]
    assert ("system_schema", "tables") in {(row["keyspace_name"], row["columnfamily_name"]) for row in found}
    assert "compaction_history" not in {row["columnfamily_name"] for row in found}
    first, second = sorted((row for row in found if row["keyspace_name"] == "ks"), key=lambda row: row["id"].time)
    assert first["columnfamily_name"] == "t"
    assert first["rows_merged"] == {1: 8, 2: 5 + 1 + 1}
    assert first["bytes_in"] == sum(reader.data_disk_bytes for reader in readers) > first["bytes_out"] > 0
    assert first["compaction_properties"] == {"compaction_type": "Major compaction"}
    assert second["rows_merged"] == {1: 11, 2: 4}
    assert first["id"].time // 10_000 - 12219292800000 <= first["compacted_at"] <= node.clock.now_s() * 1000 + 1000
    node.clock.advance(101)
    assert not list(stored_values(node.engine.stores[kept.id], node.clock.now_s()))


def test_inputs_that_cant_be_removed_do_not_come_back() -> None:
    """What is deleted and purged in the new SSTable is in the old ones still."""
    for after in range(100):
        node = Harness(OPTIONS)
        made = table()
        node.create(made)
        fill(node, made, 0, 3)
        flush(node)
        delete(node, made, 1)
        flush(node)
        node.clock.advance(made.params.gc_grace_seconds + 10)
        node.disk.fail("unlink", after)
        node.engine.compact([made.id])
        node.engine.background.finish()
        node.disk.heal()
        has_failed = bool(node.engine.background.tallies[Lane.COMPACTION, TaskState.FAILED])
        for _ in range(2):
            assert [k for k, _, _ in node.rows(made)] == [0, 2]
            fill(node, made, 2, 1)
            flush(node)
            node.kill()
        assert [k for k, _, _ in node.rows(made)] == [0, 2]
        assert "nb-1-big-Data.db" not in data_files(node)
        if not has_failed:
            break
    assert after > 5


def test_one_is_stopped_by_its_id_and_leaves_all_as_it_was() -> None:
    node, made, expected = history()
    files = data_files(node)
    ids: list[str] = []

    def stop_now(task: Task, done: int) -> None:
        ids.append(task.id)
        task.cancel()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_Pace, "pace", lambda self, task, done: stop_now(task, done))
        (task,) = node.engine.compact([made.id])
        node.engine.background.finish()
    assert task.state is TaskState.CANCELLED
    assert (task.sstables, task.target) == (3, FOLDER)
    assert UUID(ids[0]).version == 1
    assert data_files(node) == files
    assert not [name for name in node.disk.list(FOLDER) if "txn" in name]
    assert node.rows(made) == expected


@pytest.mark.parametrize("is_merged", [False, True])
def test_what_is_read_of_few_large_partitions_is_told_piece_by_piece(
    is_merged: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that one stretch of the index names counted at once, at its end: few large partitions were not held up at all."""
    node = Harness(EngineOptions("/d"))
    made = table()
    node.create(made)
    for first in (0, 1):
        for k in range(3):
            for c in range(100):
                node.insert(made, k if is_merged else 3 * first + k, 2 * c + first, f"{k} {c} " * 2000)
        flush(node)
    read: list[int] = []
    monkeypatch.setattr(_Pace, "pace", lambda self, task, done: read.append(done))
    total = sum(reader.data_bytes for reader in node.engine.files.readers_of(made.id))
    before = node.rows(made)
    compact(node)
    assert node.rows(made) == before
    assert total > 5_000_000
    steps = [after - before for before, after in pairwise([0, *read, total])]
    assert min(steps) >= 0
    assert max(steps) <= 2 * COPY_BYTES


@pytest.mark.parametrize("version", ["nb", "da"])
@pytest.mark.parametrize("index_bytes", [None, 2048])
def test_a_wide_partition_has_as_many_places_in_its_index_as_was_set(version: str, index_bytes: int | None) -> None:
    node = Harness(EngineOptions("/d", sstable_version=version, column_index_bytes=index_bytes))
    made = table()
    node.create(made)
    for c in range(100):
        node.insert(made, 1, c, "x" * 1000)
    flush(node)
    for _ in range(2):
        (reader,) = node.engine.files.readers_of(made.id)
        (stretch,) = reader.stretches()
        assert len(stretch.wide[0]) == {("nb", None): 2, ("da", None): 6}.get((version, index_bytes), 34)
        compact(node)


@pytest.mark.parametrize("unmarks", [False, True])
def test_a_damaged_sstable_counts_as_not_repaired_where_verify_is_told_so(unmarks: bool) -> None:
    node, made, _ = history()
    files = node.engine.files
    readers = files.readers_of(made.id)
    for reader in readers:
        reader.mark(node.disk, 7_000, None)
    damaged = readers[1]
    path = f"{FOLDER}/{damaged.descriptor.file_name('Data.db')}"
    data = bytearray(node.disk.read_file(path))
    data[len(data) // 2] ^= 1
    node.disk.write_file_atomically(path, bytes(data))
    options = VerifyOptions(unmarks_damaged=unmarks)
    (task,) = files.compactions.verify([files.files_of(node.engine.stores[made.id])], options)
    node.engine.background.finish()
    assert isinstance(task.error, CorruptionError)
    for _ in range(2):
        found = {reader.descriptor: reader.repaired_at_ms for reader in node.engine.files.readers_of(made.id)}
        assert found.pop(damaged.descriptor) == (0 if unmarks else 7_000)
        assert set(found.values()) == {7_000}
        node.kill()

