"""SSTables are taken up wholly or not at all, whatever the machine does meanwhile, and are nowhere lost."""

from functools import partial

import pytest
from kept_node import OPERATIONS, Kept, insert
from small_server import KEYSPACE, TABLE

from cqlserver.control.context import Control
from cqlserver.control.importing import import_sstables
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


@pytest.mark.slow
@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("copy", [False, True])
def test_a_crash_at_any_step_of_an_import_leaves_all_or_nothing_and_loses_nothing(operation: str, copy: bool) -> None:
    crashes = 0
    for after in range(200):
        disk = FaultyDisk()
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
        folder = f"{files.folders.name(store.table)}/snapshots/kept"
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
