"""Data folders with what should not be there: what can't be read is named, everything else is served."""

import pytest
from test_engine import Harness, table
from test_flush import FOLDER, data_files, fill, flush

from protocol.errors import CorruptionError
from storage.commitlog.log import CommitLogOptions
from storage.engine import EngineOptions
from storage.schema.metadata import TableMetadata
from storage.sstable.constants import (
    CHECKSUMS,
    COMPRESSION_INFO,
    CRC,
    DATA,
    DIGEST,
    FILTER,
    INDEX,
    STATISTICS,
    SUMMARY,
    TOC,
)

PREFIX = f"{FOLDER}/nb-1-big-"
ROWS = 40


def node_of_two() -> tuple[Harness, TableMetadata, TableMetadata]:
    """Two tables with an SSTable each; the first one's is to be damaged."""
    node = Harness(EngineOptions("/d", CommitLogOptions(segment_bytes=4096)))
    made, other = table(), table("u", 2)
    node.create(made, other)
    fill(node, made, 0, ROWS)
    fill(node, other, 0, ROWS)
    flush(node)
    assert data_files(node) == ["nb-1-big-Data.db"]
    return node, made, other


def without_checksums(node: Harness) -> None:
    """The SSTable is as a Cassandra's."""
    node.disk.unlink(PREFIX + CHECKSUMS)
    toc = node.disk.read_file(PREFIX + TOC)
    node.disk.write_file_atomically(PREFIX + TOC, toc.replace(f"{CHECKSUMS}\n".encode(), b""))


def start_again(node: Harness) -> None:
    """What was done to the folder is there."""
    node.disk.sync_folder(FOLDER)
    node.kill()


def assure_named(node: Harness, made: TableMetadata, other: TableMetadata, named: str) -> None:
    """Reads of one table name a file, the other one is served, and both take writes."""
    assert len(node.rows(other)) == ROWS
    with pytest.raises(CorruptionError, match=named):
        node.rows(made)
    for each in (made, other):
        node.insert(each, 100, 1, "new")
    assert len(node.rows(other)) == ROWS + 1
    flush(node)
    with pytest.raises(CorruptionError, match=named):
        node.rows(made)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("component", [DATA, INDEX, STATISTICS, COMPRESSION_INFO])
def test_a_component_that_was_copied_in_part_is_named(component: str, share: float) -> None:
    node, made, other = node_of_two()
    path = PREFIX + component
    node.disk.truncate(path, int(node.disk.size(path) * share))
    start_again(node)
    assure_named(node, made, other, "nb-1-big-")


@pytest.mark.parametrize("component", [DATA, INDEX, STATISTICS, COMPRESSION_INFO])
def test_a_component_that_the_toc_lists_and_that_is_missing_is_named(component: str) -> None:
    node, made, other = node_of_two()
    node.disk.unlink(PREFIX + component)
    start_again(node)
    assure_named(node, made, other, component)


