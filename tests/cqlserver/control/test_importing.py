"""SSTables are taken up wholly or not at all, whatever the machine does meanwhile, and are nowhere lost."""

import errno
from collections import Counter
from functools import partial

import pytest
from crash_machine import CountingDisk
from kept_node import OPERATIONS, Kept, insert
from small_server import KEYSPACE, TABLE

from cqlserver.control.context import Control
from cqlserver.control.importing import import_sstables
from protocol.errors import StorageError
from storage.environment.memory import FaultyDisk
from storage.sstable.constants import DATA
from storage.sstable.descriptor import descriptors


async def taken(control: Control, *, folder: str, copy: bool) -> object:
    return await import_sstables(
        control,
        keyspace="ks",
        table="t",
        directories=[folder],
        keep_level=False,
        keep_repaired=False,
        verify=True,
        extended_verify=False,
        verify_tokens=True,
        require_indexes=False,
        copy=copy,
    )


def with_snapshot(disk: FaultyDisk) -> tuple[Kept, str]:
    """A node with one row, and the folder of a snapshot that has two others in two SSTables."""
    kept = Kept(disk)
    kept.ask(KEYSPACE, TABLE, insert(1, "one"))
    kept.flush()
    kept.ask(insert(2, "two"))
    kept.flush()
    files = kept.node.engine.files
    (store,) = (store for store in kept.node.engine.stores.values() if str(store.table) == "ks.t")
    files.take_snapshot(store, "kept", "", 1, None)
    kept.ask("TRUNCATE ks.t", insert(3, "three"))
    kept.finish()
    kept.log.sync()
    return kept, f"{files.folders.name(store.table)}/snapshots/kept"


def is_taken(kept: Kept, folder: str, copy: bool) -> bool:
    """Whether an import was done, as it says, and durable."""
    is_done = kept.run(partial(taken, folder=folder, copy=copy)) == {"failed": []}
    kept.finish()
    kept.log.sync()
    return is_done


@pytest.mark.slow
@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_a_disk_that_fails_during_an_import_leaves_all_or_nothing(code: int, copy: bool) -> None:
    """The node goes on with what it has; unless its log has failed, the import is done when the disk works again."""
    unasked = CountingDisk()
    kept, folder = with_snapshot(unasked)
    before = Counter(unasked.calls)
    assert is_taken(kept, folder, copy)
    calls = unasked.calls - before
    outcomes = Counter[str]()
    for operation, count in sorted(calls.items()):
        for after in range(0, count, max(count // 8, 1)):
            disk = CountingDisk()
            kept, folder = with_snapshot(disk)
            disk.fail(operation, after, code)
            try:
                is_done = is_taken(kept, folder, copy)
            except StorageError:  # of the log: it refuses writes from here on
                is_done = False
            assert disk.failed[operation], (operation, after)
            disk.heal()
            where = (operation, after, is_done)
            rows = kept.state()["t"]
            assert rows in (["three"], ["one", "three", "two"]), where
            assert len(rows) == 3 or not is_done, where
            assert len(rows) == 3 or len(descriptors(disk.list(folder), DATA)) == 2, where
            has_log = kept.log.failure is None
            outcomes["done" if is_done else "refused" if has_log else "log failed"] += 1
            if has_log and len(rows) == 1:
                assert is_taken(kept, folder, copy), where
                rows = kept.state()["t"]
                assert len(rows) == 3, where
            disk.crash(lambda unsynced: unsynced, names_kept=True)
            found = Kept(disk).state()["t"]
            assert found == rows if has_log else found in (["three"], ["one", "three", "two"]), (where, found)
    assert outcomes["refused"] > 20, outcomes


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("copy", [False, True])
def test_a_crash_at_any_step_of_an_import_leaves_all_or_nothing_and_loses_nothing(operation: str, copy: bool) -> None:
    crashes = 0
    for after in range(200):
        disk = FaultyDisk()
        kept, folder = with_snapshot(disk)
        disk.fail(operation, after)
        is_done = failed = False
        try:
            answer = kept.run(partial(taken, folder=folder, copy=copy))
            is_done = answer == {"failed": []}
            failed = not is_done
            kept.finish()
            kept.log.sync()
        except Exception:  # noqa: BLE001  whatever: the machine stops
            failed = True
        disk.heal()
        disk.crash(names_kept=bool(after % 2))
        found = Kept(disk)
        where = (operation, after, is_done)
        rows = found.state()["t"]
        assert rows in (["three"], ["one", "three", "two"]), where
        sources = len(descriptors(disk.list(folder), DATA))
        assert len(rows) == 3 or sources == 2, where
        assert len(rows) == 3 or not is_done, where
        assert sources == 2 or not copy, where
        if not failed:
            break
        crashes += 1
    assert crashes >= {"rename": 0, "remove_folder": 0, "link": 0, "unlink": 0}.get(operation, 2)