@pytest.mark.parametrize("is_ours", [True, False])
@pytest.mark.parametrize("component", [FILTER, SUMMARY, DIGEST])
def test_a_component_that_rows_do_not_need_is_told_and_done_without(
    component: str, is_ours: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """`is_ours`: with Checksums.db, which Cassandra's SSTables do not have."""
    node, made, other = node_of_two()
    expected = node.rows(made)
    node.disk.unlink(PREFIX + component)
    if not is_ours:
        without_checksums(node)
    start_again(node)
    assert caplog.messages.count(f"Missing component: {PREFIX}{component}") == 1
    assert node.rows(made) == expected
    fill(node, made, ROWS, ROWS)
    flush(node)
    (task,) = node.engine.compact([made.id])
    node.engine.background.finish()
    assert task.error is None
    assert len(node.rows(made)) == 2 * ROWS
    assert len(node.rows(other)) == ROWS


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("component", [FILTER, SUMMARY])
def test_of_a_cassandras_sstable_what_rows_do_not_need_is_told_where_it_was_copied_in_part(
    component: str, share: float, caplog: pytest.LogCaptureFixture
) -> None:
    node, made, other = node_of_two()
    expected = node.rows(made)
    path = PREFIX + component
    node.disk.truncate(path, int(node.disk.size(path) * share))
    without_checksums(node)
    start_again(node)
    assert len([message for message in caplog.messages if path in message]) == 1
    assert node.rows(made) == expected
    assert len(node.rows(other)) == ROWS


@pytest.mark.parametrize("component", [DATA, INDEX, STATISTICS, COMPRESSION_INFO])
def test_without_a_toc_what_is_needed_is_named(component: str) -> None:
    node, made, other = node_of_two()
    for each in {TOC, component}:
        node.disk.unlink(PREFIX + each)
    start_again(node)
    if component == DATA:  # neither: what a flush had begun
        assert node.rows(made) == []
        assert len(node.rows(other)) == ROWS
        return
    # without CompressionInfo.db it is taken for an uncompressed one
    assure_named(node, made, other, CRC if component == COMPRESSION_INFO else component)


def test_a_copy_that_was_repaired_is_read_after_a_start() -> None:
    node, made, other = node_of_two()
    whole = node.disk.read_file(PREFIX + DATA)
    node.disk.truncate(PREFIX + DATA, 10)
    start_again(node)
    with pytest.raises(CorruptionError):
        node.rows(made)
    node.disk.write_file_atomically(PREFIX + DATA, whole)
    start_again(node)
    assert len(node.rows(made)) == len(node.rows(other)) == ROWS


@pytest.mark.parametrize("name", ["mc-5-big-Data.db", "zz-5-big-Data.db", "nb-5-bti-Data.db"])
def test_a_foreign_version_ends_the_start_and_says_what_to_do(name: str) -> None:
    node, made, _ = node_of_two()
    node.disk.write_file_atomically(f"{FOLDER}/{name}", b"something")
    with pytest.raises(CorruptionError, match=f"{name}.*upgrade it, or move it away"):
        start_again(node)
    node.disk.unlink(f"{FOLDER}/{name}")
    start_again(node)
    assert len(node.rows(made)) == ROWS


def test_folders_of_tables_that_the_schema_does_not_know_and_other_things_are_left_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    node, made, other = node_of_two()
    unknown = f"/d/data/ks/gone-{'9' * 32}"
    strange = ("/d/data/ks/no table", "/d/data/elsewhere", f"/d/data/elsewhere/t-{'8' * 32}")
    for folder in (unknown, *strange):
        node.disk.mkdirs(folder)
        for component in (DATA, TOC):
            node.disk.write_file_atomically(f"{folder}/nb-1-big-{component}", b"theirs")
    node.disk.write_file_atomically("/d/data/ks/README", b"a file")
    node.disk.write_file_atomically(f"{FOLDER}/notes.txt", b"a file")
    emptied = f"/d/data/ks/dropped-{'7' * 32}"
    node.disk.mkdirs(f"{emptied}/snapshots/last")
    for _ in range(2):
        caplog.clear()
        start_again(node)
        told = [message for message in caplog.messages if "belongs to no table" in message]
        assert told == [
            f"{each} belongs to no table of the schema: its SSTables are left alone" for each in (strange[2], unknown)
        ]
        assert len(node.rows(made)) == len(node.rows(other)) == ROWS
        for folder in (unknown, *strange):
            assert node.disk.read_file(f"{folder}/nb-1-big-{DATA}") == b"theirs"
    assert node.disk.exists(f"{FOLDER}/notes.txt")


@pytest.mark.parametrize("free_bytes", range(0, 4000, 400))
def test_a_full_disk_during_a_compaction_leaves_all_as_it_was(free_bytes: int) -> None:
    node, made, _ = node_of_two()
    for first in (ROWS, 2 * ROWS):
        fill(node, made, first, ROWS)
        flush(node)
    expected, files = node.rows(made), data_files(node)
    node.disk.free_bytes = free_bytes
    (task,) = node.engine.compact([made.id])
    node.engine.background.finish()
    assert isinstance(task.error, OSError)
    assert node.rows(made) == expected
    node.disk.heal()
    assert data_files(node) == files
    node.kill()
    assert node.rows(made) == expected
    node.engine.compact([made.id])
    node.engine.background.finish()
    assert len(data_files(node)) == 1
    assert node.rows(made) == expected
